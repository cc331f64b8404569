"""The event loop of asynchronous operations.

A component has no sockets and no threads, so the loops of `asyncio` do not start. This loop only
has timers and callbacks: `asyncio.sleep`, `gather`, tasks, queues, locks and timeouts work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Timers:
    """Replaces the selector of the loop: waits until the next timer."""

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError(
                "the operation waits for something that cannot happen: a component has no "
                "sockets, threads or processes"
            )
        if timeout > 0:
            time.sleep(timeout)
        return []


class EventLoop(asyncio.BaseEventLoop):
    """An event loop with timers only."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Timers()

    def _process_events(self, event_list: list[Any]) -> None:
        """Does nothing, because there are no events of files."""

    def _write_to_self(self) -> None:
        """Does nothing, because no other thread has to wake the loop."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end, and cancels the tasks that it leaves behind."""
    loop = EventLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(coroutine)
    finally:
        _cancel_tasks(loop)
        asyncio.set_event_loop(None)
        loop.close()


def is_running() -> bool:
    """Returns whether an event loop is running in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _cancel_tasks(loop: EventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
