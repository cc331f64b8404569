//! Operations on jobs, which are documents in the host's store.
//!
//! Each run is atomic: a run that fails and a dry run change no job.

mod bulk_delete_jobs;
mod create_job;
mod find_jobs;
mod job;
mod update_job;

use ophost_sdk::plugin;

plugin!(
    create_job::create_job,
    update_job::update_job,
    find_jobs::find_jobs,
    bulk_delete_jobs::bulk_delete_jobs,
);
