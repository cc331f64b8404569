//! Deletes jobs.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{Collection, Failure, Result, item_errors, model, operation};

use crate::job::{Job, effective_user, filter_for_user, find_job};

/// The jobs to delete: either `job_ids` or `filters`.
#[model]
pub(crate) struct BulkDeleteJobs {
    /// The ids of the jobs. An unknown id is an item error and does not stop the run.
    #[serde(default)]
    job_ids: Option<Vec<String>>,
    /// A MongoDB filter, such as `{"status": "rejected"}`.
    #[serde(default)]
    filters: Option<Map<String, Value>>,
    /// Only jobs of this user. The default is the user of the run.
    #[serde(default)]
    user_id: Option<String>,
    /// Reports the deletions without committing them. The host implements the dry run.
    #[serde(default)]
    dry_run: bool,
}

/// The deleted jobs.
#[model]
pub(crate) struct JobsDeleted {
    /// The number of deleted jobs.
    deleted_count: usize,
    /// The ids of the deleted jobs.
    job_ids: Vec<String>,
    /// The id of the run record. The host sets it.
    task_run_id: Option<String>,
}

/// Deletes jobs by their ids or by a filter.
#[operation(
    category = "database",
    tags = ["jobs", "bulk", "delete"],
    async_enabled = true,
    annotations("ophost.destructive" = true),
)]
pub(crate) fn bulk_delete_jobs(
    input: BulkDeleteJobs,
    jobs: Collection<Job>,
) -> Result<JobsDeleted> {
    let user_id = effective_user(input.user_id);
    let selected = match (input.job_ids, input.filters) {
        (Some(job_ids), None) => existing_ids(job_ids, user_id.as_deref(), &jobs)?,
        (None, Some(filters)) => {
            let found = jobs.find(filter_for_user(user_id.as_deref(), filters));
            found.into_iter().map(|job| Ok(job?.id)).collect::<Result<_>>()?
        }
        _ => return Err(Failure::permanent("set either `job_ids` or `filters`")),
    };
    let mut job_ids = Vec::new();
    for job_id in selected {
        // The input can contain an id twice, which counts as one deletion.
        if jobs.delete(&job_id)? {
            job_ids.push(job_id);
        }
    }
    Ok(JobsDeleted { deleted_count: job_ids.len(), job_ids, task_run_id: None })
}

/// Returns the ids of existing jobs of the user, and adds an item error for each other id.
fn existing_ids(
    job_ids: Vec<String>,
    user_id: Option<&str>,
    jobs: &Collection<Job>,
) -> Result<Vec<String>> {
    let mut existing = Vec::new();
    for (index, job_id) in job_ids.into_iter().enumerate() {
        match find_job(user_id, &job_id, jobs)? {
            Some(_) => existing.push(job_id),
            None => item_errors::add(index, &job_id, "the job does not exist"),
        }
    }
    Ok(existing)
}

#[cfg(test)]
mod tests {
    use ophost_sdk::documents;
    use ophost_sdk::serde_json::json;

    use super::*;
    use crate::job::seed;

    /// Deletes jobs, and returns the output and the ids of the remaining jobs.
    fn delete(input: &Value) -> (Result<String>, Vec<String>) {
        for (id, user_id) in [("1", "ann"), ("2", "ann"), ("3", "bob")] {
            seed(id, "Baker", Some(user_id));
        }
        let output = bulk_delete_jobs::OPERATION.invoke(&input.to_string());
        (output, documents::memory().documents("jobs").into_keys().collect())
    }

    #[test]
    fn jobs_are_deleted_by_id() {
        let (output, remaining) = delete(&json!({"job_ids": ["3", "1", "9", "3"]}));
        let expected = r#"{"deleted_count":2,"job_ids":["3","1"],"task_run_id":null}"#;
        assert_eq!(output.unwrap(), expected);
        assert_eq!(remaining, ["2"]);
    }

    #[test]
    fn jobs_of_another_user_are_not_deleted() {
        let (_, remaining) = delete(&json!({"job_ids": ["1", "3"], "user_id": "ann"}));
        assert_eq!(remaining, ["2", "3"]);
    }

    #[test]
    fn jobs_are_deleted_by_filter_and_user() {
        let (_, remaining) = delete(&json!({"filters": {"title": "Baker"}, "user_id": "ann"}));
        assert_eq!(remaining, ["3"]);
        let (output, remaining) = delete(&json!({"filters": {"user_id": "bob"}, "user_id": "ann"}));
        assert_eq!(remaining, ["1", "2", "3"], "the user of the filter does not replace `user_id`");
        assert!(output.unwrap().contains(r#""deleted_count":0"#));
    }

    #[test]
    fn both_or_neither_of_ids_and_filters_is_a_failure() {
        for input in [json!({}), json!({"job_ids": ["1"], "filters": {}})] {
            let (output, remaining) = delete(&input);
            assert_eq!(output.unwrap_err().message, "set either `job_ids` or `filters`");
            assert_eq!(remaining.len(), 3);
        }
    }
}
