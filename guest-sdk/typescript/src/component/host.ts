/** The host of a component, through the imports of the contract. */

import * as context from "ophost:plugin/context@0.1.1";
import * as documents from "ophost:plugin/documents@0.1.1";
import * as itemErrors from "ophost:plugin/item-errors@0.1.1";
import * as log from "ophost:plugin/log@0.1.1";
import * as progress from "ophost:plugin/progress@0.1.1";

import {
  CallError,
  type CallErrorValue,
  type Documents,
  type Host,
  type HostDocument,
} from "../host.ts";
import type { U64Format } from "./u64.ts";

/** Returns the host for an engine. */
export function componentHost(u64: U64Format): Host {
  return {
    context: {
      runId: () => context.runId() ?? undefined,
      userId: () => context.userId() ?? undefined,
      channel: context.channel,
      dryRun: context.dryRun,
      testMode: context.testMode,
      verbose: context.verbose,
      attempt: context.attempt,
      deadline: () => u64.read(context.deadline()),
      idempotencyKey: () => context.idempotencyKey() ?? undefined,
      now: () => u64.read(context.now()),
      random32: () => random32(),
    },
    documents: hostDocuments(u64),
    log: log.write,
    progress: (done, total, message) => {
      progress.report(u64.write(done), total === undefined ? undefined : u64.write(total), message);
    },
    itemError: (index, item, error, traceback) => {
      itemErrors.add(u64.write(index), item, error, traceback);
    },
  };
}

/** Returns the upper half of 64 random bits. QuickJS rounds the lower half. */
function random32(): number {
  for (;;) {
    const bits = Math.floor(Number(context.random()) / 2 ** 32);
    // The greatest values are rounded to 2^64.
    if (bits < 2 ** 32) return bits;
  }
}

function hostDocuments(u64: U64Format): Documents {
  const read = ({ id, revision, body }: documents.Found): HostDocument => ({
    id,
    revision: u64.read(revision),
    body,
  });
  return {
    get: (collection, id) => {
      const found = call(() => documents.get(collection, id), u64);
      return found === null || found === undefined ? undefined : read(found);
    },
    put: (collection, id, body, condition) => {
      const { tag } = condition;
      const written = tag === "at" ? { tag, val: u64.write(condition.val) } : { tag };
      return call(() => documents.put(collection, id, body, written), u64);
    },
    set: (collection, id, fields) => call(() => documents.set(collection, id, fields), u64),
    merge: (collection, id, patch) => call(() => documents.merge(collection, id, patch), u64),
    delete: (collection, id) => call(() => documents.delete(collection, id), u64),
    find: (collection, query) => {
      const page = call(() => documents.find(collection, { ...query, sort: [...query.sort] }), u64);
      return { documents: page.documents.map(read), next: page.next ?? undefined };
    },
    count: (collection, filter) => u64.read(call(() => documents.count(collection, filter), u64)),
    discard: documents.discard,
  };
}

/** Calls the host, and converts its error. Both engines throw an object with a `payload`. */
function call<T>(run: () => T, u64: U64Format): T {
  try {
    return run();
  } catch (error) {
    const payload = (error as { payload?: { tag: string; val?: unknown } }).payload;
    if (payload === undefined) throw error;
    const { tag, val } = payload;
    const revision = val === null || val === undefined ? undefined : u64.read(val as number);
    throw new CallError((tag === "stale" ? { tag, val: revision } : payload) as CallErrorValue);
  }
}
