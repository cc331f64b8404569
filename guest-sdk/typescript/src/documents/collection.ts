/** Collections: the documents of one model. */

import * as z from "zod";

import type { Condition, HostDocument } from "../host.ts";
import { dump, isEqual, type Json, parse, toJson, write } from "../json.ts";
import { markFailed } from "../run_state.ts";
import { problems } from "../schema.ts";
import { messageOf } from "../text.ts";
import { call } from "./calls.ts";
import { ModelMismatch, NotFound } from "./errors.ts";
import { mergeFields } from "./merge.ts";
import type { Document, Model } from "./model.ts";
import { type Filter, filterText, Query } from "./query.ts";

type Fields = { [name: string]: Json };

/** The document as it was read or written last. */
interface StoredState {
  readonly id: string;
  readonly revision: number;
  readonly fields: Fields;
}

/** A document that is not stored yet. Without an id, the host creates one. */
export type NewDocument<S extends z.ZodObject> = z.output<S> & { readonly id?: string | undefined };

const STATES = new WeakMap<object, StoredState>();

/** Read access to the documents of a model. */
export class ReadCollection<S extends z.ZodObject> {
  readonly model: Model<S>;

  constructor(model: Model<S>) {
    this.model = model;
  }

  /** The name of the collection. */
  get name(): string {
    return this.model.collection;
  }

  /** Returns a document, or `undefined` if it does not exist. */
  get(id: string): Document<S> | undefined {
    const document = call(this.name, id, (documents) => documents.get(this.name, id));
    return document === undefined ? undefined : this.#load(document);
  }

  /** Returns a document. Throws `NotFound` if it does not exist. */
  require(id: string): Document<S> {
    const document = this.get(id);
    if (document === undefined) throw markFailed(new NotFound(this.name, id));
    return document;
  }

  /** Returns the query of the documents that match all filters. */
  find(...filters: Filter[]): Query<Document<S>> {
    return new Query({
      collection: this.name,
      load: (document) => this.#load(document),
      filter: filterText(filters),
      sort: [],
      offset: 0,
      maxCount: Number.POSITIVE_INFINITY,
    });
  }

  /** Returns the number of documents that match all filters. */
  count(...filters: Filter[]): number {
    return this.find(...filters).count();
  }

  /**
   * Returns the revision of a document: 0 if this run has written it, `undefined` if it was neither
   * read nor written.
   */
  revision(document: object): number | undefined {
    return STATES.get(document)?.revision;
  }

  #load(document: HostDocument): Document<S> {
    const result = this.model.schema.safeParse(parse(document.body));
    if (!result.success) throw this.mismatch(document.id, problems(result.error));
    const loaded = { ...result.data, id: document.id } as Document<S>;
    const fields = this.fieldsOf(loaded, document.id);
    STATES.set(loaded, { id: document.id, revision: document.revision, fields });
    return loaded;
  }

  /** Returns the fields of a document as JSON. They are validated, because assignments are not. */
  protected fieldsOf(document: NewDocument<S>, id: string): Fields {
    const { id: _, ...content } = document;
    try {
      const result = z.safeEncode(this.model.schema, content as unknown as z.output<S>);
      if (!result.success) throw new TypeError(problems(result.error));
      return toJson(result.data) as Fields;
    } catch (error) {
      throw this.mismatch(id, messageOf(error));
    }
  }

  protected mismatch(id: string, reasons: string): ModelMismatch {
    return markFailed(new ModelMismatch(this.name, id, this.model.name, reasons));
  }
}

/** Read and write access to the documents of a model. */
export class Collection<S extends z.ZodObject> extends ReadCollection<S> {
  /**
   * Adds a document and returns its id. Without an id, the host creates one.
   *
   * Throws `Exists` if a document has the id.
   */
  insert(document: NewDocument<S>): string {
    return this.#put(document.id, document, { tag: "absent" });
  }

  /**
   * Adds or replaces a document. Fields that the model does not have are deleted.
   *
   * Throws `Exists`, `NotFound` or `Stale` if the condition does not hold.
   */
  put(id: string, document: NewDocument<S>, condition: Condition = { tag: "always" }): void {
    this.#put(id, document, condition);
  }

  /**
   * Writes the fields that were changed since the document was read.
   *
   * Fields of the stored document that the model does not have are kept. A document that was not
   * read is added, or its fields replace those of the stored document.
   */
  save(document: NewDocument<S>): void {
    const { id } = document;
    if (id === undefined) {
      this.insert(document);
      return;
    }
    const state = STATES.get(document);
    if (state !== undefined && state.id !== id) {
      throw new TypeError(
        `cannot save document \`${state.id}\` with the id \`${id}\`: the id of a document cannot ` +
          "be changed; use `insert` on a copy",
      );
    }
    const fields = this.fieldsOf(document, id);
    if (state === undefined || !isEqual(fields, state.fields)) {
      this.#writeChanges(document, id, fields, state);
    }
  }

  /**
   * Sets fields of a document at their paths, also to null.
   *
   * Throws `NotFound` if the document does not exist.
   */
  set(id: string, fields: Readonly<Record<string, unknown>>): void {
    const texts = Object.entries(fields).map(([path, value]): [string, string] => [
      path,
      dump(value),
    ]);
    call(this.name, id, (documents) => documents.set(this.name, id, texts));
  }

  /**
   * Merges a patch into a document (RFC 7396): null deletes a field.
   *
   * Throws `NotFound` if the document does not exist.
   */
  merge(id: string, patch: Readonly<Record<string, unknown>>): void {
    const text = dump(patch);
    call(this.name, id, (documents) => documents.merge(this.name, id, text));
  }

  /** Deletes a document and returns whether it existed. */
  delete(id: string): boolean {
    return call(this.name, id, (documents) => documents.delete(this.name, id));
  }

  #writeChanges(
    document: object,
    id: string,
    fields: Fields,
    state: StoredState | undefined,
  ): void {
    const stored = call(this.name, id, (documents) => documents.get(this.name, id));
    if (stored === undefined && state !== undefined) {
      throw markFailed(new NotFound(this.name, id));
    }
    const body = stored === undefined ? {} : (parse(stored.body) as Fields);
    const text = write(mergeFields(body, state?.fields ?? {}, fields));
    const condition: Condition = { tag: stored === undefined ? "absent" : "present" };
    call(this.name, id, (documents) => documents.put(this.name, id, text, condition));
    STATES.set(document, { id, revision: 0, fields });
  }

  #put(id: string | undefined, document: NewDocument<S>, condition: Condition): string {
    const fields = this.fieldsOf(document, id ?? "");
    const text = write(fields);
    const newId = call(this.name, id ?? "", (documents) =>
      documents.put(this.name, id, text, condition),
    );
    STATES.set(document, { id: newId, revision: 0, fields });
    return newId;
  }
}
