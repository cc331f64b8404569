"""Operations on jobs, which are documents in the host's store.

- One module for each operation.
- `core`: the decorator of this project.
- `models.job`: the model, and the selection of jobs by user.
- `enrichment`: the result of `process_jobs`, from `title`, `seniority`, `skills` and `salary`.
"""

from bulk_delete_jobs import bulk_delete_jobs
from create_jobs_batch import create_jobs_batch
from process_jobs import process_jobs
from update_job import update_job

__all__ = ["bulk_delete_jobs", "create_jobs_batch", "process_jobs", "update_job"]
