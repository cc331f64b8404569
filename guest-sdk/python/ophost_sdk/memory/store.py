"""Documents in memory, and the transaction of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ophost_sdk import json_text
from ophost_sdk.backend import CallError, Condition, HostDocument, HostPage, HostQuery
from ophost_sdk.memory import bodies, edits, filters, order, paths

MAX_PAGE = 1_000
MAX_PAGE_BYTES = 1 << 20
MAX_SORT_KEYS = 8
# The host sorts by the first bytes of a text.
MAX_SORT_TEXT = 511
CHANGE_OVERHEAD = 256

Body = dict[str, Any]
Address = tuple[str, str]


class EffectsError(BaseException):
    """The document changes of a run exceed its limit.

    The host ends such a run, so `except Exception` must not catch the error.
    """


@dataclass(frozen=True)
class Grants:
    """The collections that an operation can access."""

    read: list[str]
    write: list[str]

    def check_read(self, collection: str) -> None:
        """Raises `CallError` if the operation cannot read the collection."""
        if collection not in self.read and collection not in self.write:
            message = f"the collection `{collection}` is not in the models of the operation"
            raise CallError("denied", message)

    def check_write(self, collection: str) -> None:
        """Raises `CallError` if the operation cannot write the collection."""
        self.check_read(collection)
        if collection not in self.write:
            message = (
                f"the models of the operation allow only reading the collection `{collection}`"
            )
            raise CallError("denied", message)


@dataclass
class Store:
    """All documents: the committed ones, and the changes of the current run.

    The changes contain None for a deleted document.
    """

    committed: dict[Address, tuple[Body, int]] = field(default_factory=dict)
    changes: dict[Address, Body | None] = field(default_factory=dict)
    # None if no operation is invoked: all access is granted.
    grants: Grants | None = None
    # Maximum size of the changes of the run, in bytes.
    max_effects: int | None = None
    is_over_limit: bool = False
    revision: int = 0
    ids_created: int = 0

    # The interface `documents` of the contract. Arguments are validated before access is checked.

    def get(self, collection: str, id: str) -> HostDocument | None:
        bodies.check_names(collection, id)
        self._check_read(collection)
        body = self._body(collection, id)
        return None if body is None else self._document(collection, id, body)

    def put(self, collection: str, id: str | None, body: str, condition: Condition) -> str:
        bodies.check_names(collection, id)
        parsed = bodies.parse(body)
        self._check_write(collection)
        new_id = self._new_id(collection, condition) if id is None else id
        _check_condition(condition, self._revision(collection, new_id))
        self._write(collection, new_id, parsed)
        return new_id

    def set(self, collection: str, id: str, fields: list[tuple[str, str]]) -> None:
        bodies.check_names(collection, id)
        values = [(path, bodies.json(text)) for path, text in fields]
        self._check_write(collection)
        self._write(collection, id, edits.set_fields(self._require(collection, id), values))

    def merge(self, collection: str, id: str, patch: str) -> None:
        bodies.check_names(collection, id)
        parsed = bodies.json(patch)
        self._check_write(collection)
        self._write(collection, id, edits.merge_patch(self._require(collection, id), parsed))

    def delete(self, collection: str, id: str) -> bool:
        bodies.check_names(collection, id)
        self._check_write(collection)
        existed = self._body(collection, id) is not None
        if existed:
            self._write(collection, id, None)
        return existed

    def find(self, collection: str, query: HostQuery) -> HostPage:
        bodies.check_names(collection)
        matches = filters.parse(bodies.json(query.filter))
        if len(query.sort) > MAX_SORT_KEYS:
            count = len(query.sort)
            message = f"cannot sort by {count} fields: the maximum is {MAX_SORT_KEYS}"
            raise CallError("invalid", message)
        if not 1 <= query.limit <= MAX_PAGE:
            message = f"the limit of a page must be 1 to {MAX_PAGE} documents, not {query.limit}"
            raise CallError("invalid", message)
        sort = [(paths.parse(path), descending) for path, descending in query.sort]
        self._check_read(collection)
        found = [(id, body) for id, body in self._all(collection) if matches(id, body)]
        return self._page(collection, _sorted(found, sort), query)

    def count(self, collection: str, filter: str) -> int:
        bodies.check_names(collection)
        matches = filters.parse(bodies.json(filter))
        self._check_read(collection)
        return sum(matches(id, body) for id, body in self._all(collection))

    def discard(self) -> None:
        """Discards the changes of the run."""
        self.changes.clear()

    # Transactions

    def commit(self) -> None:
        """Commits the changes of the run. The changed documents get a new revision."""
        self.revision += bool(self.changes)
        for address, body in self.changes.items():
            if body is None:
                self.committed.pop(address, None)
            else:
                self.committed[address] = (body, self.revision)
        self.changes.clear()

    def documents(self, collection: str) -> dict[str, Body]:
        """Returns copies of the documents of a collection by id, with the changes of the run."""
        return {id: json.loads(json.dumps(body)) for id, body in self._all(collection)}

    def collections(self) -> list[str]:
        """Returns the names of the collections that have documents."""
        names = dict.fromkeys(name for name, _ in [*self.committed, *self.changes])
        return [name for name in names if any(self._all(name))]

    def change_counts(self) -> dict[str, int]:
        """Returns the number of documents that the run created, updated and deleted."""
        counts = {"created": 0, "updated": 0, "deleted": 0}
        for address, body in self.changes.items():
            before = self.committed.get(address)
            if before is None and body is not None:
                counts["created"] += 1
            elif before is not None:
                counts["deleted" if body is None else "updated"] += 1
        return counts

    def _all(self, collection: str) -> Iterator[tuple[str, Body]]:
        """Returns the documents of a collection in the order of their ids."""
        addresses = {*self.committed, *self.changes}
        ids = [id for name, id in addresses if name == collection]
        for id in sorted(ids, key=lambda one: one.encode()):
            body = self._body(collection, id)
            if body is not None:
                yield id, body

    def _body(self, collection: str, id: str) -> Body | None:
        address = (collection, id)
        if address in self.changes:
            return self.changes[address]
        return self.committed[address][0] if address in self.committed else None

    def _revision(self, collection: str, id: str) -> int | None:
        """Returns the revision as the run sees it: 0 if the run has written the document."""
        address = (collection, id)
        if address in self.changes:
            return None if self.changes[address] is None else 0
        return self.committed[address][1] if address in self.committed else None

    def _require(self, collection: str, id: str) -> Body:
        body = self._body(collection, id)
        if body is None:
            raise CallError("not-found")
        return body

    def _write(self, collection: str, id: str, body: Body | None) -> None:
        address = (collection, id)
        if address not in self.committed and body is None:
            self.changes.pop(address, None)
        else:
            self.changes[address] = body
        if self.max_effects is not None and self._size() > self.max_effects:
            self.is_over_limit = True
            raise EffectsError(f"the document changes exceed {self.max_effects} bytes")

    def _size(self) -> int:
        size = 0
        for address, body in self.changes.items():
            before = self.committed[address][0] if address in self.committed else None
            states = [state for state in (before, body) if state is not None]
            size += CHANGE_OVERHEAD + len(address[1].encode()) + sum(map(bodies.size, states))
        return size

    def _document(self, collection: str, id: str, body: Body) -> HostDocument:
        return HostDocument(id, self._revision(collection, id) or 0, json_text.write(body))

    def _new_id(self, collection: str, condition: Condition) -> str:
        """Returns an unused id. Later ids are greater."""
        if condition.kind in ("present", "at"):
            raise CallError("invalid", "a document without an id cannot already exist")
        while True:
            self.ids_created += 1
            id = f"new-{self.ids_created:06}"
            if self._body(collection, id) is None:
                return id

    def _page(self, collection: str, found: list[tuple[str, Body]], query: HostQuery) -> HostPage:
        position = 0
        if query.cursor is not None:
            after = query.cursor
            ids = [id for id, _ in found]
            position = ids.index(after) + 1 if after in ids else _position(ids, after)
        page: list[HostDocument] = []
        bytes_left = MAX_PAGE_BYTES
        for id, body in found[position:]:
            document = self._document(collection, id, body)
            bytes_left -= len(id.encode()) + len(document.body.encode())
            if page and (len(page) == query.limit or bytes_left < 0):
                return HostPage(page, page[-1].id)
            page.append(document)
        return HostPage(page, None)

    def _check_read(self, collection: str) -> None:
        if self.grants is not None:
            self.grants.check_read(collection)

    def _check_write(self, collection: str) -> None:
        if self.grants is not None:
            self.grants.check_write(collection)


def _check_condition(condition: Condition, revision: int | None) -> None:
    match condition.kind:
        case "absent" if revision is not None:
            raise CallError("exists")
        case "present" if revision is None:
            raise CallError("not-found")
        case "at" if revision != condition.revision:
            raise CallError("stale", revision=revision)


def _position(ids: list[str], after: str) -> int:
    """Returns the place after a document that was deleted while a query was read by id."""
    return sum(id.encode() <= after.encode() for id in ids)


def _sorted(
    found: list[tuple[str, Body]], sort: list[tuple[list[str], bool]]
) -> list[tuple[str, Body]]:
    # A stable sort by the last key first makes the first key the most significant one.
    for path, descending in reversed(sort):
        found = sorted(
            found,
            key=lambda one: _sort_key(one[0], one[1], path, descending),
            reverse=descending,
        )
    return found


def _sort_key(id: str, body: Body, path: list[str], descending: bool) -> order.Key:
    """Returns the least value at a path, or the greatest one in descending order."""
    if path == ["_id"]:
        return order.key(id)
    keys: list[order.Key] = []
    for leaf in paths.leaves(body, path):
        if isinstance(leaf.value, list):
            # An empty list comes before null.
            keys.extend([_truncated(item) for item in leaf.value] or [(-1,)])
        else:
            keys.append(_truncated(leaf.value))
    return max(keys) if descending else min(keys)


def _truncated(value: Any) -> order.Key:
    if isinstance(value, str):
        return (2, value.encode()[:MAX_SORT_TEXT])
    return order.key(value)
