/** The state of the current run: the errors of its document calls. */

let unhandled: Error[] = [];

/** Begins a run. */
export function beginRun(): void {
  unhandled = [];
}

/** Adds the error of a document call, and returns the error. */
export function markFailed<E extends Error>(error: E): E {
  unhandled.push(error);
  return error;
}

/** Removes the error of a document call. */
export function markHandled(error: Error): void {
  unhandled = unhandled.filter((one) => one !== error);
}

/** Returns the first error of a document call that the operation has not marked as handled. */
export function firstUnhandled(): Error | undefined {
  return unhandled[0];
}
