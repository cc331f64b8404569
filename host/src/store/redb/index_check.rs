//! Integrity check and salvage of secondary indexes.
//!
//! Invariants: each document has its entries in each complete index, and in each index that is being
//! built up to its position. A complete index has no other entries.

use std::collections::BTreeMap;
use std::time::Duration;

use ophost_document::IndexField;
use redb::Database;

use super::backup::write_all;
use super::check::ensure;
use super::index::{Definition, IndexDefinition, StoredState, entries_of};
use super::index_build::{NewEntry, next_entries};
use super::tables::Snapshot;
use super::{codec, keys};
use crate::model::document::{Address, Body, CollectionName, DocumentId};
use crate::store::StoreError;

/// Time of one transaction of a rebuild.
const REBUILD_TIME: Duration = Duration::from_millis(500);

/// State of the integrity check of indexes.
#[derive(Default)]
pub(super) struct IndexFindings {
    definitions: BTreeMap<CollectionName, Vec<Definition>>,
    /// The number of entries that the documents have in each complete index, minus the number of
    /// stored entries.
    balance: BTreeMap<u32, i64>,
}

impl IndexFindings {
    /// Returns the start of a check. If the definitions cannot be read, no entry is expected. The
    /// check of the definitions reports the error.
    pub(super) fn new(store: &Snapshot) -> Self {
        let mut findings = Self::default();
        for (collection, field, definition) in store.indexes().unwrap_or_default() {
            if definition.state == StoredState::Ready {
                findings.balance.insert(definition.id, 0);
            }
            findings.definitions.entry(collection).or_default().push((field, definition));
        }
        findings
    }

    /// Checks that a document has its entries.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Corrupted`] if an entry is missing.
    pub(super) fn check_document(
        &mut self,
        store: &Snapshot,
        Address { collection, id }: &Address,
        body: &Body,
    ) -> Result<(), StoreError> {
        for (field, definition) in self.definitions.get(collection).into_iter().flatten() {
            if !is_expected(&definition.state, id) {
                continue;
            }
            let entries = entries_of(field, body, id, definition.id);
            if let Some(balance) = self.balance.get_mut(&definition.id) {
                *balance += entries.len() as i64;
            }
            for entry in entries {
                let what = format!("missing document of `{field}`");
                ensure(store.has(&entry)?, &entry, what)?;
            }
        }
        Ok(())
    }

    /// Checks one definition.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Corrupted`] if the definition cannot be read.
    pub(super) fn check_definition(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let definition: IndexDefinition = codec::decode(key, value)?;
        ensure(keys::index_of_definition(key).is_some(), key, "malformed key")?;
        let same = self.definitions.values().flatten().filter(|(_, it)| it.id == definition.id);
        ensure(same.count() <= 1, key, "another index has the same number")
    }

    /// Checks one entry.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Corrupted`] if the entry belongs to no index.
    pub(super) fn check_entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        ensure_intact_entry(key, value)?;
        let index = keys::parse_index_entry(key).map(|entry| entry.index).unwrap_or_default();
        if let Some(balance) = self.balance.get_mut(&index) {
            *balance -= 1;
        }
        let is_known = self.definitions.values().flatten().any(|(_, it)| it.id == index);
        ensure(is_known, key, "no index has this number")
    }

    /// Returns the indexes with entries that belong to no document, after all entries were checked.
    pub(super) fn with_stale_entries(&self) -> impl Iterator<Item = String> {
        let all = self.definitions.iter().flat_map(|(collection, definitions)| {
            definitions.iter().map(move |(field, definition)| (collection, field, definition.id))
        });
        all.filter_map(|(collection, field, id)| {
            let stale = self.balance.get(&id).filter(|balance| **balance < 0)?;
            Some(format!(
                "index `{field}` of `{collection}` has entries of no document: {}",
                -stale
            ))
        })
    }
}

fn is_expected(state: &StoredState, id: &DocumentId) -> bool {
    match state {
        StoredState::Building { after, .. } => after.as_ref().is_some_and(|after| id <= after),
        StoredState::Ready => true,
        StoredState::Removing => false,
    }
}

/// Checks the form of an index entry.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if the key is malformed or the value is not empty.
pub(super) fn ensure_intact_entry(key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    ensure(keys::parse_index_entry(key).is_some() && value.is_empty(), key, "malformed entry")
}

/// Rebuilds the entries of the salvaged indexes. An index that was being built has to be built
/// again, and one that was being removed is dropped.
///
/// # Errors
///
/// Returns [`StoreError`] if an entry cannot be read or written.
pub(super) fn rebuild(copy: &Database) -> Result<(), StoreError> {
    let mut definitions = Vec::new();
    write_all(copy, &[()], |tx, ()| {
        definitions = tx.indexes()?;
        Ok(())
    })?;
    // Salvage can find the definition of a removed index, whose number another index has.
    for (id, (collection, field, definition)) in (1..).zip(definitions) {
        let key = keys::index_definition(&collection, &field);
        let state = match definition.state {
            StoredState::Removing => {
                write_all(copy, &[()], |tx, ()| tx.remove(&key))?;
                continue;
            }
            StoredState::Building { .. } => StoredState::Building { after: None, done: 0 },
            StoredState::Ready => StoredState::Ready,
        };
        let definition = IndexDefinition { id, state, ..definition };
        write_all(copy, &[()], |tx, ()| tx.put(&key, &definition))?;
        if definition.state == StoredState::Ready {
            fill(copy, (&collection, &field), &definition)?;
        }
    }
    Ok(())
}

/// Writes the entries of all documents.
fn fill(
    copy: &Database,
    (collection, field): (&CollectionName, &IndexField),
    definition: &IndexDefinition,
) -> Result<(), StoreError> {
    let (mut after, mut is_last) = (None::<DocumentId>, false);
    while !is_last {
        write_all(copy, &[()], |tx, ()| {
            let entries;
            (entries, is_last) =
                next_entries(tx, (collection, field), after.as_ref(), REBUILD_TIME)?;
            for (entry, key) in entries.iter().flat_map(NewEntry::with_keys) {
                tx.put_bytes(&keys::index_entry(definition.id, key.as_bytes(), &entry.id), &[])?;
            }
            after = entries.into_iter().last().map(|entry| entry.id).or(after.take());
            Ok(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::redb::file::{DIRECTORY, FILE, builder};
    use crate::store::redb::test_store::{Scratch, creating};
    use crate::store::tests::author;
    use crate::store::{
        BuildIndexOutcome, CreateIndexOutcome, NewIndex, Store as _, StoreMaintenance as _,
    };
    use ophost_document::IndexKey;

    /// Returns a store with an index that is complete, and one that is being built.
    async fn indexed(scratch: &Scratch) -> crate::store::redb::RedbStore {
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 5)).await.unwrap();
        for path in ["n", "m"] {
            let (collection, field) = ("jobs".parse().unwrap(), path.parse().unwrap());
            let index = NewIndex { collection, field, unique: path == "m" };
            let created = store.create_index(&index).await.unwrap();
            assert_eq!(created, CreateIndexOutcome::Building);
        }
        let (collection, field) = ("jobs".parse().unwrap(), "n".parse().unwrap());
        while store.build_index(&collection, &field).await.unwrap() != BuildIndexOutcome::Ready {}
        store
    }

    fn entry(value: u64, document: &str) -> Vec<u8> {
        let key = IndexKey::of(&json!(value));
        keys::index_entry(1, key.as_bytes(), &document.parse().unwrap())
    }

    #[tokio::test]
    async fn check_reports_missing_and_stale_entries() {
        let scratch = Scratch::new();
        let store = indexed(&scratch).await;
        assert_eq!(store.check().await.unwrap(), [""; 0]);
        let file = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let change = |write: &dyn Fn(&mut crate::store::redb::tables::Tx<'_>)| {
            let database = builder().open(&file).unwrap();
            write_all(&database, &[()], |tx, ()| {
                write(tx);
                Ok(())
            })
            .unwrap();
        };
        change(&|tx| tx.remove(&entry(3, "3")).unwrap());
        let missing = "the store is corrupted at `entry of 3 in index 1`: missing document of `n`";
        assert_eq!(store.check().await.unwrap(), [missing]);
        change(&|tx| tx.put_bytes(&entry(3, "3"), &[]).unwrap());
        change(&|tx| tx.put_bytes(&entry(3, "4"), &[]).unwrap());
        assert_eq!(
            store.check().await.unwrap(),
            ["index `n` of `jobs` has entries of no document: 1"]
        );
        change(&|tx| tx.remove(&entry(3, "4")).unwrap());
        let unknown = keys::index_entry(9, &[2], &"4".parse().unwrap());
        change(&|tx| tx.put_bytes(&unknown, &[]).unwrap());
        let message = "the store is corrupted at `entry of 4 in index 9`: no index has this number";
        assert_eq!(store.check().await.unwrap(), [message]);
    }

    #[tokio::test]
    async fn backup_and_salvage_have_the_indexes() {
        let scratch = Scratch::new();
        let store = indexed(&scratch).await;
        let known = store.snapshot().await.unwrap().indexes().await.unwrap();
        let (backup, saved) = (scratch.0.path().join("backup"), scratch.0.path().join("saved"));
        store.backup(&backup).await.unwrap();
        let report = store.salvage(&saved).await.unwrap();
        assert_eq!(report.lost, [""; 0]);
        for (name, file) in [("a", backup), ("b", saved)] {
            let copy = scratch.store_of(name, &std::fs::read(file).unwrap());
            assert_eq!(copy.check().await.unwrap(), [""; 0]);
            assert_eq!(copy.snapshot().await.unwrap().indexes().await.unwrap(), known);
            let entries =
                |store: &Snapshot| Ok(store.prefix(&keys::TableId::FieldIndex.prefix())?.count());
            assert_eq!(copy.read(entries).await.unwrap(), Some(5));
        }
    }
}
