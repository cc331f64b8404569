"""JSON Schemas of models."""

from __future__ import annotations

import datetime
from enum import Enum
from typing import Annotated, Any, Literal

from ophost_sdk import BaseModel, Document, Field

BOUNDS = {"minimum": -(2**63), "maximum": 2**64 - 1}


class Color(Enum):
    """The colour."""

    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """Where it is."""

    street: str


class Tree(BaseModel):
    children: list[Tree] = []


class Job(BaseModel):
    """A job.

    It has more lines.
    """

    title: str = Field(..., description="The title", min_length=1, examples=["Cook"])
    priority: int = Field(0, ge=0, le=5)
    note: str | None = Field(None, description="A note", max_length=9)
    address: Address | None = None
    addresses: list[Address] = Field([], min_length=1)
    trees: dict[str, Tree] = Field(default_factory=dict)
    color: Color | None = None
    kind: Literal["a", "b"] = "a"
    data: dict[str, Any] | None = None
    when: datetime.datetime | None = None


def test_schema_of_a_model() -> None:
    assert Job.model_json_schema() == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Job",
        "description": "A job.\n\nIt has more lines.",
        "type": "object",
        "properties": {
            "title": {
                "type": "string",
                "description": "The title",
                "minLength": 1,
                "examples": ["Cook"],
            },
            "priority": {"type": "integer", "minimum": 0, "maximum": 5, "default": 0},
            "note": {
                "type": ["string", "null"],
                "description": "A note",
                "maxLength": 9,
                "default": None,
            },
            "address": {
                "anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}],
                "default": None,
            },
            "addresses": {
                "type": "array",
                "items": {"$ref": "#/$defs/Address"},
                "minItems": 1,
                "default": [],
            },
            "trees": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Tree"}},
            "color": {
                "type": ["string", "null"],
                "enum": ["red", "blue", None],
                "description": "The colour.",
                "default": None,
            },
            "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "data": {"type": ["object", "null"], "default": None},
            "when": {"type": ["string", "null"], "format": "date-time", "default": None},
        },
        "required": ["title"],
        "additionalProperties": False,
        "$defs": {
            "Address": {
                "title": "Address",
                "description": "Where it is.",
                "type": "object",
                "properties": {"street": {"type": "string"}},
                "required": ["street"],
                "additionalProperties": False,
            },
            "Tree": {
                "title": "Tree",
                "type": "object",
                "properties": {
                    "children": {
                        "type": "array",
                        "items": {"$ref": "#/$defs/Tree"},
                        "default": [],
                    }
                },
                "additionalProperties": False,
            },
        },
    }


def test_outputs_require_all_fields_that_are_always_written() -> None:
    class Output(BaseModel):
        a: int = 1
        b: int | None = Field(None, exclude_if=lambda value: value is None)

    schema = Output.model_json_schema(mode="serialization")
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {"type": "integer", "default": 1}


def test_a_model_that_contains_itself_refers_to_the_root() -> None:
    schema = Tree.model_json_schema()
    assert schema["properties"]["children"]["items"] == {"$ref": "#"}
    assert "$defs" not in schema


def test_integers_have_the_bounds_of_64_bits_in_inputs() -> None:
    class Numbers(BaseModel):
        plain: int
        least: int | None = Field(None, ge=1)
        items: list[Annotated[int, Field(lt=3)]] = []

    properties = Numbers.model_json_schema()["properties"]
    assert properties["plain"] == {"type": "integer", **BOUNDS}
    assert properties["least"]["minimum"] == 1 and properties["least"]["type"] == [
        "integer",
        "null",
    ]
    assert properties["items"]["items"] == {"type": "integer", **BOUNDS, "exclusiveMaximum": 3}


def test_other_types() -> None:
    class Others(BaseModel):
        pair: tuple[str, bool]
        many: tuple[float, ...]
        unique: set[str]
        union: int | str
        choice: Literal["a", 1]
        anything: Any
        number: Annotated[float, Field(json_schema_extra={"format": "percent"})]

    properties = Others.model_json_schema(mode="serialization")["properties"]
    assert properties == {
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "boolean"}],
            "minItems": 2,
            "maxItems": 2,
        },
        "many": {"type": "array", "items": {"type": "number"}},
        "unique": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "union": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "choice": {"enum": ["a", 1]},
        "anything": {},
        "number": {"type": "number", "format": "percent"},
    }


def test_unknown_fields_of_a_schema_follow_the_setting() -> None:
    class Open(BaseModel):
        model_config = {"extra": "ignore"}
        a: int

    assert "additionalProperties" not in Open.model_json_schema()


def test_two_models_of_one_name_have_two_definitions() -> None:
    def other() -> type[BaseModel]:
        class Address(BaseModel):
            city: str

        return Address

    Other = other()

    class Both(BaseModel):
        one: Address
        two: Other  # type: ignore[valid-type]

    definitions = Both.model_json_schema()["$defs"]
    assert list(definitions) == ["Address", "Address2"]
    assert list(definitions["Address2"]["properties"]) == ["city"]


def test_a_document_has_an_id() -> None:
    class Note(Document):
        text: str

    assert list(Note.model_json_schema()["properties"]) == ["id", "text"]
    assert Note.model_json_schema()["required"] == ["text"]
