"""Three-way merges of documents."""

from __future__ import annotations

from typing import Any

from ophost_sdk.models.fields import MISSING


def three_way(stored: Any, before: Any, now: Any) -> Any:
    """Applies the changes from `before` to `now` to the stored value.

    Fields that both states leave out are kept, such as those that a model does not know. A changed
    list is replaced, because its items have no identity. `MISSING` stands for a field that does not
    exist.
    """
    if _is_equal(before, now):
        return stored
    if isinstance(stored, dict) and isinstance(before, dict) and isinstance(now, dict):
        return _objects(stored, before, now)
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
