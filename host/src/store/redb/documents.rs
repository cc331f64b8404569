//! Documents in the store: snapshot reads, conflict detection, and commits.
//!
//! Every commit that changes documents has a unique, increasing revision. The changed documents
//! carry the revision of their commit. The changes are stored in revision order, so the changes
//! of a collection since a given revision are one key range.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use async_trait::async_trait;
use ophost_document::Budget;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::file::{OpenDatabase, StoreFile, catch_corruption_panic};
use super::tables::{Entry, Snapshot, Source, Tx, View};
use super::{codec, keys};
use crate::model::document::{
    Address, ChangeCount, ChangeKind, ChangeSet, CollectionName, CollectionReads, CommitRequest,
    DocumentChange, DocumentId, ProjectedFields, Projection, ReadSet,
};
use crate::model::run_record::RunId;
use crate::store::documents::{Access, PageBuffer};
use crate::store::{
    CommitMetadata, DocumentSnapshot, DuplicateValue, IndexInfo, IndexWalk, PageRequest, QueryPlan,
    ScanError, ScanPage, ScanPosition, ScanQuery, ScannedDocument, StoreError, StoredDocument,
    WalkPage, off_thread,
};

/// Name of the meta entry with the revision of the newest commit.
const REVISION: &str = "documents";
/// Name of the meta entry with the newest revision that salvage may have lost parts of.
const SALVAGED: &str = "salvaged documents";
/// Maximum number of documents of a scan that does not leave the thread of its caller. Usually
/// takes less time than the change to another thread.
const MAX_INLINE_DOCUMENTS: u64 = 16;

/// Metadata of a commit that changed documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Commit {
    #[serde(flatten)]
    pub(super) author: CommitMetadata,
    /// The number of changed documents by collection.
    pub(super) collections: BTreeMap<CollectionName, u64>,
}

/// Statistics of a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CollectionStats {
    pub(super) documents: u64,
}

impl<S: Source> View<S> {
    /// Returns the revision of the newest commit; 0 before the first.
    pub(super) fn documents_revision(&self) -> Result<u64, StoreError> {
        Ok(self.value(&keys::meta(REVISION))?.unwrap_or(0))
    }

    /// Returns the newest revision that salvage may have lost parts of; 0 if the store was never
    /// salvaged.
    pub(super) fn salvaged_revision(&self) -> Result<u64, StoreError> {
        Ok(self.value(&keys::meta(SALVAGED))?.unwrap_or(0))
    }

    /// Returns a document; `None` if no document has this address.
    pub(super) fn document(&self, address: &Address) -> Result<Option<StoredDocument>, StoreError> {
        self.value(&keys::document(address))
    }

    /// Returns whether a scan reads only a few documents. Sets the plan of the scan if it can be made
    /// quickly.
    fn is_short(&self, query: &ScanQuery) -> Result<bool, StoreError> {
        if query.plan.get().is_none() {
            let Some(plan) = self.plan_quickly(query)? else { return Ok(false) };
            query.plan.set(plan).ok();
        }
        let documents = match query.plan() {
            Some(QueryPlan::Ids { candidates } | QueryPlan::Index { candidates, .. }) => {
                *candidates
            }
            Some(QueryPlan::FullScan { .. } | QueryPlan::Order { .. }) | None => {
                self.collection_stats(&query.collection)?.documents
            }
        };
        Ok(documents <= MAX_INLINE_DOCUMENTS)
    }

    /// Scans the documents of a collection.
    pub(super) fn scan_all<D>(
        &self,
        query: &ScanQuery,
        mut page: PageScan<'_, D>,
    ) -> Result<ScanPage<D>, ScanError> {
        let prefix = keys::documents_of(&query.collection);
        let first = page.after.map_or_else(
            || prefix.clone(),
            |after| keys::document_after(&query.collection, after.id()),
        );
        let (mut visited, mut last) = (0, None);
        let end = keys::after(&prefix);
        let scanned = self.each_between(&first, &end, |key, value| {
            visited += 1;
            let id = key.strip_prefix(&prefix[..]).and_then(keys::document_id);
            let id = id.ok_or_else(|| codec::corrupted(key, "malformed document key"))?;
            if !page.visit(query, &id, (key, value))? {
                return Ok(ControlFlow::Continue(()));
            }
            last = Some(id);
            Ok::<_, ScanError>(ControlFlow::Break(()))
        });
        scanned.map(drop)?;
        let revision = page.revision;
        let passed = ScanPosition::passed(page.after, revision).map(|before| before + visited);
        let next = last
            .map(|id| ScanPosition { after: id, passed: passed.map(|passed| (passed, revision)) });
        if let (None, Some(passed)) = (&next, passed) {
            self.verify_document_count(&query.collection, passed)?;
        }
        Ok(page.buffer.page(next))
    }

    /// Checks that a scan found every document of a collection.
    ///
    /// A corrupted branch key has no checksum and can hide the documents after it.
    fn verify_document_count(
        &self,
        collection: &CollectionName,
        found: u64,
    ) -> Result<(), StoreError> {
        let CollectionStats { documents } = self.collection_stats(collection)?;
        if documents == found {
            return Ok(());
        }
        let what = format!("{found} of {documents} documents found");
        Err(codec::corrupted(&keys::collection(collection), what))
    }

    /// Scans the documents with the given ids.
    pub(super) fn scan_some<D>(
        &self,
        (query, ids): (&ScanQuery, &BTreeSet<DocumentId>),
        mut page: PageScan<'_, D>,
    ) -> Result<ScanPage<D>, ScanError> {
        let after = page.after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.id()));
        for id in ids.range::<DocumentId, _>((after, Bound::Unbounded)) {
            let address = Address { collection: query.collection.clone(), id: id.clone() };
            let key = keys::document(&address);
            let Some(value) = self.bytes(&key)? else { continue };
            if page.visit(query, id, (&key, &value))? {
                return Ok(page.buffer.page(Some(ScanPosition::after(address.id))));
            }
        }
        Ok(page.buffer.page(None))
    }

    /// Returns whether any part of the read set has changed since the commit `base`.
    pub(super) fn has_conflict(&self, reads: &ReadSet, base: u64) -> Result<bool, StoreError> {
        if reads.is_empty() || self.documents_revision()? == base {
            return Ok(false);
        }
        let budget = CollectionReads::check_budget();
        for (collection, known) in reads.iter() {
            if self.has_other_revisions(collection, known)?
                || self.has_touching_changes((collection, known), base, &budget)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn has_other_revisions(
        &self,
        collection: &CollectionName,
        known: &CollectionReads,
    ) -> Result<bool, StoreError> {
        for (id, revision) in known.documents() {
            let address = Address { collection: collection.clone(), id: id.clone() };
            if self.document(&address)?.map(|stored| stored.revision) != revision {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns whether a change since the commit `base` can affect a query of the read set. Also
    /// returns `true` if changes since then were removed.
    fn has_touching_changes(
        &self,
        (collection, known): (&CollectionName, &CollectionReads),
        base: u64,
        budget: &Budget,
    ) -> Result<bool, StoreError> {
        if !known.has_filters() {
            return Ok(false);
        }
        if base < self.history_floor()? {
            return Ok(true);
        }
        let first = keys::changes_from(collection, base + 1);
        let end = keys::after(&keys::changes_of(collection));
        for entry in self.range(&first, &end)? {
            let (key, value) = entry?;
            let change: DocumentChange = codec::decode(&key, &value)?;
            if known.has_conflict(&id_of_change(&key)?, &change, budget) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the document changes of a run.
    pub(super) fn changes_of(&self, run: RunId) -> Result<ChangeSet, StoreError> {
        let mut changes = ChangeSet::new();
        let Some(revision) = self.revision_of_run(run)? else { return Ok(changes) };
        let key = keys::commit(revision);
        let commit =
            self.commit(revision)?.ok_or_else(|| codec::corrupted(&key, "missing commit"))?;
        for (collection, count) in commit.collections {
            let before = changes.len();
            for entry in self.prefix(&keys::changes_from(&collection, revision))? {
                let (key, value) = entry?;
                let address = Address { collection: collection.clone(), id: id_of_change(&key)? };
                changes.insert(address, codec::decode(&key, &value)?);
            }
            if (changes.len() - before) as u64 != count {
                return Err(match revision <= self.history_floor()? {
                    true => StoreError::HistoryRemoved(run),
                    false => codec::corrupted(&key, "missing changes"),
                });
            }
        }
        Ok(changes)
    }

    /// Returns the revision of the commit of a run; `None` if the run changed no documents.
    pub(super) fn revision_of_run(&self, run: RunId) -> Result<Option<u64>, StoreError> {
        self.value(&keys::run_commit(run))
    }

    /// Returns the metadata of a commit.
    pub(super) fn commit(&self, revision: u64) -> Result<Option<Commit>, StoreError> {
        self.value(&keys::commit(revision))
    }

    /// Returns the statistics of a collection.
    pub(super) fn collection_stats(
        &self,
        collection: &CollectionName,
    ) -> Result<CollectionStats, StoreError> {
        Ok(self.value(&keys::collection(collection))?.unwrap_or_default())
    }
}

/// Result of [`Tx::apply_changes`].
pub(super) enum Applied {
    /// The changes are written.
    Committed(ChangeCount),
    /// The read set has changed.
    Conflict,
    /// A unique index rejects the changes.
    Duplicate(Box<DuplicateValue>),
}

impl Tx<'_> {
    /// Commits the changes of a run. Writes nothing if the read set has changed or a unique index
    /// rejects the changes.
    pub(super) fn apply_changes(
        &mut self,
        effects: &CommitRequest,
        author: &CommitMetadata,
    ) -> Result<Applied, StoreError> {
        if self.has_conflict(&effects.read_set, effects.snapshot_revision)? {
            return Ok(Applied::Conflict);
        }
        if effects.changes.is_empty() {
            return Ok(Applied::Committed(ChangeCount::default()));
        }
        let indexes = self.changed_indexes(&effects.changes)?;
        if let Some(duplicate) = self.duplicate_value(&indexes)? {
            return Ok(Applied::Duplicate(Box::new(duplicate)));
        }
        let revision = self.documents_revision()? + 1;
        let mut count = ChangeCount { revision: Some(revision), ..ChangeCount::default() };
        self.put(&keys::meta(REVISION), &revision)?;
        let mut commit = Commit { author: author.clone(), collections: Default::default() };
        let mut grown = BTreeMap::<_, i64>::new();
        for (address, change) in &effects.changes {
            self.change(address, change, revision)?;
            *commit.collections.entry(address.collection.clone()).or_default() += 1;
            let kind = change.kind();
            count.add(kind);
            *grown.entry(&address.collection).or_default() += growth(kind);
        }
        for (collection, by) in grown {
            self.resize(collection, by)?;
        }
        self.update_indexes(&indexes)?;
        self.put(&keys::commit(revision), &commit)?;
        if author.recorded {
            self.put(&keys::run_commit(author.run_id), &revision)?;
        }
        Ok(Applied::Committed(count))
    }

    fn change(
        &mut self,
        address: &Address,
        change: &DocumentChange,
        revision: u64,
    ) -> Result<(), StoreError> {
        self.put(&keys::change(address, revision), change)?;
        if let Some(kind) = change.kind() {
            self.put(&keys::history(address, revision), &kind)?;
        }
        let key = keys::document(address);
        match &change.after {
            Some(body) => self.put(&key, &StoredDocument { revision, body: body.clone() }),
            None => self.remove(&key),
        }
    }

    /// Raises the revision of the newest commit; never lowers it.
    pub(super) fn set_documents_revision(&mut self, revision: u64) -> Result<(), StoreError> {
        match revision > self.documents_revision()? {
            true => self.put(&keys::meta(REVISION), &revision),
            false => Ok(()),
        }
    }

    /// Records that salvage may have lost parts of the commits up to this revision.
    pub(super) fn set_salvaged_revision(&mut self, revision: u64) -> Result<(), StoreError> {
        self.put(&keys::meta(SALVAGED), &revision)
    }

    /// Adds to the document count of a collection.
    pub(super) fn resize(
        &mut self,
        collection: &CollectionName,
        by: i64,
    ) -> Result<(), StoreError> {
        let key = keys::collection(collection);
        let documents = self.collection_stats(collection)?.documents.saturating_add_signed(by);
        match documents {
            0 => self.remove(&key),
            documents => self.put(&key, &CollectionStats { documents }),
        }
    }
}

/// A page of a scan that is being read.
pub(super) struct PageScan<'p, T> {
    /// Revision of the snapshot.
    revision: u64,
    pub(super) after: Option<&'p ScanPosition>,
    budget: &'p Budget,
    pub(super) buffer: PageBuffer<T>,
    /// Returns the result for a matching document.
    load: fn(MatchingDocument<'_>) -> T,
}

/// A document that matches the filter of a scan.
pub(super) struct MatchingDocument<'a> {
    id: &'a DocumentId,
    revision: u64,
    fields: ProjectedFields,
    key: &'a [u8],
    json: Vec<u8>,
}

impl MatchingDocument<'_> {
    fn scanned(self) -> ScannedDocument {
        let (key, json) = (self.key.to_vec(), self.json);
        let text = move || {
            let stored = codec::read(&key, &json, PhantomData::<StoredDocument>)?;
            Ok(stored.body.text())
        };
        let (id, revision, fields) = (self.id.clone(), self.revision, self.fields);
        ScannedDocument { id, revision, fields, text: Box::new(text) }
    }
}

impl<'p, T> PageScan<'p, T> {
    fn new(revision: u64, page: &'p PageRequest, load: fn(MatchingDocument<'_>) -> T) -> Self {
        let PageRequest { after, budget, .. } = page;
        Self { revision, after: after.as_ref(), budget, buffer: PageBuffer::new(page), load }
    }

    /// Adds a document if it matches. Deserialises only the projected fields. Returns whether the
    /// page is full.
    pub(super) fn visit(
        &mut self,
        query: &ScanQuery,
        id: &DocumentId,
        (key, value): (&[u8], &[u8]),
    ) -> Result<bool, ScanError> {
        self.buffer.count_read();
        let json = codec::verify(key, value)?;
        let (revision, fields) = codec::read(key, &json, ProjectionSeed(&query.projection))?;
        if query.filter.matches_within(id, &fields, self.budget)? {
            let size = json.len();
            let document = MatchingDocument { id, revision, fields, key, json };
            self.buffer.add((self.load)(document), size);
        }
        Ok(self.buffer.is_full())
    }
}

/// Deserialises the revision and the projected fields of a [`StoredDocument`].
pub(super) struct ProjectionSeed<'w>(pub(super) &'w Projection);

/// The fields of a [`StoredDocument`].
#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "r")]
    Revision,
    #[serde(rename = "b")]
    Body,
}

impl<'de> DeserializeSeed<'de> for ProjectionSeed<'_> {
    type Value = (u64, ProjectedFields);

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ProjectionSeed<'_> {
    type Value = (u64, ProjectedFields);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut revision, mut fields) = (None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Revision => revision = Some(map.next_value()?),
                Field::Body => fields = Some(map.next_value_seed(self.0)?),
            }
        }
        revision.zip(fields).ok_or_else(|| A::Error::custom("missing field"))
    }
}

fn id_of_change(key: &[u8]) -> Result<DocumentId, StoreError> {
    let of = keys::address_of_change(key);
    of.map(|(address, _)| address.id).ok_or_else(|| codec::corrupted(key, "malformed change key"))
}

fn growth(kind: Option<ChangeKind>) -> i64 {
    match kind {
        Some(ChangeKind::Created) => 1,
        Some(ChangeKind::Deleted) => -1,
        Some(ChangeKind::Updated) | None => 0,
    }
}

/// A snapshot of the documents.
pub(super) struct RedbDocuments {
    /// `None` before the first commit.
    opened: Option<Arc<OpenSnapshot>>,
}

/// An open snapshot.
struct OpenSnapshot {
    /// Declared first, so that it is dropped before the file.
    snapshot: Snapshot,
    revision: u64,
    _file: Arc<OpenDatabase>,
}

impl OpenSnapshot {
    fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, E>,
    ) -> Result<T, E> {
        catch_corruption_panic(|| Ok(read(&self.snapshot)))?
    }

    /// Reads a page. `is_continued` is whether an earlier page set the plan of the scan, maybe in
    /// another snapshot.
    fn page<T>(
        &self,
        (query, is_continued): (&ScanQuery, bool),
        page: &PageRequest,
        load: fn(MatchingDocument<'_>) -> T,
    ) -> Result<ScanPage<T>, ScanError> {
        let max_documents = page.max_documents;
        let page = PageScan::new(self.revision, page, load);
        self.read(|snapshot| {
            if query.plan.get().is_none() {
                // Only the first page of a scan sets the plan.
                query.plan.set(snapshot.plan(query, max_documents)?).ok();
            }
            match (query.plan.get().map(|plan| &plan.access), &query.ids) {
                (Some(Access::Ids(ids)), _) | (_, Some(ids)) => {
                    snapshot.scan_some((query, ids), page)
                }
                (Some(Access::Point { field, index, key }), None) => {
                    // Another snapshot may not have the index.
                    let known = match is_continued {
                        true => snapshot.ready_index(&query.collection, field)?,
                        false => Some(*index),
                    };
                    match known {
                        Some(index) => snapshot.scan_point(query, (index, key), page),
                        None => snapshot.scan_all(query, page),
                    }
                }
                (Some(Access::Query) | None, None) => snapshot.scan_all(query, page),
            }
        })
    }
}

impl RedbDocuments {
    /// Takes a snapshot of the documents of a file.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub(super) fn open(file: &StoreFile) -> Result<Self, StoreError> {
        let Some((snapshot, file)) = file.snapshot()? else { return Ok(Self { opened: None }) };
        let mut opened = OpenSnapshot { snapshot, revision: 0, _file: file };
        opened.revision = opened.read(View::documents_revision)?;
        Ok(Self { opened: Some(Arc::new(opened)) })
    }

    /// Reads the snapshot on a blocking thread.
    async fn read<T: Default + Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(opened) = self.opened.clone() else { return Ok(T::default()) };
        off_thread(move || opened.read(read)).await
    }

    /// Reads a page of a scan, on a blocking thread unless the scan is short.
    async fn page<T: Send + 'static>(
        &self,
        query: &Arc<ScanQuery>,
        page: PageRequest,
        load: fn(MatchingDocument<'_>) -> T,
    ) -> Result<ScanPage<T>, ScanError> {
        let Some(opened) = &self.opened else { return Ok(ScanPage::default()) };
        let is_continued = query.plan.get().is_some();
        // If the number of documents cannot be read, the scan reports the error.
        if opened.read(|snapshot| snapshot.is_short(query)).unwrap_or(false) {
            return opened.page((query, is_continued), &page, load);
        }
        let (opened, query) = (Arc::clone(opened), Arc::clone(query));
        off_thread(move || Ok(opened.page((&query, is_continued), &page, load))).await?
    }
}

#[async_trait]
impl DocumentSnapshot for RedbDocuments {
    fn revision(&self) -> u64 {
        self.opened.as_ref().map_or(0, |opened| opened.revision)
    }

    /// Reads on the thread of the caller. A read from the page cache takes microseconds, less than
    /// the change to another thread.
    async fn get(&self, address: &Address) -> Result<Option<StoredDocument>, StoreError> {
        let Some(opened) = &self.opened else { return Ok(None) };
        opened.read(|snapshot| snapshot.document(address))
    }

    async fn scan(
        &self,
        query: &Arc<ScanQuery>,
        page: PageRequest,
    ) -> Result<ScanPage<ScannedDocument>, ScanError> {
        self.page(query, page, |document| document.scanned()).await
    }

    async fn scan_ids(
        &self,
        query: &Arc<ScanQuery>,
        page: PageRequest,
    ) -> Result<ScanPage<DocumentId>, ScanError> {
        self.page(query, page, |document| document.id.clone()).await
    }

    async fn walk(
        &self,
        query: &Arc<ScanQuery>,
        walk: IndexWalk,
        page: PageRequest,
    ) -> Result<Option<WalkPage>, ScanError> {
        let Some(opened) = self.opened.clone() else { return Ok(None) };
        // The order of the fields of a query is usually that of no index.
        let field = walk.order.field();
        if opened.read(|snapshot| snapshot.ready_index(&query.collection, field))?.is_none() {
            return Ok(None);
        }
        let query = Arc::clone(query);
        let walk = move || {
            let page = PageScan::new(opened.revision, &page, |document| document.scanned());
            Ok(opened.read(|snapshot| snapshot.walk(&query, &walk, page)))
        };
        off_thread(walk).await?
    }

    async fn has_conflict(&self, reads: ReadSet, base: u64) -> Result<bool, StoreError> {
        if reads.is_empty() || self.revision() == base {
            return Ok(false);
        }
        self.read(move |snapshot| snapshot.has_conflict(&reads, base)).await
    }

    async fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError> {
        self.read(|snapshot| {
            let collection = |entry: Result<Entry, StoreError>| {
                let (key, value) = entry?;
                let name = keys::name_of_collection(&key);
                let name =
                    name.ok_or_else(|| codec::corrupted(&key, "malformed collection key"))?;
                Ok((name, codec::decode::<CollectionStats>(&key, &value)?.documents))
            };
            snapshot.prefix(&keys::TableId::Collection.prefix())?.map(collection).collect()
        })
        .await
    }

    async fn indexes(&self) -> Result<Vec<IndexInfo>, StoreError> {
        self.read(View::index_infos).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ophost_document::Budget;

    use crate::model::document::Filter;
    use crate::store::redb::test_store::{Scratch, creating};
    use crate::store::tests::author;
    use crate::store::{PageRequest, ScanPosition, ScanQuery, Store as _};

    #[tokio::test]
    async fn continued_scan_detects_hidden_documents() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 3)).await.unwrap();
        let documents = store.snapshot().await.unwrap();
        let query = ScanQuery::of_filter("jobs".parse().unwrap(), Filter::all());
        let query = Arc::new(query);
        let scan_after = async |passed| {
            let after = ScanPosition { after: "0".parse().unwrap(), passed };
            let page = PageRequest::new(Some(after), Budget::unlimited());
            documents.scan_ids(&query, page).await.map(|page| page.documents.len())
        };
        assert_eq!(scan_after(Some((1, 1))).await.unwrap(), 2);
        assert_eq!(scan_after(None).await.unwrap(), 2);
        assert_eq!(scan_after(Some((0, 7))).await.unwrap(), 2, "the number is of another snapshot");
        let message = "the store is corrupted at `collection jobs`: 2 of 3 documents found";
        assert_eq!(scan_after(Some((0, 1))).await.unwrap_err().to_string(), message);
    }
}
