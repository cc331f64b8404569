//! The failure of an operation.

use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::DocumentError;

/// The result of an operation.
///
/// # Example
///
/// ```
/// use ophost_sdk::Result;
///
/// fn parse(text: &str) -> Result<u32> {
///     Ok(text.trim().parse()?)
/// }
///
/// assert_eq!(parse("7").unwrap(), 7);
/// assert_eq!(parse("x").unwrap_err().message, "invalid digit found in string");
/// ```
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// The failure of an operation.
///
/// `?` converts any error to a failure of kind [`FailureKind::Error`]. Errors of the standard
/// library, `thiserror` and `anyhow` are accepted, and strings too. The causes of the error become
/// the traceback. A [`DocumentError`] also sets the code and the kind of the failure.
///
/// A failure does not implement [`Error`]. Otherwise the conversion from any error would overlap
/// with the standard library's conversion of a type to itself.
///
/// # Example
///
/// ```
/// use ophost_sdk::serde_json::json;
/// use ophost_sdk::{Failure, FailureKind};
///
/// let failure = Failure::permanent("job `42` does not exist")
///     .code("not-found")
///     .details(json!({"job": 42}));
///
/// assert_eq!(failure.kind, FailureKind::Permanent);
/// assert_eq!(failure.code.as_deref(), Some("not-found"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// Whether a retry can succeed.
    pub kind: FailureKind,
    /// The message, one line.
    pub message: String,
    /// The code for programs, such as `not-found`.
    pub code: Option<String>,
    /// Details as JSON. The box keeps a `Result` small.
    pub details: Option<Box<Value>>,
    /// The chain of causes, one per line.
    pub traceback: Option<String>,
}

/// Whether a retry can succeed.
///
/// # Example
///
/// ```
/// use ophost_sdk::{Failure, FailureKind};
///
/// assert_eq!(Failure::retryable("the queue is full").kind, FailureKind::Retryable);
/// assert_eq!(Failure::from("no idea").kind, FailureKind::Error);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// Unknown. `?` converts an error to this kind.
    Error,
    /// A retry fails again.
    Permanent,
    /// A retry may succeed, because the cause is outside the operation.
    Retryable,
}

impl Failure {
    /// Returns a failure of kind [`FailureKind::Error`].
    ///
    /// # Example
    ///
    /// ```
    /// let failure = ophost_sdk::Failure::error("cannot parse the job");
    /// assert_eq!(failure.to_string(), "cannot parse the job");
    /// ```
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Error, message.into())
    }

    /// Returns a failure of kind [`FailureKind::Permanent`].
    ///
    /// # Example
    ///
    /// ```
    /// # use ophost_sdk::{Failure, FailureKind};
    /// assert_eq!(Failure::permanent("no such job").kind, FailureKind::Permanent);
    /// ```
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Permanent, message.into())
    }

    /// Returns a failure of kind [`FailureKind::Retryable`].
    ///
    /// # Example
    ///
    /// ```
    /// # use ophost_sdk::{Failure, FailureKind};
    /// assert_eq!(Failure::retryable("busy").kind, FailureKind::Retryable);
    /// ```
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Retryable, message.into())
    }

    /// Sets the code for programs.
    ///
    /// # Example
    ///
    /// ```
    /// let failure = ophost_sdk::Failure::permanent("no such job").code("not-found");
    /// assert_eq!(failure.code.as_deref(), Some("not-found"));
    /// ```
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets the details.
    ///
    /// If `details` cannot be serialised as JSON, the details are the text of that error.
    ///
    /// # Example
    ///
    /// ```
    /// let failure = ophost_sdk::Failure::error("two jobs do not exist").details([4, 2]);
    /// assert_eq!(failure.details.unwrap().to_string(), "[4,2]");
    /// ```
    #[must_use]
    pub fn details(mut self, details: impl Serialize) -> Self {
        let details = serde_json::to_value(details);
        let details = details.unwrap_or_else(|error| Value::String(error.to_string()));
        self.details = Some(Box::new(details));
        self
    }

    /// Sets the traceback to `cause` and its chain of causes.
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::Failure;
    ///
    /// let failure = "x"
    ///     .parse::<u32>()
    ///     .map_err(|error| Failure::permanent("the id is not a number").caused_by(error))
    ///     .unwrap_err();
    /// assert_eq!(
    ///     failure.traceback.as_deref(),
    ///     Some("caused by: invalid digit found in string")
    /// );
    /// ```
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.traceback = cause_chain(Some(&*cause.into()));
        self
    }

    fn new(kind: FailureKind, message: String) -> Self {
        Self { kind, message, code: None, details: None, traceback: None }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let failure =
            Self { traceback: cause_chain(error.source()), ..Self::error(error.to_string()) };
        match error.downcast_ref::<DocumentError>() {
            Some(error) => Self { kind: error.kind(), ..failure.code(error.code()) },
            None => failure,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn cause_chain(first: Option<&(dyn Error + 'static)>) -> Option<String> {
    let lines: Vec<String> = std::iter::successors(first, |&cause| cause.source())
        .map(|cause| format!("caused by: {cause}"))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn layers() -> Layer {
        let cause = Layer("no disk", None);
        Layer("cannot save", Some(Box::new(Layer("cannot write", Some(Box::new(cause))))))
    }

    fn fail<E>(error: E) -> Result<()>
    where
        Failure: From<E>,
    {
        Err(error)?
    }

    #[test]
    fn an_error_converts_to_a_failure_with_its_causes() {
        let failure = fail(layers()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Error);
        assert_eq!(failure.message, "cannot save");
        assert_eq!(
            failure.traceback.as_deref(),
            Some("caused by: cannot write\ncaused by: no disk")
        );
    }

    #[test]
    fn anyhow_errors_and_strings_convert_to_failures() {
        let error = anyhow::Error::new(layers()).context("cannot go on");
        let failure = fail(error).unwrap_err();
        assert_eq!(failure.message, "cannot go on");
        assert_eq!(failure.traceback.unwrap().lines().count(), 3);

        assert_eq!(fail("a text").unwrap_err(), Failure::error("a text"));
        assert_eq!(fail(String::from("owned")).unwrap_err().message, "owned");
    }

    #[test]
    fn a_failure_converts_to_itself() {
        let failure = Failure::retryable("busy").code("busy").details(1);
        assert_eq!(fail(failure.clone()).unwrap_err(), failure);
    }

    #[test]
    fn caused_by_includes_the_cause_itself() {
        let failure = Failure::permanent("no").caused_by(layers());
        assert_eq!(failure.traceback.unwrap().lines().count(), 3);
    }
}
