//! Adds a job.

use ophost_sdk::{Collection, Result, model, operation};

use crate::job::{Job, effective_user};

/// The added job.
#[model]
pub(crate) struct JobCreated {
    /// The id of the job.
    job_id: String,
}

/// Adds a job.
#[operation(category = "database", tags = ["jobs", "create", "database"], async_enabled = true)]
pub(crate) fn create_job(mut job: Job, jobs: Collection<Job>) -> Result<JobCreated> {
    job.user_id = effective_user(job.user_id);
    Ok(JobCreated { job_id: jobs.insert(&job)? })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::documents;
    use ophost_sdk::serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_added_with_defaults() {
        create_job::OPERATION.invoke(r#"{"title": "Baker", "company": "ACME"}"#).unwrap();
        let jobs: Vec<_> = documents::memory().documents("jobs").into_values().collect();
        assert_eq!(
            jobs,
            [json!({
                "title": "Baker",
                "company": "ACME",
                "status": "new",
                "notes": null,
                "user_id": null,
            })]
        );
    }
}
