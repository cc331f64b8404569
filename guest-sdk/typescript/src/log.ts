/**
 * The log of the run.
 *
 * Logging never fails a run. The host truncates a message to 64 KiB and drops data of more than
 * 64 KiB. In a component, `console` writes to the log too.
 */

import { type Level, host } from "./host.ts";
import { dumpOrReason } from "./text.ts";

/** Adds an entry to the log, with optional data as JSON. */
export function write(level: Level, message: string, data?: unknown): void {
  host().log(level, String(message), data === undefined ? undefined : dumpOrReason(data));
}

/** Logs a single step, for the author. */
export function trace(message: string, data?: unknown): void {
  write("trace", message, data);
}

/** Logs details for debugging. */
export function debug(message: string, data?: unknown): void {
  write("debug", message, data);
}

/** Logs information for users. */
export function info(message: string, data?: unknown): void {
  write("info", message, data);
}

/** Logs a problem that does not stop the run. */
export function warn(message: string, data?: unknown): void {
  write("warn", message, data);
}

/** Logs a failure. */
export function error(message: string, data?: unknown): void {
  write("error", message, data);
}
