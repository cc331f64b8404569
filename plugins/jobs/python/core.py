"""The decorator of this project: the one of the SDK, with rules for bulk operations.

- The host implements the dry run: it discards the writes of the function. The function itself sees
  no dry run, so that the report of the run shows the changes.
- An item of `jobs_data` that does not match the model is an item error. The function gets the
  others.
- An id of `job_ids` that is not among the ids of the output is an item error.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import ophost_sdk
from models.job import Job
from ophost_sdk import BaseModel, ValidationError, item_errors

Function = Callable[[Any], Awaitable[Any]]


def operation(**settings: Any) -> Callable[[Function], Function]:
    """Registers a function as an operation of this project."""

    def register(function: Function) -> Function:
        @functools.wraps(function)
        async def apply_rules(input: BaseModel) -> Any:
            output = await function(_without_dry_run(_without_invalid_jobs(input)))
            if output.success:
                _report_missing_jobs(input, output)
            return output

        return ophost_sdk.operation(**settings)(apply_rules)

    return register


def _without_dry_run(input: BaseModel) -> BaseModel:
    has_flag = "dry_run" in type(input).model_fields
    return input.model_copy(update={"dry_run": False}) if has_flag else input


def _without_invalid_jobs(input: BaseModel) -> BaseModel:
    if "jobs_data" not in type(input).model_fields:
        return input
    valid = []
    for index, data in enumerate(input.jobs_data):
        try:
            Job(**data)
        except ValidationError as error:
            item_errors.add(index, data, error)
        else:
            valid.append(data)
    return input.model_copy(update={"jobs_data": valid})


def _report_missing_jobs(input: BaseModel, output: Any) -> None:
    reported = set(output.job_ids if hasattr(output, "job_ids") else [])
    for index, job_id in enumerate(getattr(input, "job_ids", None) or []):
        if job_id not in reported:
            item_errors.add(index, job_id, f"Job with ID {job_id} not found")
            reported.add(job_id)
