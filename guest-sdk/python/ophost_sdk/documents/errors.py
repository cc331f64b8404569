"""Errors of document calls, with the codes and messages of the Rust SDK."""

from __future__ import annotations

from ophost_sdk.backend import CallError
from ophost_sdk.failure import FailureKind
from ophost_sdk.models.errors import Problem
from ophost_sdk.run_state import mark_handled


class DocumentError(Exception):
    """The error of a document call. The call changed nothing.

    If an operation catches the error and returns an output, the writes of the run are discarded.
    `handled` keeps them.
    """

    code: str = "other"
    kind: FailureKind = "error"

    def handled(self) -> None:
        """Marks the error as handled, so that the writes of the run are committed."""
        mark_handled(self)


class Denied(DocumentError):
    """The operation does not declare the model of the collection, or only for reading."""

    code = "denied"
    kind: FailureKind = "permanent"


class Invalid(DocumentError):
    """An argument of the call is invalid, such as a filter."""

    code = "invalid"
    kind: FailureKind = "permanent"


class TooLarge(DocumentError):
    """The document is larger than 1 MiB."""

    code = "too-large"


class NotFound(DocumentError):
    """The document does not exist."""

    code = "not-found"

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"document `{id}` does not exist in `{collection}`")
        self.collection, self.id = collection, id


class Exists(DocumentError):
    """The document already exists."""

    code = "exists"

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"document `{id}` already exists in `{collection}`")
        self.collection, self.id = collection, id


class Stale(DocumentError):
    """The document has another revision. The revision is None if it does not exist."""

    code = "stale"

    def __init__(self, collection: str, id: str, revision: int | None) -> None:
        change = (
            "no longer exists" if revision is None else f"has changed: its revision is {revision}"
        )
        super().__init__(f"document `{id}` in `{collection}` {change}")
        self.collection, self.id, self.revision = collection, id, revision


class ModelMismatch(DocumentError):
    """A document does not match the model: a stored one, or one that is to be saved."""

    code = "does-not-fit"

    def __init__(self, collection: str, id: str, model: str, problems: list[Problem]) -> None:
        reasons = "; ".join(map(str, problems))
        document = f"document `{id}`" if id else "the new document"
        super().__init__(f"{document} in `{collection}` does not match model `{model}`: {reasons}")
        self.collection, self.id, self.model = collection, id, model
        self.path = problems[0].place


class OtherError(DocumentError):
    """Another error of the host, with its own code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def from_call(error: CallError, collection: str, id: str) -> DocumentError:
    """Converts the error of a call to the host."""
    match error.kind:
        case "denied":
            return Denied(error.message)
        case "not-found":
            return NotFound(collection, id)
        case "exists":
            return Exists(collection, id)
        case "stale":
            return Stale(collection, id, error.revision)
        case "invalid":
            return Invalid(error.message)
        case "too-large":
            return TooLarge(error.message)
        case "other":
            return OtherError(error.code, error.message)
