/** Documents in memory, and the transaction of a run. */

import {
  CallError,
  type Condition,
  type Documents,
  type HostDocument,
  type HostPage,
  type HostQuery,
} from "../host.ts";
import { type Json, parse, write } from "../json.ts";
import { checkCollection } from "../names.ts";
import { mergePatch, setField } from "./edits.ts";
import { matches } from "./filters.ts";
import { compare, type Fields, sortValue } from "./values.ts";

const MAX_PAGE = 1_000;
const MAX_ID_BYTES = 255;

/** The collections that an operation can access. */
export interface Grants {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

interface Stored {
  readonly body: Fields;
  readonly revision: number;
}

/** The documents of a host in memory. */
export class MemoryDocuments implements Documents {
  /** `undefined` if no operation runs: all access is granted. */
  grants: Grants | undefined;
  #committed = new Map<string, Map<string, Stored>>();
  #current = new Map<string, Map<string, Stored>>();
  #revision = 0;
  #created = 0;

  get(collection: string, id: string): HostDocument | undefined {
    const stored = this.#readable(collection).get(checkedId(id));
    return stored === undefined ? undefined : hostDocument(id, stored);
  }

  put(collection: string, id: string | undefined, body: string, condition: Condition): string {
    const fields = objectOf(body);
    if (Object.hasOwn(fields, "_id")) throw invalid("a document has no field `_id`");
    const documents = this.#writable(collection);
    if (id === undefined && (condition.tag === "present" || condition.tag === "at")) {
      throw invalid("a document without an id cannot already exist");
    }
    const newId = id === undefined ? this.#newId() : checkedId(id);
    checkCondition(condition, documents.get(newId)?.revision);
    documents.set(newId, { body: fields, revision: 0 });
    return newId;
  }

  set(collection: string, id: string, fields: readonly [path: string, json: string][]): void {
    this.#edit(collection, id, (body) =>
      fields.reduce((edited, [path, json]) => setField(edited, path, parse(json)), body),
    );
  }

  merge(collection: string, id: string, patch: string): void {
    const fields = objectOf(patch);
    this.#edit(collection, id, (body) => mergePatch(body, fields) as Fields);
  }

  delete(collection: string, id: string): boolean {
    return this.#writable(collection).delete(checkedId(id));
  }

  find(collection: string, query: HostQuery): HostPage {
    if (query.limit < 1 || query.limit > MAX_PAGE) {
      throw invalid(`the limit of a page must be 1 to ${MAX_PAGE} documents, not ${query.limit}`);
    }
    const found = this.#matching(collection, query.filter);
    found.sort(([a, one], [b, other]) => {
      for (const { path, descending } of query.sort) {
        const [x, y] = [
          sortValue(a, one.body, path, descending),
          sortValue(b, other.body, path, descending),
        ];
        const order = compare(x, y);
        if (order !== 0) return descending ? -order : order;
      }
      return compare(a, b);
    });
    const start = query.cursor === undefined ? 0 : Number(query.cursor);
    const page = found.slice(start, start + query.limit);
    const end = start + page.length;
    const documents = page.map(([id, stored]) => hostDocument(id, stored));
    return { documents, next: end < found.length ? String(end) : undefined };
  }

  count(collection: string, filter: string): number {
    return this.#matching(collection, filter).length;
  }

  discard(): void {
    this.#current = copy(this.#committed);
  }

  /** Commits the writes. The written documents get a new revision. */
  commit(): void {
    this.#revision += 1;
    for (const documents of this.#current.values()) {
      for (const [id, { body, revision }] of documents) {
        documents.set(id, { body, revision: revision === 0 ? this.#revision : revision });
      }
    }
    this.#committed = copy(this.#current);
  }

  /** Returns the bodies of a collection by id. */
  all(collection: string): Record<string, Json> {
    const documents = [...this.#documents(collection)].sort(([a], [b]) => compare(a, b));
    return Object.fromEntries(documents.map(([id, { body }]) => [id, structuredClone(body)]));
  }

  #edit(collection: string, id: string, edit: (body: Fields) => Fields): void {
    const documents = this.#writable(collection);
    const stored = documents.get(checkedId(id));
    if (stored === undefined) throw new CallError({ tag: "not-found" });
    documents.set(id, { body: edit(stored.body), revision: 0 });
  }

  #matching(collection: string, filter: string): [string, Stored][] {
    const parsed = objectOf(filter);
    const documents = [...this.#readable(collection)];
    return documents.filter(([id, { body }]) => matches(parsed, { ...body, _id: id }));
  }

  #readable(collection: string): Map<string, Stored> {
    checkName(collection);
    const { read, write: written } = this.grants ?? { read: [collection], write: [] };
    if (!read.includes(collection) && !written.includes(collection)) {
      const val = `the collection \`${collection}\` is not in the models of the operation`;
      throw new CallError({ tag: "denied", val });
    }
    return this.#documents(collection);
  }

  #writable(collection: string): Map<string, Stored> {
    const documents = this.#readable(collection);
    if (this.grants !== undefined && !this.grants.write.includes(collection)) {
      const val = `the models of the operation allow only reading the collection \`${collection}\``;
      throw new CallError({ tag: "denied", val });
    }
    return documents;
  }

  #documents(collection: string): Map<string, Stored> {
    const documents = this.#current.get(collection) ?? new Map<string, Stored>();
    this.#current.set(collection, documents);
    return documents;
  }

  /** Returns a new id. Later ids are greater. */
  #newId(): string {
    this.#created += 1;
    return `new-${String(this.#created).padStart(6, "0")}`;
  }
}

function hostDocument(id: string, { body, revision }: Stored): HostDocument {
  return { id, revision, body: write(body) };
}

function copy(collections: Map<string, Map<string, Stored>>): Map<string, Map<string, Stored>> {
  return new Map([...collections].map(([name, documents]) => [name, new Map(documents)]));
}

function checkCondition(condition: Condition, revision: number | undefined): void {
  switch (condition.tag) {
    case "absent":
      if (revision !== undefined) throw new CallError({ tag: "exists" });
      break;
    case "present":
      if (revision === undefined) throw new CallError({ tag: "not-found" });
      break;
    case "at":
      if (revision !== condition.val) throw new CallError({ tag: "stale", val: revision });
      break;
    case "always":
      break;
  }
}

function checkName(collection: string): void {
  try {
    checkCollection(collection);
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function checkedId(id: string): string {
  const size = Buffer.byteLength(id);
  if (size < 1 || size > MAX_ID_BYTES || /[\0-\x1f\x7f]/.test(id)) {
    throw invalid(`an id must have 1 to ${MAX_ID_BYTES} bytes and no control characters`);
  }
  return id;
}

function objectOf(text: string): Fields {
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("expected a JSON object");
  }
  return value;
}

function invalid(val: string): CallError {
  return new CallError({ tag: "invalid", val });
}
