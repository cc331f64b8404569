"""Paths of fields in a document, such as `address.lines.0`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ophost_sdk.backend import CallError

MAX_PARTS = 64


@dataclass(frozen=True)
class Leaf:
    """A value at a path.

    The items of a list count as values too, except for an `inner` list, which the path selects by
    its index in another list.
    """

    kind: Literal["missing", "value", "inner"]
    value: Any = None


MISSING = Leaf("missing")


def parse(path: str) -> list[str]:
    """Returns the parts of a path. Raises `CallError` if it is invalid."""
    parts = path.split(".")
    if not all(parts):
        raise CallError("invalid", f"the path `{path}` has an empty part")
    if len(parts) > MAX_PARTS:
        raise CallError("invalid", f"the path `{path}` has more than {MAX_PARTS} parts")
    return parts


def index(part: str) -> int | None:
    """Returns the index of a list that a part is, or None."""
    is_digits = part.isascii() and part.isdigit()
    return int(part) if is_digits and (part == "0" or part[0] != "0") else None


def leaves(fields: dict[str, Any], parts: list[str]) -> Iterator[Leaf]:
    """Returns the values at a path. Without a value, returns `MISSING` once."""
    is_found = False
    for leaf in _object(fields, parts):
        is_found = True
        yield leaf
    if not is_found:
        yield MISSING


def _object(fields: dict[str, Any], parts: list[str]) -> Iterator[Leaf]:
    first, rest = parts[0], parts[1:]
    if first not in fields:
        yield MISSING
    elif not rest:
        yield Leaf("value", fields[first])
    else:
        yield from _value(fields[first], rest)


def _value(value: Any, parts: list[str]) -> Iterator[Leaf]:
    if isinstance(value, dict):
        yield from _object(value, parts)
    elif isinstance(value, list):
        yield from _list(value, parts)
    else:
        yield MISSING


def _list(items: list[Any], parts: list[str]) -> Iterator[Leaf]:
    number, rest = index(parts[0]), parts[1:]
    if number is None:
        for item in items:
            if isinstance(item, dict):
                yield from _object(item, parts)
    elif number < len(items):
        item = items[number]
        if rest:
            yield from _value(item, rest)
        else:
            yield Leaf("inner" if isinstance(item, list) else "value", item)
