"""Compares JSON with an expectation that has placeholders."""

from __future__ import annotations

import re
from typing import Any

# Stands for the id of the run record, and for null if the run has no record.
RUN = "<run>"
# Stands for an id that the host creates.
ID = re.compile(r"<id:[^>]*>")
# Stands for one or more characters.
TEXT = "<text>"


class Mismatch(AssertionError):
    """The first difference of a result from its expectation."""


class Pattern:
    """The values of the placeholders of one case."""

    def __init__(self, run_id: str | None = None) -> None:
        self._run_id = run_id
        self._ids: dict[str, str] = {}

    def check(self, expected: Any, actual: Any) -> None:
        """Compares a whole value. Raises `Mismatch` for the first difference."""
        self._compare("", expected, actual, is_part=False)

    def check_part(self, expected: Any, actual: Any) -> None:
        """Compares a value whose objects can have more fields, except objects `properties`."""
        self._compare("", expected, actual, is_part=True)

    def check_documents(
        self, collection: str, expected: list[dict[str, Any]], actual: list[dict[str, Any]]
    ) -> None:
        """Compares the documents of a collection, in any order."""
        rest = {document["_id"]: document for document in actual}
        # A document without a known id can be any of those that the others leave.
        for document in sorted(expected, key=lambda one: self._known_id(one) is None):
            id = self._known_id(document) or self._matching_id(document, rest)
            if id not in rest:
                raise Mismatch(f"{collection}: there is no document `{id}`")
            self._compare(f"{collection}/{id}", document, rest.pop(id), is_part=False)
        for document in rest.values():
            raise Mismatch(f"{collection}: unexpected document {document}")

    def _known_id(self, document: dict[str, Any]) -> str | None:
        """Returns the id of an expected document, or None for a new placeholder."""
        id: str = document["_id"]
        return self._ids.get(id) if ID.fullmatch(id) else id

    def _matching_id(self, document: dict[str, Any], actual: dict[str, dict[str, Any]]) -> str:
        """Returns the id of the first document with the expected content."""
        for id, found in actual.items():
            attempt = Pattern(self._run_id)
            attempt._ids = dict(self._ids)
            try:
                attempt.check(document, found)
            except Mismatch:
                continue
            return id
        return str(document["_id"])

    def _compare(self, path: str, expected: Any, actual: Any, *, is_part: bool) -> None:
        if isinstance(expected, dict) and isinstance(actual, dict):
            is_whole = not is_part or path.endswith("/properties")
            unexpected = [name for name in actual if name not in expected]
            if unexpected and is_whole:
                raise Mismatch(f"{path}: unexpected field `{unexpected[0]}`")
            for name, value in expected.items():
                self._compare(f"{path}/{name}", value, actual.get(name), is_part=is_part)
        elif isinstance(expected, list) and isinstance(actual, list):
            if len(expected) != len(actual):
                raise Mismatch(f"{path}: expected {expected!r}, found {actual!r}")
            for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
                self._compare(f"{path}/{index}", one, other, is_part=is_part)
        elif not self._is_equal(expected, actual):
            raise Mismatch(f"{path}: expected {expected!r}, found {actual!r}")

    def _is_equal(self, expected: Any, actual: Any) -> bool:
        if expected == RUN:
            return bool(actual == self._run_id)
        if not isinstance(expected, str) or not isinstance(actual, str):
            return type(expected) is type(actual) and bool(expected == actual)
        if ID.fullmatch(expected):
            return self._is_id(expected, actual)
        pieces = map(re.escape, expected.split(TEXT))
        return re.fullmatch("(?s:.+)".join(pieces), actual) is not None

    def _is_id(self, placeholder: str, actual: str) -> bool:
        """Compares an id. Equal placeholders are equal ids, other ones are other ids."""
        if placeholder not in self._ids and actual and actual not in self._ids.values():
            self._ids[placeholder] = actual
        return self._ids.get(placeholder) == actual
