//! Snapshots of the documents, and scans of a snapshot page by page.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ophost_document::{Budget, IndexField, IndexOrder, IndexPosition, Interruption};
use serde::{Deserialize, Serialize};

use super::{IndexInfo, StoreError};
use crate::model::document::{
    Address, Body, CollectionName, Document, DocumentId, Filter, ProjectedFields, Projection,
    Query, ReadSet, Scan,
};

/// Default maximum time of one page of a scan.
pub(crate) const PAGE_TIME: Duration = Duration::from_millis(2);
/// Default maximum number of matching documents of one page of a scan.
const PAGE_DOCUMENTS: usize = 4096;
/// Default maximum size of the matching documents of one page of a scan, in bytes. The last
/// document can exceed it.
const PAGE_BYTES: usize = 1 << 20;

/// A document with its revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredDocument {
    /// The revision of the commit that wrote the document.
    #[serde(rename = "r")]
    pub(crate) revision: u64,
    /// The body.
    #[serde(rename = "b")]
    pub(crate) body: Body,
}

/// A consistent snapshot of the documents.
///
/// An open snapshot prevents the store from reusing freed pages of its file, so it should be
/// dropped soon.
///
/// # Cancel safety
///
/// A call whose future is dropped has no effect. Its work may continue until the end of its page, or
/// until the budget of the page is used up.
#[async_trait]
pub(crate) trait DocumentSnapshot: Send + Sync {
    /// Returns the revision of the newest commit in the snapshot; 0 before the first.
    fn revision(&self) -> u64;

    /// Returns a document; `None` if no document has this address.
    async fn get(&self, address: &Address) -> Result<Option<StoredDocument>, StoreError>;

    /// Returns a page of the documents that match a query, in order of their ids.
    ///
    /// # Errors
    ///
    /// Returns [`ScanError`] if the store cannot be read or the budget of the page is used up. At
    /// the end of a scan of a whole collection, returns [`StoreError::Corrupted`] if documents are
    /// hidden.
    async fn scan(
        &self,
        query: &Arc<ScanQuery>,
        page: PageRequest,
    ) -> Result<ScanPage<ScannedDocument>, ScanError>;

    /// Like [`Self::scan`], but returns only the ids of the documents.
    async fn scan_ids(
        &self,
        query: &Arc<ScanQuery>,
        page: PageRequest,
    ) -> Result<ScanPage<DocumentId>, ScanError>;

    /// Returns documents that match a query, in the order of an index. A document whose value is a
    /// list can be returned several times. Returns `None` if no complete index has this order, or if
    /// [`Self::scan`] is probably faster.
    ///
    /// # Errors
    ///
    /// Like [`Self::scan`].
    async fn walk(
        &self,
        query: &Arc<ScanQuery>,
        walk: IndexWalk,
        page: PageRequest,
    ) -> Result<Option<WalkPage>, ScanError>;

    /// Returns whether any part of the read set has changed since the commit `base`.
    async fn has_conflict(&self, reads: ReadSet, base: u64) -> Result<bool, StoreError>;

    /// Returns the non-empty collections in ascending order, with their number of documents.
    async fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError>;

    /// Returns the indexes of all collections, in the order of the collections and fields.
    async fn indexes(&self) -> Result<Vec<IndexInfo>, StoreError>;
}

/// The documents that a scan returns. Shared by all pages of the scan.
#[derive(Debug)]
pub(crate) struct ScanQuery {
    /// The collection.
    pub(crate) collection: CollectionName,
    /// The filter that the documents match.
    pub(crate) filter: Filter,
    /// The fields of [`ScannedDocument::fields`]. Includes the fields that the filter reads.
    pub(crate) projection: Projection,
    /// The only ids that can match; `None` if the filter does not restrict them.
    pub(crate) ids: Option<BTreeSet<DocumentId>>,
    /// How the store finds the documents. Set by the first page, if the store plans scans.
    pub(super) plan: OnceLock<ScanPlan>,
}

impl ScanQuery {
    /// Returns the scan of the documents that match a filter.
    pub(crate) fn of_filter(collection: CollectionName, filter: Filter) -> Self {
        let Scan { projection, ids, .. } = filter.scan();
        Self { collection, filter, projection, ids, plan: OnceLock::new() }
    }

    /// Returns the scan of a query, and the position at which the page of the query begins.
    pub(crate) fn of_query(
        collection: CollectionName,
        query: &Query,
    ) -> (Self, Option<ScanPosition>) {
        let Scan { projection, ids, after } = query.scan();
        let filter = query.filter().clone();
        let scan = Self { collection, filter, projection, ids, plan: OnceLock::new() };
        (scan, after.map(ScanPosition::after))
    }

    /// Returns how the store found the documents; `None` before the first page, and for a store
    /// that does not plan scans.
    pub(crate) fn plan(&self) -> Option<&QueryPlan> {
        self.plan.get().map(|plan| &plan.summary)
    }
}

/// How a store finds the documents of a scan, in any snapshot of the scan.
///
/// Pages in later snapshots can use the plan of an earlier one: a transaction takes a later snapshot
/// only if no matching document has changed.
#[derive(Debug)]
pub(super) struct ScanPlan {
    pub(super) access: Access,
    pub(super) summary: QueryPlan,
}

/// The documents that a scan reads.
#[derive(Debug)]
pub(super) enum Access {
    /// All documents, or those with the ids of the query.
    Query,
    /// The documents with these ids.
    Ids(BTreeSet<DocumentId>),
    /// The documents with an entry of one key, in the order of their ids.
    Point {
        /// The field of the index.
        field: IndexField,
        /// The number of the index.
        index: u32,
        /// The key of the value.
        key: Vec<u8>,
    },
}

/// How a query finds its documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "plan", rename_all = "snake_case")]
pub enum QueryPlan {
    /// By the ids in the filter.
    Ids {
        /// The number of ids.
        candidates: u64,
    },
    /// By an index.
    Index {
        /// The field of the index.
        index: IndexField,
        /// The conditions of the filter that the index evaluates. Contains values of the filter.
        conditions: Vec<String>,
        /// The number of documents that the index yields, or a lower bound.
        candidates: u64,
        /// Whether the index yields more documents than `candidates`.
        #[serde(rename = "more_candidates")]
        has_more: bool,
    },
    /// By an index that has the sort order, up to the end of the page.
    Order {
        /// The field of the index.
        index: IndexField,
    },
    /// By reading the whole collection.
    FullScan {
        /// Why no index is used.
        reason: FullScanReason,
    },
}

/// The reason why a query reads the whole collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FullScanReason {
    /// The collection has no index.
    NoIndex,
    /// No index of the collection is complete.
    NotReady,
    /// The filter has no condition that an index can evaluate.
    NoCondition,
    /// Reading the documents that the index yields would take longer.
    TooManyCandidates,
}

/// A position in a scan.
///
/// A position stays valid in later snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScanPosition {
    /// The last document that the scan has passed.
    pub(super) after: DocumentId,
    /// The number of documents of the collection up to and including `after`, and the revision of
    /// the snapshot that has this number; `None` if unknown.
    pub(super) passed: Option<(u64, u64)>,
}

impl ScanPosition {
    /// Returns the position after an id.
    pub(crate) fn after(id: DocumentId) -> Self {
        Self { after: id, passed: None }
    }

    /// Returns the last id that the scan has passed.
    pub(crate) fn id(&self) -> &DocumentId {
        &self.after
    }

    /// Returns the number of documents up to a position in a snapshot with this revision; `None`
    /// if unknown.
    pub(super) fn passed(position: Option<&Self>, revision: u64) -> Option<u64> {
        match position {
            None => Some(0),
            Some(position) => {
                position.passed.filter(|(_, known)| *known == revision).map(|(count, _)| count)
            }
        }
    }
}

/// The start and the limits of one page of a scan.
#[derive(Debug)]
pub(crate) struct PageRequest {
    /// The position at which the page begins; `None` for the start of the collection.
    pub(crate) after: Option<ScanPosition>,
    /// The page ends after this number of matching documents.
    pub(crate) max_documents: usize,
    /// The page ends after the document with which the matching documents reach this size, in
    /// bytes.
    pub(crate) max_bytes: usize,
    /// The page ends after the document during which this time has passed.
    pub(crate) max_time: Duration,
    /// The scan fails when this budget is used up.
    pub(crate) budget: Budget,
}

impl PageRequest {
    /// Returns a request with the default limits: 4,096 documents, 1 MiB, 2 ms.
    pub(crate) fn new(after: Option<ScanPosition>, budget: Budget) -> Self {
        Self {
            after,
            max_documents: PAGE_DOCUMENTS,
            max_bytes: PAGE_BYTES,
            max_time: PAGE_TIME,
            budget,
        }
    }

    /// Lowers the number of matching documents to `max`, if `max` is set and smaller. A page has at
    /// least one document.
    pub(crate) fn with_documents(self, max: Option<usize>) -> Self {
        let max_documents = max.map_or(self.max_documents, |max| max.clamp(1, self.max_documents));
        Self { max_documents, ..self }
    }
}

/// One page of a scan.
#[derive(Debug)]
pub(crate) struct ScanPage<T> {
    /// The matching documents, in order of their ids. Can be empty before the end of the scan.
    pub(crate) documents: Vec<T>,
    /// The position at which the scan continues; `None` at its end.
    pub(crate) next: Option<ScanPosition>,
    /// The number of documents that were read, matching or not.
    pub(crate) read: u64,
}

/// The start of one page of a walk along an index.
#[derive(Debug)]
pub(crate) struct IndexWalk {
    /// The order of the walk.
    pub(crate) order: Arc<IndexOrder>,
    /// The position at which the page begins; `None` for the first page.
    pub(crate) position: Option<IndexPosition>,
}

/// One page of a walk along an index.
pub(crate) struct WalkPage {
    /// The matching documents.
    pub(crate) documents: Vec<ScannedDocument>,
    /// The position at which the walk continues; `None` at its end.
    pub(crate) next: Option<IndexPosition>,
    /// The number of documents that were read.
    pub(crate) read: u64,
    /// The number of documents after which [`DocumentSnapshot::scan`] is probably faster.
    pub(crate) max_read: u64,
}

impl<T> Default for ScanPage<T> {
    fn default() -> Self {
        Self { documents: Vec::new(), next: None, read: 0 }
    }
}

/// A document of a scan.
pub(crate) struct ScannedDocument {
    /// The id.
    pub(crate) id: DocumentId,
    /// The revision of the commit that wrote the document.
    pub(crate) revision: u64,
    /// The fields of [`ScanQuery::projection`].
    pub(crate) fields: ProjectedFields,
    /// Converts the body to text.
    pub(super) text: Box<dyn FnOnce() -> Result<String, StoreError> + Send>,
}

impl ScannedDocument {
    /// Converts the body to text and returns the whole document.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the body is corrupted.
    pub(crate) fn document(self) -> Result<Document, StoreError> {
        Ok(Document { id: self.id, revision: self.revision, body: (self.text)()? })
    }
}

/// Error of a scan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The budget is used up.
    #[error(transparent)]
    Interrupted(#[from] Interruption),
}

/// Collects the documents of one page until the page is full.
pub(super) struct PageBuffer<T> {
    documents: Vec<T>,
    max_documents: usize,
    /// Remaining size of the page, in bytes.
    bytes: usize,
    until: Instant,
    /// The number of documents that were read.
    read: u64,
}

impl<T> PageBuffer<T> {
    /// Returns an empty page. Its time begins now.
    pub(super) fn new(page: &PageRequest) -> Self {
        Self {
            documents: Vec::new(),
            max_documents: page.max_documents,
            bytes: page.max_bytes,
            until: Instant::now() + page.max_time,
            read: 0,
        }
    }

    /// Adds a matching document of this size.
    pub(super) fn add(&mut self, document: T, bytes: usize) {
        self.documents.push(document);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Counts a document that was read, matching or not.
    pub(super) fn count_read(&mut self) {
        self.read += 1;
    }

    /// Returns whether the page ends after the last document, matching or not.
    pub(super) fn is_full(&self) -> bool {
        self.documents.len() >= self.max_documents
            || self.bytes == 0
            || Instant::now() >= self.until
    }

    /// Returns the page.
    pub(super) fn page(self, next: Option<ScanPosition>) -> ScanPage<T> {
        ScanPage { documents: self.documents, next, read: self.read }
    }
}
