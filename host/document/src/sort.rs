//! Which documents come first.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::name::DocumentId;
use crate::path::Path;

/// The most paths that documents are sorted by.
pub const MAX_KEYS: usize = 8;

/// In which order documents come: that of the first path, where that is equal of the next, at
/// last of the id. Without a path it is the order of the ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<SortBy>", try_from = "Vec<SortBy>")]
pub struct Sort(Vec<SortBy>);

/// One field that documents are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortBy {
    /// Which; `_id` for the document's id.
    pub path: Path,
    /// Whether the greatest comes first.
    #[serde(default)]
    pub descending: bool,
}

impl Sort {
    /// Returns an order.
    ///
    /// # Errors
    ///
    /// Returns [`SortError`] if there are more than 8 paths.
    pub fn new(keys: Vec<SortBy>) -> Result<Self, SortError> {
        if keys.len() > MAX_KEYS {
            return Err(SortError(keys.len()));
        }
        Ok(Self(keys))
    }

    /// Returns whether this is the order of the ids, in which documents are kept.
    pub fn is_by_id(&self) -> bool {
        todo!()
    }

    /// Returns the place of a document in this order.
    pub fn key_of(&self, id: &DocumentId, body: &Map<String, Value>) -> SortKey {
        let _ = (id, body);
        todo!()
    }
}

impl TryFrom<Vec<SortBy>> for Sort {
    type Error = SortError;

    fn try_from(keys: Vec<SortBy>) -> Result<Self, SortError> {
        Self::new(keys)
    }
}

impl From<Sort> for Vec<SortBy> {
    fn from(sort: Sort) -> Self {
        sort.0
    }
}

/// The place of a document in an order: keys of one [`Sort`] are ordered as the documents are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(Vec<u8>);

/// More paths than documents can be sorted by; how many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("documents are sorted by at most {MAX_KEYS} fields, not by {0}")]
pub struct SortError(usize);
