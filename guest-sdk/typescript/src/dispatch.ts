/** Calls the function of an operation with JSON input and output. */

import { DocumentError, discard } from "./documents/index.ts";
import { Failure, type FailureKind } from "./failure.ts";
import { dump, parse } from "./json.ts";
import * as log from "./log.ts";
import type { Operation } from "./operation.ts";
import { beginRun, firstUnhandled } from "./run_state.ts";
import { problems } from "./schema.ts";
import { traceback } from "./stack.ts";
import { isError, messageOf, summary } from "./text.ts";

/** A failure of the contract. */
export interface ReportedFailure {
  readonly kind: FailureKind;
  readonly message: string;
  readonly code: string | undefined;
  readonly details: unknown;
  readonly traceback: string | undefined;
}

/**
 * Calls an operation with a JSON text, and returns its output as JSON text.
 *
 * If the operation caught the error of a document call, the writes of the run are discarded.
 */
export function invoke(operation: Operation, text: string): string {
  beginRun();
  const input = inputOf(operation, text);
  const output = outputText(operation, operation.run(input, operation.collections));
  const error = firstUnhandled();
  if (error !== undefined) discardWrites(error);
  return output;
}

/** Converts any thrown value to a failure with its stack. */
export function toFailure(error: unknown): ReportedFailure {
  if (error instanceof Failure) {
    const { kind, message, code, details } = error;
    const stack = error.cause === undefined ? undefined : traceback(error);
    return { kind, message, code, details, traceback: stack };
  }
  const stack = traceback(error);
  const common = { details: undefined, traceback: stack };
  if (error instanceof DocumentError) {
    return { kind: error.kind, message: error.message, code: error.code, ...common };
  }
  const code = isError(error) ? error.name : typeof error;
  return { kind: "error", message: summary(error), code, ...common };
}

function inputOf(operation: Operation, text: string): unknown {
  if (operation.input === undefined) return {};
  const result = operation.input.safeParse(parsed(text));
  if (result.success) return result.data;
  throw invalidInput(problems(result.error));
}

function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw invalidInput(messageOf(error));
  }
}

function invalidInput(reason: string): Failure {
  return Failure.permanent(`invalid input: ${reason}`, { code: "invalid-input" });
}

function outputText(operation: Operation, output: unknown): string {
  if (isThenable(output)) {
    throw Failure.permanent(
      `operation \`${operation.name}\` returned a promise: the contract has no asynchronous ` +
        "calls, so nothing can be awaited",
      { code: "invalid-output" },
    );
  }
  const { output: schema } = operation;
  try {
    if (schema === undefined) return dump(output ?? null);
    const result = schema.safeParse(output);
    if (result.success) return dump(result.data);
    throw new TypeError(problems(result.error));
  } catch (error) {
    const message = `invalid output: ${messageOf(error)}`;
    throw Failure.permanent(message, { code: "invalid-output" });
  }
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}

function discardWrites(error: Error): void {
  discard();
  log.warn(
    `all document changes of the run are discarded, because it caught an error: ${error.message}; ` +
      "call `error.handled()` to keep the changes",
  );
}
