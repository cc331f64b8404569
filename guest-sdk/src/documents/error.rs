//! Why a call to a collection did nothing.

use std::error::Error;
use std::fmt;

use crate::FailureKind;
use crate::host::documents as host;

/// Why a call did nothing. The run goes on; what it wrote before stays.
///
/// `?` turns it into a [`Failure`](crate::Failure) with the code that [`code`](Self::code)
/// returns. `denied` and `invalid` are [permanent](FailureKind::Permanent), the others not known
/// to be.
///
/// # Example
///
/// ```
/// use ophost_sdk::{Collection, DocumentError, Failure, model};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// let error = Collection::<Job>::new().require("1").unwrap_err();
/// assert!(matches!(&error, DocumentError::NotFound { id, .. } if id == "1"));
/// assert_eq!(error.to_string(), "there is no document `1` in `jobs`");
/// assert_eq!(Failure::from(error).code.as_deref(), Some("not-found"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DocumentError {
    /// The operation does not declare the collection's model, or only for reading; says
    /// which. `denied`.
    Denied(String),
    /// There is no such document. `not-found`.
    NotFound {
        /// Where it was looked for.
        collection: String,
        /// What it would be named.
        id: String,
    },
    /// There is such a document already. `exists`.
    Exists {
        /// Where it is.
        collection: String,
        /// What names it.
        id: String,
    },
    /// The document is not of the revision that the call is for. `stale`.
    Stale {
        /// Where it is.
        collection: String,
        /// What names it.
        id: String,
        /// Which revision it has; none if it is gone.
        revision: Option<u64>,
    },
    /// Something in the call is not what it has to be; says what. `invalid`.
    Invalid(String),
    /// The document is larger than allowed; says how large one may be. `too-large`.
    TooLarge(String),
    /// A document is not what its model says. `does-not-fit`.
    ModelMismatch {
        /// Where it is.
        collection: String,
        /// What names it.
        id: String,
        /// What it is not.
        model: &'static str,
        /// Where in it, as in [`set`](crate::Collection::set); empty for the whole.
        path: String,
        /// Why.
        reason: String,
    },
    /// Something else.
    Other {
        /// A word for programs.
        code: String,
        /// One line for people.
        message: String,
    },
}

impl DocumentError {
    /// Returns the word for programs.
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::DocumentError;
    ///
    /// assert_eq!(DocumentError::Invalid("no filter".into()).code(), "invalid");
    /// ```
    pub fn code(&self) -> &str {
        match self {
            Self::Denied(_) => "denied",
            Self::NotFound { .. } => "not-found",
            Self::Exists { .. } => "exists",
            Self::Stale { .. } => "stale",
            Self::Invalid(_) => "invalid",
            Self::TooLarge(_) => "too-large",
            Self::ModelMismatch { .. } => "does-not-fit",
            Self::Other { code, .. } => code,
        }
    }

    /// Returns whether it helps to try again.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Denied(_) | Self::Invalid(_) => FailureKind::Permanent,
            Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::Stale { .. }
            | Self::TooLarge(_)
            | Self::ModelMismatch { .. }
            | Self::Other { .. } => FailureKind::Error,
        }
    }

    /// Returns what the host's `error` means for the document `id`.
    pub(super) fn from_host(error: host::Error, collection: &str, id: &str) -> Self {
        let (collection, id) = (collection.to_owned(), id.to_owned());
        match error {
            host::Error::Denied(why) => Self::Denied(why),
            host::Error::NotFound => Self::NotFound { collection, id },
            host::Error::Exists => Self::Exists { collection, id },
            host::Error::Stale(revision) => Self::Stale { collection, id, revision },
            host::Error::Invalid(why) => Self::Invalid(why),
            host::Error::TooLarge(why) => Self::TooLarge(why),
            host::Error::Other((code, message)) => Self::Other { code, message },
        }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) | Self::Invalid(why) | Self::TooLarge(why) => f.write_str(why),
            Self::NotFound { collection, id } => {
                write!(f, "there is no document `{id}` in `{collection}`")
            }
            Self::Exists { collection, id } => {
                write!(f, "there is a document `{id}` in `{collection}` already")
            }
            Self::Stale { collection, id, revision: Some(revision) } => {
                write!(
                    f,
                    "document `{id}` in `{collection}` was changed: its revision is {revision}"
                )
            }
            Self::Stale { collection, id, revision: None } => {
                write!(f, "document `{id}` in `{collection}` is gone")
            }
            Self::ModelMismatch { collection, id, model, path, reason } => {
                write!(f, "document `{id}` in `{collection}` is not of model `{model}`: ")?;
                if !path.is_empty() {
                    write!(f, "`{path}`: ")?;
                }
                f.write_str(reason)
            }
            Self::Other { message, .. } => f.write_str(message),
        }
    }
}

impl Error for DocumentError {}
