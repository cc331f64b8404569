"""Deletes jobs."""

from core import operation
from models.job import Job
from ophost_sdk import BaseModel, Field

class BulkDeleteJobsInput(BaseModel):
    """Input schema for bulk delete."""
    job_ids: list[str] | None = Field(None, description="Job IDs to delete")
    filters: dict | None = Field(None, description="Filters for jobs to delete")
    user_id: str | None = Field(None, description="User ID for scoping")
    dry_run: bool = Field(False, description="Preview without deleting")
    verbose: bool = Field(False, description="Enable verbose logging")

class BulkDeleteJobsOutput(BaseModel):
    """Output schema for bulk delete."""
    success: bool
    deleted_count: int
    job_ids: list[str]
    message: str
    task_run_id: str | None = Field(None, description="TaskRun ID for tracking")

@operation(
    name="bulk_delete_jobs",
    description="Delete multiple jobs by IDs or filters",
    category="database",
    inputs=BulkDeleteJobsInput,
    outputs=BulkDeleteJobsOutput,
    tags=["jobs", "bulk", "delete"],
    async_enabled=True,  # Enable TaskRun creation
)
async def bulk_delete_jobs(input: BulkDeleteJobsInput) -> BulkDeleteJobsOutput:
    """Delete multiple jobs at once."""
    try:
        deleted_ids = []

        if input.job_ids:
            # Delete by IDs
            for job_id in input.job_ids:
                query = {"_id": job_id}
                if input.user_id:
                    query["user_id"] = input.user_id

                job = await Job.find_one(query)
                if job:
                    if not input.dry_run:
                        await job.delete()
                    deleted_ids.append(job_id)

        elif input.filters:
            # Delete by filters
            query = input.filters.copy()
            if input.user_id:
                query["user_id"] = input.user_id

            jobs = await Job.find(query).limit(10000).to_list()

            for job in jobs:
                if not input.dry_run:
                    await job.delete()
                deleted_ids.append(str(job.id))

        else:
            return BulkDeleteJobsOutput(
                success=False,
                deleted_count=0,
                job_ids=[],
                message="Must provide either job_ids or filters",
            )

        return BulkDeleteJobsOutput(
            success=True,
            deleted_count=len(deleted_ids),
            job_ids=deleted_ids,
            message=f"Successfully deleted {len(deleted_ids)} job(s)",
        )

    except Exception as e:
        return BulkDeleteJobsOutput(
            success=False,
            deleted_count=0,
            job_ids=[],
            message=f"Error during bulk delete: {str(e)}",
        )
