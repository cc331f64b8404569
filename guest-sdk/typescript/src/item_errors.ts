/** Errors of single items of a bulk input. The run continues after such an error. */

import { host } from "./host.ts";
import { checkCount } from "./numbers.ts";
import { traceback } from "./stack.ts";
import { dumpOrReason, isError, messageOf } from "./text.ts";

/**
 * Adds an item error to the record of the run.
 *
 * `index` is the index of the item in the input, from 0. `item` is the item or its identifier.
 * `error` is a text or any thrown value. An `Error` is recorded with its stack.
 */
export function add(index: number, item: unknown, error: unknown): void {
  checkCount("index", index);
  const stack = isError(error) ? traceback(error) : undefined;
  host().itemError(index, dumpOrReason(item), messageOf(error), stack);
}
