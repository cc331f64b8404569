"""Case files, and the completion of defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ophost_sdk import BaseModel, Document, operation
from ophost_sdk.operations import OPERATIONS
from ophost_sdk.testing import Case, cases
from ophost_sdk.testing.patterns import Mismatch, Pattern
from ophost_sdk.testing.schemas import filled, violations


class Note(Document):
    text: str


@pytest.fixture(autouse=True)
def own_operations() -> Iterator[None]:
    known = dict(OPERATIONS)
    OPERATIONS.clear()

    @operation(category="demo")
    async def add_note(text: str) -> str:
        """Adds a note."""
        note = await Note(text=text).insert()
        return str(note.id)

    yield
    OPERATIONS.clear()
    OPERATIONS.update(known)


DONE = {"output": "<id:a>", "documents_after": {"notes": [{"_id": "<id:a>", "text": "x"}]}}


def case(**fields: Any) -> Case:
    return Case("add_note", {"name": "a case", "input": "x", **fields})


def test_a_case_that_holds() -> None:
    case(
        documents={"notes": [{"_id": "1", "text": "y"}]},
        output="<id:new>",
        documents_after={"notes": [{"_id": "<id:new>", "text": "x"}, {"_id": "1", "text": "y"}]},
        changes={"created": 1, "updated": 0, "deleted": 0},
    ).check()
    case(input=1, failure={"kind": "invalid_input", "violations": [{"pointer": ""}]}).check()
    case(flags={"dry_run": True, "timeout": "5s", "memory": "1MiB"}, output="<text>").check()
    case(output="<text>", documents_after={"notes": [{"_id": "<id:b>", "text": "x"}]}).check()
    with pytest.raises(ValueError, match="invalid value `5x`; expected a number and one of MS"):
        case(flags={"timeout": "5x"}, output="<text>").check()
    Case("add_note", None, {"description": "Adds a note.", "models_out": ["Note"]}).check()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"output": "y"}, "expected 'y', found 'new-000001'"),
        ({"output": "<id:a>"}, "notes: unexpected document"),
        ({"output": "<id:a>", "documents_after": {"notes": []}}, "unexpected document"),
        ({**DONE, "changes": {"created": 0}}, "unexpected field `updated`"),
        ({"output": "<id:a>", "item_errors": [{}]}, "expected [{}], found []"),
        ({"failure": {}}, "expected a failure, found the output"),
        ({"input": 1, "output": 1}, "expected an output, found the failure"),
    ],
)
def test_a_case_that_does_not_hold(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(Mismatch) as error:
        case(**wrong).check()
    assert message in str(error.value)


def test_wrong_metadata_and_a_missing_operation() -> None:
    with pytest.raises(Mismatch, match="/category: expected 'x', found 'demo'"):
        Case("add_note", None, {"category": "x"}).check()
    with pytest.raises(Mismatch, match="no operation `gone`; known operations: `add_note`"):
        Case("gone", {"name": "a", "input": 1, "output": 1}).check()
    with pytest.raises(Mismatch, match="needs either `output` or `failure`"):
        case().check()


def test_case_files_are_read_strictly(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no case files"):
        cases(tmp_path)
    content: dict[str, Any] = {"operation": "add_note", "metadata": {}, "cases": [{"name": "a"}]}
    (tmp_path / "add_note.json").write_text(json.dumps(content))
    assert [parameter.id for parameter in cases(tmp_path)] == ["add_note: metadata", "add_note: a"]
    content["cases"].append({"name": "a"})
    (tmp_path / "add_note.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="another case has the name `a`"):
        cases(tmp_path)
    content["cases"][0]["flag"] = 1
    (tmp_path / "add_note.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="unknown field `flag`"):
        cases(tmp_path)


def test_cases_that_need_the_limits_of_the_host_are_skipped(tmp_path: Path) -> None:
    kinds = ["timeout", "memory", "table", "stack", "output", "trap", "error", "effects"]
    content = {
        "operation": "add_note",
        "metadata": {},
        "cases": [{"name": kind, "input": "x", "failure": {"kind": kind}} for kind in kinds],
    }
    (tmp_path / "add_note.json").write_text(json.dumps(content))
    parameters = cases(tmp_path)
    skipped = [one for one in parameters if [mark.name for mark in one.marks] == ["skip"]]
    assert [one.values[0].fields["name"] for one in skipped] == kinds[:6]
    assert skipped[0].marks[0].kwargs == {"reason": "needs the limits of the host"}
    assert [len(one.marks) for one in parameters if one not in skipped] == [0, 0, 0]


def test_placeholders() -> None:
    def fits(expected: Any, actual: Any) -> bool:
        try:
            Pattern("r").check(expected, actual)
        except Mismatch:
            return False
        return True

    assert fits(["<id:a>", "<id:b>", "<id:a>"], ["1", "2", "1"])
    assert not fits(["<id:a>", "<id:a>"], ["1", "2"]) and not fits(["<id:a>", "<id:b>"], ["1", "1"])
    assert fits("<run>", "r") and not fits("<run>", None)
    assert fits("a: <text>", "a: b\nc") and not fits("a: <text>", "a: ")
    assert not fits("<text>", 1) and not fits(1, 1.0) and not fits(1, True)
    with pytest.raises(Mismatch, match="/properties: unexpected field `b`"):
        Pattern().check_part({"properties": {"a": 1}}, {"properties": {"a": 1, "b": 2}})


class Inner(BaseModel):
    b: int = 2


class Outer(BaseModel):
    a: int = 1
    inner: Inner
    many: list[Inner] = []
    optional: Inner | None = None
    pair: tuple[Inner, int] | None = None


def test_defaults_are_filled_in_as_the_host_does() -> None:
    schema = Outer.model_json_schema()
    value = {"inner": {}, "many": [{}, {"b": 3}], "optional": {}, "pair": [{}, 1]}
    assert filled(schema, value) == {
        "inner": {"b": 2},
        "many": [{"b": 2}, {"b": 3}],
        "optional": {},
        "pair": [{"b": 2}, 1],
        "a": 1,
    }
    assert filled(schema, 3) == 3


def test_violations_have_the_pointer_of_the_value() -> None:
    schema = Outer.model_json_schema()
    assert violations(schema, {"inner": {"b": "x", "c/d": 1}}) == [
        {"pointer": "/inner/c~1d", "problem": "unknown field"},
        {"pointer": "/inner/b", "problem": "'x' is not of type 'integer'"},
    ]
    assert violations(schema, {}) == [{"pointer": "/inner", "problem": "missing, but required"}]
    assert violations(schema, {"inner": {"b": 5.0}}) == []
