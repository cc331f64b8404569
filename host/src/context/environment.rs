//! Variables, read with suspicion: what is of no use is remembered by name, never by value.

use std::cell::RefCell;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The longest name or id, in bytes. Airflow's are at most 250 characters.
const MAX_WORD: usize = 1024;
/// The longest URL, in bytes.
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
        checked(text.to_owned(), MAX_WORD).map(Self)
    }
}

/// A variable that was set and could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` {reason}")]
pub struct IgnoredVariable {
    /// Its name.
    pub variable: &'static str,
    /// Why.
    pub reason: InvalidValue,
}

impl Serialize for IgnoredVariable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It is longer than such a value has reason to be.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// It holds what a terminal or a log could act on.
    #[error("holds control characters")]
    Control,
    /// It is no UUID.
    #[error("is not a UUID")]
    NotAUuid,
    /// It is no number.
    #[error("is not a number")]
    NotANumber,
    /// It is no address of a page.
    #[error("is not a URL of http or https")]
    NotAUrl,
    /// It is an address that says a user's name or password.
    #[error("is a URL with credentials")]
    Credentials,
    /// It is not what Dagster hands over.
    #[error("is not base64 of zlib of JSON")]
    NotPipes,
    /// Dagster handed over a place where the run's id is, not the id.
    #[error("names no `run_id`: the rest of it is elsewhere")]
    NoRunId,
    /// It breaks the W3C's rules.
    #[error("is not as the W3C defines it")]
    NotW3c,
}

/// The variables that a process was started with.
pub(super) struct Environment<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    ignored: RefCell<Vec<IgnoredVariable>>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { read, ignored: RefCell::default() }
    }

    /// Returns a variable as it stands; an empty one counts as none.
    pub(super) fn raw(&self, variable: &str) -> Option<String> {
        (self.read)(variable).filter(|value| !value.is_empty())
    }

    /// Returns what `parse` makes of a variable, or remembers why it makes nothing.
    pub(super) fn parsed<T>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(String) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        parse(self.raw(variable)?).map_err(|reason| self.ignore(variable, reason)).ok()
    }

    /// Returns a name or an id.
    pub(super) fn word(&self, variable: &'static str) -> Option<String> {
        self.parsed(variable, |value| checked(value, MAX_WORD))
    }

    /// Returns the address of a page.
    pub(super) fn url(&self, variable: &'static str) -> Option<String> {
        self.parsed(variable, url)
    }

    /// Remembers that a variable was of no use.
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

fn checked(text: String, longest: usize) -> Result<String, InvalidValue> {
    if text.len() > longest {
        Err(InvalidValue::TooLong(longest))
    } else if text.chars().any(char::is_control) {
        Err(InvalidValue::Control)
    } else {
        Ok(text)
    }
}

/// Credentials in an address would be shown and kept with every run.
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
