"""Types of values: validate them and describe them as JSON Schema.

`resolve` in `annotations` converts type hints to these types.
"""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ophost_sdk.json_text import MAX_INTEGER, MIN_INTEGER, to_json
from ophost_sdk.models.errors import Path
from ophost_sdk.models.fields import MISSING
from ophost_sdk.models.loading import Loading
from ophost_sdk.models.schema import Schema, SchemaGenerator

if TYPE_CHECKING:
    from ophost_sdk.models.base import BaseModel


class Type:
    """A type of values."""

    # The type in messages: `expected {name}, found a text`.
    name: str

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        """Returns the value as this type. Returns `MISSING` if it does not match."""
        raise NotImplementedError

    def schema(self, generator: SchemaGenerator) -> Schema:
        """Returns the JSON Schema of the type."""
        raise NotImplementedError

    def is_exact(self, value: Any) -> bool:
        """Returns whether the value needs no conversion, for the choice in a union."""
        return False


class AnyType(Type):
    """Any JSON value."""

    name = "any value"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        return value

    def schema(self, generator: SchemaGenerator) -> Schema:
        return {}


@dataclass(frozen=True)
class Scalar(Type):
    """Null, true and false, and texts: types without conversion."""

    python: type
    name: str
    json: str

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if isinstance(value, self.python):
            return value
        return loading.mismatch(path, self.name, value)

    def schema(self, generator: SchemaGenerator) -> Schema:
        return {"type": self.json}

    def is_exact(self, value: Any) -> bool:
        return type(value) is self.python


NULL = Scalar(type(None), "null", "null")
BOOLEAN = Scalar(bool, "true or false", "boolean")
TEXT = Scalar(str, "a text", "string")


class IntegerType(Type):
    """Integers of at most 64 bits. A number without a fraction is an integer too."""

    name = "an integer"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return loading.mismatch(path, self.name, value)
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            return loading.fail(path, "the integer needs more than 64 bits", value)
        return value

    def schema(self, generator: SchemaGenerator) -> Schema:
        bounds = {"minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
        return {"type": "integer", **(bounds if generator.mode == "validation" else {})}

    def is_exact(self, value: Any) -> bool:
        return type(value) is int


class NumberType(Type):
    """Numbers with decimals. Integers are converted."""

    name = "a number"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return loading.fail(path, "the number is too large", value)
        return loading.mismatch(path, self.name, value)

    def schema(self, generator: SchemaGenerator) -> Schema:
        return {"type": "number"}

    def is_exact(self, value: Any) -> bool:
        return type(value) is float


@dataclass(frozen=True)
class TimeType(Type):
    """Times and dates, which are texts in JSON."""

    python: type
    name: str
    format: str
    parse: Callable[[str], Any]

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if type(value) is self.python:
            return value
        if not isinstance(value, str):
            return loading.mismatch(path, self.name, value)
        try:
            return self.parse(value)
        except ValueError:
            return loading.fail(path, f"expected {self.name}, found `{value[:64]}`", value)

    def schema(self, generator: SchemaGenerator) -> Schema:
        return {"type": "string", "format": self.format}

    def is_exact(self, value: Any) -> bool:
        return type(value) is self.python


def _parse_time(text: str) -> datetime.datetime:
    # Python 3.10 does not know `Z`, and knows only 3 or 6 digits of a second.
    text = re.sub(r"[zZ]$", "+00:00", text)
    text = re.sub(r"\.(\d+)", lambda digits: f".{digits[1][:6]:0<6}", text)
    return datetime.datetime.fromisoformat(text)


TIME = TimeType(datetime.datetime, "a time such as 2024-01-31T12:00:00Z", "date-time", _parse_time)
DATE = TimeType(datetime.date, "a date such as 2024-01-31", "date", datetime.date.fromisoformat)


@dataclass(frozen=True)
class EnumType(Type):
    """The members of an enum, which are their values in JSON."""

    python: type[enum.Enum]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"one of {', '.join(f'`{member.value}`' for member in self.python)}"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if isinstance(value, self.python):
            return value
        for member in self.python:
            if is_same(member.value, value):
                return member
        return _unknown_choice(self.name, value, path, loading)

    def schema(self, generator: SchemaGenerator) -> Schema:
        schema = choices([member.value for member in self.python])
        description = documentation(self.python)
        return {**schema, "description": description} if description else schema

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, self.python)


@dataclass(frozen=True)
class LiteralType(Type):
    """A list of values."""

    values: tuple[Any, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"one of {', '.join(f'`{value}`' for value in self.values)}"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        for known in self.values:
            if is_same(known, value):
                return known
        return _unknown_choice(self.name, value, path, loading)

    def schema(self, generator: SchemaGenerator) -> Schema:
        return choices([to_json(value) for value in self.values])


@dataclass(frozen=True)
class ListType(Type):
    """Lists and sets of items of one type."""

    item: Type
    build: Callable[[list[Any]], Any] = list
    is_unique: bool = False
    name: str = "a list"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, (Sequence, Set)):
            return loading.mismatch(path, self.name, value)
        items = [self.item.load(item, (*path, i), loading) for i, item in enumerate(value)]
        if any(item is MISSING for item in items):
            return MISSING
        try:
            return self.build(items)
        except TypeError as error:
            return loading.fail(path, f"expected items of a set: {error}", value)

    def schema(self, generator: SchemaGenerator) -> Schema:
        unique = {"uniqueItems": True} if self.is_unique else {}
        return {"type": "array", "items": self.item.schema(generator), **unique}

    def is_exact(self, value: Any) -> bool:
        return type(value) is self.build


@dataclass(frozen=True)
class TupleType(Type):
    """Lists with a type for each place."""

    items: tuple[Type, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"a list of {len(self.items)} items"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        is_list = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        if not is_list or len(value) != len(self.items):
            return loading.mismatch(path, self.name, value)
        pairs = zip(self.items, value, strict=True)
        items = [item.load(one, (*path, i), loading) for i, (item, one) in enumerate(pairs)]
        return MISSING if any(item is MISSING for item in items) else tuple(items)

    def schema(self, generator: SchemaGenerator) -> Schema:
        count = len(self.items)
        items = [item.schema(generator) for item in self.items]
        return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}

    def is_exact(self, value: Any) -> bool:
        return type(value) is tuple


@dataclass(frozen=True)
class DictType(Type):
    """Objects with any field names and values of one type."""

    key: Type
    value: Type
    name: str = "an object"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if not isinstance(value, Mapping):
            return loading.mismatch(path, self.name, value)
        loaded: dict[Any, Any] = {}
        is_valid = True
        for key, item in value.items():
            new_key = self._load_key(key, path, loading)
            new_item = self.value.load(item, (*path, str(key)), loading)
            is_valid = is_valid and new_key is not MISSING and new_item is not MISSING
            if is_valid:
                loaded[new_key] = new_item
        return loaded if is_valid else MISSING

    def _load_key(self, key: Any, path: Path, loading: Loading) -> Any:
        if isinstance(self.key, IntegerType) and isinstance(key, str) and key.isdecimal():
            key = int(key)
        return self.key.load(key, (*path, str(key)), loading)

    def schema(self, generator: SchemaGenerator) -> Schema:
        values = self.value.schema(generator)
        return {"type": "object", **({"additionalProperties": values} if values else {})}

    def is_exact(self, value: Any) -> bool:
        return type(value) is dict


@dataclass(frozen=True)
class ModelType(Type):
    """The objects of a model."""

    python: type[BaseModel]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"an object of `{self.python.__name__}`"

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        if isinstance(value, self.python):
            return value
        if isinstance(value, Mapping):
            return self.python.__ophost_load__(value, path, loading)
        return loading.mismatch(path, self.name, value)

    def schema(self, generator: SchemaGenerator) -> Schema:
        return generator.reference(self.python)

    def is_exact(self, value: Any) -> bool:
        return isinstance(value, self.python)


@dataclass(frozen=True)
class UnionType(Type):
    """A value of one of several types. The first type that needs no conversion is chosen."""

    members: tuple[Type, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return " or ".join(member.name for member in self.members)

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        ordered = sorted(self.members, key=lambda member: not member.is_exact(value))
        attempts = []
        for member in ordered:
            attempt = loading.attempt()
            loaded = member.load(value, path, attempt)
            if loaded is not MISSING:
                return loaded
            attempts.append(attempt)
        # The problem below a value is more precise than the types of the value itself.
        below = [attempt for attempt in attempts if attempt.problems[0].path != path]
        named = [attempt for m, attempt in zip(ordered, attempts, strict=True) if m is not NULL]
        best = below or (named if len(named) == 1 else [])
        if len(best) != 1:
            return loading.mismatch(path, self.name, value)
        loading.problems.extend(best[0].problems)
        return MISSING

    def schema(self, generator: SchemaGenerator) -> Schema:
        schemas = [member.schema(generator) for member in self.members]
        return _nullable(schemas) or {"anyOf": schemas}


def _nullable(schemas: list[Schema]) -> Schema | None:
    """Returns the schema of a simple type or null as one object, or None for other unions."""
    others = [schema for schema in schemas if schema != {"type": "null"}]
    if len(others) != 1 or len(schemas) != 2 or not isinstance(others[0].get("type"), str):
        return None
    (schema,) = others
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **values}


def choices(values: list[Any]) -> Schema:
    """Returns the schema of a list of values."""
    kinds = {str: "string", bool: "boolean", int: "integer"}
    types = {kinds.get(type(value)) for value in values}
    (kind,) = types if len(types) == 1 else (None,)
    return {**({"type": kind} if kind else {}), "enum": values}


def is_same(a: Any, b: Any) -> bool:
    """Returns whether two JSON values are equal. Unlike in Python, true is not 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def documentation(python: type) -> str | None:
    """Returns the docstring of a class, without the one that Python inherits or generates."""
    text = python.__dict__.get("__doc__")
    if not isinstance(text, str) or text == "An enumeration.":
        return None
    lines = text.strip().split("\n")
    indents = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    indent = min(indents, default=0)
    return "\n".join([lines[0], *(line[indent:].rstrip() for line in lines[1:])]).strip() or None


def _unknown_choice(name: str, value: Any, path: Path, loading: Loading) -> Any:
    if isinstance(value, str):
        return loading.fail(path, f"expected {name}, found `{value[:64]}`", value)
    return loading.mismatch(path, name, value)
