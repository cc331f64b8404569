/** The failure of an operation. */

/** `error`: whether a retry can succeed is unknown. `permanent`: it fails too. */
export type FailureKind = "error" | "permanent" | "retryable";

/** Further properties of a {@link Failure}. */
export interface FailureOptions {
  /** Code for programs, such as `not-found`. */
  code?: string;
  /** Any JSON value. */
  details?: unknown;
  /** Default: `error`. */
  kind?: FailureKind;
  /** The error that caused the failure. Its stack is recorded. */
  cause?: unknown;
}

/** The failure of an operation, with a message of one line. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: string | undefined;
  readonly details: unknown;
  readonly kind: FailureKind;

  constructor(message: string, options: FailureOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = options.code;
    this.details = options.details;
    this.kind = options.kind ?? "error";
  }

  /** Returns a failure that a retry with the same input cannot fix. */
  static permanent(message: string, options: Omit<FailureOptions, "kind"> = {}): Failure {
    return new Failure(message, { ...options, kind: "permanent" });
  }

  /** Returns a failure that a later retry may fix, because the cause is temporary. */
  static retryable(message: string, options: Omit<FailureOptions, "kind"> = {}): Failure {
    return new Failure(message, { ...options, kind: "retryable" });
  }
}
