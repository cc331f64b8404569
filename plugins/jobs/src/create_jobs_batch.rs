//! Creates jobs.

use ophost_sdk::serde_json::{Map, Value, from_value};
use ophost_sdk::{Collection, Failure, Result, item_errors, model, operation};

use crate::job::{Job, effective_user, field_names};

/// Input schema for creating jobs.
#[model]
pub(crate) struct CreateJobsInput {
    /// List of job data dicts
    jobs_data: Vec<Map<String, Value>>,
    /// User ID for ownership
    #[serde(default)]
    user_id: Option<String>,
}

/// Output schema for create jobs.
#[model]
pub(crate) struct CreateJobsOutput {
    success: bool,
    created_count: usize,
    job_ids: Vec<String>,
    message: String,
}

/// Creates multiple jobs in batch.
///
/// Data that does not match the model is an item error, and the other jobs are created.
#[operation(
    description = "Create multiple jobs in batch",
    category = "database",
    tags = ["jobs", "create", "bulk"],
    async_enabled = true,
)]
pub(crate) fn create_jobs_batch(
    input: CreateJobsInput,
    jobs: Collection<Job>,
) -> Result<CreateJobsOutput> {
    let owner = input.user_id.filter(|user_id| !user_id.is_empty());
    let mut job_ids = Vec::new();
    for (index, data) in input.jobs_data.into_iter().enumerate() {
        match read_job(&data) {
            Ok(mut job) => {
                job.user_id = owner.clone().or_else(|| effective_user(job.user_id));
                job_ids.push(jobs.insert(&job)?);
            }
            Err(error) => item_errors::add(index, &data, error),
        }
    }
    Ok(CreateJobsOutput {
        success: true,
        created_count: job_ids.len(),
        message: format!("Created {} jobs", job_ids.len()),
        job_ids,
    })
}

/// Reads the data of a job. A field that the model does not have would be lost, so it is an error.
fn read_job(data: &Map<String, Value>) -> Result<Job> {
    let names = field_names();
    if let Some(name) = data.keys().find(|name| !names.contains(*name)) {
        return Err(Failure::permanent(format!("unknown field `{name}`")));
    }
    Ok(from_value(Value::Object(data.clone()))?)
}
