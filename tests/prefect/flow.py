"""Flows of a real Prefect whose tasks call `ophost` through the shim.

`cargo xtask prefect` runs this script, with the shim on the module path, the command in `PATH`, and
generated job postings in the collection `jobs`.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from uuid import UUID

from ophost_prefect import OphostError, operation, prefect_env, report, run
from prefect import flow, task
from prefect.context import FlowRunContext, TaskRunContext
from prefect.task_runners import ThreadPoolTaskRunner
from process_jobs import ProcessJobsInput

CONCURRENT = 24
SEQUENTIAL = 5
STALE = "99999999-9999-4999-8999-999999999999"
PAGES = "http://127.0.0.1:4200"

# The other six: outer, inner twice, the task between them, process_jobs, standalone.
EXPECTED = SEQUENTIAL + CONCURRENT + 6

UNORCHESTRATED = 2  # the import of the postings, and the call outside of any flow

recorded: dict[str, tuple[str | None, str | None]] = {}
recorded_lock = threading.Lock()


def current_ids() -> tuple[str | None, str | None]:
    """Returns the ids that Prefect reports: of the current flow run, and of the task run in it."""
    flow_run, task_run = FlowRunContext.get(), TaskRunContext.get()
    return (
        str(flow_run.flow_run.id) if flow_run else None,
        str(task_run.task_run.id) if task_run else None,
    )


def checked(text: str, expected: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    """Runs an operation and checks that its report has the ids of the flow run and task run."""
    result = report("slugify", {"text": text})
    assert result["status"] == "SUCCESS", result
    assert result["output"] == {"slug": text.lower()}, result
    known = result["orchestration"]
    found = (known["prefect_flow_run_id"], known["prefect_task_run_id"])
    assert known["orchestrated"] is True and found == expected, (known, expected)
    assert [system["system"] for system in known["systems"]] == ["prefect"], known
    flow_run_id, task_run_id = found
    page = f"task-run/{task_run_id}" if task_run_id else f"flow-run/{flow_run_id}"
    assert known["run_url"] == f"{PAGES}/runs/{page}", known
    for one in found:
        assert one is None or str(UUID(one)) == one
    with recorded_lock:
        recorded[result["run_id"]] = found
    return found


all_running = threading.Barrier(CONCURRENT)


@task
def one(text: str):
    return checked(text, current_ids())


@task
def one_of_many(text: str):
    expected = current_ids()
    all_running.wait(timeout=60)
    return checked(text, expected)


@flow
def sequential_tasks():
    return current_ids()[0], [one(f"Row{number}") for number in range(SEQUENTIAL)]


@flow(task_runner=ThreadPoolTaskRunner(max_workers=CONCURRENT))
def concurrent_tasks():
    futures = one_of_many.map([f"Many{number}" for number in range(CONCURRENT)])
    return current_ids()[0], futures.result()


@flow
def inner():
    flow_run_id, _ = current_ids()
    # No task id, even if a task called this flow, because that task is outside of the flow.
    return checked("Inner", (flow_run_id, None))


@task
def calls_a_flow():
    own = checked("Task", current_ids())
    return own, inner()


@flow
def outer():
    own = checked("Outer", (current_ids()[0], None))
    return own, inner(), calls_a_flow()


async def process_jobs(input: ProcessJobsInput):
    """Calls the operation in the host, so that the run is recorded, and notes the expected ids."""
    output = await operation("process_jobs")(input)
    with recorded_lock:
        recorded[output["task_run_id"]] = current_ids()
    return output


# Existing code, whose function `process_jobs` has become the operation of a plugin.


@task
async def process_jobs_task(input: ProcessJobsInput):
    """Prefect task wrapper."""
    return await process_jobs(input)

@flow
async def daily_job_processing():
    """Daily job processing flow."""
    input = ProcessJobsInput(batch_size=100)
    result = await process_jobs_task(input)
    return result


@flow
async def native_job_processing():
    """Calls the function of the Python plugin itself, with documents in memory."""
    from create_jobs_batch import CreateJobsInput, create_jobs_batch
    from process_jobs import process_jobs

    posting = {"title": "Sr. SWE", "company": "ACME"}
    await task(create_jobs_batch)(CreateJobsInput(jobs_data=[posting]))
    return await task(process_jobs)(ProcessJobsInput(batch_size=100))


@task
def fails():
    try:
        run("slugify", {"txt": 1}, timeout="5s")
    except OphostError as error:
        return error.kind, str(error)


@flow
def failing():
    return fails()


def check_ids(result, count: int) -> None:
    flow_run_id, found = result
    assert len(found) == count
    assert {flow for flow, _ in found} == {flow_run_id}, result
    assert len({task for _, task in found if task}) == count, result


def ophost(*arguments: str) -> str:
    command = ["ophost", "runs", *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def ids(run) -> tuple[str | None, str | None]:
    return run["prefect_flow_run_id"], run["prefect_task_run_id"]


def check_records() -> None:
    """Checks that the run records have the ids that the reports had."""
    for flow_run_id in {flow for flow, _ in recorded.values() if flow}:
        expected = {run: ids for run, ids in recorded.items() if ids[0] == flow_run_id}
        listed = json.loads(ophost("list", "--flow-run", flow_run_id, "--json", "--limit=1000"))
        listed = {run["id"]: ids(run) for run in listed["runs"]}
        assert listed == expected, (listed, expected)
    every = json.loads(ophost("list", "--orchestrated", "--json", "--limit=1000"))["runs"]
    assert recorded == {run["id"]: ids(run) for run in every}, (recorded, every)
    whole = [json.loads(line) for line in ophost("export", "--orchestrated").splitlines()]
    assert len(whole) == len(every)
    for run in whole:
        assert run["orchestrated"] is True and run["status"] == "SUCCESS", run
        (system,) = run["orchestration"]
        assert system["system"] == "prefect", system
        result = (system["ids"].get("flow_run_id"), system["ids"].get("task_run_id"))
        assert result == ids(run), run
    # The runs outside of any flow are recorded too, but are not among the orchestrated runs.
    total = len(json.loads(ophost("list", "--json", "--limit=1000"))["runs"])
    assert total == len(every) + UNORCHESTRATED, (total, len(every))


def check_daily(output) -> None:
    """Checks the result of the daily flow, and that its record has both ids."""
    found = recorded[output["task_run_id"]]
    assert output["success"] is True and output["processed_count"] > 100, output
    assert output["failed_count"] > 0, "no posting is faulty"
    record = json.loads(ophost("show", output["task_run_id"], "--json"))
    assert record["operation_name"] == "process_jobs" and record["orchestrated"] is True, record
    assert ids(record) == found and None not in found, (record, found)


def flows() -> None:
    check_ids(sequential_tasks(), SEQUENTIAL)
    check_ids(concurrent_tasks(), CONCURRENT)
    own, called, (task_run, called_by_task) = outer()
    assert len({own[0], called[0], called_by_task[0]}) == 3
    assert task_run[0] == own[0]
    check_daily(asyncio.run(daily_job_processing()))
    native = asyncio.run(native_job_processing())
    assert (native.success, native.processed_count) == (True, 1), native
    standalone = one("Alone")  # a task outside of any flow
    assert standalone[0] is None and standalone[1]
    kind, message = failing()
    assert kind == "invalid_input" and "breaks its schema" in message, message


def main() -> None:
    started = time.monotonic()
    assert "orchestration" not in report("slugify", {"text": "x"}), "outside of any flow"
    # A worker or the shim of a parent process sets these. Every run below must have other ids.
    os.environ["PREFECT__FLOW_RUN_ID"] = os.environ["PREFECT__TASK_RUN_ID"] = STALE
    os.environ["PREFECT_UI_URL"] = PAGES
    before = dict(os.environ)
    flows()
    assert len(recorded) == EXPECTED, recorded
    check_records()
    assert dict(os.environ) == before, "the shim changed os.environ"
    assert prefect_env() == before, "the shim changed the environment outside of flows"
    seconds = time.monotonic() - started
    print(
        f"prefect: {len(recorded)} runs, {CONCURRENT} at once, each report and record has its "
        f"own ids, in {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
