//! Creates, builds and removes secondary indexes, each in short transactions.

use std::time::{Duration, Instant};

use ophost_document::index::keys_of;
use ophost_document::{IndexField, IndexKey};

use super::codec;
use super::documents::ProjectionSeed;
use super::index::{IndexDefinition, StoredState};
use super::keys;
use super::ops::CommitCheck;
use super::tables::{Snapshot, Tx};
use crate::model::document::{CollectionName, DocumentId, ProjectedFields};
use crate::store::{
    BuildIndexOutcome, CreateIndexOutcome, DuplicateValue, IndexViolation, MAX_INDEXES, NewIndex,
    RemoveIndexOutcome, StoreError,
};

/// Maximum number of entries that one transaction removes.
const MAX_REMOVED: usize = 5_000;
/// Maximum number of documents that one transaction adds to an index.
const MAX_ADDED: usize = 5_000;

/// The address of an index.
type IndexName<'a> = (&'a CollectionName, &'a IndexField);

/// See [`Store::create_index`](crate::store::Store::create_index).
pub(super) fn create(tx: &mut Tx<'_>, new: &NewIndex) -> Result<CreateIndexOutcome, StoreError> {
    let NewIndex { collection, field, unique } = new;
    if let Some(known) = tx.index(collection, field)? {
        return Ok(match known.state {
            StoredState::Removing => CreateIndexOutcome::Removing,
            _ if known.unique != *unique => CreateIndexOutcome::Mismatch,
            StoredState::Building { .. } => CreateIndexOutcome::Building,
            StoredState::Ready => CreateIndexOutcome::Ready,
        });
    }
    if tx.indexes_of(collection)?.len() >= MAX_INDEXES {
        return Ok(CreateIndexOutcome::TooMany);
    }
    let newest = tx.indexes()?.into_iter().map(|(_, _, known)| known.id).max();
    let id = newest.unwrap_or(0) + 1;
    let state = StoredState::Building { after: None, done: 0 };
    let definition = IndexDefinition { id, unique: *unique, has_lists: false, state };
    tx.put(&keys::index_definition(collection, field), &definition)?;
    Ok(CreateIndexOutcome::Building)
}

/// A document to add to an index.
pub(super) struct NewEntry {
    pub(super) id: DocumentId,
    fields: ProjectedFields,
    keys: Vec<IndexKey>,
}

impl NewEntry {
    /// Returns the document with each of its keys.
    pub(super) fn with_keys(&self) -> impl Iterator<Item = (&Self, &IndexKey)> {
        self.keys.iter().map(move |key| (self, key))
    }
}

/// See [`Store::build_index`](crate::store::Store::build_index). Reads documents for about `time`.
pub(super) fn build(
    tx: &mut Tx<'_>,
    (collection, field): IndexName<'_>,
    time: Duration,
) -> Result<BuildIndexOutcome, StoreError> {
    let Some(mut definition) = tx.index(collection, field)? else {
        return Ok(BuildIndexOutcome::Missing);
    };
    let (after, done) = match &definition.state {
        StoredState::Building { after, done } => (after.clone(), *done),
        StoredState::Ready => return Ok(BuildIndexOutcome::Ready),
        StoredState::Removing => return Ok(BuildIndexOutcome::Missing),
    };
    let (entries, is_last) = next_entries(tx, (collection, field), after.as_ref(), time)?;
    definition.has_lists |= entries.iter().any(|entry| entry.keys.len() > 1);
    let violation = add_entries(tx, (collection, field), &definition, &entries)?;
    let done = done + entries.len() as u64;
    let (state, outcome) = match (violation, is_last) {
        (Some(why), _) => (StoredState::Removing, BuildIndexOutcome::Rejected(Box::new(why))),
        (None, true) => (StoredState::Ready, BuildIndexOutcome::Ready),
        (None, false) => {
            let after = entries.last().map(|entry| entry.id.clone()).or(after);
            let total = tx.collection_stats(collection)?.documents;
            (StoredState::Building { after, done }, BuildIndexOutcome::Building { done, total })
        }
    };
    definition.state = state;
    tx.put(&keys::index_definition(collection, field), &definition)?;
    Ok(outcome)
}

/// Reads the documents after an id. Returns whether the last one is among them.
pub(super) fn next_entries(
    tx: &Tx<'_>,
    (collection, field): IndexName<'_>,
    after: Option<&DocumentId>,
    time: Duration,
) -> Result<(Vec<NewEntry>, bool), StoreError> {
    let (until, prefix) = (Instant::now() + time, keys::documents_of(collection));
    let first = after.map_or_else(|| prefix.clone(), |id| keys::document_after(collection, id));
    let projection = field.projection();
    let mut entries = Vec::new();
    for entry in tx.range(&first, &keys::after(&prefix))? {
        let (key, value) = entry?;
        if entries.len() == MAX_ADDED || (!entries.is_empty() && Instant::now() >= until) {
            return Ok((entries, false));
        }
        let address = keys::address_of_document(&key);
        let address = address.ok_or_else(|| codec::corrupted(&key, "malformed document key"))?;
        let json = codec::verify(&key, &value)?;
        let (_, fields) = codec::read(&key, &json, ProjectionSeed(&projection))?;
        let keys = keys_of(field, &fields).into_iter().collect();
        entries.push(NewEntry { id: address.id, fields, keys });
    }
    Ok((entries, true))
}

/// Writes the entries of documents. Stops at the first document that cannot be in the index.
fn add_entries(
    tx: &mut Tx<'_>,
    (collection, field): IndexName<'_>,
    definition: &IndexDefinition,
    entries: &[NewEntry],
) -> Result<Option<IndexViolation>, StoreError> {
    for entry in entries {
        if let Some(at) = field.list_of_lists(&entry.fields) {
            let (collection, field) = (collection.clone(), field.clone());
            let document = entry.id.clone();
            return Ok(Some(IndexViolation::ListOfLists { collection, field, document, at }));
        }
        if definition.unique
            && let Some(duplicate) = duplicate(tx, (collection, field), definition.id, entry)?
        {
            return Ok(Some(duplicate.into()));
        }
        for key in &entry.keys {
            tx.put_bytes(&keys::index_entry(definition.id, key.as_bytes(), &entry.id), &[])?;
        }
    }
    Ok(None)
}

/// Returns another document in the index with the same value.
fn duplicate(
    tx: &Tx<'_>,
    (collection, field): IndexName<'_>,
    index: u32,
    entry: &NewEntry,
) -> Result<Option<DuplicateValue>, StoreError> {
    for key in entry.keys.iter().filter(|key| !key.is_null()) {
        for holder in tx.holders(index, key)? {
            let holder = holder?;
            if holder == entry.id {
                continue;
            }
            if let Some(value) = tx.common_value((collection, field), &entry.fields, &holder)? {
                let (collection, field) = (collection.clone(), field.clone());
                let document = entry.id.clone();
                return Ok(Some(DuplicateValue { collection, field, value, holder, document }));
            }
        }
    }
    Ok(None)
}

/// See [`Store::remove_index`](crate::store::Store::remove_index).
pub(super) fn remove(
    tx: &mut Tx<'_>,
    (collection, field): IndexName<'_>,
) -> Result<RemoveIndexOutcome, StoreError> {
    let Some(definition) = tx.index(collection, field)? else {
        return Ok(RemoveIndexOutcome::Missing);
    };
    let entries = tx.prefix(&keys::index_entries(definition.id, &[]))?;
    let entries = entries.take(MAX_REMOVED).map(|entry| entry.map(|(key, _)| key));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    entries.iter().try_for_each(|key| tx.remove(key))?;
    let key = keys::index_definition(collection, field);
    if entries.len() < MAX_REMOVED {
        tx.remove(&key)?;
        return Ok(RemoveIndexOutcome::Removed);
    }
    tx.put(&key, &IndexDefinition { state: StoredState::Removing, ..definition })?;
    Ok(RemoveIndexOutcome::Removing)
}

/// Implements [`CommitCheck`] for steps that a later call repeats, if their commit is unknown.
macro_rules! repeatable {
    ($($outcome:ty),*) => {$(
        impl CommitCheck for $outcome {
            fn is_committed(&self, _: &Snapshot) -> Result<bool, StoreError> {
                Ok(false)
            }
        }
    )*};
}

repeatable!(CreateIndexOutcome, BuildIndexOutcome, RemoveIndexOutcome);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::document::{Address, CommitRequest, DocumentChange, Filter};
    use crate::model::run_record::RunId;
    use crate::store::redb::RedbStore;
    use crate::store::redb::test_store::{Scratch, creating};
    use crate::store::tests::author;
    use crate::store::{
        CommitOutcome, IndexState, PageRequest, QueryPlan, ScanQuery, Store as _,
        StoreMaintenance as _,
    };
    use ophost_document::Budget;
    use std::sync::Arc;

    fn name() -> (CollectionName, IndexField) {
        ("jobs".parse().unwrap(), "n".parse().unwrap())
    }

    async fn create(store: &RedbStore, unique: bool) {
        let (collection, field) = name();
        let index = NewIndex { collection, field, unique };
        assert_eq!(store.create_index(&index).await.unwrap(), CreateIndexOutcome::Building);
    }

    /// Adds one document to the index.
    async fn build_one(store: &RedbStore) -> BuildIndexOutcome {
        let build = |tx: &mut Tx<'_>| {
            let (collection, field) = name();
            super::build(tx, (&collection, &field), Duration::ZERO)
        };
        store.writer.submit(RunId::new(), build).await.unwrap()
    }

    /// Replaces a document without reading it, or deletes it.
    async fn write(
        store: &RedbStore,
        id: &str,
        [before, after]: [Option<u64>; 2],
    ) -> CommitOutcome {
        let address = Address { collection: name().0, id: id.parse().unwrap() };
        let body = |n: Option<u64>| n.map(|n| json!({"n": n}).try_into().unwrap());
        let change = DocumentChange { before: body(before), after: body(after) };
        let changes = [(address, change)].into();
        let request = CommitRequest { changes, ..CommitRequest::default() };
        store.commit_changes(author(), request.into()).await.unwrap()
    }

    /// Returns the ids of the documents with a value, and whether an index found them.
    async fn find(store: &RedbStore, n: u64) -> (String, bool) {
        let filter = Filter::parse(&json!({"n": n})).unwrap();
        let query = Arc::new(ScanQuery::of_filter(name().0, filter));
        let snapshot = store.snapshot().await.unwrap();
        let request = PageRequest::new(None, Budget::unlimited());
        let request = PageRequest { max_time: Duration::from_secs(60), ..request };
        let ids = snapshot.scan_ids(&query, request).await.unwrap().documents;
        let ids: Vec<_> = ids.iter().map(DocumentId::as_str).collect();
        (ids.join(" "), matches!(query.plan(), Some(QueryPlan::Index { .. })))
    }

    #[tokio::test]
    async fn commits_during_a_build_are_in_the_index() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 6)).await.unwrap();
        create(&store, false).await;
        for done in 1..=3 {
            let outcome = BuildIndexOutcome::Building { done, total: 6 };
            assert_eq!(build_one(&store).await, outcome);
        }
        let state = store.snapshot().await.unwrap().indexes().await.unwrap()[0].state;
        assert_eq!(state, IndexState::Building { done: 3, total: 6 });
        // A document before the position, and one after it.
        for (id, change) in [
            ("0", [Some(0), Some(9)]),
            ("1", [Some(1), None]),
            ("4", [Some(4), Some(9)]),
            ("5", [Some(5), None]),
            ("00", [None, Some(9)]),
            ("6", [None, Some(9)]),
        ] {
            write(&store, id, change).await;
            assert_eq!(store.check().await.unwrap(), [""; 0]);
        }
        assert_eq!(find(&store, 9).await, ("0 00 4 6".to_owned(), false));
        // Another process continues the build.
        drop(store);
        let store = scratch.store("live");
        while build_one(&store).await != BuildIndexOutcome::Ready {
            assert_eq!(store.check().await.unwrap(), [""; 0]);
        }
        assert_eq!(find(&store, 9).await, ("0 00 4 6".to_owned(), true));
        assert_eq!(find(&store, 1).await, (String::new(), true));
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn duplicates_are_rejected_during_the_build_of_a_unique_index() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 4)).await.unwrap();
        create(&store, true).await;
        build_one(&store).await;
        let in_index = write(&store, "x", [None, Some(0)]).await;
        assert!(matches!(in_index, CommitOutcome::Duplicate(_)), "{in_index:?}");
        // The value is not in the index yet, so the build finds the duplicate.
        let later = write(&store, "00", [None, Some(3)]).await;
        assert!(matches!(later, CommitOutcome::Committed(..)), "{later:?}");
        let outcome = loop {
            match build_one(&store).await {
                BuildIndexOutcome::Building { .. } => {}
                outcome => break outcome,
            }
        };
        let BuildIndexOutcome::Rejected(violation) = outcome else { panic!("{outcome:?}") };
        let message = "`n` of `jobs` must be unique, but `3` and `00` both have 3";
        assert_eq!(violation.to_string(), message);
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn index_is_removed_in_several_transactions() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", MAX_REMOVED + 1)).await.unwrap();
        create(&store, false).await;
        let (collection, field) = name();
        while store.build_index(&collection, &field).await.unwrap() != BuildIndexOutcome::Ready {}
        assert_eq!(find(&store, 3).await, ("3".to_owned(), true));
        let outcome = store.remove_index(&collection, &field).await.unwrap();
        assert_eq!(outcome, RemoveIndexOutcome::Removing);
        assert_eq!(find(&store, 3).await, ("3".to_owned(), false));
        write(&store, "3", [Some(3), Some(1)]).await;
        assert_eq!(store.check().await.unwrap(), [""; 0]);
        let outcome = store.remove_index(&collection, &field).await.unwrap();
        assert_eq!(outcome, RemoveIndexOutcome::Removed);
        let entries =
            store.read(|store| Ok(store.prefix(&keys::TableId::FieldIndex.prefix())?.count()));
        assert_eq!(entries.await.unwrap(), Some(0));
        assert_eq!(find(&store, 1).await, ("1 3".to_owned(), false));
    }
}
