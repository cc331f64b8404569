/** Definitions of operations. */

import * as z from "zod";

import { Collection, ReadCollection } from "./documents/collection.ts";
import type { AnyModel } from "./documents/model.ts";
import { dump, type Json } from "./json.ts";
import * as names from "./names.ts";
import { jsonSchema } from "./schema.ts";
import { messageOf } from "./text.ts";

/** Models by the names of their collections in `run`. */
export type Models = Readonly<Record<string, AnyModel>>;

/** The collections that `run` receives. */
export type Collections<W extends Models, R extends Models> = {
  readonly [Name in keyof W]: Collection<W[Name]["schema"]>;
} & { readonly [Name in keyof R]: ReadCollection<R[Name]["schema"]> };

/** Settings of an operation. */
export interface OperationOptions<
  I extends z.ZodType,
  O extends z.ZodType,
  W extends Models,
  R extends Models,
> {
  /** Name, unique in a host: parts of `[a-z][a-z0-9_]*`, joined by dots. */
  name: string;
  /** Description for users. */
  description: string;
  /** Group in lists of operations. */
  category: string;
  /** Schema of the input. Default: an object without fields. */
  input?: I;
  /** Schema of the output. Default: null. */
  output?: O;
  /** Tags, for filters. */
  tags?: readonly string[];
  /** Permissions that a caller needs, such as `jobs:write`. */
  permissions?: readonly string[];
  /** Models that the operation reads and writes. `run` receives their collections. */
  collections?: W;
  /** Models that the operation only reads. `run` receives their collections. */
  readCollections?: R;
  /** Stage of a pipeline, such as `extract`. */
  stage?: string;
  /** Whether direct calls are recorded by default. Default: false. */
  asyncEnabled?: boolean;
  /** Whether runs can have a record. Default: true. */
  createTaskrun?: boolean;
  /** Further settings, such as `{ "ophost.idempotent": true }`. */
  annotations?: Readonly<Record<string, unknown>>;
  /** The function of the operation. It must return its output, not a promise. */
  run(input: z.output<I>, collections: Collections<W, R>): z.input<O>;
}

/** Description of an operation, as the contract has it. */
export interface Description {
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly inputSchema: string;
  readonly outputSchema: string;
  readonly tags: readonly string[];
  readonly permissions: readonly string[];
  readonly modelsIn: readonly string[];
  readonly modelsOut: readonly string[];
  readonly stage: string | undefined;
  readonly asyncEnabled: boolean;
  readonly createTaskrun: boolean;
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
}

/** An operation. {@link defineOperation} creates it. */
export class Operation<
  I extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
  W extends Models = Models,
  R extends Models = Models,
> {
  readonly input: I | undefined;
  readonly output: O | undefined;
  readonly description: Description;
  /** The function of the operation. A direct call is not validated. */
  readonly run: (input: z.output<I>, collections: Collections<W, R>) => z.input<O>;
  readonly #collections: Collections<W, R>;

  constructor(options: OperationOptions<I, O, W, R>) {
    this.input = options.input;
    this.output = options.output;
    this.run = (input, collections) => options.run(input, collections);
    this.description = describe(options);
    this.#collections = collectionsOf(options);
  }

  get name(): string {
    return this.description.name;
  }

  /** The collections that `run` receives. */
  get collections(): Collections<W, R> {
    return this.#collections;
  }
}

/**
 * Defines an operation. A plugin has the operations that its main module exports.
 *
 * Throws `TypeError` if a setting is invalid.
 */
export function defineOperation<
  I extends z.ZodType = z.ZodObject<Record<never, never>>,
  O extends z.ZodType = z.ZodNull | z.ZodUndefined | z.ZodVoid,
  W extends Models = Record<never, never>,
  R extends Models = Record<never, never>,
>(options: OperationOptions<I, O, W, R>): Operation<I, O, W, R> {
  return new Operation(options);
}

function describe<I extends z.ZodType, O extends z.ZodType, W extends Models, R extends Models>(
  options: OperationOptions<I, O, W, R>,
): Description {
  names.checkOperation(options.name);
  try {
    names.checkTexts(options.description, options.category);
    checkFunction(options.run);
    const [writes, reads] = [options.collections ?? {}, options.readCollections ?? {}];
    return {
      name: options.name,
      description: options.description,
      category: options.category,
      inputSchema: schemaText("input", options.input ?? z.object({})),
      outputSchema: schemaText("output", options.output ?? z.null()),
      tags: [...(options.tags ?? [])],
      permissions: [...(options.permissions ?? [])],
      modelsIn: modelNames(reads),
      modelsOut: modelNames(writes),
      stage: options.stage,
      asyncEnabled: options.asyncEnabled ?? false,
      createTaskrun: options.createTaskrun ?? true,
      annotations: annotations(options.annotations ?? {}, { ...reads, ...writes }),
    };
  } catch (error) {
    throw new TypeError(`operation \`${options.name}\`: ${messageOf(error)}`);
  }
}

function checkFunction(run: unknown): void {
  if (typeof run !== "function") throw new TypeError("`run` is not a function");
  if (
    ["AsyncFunction", "AsyncGeneratorFunction", "GeneratorFunction"].includes(run.constructor.name)
  ) {
    throw new TypeError(
      "`run` must be a plain function: the contract has no asynchronous calls, so nothing can be " +
        "awaited",
    );
  }
}

function schemaText(side: "input" | "output", schema: z.ZodType): string {
  try {
    return dump(jsonSchema(schema, side));
  } catch (error) {
    throw new TypeError(`${side}: ${messageOf(error)}`);
  }
}

function modelNames(models: Models): string[] {
  return [...new Set(Object.values(models).map((model) => model.name))];
}

/** Returns the annotations, with the collections of models that set their own names. */
function annotations(
  declared: Readonly<Record<string, unknown>>,
  models: Models,
): Description["annotations"] {
  const explicit = Object.values(models).filter(
    (model) => model.collection !== names.collectionOf(model.name),
  );
  const collections = Object.fromEntries(explicit.map((model) => [model.name, model.collection]));
  const key = "ophost.collections";
  const all = { ...declared };
  if (explicit.length > 0) all[key] = { ...collections, ...(declared[key] as Json as object) };
  return Object.entries(all).map(([name, value]) => ({ key: name, value: dump(value) }));
}

function collectionsOf<W extends Models, R extends Models>(
  options: Pick<OperationOptions<z.ZodType, z.ZodType, W, R>, "collections" | "readCollections">,
): Collections<W, R> {
  const both = Object.keys(options.collections ?? {}).filter((name) =>
    Object.hasOwn(options.readCollections ?? {}, name),
  );
  if (both.length > 0) throw new TypeError(`two collections have the name \`${both[0]}\``);
  const entries = [
    ...Object.entries(options.readCollections ?? {}).map(
      ([name, model]) => [name, new ReadCollection(model)] as const,
    ),
    ...Object.entries(options.collections ?? {}).map(
      ([name, model]) => [name, new Collection(model)] as const,
    ),
  ];
  return Object.fromEntries(entries) as unknown as Collections<W, R>;
}
