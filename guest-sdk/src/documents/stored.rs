//! Documents as they are.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::DocumentError;
use crate::host::documents as host;
use crate::{Model, json};

/// A document as it is. An operation can return it: it is an object with these fields.
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
    /// What names it in its collection.
    pub id: String,
    /// Which change it is of: it grows with each change that is kept. 0 where this run has
    /// written it.
    pub revision: u64,
    /// What it holds.
    pub value: T,
}

impl<T: Model + DeserializeOwned> Stored<T> {
    /// Reads what the host returned.
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
                reason: error.reason(),
            }),
        }
    }
}

/// What must be true of a document so that it is put.
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
    /// Nothing: it is added, or replaces what is there.
    Always,
    /// There is none of that id.
    Absent,
    /// There is one of that id.
    Present,
    /// It has this revision.
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
