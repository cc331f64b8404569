/** The host in memory: documents, log, progress, item errors and the properties of a run. */

import { randomBytes } from "node:crypto";

import type { Host, Level, RunContext } from "../host.ts";
import { type Json, parse } from "../json.ts";
import { type Grants, MemoryDocuments } from "./documents.ts";

const TIMEOUT_MS = 60_000;

/** Properties of a run. The defaults are those of a first attempt in test mode. */
export interface RunProperties {
  runId?: string;
  userId?: string;
  channel?: string;
  dryRun?: boolean;
  testMode?: boolean;
  verbose?: boolean;
  attempt?: number;
  idempotencyKey?: string;
}

/** An entry of the log. */
export interface LogEntry {
  readonly level: Level;
  readonly message: string;
  readonly data: Json | undefined;
}

/** The log, the progress and the item errors of a run. */
export interface Journal {
  readonly logs: LogEntry[];
  readonly progress: { done: number; total: number | undefined; message: string | undefined }[];
  readonly itemErrors: {
    index: number;
    item: Json;
    error: string;
    traceback: string | undefined;
  }[];
}

/** The host of unit tests. */
export class MemoryHost implements Host {
  readonly documents = new MemoryDocuments();
  context: RunContext = contextOf({});
  journal: Journal = { logs: [], progress: [], itemErrors: [] };

  /** Begins a run with an empty journal. */
  begin(properties: RunProperties, grants: Grants): void {
    this.documents.discard();
    this.documents.grants = grants;
    this.context = contextOf(properties);
    this.journal = { logs: [], progress: [], itemErrors: [] };
  }

  /** Ends the run. Writes that are not committed are discarded. */
  end(): void {
    this.documents.discard();
    this.documents.grants = undefined;
    this.context = contextOf({});
  }

  log(level: Level, message: string, data: string | undefined): void {
    this.journal.logs.push({ level, message, data: data === undefined ? undefined : parse(data) });
  }

  progress(done: number, total: number | undefined, message: string | undefined): void {
    this.journal.progress.push({ done, total, message });
  }

  itemError(index: number, item: string, error: string, traceback: string | undefined): void {
    this.journal.itemErrors.push({ index, item: parse(item), error, traceback });
  }
}

function contextOf(properties: RunProperties): RunContext {
  const deadline = Date.now() + TIMEOUT_MS;
  return {
    runId: () => properties.runId,
    userId: () => properties.userId,
    channel: () => properties.channel ?? "native",
    dryRun: () => properties.dryRun ?? false,
    testMode: () => properties.testMode ?? true,
    verbose: () => properties.verbose ?? false,
    attempt: () => properties.attempt ?? 1,
    deadline: () => deadline,
    idempotencyKey: () => properties.idempotencyKey,
    now: () => Date.now(),
    random32: () => randomBytes(4).readUInt32LE(),
  };
}
