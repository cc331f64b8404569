"""The interface between the SDK and the host, with the functions of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

ErrorKind = Literal["denied", "not-found", "exists", "stale", "invalid", "too-large", "other"]
Level = Literal["trace", "debug", "info", "warn", "error"]


class CallError(Exception):
    """The error of a document call. The call changed nothing."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str = "",
        *,
        revision: int | None = None,
        code: str = "",
    ) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message
        # The current revision, for `stale`.
        self.revision = revision
        # The code, for `other`.
        self.code = code


@dataclass(frozen=True)
class HostDocument:
    """A document of the host. The body is a JSON text."""

    id: str
    revision: int
    body: str


@dataclass(frozen=True)
class Condition:
    """Precondition of a write: `ALWAYS`, `ABSENT`, `PRESENT` or `Condition.at(revision)`."""

    kind: Literal["always", "absent", "present", "at"]
    revision: int = 0

    @staticmethod
    def at(revision: int) -> Condition:
        """Returns the condition that the document has this revision."""
        return Condition("at", revision)


ALWAYS = Condition("always")
ABSENT = Condition("absent")
PRESENT = Condition("present")


@dataclass(frozen=True)
class HostQuery:
    """A page of a query. The filter is a JSON text. A sort key is a path and `descending`."""

    filter: str
    sort: tuple[tuple[str, bool], ...]
    limit: int
    cursor: str | None


@dataclass(frozen=True)
class HostPage:
    """The documents of a page, and the cursor of the next page."""

    documents: list[HostDocument]
    next: str | None


class Documents(Protocol):
    """The interface `documents` of the contract. Failed calls raise `CallError`."""

    def get(self, collection: str, id: str) -> HostDocument | None: ...
    def put(self, collection: str, id: str | None, body: str, condition: Condition) -> str: ...
    def set(self, collection: str, id: str, fields: list[tuple[str, str]]) -> None: ...
    def merge(self, collection: str, id: str, patch: str) -> None: ...
    def delete(self, collection: str, id: str) -> bool: ...
    def find(self, collection: str, query: HostQuery) -> HostPage: ...
    def count(self, collection: str, filter: str) -> int: ...
    def discard(self) -> None: ...


class Context(Protocol):
    """The interface `context` of the contract. Times are milliseconds since 1970."""

    def run_id(self) -> str | None: ...
    def user_id(self) -> str | None: ...
    def channel(self) -> str: ...
    def dry_run(self) -> bool: ...
    def test_mode(self) -> bool: ...
    def verbose(self) -> bool: ...
    def attempt(self) -> int: ...
    def deadline(self) -> int: ...
    def idempotency_key(self) -> str | None: ...
    def now(self) -> int: ...
    def random(self) -> int: ...


class Backend(Protocol):
    """The host as the SDK sees it."""

    @property
    def documents(self) -> Documents: ...
    @property
    def context(self) -> Context: ...
    def log(self, level: Level, message: str, data: str | None) -> None: ...
    def progress(self, done: int, total: int | None, message: str | None) -> None: ...
    def item_error(self, index: int, item: str, error: str, traceback: str | None) -> None: ...
