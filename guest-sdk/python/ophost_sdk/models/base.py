"""Models: classes whose annotations are validated and described as JSON Schema."""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict

from ophost_sdk import json_text
from ophost_sdk.models import definition
from ophost_sdk.models.errors import Path, ValidationError
from ophost_sdk.models.fields import MISSING, Field, FieldInfo
from ophost_sdk.models.loading import Extra, Loading
from ophost_sdk.models.schema import Mode, Schema, SchemaGenerator, root_schema
from ophost_sdk.models.types import ModelType, Type, documentation

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """Tells type checkers about the constructor. Has no effect at run time."""
        return lambda decorated: decorated


class ConfigDict(TypedDict, total=False):
    """The settings of a model, in its attribute `model_config`."""

    extra: Extra


class _Fields:
    """The attribute `model_fields`: the fields of a model by name."""

    def __get__(self, instance: object, owner: type[BaseModel]) -> dict[str, FieldInfo]:
        return owner.__ophost_fields__()


@dataclass_transform(kw_only_default=True, field_specifiers=(Field,))
class BaseModel:
    """A model. Its annotated attributes are the fields of a JSON object.

    The constructor validates its keyword arguments, and raises `ValidationError`. An assignment to
    a field is not validated.
    """

    model_config: ClassVar[ConfigDict] = {}
    model_fields: ClassVar[dict[str, FieldInfo]] = _Fields()  # type: ignore[assignment]

    # The values of the annotated names, and the local names where the class is defined.
    __ophost_defaults__: ClassVar[dict[str, Any]] = {}
    __ophost_locals__: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__ophost_defaults__ = definition.take_defaults(cls)
        cls.__ophost_locals__ = definition.caller_locals()

    def __init__(self, /, **data: Any) -> None:
        loading = Loading()
        values = self.__ophost_values__(data, (), loading)
        if values is MISSING:
            raise ValidationError(type(self).__name__, loading.problems)
        self.__ophost_fill__(values, set(data))

    def __ophost_fill__(self, values: dict[str, Any], given: set[str]) -> None:
        self.__dict__.update(values)
        object.__setattr__(self, "__ophost_set__", given)
        for name, value in definition.private_defaults(type(self)).items():
            object.__setattr__(self, name, copy.deepcopy(value))

    # Validation

    @classmethod
    def model_validate(cls, obj: Any, *, extra: Extra | None = None) -> Self:
        """Returns the model of a mapping. `extra` replaces the setting for unknown fields.

        Raises `ValidationError` if the mapping does not match the model.
        """
        return cls.__ophost_validate__(obj, Loading(extra=extra))

    @classmethod
    def model_validate_json(cls, json_data: str | bytes, *, extra: Extra | None = None) -> Self:
        """Returns the model of a JSON text. Raises `ValueError` if the text is not JSON."""
        text = json_data if isinstance(json_data, str) else json_data.decode()
        return cls.model_validate(json_text.parse(text), extra=extra)

    @classmethod
    def __ophost_validate__(cls, value: Any, loading: Loading) -> Self:
        model = ModelType(cls).load(value, (), loading)
        if model is MISSING:
            raise ValidationError(cls.__name__, loading.problems)
        return typing.cast("Self", model)

    @classmethod
    def __ophost_load__(cls, data: Mapping[str, Any], path: Path, loading: Loading) -> Any:
        values = cls.__ophost_values__(data, path, loading)
        if values is MISSING:
            return MISSING
        model = cls.__new__(cls)
        model.__ophost_fill__(values, set(data))
        return model

    @classmethod
    def __ophost_values__(cls, data: Mapping[str, Any], path: Path, loading: Loading) -> Any:
        """Returns the validated values by name, or `MISSING`."""
        values: dict[str, Any] = {}
        problems = len(loading.problems)
        types = cls.__ophost_types__()
        for name, field in cls.__ophost_fields__().items():
            if name in data:
                values[name] = types[name].load(data[name], (*path, name), loading)
            elif field.is_required():
                loading.missing((*path, name))
            else:
                values[name] = field.get_default()
        values.update(cls.__ophost_extra__(data, path, loading))
        return values if len(loading.problems) == problems else MISSING

    @classmethod
    def __ophost_extra__(
        cls, data: Mapping[str, Any], path: Path, loading: Loading
    ) -> dict[str, Any]:
        """Returns the unknown fields that the model takes."""
        extra = loading.extra or cls.model_config.get("extra") or loading.default_extra
        unknown = {name: value for name, value in data.items() if name not in cls.model_fields}
        if extra == "allow":
            return unknown
        if extra == "forbid":
            names = ", ".join(f"`{name}`" for name in cls.model_fields)
            known = f"one of {names}" if names else "no field"
            for name, value in unknown.items():
                loading.fail((*path, name), f"unknown field `{name}`, expected {known}", value)
        return {}

    # Fields

    @classmethod
    def __ophost_fields__(cls) -> dict[str, FieldInfo]:
        fields = cls.__dict__.get("__ophost_fields_cache__")
        if fields is None:
            fields = definition.collect_fields(cls)
            cls.__ophost_fields_cache__ = fields  # type: ignore[attr-defined]
        return typing.cast("dict[str, FieldInfo]", fields)

    @classmethod
    def __ophost_types__(cls) -> dict[str, Type]:
        types = cls.__dict__.get("__ophost_types_cache__")
        if types is None:
            types = {
                name: definition.field_type(cls, name, it) for name, it in cls.model_fields.items()
            }
            cls.__ophost_types_cache__ = types  # type: ignore[attr-defined]
        return typing.cast("dict[str, Type]", types)

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were given or assigned."""
        return typing.cast("set[str]", self.__dict__.get("__ophost_set__", set()))

    @property
    def model_extra(self) -> dict[str, Any] | None:
        """The unknown fields of a model with `extra` set to `allow`."""
        if self.model_config.get("extra") != "allow":
            return None
        return {name: value for name, value in self if name not in type(self).model_fields}

    # Dumps

    def model_dump(
        self,
        *,
        mode: Literal["python", "json"] | str = "python",
        include: set[str] | None = None,
        exclude: set[str] | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """Returns the fields as a dictionary. The mode `json` converts all values to JSON."""
        values = {
            name: value
            for name, value in self
            if (include is None or name in include)
            and (exclude is None or name not in exclude)
            and (not exclude_unset or name in self.model_fields_set)
            and (not exclude_none or value is not None)
            and not (exclude_defaults and self._is_default(name, value))
            and not self._is_excluded(name, value)
        }
        nested: dict[str, Any] = {
            "exclude_unset": exclude_unset,
            "exclude_defaults": exclude_defaults,
            "exclude_none": exclude_none,
        }
        dumped = {name: _dump(value, mode, nested) for name, value in values.items()}
        if mode == "json":
            return {name: json_text.to_json(value, name) for name, value in dumped.items()}
        return dumped

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Returns the fields as JSON text. The options are those of `model_dump`."""
        return json_text.dump(self.model_dump(mode="json", **options), indent=indent)

    def _is_default(self, name: str, value: Any) -> bool:
        field = type(self).model_fields.get(name)
        return field is not None and not field.is_required() and field.get_default() == value

    def _is_excluded(self, name: str, value: Any) -> bool:
        field = type(self).model_fields.get(name)
        return field is not None and field.exclude_if is not None and field.exclude_if(value)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Returns a copy. The values of `update` are not validated."""
        copied = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            setattr(copied, name, value)
        return copied

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        copied.__dict__["__ophost_set__"] = set(self.model_fields_set)
        return copied

    # Schema

    @classmethod
    def model_json_schema(cls, *, mode: Mode = "validation") -> Schema:
        """Returns the JSON Schema of the model, for input or output."""
        return root_schema(ModelType(cls), mode, cls)

    @classmethod
    def __ophost_schema__(cls, generator: SchemaGenerator) -> Schema:
        schema: Schema = {"title": cls.__name__}
        description = documentation(cls)
        if description:
            schema["description"] = description
        types = cls.__ophost_types__()
        properties = {
            name: _property_schema(field, types[name], generator)
            for name, field in cls.model_fields.items()
        }
        is_input = generator.mode == "validation"
        required = [
            name
            for name, field in cls.model_fields.items()
            if (field.is_required() if is_input else field.exclude_if is None)
        ]
        schema.update(type="object", properties=properties)
        if required:
            schema["required"] = required
        if cls.model_config.get("extra", "forbid") == "forbid":
            schema["additionalProperties"] = False
        return schema

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).model_fields or self.model_config.get("extra") == "allow":
            self.__dict__[name] = value
            self.model_fields_set.add(name)
        elif name in definition.private_defaults(type(self)):
            object.__setattr__(self, name, value)
        else:
            raise ValueError(f"`{type(self).__name__}` has no field `{name}`")

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name, value in self.__dict__.items():
            if not name.startswith("_"):
                yield name, value

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self)
        return f"{type(self).__name__}({fields})"

    def __str__(self) -> str:
        return " ".join(f"{name}={value!r}" for name, value in self)


def _property_schema(field: FieldInfo, type_: Type, generator: SchemaGenerator) -> Schema:
    schema = type_.schema(generator)
    if field.default is not MISSING:
        schema["default"] = json_text.to_json(field.default)
    return {**schema, **field.json_schema_extra}


def _dump(value: Any, mode: str, options: dict[str, Any]) -> Any:
    """Converts the models within a value to dictionaries."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode=mode, **options)
    if isinstance(value, Mapping):
        return {key: _dump(item, mode, options) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_dump(item, mode, options) for item in value]
        # A set of models becomes a list, because dictionaries cannot be in a set.
        is_hashable = not any(isinstance(item, (dict, list)) for item in items)
        return type(value)(items) if is_hashable or isinstance(value, (list, tuple)) else items
    return value
