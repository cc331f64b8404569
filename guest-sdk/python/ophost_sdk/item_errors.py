"""Errors of single items of a bulk input. The run continues after such an error."""

from __future__ import annotations

from typing import Any

from ophost_sdk import host, json_text, tracebacks


def add(index: int, item: Any, error: BaseException | str) -> None:
    """Adds an item error to the record of the run.

    `index` is the index of the item in the input, from 0. `item` is the item or its identifier. An
    exception is recorded with its message and its traceback.
    """
    try:
        text = json_text.dump(item)
    except TypeError as reason:
        text = json_text.dump(str(reason))
    traceback = tracebacks.text(error) if isinstance(error, BaseException) else None
    host.current().item_error(index, text, str(error) or type(error).__name__, traceback)
