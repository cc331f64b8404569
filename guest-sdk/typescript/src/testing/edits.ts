/** Changes of parts of documents. */

import { CallError } from "../host.ts";
import type { Json } from "../json.ts";
import { type Fields, isFields } from "./values.ts";

/** Returns an object with a patch merged into it (RFC 7396). */
export function mergePatch(value: Json | undefined, patch: Json): Json {
  if (!isFields(patch)) return patch;
  const merged = new Map(Object.entries(isFields(value) ? value : {}));
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), change));
  }
  return Object.fromEntries(merged);
}

/** Returns an object with a value at a path. Missing objects are created. */
export function setField(fields: Fields, path: string, value: Json): Fields {
  return setAt(fields, path.split("."), path, value) as Fields;
}

function setAt(container: Json | undefined, names: string[], path: string, value: Json): Json {
  const [name, ...rest] = names;
  if (name === undefined) return value;
  if (Array.isArray(container) && /^\d+$/.test(name) && Number(name) <= container.length) {
    const list = [...container];
    list[Number(name)] = setAt(list[Number(name)], rest, path, value);
    return list;
  }
  if (container !== undefined && !isFields(container)) {
    throw new CallError({ tag: "invalid", val: `cannot resolve path \`${path}\`` });
  }
  const fields = container ?? {};
  const inner = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return Object.fromEntries([...Object.entries(fields), [name, setAt(inner, rest, path, value)]]);
}
