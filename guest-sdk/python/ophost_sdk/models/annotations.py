"""Converts type hints to types."""

from __future__ import annotations

import datetime
import enum
import types
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, cast, get_args, get_origin

from ophost_sdk.models.constraints import Constrained
from ophost_sdk.models.fields import FieldInfo
from ophost_sdk.models.types import (
    BOOLEAN,
    DATE,
    NULL,
    TEXT,
    TIME,
    AnyType,
    DictType,
    EnumType,
    IntegerType,
    ListType,
    LiteralType,
    ModelType,
    NumberType,
    TupleType,
    Type,
    UnionType,
)

if TYPE_CHECKING:
    from ophost_sdk.models.base import BaseModel

_SIMPLE: dict[Any, Type] = {
    Any: AnyType(),
    object: AnyType(),
    None: NULL,
    type(None): NULL,
    bool: BOOLEAN,
    str: TEXT,
    int: IntegerType(),
    float: NumberType(),
    datetime.datetime: TIME,
    datetime.date: DATE,
}
_LISTS: dict[Any, Callable[[list[Any]], Any]] = {list: list, Sequence: list}
_SETS: dict[Any, Callable[[list[Any]], Any]] = {set: set, frozenset: frozenset, Set: set}


def resolve(hint: Any) -> Type:
    """Returns the type of a type hint.

    Raises `TypeError` if the hint has no JSON Schema.
    """
    if isinstance(hint, typing.Hashable) and hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        return UnionType(tuple(resolve(argument) for argument in arguments))
    if origin is Literal:
        return LiteralType(arguments)
    if isinstance(hint, type) and origin is None:
        return _class(hint)
    return _container(hint, origin, arguments)


def _annotated(hint: Any, metadata: tuple[Any, ...]) -> Type:
    type_ = resolve(hint)
    for one in metadata:
        if isinstance(one, FieldInfo):
            type_ = Constrained(type_, one)
    return type_


def _class(hint: type) -> Type:
    if issubclass(hint, enum.Enum):
        return EnumType(hint)
    if hasattr(hint, "__ophost_load__"):
        return ModelType(cast("type[BaseModel]", hint))
    return _container(hint, hint, ())


def _container(hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Type:
    if origin in _LISTS:
        return ListType(_argument(arguments, 0), _LISTS[origin])
    if origin in _SETS:
        return ListType(_argument(arguments, 0), _SETS[origin], is_unique=True)
    if origin in (dict, Mapping):
        key = resolve(arguments[0]) if arguments else TEXT
        return DictType(key, _argument(arguments, 1))
    if origin is tuple:
        if not arguments or (len(arguments) == 2 and arguments[1] is ...):
            return ListType(_argument(arguments, 0), tuple)
        return TupleType(tuple(resolve(argument) for argument in arguments))
    raise TypeError(f"the type `{_shown(hint)}` has no JSON Schema; {_advice(hint)}")


def _argument(arguments: tuple[Any, ...], index: int) -> Type:
    return resolve(arguments[index]) if arguments else AnyType()


def _advice(hint: Any) -> str:
    if (getattr(hint, "__module__", "") or "").startswith("pydantic"):
        return "derive the model from `BaseModel` of `ophost_sdk`"
    return (
        "use models, None, bool, int, float, str, datetime, date, enums, Literal, lists, sets, "
        "tuples, dictionaries, unions and Any"
    )


def _shown(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)
