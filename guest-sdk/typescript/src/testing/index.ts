/**
 * Runs operations under plain Node.js, with documents in memory.
 *
 *     const documents = memory();
 *     assert.equal(invoke(greeter, '{"name":"Ada"}'), '{"text":"Hello, Ada!"}');
 *
 * zod validates the input and the output, as in a component. The limits of the host do not exist.
 */

import type * as z from "zod";

import * as dispatch from "../dispatch.ts";
import type { ReportedFailure } from "../dispatch.ts";
import { Collection } from "../documents/collection.ts";
import type { Model, NewDocument } from "../documents/index.ts";
import { Failure } from "../failure.ts";
import { provide } from "../host.ts";
import { dump, type Json, parse } from "../json.ts";
import { collectionOf } from "../names.ts";
import type { Operation } from "../operation.ts";
import { type Journal, MemoryHost, type RunProperties } from "./host.ts";

export type { Journal, LogEntry, RunProperties } from "./host.ts";

/** Any operation. */
// The parameters of `run` differ, so no common type of functions exists.
type AnyOperation = Pick<Operation, "name" | "description" | "input" | "output"> & {
  readonly run: (...parameters: never[]) => unknown;
};

/** The result of a run. */
export interface Report extends Journal {
  /** The output; `undefined` if the run failed. */
  readonly output: Json | undefined;
  /** The failure; `undefined` if the run succeeded. */
  readonly failure: ReportedFailure | undefined;
}

let host = new MemoryHost();
provide(() => host);

/** The documents of the tests, and the journal of the last run. */
export class Memory {
  /** Adds or replaces documents and commits all writes. Returns their ids. */
  seed<S extends z.ZodObject>(model: Model<S>, ...documents: NewDocument<S>[]): string[] {
    const collection = new Collection(model);
    const ids = documents.map((document) => {
      if (document.id === undefined) return collection.insert(document);
      collection.put(document.id, document);
      return document.id;
    });
    this.commit();
    return ids;
  }

  /** Returns the documents of a collection by id. */
  documents(collection: string): Record<string, Json> {
    return host.documents.all(collection);
  }

  /** Commits all writes. A direct call of `run` of an operation does not commit them. */
  commit(): void {
    host.documents.commit();
  }

  /** The log, the progress and the item errors so far, or those of the last run. */
  get journal(): Journal {
    return host.journal;
  }
}

/** Returns empty documents. They replace the earlier ones. */
export function memory(): Memory {
  host = new MemoryHost();
  return new Memory();
}

/** Runs an operation with a JSON text, and returns its output as JSON text. Throws `Failure`. */
export function invoke(operation: AnyOperation, text: string, properties?: RunProperties): string {
  const { output, failure } = run(operation, parse(text), properties);
  if (failure === undefined) return dump(output);
  const { code, ...options } = failure;
  throw new Failure(failure.message, code === undefined ? options : { code, ...options });
}

/**
 * Runs an operation with a JSON value. The operation can access only its models. Its writes are
 * committed if it succeeds and the run is no dry run.
 */
export function run(
  operation: AnyOperation,
  input: unknown,
  properties: RunProperties = {},
): Report {
  const { modelsIn, modelsOut, annotations } = operation.description;
  const explicit = annotations.find(({ key }) => key === "ophost.collections");
  const names: Record<string, string> = explicit === undefined ? {} : JSON.parse(explicit.value);
  const collections = (models: readonly string[]) =>
    models.map((model) => names[model] ?? collectionOf(model));
  host.begin(properties, { read: collections(modelsIn), write: collections(modelsOut) });
  try {
    const output = parse(dispatch.invoke(operation as unknown as Operation, dump(input)));
    if (properties.dryRun !== true) host.documents.commit();
    return { ...host.journal, output, failure: undefined };
  } catch (error) {
    return { ...host.journal, output: undefined, failure: dispatch.toFailure(error) };
  } finally {
    host.end();
  }
}
