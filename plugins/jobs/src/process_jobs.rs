//! Enriches jobs in batches.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{
    Collection, DocumentError, Failure, Result, Stored, documents, item_errors, model, operation,
    progress,
};

use crate::enrichment::enrich;
use crate::job::{Job, effective_user, filter_for_user};

/// Input schema for processing jobs.
#[model]
pub(crate) struct ProcessJobsInput {
    /// Number of jobs in a batch
    #[serde(default = "default_batch_size")]
    #[schemars(range(min = 1, max = 10_000))]
    batch_size: usize,
    /// Filters for jobs to process
    #[serde(default)]
    filters: Option<Map<String, Value>>,
    /// User ID for scoping
    #[serde(default)]
    user_id: Option<String>,
    /// Preview without updating
    #[serde(default)]
    dry_run: bool,
    /// Enable verbose logging
    #[serde(default)]
    verbose: bool,
}

fn default_batch_size() -> usize {
    100
}

/// Output schema for processing jobs.
#[model]
pub(crate) struct ProcessJobsOutput {
    success: bool,
    processed_count: usize,
    failed_count: usize,
    job_ids: Vec<String>,
    message: String,
    /// TaskRun ID for tracking
    #[serde(default)]
    task_run_id: Option<String>,
}

/// The jobs of a run so far.
#[derive(Default)]
struct Processed {
    job_ids: Vec<String>,
    failed_count: usize,
}

impl Processed {
    fn count(&self) -> usize {
        self.job_ids.len() + self.failed_count
    }

    /// Adds a job, or an item error with the index of the job in the order of the ids.
    fn add(&mut self, job_id: String, error: Option<Failure>) {
        match error {
            None => self.job_ids.push(job_id),
            Some(error) => {
                item_errors::add(self.count(), &job_id, error);
                self.failed_count += 1;
            }
        }
    }
}

/// Processes and enriches jobs.
///
/// A job that cannot be processed is an item error and stays unchanged. Any other error discards
/// the changes of all batches.
#[operation(
    description = "Process jobs with enrichment",
    category = "processing",
    async_enabled = true,
    annotations("ophost.idempotent" = true),
)]
pub(crate) fn process_jobs(input: ProcessJobsInput, jobs: Collection<Job>) -> ProcessJobsOutput {
    let user_id = effective_user(input.user_id);
    let filter = filter_for_user(user_id.as_deref(), input.filters.unwrap_or_default());
    let (success, processed, message) = match process(filter, input.batch_size, &jobs) {
        Ok(processed) => {
            let (done, failed) = (processed.job_ids.len(), processed.failed_count);
            (true, processed, format!("Processed {done} job(s), {failed} failed"))
        }
        Err(error) => {
            documents::discard();
            (false, Processed::default(), format!("Error processing jobs: {error}"))
        }
    };
    ProcessJobsOutput {
        success,
        processed_count: processed.job_ids.len(),
        failed_count: processed.failed_count,
        job_ids: processed.job_ids,
        message,
        task_run_id: None,
    }
}

/// Processes the jobs that match a filter, in batches in the order of their ids.
fn process(filter: Value, batch_size: usize, jobs: &Collection<Job>) -> Result<Processed> {
    let total = jobs.count(filter.clone())?;
    let mut processed = Processed::default();
    let mut found = jobs.find(filter).into_iter().peekable();
    for batch in 1.. {
        if found.peek().is_none() {
            break;
        }
        for job in found.by_ref().take(batch_size) {
            process_one(job, jobs, &mut processed)?;
        }
        let done = processed.count() as u64;
        progress::report(done, Some(total), Some(&format!("batch {batch}")));
    }
    Ok(processed)
}

/// Processes a job. A document that does not match the model is a failed job.
fn process_one(
    job: Result<Stored<Job>, DocumentError>,
    jobs: &Collection<Job>,
    processed: &mut Processed,
) -> Result<()> {
    match job {
        Ok(job) => {
            let error = update(&job, jobs)?;
            processed.add(job.id, error);
        }
        Err(error) => {
            let DocumentError::ModelMismatch { id, .. } = &error else {
                return Err(error.into());
            };
            processed.add(id.clone(), Some(error.into()));
        }
    }
    Ok(())
}

/// Stores the enrichment of a job, or returns the reason why there is none.
fn update(job: &Stored<Job>, jobs: &Collection<Job>) -> Result<Option<Failure>> {
    let enrichment = match enrich(&job.value) {
        Ok(enrichment) => enrichment,
        Err(error) => return Ok(Some(error.into())),
    };
    // An unchanged job is not written, so that a repeated run changes no document.
    if job.value.enrichment.as_ref() != Some(&enrichment) {
        jobs.set(&job.id, [("enrichment", enrichment)])?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use ophost_sdk::serde_json::{from_str, from_value, json};

    use super::*;

    /// The maximum size of a document in bytes.
    const MAX_DOCUMENT: usize = 1 << 20;

    #[test]
    fn an_error_in_the_middle_discards_the_earlier_jobs() {
        let memory = documents::memory();
        let mut job: Job = from_value(json!({"title": "Baker", "company": "ACME"})).unwrap();
        memory.seed("1", &job);
        // The document has no space for the enrichment.
        job.notes = Some("x".repeat(MAX_DOCUMENT - 100));
        memory.seed("2", &job);
        let output = process_jobs::OPERATION.invoke("{}").unwrap();
        let output: ProcessJobsOutput = from_str(&output).unwrap();
        assert_eq!((output.success, output.processed_count, output.failed_count), (false, 0, 0));
        assert!(output.message.starts_with("Error processing jobs: "), "{}", output.message);
        assert!(output.job_ids.is_empty());
        let enriched = |job: &Value| job.get("enrichment").is_some();
        assert!(!memory.documents("jobs").values().any(enriched));
    }
}
