"""The rules of the contract for names and texts."""

from __future__ import annotations

import re

MAX_NAME_BYTES = 128
MAX_DESCRIPTION_BYTES = 8 * 1024
MAX_ANNOTATION_KEY_BYTES = 255
MAX_COLLECTION_BYTES = 64
MAX_ID_BYTES = 255

_OPERATION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", re.ASCII)
_COLLECTION = re.compile(r"[a-z][a-z0-9_]*([.-][a-z0-9_]+)*", re.ASCII)


def check_operation(name: str) -> None:
    """Checks the name of an operation. Raises `ValueError` if it is invalid."""
    check_text("name", name, MAX_NAME_BYTES)
    if not _OPERATION.fullmatch(name):
        raise ValueError(
            f"`{name}` is not a valid operation name: expected parts of `[a-z][a-z0-9_]*` joined "
            'by dots; set one with `name="..."`'
        )
    if name.split(".")[0] == "ophost":
        raise ValueError(
            f"`{name}` is not a valid operation name: names under `ophost` are reserved for the "
            "host"
        )


def check_collection(name: str) -> None:
    """Checks the name of a collection. Raises `ValueError` if it is invalid."""
    if not is_collection(name):
        raise ValueError(
            f"`{name}` is not a valid collection name: expected lower case letters, digits and "
            "`_`, a letter first, in parts joined by dots or dashes, at most "
            f"{MAX_COLLECTION_BYTES} bytes"
        )


def is_collection(name: str) -> bool:
    """Returns whether a text is a valid name of a collection."""
    return len(name) <= MAX_COLLECTION_BYTES and _COLLECTION.fullmatch(name) is not None


def check_text(what: str, text: str, max_bytes: int) -> None:
    """Checks that a text is not empty and not too long. Raises `ValueError` otherwise."""
    if not text.strip():
        raise ValueError(f"the {what} must not be empty")
    size = len(text.encode())
    if size > max_bytes:
        raise ValueError(f"the {what} has {size} bytes, at most {max_bytes} are allowed")


def collection_of(model: str) -> str:
    """Returns the default collection of a model: the plural of its name, in lower case."""
    name = model.lower()
    return name + ("es" if name.endswith(("s", "x", "z", "ch", "sh")) else "s")
