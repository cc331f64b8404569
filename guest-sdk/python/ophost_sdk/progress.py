"""Progress of the run."""

from __future__ import annotations

from ophost_sdk import host


def report(done: int, total: int | None = None, message: str | None = None) -> None:
    """Reports that `done` of `total` steps are done, in any unit.

    Each report replaces the previous one.
    """
    host.current().progress(done, total, message)
