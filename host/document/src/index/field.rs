//! The field of an index.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::key::values_of;
use crate::order;
use crate::path::{Part, Path, PathError};
use crate::projection::{Fields, Projection};
use crate::text;

/// Maximum length of the path of an index, in bytes.
const MAX_LENGTH: usize = 1_000;

/// The field of an index: a path that contains no list position, of at most 1,000 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IndexField(Path);

impl IndexField {
    /// Returns the field at a path.
    ///
    /// # Errors
    ///
    /// Returns [`IndexFieldError`] if the path begins with `_id`, contains a number or is too long.
    pub fn new(path: Path) -> Result<Self, IndexFieldError> {
        if path.is_id() {
            return Err(IndexFieldError::Id);
        }
        if let Some(part) = path.parts().iter().find(|part| part.index.is_some()) {
            let (path, position) = (path.to_string(), part.name.to_string());
            return Err(IndexFieldError::Position { path, position });
        }
        match path.to_string().len() > MAX_LENGTH {
            true => Err(IndexFieldError::TooLong(path.to_string())),
            false => Ok(Self(path)),
        }
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the projection that contains the field.
    pub fn projection(&self) -> Projection {
        Projection::new([self.0.first()].into())
    }

    /// Returns the start of the path at which a document has a list of lists; `None` if the path
    /// goes through no such list.
    ///
    /// A path goes through each object of a list, and not through the lists in it.
    pub fn list_of_lists(&self, fields: &dyn Fields) -> Option<String> {
        let (first, rest) = self.0.split_first();
        let depth = list_of_lists(fields.field(&first.name)?, rest)?;
        Some(self.0.prefix(self.0.parts().len() - depth))
    }

    /// Returns a value, other than null, that a filter for equality matches in both documents.
    pub fn common_value(&self, document: &dyn Fields, other: &dyn Fields) -> Option<Value> {
        let mut others = self.values(other);
        others.sort_unstable_by(|a, b| order::compare(a, b));
        let is_common =
            |value: &&Value| others.binary_search_by(|it| order::compare(it, value)).is_ok();
        self.values(document).into_iter().find(is_common).cloned()
    }

    /// Returns the values, other than null, that a filter for equality can match in a document.
    pub fn values<'v>(&self, fields: &'v dyn Fields) -> Vec<&'v Value> {
        values_of(self, fields)
    }
}

/// Returns the number of remaining parts at the first list of lists.
fn list_of_lists(value: &Value, parts: &[Part]) -> Option<usize> {
    let (first, rest) = parts.split_first()?;
    let in_object = |fields: &Map<String, Value>| list_of_lists(fields.get(&*first.name)?, rest);
    match value {
        Value::Object(fields) => in_object(fields),
        Value::Array(items) if items.iter().any(Value::is_array) => Some(parts.len()),
        Value::Array(items) => items.iter().filter_map(Value::as_object).find_map(in_object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

impl fmt::Display for IndexField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for IndexField {
    type Err = IndexFieldError;

    fn from_str(path: &str) -> Result<Self, IndexFieldError> {
        Self::new(Path::parse(path)?)
    }
}

impl TryFrom<String> for IndexField {
    type Error = IndexFieldError;

    fn try_from(path: String) -> Result<Self, IndexFieldError> {
        path.parse()
    }
}

impl From<IndexField> for String {
    fn from(field: IndexField) -> Self {
        field.to_string()
    }
}

/// The reason why a path cannot have an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexFieldError {
    /// The text is not a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The path begins with `_id`.
    #[error("documents are stored in the order of `_id`, which needs no index")]
    Id,
    /// A part of the path is a number, which is a position in a list.
    #[error("cannot index `{}`: `{}` is a position in a list", text::quote(.path), text::quote(.position))]
    Position {
        /// The path.
        path: String,
        /// The part.
        position: String,
    },
    /// The path is longer than 1,000 bytes.
    #[error("cannot index `{}`: the path is longer than {MAX_LENGTH} bytes", text::quote(.0))]
    TooLong(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn field_of_an_index_has_no_position_and_is_not_the_id() {
        assert_eq!("a.b".parse::<IndexField>().unwrap().to_string(), "a.b");
        let message = |path: &str| path.parse::<IndexField>().unwrap_err().to_string();
        assert_eq!(message("rows.0.1"), "cannot index `rows.0.1`: `0` is a position in a list");
        assert_eq!(message("_id.x"), message("_id"));
        assert_eq!(message("a..b"), "the path `a..b` has an empty part");
        assert!(message(&"x".repeat(1_001)).ends_with("longer than 1000 bytes"));
        assert!("x".repeat(1_000).parse::<IndexField>().is_ok());
    }

    #[test]
    fn list_of_lists_on_the_path_is_found() {
        let found = |path: &str, document: Value| {
            let field: IndexField = path.parse().unwrap();
            field.list_of_lists(document.as_object().unwrap())
        };
        let is = |at: &str| Some(at.to_owned());
        assert_eq!(found("rows.x", json!({"rows": [[{"x": 1}]]})), is("rows"));
        assert_eq!(found("a.b.c", json!({"a": [{}, {"b": [1, []]}]})), is("a.b"));
        for (path, document) in [
            ("rows", json!({"rows": [[1]]})),
            ("rows.x", json!({"rows": [{"x": [[1]]}]})),
            ("rows.x", json!({"rows": []})),
            ("rows.x", json!({})),
        ] {
            assert_eq!(found(path, document.clone()), None, "{path} of {document}");
        }
    }
}
