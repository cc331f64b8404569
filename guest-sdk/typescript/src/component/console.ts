/** `console`, which writes to the log of the run. QuickJS has none. */

import type { Level } from "../host.ts";
import * as log from "../log.ts";
import { traceback } from "../stack.ts";
import { dumpOrReason, isError } from "../text.ts";

const LEVELS: Readonly<Record<string, Level>> = {
  trace: "trace",
  debug: "debug",
  log: "info",
  info: "info",
  warn: "warn",
  error: "error",
};

/**
 * Replaces the global `console`. `isRunning` returns whether an operation runs: there is no log
 * while the component is built.
 */
export function installConsole(isRunning: () => boolean): void {
  const write = (level: Level, values: readonly unknown[]) => {
    if (isRunning()) log.write(level, values.map(text).join(" "));
  };
  const functions = Object.entries(LEVELS).map(
    ([name, level]) => [name, (...values: unknown[]) => write(level, values)] as const,
  );
  const assert = (condition: unknown, ...values: unknown[]) => {
    if (!condition) write("error", ["assertion failed", ...values]);
  };
  const value = { ...Object.fromEntries(functions), assert };
  Object.defineProperty(globalThis, "console", { value, configurable: true, writable: true });
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (isError(value)) return traceback(value);
  return typeof value === "object" ? dumpOrReason(value) : String(value);
}
