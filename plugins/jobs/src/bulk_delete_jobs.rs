//! Deletes jobs.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{Collection, Failure, Result, item_errors, model, operation};

use crate::job::{Job, job_of, of_user, user};

/// Which jobs to delete.
#[model]
pub(crate) struct BulkDeleteJobs {
    /// Their ids. One that no job has is an error of that item alone.
    #[serde(default)]
    job_ids: Option<Vec<String>>,
    /// What they are, in MongoDB's words, such as `{"status": "rejected"}`.
    #[serde(default)]
    filters: Option<Map<String, Value>>,
    /// Only jobs of this user.
    #[serde(default)]
    user_id: Option<String>,
    /// Only say what would be deleted. The host itself sees to it.
    #[serde(default)]
    dry_run: bool,
}

/// What was deleted.
#[model]
pub(crate) struct JobsDeleted {
    /// How many.
    deleted_count: usize,
    /// Which.
    job_ids: Vec<String>,
    /// The record of this run; the host fills it in.
    task_run_id: Option<String>,
}

/// Deletes jobs by their ids or by what they are.
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
    let user_id = user(input.user_id);
    let meant = match (input.job_ids, input.filters) {
        (Some(job_ids), None) => those_there(job_ids, user_id.as_deref(), &jobs)?,
        (None, Some(filters)) => {
            let found = jobs.find(of_user(user_id.as_deref(), filters));
            found.into_iter().map(|job| Ok(job?.id)).collect::<Result<_>>()?
        }
        _ => return Err(Failure::permanent("name either `job_ids` or `filters`")),
    };
    let mut job_ids = Vec::new();
    for job_id in meant {
        // An id that is named twice is deleted once.
        if jobs.delete(&job_id)? {
            job_ids.push(job_id);
        }
    }
    Ok(JobsDeleted { deleted_count: job_ids.len(), job_ids, task_run_id: None })
}

/// Returns the ids of jobs of the user, and tells of the others.
fn those_there(
    job_ids: Vec<String>,
    user_id: Option<&str>,
    jobs: &Collection<Job>,
) -> Result<Vec<String>> {
    let mut there = Vec::new();
    for (index, job_id) in job_ids.into_iter().enumerate() {
        match job_of(user_id, &job_id, jobs)? {
            Some(_) => there.push(job_id),
            None => item_errors::add(index, &job_id, "there is no such job"),
        }
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use ophost_sdk::documents;
    use ophost_sdk::serde_json::json;

    use super::*;
    use crate::job::seed;

    /// Returns what the operation says, and the ids of the jobs that are left.
    fn delete(input: &Value) -> (Result<String>, Vec<String>) {
        for (id, user_id) in [("1", "ann"), ("2", "ann"), ("3", "bob")] {
            seed(id, "Baker", Some(user_id));
        }
        let said = bulk_delete_jobs::OPERATION.invoke(&input.to_string());
        (said, documents::memory().documents("jobs").into_keys().collect())
    }

    #[test]
    fn jobs_are_deleted_by_their_ids() {
        let (said, left) = delete(&json!({"job_ids": ["3", "1", "9", "3"]}));
        assert_eq!(said.unwrap(), r#"{"deleted_count":2,"job_ids":["3","1"],"task_run_id":null}"#);
        assert_eq!(left, ["2"]);
    }

    #[test]
    fn jobs_of_another_user_stay() {
        let (_, left) = delete(&json!({"job_ids": ["1", "3"], "user_id": "ann"}));
        assert_eq!(left, ["2", "3"]);
    }

    #[test]
    fn jobs_are_deleted_by_what_they_are_and_whose() {
        let (_, left) = delete(&json!({"filters": {"title": "Baker"}, "user_id": "ann"}));
        assert_eq!(left, ["3"]);
        let (said, left) = delete(&json!({"filters": {"user_id": "bob"}, "user_id": "ann"}));
        assert_eq!(left, ["1", "2", "3"], "none of ann's jobs are bob's");
        assert!(said.unwrap().contains(r#""deleted_count":0"#));
    }

    #[test]
    fn either_ids_or_filters_are_named() {
        for input in [json!({}), json!({"job_ids": ["1"], "filters": {}})] {
            let (said, left) = delete(&input);
            assert_eq!(said.unwrap_err().message, "name either `job_ids` or `filters`");
            assert_eq!(left.len(), 3);
        }
    }
}
