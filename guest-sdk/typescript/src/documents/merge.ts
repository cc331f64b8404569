/** Three-way merges of documents. */

import { isEqual, type Json } from "../json.ts";

type Fields = { [name: string]: Json };

/**
 * Applies the changes from `before` to `now` to the stored value.
 *
 * Fields that both states leave out are kept, such as those that a model does not have. A changed
 * list is replaced, because its items have no identity. `undefined` is a field that does not exist.
 */
export function threeWay(
  stored: Json | undefined,
  before: Json | undefined,
  now: Json | undefined,
): Json | undefined {
  if (isEqual(before, now)) return stored;
  if (isObject(stored) && isObject(before) && isObject(now))
    return mergeFields(stored, before, now);
  return now;
}

/** Like {@link threeWay}, for objects. */
export function mergeFields(stored: Fields, before: Fields, now: Fields): Fields {
  const names = new Set([...Object.keys(stored), ...Object.keys(now)]);
  const merged: [string, Json][] = [];
  for (const name of names) {
    const value = threeWay(own(stored, name), own(before, name), own(now, name));
    if (value !== undefined) merged.push([name, value]);
  }
  return Object.fromEntries(merged);
}

function own(fields: Fields, name: string): Json | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function isObject(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
