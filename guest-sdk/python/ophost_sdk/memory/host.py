"""The host in memory: documents, log, progress, item errors and the properties of a run."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from ophost_sdk import json_text
from ophost_sdk.backend import Level
from ophost_sdk.memory.store import Store

DEFAULT_TIMEOUT_MS = 60_000


@dataclass
class RunContext:
    """The properties of a run. The defaults are those of a call without a run."""

    run_id_value: str | None = None
    user: str | None = None
    channel_name: str = "native"
    is_dry_run: bool = False
    is_test: bool = True
    is_verbose: bool = False
    attempt_number: int = 1
    key: str | None = None
    deadline_ms: int | None = None

    def run_id(self) -> str | None:
        return self.run_id_value

    def user_id(self) -> str | None:
        return self.user

    def channel(self) -> str:
        return self.channel_name

    def dry_run(self) -> bool:
        return self.is_dry_run

    def test_mode(self) -> bool:
        return self.is_test

    def verbose(self) -> bool:
        return self.is_verbose

    def attempt(self) -> int:
        return self.attempt_number

    def deadline(self) -> int:
        return self.now() + DEFAULT_TIMEOUT_MS if self.deadline_ms is None else self.deadline_ms

    def idempotency_key(self) -> str | None:
        return self.key

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def random(self) -> int:
        return secrets.randbits(64)


@dataclass(frozen=True)
class LogEntry:
    """An entry of the log."""

    level: Level
    message: str
    data: Any = None


@dataclass
class Journal:
    """The log, the progress and the item errors of a run."""

    logs: list[LogEntry] = field(default_factory=list)
    progress: list[dict[str, Any]] = field(default_factory=list)
    item_errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class MemoryHost:
    """The host of a thread, which implements the interface of the SDK.

    Log entries, progress and item errors are printed to stderr, and recorded in the journal.
    """

    documents: Store = field(default_factory=Store)
    context: RunContext = field(default_factory=RunContext)
    journal: Journal = field(default_factory=Journal)

    def log(self, level: Level, message: str, data: str | None) -> None:
        self.journal.logs.append(
            LogEntry(level, message, None if data is None else json_text.parse(data))
        )
        _print(f"{level}: {message} {data or ''}")

    def progress(self, done: int, total: int | None, message: str | None) -> None:
        self.journal.progress.append({"done": done, "total": total, "message": message})
        _print(f"progress: {done}/{'?' if total is None else total} {message or ''}")

    def item_error(self, index: int, item: str, error: str, traceback: str | None) -> None:
        entry = {"index": index, "item": json_text.parse(item), "error": error}
        if traceback is not None:
            entry["traceback"] = traceback
        self.journal.item_errors.append(entry)
        _print(f"item {index}, {item}: {error}")


class _ThreadState(threading.local):
    host: MemoryHost | None = None


_STATE = _ThreadState()


def current_memory() -> MemoryHost:
    """Returns the host of this thread."""
    if _STATE.host is None:
        _STATE.host = MemoryHost()
    return _STATE.host


def reset() -> MemoryHost:
    """Replaces the host of this thread with an empty one, and returns it."""
    _STATE.host = MemoryHost()
    return _STATE.host


def _print(line: str) -> None:
    print(line.rstrip(), file=sys.stderr)
