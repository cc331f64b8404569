"""The rules for the content of a document, its id and its collection."""

from __future__ import annotations

import unicodedata
from typing import Any

from ophost_sdk import json_text, names
from ophost_sdk.backend import CallError
from ophost_sdk.json_text import type_name

MAX_BODY = 1 << 20
MAX_LEVELS = 64


def parse(text: str) -> dict[str, Any]:
    """Returns the body of a JSON text. Raises `CallError` if it is invalid."""
    if len(text.encode()) > MAX_BODY:
        raise CallError("too-large", "the document is larger than 1 MiB")
    return checked(json(text))


def checked(body: Any) -> dict[str, Any]:
    """Returns the body. Raises `CallError` if it is invalid."""
    if not isinstance(body, dict):
        raise CallError("invalid", f"expected an object, found {type_name(body)}")
    if "_id" in body:
        message = "the field `_id` is not allowed, because the id is not part of the body"
        raise CallError("invalid", message)
    if not _is_within(body, MAX_LEVELS):
        raise CallError("invalid", f"the document has more than {MAX_LEVELS} levels")
    if size(body) > MAX_BODY:
        raise CallError("too-large", "the document is larger than 1 MiB")
    return body


def size(body: dict[str, Any]) -> int:
    """Returns the size of the body as JSON text, in bytes."""
    return len(json_text.write(body).encode())


def json(text: str) -> Any:
    """Parses a JSON text. Raises `CallError` if it is invalid."""
    try:
        return json_text.parse(text)
    except ValueError as error:
        raise CallError("invalid", f"not JSON: {error}") from None


def check_names(collection: str, id: str | None = None) -> None:
    """Checks the name of a collection and the id of a document. Raises `CallError`."""
    try:
        names.check_collection(collection)
    except ValueError as error:
        raise CallError("invalid", str(error)) from None
    is_valid = id is None or (
        1 <= len(id.encode()) <= names.MAX_ID_BYTES
        and not any(unicodedata.category(letter) == "Cc" for letter in id)
    )
    if not is_valid:
        limit = f"1 to {names.MAX_ID_BYTES} bytes, no control characters"
        raise CallError("invalid", f"`{id}` is not a document id: {limit}")


def _is_within(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_is_within(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_is_within(item, levels - 1) for item in value)
    return True
