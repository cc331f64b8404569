//! Why a call to a collection did nothing.

use crate::body::BodyError;
use crate::edit::EditError;
use crate::filter::FilterError;
use crate::name::{InvalidId, InvalidName};
use crate::path::PathError;
use crate::query::QueryError;
use crate::sort::SortError;

/// Why a call to a collection did nothing: the cases that the contract with plugins has and
/// that a collection can know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// There is no such document.
    #[error("there is no such document")]
    NotFound,
    /// There is such a document already.
    #[error("there is such a document already")]
    Exists,
    /// The document has another revision, this one; `None` if it is gone.
    #[error("the document {}", match .0 {
        Some(revision) => format!("has revision {revision}"),
        None => "is gone".to_owned(),
    })]
    Stale(Option<u64>),
    /// Something in the call is not what it has to be; says what.
    #[error("{0}")]
    Invalid(String),
    /// The document is larger than allowed; says how large one may be.
    #[error("{0}")]
    TooLarge(String),
}

impl From<BodyError> for DocumentError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge("the document is larger than 1 MiB".to_owned()),
            other => Self::Invalid(format!("the body is no document: {other}")),
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

/// What is said of a call's arguments is its own text.
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
