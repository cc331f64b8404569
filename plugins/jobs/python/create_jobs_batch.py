"""Creates jobs."""

from core import operation
from models.job import Job
from ophost_sdk import BaseModel, Field

class CreateJobsInput(BaseModel):
    """Input schema for creating jobs."""
    jobs_data: list[dict] = Field(..., description="List of job data dicts")
    user_id: str | None = Field(None, description="User ID for ownership")

class CreateJobsOutput(BaseModel):
    """Output schema for create jobs."""
    success: bool
    created_count: int
    job_ids: list[str]  # This will be extracted as result_refs!
    message: str

@operation(
    name="create_jobs_batch",
    description="Create multiple jobs in batch",
    category="database",
    inputs=CreateJobsInput,
    outputs=CreateJobsOutput,
    tags=["jobs", "create", "bulk"],
    async_enabled=True,
    models_out=["Job"],  # Documents that Job model is modified
)
async def create_jobs_batch(input: CreateJobsInput) -> CreateJobsOutput:
    """Create multiple jobs in batch."""
    job_ids = []

    for job_data in input.jobs_data:
        job = Job(**job_data)
        if input.user_id:
            job.user_id = input.user_id
        await job.insert()
        job_ids.append(str(job.id))

    return CreateJobsOutput(
        success=True,
        created_count=len(job_ids),
        job_ids=job_ids,  # Wrapper extracts this!
        message=f"Created {len(job_ids)} jobs",
    )
