//! Looks over what the store keeps of documents.
//!
//! A document is what the change says that wrote it; a change belongs to a commit, which knows
//! how many it has; the size of a collection is the number of its documents.

use std::collections::BTreeMap;

use super::codec;
use super::documents::{CollectionStats, Commit, StoredDocument};
use super::keys::{self, TableId};
use super::tables::{Snapshot, Tx};
use crate::model::document::{CollectionName, DocumentChange};
use crate::store::StoreError;

/// What was seen of documents so far, in the order of [`TableId::ALL`].
#[derive(Default)]
pub(super) struct DocumentFindings {
    /// How many documents there are of which the collection's size was not seen yet.
    documents: BTreeMap<CollectionName, u64>,
}

impl DocumentFindings {
    /// Looks at one value.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] that says what is wrong with it.
    pub(super) fn check_entry(
        &mut self,
        store: &Snapshot,
        kind: TableId,
        (key, value): (&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        match kind {
            TableId::Document => self.look_at_document(store, key, value),
            TableId::Change => look_at_change(store, key, value),
            TableId::Commit => look_at_commit(store, key, value),
            TableId::RunCommit => {
                let revision: u64 = codec::decode(key, value)?;
                has_commit(store, revision, key)
            }
            TableId::Collection => {
                let size: CollectionStats = codec::decode(key, value)?;
                let count = keys::name_of_collection(key)
                    .and_then(|collection| self.documents.remove(&collection));
                let (size, count) = (size.documents, count.unwrap_or(0));
                let told = format!("its size is {size}, there are {count} documents");
                ensure(size == count, key, &told)
            }
            TableId::Meta
            | TableId::Run
            | TableId::RunIdIndex
            | TableId::Log
            | TableId::Payload
            | TableId::PayloadRefcount
            | TableId::Idempotency
            | TableId::Index => Ok(()),
        }
    }

    /// Returns what is wrong with collections, once all values were looked at: their documents
    /// are there, their size is not.
    pub(super) fn without_size(&self) -> impl Iterator<Item = String> {
        let told = |(name, count)| format!("collection `{name}` has {count} documents and no size");
        self.documents.iter().map(told)
    }

    fn look_at_document(
        &mut self,
        store: &Snapshot,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        let address = known(keys::address_of_document(key), key)?;
        *self.documents.entry(address.collection.clone()).or_default() += 1;
        let StoredDocument { revision, body } = codec::decode(key, value)?;
        match store.value::<DocumentChange>(&keys::change(&address, revision)) {
            Ok(Some(change)) => {
                ensure(change.after == Some(body), key, "it is not what its change says")
            }
            Ok(None) => ensure(may_be_lost(store, revision)?, key, "its change is gone"),
            // That is told where changes are looked at.
            Err(_) => Ok(()),
        }
    }
}

fn look_at_change(store: &Snapshot, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let (_, revision) = known(keys::address_of_change(key), key)?;
    codec::decode::<DocumentChange>(key, value)?;
    has_commit(store, revision, key)
}

fn has_commit(store: &Snapshot, revision: u64, key: &[u8]) -> Result<(), StoreError> {
    let is_there = store.has(&keys::commit(revision))? || may_be_lost(store, revision)?;
    ensure(is_there, key, "its commit is gone")
}

/// Returns whether a part of what a commit wrote may be missing: it was when the store was
/// salvaged, and was told then.
fn may_be_lost(store: &Snapshot, revision: u64) -> Result<bool, StoreError> {
    Ok(revision <= store.salvaged_revision()?)
}

fn look_at_commit(store: &Snapshot, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let commit: Commit = codec::decode(key, value)?;
    let revision = known(keys::revision_of_commit(key), key)?;
    ensure(revision <= store.documents_revision()?, key, "it is newer than the newest")?;
    let is_partial = may_be_lost(store, revision)?;
    for (collection, count) in commit.collections {
        let found = store.prefix(&keys::changes_from(&collection, revision))?.count() as u64;
        ensure(found == count || is_partial, key, "some of its changes are gone")?;
    }
    let led = store.revision_of_run(commit.author.run_id)?;
    let is_led = led == Some(revision) || (is_partial && led.is_none());
    ensure(!commit.author.recorded || is_led, key, "its run does not lead to it")
}

fn known<T>(found: Option<T>, key: &[u8]) -> Result<T, StoreError> {
    found.ok_or_else(|| codec::corrupted(key, "it is no key"))
}

fn ensure(holds: bool, key: &[u8], what: &str) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(codec::corrupted(key, what)) }
}

/// Copies what can be read of a kind of values to another store.
///
/// # Errors
///
/// Returns [`StoreError`] if that cannot be written.
pub(super) fn salvage(
    tx: &mut Tx<'_>,
    kind: TableId,
    (key, value): (&[u8], &[u8]),
) -> Result<(), StoreError> {
    // One of these may be the last that knows of a commit, whose number must not come again.
    let revision = match kind {
        TableId::Document => {
            codec::decode::<StoredDocument>(key, value).ok().map(|stored| stored.revision)
        }
        TableId::Change => keys::address_of_change(key).map(|(_, revision)| revision),
        TableId::Commit => keys::revision_of_commit(key),
        _ => None,
    };
    tx.set_documents_revision(revision.unwrap_or(0))?;
    if kind == TableId::Document
        && let Some(address) = keys::address_of_document(key)
    {
        tx.resize(&address.collection, 1)?;
    }
    tx.put_bytes(key, value)
}

/// Makes documents what the changes say that are there: what was found of them may be older.
///
/// # Errors
///
/// Returns [`StoreError`] if they cannot be read or written.
pub(super) fn replay(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let keys = tx.prefix(&TableId::Change.prefix())?.map(|entry| entry.map(|(key, _)| key));
    // They are in the order of their commits.
    for key in keys.collect::<Result<Vec<_>, _>>()? {
        let (address, revision) = known(keys::address_of_change(&key), &key)?;
        let document = tx.document(&address)?;
        if document.as_ref().is_some_and(|stored| stored.revision >= revision) {
            continue;
        }
        let Some(change) = tx.value::<DocumentChange>(&key)? else { continue };
        let by = i64::from(change.after.is_some()) - i64::from(document.is_some());
        let place = keys::document(&address);
        match change.after {
            Some(body) => tx.put(&place, &StoredDocument { revision, body })?,
            None => tx.remove(&place)?,
        }
        tx.resize(&address.collection, by)?;
    }
    Ok(())
}
