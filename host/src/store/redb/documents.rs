//! Documents within a transaction: what a run sees of them, and how its changes are kept.
//!
//! Each commit that changes documents has a number of its own, its revision, which its
//! documents have from then on. What it changed is kept beside them, in the order of
//! revisions: so it is known what became of a collection since any revision.

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

/// The number of the newest commit that changed documents.
const REVISION: &str = "documents";
/// The number of the newest commit of which a part was lost when the store was salvaged.
const SALVAGED: &str = "salvaged documents";

/// A document as it stands in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredDocument {
    /// Which commit wrote it.
    #[serde(rename = "r")]
    pub(crate) revision: u64,
    /// What it holds.
    #[serde(rename = "b")]
    pub(crate) body: Body,
}

/// What is known of a commit that changed documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Commit {
    #[serde(flatten)]
    pub(super) author: CommitMetadata,
    /// How many documents of each collection it changed.
    pub(super) collections: BTreeMap<CollectionName, u64>,
}

/// What the store knows of a collection as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CollectionStats {
    pub(super) documents: u64,
}

impl<T: ReadableTable<Bytes, Bytes>> View<T> {
    /// Returns the number of the newest commit that changed documents; 0 if none did.
    pub(super) fn documents_revision(&self) -> Result<u64, StoreError> {
        Ok(self.value(&keys::meta(REVISION))?.unwrap_or(0))
    }

    /// Returns up to which commit a part may have been lost when the store was salvaged; 0 if
    /// it never was.
    pub(super) fn salvaged_revision(&self) -> Result<u64, StoreError> {
        Ok(self.value(&keys::meta(SALVAGED))?.unwrap_or(0))
    }

    /// Returns a document, if it is there.
    pub(super) fn document(&self, address: &Address) -> Result<Option<StoredDocument>, StoreError> {
        self.value(&keys::document(address))
    }

    /// Shows the documents of a collection.
    fn look_at_all(
        &self,
        collection: &CollectionName,
        scan: &Scan,
        see: &mut ScanVisitor<'_>,
    ) -> Result<(), StoreError> {
        let prefix = keys::documents_of(collection);
        let after = scan.after.as_ref();
        let first = after.map_or_else(|| prefix.clone(), |id| keys::document_after(collection, id));
        let mut seen = 0;
        let last = self.each_between(&first, &keys::after(&prefix), |key, value| {
            seen += 1;
            let id = key.strip_prefix(&prefix[..]).and_then(keys::document_id);
            let id = id.ok_or_else(|| codec::corrupted(key, "no document's key"))?;
            look_at(&id, (key, value), &scan.wanted, see)
        })?;
        // Whoever has seen enough did not come to where some could be missing.
        match if after.is_none() { Some(0) } else { scan.before } {
            Some(before) if last.is_continue() => {
                self.verify_document_count(collection, before + seen)
            }
            _ => Ok(()),
        }
    }

    /// Says whether a collection has as many documents as were found: a damaged key, of which the
    /// value knows nothing, can hide those that are behind it.
    fn verify_document_count(
        &self,
        collection: &CollectionName,
        found: u64,
    ) -> Result<(), StoreError> {
        let CollectionStats { documents } = self.size(collection)?;
        if documents == found {
            return Ok(());
        }
        let what = format!("it has {documents} documents, of which {found} are found");
        Err(codec::corrupted(&keys::collection(collection), what))
    }

    /// Shows those documents of a collection that are there.
    fn look_at_some(
        &self,
        collection: &CollectionName,
        (ids, scan): (&BTreeSet<DocumentId>, &Scan),
        see: &mut ScanVisitor<'_>,
    ) -> Result<(), StoreError> {
        for id in ids.iter().filter(|id| scan.includes(id)) {
            let key = keys::document(&Address { collection: collection.clone(), id: id.clone() });
            let Some(value) = self.bytes(&key)? else { continue };
            if look_at(id, (&key, &value), &scan.wanted, see)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns whether something that a run read when `base` was the newest commit is no
    /// longer so.
    pub(super) fn is_stale(&self, reads: &ReadSet, base: u64) -> Result<bool, StoreError> {
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

    /// Returns what a run changed.
    pub(super) fn changes_of(&self, run: RunId) -> Result<ChangeSet, StoreError> {
        let mut changes = ChangeSet::new();
        let Some(revision) = self.revision_of_run(run)? else { return Ok(changes) };
        let key = keys::commit(revision);
        let commit = self.commit(revision)?.ok_or_else(|| codec::corrupted(&key, "it is gone"))?;
        for (collection, count) in commit.collections {
            let before = changes.len();
            for entry in self.prefix(&keys::changes_from(&collection, revision))? {
                let (key, value) = entry?;
                let address = Address { collection: collection.clone(), id: id_of_change(&key)? };
                changes.insert(address, codec::decode(&key, &value)?);
            }
            if (changes.len() - before) as u64 != count {
                return Err(codec::corrupted(&key, "some of its changes are gone"));
            }
        }
        Ok(changes)
    }

    /// Returns which commit changed documents for a run; `None` if none did.
    pub(super) fn revision_of_run(&self, run: RunId) -> Result<Option<u64>, StoreError> {
        self.value(&keys::effect(run))
    }

    /// Returns what is known of a commit.
    pub(super) fn commit(&self, revision: u64) -> Result<Option<Commit>, StoreError> {
        self.value(&keys::commit(revision))
    }

    /// Returns how many documents are in a collection.
    pub(super) fn size(&self, collection: &CollectionName) -> Result<CollectionStats, StoreError> {
        Ok(self.value(&keys::collection(collection))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Keeps what a run changed, if what it read is still so; else nothing, and returns `None`.
    pub(super) fn apply_changes(
        &mut self,
        effects: &CommitRequest,
        author: &CommitMetadata,
    ) -> Result<Option<ChangeCount>, StoreError> {
        if self.is_stale(&effects.read_set, effects.snapshot_revision)? {
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
            self.put(&keys::effect(author.run_id), &revision)?;
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

    /// Says that this commit was there, where others may have been before.
    pub(super) fn set_documents_revision(&mut self, revision: u64) -> Result<(), StoreError> {
        match revision > self.documents_revision()? {
            true => self.put(&keys::meta(REVISION), &revision),
            false => Ok(()),
        }
    }

    /// Says that of any commit up to this one a part may be lost.
    pub(super) fn set_salvaged_revision(&mut self, revision: u64) -> Result<(), StoreError> {
        self.put(&keys::meta(SALVAGED), &revision)
    }

    /// Changes how many documents a collection has.
    pub(super) fn resize(
        &mut self,
        collection: &CollectionName,
        by: i64,
    ) -> Result<(), StoreError> {
        let key = keys::collection(collection);
        let documents = self.size(collection)?.documents.saturating_add_signed(by);
        match documents {
            0 => self.remove(&key),
            documents => self.put(&key, &CollectionStats { documents }),
        }
    }
}

/// Shows a document of which the wanted fields alone are read, if no more is asked of it.
fn look_at(
    id: &DocumentId,
    (key, value): (&[u8], &[u8]),
    wanted: &Projection,
    see: &mut ScanVisitor<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    let json = codec::verify(key, value)?;
    let (revision, fields) = codec::read(key, &json, Sight(wanted))?;
    let whole = || codec::read(key, &json, PhantomData::<StoredDocument>);
    let text = || Ok(whole()?.body.text());
    see(&ScannedDocument { id, revision, fields: &fields, text: &text })
}

/// Reads the wanted fields of a [`StoredDocument`], and its revision.
struct Sight<'w>(&'w Projection);

/// What a [`StoredDocument`] has.
#[derive(Deserialize)]
#[serde(field_identifier)]
enum Part {
    #[serde(rename = "r")]
    Revision,
    #[serde(rename = "b")]
    Body,
}

impl<'de, 'w> DeserializeSeed<'de> for Sight<'w> {
    type Value = (u64, ProjectedFields<'w>);

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, 'w> Visitor<'de> for Sight<'w> {
    type Value = (u64, ProjectedFields<'w>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let (mut revision, mut fields) = (None, None);
        while let Some(part) = parts.next_key()? {
            match part {
                Part::Revision => revision = Some(parts.next_value()?),
                Part::Body => fields = Some(parts.next_value_seed(self.0)?),
            }
        }
        revision.zip(fields).ok_or_else(|| A::Error::custom("a part of the document is missing"))
    }
}

fn id_of_change(key: &[u8]) -> Result<DocumentId, StoreError> {
    let of = keys::address_of_change(key);
    of.map(|(address, _)| address.id).ok_or_else(|| codec::corrupted(key, "no change's key"))
}

fn growth(kind: Option<ChangeKind>) -> i64 {
    match kind {
        Some(ChangeKind::Created) => 1,
        Some(ChangeKind::Deleted) => -1,
        Some(ChangeKind::Updated) | None => 0,
    }
}

/// Documents as they were at one moment.
pub(super) struct RedbDocuments {
    /// `None` where nothing was ever written. It is dropped before the file is closed.
    snapshot: Option<Snapshot>,
    revision: u64,
    _file: Option<Arc<OpenDatabase>>,
}

impl RedbDocuments {
    /// Returns the documents of a file as they are now.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be read.
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
        see: &mut ScanVisitor<'_>,
    ) -> Result<(), StoreError> {
        self.read(|snapshot| match &scan.ids {
            None => snapshot.look_at_all(collection, scan, see),
            Some(ids) => snapshot.look_at_some(collection, (ids, scan), see),
        })
    }

    fn has_conflict(&self, reads: &ReadSet, base: u64) -> Result<bool, StoreError> {
        self.read(|snapshot| snapshot.is_stale(reads, base))
    }

    fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError> {
        self.read(|snapshot| {
            let collection = |entry: Result<Entry, StoreError>| {
                let (key, value) = entry?;
                let name = keys::name_of_collection(&key);
                let name = name.ok_or_else(|| codec::corrupted(&key, "no collection's name"))?;
                Ok((name, codec::decode::<CollectionStats>(&key, &value)?.documents))
            };
            snapshot.prefix(&keys::TableId::Collection.prefix())?.map(collection).collect()
        })
    }
}
