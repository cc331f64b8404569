"""Updates fields of a job."""

from core import operation
from models.job import Job
from ophost_sdk import BaseModel, Field

class UpdateJobInput(BaseModel):
    """Input schema for updating a job."""
    job_id: str = Field(..., description="Job ID to update")
    updates: dict = Field(..., description="Fields to update")
    user_id: str | None = Field(None, description="User ID for scoping")

class UpdateJobOutput(BaseModel):
    """Output schema for update job operation."""
    success: bool
    job_id: str
    updated_fields: list[str]
    message: str

@operation(
    name="update_job",
    description="Update specific fields of a job",
    category="database",
    inputs=UpdateJobInput,
    outputs=UpdateJobOutput,
    tags=["jobs", "update", "database"],
)
async def update_job(input: UpdateJobInput) -> UpdateJobOutput:
    """Update specific fields of a job."""
    try:
        # Find job
        query = {"_id": input.job_id}
        if input.user_id:
            query["user_id"] = input.user_id

        job = await Job.find_one(query)
        if not job:
            return UpdateJobOutput(
                success=False,
                job_id=input.job_id,
                updated_fields=[],
                message=f"Job with ID {input.job_id} not found",
            )

        # Apply updates
        updated_fields = []
        for field, value in input.updates.items():
            if hasattr(job, field):
                setattr(job, field, value)
                updated_fields.append(field)

        # Save
        await job.save()

        return UpdateJobOutput(
            success=True,
            job_id=input.job_id,
            updated_fields=updated_fields,
            message=f"Successfully updated {len(updated_fields)} field(s)",
        )

    except Exception as e:
        return UpdateJobOutput(
            success=False,
            job_id=input.job_id,
            updated_fields=[],
            message=f"Error updating job: {str(e)}",
        )
