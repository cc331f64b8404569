//! Documents in the store: snapshot reads, conflict detection, and commits.
//!
//! Every commit that changes documents has a unique, increasing revision. The changed documents
//! carry the revision of their commit. The changes are stored in revision order, so the changes
//! of a collection since a given revision are one key range.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use ophost_document::Budget;
use redb::ReadableTable;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::file::{OpenDatabase, StoreFile, catch_corruption_panic};
use super::tables::{Entry, Snapshot, Tx, View};
use super::{codec, keys};
use crate::model::document::{
    Address, Body, ChangeCount, ChangeKind, ChangeSet, CollectionName, CollectionReads,
    CommitRequest, DocumentChange, DocumentId, ProjectedFields, Projection, ReadSet, Scan,
};
use crate::model::run_record::RunId;
use crate::store::{CommitMetadata, DocumentSnapshot, ScanVisitor, ScannedDocument, StoreError};

type Bytes = &'static [u8];

/// Name of the meta entry with the revision of the newest commit.
const REVISION: &str = "documents";
/// Name of the meta entry with the newest revision that salvage may have lost parts of.
const SALVAGED: &str = "salvaged documents";

/// The stored form of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredDocument {
    /// The revision of the commit that wrote the document.
    #[serde(rename = "r")]
    pub(crate) revision: u64,
    /// The body.
    #[serde(rename = "b")]
    pub(crate) body: Body,
}

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

impl<T: ReadableTable<Bytes, Bytes>> View<T> {
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

    /// Scans the documents of a collection.
    fn scan_all(
        &self,
        collection: &CollectionName,
        scan: &Scan,
        visit: &mut ScanVisitor<'_>,
    ) -> Result<(), StoreError> {
        let prefix = keys::documents_of(collection);
        let after = scan.after.as_ref();
        let first = after.map_or_else(|| prefix.clone(), |id| keys::document_after(collection, id));
        let mut visited = 0;
        let last = self.each_between(&first, &keys::after(&prefix), |key, value| {
            visited += 1;
            let id = key.strip_prefix(&prefix[..]).and_then(keys::document_id);
            let id = id.ok_or_else(|| codec::corrupted(key, "malformed document key"))?;
            visit_document(&id, (key, value), &scan.projection, visit)
        })?;
        // A scan that stopped early has not reached the end, where documents may be missing.
        match if after.is_none() { Some(0) } else { scan.before } {
            Some(before) if last.is_continue() => {
                self.verify_document_count(collection, before + visited)
            }
            _ => Ok(()),
        }
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

    /// Visits the documents with the given ids.
    fn scan_ids(
        &self,
        collection: &CollectionName,
        (ids, scan): (&BTreeSet<DocumentId>, &Scan),
        visit: &mut ScanVisitor<'_>,
    ) -> Result<(), StoreError> {
        for id in ids.iter().filter(|id| scan.includes(id)) {
            let key = keys::document(&Address { collection: collection.clone(), id: id.clone() });
            let Some(value) = self.bytes(&key)? else { continue };
            if visit_document(id, (&key, &value), &scan.projection, visit)?.is_break() {
                break;
            }
        }
        Ok(())
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

    fn has_touching_changes(
        &self,
        (collection, known): (&CollectionName, &CollectionReads),
        base: u64,
        budget: &Budget,
    ) -> Result<bool, StoreError> {
        if !known.has_filters() {
            return Ok(false);
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
                return Err(codec::corrupted(&key, "missing changes"));
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

impl Tx<'_> {
    /// Commits the changes of a run. Returns `None` and writes nothing if the read set has changed.
    pub(super) fn apply_changes(
        &mut self,
        effects: &CommitRequest,
        author: &CommitMetadata,
    ) -> Result<Option<ChangeCount>, StoreError> {
        if self.has_conflict(&effects.read_set, effects.snapshot_revision)? {
            return Ok(None);
        }
        if effects.changes.is_empty() {
            return Ok(Some(ChangeCount::default()));
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
        self.put(&keys::commit(revision), &commit)?;
        if author.recorded {
            self.put(&keys::run_commit(author.run_id), &revision)?;
        }
        Ok(Some(count))
    }

    fn change(
        &mut self,
        address: &Address,
        change: &DocumentChange,
        revision: u64,
    ) -> Result<(), StoreError> {
        self.put(&keys::change(address, revision), change)?;
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

/// Passes a document to `visit`. Deserialises only the projection fields unless `visit` reads more.
fn visit_document(
    id: &DocumentId,
    (key, value): (&[u8], &[u8]),
    projection: &Projection,
    visit: &mut ScanVisitor<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    let json = codec::verify(key, value)?;
    let (revision, fields) = codec::read(key, &json, ProjectionSeed(projection))?;
    let whole = || codec::read(key, &json, PhantomData::<StoredDocument>);
    let text = || Ok(whole()?.body.text());
    visit(&ScannedDocument { id, revision, fields: &fields, text: &text })
}

/// Deserialises the revision and the projected fields of a [`StoredDocument`].
struct ProjectionSeed<'w>(&'w Projection);

/// The fields of a [`StoredDocument`].
#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "r")]
    Revision,
    #[serde(rename = "b")]
    Body,
}

impl<'de, 'w> DeserializeSeed<'de> for ProjectionSeed<'w> {
    type Value = (u64, ProjectedFields<'w>);

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, 'w> Visitor<'de> for ProjectionSeed<'w> {
    type Value = (u64, ProjectedFields<'w>);

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
    /// `None` before the first commit. Declared first, so that it is dropped before the file.
    snapshot: Option<Snapshot>,
    revision: u64,
    _file: Option<Arc<OpenDatabase>>,
}

impl RedbDocuments {
    /// Takes a snapshot of the documents of a file.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub(super) fn open(file: &StoreFile) -> Result<Self, StoreError> {
        let opened = file.snapshot()?;
        let (snapshot, file) = opened.map_or((None, None), |(it, file)| (Some(it), Some(file)));
        let mut documents = Self { snapshot, revision: 0, _file: file };
        documents.revision = documents.read(View::documents_revision)?;
        Ok(documents)
    }

    fn read<T: Default>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.snapshot
            .as_ref()
            .map_or_else(|| Ok(T::default()), |snapshot| catch_corruption_panic(|| read(snapshot)))
    }
}

impl DocumentSnapshot for RedbDocuments {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn get(&self, address: &Address) -> Result<Option<StoredDocument>, StoreError> {
        self.read(|snapshot| snapshot.document(address))
    }

    fn scan(
        &self,
        collection: &CollectionName,
        scan: &Scan,
        visit: &mut ScanVisitor<'_>,
    ) -> Result<(), StoreError> {
        self.read(|snapshot| match &scan.ids {
            None => snapshot.scan_all(collection, scan, visit),
            Some(ids) => snapshot.scan_ids(collection, (ids, scan), visit),
        })
    }

    fn has_conflict(&self, reads: &ReadSet, base: u64) -> Result<bool, StoreError> {
        self.read(|snapshot| snapshot.has_conflict(reads, base))
    }

    fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError> {
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
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use crate::model::document::Scan;
    use crate::store::redb::test_store::{Scratch, creating};
    use crate::store::tests::author;
    use crate::store::{ScannedDocument, Store as _};

    #[tokio::test]
    async fn continued_scan_detects_hidden_documents() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 3)).await.unwrap();
        let documents = store.documents().unwrap();
        let scan_after = |before| {
            let scan = Scan { after: Some("0".parse().unwrap()), before, ..Scan::default() };
            let visit = &mut |_: &ScannedDocument<'_>| Ok(ControlFlow::Continue(()));
            documents.scan(&"jobs".parse().unwrap(), &scan, visit)
        };
        scan_after(Some(1)).unwrap();
        scan_after(None).unwrap();
        let message = "the store is corrupted at `collection jobs`: 2 of 3 documents found";
        assert_eq!(scan_after(Some(0)).unwrap_err().to_string(), message);
    }
}
