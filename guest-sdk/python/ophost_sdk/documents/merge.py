"""Three-way merges of documents."""

from __future__ import annotations

from typing import Any

from ophost_sdk.models.fields import MISSING


def three_way(stored: Any, before: Any, now: Any) -> Any:
    """Applies the changes from `before` to `now` to the stored value.

    Fields that both states leave out are kept, such as those that a model does not know. The items
    of a list are merged by their index if the length of the list has not changed. `MISSING` stands
    for a field that does not exist.
    """
    if _is_equal(before, now):
        return stored
    if isinstance(stored, dict) and isinstance(before, dict) and isinstance(now, dict):
        return _objects(stored, before, now)
    states = (stored, before, now)
    if all(isinstance(state, list) for state in states) and len({*map(len, states)}) == 1:
        return [three_way(*items) for items in zip(*states, strict=True)]
    return now


def _objects(stored: dict[str, Any], before: dict[str, Any], now: dict[str, Any]) -> Any:
    merged = {}
    for name in [*stored, *(name for name in now if name not in stored)]:
        states = [fields.get(name, MISSING) for fields in (stored, before, now)]
        value = three_way(*states)
        if value is not MISSING:
            merged[name] = value
    return merged


def _is_equal(a: Any, b: Any) -> bool:
    """Returns whether two JSON values are the same. Unlike in Python, true is not 1."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_is_equal(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_is_equal, a, b))
    return bool(a == b)
