/** Errors of document calls, with the codes and messages of the Rust SDK. */

import type { FailureKind } from "../failure.ts";
import type { CallErrorValue } from "../host.ts";
import { markHandled } from "../run_state.ts";

/**
 * The error of a document call. The call changed nothing.
 *
 * If an operation catches the error and returns an output, the writes of the run are discarded.
 * `handled` keeps them.
 */
export class DocumentError extends Error {
  override name = "DocumentError";
  /** Code for programs. */
  readonly code: string;
  readonly kind: FailureKind;

  constructor(code: string, message: string, kind: FailureKind = "error") {
    super(message);
    this.code = code;
    this.kind = kind;
  }

  /** Marks the error as handled, so that the writes of the run are committed. */
  handled(): void {
    markHandled(this);
  }
}

/** The operation does not declare the model of the collection, or only for reading. */
export class Denied extends DocumentError {
  override name = "Denied";

  constructor(message: string) {
    super("denied", message, "permanent");
  }
}

/** An argument of the call is invalid, such as a filter. */
export class Invalid extends DocumentError {
  override name = "Invalid";

  constructor(message: string) {
    super("invalid", message, "permanent");
  }
}

/** The document is larger than 1 MiB. */
export class TooLarge extends DocumentError {
  override name = "TooLarge";

  constructor(message: string) {
    super("too-large", message);
  }
}

/** The document does not exist. */
export class NotFound extends DocumentError {
  override name = "NotFound";
  readonly collection: string;
  readonly id: string;

  constructor(collection: string, id: string) {
    super("not-found", `document \`${id}\` does not exist in \`${collection}\``);
    this.collection = collection;
    this.id = id;
  }
}

/** The document already exists. */
export class Exists extends DocumentError {
  override name = "Exists";
  readonly collection: string;
  readonly id: string;

  constructor(collection: string, id: string) {
    super("exists", `document \`${id}\` already exists in \`${collection}\``);
    this.collection = collection;
    this.id = id;
  }
}

/** The document has another revision. The revision is `undefined` if it does not exist. */
export class Stale extends DocumentError {
  override name = "Stale";
  readonly collection: string;
  readonly id: string;
  readonly revision: number | undefined;

  constructor(collection: string, id: string, revision: number | undefined) {
    const change =
      revision === undefined ? "no longer exists" : `has changed: its revision is ${revision}`;
    super("stale", `document \`${id}\` in \`${collection}\` ${change}`);
    this.collection = collection;
    this.id = id;
    this.revision = revision;
  }
}

/** A document does not match the model: a stored one, or one that is to be saved. */
export class ModelMismatch extends DocumentError {
  override name = "ModelMismatch";
  readonly collection: string;
  readonly id: string;

  constructor(collection: string, id: string, model: string, reasons: string) {
    const document = id === "" ? "the new document" : `document \`${id}\``;
    super(
      "does-not-fit",
      `${document} in \`${collection}\` does not match model \`${model}\`: ${reasons}`,
    );
    this.collection = collection;
    this.id = id;
  }
}

/** Another error of the host, with its own code. */
export class OtherError extends DocumentError {
  override name = "OtherError";
}

/** Converts the error of a call to the host. */
export function fromCall(value: CallErrorValue, collection: string, id: string): DocumentError {
  switch (value.tag) {
    case "denied":
      return new Denied(value.val);
    case "not-found":
      return new NotFound(collection, id);
    case "exists":
      return new Exists(collection, id);
    case "stale":
      return new Stale(collection, id, value.val);
    case "invalid":
      return new Invalid(value.val);
    case "too-large":
      return new TooLarge(value.val);
    case "other":
      return new OtherError(...value.val);
  }
}
