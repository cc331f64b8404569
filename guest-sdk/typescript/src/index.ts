/**
 * Operations for `ophost`.
 *
 * - `operation`: {@link defineOperation}.
 * - `schema`: {@link int64} and {@link uint64}, and the JSON Schemas of operations.
 * - `documents`: {@link defineModel}, collections, queries and their errors.
 * - `failure`: {@link Failure}.
 * - `log`, `progress`, `itemErrors`, `context`: the functions of a run.
 *
 * `ophost-sdk/testing` runs operations in unit tests. `ophost build` uses `ophost-sdk/component`.
 */

export * as context from "./context.ts";
export * from "./documents/index.ts";
export { Failure, type FailureOptions } from "./failure.ts";
export * as itemErrors from "./item_errors.ts";
export type { Json } from "./json.ts";
export * as log from "./log.ts";
export { defineOperation, type Operation, type OperationOptions } from "./operation.ts";
export * as progress from "./progress.ts";
export { type Bounds, int64, uint64 } from "./schema.ts";
