/** Progress of the run. */

import { host } from "./host.ts";
import { checkCount } from "./numbers.ts";

/**
 * Reports that `done` of `total` steps are done, in any unit. Each report replaces the previous one.
 *
 * Throws `RangeError` if a number is not an integer from 0 to 2^53 - 1.
 */
export function report(done: number, total?: number, message?: string): void {
  checkCount("done", done);
  if (total !== undefined) checkCount("total", total);
  host().progress(done, total, message);
}
