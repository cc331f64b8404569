"""Fields of models: their defaults, descriptions and constraints."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any


class _Missing:
    """The absent value: no default, or a value that does not match its type."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


@dataclass(frozen=True, eq=False)
class FieldInfo:
    """A field of a model, as `Field` describes it."""

    annotation: Any = MISSING
    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None
    title: str | None = None
    description: str | None = None
    examples: list[Any] | None = None
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    exclude_if: Callable[[Any], bool] | None = None
    json_schema_extra: dict[str, Any] = field(default_factory=dict)

    def is_required(self) -> bool:
        """Returns whether the field has no default."""
        return self.default is MISSING and self.default_factory is None

    def get_default(self) -> Any:
        """Returns a new default value."""
        if self.default_factory is not None:
            return self.default_factory()
        return copy.deepcopy(self.default)

    def merged(self, other: FieldInfo) -> FieldInfo:
        """Returns the field with the settings of `other` that are set."""
        values = {one.name: getattr(other, one.name) for one in fields(other)}
        settings = {name: it for name, it in values.items() if not _is_unset(name, it)}
        return replace(self, **settings)


def _is_unset(name: str, value: Any) -> bool:
    if name == "json_schema_extra":
        return not value
    # None is a default like any other value.
    return value is MISSING or (value is None and name != "default")


def Field(
    default: Any = MISSING,
    *,
    default_factory: Callable[[], Any] | None = None,
    title: str | None = None,
    description: str | None = None,
    examples: list[Any] | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    multiple_of: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    exclude_if: Callable[[Any], bool] | None = None,
    json_schema_extra: dict[str, Any] | None = None,
) -> Any:
    """Describes a field of a model. `...` as the default means that the field is required.

    `exclude_if` leaves the field out of dumps and documents if it returns true for the value.
    """
    if default is not MISSING and default is not ... and default_factory is not None:
        raise TypeError("a field has either `default` or `default_factory`")
    return FieldInfo(
        default=MISSING if default is ... else default,
        default_factory=default_factory,
        title=title,
        description=description,
        examples=examples,
        ge=ge,
        gt=gt,
        le=le,
        lt=lt,
        multiple_of=multiple_of,
        min_length=min_length,
        max_length=max_length,
        pattern=pattern,
        exclude_if=exclude_if,
        json_schema_extra=json_schema_extra or {},
    )
