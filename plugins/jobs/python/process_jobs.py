"""Enriches jobs in batches."""

from collections.abc import Iterator
from itertools import count, islice

from core import operation
from enrichment import EnrichmentError, enrich
from models.job import Job
from ophost_sdk import BaseModel, Field, item_errors, progress
from ophost_sdk.documents import DocumentQuery, ModelMismatch


class ProcessJobsInput(BaseModel):
    """Input schema for processing jobs."""

    batch_size: int = Field(100, description="Number of jobs in a batch", ge=1, le=10_000)
    filters: dict | None = Field(None, description="Filters for jobs to process")
    user_id: str | None = Field(None, description="User ID for scoping")
    dry_run: bool = Field(False, description="Preview without updating")
    verbose: bool = Field(False, description="Enable verbose logging")


class ProcessJobsOutput(BaseModel):
    """Output schema for processing jobs."""

    success: bool
    processed_count: int
    failed_count: int
    job_ids: list[str]
    message: str
    task_run_id: str | None = Field(None, description="TaskRun ID for tracking")


@operation(
    name="process_jobs",
    description="Process jobs with enrichment",
    category="processing",
    inputs=ProcessJobsInput,
    outputs=ProcessJobsOutput,
    async_enabled=True,
)
async def process_jobs(input: ProcessJobsInput) -> ProcessJobsOutput:
    """Process and enrich jobs.

    A job that cannot be processed is an item error and stays unchanged. Any other error discards
    the changes of all batches.
    """
    try:
        job_ids, failed_count = await _process(input.filters or {}, input.batch_size)
        return ProcessJobsOutput(
            success=True,
            processed_count=len(job_ids),
            failed_count=failed_count,
            job_ids=job_ids,
            message=f"Processed {len(job_ids)} job(s), {failed_count} failed",
        )
    except Exception as e:
        return ProcessJobsOutput(
            success=False,
            processed_count=0,
            failed_count=0,
            job_ids=[],
            message=f"Error processing jobs: {e}",
        )


async def _process(filters: dict, batch_size: int) -> tuple[list[str], int]:
    """Processes jobs in the order of their ids, and returns their ids and the number of errors."""
    job_ids: list[str] = []
    failed_count = 0
    total = await Job.find(filters).count()
    found = _each(Job.find(filters))
    for batch in count(1):
        jobs = list(islice(found, batch_size))
        if not jobs:
            break
        for job in jobs:
            error = await _update(job)
            if error is None:
                job_ids.append(job.id)
            else:
                item_errors.add(len(job_ids) + failed_count, job.id, error)
                failed_count += 1
        progress.report(len(job_ids) + failed_count, total, f"batch {batch}")
    return job_ids, failed_count


def _each(jobs: DocumentQuery[Job]) -> Iterator[Job | ModelMismatch]:
    """Returns the jobs. An error stands for a document that does not match the model."""
    found = iter(jobs)
    while True:
        try:
            yield next(found)
        except StopIteration:
            return
        except ModelMismatch as error:
            error.handled()
            yield error


async def _update(job: Job | ModelMismatch) -> Exception | None:
    """Stores the enrichment of a job, or returns the reason why there is none."""
    if isinstance(job, ModelMismatch):
        return job
    try:
        enrichment = enrich(job.title, job.description or "", job.salary or "")
    except EnrichmentError as error:
        return error
    job.enrichment = enrichment
    await job.save()  # writes nothing if the enrichment is the same
    return None
