//! Deletes jobs.

use std::collections::BTreeSet;

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{Collection, Result, documents, item_errors, model, operation};

use crate::job::{Job, effective_user, filter_for_user, find_job};

/// Maximum number of jobs that one run deletes by filters.
const MAX_FILTERED: usize = 10_000;

/// Input schema for bulk delete.
#[model]
pub(crate) struct BulkDeleteJobsInput {
    /// Job IDs to delete
    #[serde(default)]
    job_ids: Option<Vec<String>>,
    /// Filters for jobs to delete
    #[serde(default)]
    filters: Option<Map<String, Value>>,
    /// User ID for scoping
    #[serde(default)]
    user_id: Option<String>,
    /// Preview without deleting
    #[serde(default)]
    dry_run: bool,
    /// Enable verbose logging
    #[serde(default)]
    verbose: bool,
}

/// Output schema for bulk delete.
#[model]
pub(crate) struct BulkDeleteJobsOutput {
    success: bool,
    deleted_count: usize,
    job_ids: Vec<String>,
    message: String,
    /// TaskRun ID for tracking
    #[serde(default)]
    task_run_id: Option<String>,
}

/// The jobs to delete.
enum Selection {
    JobIds(Vec<String>),
    Filters(Map<String, Value>),
}

impl Selection {
    /// Returns the selection of the input, or `None` for neither ids nor filters.
    ///
    /// An empty list and an empty object count as absent. Ids take precedence over filters.
    fn new(job_ids: Option<Vec<String>>, filters: Option<Map<String, Value>>) -> Option<Self> {
        let job_ids = job_ids.filter(|job_ids| !job_ids.is_empty()).map(Self::JobIds);
        let filters = filters.filter(|filters| !filters.is_empty()).map(Self::Filters);
        job_ids.or(filters)
    }

    /// Deletes the selected jobs of a user and returns their ids.
    fn delete(self, user_id: Option<&str>, jobs: &Collection<Job>) -> Result<Vec<String>> {
        match self {
            Self::JobIds(job_ids) => delete_ids(job_ids, user_id, jobs),
            Self::Filters(filters) => delete_filtered(filter_for_user(user_id, filters), jobs),
        }
    }
}

/// Deletes jobs by their ids or by filters.
///
/// An error discards all deletions of the run. The host implements the dry run.
#[operation(
    description = "Delete multiple jobs by IDs or filters",
    category = "database",
    tags = ["jobs", "bulk", "delete"],
    async_enabled = true,
    annotations("ophost.destructive" = true),
)]
pub(crate) fn bulk_delete_jobs(
    input: BulkDeleteJobsInput,
    jobs: Collection<Job>,
) -> BulkDeleteJobsOutput {
    let user_id = effective_user(input.user_id);
    let Some(selection) = Selection::new(input.job_ids, input.filters) else {
        return failed("Must provide either job_ids or filters".to_owned());
    };
    match selection.delete(user_id.as_deref(), &jobs) {
        Ok(job_ids) => BulkDeleteJobsOutput {
            success: true,
            deleted_count: job_ids.len(),
            message: format!("Successfully deleted {} job(s)", job_ids.len()),
            job_ids,
            task_run_id: None,
        },
        Err(error) => {
            documents::discard();
            failed(format!("Error during bulk delete: {error}"))
        }
    }
}

fn failed(message: String) -> BulkDeleteJobsOutput {
    BulkDeleteJobsOutput {
        success: false,
        deleted_count: 0,
        job_ids: Vec::new(),
        message,
        task_run_id: None,
    }
}

/// Deletes jobs by their ids, and adds an item error for each job that the user does not have.
///
/// An id that the list contains twice counts as one deletion.
fn delete_ids(
    job_ids: Vec<String>,
    user_id: Option<&str>,
    jobs: &Collection<Job>,
) -> Result<Vec<String>> {
    let (mut deleted, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, job_id) in job_ids.into_iter().enumerate() {
        if !seen.insert(job_id.clone()) {
            continue;
        }
        if find_job(user_id, &job_id, jobs)?.is_some() {
            jobs.delete(&job_id)?;
            deleted.push(job_id);
        } else {
            item_errors::add(index, &job_id, format!("Job with ID {job_id} not found"));
        }
    }
    Ok(deleted)
}

/// Deletes the first [`MAX_FILTERED`] jobs that match a filter, in the order of their ids.
fn delete_filtered(filter: Value, jobs: &Collection<Job>) -> Result<Vec<String>> {
    let mut deleted = Vec::new();
    for job in jobs.find(filter).limit(MAX_FILTERED) {
        let job = job?;
        jobs.delete(&job.id)?;
        deleted.push(job.id);
    }
    Ok(deleted)
}
