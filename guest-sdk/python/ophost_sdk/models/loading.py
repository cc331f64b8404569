"""The state of one validation: its options, and the problems so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ophost_sdk.json_text import type_name
from ophost_sdk.models.errors import Path, Problem
from ophost_sdk.models.fields import MISSING

Extra = Literal["ignore", "allow", "forbid"]


@dataclass
class Loading:
    """A validation in progress."""

    # How unknown fields are treated, instead of the setting of each model.
    extra: Extra | None = None
    # How unknown fields are treated by models without a setting.
    default_extra: Extra = "forbid"
    problems: list[Problem] = field(default_factory=list)

    def attempt(self) -> Loading:
        """Returns a validation with the same options and no problems."""
        return Loading(self.extra, self.default_extra)

    def fail(self, path: Path, reason: str, value: Any = None) -> Any:
        """Adds a problem. Returns `MISSING`, which stands for a value that does not match."""
        self.problems.append(Problem(path, reason, value))
        return MISSING

    def missing(self, path: Path) -> Any:
        """Adds the problem that a field is missing."""
        self.problems.append(Problem(path, f"missing field `{path[-1]}`", is_missing=True))
        return MISSING

    def mismatch(self, path: Path, expected: str, value: Any) -> Any:
        """Adds the problem that a value has another type."""
        return self.fail(path, f"expected {expected}, found {type_name(value)}", value)
