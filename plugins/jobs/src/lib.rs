//! Operations on jobs, which are documents in the host's store.
//!
//! Each run is atomic: a run that fails and a dry run change no job.
//!
//! - One module for each operation.
//! - `job`: the model, and the selection of jobs by user.
//! - `enrichment`: the result of `process_jobs`, from `title`, `seniority`, `skills` and `salary`.

mod bulk_delete_jobs;
mod create_job;
mod create_jobs_batch;
mod enrichment;
mod find_jobs;
mod job;
mod process_jobs;
mod salary;
mod seniority;
mod skills;
mod title;
mod update_job;

use ophost_sdk::plugin;

plugin!(
    create_job::create_job,
    create_jobs_batch::create_jobs_batch,
    update_job::update_job,
    find_jobs::find_jobs,
    bulk_delete_jobs::bulk_delete_jobs,
    process_jobs::process_jobs,
);
