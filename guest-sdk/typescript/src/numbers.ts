/** Checks of numbers that the contract has as unsigned 64-bit integers. */

/** Throws `RangeError` if a number is not an integer from 0 to 2^53 - 1. */
export function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`\`${name}\` must be an integer from 0 to 2^53 - 1, not ${String(value)}`);
  }
}
