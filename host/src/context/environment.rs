//! Validated environment variables. Unusable ones are collected by name, without their values.

use std::cell::RefCell;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Maximum length of a name or id, in bytes. Those of Airflow have at most 250 characters.
const MAX_LABEL: usize = 1024;
/// Maximum length of a URL, in bytes.
const MAX_URL: usize = 2048;

/// A name or an id: 1 to 1,024 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text.is_empty() {
            return Err(InvalidValue::Empty);
        }
        checked(text.to_owned(), MAX_LABEL).map(Self)
    }
}

/// A variable with an unusable value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` {reason}")]
pub struct IgnoredVariable {
    /// Name of the variable.
    pub variable: &'static str,
    /// The problem of its value.
    pub reason: InvalidValue,
}

impl Serialize for IgnoredVariable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The problem of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// The value is empty.
    #[error("is empty")]
    Empty,
    /// The value is longer than its maximum, in bytes.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// The value contains control characters.
    #[error("contains control characters")]
    Control,
    /// The value is not a UUID.
    #[error("is not a UUID")]
    NotAUuid,
    /// The value is not a number.
    #[error("is not a number")]
    NotANumber,
    /// The value is not a URL of a page.
    #[error("is not an http or https URL")]
    NotAUrl,
    /// The URL contains a user name or a password.
    #[error("is a URL with credentials")]
    Credentials,
    /// The value is not in the format of Dagster Pipes.
    #[error("is not base64 of zlib of JSON")]
    NotPipes,
    /// Dagster passed the location of the context, and not the context.
    #[error("contains no `run_id`, only the location of the context")]
    NoRunId,
    /// The value violates the W3C specification.
    #[error("violates the W3C specification")]
    NotW3c,
}

/// The environment variables of a process.
pub(super) struct Environment<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    ignored: RefCell<Vec<IgnoredVariable>>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { read, ignored: RefCell::default() }
    }

    /// Returns the value of a variable; an empty value counts as missing.
    pub(super) fn raw(&self, variable: &str) -> Option<String> {
        (self.read)(variable).filter(|value| !value.is_empty())
    }

    /// Returns the parsed value of a variable, or adds the variable to the ignored ones.
    pub(super) fn parsed<T>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(String) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        parse(self.raw(variable)?).map_err(|reason| self.ignore(variable, reason)).ok()
    }

    /// Returns a name or an id.
    pub(super) fn label(&self, variable: &'static str) -> Option<String> {
        self.parsed(variable, |value| checked(value, MAX_LABEL))
    }

    /// Returns the URL of a page.
    pub(super) fn url(&self, variable: &'static str) -> Option<String> {
        self.parsed(variable, url)
    }

    /// Adds a variable to the ignored ones.
    pub(super) fn ignore(&self, variable: &'static str, reason: InvalidValue) {
        let ignored = IgnoredVariable { variable, reason };
        let mut all = self.ignored.borrow_mut();
        if !all.contains(&ignored) {
            all.push(ignored);
        }
    }

    pub(super) fn into_ignored(self) -> Vec<IgnoredVariable> {
        self.ignored.into_inner()
    }
}

fn checked(text: String, max: usize) -> Result<String, InvalidValue> {
    if text.len() > max {
        Err(InvalidValue::TooLong(max))
    } else if text.chars().any(char::is_control) {
        Err(InvalidValue::Control)
    } else {
        Ok(text)
    }
}

/// Validates a URL. Credentials are rejected, because the record of every run would contain them.
fn url(text: String) -> Result<String, InvalidValue> {
    let text = checked(text, MAX_URL)?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#', '\\']).next());
    match authority {
        None | Some("") => Err(InvalidValue::NotAUrl),
        Some(_) if text.contains(char::is_whitespace) => Err(InvalidValue::NotAUrl),
        Some(authority) if authority.contains('@') => Err(InvalidValue::Credentials),
        Some(_) => Ok(text),
    }
}
