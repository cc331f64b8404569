"""JSON Schemas of models, in the draft 2020-12."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ophost_sdk.models.base import BaseModel
    from ophost_sdk.models.types import Type

Mode = Literal["validation", "serialization"]
Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


@dataclass
class SchemaGenerator:
    """Generates the schema of a type. Models below the root are definitions."""

    mode: Mode
    root: type[BaseModel] | None = None
    names: dict[type[BaseModel], str] = field(default_factory=dict)
    definitions: dict[str, Schema] = field(default_factory=dict)

    def reference(self, model: type[BaseModel]) -> Schema:
        """Returns a reference to the schema of a model."""
        if model is self.root:
            return {"$ref": "#"}
        if model not in self.names:
            name = self._free_name(model.__name__)
            self.names[model] = name
            self.definitions[name] = {}  # reserved, because the model can contain itself
            self.definitions[name] = model.__ophost_schema__(self)
        return {"$ref": f"#/$defs/{self.names[model]}"}

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self.definitions:
            number += 1
            free = f"{name}{number}"
        return free


def root_schema(type_: Type, mode: Mode, model: type[BaseModel] | None = None) -> Schema:
    """Returns the schema of a type as a document. A model at the root is not a definition."""
    generator = SchemaGenerator(mode, model)
    schema = model.__ophost_schema__(generator) if model else type_.schema(generator)
    definitions = {"$defs": generator.definitions} if generator.definitions else {}
    return {"$schema": DRAFT, **schema, **definitions}
