"""The decorator `@operation`, and the operations of the program."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.machinery import ModuleSpec
from typing import Any, TypeVar, cast

from ophost_sdk import json_text, names, signature
from ophost_sdk.documents.collection import Collection, ReadCollection
from ophost_sdk.documents.document import MODELS, Document
from ophost_sdk.models.schema import Schema
from ophost_sdk.signature import Signature

F = TypeVar("F", bound=Callable[..., Any])

COLLECTIONS_KEY = "ophost.collections"


@dataclass(frozen=True)
class Operation:
    """Description of an operation. `@operation` creates it."""

    function: Callable[..., Any]
    name: str
    description: str
    category: str
    inputs: Any = None
    outputs: Any = None
    tags: list[str] = field(default_factory=list)
    permissions: list[str] = field(default_factory=list)
    async_enabled: bool = False
    # Names of models; None if the decorator has no such argument.
    declared_models_in: list[str] | None = None
    declared_models_out: list[str] | None = None
    stage: str | None = None
    create_taskrun: bool = True
    declared_annotations: dict[str, Any] = field(default_factory=dict)
    # The import that defined the function: each one has its own object. None in a script.
    spec: ModuleSpec | None = field(default=None, repr=False)

    @cached_property
    def signature(self) -> Signature:
        """The parameters and the result of the function."""
        return signature.read(self.function, self.inputs, self.outputs)

    @property
    def input_schema(self) -> Schema:
        """The JSON Schema of the input."""
        input = self.signature.input
        return signature.no_input_schema() if input is None else input.schema("validation")

    @property
    def output_schema(self) -> Schema:
        """The JSON Schema of the output."""
        return self.signature.output.schema("serialization")

    @property
    def models_in(self) -> list[str]:
        """Names of the models that the operation reads."""
        return _names(self.declared_models_in, self.signature.models(ReadCollection))

    @property
    def models_out(self) -> list[str]:
        """Names of the models that the operation reads and writes.

        An operation that declares no models has those of its module.
        """
        if self.has_module_models:
            return [model.__name__ for model in self.module_models]
        return _names(self.declared_models_out, self.signature.models(Collection))

    @property
    def has_module_models(self) -> bool:
        """Whether the operation declares no models, so that it has those of its module."""
        declared = (self.declared_models_in, self.declared_models_out)
        return declared == (None, None) and not self.signature.collections

    @cached_property
    def module_models(self) -> list[type[Document]]:
        """The models that the module of the function defines or imports by name."""
        known = inspect.unwrap(self.function).__globals__.values()
        return [model for model in MODELS if any(model is value for value in known)]

    @property
    def annotations(self) -> dict[str, Any]:
        """Further settings by key, with the collections of models that set their own names."""
        explicit = self._explicit_collections()
        if not explicit:
            return self.declared_annotations
        declared = self.declared_annotations.get(COLLECTIONS_KEY, {})
        return {**self.declared_annotations, COLLECTIONS_KEY: {**explicit, **declared}}

    def collections(self, models: list[str]) -> list[str]:
        """Returns the collections of models."""
        explicit = self.annotations.get(COLLECTIONS_KEY, {})
        return [explicit.get(model) or names.collection_of(model) for model in models]

    def _explicit_collections(self) -> dict[str, str]:
        used = [*self.models_in, *self.models_out]
        explicit: dict[str, str] = {}
        for model in self._model_classes():
            if model.__name__ not in used:
                continue
            name = model.collection_name()
            if explicit.setdefault(model.__name__, name) != name:
                raise TypeError(
                    f"two models of operation `{self.name}` are named `{model.__name__}` but have "
                    "different collections"
                )
        default = names.collection_of
        return {model: name for model, name in explicit.items() if name != default(model)}

    def _model_classes(self) -> list[type[Document]]:
        """Returns the classes of the models, as far as the operation knows them."""
        in_signature = [collection.model for collection in self.signature.collections.values()]
        own = [*in_signature, *self.module_models]
        known = {model.__name__ for model in own}
        return own + [model for model in MODELS if model.__name__ not in known]


# The operations of the program by name, in the order of their definition.
OPERATIONS: dict[str, Operation] = {}


def _with_parentheses(decorator: F) -> F:
    @functools.wraps(decorator)
    def checked(*functions: Any, **arguments: Any) -> Any:
        if functions:
            raise TypeError("`@operation` needs arguments; write `@operation(category=...)`")
        return decorator(**arguments)

    return cast(F, checked)


@_with_parentheses
def operation(
    *,
    name: str | None = None,
    description: str | None = None,
    category: str,
    inputs: Any = None,
    outputs: Any = None,
    tags: list[str] | None = None,
    permissions: list[str] | None = None,
    async_enabled: bool = False,
    models_in: list[str] | None = None,
    models_out: list[str] | None = None,
    stage: str | None = None,
    create_taskrun: bool = True,
    annotations: dict[str, Any] | None = None,
) -> Callable[[F], F]:
    """Registers a function as an operation, and returns it unchanged.

    - `name`: unique in a host. The default is the name of the function.
    - `description`: the default is the docstring of the function.
    - `category`: the group in lists of operations.
    - `inputs`, `outputs`: the default is the type hints of the function.
    - `tags`: for filters.
    - `permissions`: what a caller needs, such as `jobs:write`.
    - `async_enabled`: whether direct calls are recorded by default.
    - `models_in`, `models_out`: names of the models that the operation reads, and that it reads and
      writes. Parameters such as `jobs: Collection[Job]` add their models. Without any of these,
      the operation reads and writes the models that its module defines or imports by name.
    - `stage`: the stage of a pipeline, such as `extract`.
    - `create_taskrun`: whether runs can have a record.
    - `annotations`: further settings, such as `{"ophost.idempotent": True}`.

    The attribute `operation` of the function is its description. A direct call of the function is
    not validated and not recorded.
    """

    def register(function: F) -> F:
        described = Operation(
            function=function,
            name=name if name is not None else function.__name__,
            description=description if description is not None else _docstring(function),
            category=category,
            inputs=inputs,
            outputs=outputs,
            tags=list(tags or []),
            permissions=list(permissions or []),
            async_enabled=async_enabled,
            declared_models_in=models_in,
            declared_models_out=models_out,
            stage=stage,
            create_taskrun=create_taskrun,
            declared_annotations=dict(annotations or {}),
            spec=inspect.unwrap(function).__globals__.get("__spec__"),
        )
        _check(described)
        _add(described)
        function.operation = described  # type: ignore[attr-defined]
        return function

    return register


def of(function: Callable[..., Any] | Operation) -> Operation:
    """Returns the description of a function with `@operation`."""
    described = getattr(function, "operation", function)
    if not isinstance(described, Operation):
        raise TypeError(f"`{function!r}` is not an operation; decorate it with `@operation`")
    return described


def _names(declared: list[str] | None, models: list[type[Document]]) -> list[str]:
    return list(dict.fromkeys([*(declared or []), *(model.__name__ for model in models)]))


def _docstring(function: Callable[..., Any]) -> str:
    text = inspect.getdoc(function)
    if not text:
        raise ValueError(
            f"operation `{function.__name__}` has no description; add a docstring, or "
            "`description=` to `@operation`"
        )
    return text


def _check(operation: Operation) -> None:
    names.check_operation(operation.name)
    names.check_text("description", operation.description, names.MAX_DESCRIPTION_BYTES)
    names.check_text("category", operation.category, names.MAX_NAME_BYTES)
    for key, value in operation.declared_annotations.items():
        names.check_text("key of an annotation", key, names.MAX_ANNOTATION_KEY_BYTES)
        json_text.to_json(value, key)


def _add(operation: Operation) -> None:
    known = OPERATIONS.get(operation.name)
    if known is not None and not _is_same(known, operation):
        raise ValueError(
            f"two operations have the name `{operation.name}`: `{_qualified_name(known)}` in line "
            f"{_place(known)[1]} and `{_qualified_name(operation)}` in line {_place(operation)[1]}"
        )
    OPERATIONS[operation.name] = operation


def _is_same(known: Operation, operation: Operation) -> bool:
    """Returns whether a definition replaces a known one of the same name.

    It does if the module is imported again, or if the same lines are executed again.
    """
    if _qualified_name(known) != _qualified_name(operation):
        return False
    is_one_import = known.spec is not None and known.spec is operation.spec
    return not is_one_import or _place(known) == _place(operation)


def _qualified_name(operation: Operation) -> str:
    function = inspect.unwrap(operation.function)
    return f"{function.__module__}.{function.__qualname__}"


def _place(operation: Operation) -> tuple[str, int]:
    code = inspect.unwrap(operation.function).__code__
    return code.co_filename, code.co_firstlineno
