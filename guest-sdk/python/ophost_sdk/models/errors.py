"""Errors of values that do not match a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Path = tuple["str | int", ...]


@dataclass(frozen=True)
class Problem:
    """One wrong value: its path, the reason, and the value itself."""

    path: Path
    reason: str
    value: Any = None
    is_missing: bool = False

    @property
    def place(self) -> str:
        """The path as text. A missing field is a problem of its object."""
        return dotted(self.path[:-1] if self.is_missing else self.path)

    def __str__(self) -> str:
        return f"`{self.place}`: {self.reason}" if self.place else self.reason


def dotted(path: Path) -> str:
    """Returns a path as text: field names and indexes, joined by dots."""
    return ".".join(str(part) for part in path)


class ValidationError(ValueError):
    """Values that do not match a model. The message names the path of each wrong value."""

    def __init__(self, title: str, problems: list[Problem]) -> None:
        super().__init__(title, problems)
        self.title = title
        self.problems = problems

    def errors(self) -> list[dict[str, Any]]:
        """Returns the problems as dictionaries with the keys `loc`, `msg` and `input`."""
        return [
            {"loc": problem.path, "msg": problem.reason, "input": problem.value}
            for problem in self.problems
        ]

    def error_count(self) -> int:
        """Returns the number of problems."""
        return len(self.problems)

    def __str__(self) -> str:
        return f"invalid `{self.title}`: {'; '.join(map(str, self.problems))}"
