"""Results of document calls that coroutines can await."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Result(Generic[T]):
    """The result of a document call that has been made.

    `await` returns the value in a coroutine, and `result` returns it in a plain function. The call
    itself has raised its error.
    """

    def __init__(self, value: T) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, T]:
        yield from ()
        return self._value

    def result(self) -> T:
        """Returns the value."""
        return self._value

    def __bool__(self) -> bool:
        raise TypeError("write `await` before the call, or `.result()` after it")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a result has no attribute `{name}`; write `await` before the call, or `.result()` "
            "after it"
        )
