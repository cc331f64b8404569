/**
 * Collections of JSON documents in the store of the host.
 *
 * Each run has one document transaction. If the run succeeds, all its writes are committed. If it
 * fails, none is. Runs are serializable: after a conflict with another run, the host executes the
 * operation again.
 *
 * - `model`: {@link defineModel}.
 * - `collection`: {@link Collection} and {@link ReadCollection}.
 * - `query`: {@link Query}, page by page.
 * - `merge`: three-way merges for `save`.
 * - `errors`: errors of document calls.
 */

export { discard } from "./calls.ts";
export { Collection, ReadCollection, type NewDocument } from "./collection.ts";
export {
  Denied,
  DocumentError,
  Exists,
  Invalid,
  ModelMismatch,
  NotFound,
  OtherError,
  Stale,
  TooLarge,
} from "./errors.ts";
export { defineModel, type AnyModel, type Document, Model } from "./model.ts";
export { type Filter, Query } from "./query.ts";
export type { Condition } from "../host.ts";
