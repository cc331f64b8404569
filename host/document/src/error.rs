//! Errors of the calls of a collection.

use crate::body::BodyError;
use crate::edit::EditError;
use crate::filter::FilterError;
use crate::name::{InvalidId, InvalidName};
use crate::path::PathError;
use crate::query::QueryError;
use crate::sort::SortError;

/// The reason why a call of a collection failed. A failed call changes nothing.
///
/// The variants are the errors of the plugin contract that a collection itself can detect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The document does not exist.
    #[error("the document does not exist")]
    NotFound,
    /// The document already exists.
    #[error("the document already exists")]
    Exists,
    /// The document has another revision, which is given; `None` if the document does not exist.
    #[error("the document {}", match .0 {
        Some(revision) => format!("has revision {revision}"),
        None => "does not exist".to_owned(),
    })]
    Stale(Option<u64>),
    /// An argument of the call is invalid. The message names the problem.
    #[error("{0}")]
    Invalid(String),
    /// The document is too large. The message names the maximum size.
    #[error("{0}")]
    TooLarge(String),
}

impl From<BodyError> for DocumentError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge("the document is larger than 1 MiB".to_owned()),
            other => Self::Invalid(format!("invalid document body: {other}")),
        }
    }
}

impl From<EditError> for DocumentError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Body(error) => error.into(),
            other => Self::Invalid(other.to_string()),
        }
    }
}

/// Converts errors of arguments to [`DocumentError::Invalid`] with the same message.
macro_rules! invalid {
    ($($error:ty),+) => {$(
        impl From<$error> for DocumentError {
            fn from(error: $error) -> Self {
                Self::Invalid(error.to_string())
            }
        }
    )+};
}

invalid!(FilterError, InvalidId, InvalidName, PathError, QueryError, SortError);
