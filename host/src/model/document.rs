//! Documents: what runs read and change.
//!
//! What a document is, and what is asked of many, is `ophost-document`'s, which plugins'
//! tests share. Here is what a run leaves behind.

use std::collections::BTreeMap;

use ophost_document::Budget;
use serde::{Deserialize, Serialize};

pub use ophost_document::{
    Body, CollectionName, Condition, Document, DocumentError, DocumentId, Fields, Filter, Page,
    PageBuilder, Path, ProjectedFields, Projection, Query, QueryError, Scan, Sort, SortBy,
    body::type_name, edit,
};

/// The most documents and filters that a run's reads of one collection are remembered by;
/// beyond it the whole collection counts as read.
const MAX_READS: usize = 10_000;
const MAX_FILTERS: usize = 100;
/// How many steps finding out whether a run read what changed since may take: some 100
/// milliseconds.
const MAX_TOUCHING: u64 = 4 << 20;

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The collection.
    pub collection: CollectionName,
    /// The document in it.
    #[serde(rename = "document_id")]
    pub id: DocumentId,
}

/// A document before a run and after it; none where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DocumentChange {
    /// As it was.
    pub before: Option<Body>,
    /// As it is then.
    pub after: Option<Body>,
}

impl DocumentChange {
    /// Returns what is done; `None` if that is nothing.
    pub fn kind(&self) -> Option<ChangeKind> {
        match (&self.before, &self.after) {
            (None, Some(_)) => Some(ChangeKind::Created),
            (Some(_), None) => Some(ChangeKind::Deleted),
            (Some(before), Some(after)) if before != after => Some(ChangeKind::Updated),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

/// What is done to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// There was none.
    Created,
    /// It is another.
    Updated,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// Returns the word for it, as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// All that a run changes, in the order of addresses. Each of them changes something.
pub type ChangeSet = BTreeMap<Address, DocumentChange>;

/// How many documents a run changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCount {
    /// Which change of the store it was, as the record says; `None` for a dry run, which made
    /// none, and in the report of a run that has just ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// How many are new.
    pub created: u64,
    /// How many are others.
    pub updated: u64,
    /// How many are gone.
    pub deleted: u64,
}

impl ChangeCount {
    /// Counts changes that are not kept.
    pub fn of(changes: &ChangeSet) -> Self {
        let mut count = Self::default();
        changes.values().for_each(|change| count.add(change.kind()));
        count
    }

    /// Counts one more change.
    pub(crate) fn add(&mut self, kind: Option<ChangeKind>) {
        match kind {
            Some(ChangeKind::Created) => self.created += 1,
            Some(ChangeKind::Updated) => self.updated += 1,
            Some(ChangeKind::Deleted) => self.deleted += 1,
            None => {}
        }
    }
}

/// What a run knows of documents, so that it can be asked whether that is still so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ReadSet(BTreeMap<CollectionName, CollectionReads>);

/// What a run knows of one collection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CollectionReads {
    /// Which revision these documents have, if they are there, and which ones these filters
    /// mean.
    Some {
        /// The documents.
        documents: BTreeMap<DocumentId, Option<u64>>,
        /// The filters.
        filters: Vec<Filter>,
    },
    /// So much of it that all is meant.
    Whole,
}

impl CollectionReads {
    /// Returns the budget to find out in whether changes touch what a run read: this happens while
    /// all others wait to write.
    pub(crate) fn touching() -> Budget {
        Budget::unlimited().with_steps(MAX_TOUCHING)
    }

    /// Returns whether a run that knows this has to hear of a change. Where the budget is used up,
    /// it has to.
    pub(crate) fn is_touched(
        &self,
        id: &DocumentId,
        change: &DocumentChange,
        budget: &Budget,
    ) -> bool {
        let Self::Some { filters, .. } = self else { return true };
        let bodies = || [&change.before, &change.after].into_iter().flatten();
        let fits = |filter: &Filter, body: &Body| {
            // What takes too long to find out is taken for true: the run is executed again.
            filter.matches_within(id, body, budget).unwrap_or(true)
        };
        filters.iter().any(|filter| bodies().any(|body| fits(filter, body)))
    }

    /// Returns whether changes have to be looked at one by one.
    pub(crate) fn has_filters(&self) -> bool {
        match self {
            Self::Some { filters, .. } => !filters.is_empty(),
            Self::Whole => true,
        }
    }

    /// Returns the documents that are known by their revision.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (&DocumentId, Option<u64>)> {
        let documents = match self {
            Self::Some { documents, .. } => Some(documents),
            Self::Whole => None,
        };
        documents.into_iter().flatten().map(|(id, revision)| (id, *revision))
    }
}

impl ReadSet {
    /// Adds that a document has this revision, or is not there.
    pub(crate) fn add_document(&mut self, address: &Address, revision: Option<u64>) {
        let known = self.collection(&address.collection);
        let CollectionReads::Some { documents, .. } = known else { return };
        documents.insert(address.id.clone(), revision);
        if documents.len() > MAX_READS {
            *known = CollectionReads::Whole;
        }
    }

    /// Adds that a filter means what it means.
    pub(crate) fn add_filter(&mut self, collection: &CollectionName, filter: &Filter) {
        let known = self.collection(collection);
        let CollectionReads::Some { filters, .. } = known else { return };
        if filters.len() == MAX_FILTERS {
            *known = CollectionReads::Whole;
        } else if !filters.contains(filter) {
            filters.push(filter.clone());
        }
    }

    fn collection(&mut self, name: &CollectionName) -> &mut CollectionReads {
        let nothing = || CollectionReads::Some { documents: BTreeMap::new(), filters: Vec::new() };
        self.0.entry(name.clone()).or_insert_with(nothing)
    }

    /// Returns what is known, by collection.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&CollectionName, &CollectionReads)> {
        self.0.iter()
    }

    /// Returns whether nothing was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a run did with documents: what it saw, and what it wants to be true afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CommitRequest {
    /// The newest change that it saw.
    pub(crate) snapshot_revision: u64,
    /// What it knows of them.
    pub(crate) read_set: ReadSet,
    /// What it changes; every one of these it read, too.
    pub(crate) changes: ChangeSet,
}
