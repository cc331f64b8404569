/**
 * JSON texts of the contract, with exact integers.
 *
 * An integer beyond 2^53 is a `bigint`, because a `number` cannot hold it exactly.
 */

/** A JSON value. Integers beyond 2^53 are bigints. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 64n - 1n;

/** A value that JSON does not have. The message names its path. */
export class NotJsonError extends TypeError {}

/**
 * Parses a JSON text. Integers beyond 2^53 become bigints.
 *
 * Throws `SyntaxError` for an invalid text.
 */
export function parse(text: string): Json {
  // Only such a text can have an integer beyond 2^53.
  return /\d{16}/.test(text) ? JSON.parse(text, exact) : JSON.parse(text);
}

function exact(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || !Number.isInteger(value) || Number.isSafeInteger(value)) {
    return value;
  }
  if (context?.source === undefined) {
    throw new SyntaxError(
      `cannot parse the number ${value} exactly: Node.js 22 or later is needed for integers ` +
        "beyond 2^53",
    );
  }
  // With a fraction or an exponent, the number is the nearest 64-bit float.
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
}

/** Returns a value as JSON text. Throws {@link NotJsonError} if JSON does not have the value. */
export function dump(value: unknown): string {
  return write(toJson(value));
}

/** Returns a value of {@link parse} or {@link toJson} as JSON text. */
export function write(value: Json): string {
  switch (typeof value) {
    case "bigint":
      return value.toString();
    case "number":
      // A float is no integer, also if it has no fraction.
      return isUnsafe(value) ? value.toExponential() : JSON.stringify(value);
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
      return `{${Object.entries(value).map(writeField).join(",")}}`;
    default:
      return JSON.stringify(value);
  }
}

function writeField([name, value]: [string, Json]): string {
  return `${JSON.stringify(name)}:${write(value)}`;
}

/**
 * Converts a value to the types of JSON. Dates become texts, and fields without a value are left
 * out.
 *
 * Throws {@link NotJsonError} if JSON does not have the value.
 */
export function toJson(value: unknown, path = ""): Json {
  return convert(value, path, []);
}

function convert(value: unknown, path: string, parents: readonly unknown[]): Json {
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      return text(value, path);
    case "number":
      if (!Number.isFinite(value)) throw problem(path, `is ${value}, which JSON does not have`);
      return value;
    case "bigint":
      return integer(value, path);
    case "object":
      return value === null ? null : object(value, path, parents);
    default:
      throw problem(path, `is of type \`${typeof value}\`, which JSON does not have`);
  }
}

function text(value: string, path: string): string {
  if (!value.isWellFormed()) throw problem(path, "contains half of a surrogate pair");
  return value;
}

function integer(value: bigint, path: string): Json {
  if (value < MIN_INTEGER || value > MAX_INTEGER) {
    throw problem(path, `is ${value}, which 64 bits cannot hold`);
  }
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function object(value: object, path: string, parents: readonly unknown[]): Json {
  if (parents.includes(value)) throw problem(path, "contains itself");
  const chain = [...parents, value];
  if (Array.isArray(value)) {
    return Array.from(value, (item, index) => convert(item, join(path, index), chain));
  }
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return convert(value.toJSON(), path, chain);
  }
  const prototype = Object.getPrototypeOf(value);
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
    throw problem(path, `is a \`${prototype.constructor.name}\`, which JSON does not have`);
  }
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  // Unlike an assignment, `fromEntries` accepts a field `__proto__`.
  return Object.fromEntries(
    fields.map(([name, field]) => [
      text(name, join(path, name)),
      convert(field, join(path, name), chain),
    ]),
  );
}

function isUnsafe(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

function join(path: string, name: string | number): string {
  return path === "" ? String(name) : `${path}.${name}`;
}

function problem(path: string, text: string): NotJsonError {
  return new NotJsonError(path === "" ? `the value ${text}` : `\`${path}\` ${text}`);
}

/** Returns whether two JSON values are the same. */
export function isEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (!isContainer(a) || !isContainer(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  const other = b as { [name: string]: Json };
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(other, name) && isEqual(fields(a)[name], other[name]))
  );
}

function isContainer(value: Json | undefined): value is Json[] | { [name: string]: Json } {
  return typeof value === "object" && value !== null;
}

function fields(value: Json[] | { [name: string]: Json }): { [name: string]: Json } {
  return value as { [name: string]: Json };
}
