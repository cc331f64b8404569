//! Errors of calls to a collection.

use std::error::Error;
use std::fmt;

use crate::FailureKind;
use crate::host::documents as host;

/// Error of a call to a collection.
///
/// The call has written nothing. The run can continue, and its earlier writes are kept.
///
/// `?` converts the error to a [`Failure`](crate::Failure) with the code of [`code`](Self::code).
/// The kind is [`FailureKind::Permanent`] for `denied` and `invalid`. For all other codes the kind
/// is [`FailureKind::Error`].
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
/// assert_eq!(error.to_string(), "document `1` does not exist in `jobs`");
/// assert_eq!(Failure::from(error).code.as_deref(), Some("not-found"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DocumentError {
    /// The operation does not declare the collection's model, or declares it for reading only.
    ///
    /// Code `denied`. The text is the message.
    Denied(String),
    /// The document does not exist. Code `not-found`.
    NotFound {
        /// Collection of the call.
        collection: String,
        /// Id of the call.
        id: String,
    },
    /// The document already exists. Code `exists`.
    Exists {
        /// Collection of the document.
        collection: String,
        /// Id of the document.
        id: String,
    },
    /// The document has another revision than the call expects. Code `stale`.
    Stale {
        /// Collection of the document.
        collection: String,
        /// Id of the document.
        id: String,
        /// Current revision of the document, or `None` if the document does not exist.
        revision: Option<u64>,
    },
    /// An argument of the call is invalid. Code `invalid`. The text is the message.
    Invalid(String),
    /// The document is larger than the limit. Code `too-large`. The message names the limit.
    TooLarge(String),
    /// The stored document does not match the model. Code `does-not-fit`.
    ModelMismatch {
        /// Collection of the document.
        collection: String,
        /// Id of the document.
        id: String,
        /// Name of the model.
        model: &'static str,
        /// Path of the value, as in [`set`](crate::Collection::set). Empty for the document itself.
        path: String,
        /// Reason of the mismatch.
        reason: String,
    },
    /// Any other error of the host.
    Other {
        /// Code for programs.
        code: String,
        /// Message, one line.
        message: String,
    },
}

impl DocumentError {
    /// Returns the code for programs.
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::DocumentError;
    ///
    /// assert_eq!(DocumentError::Invalid("not a filter".into()).code(), "invalid");
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

    /// Returns the kind of the failure that `?` creates.
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

    /// Converts an error of the host for the document `id`.
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
                write!(f, "document `{id}` does not exist in `{collection}`")
            }
            Self::Exists { collection, id } => {
                write!(f, "document `{id}` already exists in `{collection}`")
            }
            Self::Stale { collection, id, revision: Some(revision) } => {
                write!(
                    f,
                    "document `{id}` in `{collection}` has changed: its revision is {revision}"
                )
            }
            Self::Stale { collection, id, revision: None } => {
                write!(f, "document `{id}` in `{collection}` no longer exists")
            }
            Self::ModelMismatch { collection, id, model, path, reason } => {
                write!(f, "document `{id}` in `{collection}` does not match model `{model}`: ")?;
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
