//! The enrichment of a posting.

use std::error::Error;
use std::fmt;

use ophost_sdk::model;

use crate::job::Job;
use crate::salary::{self, Salary, SalaryError};
use crate::seniority::{self, Seniority};
use crate::{skills, title};

/// What `process_jobs` extracts from the other fields of a job. Equal fields give an equal result.
#[model]
#[derive(PartialEq)]
pub(crate) struct Enrichment {
    /// The normalised title, without seniority and notes.
    pub(crate) title: String,
    /// The seniority, or `null` if the posting does not state it.
    pub(crate) seniority: Option<Seniority>,
    /// The skills in the title and the description, sorted.
    pub(crate) skills: Vec<String>,
    /// The salary, or `null` if the posting has none or leaves it open.
    pub(crate) salary: Option<Salary>,
}

/// Reason why a posting cannot be enriched.
#[derive(Debug)]
pub(crate) enum EnrichmentError {
    /// The title names no position.
    EmptyTitle,
    /// The salary cannot be parsed.
    Salary(String, SalaryError),
}

impl fmt::Display for EnrichmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyTitle => f.write_str("the title is empty"),
            Self::Salary(text, error) => write!(f, "cannot parse the salary `{text}`: {error}"),
        }
    }
}

impl Error for EnrichmentError {}

/// Returns the enrichment of a job.
///
/// # Errors
///
/// - Returns [`EnrichmentError::EmptyTitle`] if the title has no words.
/// - Returns [`EnrichmentError::Salary`] if the salary is neither open nor an amount or a range.
pub(crate) fn enrich(job: &Job) -> Result<Enrichment, EnrichmentError> {
    let description = job.description.as_deref().unwrap_or_default();
    let salary = job.salary.as_deref().unwrap_or_default();
    Ok(Enrichment {
        title: title::normalize(&job.title).ok_or(EnrichmentError::EmptyTitle)?,
        seniority: seniority::of(&job.title, description),
        skills: skills::extract(&format!("{}\n{description}", job.title)),
        salary: salary::parse(salary)
            .map_err(|error| EnrichmentError::Salary(salary.to_owned(), error))?,
    })
}
