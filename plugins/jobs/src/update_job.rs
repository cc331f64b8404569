//! Changes fields of a job.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{Collection, Failure, Result, model, operation};

use crate::job::{Job, effective_user, find_job};

/// The change of a job.
#[model]
pub(crate) struct UpdateJob {
    /// The id of the job.
    job_id: String,
    /// The fields to change and their new values. Other fields keep their values.
    updates: Map<String, Value>,
    /// Only a job of this user. The default is the user of the run.
    #[serde(default)]
    user_id: Option<String>,
}

/// The changed job.
#[model]
pub(crate) struct JobUpdated {
    /// The id of the job.
    job_id: String,
    /// The names of the changed fields.
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
    if find_job(effective_user(user_id).as_deref(), &job_id, &jobs)?.is_none() {
        return Err(Failure::permanent(format!("job `{job_id}` does not exist")).code("not-found"));
    }
    jobs.merge(&job_id, &updates)?;
    // An update can break the model. The failure of this call discards the update.
    jobs.require(&job_id)?;
    Ok(JobUpdated { job_id, updated_fields: updates.into_iter().map(|(field, _)| field).collect() })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::documents;
    use ophost_sdk::serde_json::json;

    use super::*;
    use crate::job::seed;

    /// Updates the job `1`, and returns the output and the resulting job.
    fn update(updates: Value, user_id: Option<&str>) -> (Result<String>, Value) {
        seed("1", "Baker", Some("ann"));
        let input = json!({"job_id": "1", "updates": updates, "user_id": user_id});
        let output = update_job::OPERATION.invoke(&input.to_string());
        (output, documents::memory().documents("jobs")["1"].clone())
    }

    #[test]
    fn only_the_fields_in_updates_are_changed() {
        let (output, job) = update(json!({"status": "applied", "notes": "nice"}), Some("ann"));
        assert_eq!(output.unwrap(), r#"{"job_id":"1","updated_fields":["status","notes"]}"#);
        assert_eq!((&job["title"], &job["status"]), (&json!("Baker"), &json!("applied")));
    }

    #[test]
    fn updates_that_break_the_model_are_discarded() {
        for (updates, error) in [
            (json!({"status": "gone"}), "`status`: unknown variant `gone`"),
            (json!({"title": "Smith", "titel": "Smith"}), "unknown field `titel`"),
            (json!({"title": null}), "missing field `title`"),
        ] {
            let (output, job) = update(updates, None);
            let failure = output.unwrap_err();
            assert!(failure.message.contains(error), "{failure}");
            assert_eq!(failure.code.as_deref(), Some("does-not-fit"));
            assert_eq!((&job["title"], &job["status"]), (&json!("Baker"), &json!("new")));
        }
    }

    #[test]
    fn a_job_of_another_user_is_not_found() {
        let (output, _) = update(json!({"title": "Smith"}), Some("bob"));
        let failure = output.unwrap_err();
        assert_eq!(failure, Failure::permanent("job `1` does not exist").code("not-found"));
    }
}
