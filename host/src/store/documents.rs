//! Documents within a transaction: what a run sees of them, and how its changes are kept.
//!
//! Each commit that changes documents has a number of its own, its revision, which its
//! documents have from then on. What it changed is kept beside them, in the order of
//! revisions: so it is known what became of a collection since any revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::file::{Handle, StoreFile, guarded};
use super::tables::{Entry, Snapshot, Tx, View};
use super::{Author, DocumentSnapshot, StoreError, codec, keys};
use crate::document::{
    Address, Body, Change, ChangeCount, ChangeKind, ChangeSet, CollectionName, CollectionReads,
    DocumentId, Effects, Reads,
};
use crate::task_run::RunId;

type Bytes = &'static [u8];

/// The number of the newest commit that changed documents.
const REVISION: &str = "documents";
/// The number of the newest commit of which a part was lost when the store was salvaged.
const SALVAGED: &str = "salvaged documents";

/// The most bytes of documents that are read at once, packed.
const PART: usize = 1 << 20;

/// A document as it stands in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
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
    pub(super) author: Author,
    /// How many documents of each collection it changed.
    pub(super) collections: BTreeMap<CollectionName, u64>,
}

/// What the store knows of a collection as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Size {
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
    pub(super) fn document(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        self.value(&keys::document(address))
    }

    /// Returns whether something that a run read when `base` was the newest commit is no
    /// longer so.
    pub(super) fn is_stale(&self, reads: &Reads, base: u64) -> Result<bool, StoreError> {
        if reads.is_empty() || self.documents_revision()? == base {
            return Ok(false);
        }
        for (collection, known) in reads.iter() {
            if self.has_other_revisions(collection, known)?
                || self.has_touching_changes(collection, known, base)?
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
        collection: &CollectionName,
        known: &CollectionReads,
        base: u64,
    ) -> Result<bool, StoreError> {
        if !known.has_filters() {
            return Ok(false);
        }
        let first = keys::changes_from(collection, base + 1);
        let end = keys::after(&keys::changes_of(collection));
        for entry in self.between(&first, &end)? {
            let (key, value) = entry?;
            let change: Change = codec::open(&key, &value)?;
            if known.is_touched(&id_of_change(&key)?, &change) {
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
        let commit = self.commit(revision)?.ok_or_else(|| codec::damaged(&key, "it is gone"))?;
        for (collection, count) in commit.collections {
            let before = changes.len();
            for entry in self.range(&keys::changes_from(&collection, revision))? {
                let (key, value) = entry?;
                let address = Address { collection: collection.clone(), id: id_of_change(&key)? };
                changes.insert(address, codec::open(&key, &value)?);
            }
            if (changes.len() - before) as u64 != count {
                return Err(codec::damaged(&key, "some of its changes are gone"));
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
    pub(super) fn size(&self, collection: &CollectionName) -> Result<Size, StoreError> {
        Ok(self.value(&keys::collection(collection))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Keeps what a run changed, if what it read is still so; else nothing, and returns `None`.
    pub(super) fn keep(
        &mut self,
        effects: &Effects,
        author: &Author,
    ) -> Result<Option<ChangeCount>, StoreError> {
        if self.is_stale(&effects.reads, effects.base)? {
            return Ok(None);
        }
        let mut count = ChangeCount::of(&effects.changes);
        if effects.changes.is_empty() {
            return Ok(Some(count));
        }
        let revision = self.documents_revision()? + 1;
        count.revision = Some(revision);
        self.put(&keys::meta(REVISION), &revision)?;
        let mut commit = Commit { author: author.clone(), collections: Default::default() };
        let mut grown = BTreeMap::<_, i64>::new();
        for (address, change) in &effects.changes {
            self.change(address, change, revision)?;
            *commit.collections.entry(address.collection.clone()).or_default() += 1;
            *grown.entry(&address.collection).or_default() += growth(change);
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
        change: &Change,
        revision: u64,
    ) -> Result<(), StoreError> {
        self.put(&keys::change(address, revision), change)?;
        let key = keys::document(address);
        match &change.after {
            Some(body) => self.put(&key, &Stored { revision, body: body.clone() }),
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
            documents => self.put(&key, &Size { documents }),
        }
    }
}

fn id_of_change(key: &[u8]) -> Result<DocumentId, StoreError> {
    let of = keys::address_of_change(key);
    of.map(|(address, _)| address.id).ok_or_else(|| codec::damaged(key, "no change's key"))
}

fn growth(change: &Change) -> i64 {
    match change.kind() {
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
    _file: Option<Arc<Handle>>,
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
            .map_or_else(|| Ok(T::default()), |snapshot| guarded(|| read(snapshot)))
    }
}

impl DocumentSnapshot for RedbDocuments {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn get(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        self.read(|snapshot| snapshot.document(address))
    }

    fn after(
        &self,
        collection: &CollectionName,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<(DocumentId, Stored)>, StoreError> {
        let prefix = keys::documents_of(collection);
        let first = after.map_or_else(|| prefix.clone(), |id| keys::document_after(collection, id));
        self.read(|snapshot| {
            let range = snapshot.between(&first, &keys::after(&prefix))?;
            let document = |entry: Result<Entry, StoreError>| {
                let (key, value) = entry?;
                let address = keys::address_of_document(&key);
                let address = address.ok_or_else(|| codec::damaged(&key, "no document's key"))?;
                Ok((address.id, codec::open(&key, &value)?))
            };
            let mut room = PART;
            let small = |entry: &Result<Entry, StoreError>| {
                let is_first = room == PART;
                let size = entry.as_ref().map_or(0, |(_, value)| value.len());
                let fits = size <= room;
                room = room.saturating_sub(size.max(1));
                fits || is_first
            };
            range.take(limit).take_while(small).map(document).collect()
        })
    }

    fn is_stale(&self, reads: &Reads, base: u64) -> Result<bool, StoreError> {
        self.read(|snapshot| snapshot.is_stale(reads, base))
    }

    fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError> {
        self.read(|snapshot| {
            let collection = |entry: Result<Entry, StoreError>| {
                let (key, value) = entry?;
                let name = keys::name_of_collection(&key);
                let name = name.ok_or_else(|| codec::damaged(&key, "no collection's name"))?;
                Ok((name, codec::open::<Size>(&key, &value)?.documents))
            };
            snapshot.range(&keys::Kind::Collection.prefix())?.map(collection).collect()
        })
    }
}
