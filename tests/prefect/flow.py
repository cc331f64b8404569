"""Flows of a real Prefect whose tasks call `ophost`, by the shim.

`cargo xtask prefect` runs this, with the shim and the command in their places.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from uuid import UUID

from ophost_prefect import OphostError, prefect_env, report, run
from prefect import flow, task
from prefect.context import FlowRunContext, TaskRunContext
from prefect.task_runners import ThreadPoolTaskRunner

AT_ONCE = 24
IN_A_ROW = 5
STALE = "99999999-9999-4999-8999-999999999999"
PAGES = "http://127.0.0.1:4200"

EXPECTED = IN_A_ROW + AT_ONCE + 6  # outer, inner twice, a task between, async, alone

UNCHECKED = 1  # the async task's first call

recorded: dict[str, tuple[str | None, str | None]] = {}
recorded_lock = threading.Lock()


def here() -> tuple[str | None, str | None]:
    """The ids that Prefect itself says: the inner flow's, and the task's if it is in it."""
    flow_run, task_run = FlowRunContext.get(), TaskRunContext.get()
    return (
        str(flow_run.flow_run.id) if flow_run else None,
        str(task_run.task_run.id) if task_run else None,
    )


def checked(text: str, expected: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    """Runs an operation, and checks that the run names the flow run and the task run."""
    said = report("slugify", {"text": text})
    assert said["status"] == "SUCCESS", said
    assert said["output"] == {"slug": text.lower()}, said
    known = said["orchestration"]
    found = (known["prefect_flow_run_id"], known["prefect_task_run_id"])
    assert known["orchestrated"] is True and found == expected, (known, expected)
    assert [system["system"] for system in known["systems"]] == ["prefect"], known
    flow_run_id, task_run_id = found
    page = f"task-run/{task_run_id}" if task_run_id else f"flow-run/{flow_run_id}"
    assert known["run_url"] == f"{PAGES}/runs/{page}", known
    for one in found:
        assert one is None or str(UUID(one)) == one
    with recorded_lock:
        recorded[said["run_id"]] = found
    return found


together = threading.Barrier(AT_ONCE)


@task
def one(text: str):
    return checked(text, here())


@task
def one_of_many(text: str):
    expected = here()
    together.wait(timeout=60)  # all of them are running now
    return checked(text, expected)


@flow
def in_a_row():
    return here()[0], [one(f"Row{number}") for number in range(IN_A_ROW)]


@flow(task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE))
def at_once():
    return here()[0], one_of_many.map([f"Many{number}" for number in range(AT_ONCE)]).result()


@flow
def inner():
    flow_run_id, _ = here()
    # Also where a task called this flow: that task is further out.
    return checked("Inner", (flow_run_id, None))


@task
def calls_a_flow():
    own = checked("Task", here())
    return own, inner()


@flow
def outer():
    own = checked("Outer", (here()[0], None))
    return own, inner(), calls_a_flow()


@task
async def process_jobs_task(batch_size: int):
    """Example 4 of the operations' documentation: an async task that calls an operation."""
    flow_run_id, task_run_id = here()
    text = f"Batch{batch_size}"
    output = await asyncio.to_thread(run, "slugify", {"text": text})
    found = await asyncio.to_thread(checked, text, (flow_run_id, task_run_id))
    return output, found


@flow
async def daily_job_processing():
    flow_run_id, _ = here()
    return flow_run_id, await process_jobs_task(batch_size=100)


@task
def fails():
    try:
        run("slugify", {"txt": 1}, timeout="5s")
    except OphostError as error:
        return error.kind, str(error)


@flow
def failing():
    return fails()


def ids_are_own(result, count: int) -> None:
    flow_run_id, found = result
    assert len(found) == count
    assert {flow for flow, _ in found} == {flow_run_id}, result
    assert len({task for _, task in found if task}) == count, result


def ophost(*arguments: str) -> str:
    command = ["ophost", "runs", *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def ids(run) -> tuple[str | None, str | None]:
    return run["prefect_flow_run_id"], run["prefect_task_run_id"]


def records_name_their_own() -> None:
    """The records say what the runs said, in lists and as a whole."""
    for flow_run_id in {flow for flow, _ in recorded.values() if flow}:
        expected = {run: ids for run, ids in recorded.items() if ids[0] == flow_run_id}
        listed = json.loads(ophost("list", "--flow-run", flow_run_id, "--json", "--limit=1000"))
        listed = {run["id"]: ids(run) for run in listed["runs"]}
        assert expected.items() <= listed.items(), (expected, listed)
        assert len(listed) - len(expected) in (0, UNCHECKED), (expected, listed)
    every = json.loads(ophost("list", "--orchestrated", "--json", "--limit=1000"))["runs"]
    assert len(every) == EXPECTED + UNCHECKED, len(every)
    assert recorded.items() <= {run["id"]: ids(run) for run in every}.items()
    whole = [json.loads(line) for line in ophost("export", "--orchestrated").splitlines()]
    assert len(whole) == len(every)
    for run in whole:
        assert run["orchestrated"] is True and run["status"] == "SUCCESS", run
        (system,) = run["orchestration"]
        assert system["system"] == "prefect", system
        said = (system["ids"].get("flow_run_id"), system["ids"].get("task_run_id"))
        assert said == ids(run), run
    # One that no workflow system started is recorded, too, and is not among them.
    assert len(json.loads(ophost("list", "--json", "--limit=1000"))["runs"]) == len(every) + 1


def flows() -> None:
    ids_are_own(in_a_row(), IN_A_ROW)
    ids_are_own(at_once(), AT_ONCE)
    own, called, (task_run, called_by_task) = outer()
    assert len({own[0], called[0], called_by_task[0]}) == 3
    assert task_run[0] == own[0]
    flow_run_id, (output, found) = asyncio.run(daily_job_processing())
    assert output == {"slug": "batch100"} and found[0] == flow_run_id and found[1]
    standalone = one("Alone")  # a task outside of any flow
    assert standalone[0] is None and standalone[1]
    kind, message = failing()
    assert kind == "invalid_input" and "breaks its schema" in message, message


def main() -> None:
    started = time.monotonic()
    assert "orchestration" not in report("slugify", {"text": "x"}), "outside of any flow"
    # As a worker sets it, and a parent's shim: every run below names others than these.
    os.environ["PREFECT__FLOW_RUN_ID"] = os.environ["PREFECT__TASK_RUN_ID"] = STALE
    os.environ["PREFECT_UI_URL"] = PAGES
    before = dict(os.environ)
    flows()
    assert len(recorded) == EXPECTED, recorded
    records_name_their_own()
    assert dict(os.environ) == before, "the shim changed os.environ"
    assert prefect_env() == before, "nothing is changed outside of flows"
    seconds = time.monotonic() - started
    print(
        f"prefect: {len(recorded)} runs, {AT_ONCE} at once, each named its own ids, and so does "
        f"its record, in {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
