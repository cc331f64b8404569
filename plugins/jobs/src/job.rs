//! The model of a job, and the selection of jobs by user.

use std::collections::BTreeSet;

use ophost_sdk::schemars::schema_for;
use ophost_sdk::serde_json::{Map, Value, json};
use ophost_sdk::{DocumentError, ReadCollection, Stored, context, model};

use crate::enrichment::Enrichment;

/// A job posting and the state of the application. The documents are in the collection `jobs`.
#[model]
#[derive(PartialEq)]
pub(crate) struct Job {
    /// The title of the job.
    pub(crate) title: String,
    /// The company that offers the job.
    pub(crate) company: String,
    /// The status of the application.
    #[serde(default)]
    pub(crate) status: Status,
    /// Notes in free text.
    #[serde(default)]
    pub(crate) notes: Option<String>,
    /// The user who owns the job. The default is the user of the run.
    #[serde(default)]
    pub(crate) user_id: Option<String>,
    /// The text of the posting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// The place of work in free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    /// The salary as the posting states it, such as `$120k - $150k / yr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) salary: Option<String>,
    /// The result of `process_jobs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrichment: Option<Enrichment>,
}

/// The status of an application.
#[model]
#[serde(rename_all = "lowercase")]
#[derive(Default, PartialEq)]
pub(crate) enum Status {
    /// The application has not been sent.
    #[default]
    New,
    /// The application has been sent.
    Applied,
    /// The application has been rejected.
    Rejected,
}

/// Returns the names of the fields of a job.
pub(crate) fn field_names() -> BTreeSet<String> {
    let schema = schema_for!(Job);
    let fields = schema.get("properties").and_then(Value::as_object);
    fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
}

/// Returns the user of the input, or else the user of the run. `None` selects all users.
///
/// An empty text is no user.
pub(crate) fn effective_user(explicit: Option<String>) -> Option<String> {
    explicit.filter(|user_id| !user_id.is_empty()).or_else(context::user_id)
}

/// Returns a job, or `None` if the job does not exist or belongs to another user.
pub(crate) fn find_job(
    user_id: Option<&str>,
    job_id: &str,
    jobs: &ReadCollection<Job>,
) -> Result<Option<Stored<Job>>, DocumentError> {
    let job = jobs.get(job_id)?;
    Ok(job.filter(|job| user_id.is_none() || job.value.user_id.as_deref() == user_id))
}

/// Returns `filter`, restricted to the jobs of the user.
pub(crate) fn filter_for_user(user_id: Option<&str>, filter: Map<String, Value>) -> Value {
    match user_id {
        // `$and` keeps a condition on `user_id` that the filter itself contains.
        Some(user_id) => json!({"$and": [filter, {"user_id": user_id}]}),
        None => filter.into(),
    }
}
