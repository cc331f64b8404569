"""Queries of a collection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ophost_sdk import json_text
from ophost_sdk.backend import HostDocument, HostPage, HostQuery
from ophost_sdk.documents.calls import call
from ophost_sdk.documents.result import Result

T = TypeVar("T")

MAX_PAGE = 1_000

Filter = Mapping[str, Any]


def filter_text(filters: tuple[Filter, ...]) -> str:
    """Returns the filter of documents that match all `filters`, as JSON text."""
    if len(filters) == 1:
        return json_text.dump(filters[0])
    return json_text.dump({"$and": list(filters)} if filters else {})


@dataclass(frozen=True)
class Query(Generic[T]):
    """A query of a collection. `all`, `first`, `count` or a `for` loop executes it.

    A loop fetches the documents page by page. A document that does not match the model is an error
    at its place, and a further `next` continues after it.
    """

    collection: str
    load: Callable[[HostDocument], T]
    filter: str
    sort_keys: tuple[tuple[str, bool], ...] = ()
    offset: int = 0
    max_count: int | None = None

    def sort(self, *paths: str) -> Query[T]:
        """Sorts by the fields at `paths`. A leading `-` sorts in descending order.

        Documents with equal fields are sorted by `_id`. A query has at most 8 sort keys.
        """
        keys = tuple((path.lstrip("+-"), path.startswith("-")) for path in paths)
        return replace(self, sort_keys=self.sort_keys + keys)

    def skip(self, count: int) -> Query[T]:
        """Leaves out the first `count` documents. They are read from the host nevertheless."""
        return replace(self, offset=count)

    def limit(self, count: int | None) -> Query[T]:
        """Limits the number of documents. None is no limit."""
        return replace(self, max_count=count)

    def all(self) -> list[T]:
        """Returns all documents of the query."""
        return list(self)

    def first(self) -> T | None:
        """Returns the first document, or None if no document matches."""
        limit = 1 if self.max_count is None else min(1, self.max_count)
        return next(iter(self.limit(limit)), None)

    def count(self) -> int:
        """Returns the number of documents that match the filter, without `skip` and `limit`."""
        return call(lambda host: host.count(self.collection, self.filter), self.collection)

    def __iter__(self) -> Iterator[T]:
        return _Documents(self)


class _Documents(Iterator[T]):
    """Iterator over the documents of a query."""

    def __init__(self, query: Query[T]) -> None:
        self._query = query
        self._end = None if query.max_count is None else query.offset + query.max_count
        self._position = 0
        self._page: Iterator[HostDocument] = iter(())
        self._cursor: str | None = None
        self._has_more = True

    def __next__(self) -> T:
        while True:
            document = self._fetch()
            self._position += 1
            if self._position > self._query.offset:
                return self._query.load(document)

    def _fetch(self) -> HostDocument:
        if self._end is not None and self._position >= self._end:
            raise StopIteration
        while (document := next(self._page, None)) is None:
            if not self._has_more:
                raise StopIteration
            self._has_more = False  # after an error, no further page is fetched
            page = self._next_page()
            self._page, self._cursor = iter(page.documents), page.next
            self._has_more = page.next is not None
        return document

    def _next_page(self) -> HostPage:
        rest = MAX_PAGE if self._end is None else self._end - self._position
        query = HostQuery(
            self._query.filter, self._query.sort_keys, max(1, min(rest, MAX_PAGE)), self._cursor
        )
        collection = self._query.collection
        return call(lambda host: host.find(collection, query), collection)


@dataclass(frozen=True)
class DocumentQuery(Generic[T]):
    """A query of `Document.find`, whose results can be awaited."""

    query: Query[T]

    def sort(self, *paths: str) -> DocumentQuery[T]:
        """Sorts by the fields at `paths`. A leading `-` sorts in descending order."""
        return DocumentQuery(self.query.sort(*paths))

    def skip(self, count: int) -> DocumentQuery[T]:
        """Leaves out the first `count` documents."""
        return DocumentQuery(self.query.skip(count))

    def limit(self, count: int | None) -> DocumentQuery[T]:
        """Limits the number of documents. None is no limit."""
        return DocumentQuery(self.query.limit(count))

    def to_list(self, length: int | None = None) -> Result[list[T]]:
        """Returns all documents, or at most `length`."""
        return Result((self.query if length is None else self.query.limit(length)).all())

    def first_or_none(self) -> Result[T | None]:
        """Returns the first document, or None if no document matches."""
        return Result(self.query.first())

    def count(self) -> Result[int]:
        """Returns the number of documents that match the filter."""
        return Result(self.query.count())

    def __iter__(self) -> Iterator[T]:
        return iter(self.query)

    def __aiter__(self) -> AsyncIterator[T]:
        return _AsyncDocuments(iter(self.query))


class _AsyncDocuments(AsyncIterator[T]):
    """The iterator of an `async for` loop."""

    def __init__(self, documents: Iterator[T]) -> None:
        self._documents = documents

    async def __anext__(self) -> T:
        try:
            return next(self._documents)
        except StopIteration:
            raise StopAsyncIteration from None
