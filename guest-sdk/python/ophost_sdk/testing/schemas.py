"""Validates values against JSON Schemas and fills in defaults, as the host does."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
Violation = dict[str, str]


def violations(schema: Schema, value: Any) -> list[Violation]:
    """Returns the violations of a value, each with a JSON pointer and a problem."""
    validator = _validator()(schema)
    found = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
    return [violation for error in found for violation in _converted(error)]


def _validator() -> Any:
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        raise ImportError(
            "the validation of inputs and outputs needs `jsonschema`; run `pip install jsonschema`"
        ) from None
    return Draft202012Validator


def _converted(error: Any) -> Iterator[Violation]:
    pointer = "".join(f"/{_escaped(part)}" for part in error.absolute_path)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        for name in missing:
            yield {"pointer": f"{pointer}/{_escaped(name)}", "problem": "missing, but required"}
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for name in error.instance:
            if name not in known:
                yield {"pointer": f"{pointer}/{_escaped(name)}", "problem": "unknown field"}
    else:
        yield {"pointer": pointer, "problem": error.message}


def _escaped(part: Any) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def filled(schema: Schema, value: Any) -> Any:
    """Returns the value with the defaults of its missing properties."""
    filled_value = copy.deepcopy(value)
    _fill(schema, [schema], filled_value)
    return filled_value


def _fill(root: Schema, schemas: list[Schema], value: Any) -> None:
    applied = list(_applied(root, schemas))
    if isinstance(value, dict):
        for schema in applied:
            for name, inner in schema.get("properties", {}).items():
                if name not in value:
                    _fill_in(root, name, inner, value)
        for name, inner_value in value.items():
            inner = [it["properties"][name] for it in applied if name in it.get("properties", {})]
            _fill(root, inner, inner_value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _fill(root, [it for s in applied if (it := _item_schema(s, index))], item)


def _fill_in(root: Schema, name: str, schema: Schema, value: dict[str, Any]) -> None:
    for one in _applied(root, [schema]):
        if "default" in one:
            value[name] = copy.deepcopy(one["default"])
            return


def _item_schema(schema: Schema, index: int) -> Schema | None:
    first = schema.get("prefixItems", [])
    items = first[index] if index < len(first) else schema.get("items")
    return items if isinstance(items, dict) else None


def _applied(root: Schema, schemas: list[Schema]) -> Iterator[Schema]:
    """Returns the schemas, and those that certainly apply to the same value."""
    pending, seen = list(schemas), set()
    while pending:
        schema = pending.pop(0)
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        pending.extend(schema.get("allOf", []))
        if "$ref" in schema:
            pending.append(_resolved(root, schema["$ref"]))


def _resolved(root: Schema, reference: str) -> Any:
    schema: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        schema = schema[part.replace("~1", "/").replace("~0", "~")]
    return schema
