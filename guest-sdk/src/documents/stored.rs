//! Stored documents and write conditions.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::DocumentError;
use crate::host::documents as host;
use crate::{Model, json};

/// A stored document: its id, its revision and its value.
///
/// An operation can return it as an object with these fields.
///
/// # Example
///
/// ```
/// use ophost_sdk::{Collection, model};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// let jobs = Collection::new();
/// jobs.put("1", &Job { title: "Baker".into() }).unwrap();
/// let job = jobs.require("1").unwrap();
/// assert_eq!((job.id.as_str(), job.value.title.as_str()), ("1", "Baker"));
/// ```
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stored<T> {
    /// Id of the document, unique in its collection.
    pub id: String,
    /// Revision of the document. Increases with every commit.
    ///
    /// The revision is 0 if the current run has written the document.
    pub revision: u64,
    /// Value of the document.
    pub value: T,
}

impl<T: Model + DeserializeOwned> Stored<T> {
    /// Converts a document of the host.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError::ModelMismatch`] if the body does not match `T`.
    pub(super) fn from_host(
        document: &host::Document,
        collection: &str,
    ) -> Result<Self, DocumentError> {
        let host::Document { id, revision, body } = document;
        match json::deserialize(body) {
            Ok(value) => Ok(Self { id: id.clone(), revision: *revision, value }),
            Err(error) => Err(DocumentError::ModelMismatch {
                collection: collection.to_owned(),
                id: id.clone(),
                model: T::NAME,
                path: error.path(),
                reason: with_solution(error.reason()),
            }),
        }
    }
}

/// Adds the solution to the error of a strict model.
fn with_solution(reason: String) -> String {
    // The text of serde, which has no kinds of errors.
    if reason.starts_with("unknown field ") {
        reason + "; a model that is not strict ignores unknown fields"
    } else {
        reason
    }
}

/// Precondition of a `put`.
///
/// # Example
///
/// ```
/// use ophost_sdk::{Collection, Condition, DocumentError, model};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// let jobs = Collection::new();
/// let baker = Job { title: "Baker".into() };
/// jobs.put_if("1", &baker, Condition::Absent).unwrap();
/// let error = jobs.put_if("1", &baker, Condition::Absent).unwrap_err();
/// assert!(matches!(error, DocumentError::Exists { .. }));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// No precondition: the document is added or replaced.
    Always,
    /// The document does not exist.
    Absent,
    /// The document exists.
    Present,
    /// The document has this revision.
    At(u64),
}

impl From<Condition> for host::Condition {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Always => Self::Always,
            Condition::Absent => Self::Absent,
            Condition::Present => Self::Present,
            Condition::At(revision) => Self::At(revision),
        }
    }
}
