/**
 * `Math.random` with a new seed in each instance.
 *
 * The generator of an engine is part of the snapshot, so it would return the same numbers in each
 * run.
 */

/** Replaces `Math.random`. `random32` returns 32 random bits, or `undefined` during the build. */
export function installRandom(random32: () => number | undefined): void {
  const original = Math.random;
  let next: (() => number) | undefined;
  Math.random = () => {
    if (next === undefined) {
      const first = random32();
      if (first === undefined) return original();
      next = sfc32(first, random32() ?? 0, random32() ?? 0);
    }
    return ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
  };
}

/** Returns the generator `sfc32` of PractRand, which is in the public domain. */
function sfc32(a: number, b: number, c: number): () => number {
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round += 1) next();
  return next;
}
