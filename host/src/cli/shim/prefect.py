"""Runs operations of `ophost` from Prefect: each run knows its flow run and its task run.

Written by `ophost shim prefect`. Needs Prefect 3, and `ophost` on the PATH.

    from ophost_prefect import run
    from prefect import flow, task

    @task
    def slugify(text: str) -> str:
        return run("slugify", {"text": text}, timeout="5s")["slug"]

    @flow
    def daily() -> list[str]:
        return slugify.map(["Hello, World!", "Good Morning"]).result()

In an async task: `await asyncio.to_thread(run, "slugify", {"text": text})`.

`os.environ` is never changed: tasks that run at the same time in one process would get
each other's ids.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from prefect.context import FlowRunContext, TaskRunContext

__all__ = ["OphostError", "prefect_env", "report", "run"]


class OphostError(RuntimeError):
    """A run that failed, or did not begin.

    `kind` is a word for programs, such as `timeout` or `invalid_input`; `message` is a line
    for people; `report` is all that the command said.
    """

    def __init__(self, kind: str, message: str, report: dict[str, Any]) -> None:
        super().__init__(kind, message, report)  # all of it, so that it can be pickled
        self.kind, self.message, self.report = kind, message, report

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def prefect_env() -> dict[str, str]:
    """Returns a copy of `os.environ` that names the flow run and the task run of the caller.

    Pass it as `env=` to a child process. Outside of flows and tasks nothing is changed.
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
        task_run_id = None  # a flow that was called in a task: the task is further out
    ids = {"PREFECT__FLOW_RUN_ID": flow_run_id, "PREFECT__TASK_RUN_ID": task_run_id}
    for name, value in ids.items():
        env.pop(name, None)  # a worker's, or a parent's: stale here
        if value is not None:
            env[name] = str(value)
    return env


def report(operation: str, input: Any, **options: Any) -> dict[str, Any]:
    """Runs an operation and returns all that `ophost run --json` says about it.

    Options are flags of the command: `timeout="5s"`, `dry_run=True`, `plugins="plugins"`.
    """
    flags = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in options.items()
        if value is not None and value is not False
    ]
    command = ["ophost", "run", "--json", "--input=-", *flags, "--", operation]
    # ASCII alone, so that no locale matters.
    text = json.dumps(input).encode()
    done = subprocess.run(command, input=text, capture_output=True, env=prefect_env())
    try:
        return json.loads(done.stdout)
    except ValueError:
        message = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        return {"status": None, "error": {"kind": "command", "message": message}}


def run(operation: str, input: Any, **options: Any) -> Any:
    """Runs an operation and returns its output, or raises `OphostError`.

    Options are those of `report`.
    """
    said = report(operation, input, **options)
    if said["status"] == "SUCCESS":
        return said["output"]
    error = said["error"]
    raise OphostError(error["kind"], error["message"], said)
