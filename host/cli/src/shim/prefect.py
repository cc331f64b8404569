"""Runs operations of `ophost` from Prefect, and passes the ids of the flow run and task run.

Written by `ophost shim prefect`. Needs Prefect 3, and `ophost` on the PATH.

    from ophost_prefect import run
    from prefect import flow, task

    @task
    def slugify(text: str) -> str:
        return run("slugify", {"text": text}, timeout="5s")["slug"]

    @flow
    def daily() -> list[str]:
        return slugify.map(["Hello, World!", "Good Morning"]).result()

The input consists of values that JSON has: `None`, `bool`, `int`, `str`, finite `float`, and
lists, tuples and dictionaries of them. No other value is converted silently. The error names the
path of the first other value, such as a NaN of pandas. To pass the rows of a data frame with None
for NaN:

    frame.astype(object).where(frame.notna(), None).to_dict("records")

In async code, `operation` returns an operation as an async function. Its input can be a model:

    process_jobs = operation("process_jobs")

    @task
    async def process_jobs_task(input: ProcessJobsInput):
        return await process_jobs(input)

`os.environ` is never changed, because tasks that run at the same time in one process would then
use each other's ids.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

from prefect.context import FlowRunContext, TaskRunContext

__all__ = ["OphostError", "operation", "prefect_env", "report", "run"]

MAX_DEPTH = 127  # the limit of `ophost` for JSON


class OphostError(RuntimeError):
    """A run that failed or did not start.

    `kind` is the failure kind, such as `timeout` or `invalid_input`. `message` is one line of
    text. `report` is the JSON output of the command.
    """

    def __init__(self, kind: str, message: str, report: dict[str, Any]) -> None:
        super().__init__(kind, message, report)  # all arguments, so that pickle works
        self.kind, self.message, self.report = kind, message, report

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def prefect_env() -> dict[str, str]:
    """Returns a copy of `os.environ` with the ids of the caller's flow run and task run.

    Pass the copy as `env=` to a child process. Outside of flows and tasks it has no changes.
    """
    env = dict(os.environ)
    flow, task = FlowRunContext.get(), TaskRunContext.get()
    if flow is None and task is None:
        return env
    flow_run_id = flow.flow_run.id if flow and flow.flow_run else None
    task_run_id = task.task_run.id if task else None
    if task and flow is None:
        flow_run_id = task.task_run.flow_run_id
    elif task and task.task_run.flow_run_id != flow_run_id:
        task_run_id = None  # a flow called in a task: the task belongs to an outer flow
    ids = {"PREFECT__FLOW_RUN_ID": flow_run_id, "PREFECT__TASK_RUN_ID": task_run_id}
    for name, value in ids.items():
        env.pop(name, None)  # the ids of a worker or parent are wrong here
        if value is not None:
            env[name] = str(value)
    return env


def report(operation: str, input: Any, **options: Any) -> dict[str, Any]:
    """Runs an operation and returns the report of `ophost run --json`.

    Options are flags of the command: `timeout="5s"`, `dry_run=True`, `plugins="plugins"`.
    An input that is not JSON gives an error of the kind `invalid_input`, and nothing is run.
    """
    try:
        # The default is ASCII output, which is independent of the locale.
        text = json.dumps(input, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = _find_unsupported("input", input) or str(error)
        return _failed("invalid_input", f"the input is not JSON: {problem}")
    flags = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in options.items()
        if value is not None and value is not False
    ]
    command = ["ophost", "run", "--json", "--input=-", *flags, "--", operation]
    done = subprocess.run(command, input=text, capture_output=True, env=prefect_env())
    try:
        return json.loads(done.stdout)
    except ValueError:
        message = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        return _failed("command", message)


def run(operation: str, input: Any, **options: Any) -> Any:
    """Runs an operation and returns its output, or raises `OphostError`.

    Options are those of `report`.
    """
    result = report(operation, input, **options)
    if result["status"] == "SUCCESS":
        return result["output"]
    error = result["error"]
    raise OphostError(error["kind"], error["message"], result)


def operation(name: str, **options: Any) -> Callable[[Any], Awaitable[Any]]:
    """Returns an operation as an async function of its input.

    The function returns the output, or raises `OphostError`. The input is a JSON value, or a model
    with the method `model_dump`. Options are those of `report`.
    """

    async def call(input: Any) -> Any:
        if hasattr(input, "model_dump"):
            input = input.model_dump(mode="json")
        # The thread has the context of the caller, and so its flow run and task run.
        return await asyncio.to_thread(run, name, input, **options)

    return call


def _failed(kind: str, message: str) -> dict[str, Any]:
    return {"run_id": None, "status": None, "error": {"kind": kind, "message": message}}


def _find_unsupported(path: str, value: Any, depth: int = 0) -> str | None:
    """Returns the path of the first value that JSON does not have, and its replacement."""
    if (problem := _problem(value)) is not None:
        return f"`{path}` {problem}"
    if depth > MAX_DEPTH:
        return f"`{path[:60]}...` is nested deeper than {MAX_DEPTH} levels, or contains itself"
    if isinstance(value, dict):
        for key, member in value.items():
            is_finite = not isinstance(key, float) or math.isfinite(key)
            if not is_finite or not isinstance(key, (str, int, float, type(None))):
                return f"`{path}` has the key {_shown(key)}, which is not text"
            problem = _find_unsupported(f"{path}[{_shown(key)}]", member, depth + 1)
            if problem is not None:
                return problem
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(value):
            problem = _find_unsupported(f"{path}[{index}]", member, depth + 1)
            if problem is not None:
                return problem
    return None


def _problem(value: Any) -> str | None:
    """Returns why JSON does not have a value, without looking at its members."""
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return "is NaN, which JSON does not have; write None for a missing value"
        return f"is {'-' if value < 0 else ''}Infinity, which JSON does not have"
    if value is None or isinstance(value, (str, int, float, dict, list, tuple)):
        return None
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    name = f"{module}{kind.__qualname__}"
    return f"is of type {name}, which JSON does not have{_conversion(value)}"


def _conversion(value: Any) -> str:
    """Returns how to convert a value, found by its attributes to avoid importing libraries."""
    if isinstance(value, (set, frozenset)):
        return "; write sorted(...) or list(...)"
    if isinstance(value, (bytes, bytearray)):
        return "; decode it, or encode it as base64"
    if type(value).__name__ in ("NaTType", "NAType"):
        return "; write None for a missing value"
    for method, call in (
        ("to_dicts", ".to_dicts()"),  # data frames of polars
        ("to_dict", '.to_dict("records")' if hasattr(value, "columns") else ".to_dict()"),
        ("isoformat", ".isoformat()"),
        ("tolist", ".tolist()"),  # arrays and scalars of numpy
        ("model_dump", '.model_dump(mode="json")'),
    ):
        if hasattr(value, method):
            return f"; write {call}"
    return "; convert it, such as by str(...)"


def _shown(key: Any) -> str:
    text = repr(key)
    return text if len(text) <= 60 else f"{text[:60]}..."
