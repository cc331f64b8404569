//! Updates fields of a job.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{Collection, Result, documents, model, operation};

use crate::job::{Job, effective_user, field_names, find_job};

/// Input schema for updating a job.
#[model]
pub(crate) struct UpdateJobInput {
    /// Job ID to update
    job_id: String,
    /// Fields to update
    updates: Map<String, Value>,
    /// User ID for scoping
    #[serde(default)]
    user_id: Option<String>,
}

/// Output schema for update job operation.
#[model]
pub(crate) struct UpdateJobOutput {
    success: bool,
    job_id: String,
    updated_fields: Vec<String>,
    message: String,
}

/// Updates specific fields of a job.
///
/// Fields that the model does not have are ignored. An error discards the updates.
#[operation(
    description = "Update specific fields of a job",
    category = "database",
    tags = ["jobs", "update", "database"],
    annotations("ophost.idempotent" = true),
)]
pub(crate) fn update_job(input: UpdateJobInput, jobs: Collection<Job>) -> UpdateJobOutput {
    let UpdateJobInput { job_id, updates, user_id } = input;
    let user_id = effective_user(user_id);
    let (success, updated_fields, message) =
        match update(&job_id, updates, user_id.as_deref(), &jobs) {
            Ok(Some(fields)) => {
                let message = format!("Successfully updated {} field(s)", fields.len());
                (true, fields, message)
            }
            Ok(None) => (false, Vec::new(), format!("Job with ID {job_id} not found")),
            Err(error) => {
                documents::discard();
                (false, Vec::new(), format!("Error updating job: {error}"))
            }
        };
    UpdateJobOutput { success, job_id, updated_fields, message }
}

/// Updates the fields that the model has, and returns their names, or `None` if the user has no
/// such job.
fn update(
    job_id: &str,
    mut updates: Map<String, Value>,
    user_id: Option<&str>,
    jobs: &Collection<Job>,
) -> Result<Option<Vec<String>>> {
    if find_job(user_id, job_id, jobs)?.is_none() {
        return Ok(None);
    }
    let names = field_names();
    updates.retain(|name, _| names.contains(name));
    jobs.set(job_id, &updates)?;
    // An update can break the model, which only a read detects.
    jobs.require(job_id)?;
    Ok(Some(updates.into_iter().map(|(name, _)| name).collect()))
}
