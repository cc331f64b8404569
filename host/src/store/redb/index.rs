//! Definitions of secondary indexes, and their entries in the commits of documents.
//!
//! Each definition has a number, which begins the keys of its entries. A commit updates the entries
//! of the changed documents, also while the index is being built. An index that is being removed
//! is not updated.

use std::collections::{BTreeMap, BTreeSet};

use ophost_document::index::keys_of;
use ophost_document::{IndexField, IndexKey, order};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tables::{Entry, Source, Tx, View};
use super::{codec, keys};
use crate::model::document::{
    Address, Body, ChangeSet, CollectionName, DocumentChange, DocumentId, Fields,
};
use crate::store::{DuplicateValue, IndexInfo, IndexState, StoreError};

/// The stored definition of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct IndexDefinition {
    /// The number of the index, unique in the store.
    pub(super) id: u32,
    /// Whether two documents cannot have the same value.
    pub(super) unique: bool,
    /// Whether a document may have had more than one key. Never reset.
    pub(super) has_lists: bool,
    pub(super) state: StoredState,
}

/// The stored state of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredState {
    /// The documents up to and including `after` are in the index, `done` in total.
    Building {
        after: Option<DocumentId>,
        done: u64,
    },
    Ready,
    Removing,
}

/// A definition with its field.
pub(super) type Definition = (IndexField, IndexDefinition);

impl<S: Source> View<S> {
    /// Returns the definition of an index; `None` if the field has none.
    pub(super) fn index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<Option<IndexDefinition>, StoreError> {
        self.value(&keys::index_definition(collection, field))
    }

    /// Returns the definitions of the indexes of a collection.
    pub(super) fn indexes_of(
        &self,
        collection: &CollectionName,
    ) -> Result<Vec<Definition>, StoreError> {
        let entries = self.prefix(&keys::index_definitions_of(collection))?;
        entries.map(|entry| definition(&entry?).map(|(_, field, it)| (field, it))).collect()
    }

    /// Returns all definitions, by their collection and field.
    pub(super) fn indexes(
        &self,
    ) -> Result<Vec<(CollectionName, IndexField, IndexDefinition)>, StoreError> {
        let entries = self.prefix(&keys::TableId::IndexDefinition.prefix())?;
        entries.map(|entry| definition(&entry?)).collect()
    }

    /// Returns the public description of each index.
    pub(super) fn index_infos(&self) -> Result<Vec<IndexInfo>, StoreError> {
        let info = |(collection, field, definition): (CollectionName, _, IndexDefinition)| {
            let state = match definition.state {
                StoredState::Building { done, .. } => {
                    let total = self.collection_stats(&collection)?.documents;
                    IndexState::Building { done, total }
                }
                StoredState::Ready => IndexState::Ready,
                StoredState::Removing => IndexState::Removing,
            };
            Ok(IndexInfo { collection, field, unique: definition.unique, state })
        };
        self.indexes()?.into_iter().map(info).collect()
    }

    /// Returns the documents that have a key in an index.
    pub(super) fn holders(
        &self,
        index: u32,
        key: &IndexKey,
    ) -> Result<impl Iterator<Item = Result<DocumentId, StoreError>>, StoreError> {
        let entries = self.prefix(&keys::index_entries(index, key.as_bytes()))?;
        Ok(entries.map(|entry| document_of_entry(&entry?.0)))
    }

    /// Returns the first unique index that rejects a commit, with the two documents.
    pub(super) fn duplicate_value(
        &self,
        changed: &[ChangedIndex<'_>],
    ) -> Result<Option<DuplicateValue>, StoreError> {
        for index in changed.iter().filter(|index| index.definition.unique) {
            let found = match index.duplicate_among_changes() {
                None => self.duplicate_of_stored(index)?,
                found => found,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns a changed document and an unchanged one that have the same value.
    fn duplicate_of_stored(
        &self,
        index: &ChangedIndex<'_>,
    ) -> Result<Option<DuplicateValue>, StoreError> {
        for document in &index.documents {
            let Some(body) = document.after else { continue };
            for key in document.added.iter().filter(|key| !key.is_null()) {
                for holder in self.holders(index.definition.id, key)? {
                    let holder = holder?;
                    if !index.changes_document(&holder)
                        && let Some(value) = self.common_value(index.name(), body, &holder)?
                    {
                        return Ok(Some(index.duplicate(value, &holder, document.id)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Returns a value of a document that a stored document has too.
    pub(super) fn common_value(
        &self,
        (collection, field): (&CollectionName, &IndexField),
        document: &dyn Fields,
        holder: &DocumentId,
    ) -> Result<Option<Value>, StoreError> {
        let address = Address { collection: collection.clone(), id: holder.clone() };
        let stored = self.document(&address)?;
        Ok(stored.and_then(|stored| field.common_value(document, &stored.body)))
    }
}

impl Tx<'_> {
    /// Returns the entries that a commit changes, of each index of the changed documents.
    pub(super) fn changed_indexes<'c>(
        &self,
        changes: &'c ChangeSet,
    ) -> Result<Vec<ChangedIndex<'c>>, StoreError> {
        let mut by_collection = BTreeMap::<_, Vec<_>>::new();
        for (address, change) in changes {
            by_collection.entry(&address.collection).or_default().push((&address.id, change));
        }
        let mut changed = Vec::new();
        for (collection, changes) in by_collection {
            let definitions = self.indexes_of(collection)?.into_iter();
            let maintained = definitions.filter(|(_, it)| it.state != StoredState::Removing);
            changed.extend(
                maintained.map(|definition| ChangedIndex::new(collection, definition, &changes)),
            );
        }
        Ok(changed)
    }

    /// Writes the entries of a commit.
    pub(super) fn update_indexes(
        &mut self,
        changed: &[ChangedIndex<'_>],
    ) -> Result<(), StoreError> {
        for index in changed {
            let id = index.definition.id;
            for document in &index.documents {
                for key in &document.removed {
                    self.remove(&keys::index_entry(id, key.as_bytes(), document.id))?;
                }
                for key in &document.added {
                    self.put_bytes(&keys::index_entry(id, key.as_bytes(), document.id), &[])?;
                }
            }
            if index.adds_lists() {
                let definition = IndexDefinition { has_lists: true, ..index.definition.clone() };
                let key = keys::index_definition(index.collection, &index.field);
                self.put(&key, &definition)?;
            }
        }
        Ok(())
    }
}

/// The changes of a commit in one index.
pub(super) struct ChangedIndex<'c> {
    collection: &'c CollectionName,
    field: IndexField,
    definition: IndexDefinition,
    /// The changed documents, in the order of their ids.
    documents: Vec<ChangedKeys<'c>>,
}

/// A value of a changed document.
type Valued<'v> = (&'v Value, &'v DocumentId);

/// The change of a document in an index.
struct ChangedKeys<'c> {
    id: &'c DocumentId,
    /// The document after the commit; `None` if it is deleted.
    after: Option<&'c Body>,
    /// Whether the document has more than one key after the commit.
    has_lists: bool,
    removed: Vec<IndexKey>,
    added: Vec<IndexKey>,
}

impl<'c> ChangedKeys<'c> {
    fn new(id: &'c DocumentId, change: &'c DocumentChange, field: &IndexField) -> Self {
        let keys = |body: &Option<Body>| {
            body.as_ref().map(|body| keys_of(field, body)).unwrap_or_default()
        };
        let (before, after) = (keys(&change.before), keys(&change.after));
        let without =
            |keys: &BTreeSet<IndexKey>, others| keys.difference(others).cloned().collect();
        Self {
            id,
            after: change.after.as_ref(),
            has_lists: after.len() > 1,
            removed: without(&before, &after),
            added: without(&after, &before),
        }
    }
}

impl<'c> ChangedIndex<'c> {
    fn new(
        collection: &'c CollectionName,
        (field, definition): Definition,
        changes: &[(&'c DocumentId, &'c DocumentChange)],
    ) -> Self {
        let keys = |(id, change): &(&'c _, &'c _)| ChangedKeys::new(id, change, &field);
        let documents = changes.iter().map(keys).collect();
        Self { collection, field, definition, documents }
    }

    fn name(&self) -> (&CollectionName, &IndexField) {
        (self.collection, &self.field)
    }

    fn adds_lists(&self) -> bool {
        !self.definition.has_lists && self.documents.iter().any(|document| document.has_lists)
    }

    fn changes_document(&self, id: &DocumentId) -> bool {
        self.documents.binary_search_by_key(&id, |document| document.id).is_ok()
    }

    /// Returns two changed documents that have the same value.
    fn duplicate_among_changes(&self) -> Option<DuplicateValue> {
        let values = self.documents.iter().flat_map(|document| {
            let body = document.after.map(|body| self.field.values(body)).unwrap_or_default();
            body.into_iter().map(|value| (value, document.id))
        });
        let mut values: Vec<_> = values.collect();
        values.sort_by(|(a, _), (b, _)| order::compare(a, b));
        let is_duplicate = |((a, holder), (b, document)): &(Valued<'_>, Valued<'_>)| {
            holder != document && order::compare(a, b).is_eq()
        };
        let mut pairs = values.iter().copied().zip(values.iter().copied().skip(1));
        let ((value, holder), (_, document)) = pairs.find(is_duplicate)?;
        Some(self.duplicate(value.clone(), holder, document))
    }

    fn duplicate(
        &self,
        value: Value,
        holder: &DocumentId,
        document: &DocumentId,
    ) -> DuplicateValue {
        DuplicateValue {
            collection: self.collection.clone(),
            field: self.field.clone(),
            value,
            holder: holder.clone(),
            document: document.clone(),
        }
    }
}

/// Returns the document of an index entry.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if the key is malformed.
pub(super) fn document_of_entry(key: &[u8]) -> Result<DocumentId, StoreError> {
    let entry = keys::parse_index_entry(key);
    entry.map(|entry| entry.document).ok_or_else(|| codec::corrupted(key, "malformed key"))
}

/// Decodes the definition of an index.
///
/// # Errors
///
/// Returns [`StoreError`] if the entry is corrupted.
pub(super) fn definition(
    (key, value): &Entry,
) -> Result<(CollectionName, IndexField, IndexDefinition), StoreError> {
    let name = keys::index_of_definition(key);
    let (collection, field) = name.ok_or_else(|| codec::corrupted(key, "malformed key"))?;
    Ok((collection, field, codec::decode(key, value)?))
}

/// Returns the keys that a document must have in an index, as bytes.
pub(super) fn entries_of(
    field: &IndexField,
    fields: &dyn Fields,
    id: &DocumentId,
    index: u32,
) -> Vec<Vec<u8>> {
    let keys = keys_of(field, fields);
    keys.iter().map(|key| keys::index_entry(index, key.as_bytes(), id)).collect()
}
