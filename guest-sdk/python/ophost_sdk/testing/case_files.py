"""Case files: the expected behaviour of operations, in the format of `ophost test`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ophost_sdk.operations import OPERATIONS, Operation
from ophost_sdk.testing.documents import Memory, memory
from ophost_sdk.testing.patterns import Mismatch, Pattern
from ophost_sdk.testing.runs import Report, run

_FILE_FIELDS = {"operation", "metadata", "cases"}
_CASE_FIELDS = {
    *("name", "flags", "documents", "input", "output", "failure", "item_errors"),
    *("documents_after", "changes", "result_refs"),
}
# The flags of a case, and the parameters of `run`. The limit of memory has no effect here.
_FLAGS = {
    **{"user": "user_id", "channel": "channel", "dry_run": "dry_run", "test_mode": "test_mode"},
    **{"verbose": "verbose", "record": "record", "idempotency_key": "idempotency_key"},
    **{"timeout": "timeout", "max_effects": "max_effects", "memory": None},
}
# The failure kinds of a limit or a trap, which only the host has.
_HOST_KINDS = {"timeout", "memory", "table", "stack", "output", "trap"}
_BYTES = {"": 1, "B": 1, "KB": 1_000, "MB": 1_000**2, "KIB": 1_024, "MIB": 1_024**2}
_SECONDS = {"MS": 0.001, "S": 1, "M": 60, "H": 3_600}


@dataclass(frozen=True)
class Case:
    """One run and its expected result, or the expected metadata of an operation."""

    operation: str
    # The case; None for the metadata of the file.
    fields: dict[str, Any] | None
    metadata: dict[str, Any] | None = None

    @property
    def needs_host(self) -> bool:
        """Whether the case expects a failure that plain Python does not have."""
        failure = (self.fields or {}).get("failure")
        return isinstance(failure, dict) and failure.get("kind") in _HOST_KINDS

    def __str__(self) -> str:
        return f"{self.operation}: {self.fields['name'] if self.fields else 'metadata'}"

    def check(self) -> None:
        """Runs the case with empty documents. Raises `AssertionError` for a difference.

        `result_refs` is not compared, because it is a part of the run record.
        """
        operation = OPERATIONS.get(self.operation)
        if operation is None:
            known = ", ".join(f"`{name}`" for name in OPERATIONS) or "none"
            raise Mismatch(f"there is no operation `{self.operation}`; known operations: {known}")
        if self.fields is None:
            Pattern().check_part(self.metadata, describe(operation))
        else:
            _check_run(operation, self.fields)


def cases(directory: str | Path = "cases") -> list[Any]:
    """Returns the cases of all files in a directory, as parameters of `pytest.mark.parametrize`.

        @pytest.mark.parametrize("case", cases("cases"))
        def test_case(case):
            case.check()

    A relative path starts at the directory of the calling file. A case that expects a failure of a
    limit of the host, such as `timeout`, is skipped.
    """
    import inspect

    import pytest

    caller = inspect.stack()[1].filename
    folder = Path(caller).parent / directory
    files = sorted(folder.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"`{folder}` has no case files")
    skip = pytest.mark.skip(reason="needs the limits of the host")
    return [
        pytest.param(case, id=str(case), marks=[skip] if case.needs_host else [])
        for file in files
        for case in _read(file)
    ]


def describe(operation: Operation) -> dict[str, Any]:
    """Returns the metadata of an operation, as far as `ophost describe --json` has it."""
    return {
        "name": operation.name,
        "description": operation.description,
        "category": operation.category,
        "input_schema": operation.input_schema,
        "output_schema": operation.output_schema,
        "tags": operation.tags,
        "permissions": operation.permissions,
        "models_in": operation.models_in,
        "models_out": operation.models_out,
        "stage": operation.stage,
        "async_enabled": operation.async_enabled,
        "create_taskrun": operation.create_taskrun,
    }


def _read(file: Path) -> list[Case]:
    content = json.loads(file.read_text(encoding="utf-8"))
    _check_fields(str(file), content, _FILE_FIELDS)
    operation, metadata = content["operation"], content.get("metadata")
    names: set[str] = set()
    for fields in content["cases"]:
        _check_fields(f"{file}: {fields.get('name')}", fields, _CASE_FIELDS)
        if fields["name"] in names:
            raise ValueError(f"{file}: another case has the name `{fields['name']}`")
        names.add(fields["name"])
        _check_fields(f"{file}: {fields.get('name')}", fields.get("flags", {}), set(_FLAGS))
    first = [] if metadata is None else [Case(operation, None, metadata)]
    return first + [Case(operation, fields) for fields in content["cases"]]


def _check_fields(place: str, content: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(content.keys() - known)
    if unknown:
        raise ValueError(f"{place}: unknown field `{unknown[0]}`")


def _check_run(operation: Operation, fields: dict[str, Any]) -> None:
    documents = memory()
    before = fields.get("documents", {})
    for collection, bodies in before.items():
        for body in bodies:
            content = {name: value for name, value in body.items() if name != "_id"}
            documents.seed_json(collection, body["_id"], content)
    report = run(operation, fields["input"], **_flags(fields.get("flags", {})))
    pattern = Pattern(report.run_id)
    _check_outcome(fields, report, pattern)
    item_errors = [
        {name: value for name, value in error.items() if name != "traceback"}
        for error in report.item_errors
    ]
    pattern.check_part(fields.get("item_errors", []), item_errors)
    _check_documents({**before, **fields.get("documents_after", {})}, documents, pattern)
    if "changes" in fields:
        pattern.check(fields["changes"], report.changes)


def _check_outcome(fields: dict[str, Any], report: Report, pattern: Pattern) -> None:
    if ("output" in fields) == ("failure" in fields):
        raise Mismatch(f"the case `{fields['name']}` needs either `output` or `failure`")
    if "failure" in fields:
        if report.is_success:
            raise Mismatch(f"expected a failure, found the output {report.output!r}")
        pattern.check_part(fields["failure"], report.error())
        return
    if report.failure is not None:
        raise Mismatch(f"expected an output, found the failure {report.error()}")
    pattern.check(fields["output"], report.output)


def _check_documents(
    expected: dict[str, list[dict[str, Any]]], documents: Memory, pattern: Pattern
) -> None:
    """Compares all collections. One that the case does not name must have no documents."""
    for collection in {**expected, **dict.fromkeys(documents.collections())}:
        bodies = expected.get(collection, [])
        found = documents.documents(collection)
        actual = [{"_id": id, **body} for id, body in found.items()]
        pattern.check_documents(collection, bodies, actual)


def _flags(flags: dict[str, Any]) -> dict[str, Any]:
    """Returns the parameters of `run`."""
    converted: dict[str, Any] = {"test_mode": False}
    for name, value in flags.items():
        parameter = _FLAGS[name]
        if parameter == "timeout":
            converted[parameter] = _quantity(value, _SECONDS)
        elif parameter == "max_effects":
            converted[parameter] = int(_quantity(value, _BYTES))
        elif parameter is not None:
            converted[parameter] = value
    return converted


def _quantity(text: str, units: Mapping[str, float]) -> float:
    """Returns the value of a text such as `64MiB` or `5s`."""
    parts = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", text)
    if parts is None or parts[2].upper() not in units:
        known = ", ".join(unit for unit in units if unit)
        raise ValueError(f"invalid value `{text}`; expected a number and one of {known}")
    return int(parts[1]) * units[parts[2].upper()]
