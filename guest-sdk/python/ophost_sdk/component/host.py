"""The host of a component, through the bindings of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from componentize_py_types import Err
from wit_world.imports import context, documents, item_errors, log, progress

from ophost_sdk.backend import CallError, Condition, HostDocument, HostPage, HostQuery, Level

T = TypeVar("T")


class _Documents:
    """The interface `documents`, with the types and errors of the SDK."""

    def get(self, collection: str, id: str) -> HostDocument | None:
        found = _call(lambda: documents.get(collection, id))
        return None if found is None else _document(found)

    def put(self, collection: str, id: str | None, body: str, condition: Condition) -> str:
        return _call(lambda: documents.put(collection, id, body, _condition(condition)))

    def set(self, collection: str, id: str, fields: list[tuple[str, str]]) -> None:
        _call(lambda: documents.set(collection, id, fields))

    def merge(self, collection: str, id: str, patch: str) -> None:
        _call(lambda: documents.merge(collection, id, patch))

    def delete(self, collection: str, id: str) -> bool:
        return _call(lambda: documents.delete(collection, id))

    def find(self, collection: str, query: HostQuery) -> HostPage:
        sort = [documents.SortKey(path, descending) for path, descending in query.sort]
        asked = documents.Query(query.filter, sort, query.limit, query.cursor)
        page = _call(lambda: documents.find(collection, asked))
        return HostPage([_document(found) for found in page.documents], page.next)

    def count(self, collection: str, filter: str) -> int:
        return _call(lambda: documents.count(collection, filter))

    def discard(self) -> None:
        documents.discard()


class Host:
    """All interfaces of the contract."""

    documents = _Documents()
    context = context

    def __init__(self) -> None:
        # Whether the host has called the component. While the component is built, a call of the
        # host would end the build without a Python traceback.
        self.is_running = False

    def log(self, level: Level, message: str, data: str | None) -> None:
        log.write(log.Level[level.upper()], message, data)

    def progress(self, done: int, total: int | None, message: str | None) -> None:
        progress.report(done, total, message)

    def item_error(self, index: int, item: str, error: str, traceback: str | None) -> None:
        item_errors.add(index, item, error, traceback)


HOST = Host()


def running_host() -> Host:
    """Returns the host. Raises `RuntimeError` while the component is built."""
    if not HOST.is_running:
        raise RuntimeError(
            "the host can be called only while an operation runs; module-level code runs while "
            "the component is built"
        )
    return HOST


def _document(found: documents.Document) -> HostDocument:
    return HostDocument(found.id, found.revision, found.body)


def _condition(condition: Condition) -> documents.Condition:
    match condition.kind:
        case "always":
            return documents.Condition_Always()
        case "absent":
            return documents.Condition_Absent()
        case "present":
            return documents.Condition_Present()
        case "at":
            return documents.Condition_At(condition.revision)


def _call(function: Callable[[], T]) -> T:
    try:
        return function()
    except Err as error:
        raise _error(error.value) from None


def _error(error: Any) -> CallError:
    match error:
        case documents.Error_Denied(message):
            return CallError("denied", message)
        case documents.Error_NotFound():
            return CallError("not-found")
        case documents.Error_Exists():
            return CallError("exists")
        case documents.Error_Stale(revision):
            return CallError("stale", revision=revision)
        case documents.Error_Invalid(message):
            return CallError("invalid", message)
        case documents.Error_TooLarge(message):
            return CallError("too-large", message)
        case documents.Error_Other((code, message)):
            return CallError("other", message, code=code)
    raise TypeError(f"unknown error of the host: {error!r}")
