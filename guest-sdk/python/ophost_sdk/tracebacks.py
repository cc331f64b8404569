"""Tracebacks without the frames of the SDK, and with the source lines of the author."""

from __future__ import annotations

import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
# `componentize-py` mounts each module directory as a number.
_MOUNT = re.compile(r"^/\d+/")


def text(error: BaseException) -> str:
    """Returns the traceback of an error and of its causes."""
    formatted = traceback.TracebackException.from_exception(error)
    for one in _chain(formatted):
        one.stack = _author_frames(one.stack)
    return "".join(formatted.format()).rstrip("\n")


def summary(error: BaseException) -> str:
    """Returns the class of an error and its message, in one line."""
    entries = traceback.format_exception_only(type(error), error)
    # The source lines of a syntax error come first, and notes come last.
    entry = entries[-1] if isinstance(error, SyntaxError) else entries[0]
    return " ".join(entry.removeprefix(f"{type(error).__module__}.").splitlines())


def keep_source_lines() -> None:
    """Keeps the source lines of all modules in memory.

    The snapshot of a component contains them, so that tracebacks show the lines. The files
    themselves are not in the component.
    """
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not _is_author_file(file):
            continue
        lines = linecache.getlines(file)
        if lines:
            # Without a time, the lines are not compared with the file.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)


def _is_author_file(file: str) -> bool:
    return _MOUNT.match(file) is not None and not file.startswith(_PACKAGE)


def _chain(
    first: traceback.TracebackException,
) -> Iterator[traceback.TracebackException]:
    pending, seen = [first], set()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        nested = getattr(one, "exceptions", None) or []
        pending.extend(it for it in (one.__cause__, one.__context__, *nested) if it)


def _author_frames(stack: traceback.StackSummary) -> traceback.StackSummary:
    frames = [frame for frame in stack if not frame.filename.startswith(_PACKAGE)]
    for frame in frames:
        frame.filename = _MOUNT.sub("", frame.filename)
    return traceback.StackSummary.from_list(frames)
