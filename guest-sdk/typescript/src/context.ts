/** Properties of the current run and of its caller. */

import { host } from "./host.ts";

/** Returns the id of the run's record, or `undefined` if the run is not recorded. */
export function runId(): string | undefined {
  return host().context.runId();
}

/** Returns the user of the run, or `undefined` if the caller named no user. */
export function userId(): string | undefined {
  return host().context.userId();
}

/** Returns the channel of the call, such as `cli` or `api`. */
export function channel(): string {
  return host().context.channel();
}

/** Returns whether the run is a dry run. The host discards its writes. */
export function dryRun(): boolean {
  return host().context.dryRun();
}

/** Returns whether the caller marked the run as a test. */
export function testMode(): boolean {
  return host().context.testMode();
}

/** Returns whether the caller asked for verbose output. */
export function verbose(): boolean {
  return host().context.verbose();
}

/** Returns the number of this attempt, from 1. */
export function attempt(): number {
  return host().context.attempt();
}

/** Returns the time at which the host stops the run. */
export function deadline(): Date {
  return new Date(host().context.deadline());
}

/** Returns the milliseconds until the deadline, or 0 after it. */
export function timeLeft(): number {
  return Math.max(host().context.deadline() - host().context.now(), 0);
}

/** Returns the idempotency key of the run, or `undefined` if the caller set none. */
export function idempotencyKey(): string | undefined {
  return host().context.idempotencyKey();
}

/** Returns the current time, with millisecond precision. */
export function now(): Date {
  return new Date(host().context.now());
}

/** Returns random bytes from a cryptographically secure source. */
export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += 4) {
    const bits = host().context.random32();
    for (let index = start; index < Math.min(start + 4, length); index += 1) {
      bytes[index] = bits >>> (8 * (index - start));
    }
  }
  return bytes;
}

/** Returns a random number from 0 to below 1, from a cryptographically secure source. */
export function random(): number {
  const high = host().context.random32() >>> 5;
  const low = host().context.random32() >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

/** Returns a random UUID (version 4). */
export function randomUuid(): string {
  const bytes = Array.from(randomBytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const digits = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
