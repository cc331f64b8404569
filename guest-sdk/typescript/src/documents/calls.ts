/** Calls to the documents of the host. A failed call marks the run. */

import { CallError, type Documents, host } from "../host.ts";
import { markFailed } from "../run_state.ts";
import { fromCall } from "./errors.ts";

/** Calls a function of the host. Throws `DocumentError`, which names the collection and the id. */
export function call<T>(collection: string, id: string, run: (documents: Documents) => T): T {
  const { documents } = host();
  try {
    return run(documents);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    throw markFailed(fromCall(error.value, collection, id));
  }
}

/** Discards all writes of the run so far. Later reads do not see them. */
export function discard(): void {
  host().documents.discard();
}
