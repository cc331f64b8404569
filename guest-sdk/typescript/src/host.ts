/** The interface between the SDK and a host: of a component, or of unit tests. */

/** Level of a log entry. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** A document, with its body as JSON text. */
export interface HostDocument {
  readonly id: string;
  readonly revision: number;
  readonly body: string;
}

/** Condition of a write. */
export type Condition =
  { readonly tag: "always" | "absent" | "present" } | { readonly tag: "at"; readonly val: number };

/** A query of a collection, with its filter as JSON text. */
export interface HostQuery {
  readonly filter: string;
  readonly sort: readonly { readonly path: string; readonly descending: boolean }[];
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** A page of the result of a query. */
export interface HostPage {
  readonly documents: readonly HostDocument[];
  readonly next: string | undefined;
}

/** The error of a document call, as the contract defines it. */
export type CallErrorValue =
  | { readonly tag: "not-found" | "exists" }
  | { readonly tag: "denied" | "invalid" | "too-large"; readonly val: string }
  | { readonly tag: "stale"; readonly val: number | undefined }
  | { readonly tag: "other"; readonly val: readonly [code: string, message: string] };

/** Thrown by {@link Documents}. */
export class CallError extends Error {
  readonly value: CallErrorValue;

  constructor(value: CallErrorValue) {
    super(value.tag);
    this.value = value;
  }
}

/** The interface `documents` of the contract. The functions throw {@link CallError}. */
export interface Documents {
  get(collection: string, id: string): HostDocument | undefined;
  put(collection: string, id: string | undefined, body: string, condition: Condition): string;
  set(collection: string, id: string, fields: readonly [path: string, json: string][]): void;
  merge(collection: string, id: string, patch: string): void;
  delete(collection: string, id: string): boolean;
  find(collection: string, query: HostQuery): HostPage;
  count(collection: string, filter: string): number;
  discard(): void;
}

/** The interface `context` of the contract. Times are in milliseconds since 1970. */
export interface RunContext {
  runId(): string | undefined;
  userId(): string | undefined;
  channel(): string;
  dryRun(): boolean;
  testMode(): boolean;
  verbose(): boolean;
  attempt(): number;
  deadline(): number;
  idempotencyKey(): string | undefined;
  now(): number;
  /** Returns 32 random bits. */
  random32(): number;
}

/** All interfaces of the contract. */
export interface Host {
  readonly context: RunContext;
  readonly documents: Documents;
  log(level: Level, message: string, data: string | undefined): void;
  progress(done: number, total: number | undefined, message: string | undefined): void;
  itemError(index: number, item: string, error: string, traceback: string | undefined): void;
}

let current: (() => Host) | undefined;

/** Sets the function that returns the host, or throws if it cannot be called. */
export function provide(host: () => Host): void {
  current = host;
}

/** Returns the host. Throws if there is none. */
export function host(): Host {
  if (current === undefined) {
    throw new Error("there is no host; in a unit test, call `memory()` of `ophost-sdk/testing`");
  }
  return current();
}
