"""Constraints of fields: checks them and describes them as JSON Schema."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ophost_sdk.json_text import to_json
from ophost_sdk.models.errors import Path
from ophost_sdk.models.fields import MISSING, FieldInfo
from ophost_sdk.models.loading import Loading
from ophost_sdk.models.schema import Schema, SchemaGenerator
from ophost_sdk.models.types import DictType, ListType, TupleType, Type, UnionType


@dataclass(frozen=True)
class Constrained(Type):
    """A type with the constraints and the description of a field."""

    type: Type
    field: FieldInfo

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.type.name

    def load(self, value: Any, path: Path, loading: Loading) -> Any:
        loaded = self.type.load(value, path, loading)
        if loaded is MISSING:
            return MISSING
        reason = _broken_constraint(self.field, loaded)
        return loaded if reason is None else loading.fail(path, reason, value)

    def schema(self, generator: SchemaGenerator) -> Schema:
        return {**self.type.schema(generator), **_keywords(self.field, self.type)}

    def is_exact(self, value: Any) -> bool:
        return self.type.is_exact(value)


def _broken_constraint(field: FieldInfo, value: Any) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _broken_bound(field, value)
    pattern = field.pattern if isinstance(value, str) else None
    if pattern is not None and re.search(pattern, value) is None:
        return f"expected a text that matches `{pattern}`"
    if isinstance(value, (str, list, tuple, dict, set, frozenset)):
        unit = "characters" if isinstance(value, str) else "items"
        if field.min_length is not None and len(value) < field.min_length:
            return f"expected at least {field.min_length} {unit}, found {len(value)}"
        if field.max_length is not None and len(value) > field.max_length:
            return f"expected at most {field.max_length} {unit}, found {len(value)}"
    return None


def _broken_bound(field: FieldInfo, value: float) -> str | None:
    bounds: list[tuple[float | None, Callable[[float, float], bool], str]] = [
        (field.ge, operator.ge, "at least"),
        (field.gt, operator.gt, "more than"),
        (field.le, operator.le, "at most"),
        (field.lt, operator.lt, "less than"),
        (field.multiple_of, lambda number, factor: number % factor == 0, "a multiple of"),
    ]
    for bound, is_kept, words in bounds:
        if bound is not None and not is_kept(value, bound):
            return f"expected {words} {bound}, found {value}"
    return None


def _keywords(field: FieldInfo, type_: Type) -> Schema:
    """Returns the keywords of a field: constraints, title, description and examples."""
    lengths = _length_keywords(type_)
    keywords = {
        "title": field.title,
        "description": field.description,
        "minimum": field.ge,
        "exclusiveMinimum": field.gt,
        "maximum": field.le,
        "exclusiveMaximum": field.lt,
        "multipleOf": field.multiple_of,
        lengths[0]: field.min_length,
        lengths[1]: field.max_length,
        "pattern": field.pattern,
        "examples": field.examples and to_json(field.examples),
    }
    return {key: value for key, value in keywords.items() if value is not None}


def _length_keywords(type_: Type) -> tuple[str, str]:
    while isinstance(type_, Constrained):
        type_ = type_.type
    members = type_.members if isinstance(type_, UnionType) else (type_,)
    if any(isinstance(member, (ListType, TupleType)) for member in members):
        return "minItems", "maxItems"
    if any(isinstance(member, DictType) for member in members):
        return "minProperties", "maxProperties"
    return "minLength", "maxLength"
