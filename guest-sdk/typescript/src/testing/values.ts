/** Values of documents: their order, and those at a path. */

import type { Json } from "../json.ts";

/** A JSON object. */
export type Fields = { [name: string]: Json };

/** Returns whether a value is a JSON object. */
export function isFields(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the values at a path. A path traverses lists; a missing value is `undefined`. */
export function valuesAt(value: Json | undefined, path: string): (Json | undefined)[] {
  const [name = "", ...rest] = path.split(".");
  const tail = rest.join(".");
  const next = (item: Json | undefined) => (tail === "" ? [item] : valuesAt(item, tail));
  if (isFields(value)) return Object.hasOwn(value, name) ? next(value[name]) : [undefined];
  if (!Array.isArray(value)) return [undefined];
  if (/^\d+$/.test(name)) return next(value[Number(name)]);
  return value.flatMap((item) => (isFields(item) ? valuesAt(item, path) : []));
}

/** Returns the value that a document is sorted by: the least one, or the greatest one. */
export function sortValue(id: string, body: Fields, path: string, descending: boolean): Json {
  const found = path === "_id" ? [id] : valuesAt(body, path);
  const items = found.flatMap((value) => (Array.isArray(value) ? value : [value ?? null]));
  items.sort(compare);
  return (descending ? items.at(-1) : items[0]) ?? null;
}

/** Returns whether values have the same type in the order of documents. */
export function isSameType(a: Json, b: Json): boolean {
  return rank(a) === rank(b) && typeof a !== "boolean";
}

/** Compares two values: null, numbers, texts, objects, lists, false, true. */
export function compare(a: Json, b: Json): number {
  const order = rank(a) - rank(b);
  if (order !== 0) return order;
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (isFields(a) && isFields(b)) return compareLists(sorted(a), sorted(b));
  if (Array.isArray(a) && Array.isArray(b)) return compareLists(a, b);
  if (a === null || typeof a === "boolean" || a === b) return 0;
  return (a as number) < (b as number) ? -1 : 1;
}

function compareLists(a: readonly Json[], b: readonly Json[]): number {
  const orders = a.slice(0, b.length).map((item, index) => compare(item, b[index] as Json));
  return orders.find((order) => order !== 0) ?? a.length - b.length;
}

function sorted(fields: Fields): Json[] {
  return Object.keys(fields)
    .sort(compare)
    .flatMap((name) => [name, fields[name] as Json]);
}

function rank(value: Json): number {
  if (value === null) return 0;
  if (typeof value === "boolean") return value ? 6 : 5;
  if (Array.isArray(value)) return 4;
  return { number: 1, bigint: 1, string: 2, object: 3 }[typeof value as string] ?? 3;
}
