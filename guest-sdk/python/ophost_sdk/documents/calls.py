"""Calls to the documents of the host. A failed call marks the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ophost_sdk import host
from ophost_sdk.backend import CallError, Documents
from ophost_sdk.documents.errors import DocumentError, from_call
from ophost_sdk.run_state import mark_failed

T = TypeVar("T")


def call(function: Callable[[Documents], T], collection: str, id: str = "") -> T:
    """Calls a function of the host.

    Raises `DocumentError`, which names the collection and the id.
    """
    try:
        return function(host.current().documents)
    except CallError as error:
        raise marked(from_call(error, collection, id)) from None


def marked(error: DocumentError) -> DocumentError:
    """Marks the run as one with a failed call, and returns the error."""
    mark_failed(error)
    return error


def discard() -> None:
    """Discards all writes of the run so far. Later reads do not see them."""
    host.current().documents.discard()
