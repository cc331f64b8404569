//! Which documents are meant.

mod error;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::error::{FilterError, Problem};
use crate::name::DocumentId;

/// Which documents are meant: a filter in a subset of MongoDB's language, which
/// `wit/README.md` describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub struct Filter {
    source: Value,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// Returns [`FilterError`], with the place, if it is none.
    pub fn parse(source: &Value) -> Result<Self, FilterError> {
        let _ = source;
        todo!()
    }

    /// Reads a filter from JSON text of at most 64 KiB, as strictly as [`crate::json::parse`].
    ///
    /// # Errors
    ///
    /// Returns [`FilterError`] if it is none.
    pub fn parse_text(text: &str) -> Result<Self, FilterError> {
        let _ = text;
        todo!()
    }

    /// Returns whether a document is meant. Allocates nothing but for objects that are
    /// compared with objects by `$gt` and its like.
    pub fn matches(&self, id: &DocumentId, body: &Map<String, Value>) -> bool {
        let _ = (id, body, &self.source);
        todo!()
    }

    /// Returns the filter as JSON.
    pub fn to_value(&self) -> Value {
        self.source.clone()
    }
}

impl From<Filter> for Value {
    fn from(filter: Filter) -> Self {
        filter.source
    }
}

impl TryFrom<Value> for Filter {
    type Error = FilterError;

    fn try_from(source: Value) -> Result<Self, FilterError> {
        Self::parse(&source)
    }
}
