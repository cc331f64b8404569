"""The failure of an operation."""

from __future__ import annotations

from typing import Any, Literal

FailureKind = Literal["error", "permanent", "retryable"]


class Failure(Exception):
    """The failure of an operation, with a message of one line.

    `code` is a code for programs, such as `not-found`. `details` is any JSON value. `kind` says
    whether a retry can succeed: `error` if that is unknown.
    """

    kind: FailureKind = "error"

    def __init__(self, message: str, *, code: str | None = None, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details
        self.traceback: str | None = None

    @classmethod
    def permanent(cls, message: str, *, code: str | None = None, details: Any = None) -> Failure:
        """Returns a failure that a retry with the same input cannot fix."""
        return cls(message, code=code, details=details).with_kind("permanent")

    @classmethod
    def retryable(cls, message: str, *, code: str | None = None, details: Any = None) -> Failure:
        """Returns a failure that a later retry may fix, because the cause is temporary."""
        return cls(message, code=code, details=details).with_kind("retryable")

    def with_kind(self, kind: FailureKind) -> Failure:
        """Sets the kind and returns the failure."""
        self.kind = kind
        return self
