"""The state of the current run: the errors of its document calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

_CURRENT: ContextVar[RunState | None] = ContextVar("ophost_run", default=None)


@dataclass
class RunState:
    """A run of an operation."""

    # Errors of document calls that the operation has not marked as handled.
    unhandled: list[Exception] = field(default_factory=list)


@contextmanager
def new_run() -> Iterator[RunState]:
    """Begins a run, which ends with the block."""
    state = RunState()
    token = _CURRENT.set(state)
    try:
        yield state
    finally:
        _CURRENT.reset(token)


def mark_failed(error: Exception) -> None:
    """Adds the error of a document call. Outside of a run it has no effect."""
    state = _CURRENT.get()
    if state is not None:
        state.unhandled.append(error)


def mark_handled(error: Exception) -> None:
    """Removes the error of a document call."""
    state = _CURRENT.get()
    if state is not None:
        state.unhandled = [one for one in state.unhandled if one is not error]
