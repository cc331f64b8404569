/** Unsigned 64-bit integers of the contract, which are plain numbers in the SDK. */

/** The conversions of an engine. */
export interface U64Format {
  /** Throws `RangeError` if a number cannot hold the integer exactly. */
  read(value: number | bigint): number;
  write(value: number): number | bigint;
}

/** Returns the conversions of QuickJS, which passes numbers, or of StarlingMonkey, which passes bigints. */
export function u64Format(engine: string): U64Format {
  return { read, write: engine === "quickjs" ? checked : (value) => BigInt(checked(value)) };
}

function read(value: number | bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new RangeError(`the host returned ${value}, which a number cannot hold exactly`);
  }
  return number;
}

function checked(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`expected an integer from 0 to 2^53 - 1, not ${value}`);
  }
  return value;
}
