//! Integrity check and salvage of documents.
//!
//! Invariants: a document equals the `after` of the change that wrote it. Every change belongs to
//! a commit, which records its number of changes, and to the history of its document. The statistics of a collection hold its number
//! of documents.

use std::collections::BTreeMap;

use super::check::ensure;
use super::codec;
use super::documents::{CollectionStats, Commit};
use super::index_check::IndexFindings;
use super::keys::{self, TableId};
use super::tables::{Snapshot, Tx};
use crate::model::document::{ChangeKind, CollectionName, DocumentChange};
use crate::store::{StoreError, StoredDocument};

/// State of the integrity check of documents. Tables are checked in the order of [`TableId::ALL`].
#[derive(Default)]
pub(super) struct DocumentFindings {
    /// Definitions and entries of the indexes.
    pub(super) indexes: IndexFindings,
    /// Document counts of the collections whose statistics were not checked yet.
    documents: BTreeMap<CollectionName, u64>,
}

impl DocumentFindings {
    /// Returns the start of a check.
    pub(super) fn new(indexes: IndexFindings) -> Self {
        Self { indexes, ..Self::default() }
    }

    /// Checks one entry.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Corrupted`] if an invariant is violated.
    pub(super) fn check_entry(
        &mut self,
        store: &Snapshot,
        kind: TableId,
        (key, value): (&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        match kind {
            TableId::Document => self.check_document(store, key, value),
            TableId::Change => check_change(store, key, value),
            TableId::History => check_history(store, key, value),
            TableId::Commit => check_commit(store, key, value),
            TableId::RunCommit => {
                let revision: u64 = codec::decode(key, value)?;
                ensure_commit(store, revision, key)
            }
            TableId::Collection => {
                let recorded: CollectionStats = codec::decode(key, value)?;
                let count = keys::name_of_collection(key)
                    .and_then(|collection| self.documents.remove(&collection));
                let (recorded, count) = (recorded.documents, count.unwrap_or(0));
                let what = format!("recorded {recorded} documents, found {count}");
                ensure(recorded == count, key, &what)
            }
            TableId::Meta
            | TableId::Run
            | TableId::RunIdIndex
            | TableId::Log
            | TableId::Payload
            | TableId::PayloadRefcount
            | TableId::Idempotency
            | TableId::Index
            | TableId::Summary => Ok(()),
            TableId::IndexDefinition => self.indexes.check_definition(key, value),
            TableId::FieldIndex => self.indexes.check_entry(key, value),
        }
    }

    /// Returns the collections with documents but without statistics, after all entries were
    /// checked.
    pub(super) fn without_stats(&self) -> impl Iterator<Item = String> {
        let message =
            |(name, count)| format!("collection `{name}` has {count} documents but no statistics");
        self.documents.iter().map(message)
    }

    fn check_document(
        &mut self,
        store: &Snapshot,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        let address = parsed(keys::address_of_document(key), key)?;
        *self.documents.entry(address.collection.clone()).or_default() += 1;
        let StoredDocument { revision, body } = codec::decode(key, value)?;
        self.indexes.check_document(store, &address, &body)?;
        match store.value::<DocumentChange>(&keys::change(&address, revision)) {
            Ok(Some(change)) => {
                ensure(change.after == Some(body), key, "document does not match its change")
            }
            Ok(None) => ensure(may_have_no_changes(store, revision)?, key, "missing change"),
            // The check of the change reports the error.
            Err(_) => Ok(()),
        }
    }
}

fn check_change(store: &Snapshot, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let (address, revision) = parsed(keys::address_of_change(key), key)?;
    let change: DocumentChange = codec::decode(key, value)?;
    let entry = keys::history(&address, revision);
    let is_known = change.kind().is_none() || store.has(&entry)?;
    ensure(is_known, key, format!("missing entry `{}`", keys::name(&entry)))?;
    ensure_commit(store, revision, key)
}

fn check_history(store: &Snapshot, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let (address, revision) = parsed(keys::address_of_history(key), key)?;
    let kind: ChangeKind = codec::decode(key, value)?;
    match store.value::<DocumentChange>(&keys::change(&address, revision)) {
        Ok(Some(change)) => {
            ensure(change.kind() == Some(kind), key, "history does not match its change")
        }
        Ok(None) => ensure(may_have_no_changes(store, revision)?, key, "missing change"),
        // The check of the change reports the error.
        Err(_) => Ok(()),
    }
}

fn ensure_commit(store: &Snapshot, revision: u64, key: &[u8]) -> Result<(), StoreError> {
    let is_known = store.has(&keys::commit(revision))? || may_be_lost(store, revision)?;
    ensure(is_known, key, "missing commit")
}

/// Returns whether salvage may have lost parts of a commit. Salvage has reported the loss.
fn may_be_lost(store: &Snapshot, revision: u64) -> Result<bool, StoreError> {
    Ok(revision <= store.salvaged_revision()?)
}

/// Returns whether the changes of a commit may be missing: retention may have removed them, or
/// salvage may have lost them.
fn may_have_no_changes(store: &Snapshot, revision: u64) -> Result<bool, StoreError> {
    Ok(revision <= store.history_floor()? || may_be_lost(store, revision)?)
}

fn check_commit(store: &Snapshot, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let commit: Commit = codec::decode(key, value)?;
    let revision = parsed(keys::revision_of_commit(key), key)?;
    ensure(
        revision <= store.documents_revision()?,
        key,
        "revision is newer than the newest commit",
    )?;
    let (is_partial, has_no_changes) =
        (may_be_lost(store, revision)?, may_have_no_changes(store, revision)?);
    for (collection, count) in commit.collections {
        let found = store.prefix(&keys::changes_from(&collection, revision))?.count() as u64;
        ensure(found == count || has_no_changes, key, "missing changes")?;
    }
    let of_run = store.revision_of_run(commit.author.run_id)?;
    let is_linked = of_run == Some(revision) || (is_partial && of_run.is_none());
    ensure(!commit.author.recorded || is_linked, key, "run is not linked to its commit")
}

fn parsed<T>(parsed: Option<T>, key: &[u8]) -> Result<T, StoreError> {
    parsed.ok_or_else(|| codec::corrupted(key, "malformed key"))
}

/// Copies an intact entry to another store.
///
/// # Errors
///
/// Returns [`StoreError`] if the entry cannot be written.
pub(super) fn salvage(
    tx: &mut Tx<'_>,
    kind: TableId,
    (key, value): (&[u8], &[u8]),
) -> Result<(), StoreError> {
    // An entry may be the only trace of a commit, whose revision must not be reused.
    let revision = match kind {
        TableId::Document => {
            codec::decode::<StoredDocument>(key, value).ok().map(|stored| stored.revision)
        }
        TableId::Change => keys::address_of_change(key).map(|(_, revision)| revision),
        TableId::History => keys::address_of_history(key).map(|(_, revision)| revision),
        TableId::Commit => keys::revision_of_commit(key),
        _ => None,
    };
    tx.set_documents_revision(revision.unwrap_or(0))?;
    if kind == TableId::Document
        && let Some(address) = keys::address_of_document(key)
    {
        tx.resize(&address.collection, 1)?;
    }
    if kind == TableId::Change
        && let Some((address, revision)) = keys::address_of_change(key)
        && let Some(change) = codec::decode::<DocumentChange>(key, value)?.kind()
    {
        tx.put(&keys::history(&address, revision), &change)?;
    }
    tx.put_bytes(key, value)
}

/// Applies the salvaged changes to the salvaged documents, which may be older.
///
/// # Errors
///
/// Returns [`StoreError`] if an entry cannot be read or written.
pub(super) fn replay(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let keys = tx.prefix(&TableId::Change.prefix())?.map(|entry| entry.map(|(key, _)| key));
    // Change keys are in revision order.
    for key in keys.collect::<Result<Vec<_>, _>>()? {
        let (address, revision) = parsed(keys::address_of_change(&key), &key)?;
        let document = tx.document(&address)?;
        if document.as_ref().is_some_and(|stored| stored.revision >= revision) {
            continue;
        }
        let Some(change) = tx.value::<DocumentChange>(&key)? else { continue };
        let by = i64::from(change.after.is_some()) - i64::from(document.is_some());
        let document_key = keys::document(&address);
        match change.after {
            Some(body) => tx.put(&document_key, &StoredDocument { revision, body })?,
            None => tx.remove(&document_key)?,
        }
        tx.resize(&address.collection, by)?;
    }
    Ok(())
}
