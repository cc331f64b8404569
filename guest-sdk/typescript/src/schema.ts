/** JSON Schemas of zod schemas, and integers of 64 bits. */

import * as z from "zod";

import { type Json, toJson } from "./json.ts";

/** Bounds of a 64-bit integer. */
export interface Bounds {
  min?: bigint | number;
  max?: bigint | number;
}

/** A schema whose values are bigints, and integers in JSON. */
export type IntegerSchema = z.ZodCodec<z.ZodCustom<bigint | number>, z.ZodCustom<bigint>>;

/** The bounds of the parts of {@link IntegerSchema}. */
const INTEGERS = new WeakMap<object, readonly [minimum: string, maximum: string]>();
/** The keyword with bounds as texts: zod does not write bigints. */
const BOUNDS = "ophost-bounds";
/** The end of the message about a bigint, which only such an integer becomes. */
const BEYOND = "received an integer beyond 2^53; use `int64()` or `uint64()`";

/** A signed 64-bit integer, as a `bigint`. */
export function int64(bounds: Bounds = {}): IntegerSchema {
  return integer(bounds, -(2n ** 63n), 2n ** 63n - 1n);
}

/** An unsigned 64-bit integer, as a `bigint`. */
export function uint64(bounds: Bounds = {}): IntegerSchema {
  return integer(bounds, 0n, 2n ** 64n - 1n);
}

function integer(bounds: Bounds, least: bigint, greatest: bigint): IntegerSchema {
  const minimum = BigInt(bounds.min ?? least);
  const maximum = BigInt(bounds.max ?? greatest);
  if (minimum < least || maximum > greatest) {
    throw new RangeError(`the bounds must be from ${least} to ${greatest}`);
  }
  const isInteger = (value: unknown) => typeof value === "bigint" || Number.isSafeInteger(value);
  const encoded = z.custom<bigint | number>(isInteger, "expected an integer");
  const isInside = (value: unknown) =>
    typeof value === "bigint" && value >= minimum && value <= maximum;
  const range = `expected an integer from ${minimum} to ${maximum}`;
  const decoded = z.custom<bigint>(isInside, range);
  for (const part of [encoded, decoded]) {
    INTEGERS.set(part, [String(minimum), String(maximum)]);
  }
  return z.codec(encoded, decoded, { decode: BigInt, encode: (value) => value });
}

/**
 * Returns the JSON Schema of a zod schema. Objects accept no unknown fields, except those of
 * `z.looseObject` and `catchall`.
 *
 * Throws `TypeError` with the path of the field if JSON Schema cannot describe a type.
 */
export function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const described = z.toJSONSchema(schema, {
    io,
    unrepresentable: ({ zodSchema, path }) => {
      const known = INTEGERS.get(zodSchema);
      if (known === undefined) throw unsupported(zodSchema, path);
      return { type: "integer", [BOUNDS]: known };
    },
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type === "object" && def.catchall === undefined) {
        jsonSchema.additionalProperties = false;
      }
      // The host has no look-around in patterns. zod checks the format in the component.
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
    },
  });
  return withBounds(toJson(described));
}

/** Returns a schema with exact bounds of 64-bit integers. */
function withBounds(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(withBounds);
  if (typeof schema !== "object" || schema === null) return schema;
  const { [BOUNDS]: bounds, ...rest } = schema;
  const fields = Object.entries(rest).map(([name, value]) => [name, withBounds(value)]);
  if (!Array.isArray(bounds)) return Object.fromEntries(fields);
  const [minimum, maximum] = bounds.map((bound) => BigInt(bound as string));
  return { ...Object.fromEntries(fields), minimum, maximum };
}

function unsupported(schema: z.core.$ZodType, path: readonly (string | number)[]): TypeError {
  const names = path.filter((name) => name !== "properties" && name !== "items");
  const place = names.length === 0 ? "the value" : `\`${names.join(".")}\``;
  const { type } = schema._zod.def;
  const advice: Record<string, string> = {
    bigint: "use `int64()` or `uint64()`",
    date: "use `z.iso.datetime()`",
    map: "use `z.record()`",
    set: "use `z.array()`",
    undefined: "use `z.optional()`",
    void: "leave out `output`",
  };
  const fix = advice[type] ?? "use a type of JSON";
  return new TypeError(`${place}: JSON Schema cannot describe \`z.${type}\`; ${fix}`);
}

/** Returns the problems of a value in one line, each with its path. */
export function problems(error: z.core.$ZodError): string {
  const lines = error.issues.map(({ path, message }) => {
    const place = path.map(String).join(".");
    const text = message.replace(/received bigint$/, BEYOND);
    return place === "" ? text : `\`${place}\`: ${text}`;
  });
  return lines.join("; ");
}
