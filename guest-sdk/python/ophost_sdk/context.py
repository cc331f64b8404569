"""Properties of the current run and of its caller.

Under plain Python there is no run. The functions return the values of a first attempt in test
mode, without a record and with a deadline in 60 s.
"""

from __future__ import annotations

import datetime

from ophost_sdk import host


def run_id() -> str | None:
    """Returns the id of the run's record, or None if the run is not recorded."""
    return host.current().context.run_id()


def user_id() -> str | None:
    """Returns the user of the run, or None if the caller named no user."""
    return host.current().context.user_id()


def channel() -> str:
    """Returns the channel of the call, such as `cli` or `api`."""
    return host.current().context.channel()


def dry_run() -> bool:
    """Returns whether the run is a dry run. The host discards its writes."""
    return host.current().context.dry_run()


def test_mode() -> bool:
    """Returns whether the caller marked the run as a test."""
    return host.current().context.test_mode()


def verbose() -> bool:
    """Returns whether the caller asked for verbose output."""
    return host.current().context.verbose()


def attempt() -> int:
    """Returns the number of this attempt, from 1."""
    return host.current().context.attempt()


def deadline() -> datetime.datetime:
    """Returns the time at which the host stops the run, in UTC."""
    return _time(host.current().context.deadline())


def time_left() -> datetime.timedelta:
    """Returns the time until the deadline, or zero after it."""
    return max(deadline() - now(), datetime.timedelta())


def idempotency_key() -> str | None:
    """Returns the idempotency key of the run, or None if the caller set none."""
    return host.current().context.idempotency_key()


def now() -> datetime.datetime:
    """Returns the current time in UTC, with millisecond precision."""
    return _time(host.current().context.now())


def random() -> int:
    """Returns 64 random bits from a cryptographically secure source."""
    return host.current().context.random()


def _time(milliseconds: int) -> datetime.datetime:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return epoch + datetime.timedelta(milliseconds=milliseconds)
