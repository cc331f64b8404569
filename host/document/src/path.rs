//! A place in a document.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text;

/// The most parts of a path.
pub const MAX_PARTS: usize = 64;

/// A place in a document: names of fields, and places in lists from 0, joined by dots, such
/// as `address.lines.0`. At most 64 parts, none of them empty.
///
/// A field whose name holds a dot, or is empty, cannot be named so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Path {
    parts: Box<[Part]>,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    /// The name of a field.
    pub(crate) name: Box<str>,
    /// The place in a list, if it is the number of one.
    pub(crate) place: Option<usize>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// Returns [`PathError`] if a part is empty or there are too many.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let mut parts = Vec::new();
        for name in path.split('.') {
            if name.is_empty() {
                return Err(PathError::Empty(path.to_owned()));
            }
            if parts.len() == MAX_PARTS {
                return Err(PathError::TooLong(path.to_owned()));
            }
            parts.push(Part { name: name.into(), place: place(name) });
        }
        Ok(Self { parts: parts.into() })
    }

    /// Returns whether this is the place of the document's id, or below it.
    pub fn is_id(&self) -> bool {
        &*self.parts[0].name == crate::body::ID
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// Returns the place in a list that a part names; `01` names none.
fn place(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    let plain = digits && (name == "0" || !name.starts_with('0'));
    plain.then(|| name.parse().ok()).flatten()
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.parts.iter().enumerate() {
            let dot = if number == 0 { "" } else { "." };
            write!(f, "{dot}{}", part.name)?;
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        Self::parse(path)
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;

    fn try_from(path: String) -> Result<Self, PathError> {
        Self::parse(&path)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A part without a name.
    #[error("the path `{}` has an empty part", text::name(.0))]
    Empty(String),
    /// More parts than any document has levels.
    #[error("the path `{}` has more than {MAX_PARTS} parts", text::name(.0))]
    TooLong(String),
}
