"""Sets fields of a document and merges patches."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from ophost_sdk.backend import CallError
from ophost_sdk.json_text import type_name
from ophost_sdk.memory import bodies, paths

Fields = dict[str, Any]


def set_fields(body: Fields, fields: list[tuple[str, Any]]) -> Fields:
    """Returns the body with values at paths. Raises `CallError` if a path cannot be resolved."""
    parsed = [(paths.parse(path), value) for path, value in fields]
    if any(path[0] == "_id" for path, _ in parsed):
        message = "cannot set `_id`: the id of a document cannot be changed"
        raise CallError("invalid", message)
    _check_conflicts([path for path, _ in parsed])
    edited = copy.deepcopy(body)
    for path, value in parsed:
        _set(edited, path, value)
    return bodies.checked(edited)


def merge_patch(body: Fields, patch: Any) -> Fields:
    """Returns the body with a patch of RFC 7396. Raises `CallError` if the patch is invalid."""
    if not isinstance(patch, dict):
        raise CallError("invalid", f"the patch is {type_name(patch)}, not an object")
    if "_id" in patch:
        message = "cannot set `_id`: the id of a document cannot be changed"
        raise CallError("invalid", message)
    return bodies.checked(_merged(body, patch))


def _merged(fields: Any, patch: Fields) -> Fields:
    old = fields if isinstance(fields, dict) else {}
    merged = {name: value for name, value in old.items() if patch.get(name, 0) is not None}
    for name, value in patch.items():
        if isinstance(value, dict):
            merged[name] = _merged(merged.get(name), value)
        elif value is not None:
            merged[name] = value
    return merged


def _check_conflicts(all_paths: list[list[str]]) -> None:
    ordered = sorted(all_paths)
    for first, second in itertools.pairwise(ordered):
        if second[: len(first)] == first:
            names = f"`{'.'.join(first)}` and `{'.'.join(second)}`"
            raise CallError("invalid", f"cannot set both {names}")


def _set(fields: Fields, path: list[str], value: Any) -> None:
    container: Any = fields
    for number, part in enumerate(path):
        is_last = number + 1 == len(path)
        new = value if is_last else {}
        place: Any = part
        if isinstance(container, list):
            place = _item(container, path, number)
            if place == len(container):
                container.append(new)
        elif isinstance(container, dict):
            container.setdefault(part, new)
        else:
            raise _unresolvable(path, number, container)
        if is_last:
            container[place] = value
        container = container[place]


def _item(items: list[Any], path: list[str], number: int) -> int:
    index = paths.index(path[number])
    if index is None:
        raise _unresolvable(path, number, items)
    if index > len(items):
        whole, prefix = ".".join(path), ".".join(path[:number])
        raise CallError(
            "invalid",
            f"cannot resolve path `{whole}`: the list `{prefix}` has {len(items)} items, so the "
            f"next index is {len(items)}",
        )
    return index


def _unresolvable(path: list[str], number: int, found: Any) -> CallError:
    whole, prefix = ".".join(path), ".".join(path[:number])
    message = f"cannot resolve path `{whole}`: `{prefix}` is {type_name(found)}"
    return CallError("invalid", message)
