/** Queries of a collection. */

import type { HostDocument, HostPage } from "../host.ts";
import { dump } from "../json.ts";
import { call } from "./calls.ts";

const MAX_PAGE = 1_000;

/** A filter of the contract, such as `{ count: { $gte: 1 } }`. */
export type Filter = Readonly<Record<string, unknown>>;

/** Returns the filter of documents that match all `filters`, as JSON text. */
export function filterText(filters: readonly Filter[]): string {
  if (filters.length === 1) return dump(filters[0]);
  return dump(filters.length === 0 ? {} : { $and: filters });
}

/** Properties of a {@link Query}. */
interface Settings<T> {
  readonly collection: string;
  readonly load: (document: HostDocument) => T;
  readonly filter: string;
  readonly sort: readonly { readonly path: string; readonly descending: boolean }[];
  readonly offset: number;
  readonly maxCount: number;
}

/**
 * A query of a collection. `all`, `first`, `count` or a `for` loop executes it.
 *
 * A loop fetches the documents page by page.
 */
export class Query<T> implements Iterable<T> {
  readonly #settings: Settings<T>;

  constructor(settings: Settings<T>) {
    this.#settings = settings;
  }

  /**
   * Sorts by the fields at `paths`. A leading `-` sorts in descending order.
   *
   * Documents with equal fields are sorted by `_id`. A query has at most 8 sort keys.
   */
  sort(...paths: string[]): Query<T> {
    const keys = paths.map((path) => ({
      path: path.replace(/^[+-]/, ""),
      descending: path.startsWith("-"),
    }));
    return this.#with({ sort: [...this.#settings.sort, ...keys] });
  }

  /** Leaves out the first `count` documents. They are read from the host nevertheless. */
  skip(count: number): Query<T> {
    return this.#with({ offset: count });
  }

  /** Limits the number of documents. */
  limit(count: number): Query<T> {
    return this.#with({ maxCount: count });
  }

  /** Returns all documents of the query. */
  all(): T[] {
    return [...this];
  }

  /** Returns the first document, or `undefined` if no document matches. */
  first(): T | undefined {
    const [first] = this.limit(Math.min(1, this.#settings.maxCount));
    return first;
  }

  /** Returns the number of documents that match the filter, without `skip` and `limit`. */
  count(): number {
    const { collection, filter } = this.#settings;
    return call(collection, "", (documents) => documents.count(collection, filter));
  }

  *[Symbol.iterator](): Iterator<T> {
    const { offset, maxCount, load } = this.#settings;
    const end = offset + maxCount;
    let position = 0;
    let cursor: string | undefined;
    while (position < end) {
      const page = this.#page(end - position, cursor);
      for (const document of page.documents) {
        position += 1;
        if (position > offset) yield load(document);
      }
      if (page.next === undefined) return;
      cursor = page.next;
    }
  }

  #page(rest: number, cursor: string | undefined): HostPage {
    const { collection, filter, sort } = this.#settings;
    const limit = Math.max(1, Math.min(rest, MAX_PAGE));
    return call(collection, "", (documents) =>
      documents.find(collection, { filter, sort, limit, cursor }),
    );
  }

  #with(settings: Partial<Settings<T>>): Query<T> {
    return new Query({ ...this.#settings, ...settings });
  }
}
