"""The order of JSON values: null, numbers, texts, objects, lists, false, true."""

from __future__ import annotations

from typing import Any

Key = tuple[Any, ...]


def key(value: Any) -> Key:
    """Returns a key whose order is the order of the values. Equal values have equal keys."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (5, value)
    if isinstance(value, (int, float)):
        return (1, value)
    if isinstance(value, str):
        return (2, value.encode())
    if isinstance(value, dict):
        return (3, tuple((name.encode(), key(value[name])) for name in sorted(value)))
    return (4, tuple(map(key, value)))


def is_same_class(a: Any, b: Any) -> bool:
    """Returns whether two values have the same type, so that they can be compared."""
    return bool(key(a)[0] == key(b)[0])
