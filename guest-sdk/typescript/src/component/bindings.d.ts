/** The imports of the contract, as the engines provide them. */

/** An unsigned 64-bit integer: a number in QuickJS, a bigint in StarlingMonkey. */
type U64 = number | bigint;

declare module "ophost:plugin/context@0.1.1" {
  export function runId(): string | null | undefined;
  export function userId(): string | null | undefined;
  export function channel(): string;
  export function dryRun(): boolean;
  export function testMode(): boolean;
  export function verbose(): boolean;
  export function attempt(): number;
  export function deadline(): U64;
  export function idempotencyKey(): string | null | undefined;
  export function now(): U64;
  export function random(): U64;
}

declare module "ophost:plugin/log@0.1.1" {
  export function write(level: string, message: string, data: string | undefined): void;
}

declare module "ophost:plugin/progress@0.1.1" {
  export function report(done: U64, total: U64 | undefined, message: string | undefined): void;
}

declare module "ophost:plugin/item-errors@0.1.1" {
  export function add(index: U64, item: string, error: string, traceback: string | undefined): void;
}

declare module "ophost:plugin/documents@0.1.1" {
  export interface Found {
    readonly id: string;
    readonly revision: U64;
    readonly body: string;
  }

  export function get(collection: string, id: string): Found | null | undefined;
  export function put(
    collection: string,
    id: string | undefined,
    body: string,
    condition: { tag: string; val?: U64 },
  ): string;
  export function set(collection: string, id: string, fields: readonly [string, string][]): void;
  export function merge(collection: string, id: string, patch: string): void;
  // `delete` cannot be the name of a function.
  const remove: (collection: string, id: string) => boolean;
  export { remove as delete };
  export function find(
    collection: string,
    query: {
      filter: string;
      sort: readonly { path: string; descending: boolean }[];
      limit: number;
      cursor: string | undefined;
    },
  ): { readonly documents: readonly Found[]; readonly next: string | null | undefined };
  export function count(collection: string, filter: string): U64;
  export function discard(): void;
}
