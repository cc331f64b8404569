"""JSON texts of the contract: strict, with integers of at most 64 bits."""

from __future__ import annotations

import datetime
import enum
import json
import math
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1


@runtime_checkable
class Dumpable(Protocol):
    """A value with its own conversion to JSON, such as a model."""

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


class NotJsonError(TypeError):
    """A value that JSON does not have. The message names its path."""


def parse(text: str) -> Any:
    """Parses a JSON text.

    Raises `ValueError` for an invalid text, and for a number that 64 bits cannot hold.
    """
    return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def dump(value: Any, *, indent: int | None = None) -> str:
    """Returns a value as JSON text.

    Raises `NotJsonError` if JSON does not have the value.
    """
    return write(to_json(value), indent=indent)


def write(value: Any, *, indent: int | None = None) -> str:
    """Returns a value of `to_json` or `parse` as JSON text."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)


def to_json(value: Any, path: str = "") -> Any:
    """Converts a value to the types of JSON: models, enums, dates and sets become plain values.

    Raises `NotJsonError` if JSON does not have the value.
    """
    try:
        return _convert(value, path)
    except RecursionError:
        message = f"{_at(path)}is nested too deeply, or contains itself"
        raise NotJsonError(message) from None


def _convert(value: Any, path: str) -> Any:
    if value is None or value is True or value is False:
        return value
    if type(value) is str:  # the most frequent type
        return _text(value, path)
    if isinstance(value, enum.Enum):
        return _convert(value.value, path)
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return _checked_integer(int(value), path)
    if isinstance(value, float):
        return _checked_float(float(value), path)
    if isinstance(value, Mapping):
        return {_key(key, path): _convert(item, _join(path, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_convert(item, _join(path, index)) for index, item in enumerate(value)]
    return _convert_object(value, path)


def _convert_object(value: Any, path: str) -> Any:
    if isinstance(value, (set, frozenset)):
        # The order of a set is random, but equal sets must have the same text.
        items = [_convert(item, path) for item in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, datetime.datetime):
        return time_text(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Dumpable) and not isinstance(value, type):
        return _convert(value.model_dump(mode="json"), path)
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    raise NotJsonError(
        f"{_at(path)}is of type `{module}{kind.__qualname__}`, which JSON does not have"
    )


def time_text(value: datetime.datetime) -> str:
    """Returns a time in the format of RFC 3339, with `Z` for UTC."""
    text = value.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def type_name(value: Any) -> str:
    """Returns the name of the JSON type of a value, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    for kind, name in (
        (int, "an integer"),
        (float, "a number"),
        (str, "a text"),
        (Mapping, "an object"),
        ((list, tuple), "a list"),
    ):
        if isinstance(value, kind):
            return name
    return f"`{type(value).__qualname__}`"


def _text(value: str, path: str) -> str:
    try:
        if not value.isascii():
            value.encode()
    except UnicodeEncodeError:
        raise NotJsonError(f"{_at(path)}has half of a surrogate pair, which is no text") from None
    return str(value)


def _checked_integer(value: int, path: str) -> int:
    if MIN_INTEGER <= value <= MAX_INTEGER:
        return value
    raise NotJsonError(f"{_at(path)}is an integer of more than 64 bits")


def _checked_float(value: float, path: str) -> float:
    if math.isfinite(value):
        return value
    raise NotJsonError(f"{_at(path)}is {value}, which JSON does not have")


def _key(key: Any, path: str) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return _text(key, path)
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise NotJsonError(f"{_at(path)}has the key {key!r}, which is not text")


def _join(path: str, part: Any) -> str:
    return f"{path}.{part}" if path else str(part)


def _at(path: str) -> str:
    return f"`{path}` " if path else "the value "


def _integer(digits: str) -> int:
    # 20 digits and a sign are the longest integers of 64 bits.
    if len(digits) <= 20 and MIN_INTEGER <= (value := int(digits)) <= MAX_INTEGER:
        return value
    raise ValueError(f"the integer {digits[:24]} needs more than 64 bits")


def _float(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    raise ValueError(f"the number {text[:24]} is too large")


def _constant(name: str) -> float:
    raise ValueError(f"JSON has no {name}")
