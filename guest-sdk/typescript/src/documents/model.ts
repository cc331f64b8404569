/** Models of stored documents. */

import type * as z from "zod";

import { checkCollection, collectionOf } from "../names.ts";

/** The name and the schema of the documents of a collection. */
export class Model<S extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly schema: S;
  readonly collection: string;

  constructor(name: string, schema: S, collection: string) {
    if ("id" in schema.shape) {
      throw new TypeError(
        `the field \`id\` of model \`${name}\` has the name of the id of a document; choose ` +
          "another name",
      );
    }
    checkCollection(collection);
    this.name = name;
    this.schema = schema;
    this.collection = collection;
  }
}

/** A model with any schema. */
export type AnyModel = Model<z.ZodObject>;

/** A stored document: the fields of its schema, and its id. */
export type Document<S extends z.ZodObject> = z.output<S> & { readonly id: string };

/**
 * Defines a model. `Job` is stored in the collection `jobs`, `QueryIndex` in `queryindexes`.
 *
 * Fields that the schema does not have are ignored when a document is read, and `save` keeps them.
 * `z.strictObject` rejects such documents.
 */
export function defineModel<S extends z.ZodObject>(
  name: string,
  schema: S,
  options: { collection?: string } = {},
): Model<S> {
  return new Model(name, schema, options.collection ?? collectionOf(name));
}
