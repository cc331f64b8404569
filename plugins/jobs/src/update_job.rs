//! Changes fields of a job.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{Collection, Failure, Result, model, operation};

use crate::job::{Job, job_of, user};

/// What to change.
#[model]
pub(crate) struct UpdateJob {
    /// Which job.
    job_id: String,
    /// Fields and their new values; the others stay.
    updates: Map<String, Value>,
    /// Only if it is a job of this user.
    #[serde(default)]
    user_id: Option<String>,
}

/// What was changed.
#[model]
pub(crate) struct JobUpdated {
    /// Which job.
    job_id: String,
    /// Its fields that were set.
    updated_fields: Vec<String>,
}

/// Changes fields of a job.
#[operation(
    category = "database",
    tags = ["jobs", "update", "database"],
    async_enabled = true,
    annotations("ophost.idempotent" = true),
)]
pub(crate) fn update_job(input: UpdateJob, jobs: Collection<Job>) -> Result<JobUpdated> {
    let UpdateJob { job_id, updates, user_id } = input;
    if job_of(user(user_id).as_deref(), &job_id, &jobs)?.is_none() {
        return Err(Failure::permanent(format!("there is no job `{job_id}`")).code("not-found"));
    }
    jobs.merge(&job_id, &updates)?;
    // What is no `Job` any more fails here, and a run that fails leaves nothing.
    jobs.require(&job_id)?;
    Ok(JobUpdated { job_id, updated_fields: updates.into_iter().map(|(field, _)| field).collect() })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::documents;
    use ophost_sdk::serde_json::json;

    use super::*;
    use crate::job::seed;

    /// Runs the operation on the job `1`, and returns what it says and what the job is then.
    fn update(updates: Value, user_id: Option<&str>) -> (Result<String>, Value) {
        seed("1", "Baker", Some("ann"));
        let input = json!({"job_id": "1", "updates": updates, "user_id": user_id});
        let said = update_job::OPERATION.invoke(&input.to_string());
        (said, documents::memory().documents("jobs")["1"].clone())
    }

    #[test]
    fn the_fields_that_are_named_are_changed() {
        let (said, job) = update(json!({"status": "applied", "notes": "nice"}), Some("ann"));
        assert_eq!(said.unwrap(), r#"{"job_id":"1","updated_fields":["status","notes"]}"#);
        assert_eq!((&job["title"], &job["status"]), (&json!("Baker"), &json!("applied")));
    }

    #[test]
    fn a_job_stays_a_job() {
        for (updates, wrong) in [
            (json!({"status": "gone"}), "`status`: unknown variant `gone`"),
            (json!({"title": "Smith", "titel": "Smith"}), "unknown field `titel`"),
            (json!({"title": null}), "missing field `title`"),
        ] {
            let (said, job) = update(updates, None);
            let failure = said.unwrap_err();
            assert!(failure.message.contains(wrong), "{failure}");
            assert_eq!(failure.code.as_deref(), Some("does-not-fit"));
            assert_eq!((&job["title"], &job["status"]), (&json!("Baker"), &json!("new")));
        }
    }

    #[test]
    fn a_job_of_another_user_is_none() {
        let (said, _) = update(json!({"title": "Smith"}), Some("bob"));
        let failure = said.unwrap_err();
        assert_eq!(failure, Failure::permanent("there is no job `1`").code("not-found"));
    }
}
