//! Secondary indexes of collections: definitions, and the results of their calls.

use std::fmt;
use std::time::Duration;

use ophost_document::{IndexField, text};
use serde::Serialize;
use serde_json::{Value, json};

use crate::model::document::{CollectionName, DocumentId};
use crate::model::outcome::{Failure, FailureKind};

/// Maximum number of indexes of a collection.
pub(crate) const MAX_INDEXES: usize = 16;
/// Maximum time that one slice of a build reads documents. Other writers wait for its end.
pub(super) const SLICE_TIME: Duration = Duration::from_millis(5);

/// An index of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexInfo {
    /// The collection.
    pub collection: CollectionName,
    /// The indexed field.
    pub field: IndexField,
    /// Whether two documents cannot have the same value.
    pub unique: bool,
    /// The state.
    #[serde(flatten)]
    pub state: IndexState,
}

/// State of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum IndexState {
    /// The index is being built. Queries do not use it.
    Building {
        /// The number of documents in the index so far.
        done: u64,
        /// The number of documents of the collection.
        total: u64,
    },
    /// The index is complete. Queries use it.
    Ready,
    /// The entries are being removed. Queries do not use the index, and writes do not change it.
    Removing,
}

/// An index to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIndex {
    /// The collection.
    pub collection: CollectionName,
    /// The field.
    pub field: IndexField,
    /// Whether two documents cannot have the same value.
    pub unique: bool,
}

/// Result of [`Store::create_index`](super::Store::create_index).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreateIndexOutcome {
    /// The definition exists, and the index must be built.
    Building,
    /// The index was built before.
    Ready,
    /// An index of the field is being removed. Nothing was written.
    Removing,
    /// An index of the field exists, and only one of the two is unique. Nothing was written.
    Mismatch,
    /// The collection has [`MAX_INDEXES`] indexes. Nothing was written.
    TooMany,
}

/// Result of [`Store::build_index`](super::Store::build_index).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BuildIndexOutcome {
    /// A slice was added. Another call is needed.
    Building {
        /// See [`IndexState::Building`].
        done: u64,
        /// See [`IndexState::Building`].
        total: u64,
    },
    /// The index is complete.
    Ready,
    /// The documents cannot have this index. Its state is [`IndexState::Removing`].
    Rejected(Box<IndexViolation>),
    /// No index of this field is being built.
    Missing,
}

/// Result of [`Store::remove_index`](super::Store::remove_index).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemoveIndexOutcome {
    /// Some entries were removed. Another call is needed.
    Removing,
    /// The index is removed.
    Removed,
    /// The field has no index.
    Missing,
}

/// The reason why documents cannot have an index.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexViolation {
    /// Two documents have the same value, and the index is unique.
    #[error(transparent)]
    Duplicate(#[from] DuplicateValue),
    #[error(
        "cannot index `{}` of `{collection}`: `{}` is a list of lists in the document `{document}`",
        text::quote(&.field.to_string()), text::quote(.at)
    )]
    /// The path of the field goes through a list of lists.
    ListOfLists {
        /// The collection.
        collection: CollectionName,
        /// The field.
        field: IndexField,
        /// The document with the list.
        document: DocumentId,
        /// The path of the list.
        at: String,
    },
}

/// Two documents with the same value at the field of a unique index.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateValue {
    /// The collection.
    pub collection: CollectionName,
    /// The field.
    pub field: IndexField,
    /// The value.
    pub value: Value,
    /// The document that has the value.
    pub holder: DocumentId,
    /// The other document.
    pub document: DocumentId,
}

impl DuplicateValue {
    /// Returns the failure of a run that wrote the value. No conflict retry can resolve it.
    pub(crate) fn failure(&self) -> Failure {
        let Self { collection, field, holder, document, .. } = self;
        let details = json!({
            "collection": collection, "field": field, "document_id": document, "holder_id": holder,
        });
        Failure {
            code: Some("duplicate".to_owned()),
            details: Some(details),
            retryable: Some(false),
            ..Failure::new(FailureKind::Conflict, self.to_string())
        }
    }
}

impl fmt::Display for DuplicateValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { collection, field, value, holder, document } = self;
        let (field, value) = (field.to_string(), value.to_string());
        let (field, value) = (text::quote(&field), text::quote(&value));
        write!(
            f,
            "`{field}` of `{collection}` must be unique, but `{document}` and `{holder}` both \
             have {value}"
        )
    }
}

impl std::error::Error for DuplicateValue {}
