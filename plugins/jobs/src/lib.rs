//! Operations on jobs, which are documents that the host keeps.
//!
//! Each run is all or nothing: where one fails, and in a dry run, no job is changed.

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
