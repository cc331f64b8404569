"""Reads the definitions of models: their annotations, defaults and local names."""

from __future__ import annotations

import inspect
import sys
import typing
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

from ophost_sdk.models.annotations import resolve
from ophost_sdk.models.constraints import Constrained
from ophost_sdk.models.fields import MISSING, FieldInfo
from ophost_sdk.models.types import Type

if TYPE_CHECKING:
    from ophost_sdk.models.base import BaseModel


def _own_annotations(cls: type) -> dict[str, Any]:
    """Returns the annotations of the class itself, of which names can be undefined yet."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(cls)


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.replace("typing.", "").startswith("ClassVar")
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def take_defaults(cls: type) -> dict[str, Any]:
    """Removes the defaults of the fields from the class and returns them by name."""
    defaults: dict[str, Any] = {}
    for name, annotation in _own_annotations(cls).items():
        if _is_class_variable(annotation):
            continue
        defaults[name] = cls.__dict__.get(name, MISSING)
        if name in cls.__dict__:
            delattr(cls, name)
    for name, value in cls.__dict__.items():
        if isinstance(value, FieldInfo):
            raise TypeError(f"the field `{name}` of `{cls.__name__}` has no type annotation")
    return defaults


def private_defaults(cls: type[BaseModel]) -> dict[str, Any]:
    private: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        defaults: dict[str, Any] = base.__dict__.get("__ophost_defaults__", {})
        private.update({name: it for name, it in defaults.items() if name.startswith("_")})
    return private


def caller_locals() -> dict[str, Any]:
    """Returns the local names where a class is defined, which its annotations can use."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_name == "__init_subclass__":
        frame = frame.f_back  # type: ignore[assignment]
    is_module = frame is None or frame.f_locals is frame.f_globals
    return {} if is_module else dict(frame.f_locals)


def collect_fields(cls: type[BaseModel]) -> dict[str, FieldInfo]:
    fields: dict[str, FieldInfo] = {}
    for base in reversed(cls.__mro__):
        defaults: dict[str, Any] = base.__dict__.get("__ophost_defaults__", {})
        hints = _hints(base, cls) if defaults else {}
        for name, default in defaults.items():
            if not name.startswith("_"):
                fields[name] = _field(hints[name], default)
    return fields


def _hints(base: type, cls: type[BaseModel]) -> dict[str, Any]:
    names = {**cls.__ophost_locals__, cls.__name__: cls, base.__name__: base}
    try:
        return typing.get_type_hints(base, localns=names, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation of `{cls.__name__}` uses the name `{error.name}`, which is not defined"
        ) from None


def _field(hint: Any, default: Any) -> FieldInfo:
    field = FieldInfo(annotation=hint)
    if get_origin(hint) is typing.Annotated:
        for one in hint.__metadata__:
            field = field.merged(one) if isinstance(one, FieldInfo) else field
    if isinstance(default, FieldInfo):
        return field.merged(default)
    return field if default is MISSING else field.merged(FieldInfo(default=default))


def field_type(cls: type[BaseModel], name: str, field: FieldInfo) -> Type:
    try:
        return Constrained(resolve(field.annotation), field)
    except TypeError as error:
        raise TypeError(f"the field `{name}` of `{cls.__name__}`: {error}") from None
