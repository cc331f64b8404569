"""The decorator, and the execution of operations."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ophost_sdk import (
    BaseModel,
    Collection,
    Document,
    DocumentError,
    Failure,
    Field,
    ReadCollection,
    ValidationError,
    context,
    item_errors,
    log,
    operation,
    progress,
)
from ophost_sdk.models.errors import Problem
from ophost_sdk.operations import OPERATIONS, of
from ophost_sdk.testing import invoke, memory, run


class Job(Document):
    title: str
    days: int = 0


class Person(Document):
    name: str

    class Settings:
        name = "people"


class Input(BaseModel):
    """What to do."""

    name: str = Field("World", min_length=1)
    dry_run: bool = False
    user_id: str | None = None


class Output(BaseModel):
    text: str
    task_run_id: str | None = None


@pytest.fixture(autouse=True)
def own_operations() -> Iterator[None]:
    known = dict(OPERATIONS)
    yield
    OPERATIONS.clear()
    OPERATIONS.update(known)


def test_the_function_describes_the_operation() -> None:
    @operation(category="demo")
    def greet(input: Input) -> Output:
        """Greets.

        With details.
        """
        return Output(text=input.name)

    described = of(greet)
    assert described.name == "greet" and described.description == "Greets.\n\nWith details."
    assert (described.tags, described.stage, described.create_taskrun) == ([], None, True)
    assert described.input_schema["title"] == "Input"
    assert described.output_schema["required"] == ["text", "task_run_id"]
    assert greet(Input(name="Ada")).text == "Ada"


def test_all_parameters_of_the_decorator() -> None:
    @operation(
        name="flow.step",
        description="Does it.",
        category="demo",
        inputs=Input,
        outputs=Output,
        tags=["a"],
        permissions=["jobs:write"],
        async_enabled=True,
        models_in=["Job"],
        models_out=["Person"],
        stage="extract",
        create_taskrun=False,
        annotations={"ophost.idempotent": True},
    )
    async def step(input):  # type: ignore[no-untyped-def]
        return Output(text="x")

    described = of(step)
    assert (described.models_in, described.models_out) == (["Job"], ["Person"])
    assert described.annotations == {
        "ophost.idempotent": True,
        "ophost.collections": {"Person": "people"},
    }
    assert asyncio.run(step(Input())).text == "x"


def test_collections_declare_their_models() -> None:
    @operation(category="demo")
    def copy(name: str, people: ReadCollection[Person], jobs: Collection[Job]) -> int:
        """Copies."""
        jobs.insert(Job(title=people.require(name).name))
        return jobs.count()

    described = of(copy)
    assert (described.models_in, described.models_out) == (["Person"], ["Job"])
    store = memory()
    store.seed(Person(id="1", name="Ada"))
    assert invoke(copy, '"1"') == "1"
    assert store.documents("jobs")["new-000001"] == {"title": "Ada", "days": 0}


def test_models_of_the_module_are_the_default() -> None:
    @operation(category="demo")
    def anything() -> None:
        """Does anything."""

    @operation(category="demo", models_out=[])
    def nothing() -> None:
        """Does nothing."""

    assert of(anything).models_out == ["Job", "Person"] and of(anything).has_module_models
    assert of(nothing).models_out == [] and not of(nothing).has_module_models
    assert of(anything).input_schema["title"] == "No input"
    assert of(anything).output_schema["type"] == "null"
    assert invoke(anything, "{}") == "null"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "A-b"}, "`A-b` is not a valid operation name: expected parts of"),
        ({"name": "ophost.x"}, "names under `ophost` are reserved"),
        ({"description": " "}, "the description must not be empty"),
        ({"category": ""}, "the category must not be empty"),
        ({"category": "x" * 129}, "the category has 129 bytes, at most 128 are allowed"),
        ({"annotations": {"a": object()}}, "`a` is of type `object`, which JSON does not have"),
    ],
)
def test_mistakes_in_the_decorator(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):

        @operation(**{"category": "demo", **settings})
        def mistake() -> None:
            """Is a mistake."""


def test_the_decorator_needs_arguments() -> None:
    with pytest.raises(TypeError, match=r"write `@operation\(category=\.\.\.\)`"):

        @operation  # type: ignore[call-arg, arg-type]
        def bare() -> None:
            """Has no arguments."""


TWICE = '''
from ophost_sdk import operation

@operation(category="demo")
def same() -> int:
    """Returns 1."""
    return 1

@operation(category="demo")
def same() -> int:
    """Returns 2."""
    return 2
'''


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of modules. Its module `plugin` is forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    sys.modules.pop("plugin", None)


def test_two_functions_of_a_module_cannot_have_one_name(modules: Path) -> None:
    (modules / "plugin.py").write_text(TWICE)
    message = "name `same`: `plugin.same` in line 4 and `plugin.same` in line 9"
    with pytest.raises(ValueError, match=message):
        importlib.import_module("plugin")


def test_a_module_can_be_imported_again(modules: Path) -> None:
    first = TWICE[: TWICE.rindex("@operation")]
    (modules / "plugin.py").write_text(first)
    plugin = importlib.import_module("plugin")
    assert run(OPERATIONS["same"]).output == 1
    (modules / "plugin.py").write_text(f"# A new line.\n{first.replace('return 1', 'return 3')}")
    importlib.reload(plugin)
    assert run(OPERATIONS["same"]).output == 3
    del sys.modules["plugin"]
    other = modules / "other"
    other.mkdir()
    (other / "plugin.py").write_text(f"\n\n{first.replace('return 1', 'return 4')}")
    sys.path.insert(0, str(other))
    try:
        importlib.import_module("plugin")
    finally:
        sys.path.remove(str(other))
    assert run(OPERATIONS["same"]).output == 4


def test_mistakes_in_functions() -> None:
    with pytest.raises(ValueError, match="operation `silent` has no description"):

        @operation(category="demo")
        def silent() -> None: ...

    @operation(category="demo")
    def twice() -> None:
        """Is there twice."""

    with pytest.raises(ValueError, match="two operations have the name `twice`"):

        @operation(category="demo", name="twice")
        def other() -> None:
            """Is the other."""

    @operation(category="demo")
    def two(a: int, b: int) -> None:
        """Takes two."""

    @operation(category="demo")
    def untyped(a):  # type: ignore[no-untyped-def]
        """Takes something."""

    @operation(category="demo")
    def bad(a: bytes) -> None:
        """Takes bytes."""

    @operation(category="demo")
    def no_model(a: Collection[int]) -> None:  # type: ignore[type-var]
        """Takes a collection of integers."""

    for function, message in [
        (two, "`.*two` has the parameters `a`, `b`; an operation has at most one input"),
        (untyped, "the type of the input is unknown; add a type hint, or `inputs=`"),
        (bad, "the input: the type `bytes` has no JSON Schema"),
        (no_model, "`Collection` needs a model that is derived from `Document`, found `int`"),
    ]:
        with pytest.raises(TypeError, match=message):
            _ = of(function).signature
    with pytest.raises(TypeError, match="is not an operation; decorate it"):
        of(len)


def test_asynchronous_operations() -> None:
    @operation(category="demo")
    async def count() -> list[int]:
        """Counts."""

        async def later(number: int) -> int:
            await asyncio.sleep(number / 1000)
            order.append(number)
            return number

        order: list[int] = []
        numbers = await asyncio.gather(later(3), later(1), Job.count())
        asyncio.get_running_loop().create_task(asyncio.sleep(1000))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(1), 0.001)
        return [*numbers, *order]

    @operation(category="demo")
    async def stuck() -> None:
        """Waits for nothing."""
        await asyncio.Event().wait()

    memory()
    assert invoke(count, "{}") == "[3,1,0,1,3]"
    with pytest.raises(Failure, match="the operation waits for something that cannot happen"):
        invoke(stuck, "{}")

    async def nested() -> None:
        with pytest.raises(Failure, match="call the function with `await` instead"):
            invoke(count, "{}")

    asyncio.run(nested())


def test_inputs_and_outputs_are_validated_against_their_schemas() -> None:
    @operation(category="demo", async_enabled=True)
    def greet(input: Input) -> Output:
        """Greets."""
        output = Output(text=f"Hello, {input.name}")
        if input.name == "bad":
            output.text = 1  # type: ignore[assignment]
        return output

    report = run(greet)
    assert report.output == {"text": "Hello, World", "task_run_id": report.run_id}
    assert report.run_id is not None
    report = run(greet, {"name": "", "x": 1})
    assert report.kind == "invalid_input" and report.failure is not None
    assert report.failure.message.startswith("the input of `greet` breaks its schema: /x: unknown")
    assert [one["pointer"] for one in report.violations] == ["/x", "/name"]
    report = run(greet, {"name": "bad"})
    assert report.kind == "invalid_output" and report.violations[0]["pointer"] == "/text"
    with pytest.raises(Failure, match="invalid input: "):
        invoke(greet, "{")


def test_failures() -> None:
    @operation(category="demo")
    def fail(kind: str) -> Any:
        """Fails."""
        match kind:
            case "error":
                raise Failure("no", code="c", details={"a": 1})
            case "cause":
                raise Failure.permanent("no") from KeyError("x")
            case "retry":
                raise Failure.retryable("busy")
            case "key":
                return {}[kind]
            case "exit":
                raise SystemExit(3)
            case "missing":
                Collection(Job).require("1")
            case "lines":
                raise ValidationError("Two", [Problem((), "one\ntwo")])
            case "syntax":
                return eval("1 +")
            case "json":
                return {"a": [1, object()]}
            case "nan":
                return float("nan")
            case "large":
                return 2**64

    def failure(kind: str) -> Failure:
        error = run(fail, kind).failure
        assert error is not None
        return error

    memory()
    error = failure("error")
    assert (error.kind, error.message, error.code, error.details, error.traceback) == (
        *("error", "no", "c", {"a": 1}),
        None,
    )
    assert failure("cause").kind == "permanent" and failure("retry").kind == "retryable"
    assert "KeyError: 'x'" in (failure("cause").traceback or "")
    error = failure("key")
    assert (error.message, error.code, error.kind) == ("KeyError: 'key'", "KeyError", "error")
    assert error.traceback is not None and error.traceback.startswith("Traceback (most recent")
    assert "return {}[kind]" in error.traceback and "dispatch.py" not in error.traceback
    error = failure("exit")
    assert error.message == "the operation called `exit(3)`; raise `Failure` to end a run"
    error = failure("missing")
    assert (error.message, error.code) == ("document `1` does not exist in `jobs`", "not-found")
    assert failure("lines").message == "ValidationError: invalid `Two`: one two"
    assert failure("syntax").message == "SyntaxError: invalid syntax"
    error = failure("json")
    assert (error.message, error.code) == (
        "invalid output: `a.1` is of type `object`, which JSON does not have",
        "invalid-output",
    )
    assert failure("nan").message == "invalid output: the value is nan, which JSON does not have"
    assert (
        failure("large").message == "invalid output: the value is an integer of more than 64 bits"
    )


@pytest.mark.parametrize("is_component", [False, True])
def test_out_of_memory_ends_a_component(
    is_component: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    @operation(category="demo")
    def allocate() -> None:
        """Allocates memory."""
        raise MemoryError

    monkeypatch.setattr("ophost_sdk.dispatch.IS_COMPONENT", is_component)
    with pytest.raises(MemoryError if is_component else Failure):
        invoke(allocate, "{}")


def test_a_failed_run_changes_nothing() -> None:
    @operation(category="demo")
    def rename(title: str, jobs: Collection[Job]) -> None:
        """Renames."""
        jobs.set("1", {"title": title})
        if not title:
            raise Failure("no title")

    store = memory()
    store.seed(Job(id="1", title="Baker"))
    assert run(rename, "").failure is not None
    assert store.documents("jobs")["1"]["title"] == "Baker"
    report = run(rename, "Cook", dry_run=True)
    assert report.changes == {"created": 0, "updated": 1, "deleted": 0}
    assert store.documents("jobs")["1"]["title"] == "Baker"
    assert run(rename, "Cook").is_success
    assert store.documents("jobs")["1"]["title"] == "Cook"


@pytest.mark.parametrize("is_handled", [False, True])
def test_a_caught_error_of_a_document_call_discards_the_writes(is_handled: bool) -> None:
    @operation(category="demo")
    async def careless() -> str:
        """Catches errors."""
        await Job(title="new").insert()
        try:
            await Job.find({"a": {"$like": 1}}).to_list()
        except DocumentError as error:
            if is_handled:
                error.handled()
        return "done"

    store = memory()
    report = run(careless)
    assert report.output == "done"
    assert len(store.documents("jobs")) == is_handled
    warnings = [entry.message for entry in report.logs if entry.level == "warn"]
    if is_handled:
        assert warnings == []
    else:
        (warning,) = warnings
        assert warning.startswith(
            "all document changes of the run are discarded, because it caught"
        )
        assert warning.endswith("call `error.handled()` to keep the changes")


def test_an_operation_can_access_only_its_models() -> None:
    @operation(category="demo", models_in=["Job"])
    def snoop(what: str) -> None:
        """Accesses documents."""
        if what == "write":
            Job(title="x").insert()
        elif what == "other":
            Person.get("1")
        else:
            Job.get("1")

    memory()
    for what, message in [
        ("write", "the models of the operation allow only reading the collection `jobs`"),
        ("other", "the collection `people` is not in the models of the operation"),
    ]:
        error = run(snoop, what).failure
        assert error is not None
        assert (error.message, error.code, error.kind) == (message, "denied", "permanent")
    assert run(snoop, "read").is_success


def test_the_size_of_the_changes_is_limited() -> None:
    @operation(category="demo")
    async def fill() -> str:
        """Writes much."""
        try:
            for number in range(10):
                await Job(id=str(number), title="x" * 100).insert()
        except Exception:
            return "caught"
        return "done"

    store = memory()
    report = run(fill, max_effects=1_000)
    assert report.kind == "effects" and not report.is_success
    assert store.documents("jobs") == {}
    assert run(fill, max_effects=10_000).output == "done"


def test_logs_progress_and_item_errors() -> None:
    @operation(category="demo")
    def talk() -> None:
        """Talks."""
        log.trace("t")
        log.debug("d", data={"a": 1})
        log.info(3)
        log.warn("w")
        log.error("e", data=object())
        logging.getLogger("lib").warning("w %s", 1)
        logging.info("root")
        progress.report(1, 2, "half")
        progress.report(2)
        item_errors.add(0, {"a": 1}, "bad")
        try:
            int("x")
        except ValueError as error:
            item_errors.add(1, "x", error)

    report = run(talk)
    assert [(entry.level, entry.message, entry.data) for entry in report.logs] == [
        ("trace", "t", None),
        ("debug", "d", {"a": 1}),
        ("info", "3", None),
        ("warn", "w", None),
        ("error", "e", "the value is of type `object`, which JSON does not have"),
        ("warn", "w 1", {"logger": "lib"}),
        ("info", "root", None),
    ]
    assert report.progress == [
        {"done": 1, "total": 2, "message": "half"},
        {"done": 2, "total": None, "message": None},
    ]
    assert report.item_errors[0] == {"index": 0, "item": {"a": 1}, "error": "bad"}
    assert report.item_errors[1]["error"] == "invalid literal for int() with base 10: 'x'"
    assert "ValueError" in report.item_errors[1]["traceback"]


def test_the_context_of_a_run() -> None:
    @operation(category="demo")
    def properties(input: Input) -> Any:
        """Returns the properties of the run."""
        assert context.time_left().total_seconds() > 1
        assert context.deadline() > context.now() and context.random() != context.random()
        return {
            "user": context.user_id(),
            "dry_run": context.dry_run(),
            "flags": [context.test_mode(), context.verbose()],
            "attempt": context.attempt(),
            "key": context.idempotency_key(),
            "channel": context.channel(),
            "run": context.run_id(),
        }

    expected = {
        **{"user": None, "dry_run": False, "flags": [True, False], "attempt": 1, "key": None},
        **{"channel": "native", "run": None},
    }
    assert run(properties).output == expected
    changed = run(properties, {"user_id": "ann", "dry_run": True}, verbose=True, attempt=2)
    assert changed.output == {
        **expected,
        **{"user": "ann", "dry_run": True, "flags": [True, True], "attempt": 2},
    }
    recorded = run(properties, {"user_id": "ann"}, user_id="bob", record=True)
    assert recorded.output["user"] == "bob" and recorded.output["run"] == recorded.run_id
    assert context.user_id() is None


def test_an_operation_calls_another_one_as_a_function() -> None:
    @operation(category="demo")
    def inner() -> int:
        """Returns 1."""
        return 1

    @operation(category="demo")
    def outer(as_run: bool) -> int:
        """Calls the other."""
        return run(inner).output if as_run else inner()  # type: ignore[no-any-return]

    assert run(outer, False).output == 1
    with pytest.raises(Failure, match="cannot run `inner` within another run; call the function"):
        invoke(outer, "true")
