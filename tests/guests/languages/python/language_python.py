"""The operations of the language table in Python.

`README.md` of the parent directory describes them.
"""

import os
import time

from ophost_sdk import (
    BaseModel,
    Collection,
    Document,
    Failure,
    Field,
    item_errors,
    log,
    operation,
    progress,
)


class Echo(BaseModel):
    """A text and a number."""

    text: str = Field(..., description="The text.")
    times: int = Field(2, description="The number.", ge=1, le=3)


@operation(category="languages", tags=["first", "second"])
def echo(input: Echo) -> Echo:
    """Returns its input."""
    return input


class Integers(BaseModel):
    """Integers of 64 bits."""

    signed: int
    unsigned: int


@operation(category="languages")
def integers(input: Integers) -> Integers:
    """Returns its integers."""
    return input


class Note(Document):
    """A note."""

    title: str
    count: int


class Minimum(BaseModel):
    """The smallest count of a changed note."""

    minimum: int


class Changed(BaseModel):
    """The changed notes."""

    changed: list[str]
    created: str
    total: int


@operation(category="languages", async_enabled=True)
def change_notes(input: Minimum, notes: Collection[Note]) -> Changed:
    """Adds 10 to notes, deletes the note `c`, and creates a note."""
    changed = []
    notes.delete("c")
    for note in notes.find({"count": {"$gte": input.minimum}}).sort("-count"):
        note.count += 10
        notes.save(note)
        changed.append(note.id)
    created = notes.insert(Note(title="new", count=0))
    return Changed(changed=changed, created=notes.require(created).id, total=notes.count())


@operation(category="languages")
def log_levels() -> None:
    """Writes a log entry of each level."""
    log.trace("a trace")
    log.debug("a debug")
    log.info("an info")
    log.warn("a warn")
    log.error("an error")


@operation(category="languages")
def report_progress() -> None:
    """Reports progress and pauses."""
    progress.report(1, 4, "a quarter")
    time.sleep(0.5)


@operation(category="languages")
def add_item_errors() -> None:
    """Adds errors for two items."""
    item_errors.add(0, "first", "the first is broken")
    item_errors.add(2, "third", "the third is broken")


@operation(category="languages")
def fail() -> None:
    """Returns a permanent failure."""
    raise Failure.permanent("nothing is left", code="no-stock", details={"left": 0})


def look_up(key: str) -> int:
    """Raises a `KeyError`."""
    return {}[key]


@operation(category="languages", name="raise")
def raise_error() -> int:
    """Fails with an exception."""
    return look_up("nothing")


@operation(category="languages")
def abort() -> None:
    """Ends without a result."""
    os.abort()


@operation(category="languages")
def spin() -> None:
    """Loops forever."""
    while True:
        pass


@operation(category="languages")
def allocate() -> None:
    """Allocates memory forever."""
    blocks = []
    while True:
        blocks.append(b"1" * (1 << 20))
