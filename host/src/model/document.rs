//! Document changes and the read set of a run.
//!
//! Documents, filters and queries are in `ophost-document`, because the unit tests of plugins use
//! them too.

use std::collections::BTreeMap;

use ophost_document::Budget;
use serde::{Deserialize, Serialize};

pub use ophost_document::{
    Body, CollectionName, Condition, Document, DocumentError, DocumentId, Fields, Filter, Page,
    PageBuilder, Path, ProjectedFields, Projection, Query, QueryError, Scan, Sort, SortBy,
    body::type_name, edit,
};

/// Maximum number of documents in the read set of one collection. Beyond it, the whole collection
/// counts as read.
const MAX_READS: usize = 10_000;
/// Maximum number of filters in the read set of one collection.
const MAX_FILTERS: usize = 100;
/// Budget of the conflict check of one collection, in steps: about 100 ms.
const MAX_CONFLICT_CHECK: u64 = 4 << 20;

/// Address of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The collection.
    pub collection: CollectionName,
    /// Id of the document in the collection.
    #[serde(rename = "document_id")]
    pub id: DocumentId,
}

/// Change of a document: its content before and after a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DocumentChange {
    /// Content before the run; `None` if the document did not exist.
    pub before: Option<Body>,
    /// Content after the run; `None` if the run deleted the document.
    pub after: Option<Body>,
}

impl DocumentChange {
    /// Returns the kind of the change; `None` if the content is equal.
    pub fn kind(&self) -> Option<ChangeKind> {
        match (&self.before, &self.after) {
            (None, Some(_)) => Some(ChangeKind::Created),
            (Some(_), None) => Some(ChangeKind::Deleted),
            (Some(before), Some(after)) if before != after => Some(ChangeKind::Updated),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// Returns the size of the contents in bytes of JSON.
    pub(crate) fn size(&self) -> usize {
        [&self.before, &self.after].into_iter().flatten().map(Body::size).sum()
    }
}

/// Kind of a document change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The document is new.
    Created,
    /// The document has other content.
    Updated,
    /// The document was deleted.
    Deleted,
}

impl ChangeKind {
    /// Returns the name of the kind, as stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// The document changes of a run, ordered by address. Changes without effect are not included.
pub type ChangeSet = BTreeMap<Address, DocumentChange>;

/// Number of documents that a run changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCount {
    /// Revision of the store after the commit, in a record; `None` for a dry run and in the report
    /// of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Number of created documents.
    pub created: u64,
    /// Number of updated documents.
    pub updated: u64,
    /// Number of deleted documents.
    pub deleted: u64,
}

impl ChangeCount {
    /// Counts changes that are not committed.
    pub fn of(changes: &ChangeSet) -> Self {
        let mut count = Self::default();
        changes.values().for_each(|change| count.add(change.kind()));
        count
    }

    /// Adds one change.
    pub(crate) fn add(&mut self, kind: Option<ChangeKind>) {
        match kind {
            Some(ChangeKind::Created) => self.created += 1,
            Some(ChangeKind::Updated) => self.updated += 1,
            Some(ChangeKind::Deleted) => self.deleted += 1,
            None => {}
        }
    }
}

/// The read set of a run, by collection. The commit validates it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ReadSet(BTreeMap<CollectionName, CollectionReads>);

/// The read set of a run in one collection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CollectionReads {
    /// Documents that were read by id, and filters that were evaluated.
    Some {
        /// Revision of each document; `None` for a document that did not exist.
        documents: BTreeMap<DocumentId, Option<u64>>,
        /// The filters.
        filters: Vec<Filter>,
    },
    /// The whole collection.
    Whole,
}

impl CollectionReads {
    /// Returns the budget of a conflict check. The check has a bound because other writers wait
    /// for its end.
    pub(crate) fn check_budget() -> Budget {
        Budget::unlimited().with_steps(MAX_CONFLICT_CHECK)
    }

    /// Returns whether a change conflicts with the filters. Returns `true` if the budget is used
    /// up.
    pub(crate) fn has_conflict(
        &self,
        id: &DocumentId,
        change: &DocumentChange,
        budget: &Budget,
    ) -> bool {
        let Self::Some { filters, .. } = self else { return true };
        let bodies = || [&change.before, &change.after].into_iter().flatten();
        let fits = |filter: &Filter, body: &Body| {
            // A false conflict costs a conflict retry; a missed conflict loses an update.
            filter.matches_within(id, body, budget).unwrap_or(true)
        };
        filters.iter().any(|filter| bodies().any(|body| fits(filter, body)))
    }

    /// Returns whether each later change must be checked against the filters.
    pub(crate) fn has_filters(&self) -> bool {
        match self {
            Self::Some { filters, .. } => !filters.is_empty(),
            Self::Whole => true,
        }
    }

    /// Returns the documents that were read by id, with their revisions.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (&DocumentId, Option<u64>)> {
        let documents = match self {
            Self::Some { documents, .. } => Some(documents),
            Self::Whole => None,
        };
        documents.into_iter().flatten().map(|(id, revision)| (id, *revision))
    }
}

impl ReadSet {
    /// Adds a document that was read by id; `None` as the revision if it does not exist.
    pub(crate) fn add_document(&mut self, address: &Address, revision: Option<u64>) {
        let reads = self.collection(&address.collection);
        let CollectionReads::Some { documents, .. } = reads else { return };
        documents.insert(address.id.clone(), revision);
        if documents.len() > MAX_READS {
            *reads = CollectionReads::Whole;
        }
    }

    /// Adds a filter that was evaluated.
    pub(crate) fn add_filter(&mut self, collection: &CollectionName, filter: &Filter) {
        let reads = self.collection(collection);
        let CollectionReads::Some { filters, .. } = reads else { return };
        if filters.len() == MAX_FILTERS {
            *reads = CollectionReads::Whole;
        } else if !filters.contains(filter) {
            filters.push(filter.clone());
        }
    }

    fn collection(&mut self, name: &CollectionName) -> &mut CollectionReads {
        let nothing = || CollectionReads::Some { documents: BTreeMap::new(), filters: Vec::new() };
        self.0.entry(name.clone()).or_insert_with(nothing)
    }

    /// Returns the reads of each collection.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&CollectionName, &CollectionReads)> {
        self.0.iter()
    }

    /// Returns whether nothing was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The data that a commit validates and writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CommitRequest {
    /// Revision of the store in the snapshot of the run.
    pub(crate) snapshot_revision: u64,
    /// The read set.
    pub(crate) read_set: ReadSet,
    /// The changes. Each changed document is in the read set.
    pub(crate) changes: ChangeSet,
}
