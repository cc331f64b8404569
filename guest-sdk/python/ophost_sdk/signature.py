"""The signature of an operation: its input, its output and its collections."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from ophost_sdk.documents.collection import Collection, ReadCollection
from ophost_sdk.documents.document import Document
from ophost_sdk.models import BaseModel, ConfigDict
from ophost_sdk.models.annotations import resolve
from ophost_sdk.models.schema import Mode, Schema, root_schema
from ophost_sdk.models.types import Type

MISSING = inspect.Parameter.empty


class NoInput(BaseModel):
    model_config: typing.ClassVar[ConfigDict] = {"extra": "forbid"}


@dataclass(frozen=True)
class Side:
    """The input or the output of an operation."""

    hint: Any
    type: Type

    def schema(self, mode: Mode) -> Schema:
        """Returns the JSON Schema."""
        is_model = isinstance(self.hint, type) and issubclass(self.hint, BaseModel)
        return root_schema(self.type, mode, self.hint if is_model else None)


@dataclass(frozen=True)
class Signature:
    """The parameters and the result of an operation."""

    input: Side | None
    output: Side
    # The collections by the names of their parameters.
    collections: dict[str, ReadCollection[Any]]

    def models(self, access: type[ReadCollection[Any]]) -> list[type[Document]]:
        """Returns the models of the collections with exactly this access."""
        return [it.model for it in self.collections.values() if type(it) is access]


def read(function: Callable[..., Any], inputs: Any, outputs: Any) -> Signature:
    """Returns the signature of a function. `inputs` and `outputs` replace its type hints.

    Raises `TypeError` if the signature is not one of an operation.
    """
    name = function.__qualname__
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"`{name}`: a type hint uses the name `{error.name}`, which is not defined"
        ) from None
    collections: dict[str, ReadCollection[Any]] = {}
    others = []
    for parameter in inspect.signature(function).parameters.values():
        collection = _collection(hints.get(parameter.name))
        if collection is None:
            others.append(parameter.name)
        else:
            collections[parameter.name] = collection
    if len(others) > 1:
        raise TypeError(
            f"`{name}` has the parameters {', '.join(f'`{other}`' for other in others)}; an "
            "operation has at most one input and any number of collections"
        )
    input_hint = inputs if inputs is not None else hints.get(others[0], MISSING) if others else None
    output_hint = outputs if outputs is not None else hints.get("return", MISSING)
    return Signature(
        _side(name, "input", input_hint) if others else None,
        _side(name, "output", output_hint),
        collections,
    )


def no_input_schema() -> Schema:
    """Returns the schema of an operation without an input: an empty object."""
    return {**NoInput.model_json_schema(), "title": "No input"}


def _side(function: str, what: str, hint: Any) -> Side:
    if hint is MISSING:
        raise TypeError(
            f"`{function}`: the type of the {what} is unknown; add a type hint, or `{what}s=` to "
            "`@operation`"
        )
    try:
        return Side(hint, resolve(hint))
    except TypeError as error:
        raise TypeError(f"`{function}`: the {what}: {error}") from None


def _collection(hint: Any) -> ReadCollection[Any] | None:
    """Returns the collection of a parameter such as `jobs: Collection[Job]`."""
    access = get_origin(hint) or hint
    if access not in (Collection, ReadCollection):
        return None
    arguments = get_args(hint)
    model = arguments[0] if arguments else None
    if not (isinstance(model, type) and issubclass(model, Document)):
        shown = getattr(model, "__name__", "nothing")
        raise TypeError(
            f"`{access.__name__}` needs a model that is derived from `Document`, found `{shown}`"
        )
    collection: ReadCollection[Any] = access(model)
    return collection
