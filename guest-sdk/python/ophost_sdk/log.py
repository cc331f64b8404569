"""The log of the run. The standard module `logging` writes to it too.

Logging never fails a run. The host truncates a message to 64 KiB and drops data of more than 64
KiB.
"""

from __future__ import annotations

import logging
from typing import Any

from ophost_sdk import host, json_text, tracebacks
from ophost_sdk.backend import Level

TRACE = 5


def write(level: Level, message: object, data: Any = None) -> None:
    """Adds an entry to the log, with optional data as JSON."""
    host.current().log(level, str(message), None if data is None else _data_text(data))


def trace(message: object, *, data: Any = None) -> None:
    """Logs a single step, for the author."""
    write("trace", message, data)


def debug(message: object, *, data: Any = None) -> None:
    """Logs details for debugging."""
    write("debug", message, data)


def info(message: object, *, data: Any = None) -> None:
    """Logs information for users."""
    write("info", message, data)


def warn(message: object, *, data: Any = None) -> None:
    """Logs a problem that does not stop the run."""
    write("warn", message, data)


warning = warn


def error(message: object, *, data: Any = None) -> None:
    """Logs a failure."""
    write("error", message, data)


class _Formatter(logging.Formatter):
    """Formats a record as its message, and the traceback of its exception."""

    def formatException(self, ei: Any) -> str:
        return "" if ei[1] is None else tracebacks.text(ei[1])


class HostHandler(logging.Handler):
    """Writes the records of `logging` to the log of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Adds an entry. The name of the logger is its data, except for the root logger."""
        try:
            data = None if record.name == "root" else {"logger": record.name}
            write(_level(record.levelno), self.format(record), data)
        except Exception:
            self.handleError(record)


def install_handler() -> None:
    """Routes `logging` to the log of the run, with all levels."""
    root = logging.getLogger()
    if not any(isinstance(handler, HostHandler) for handler in root.handlers):
        root.addHandler(HostHandler())
    root.setLevel(TRACE)


def _level(number: int) -> Level:
    levels: list[tuple[int, Level]] = [
        (logging.ERROR, "error"),
        (logging.WARNING, "warn"),
        (logging.INFO, "info"),
        (logging.DEBUG, "debug"),
    ]
    return next((level for least, level in levels if number >= least), "trace")


def _data_text(data: Any) -> str:
    try:
        return json_text.dump(data)
    except TypeError as error:
        return json_text.dump(str(error))
