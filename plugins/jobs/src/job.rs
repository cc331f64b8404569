//! What the documents are, and whose.

use ophost_sdk::serde_json::{Map, Value, json};
use ophost_sdk::{DocumentError, ReadCollection, Stored, context, model};

/// A job that somebody may apply for. The documents are in the collection `jobs`.
#[model]
#[derive(PartialEq)]
pub(crate) struct Job {
    /// What is to be done.
    pub(crate) title: String,
    /// For whom.
    pub(crate) company: String,
    /// How far the application is.
    #[serde(default)]
    pub(crate) status: Status,
    /// Anything worth to remember.
    #[serde(default)]
    pub(crate) notes: Option<String>,
    /// Who keeps it; the caller, if not given.
    #[serde(default)]
    pub(crate) user_id: Option<String>,
}

/// How far an application is.
#[model]
#[serde(rename_all = "lowercase")]
#[derive(Default, PartialEq)]
pub(crate) enum Status {
    /// Nothing was done yet.
    #[default]
    New,
    /// The application is out.
    Applied,
    /// It came to nothing.
    Rejected,
}

/// Returns whose jobs are meant: the user's whom the input names, else the caller's. Where there
/// is neither, all are.
pub(crate) fn user(named: Option<String>) -> Option<String> {
    named.or_else(context::user_id)
}

/// Returns a job; none if there is none of that id, or it is another user's.
pub(crate) fn job_of(
    user_id: Option<&str>,
    job_id: &str,
    jobs: &ReadCollection<Job>,
) -> Result<Option<Stored<Job>>, DocumentError> {
    let job = jobs.get(job_id)?;
    Ok(job.filter(|job| user_id.is_none() || job.value.user_id.as_deref() == user_id))
}

/// Returns the filter for those of the jobs that are the user's.
pub(crate) fn of_user(user_id: Option<&str>, filter: Map<String, Value>) -> Value {
    match user_id {
        // The filter may say itself whose jobs it means.
        Some(user_id) => json!({"$and": [filter, {"user_id": user_id}]}),
        None => filter.into(),
    }
}

#[cfg(test)]
pub(crate) fn seed(id: &str, title: &str, user_id: Option<&str>) {
    let job = Job {
        title: title.to_owned(),
        company: "ACME".to_owned(),
        status: Status::New,
        notes: None,
        user_id: user_id.map(str::to_owned),
    };
    ophost_sdk::documents::memory().seed(id, &job);
}
