//! API of secondary indexes: add, list, remove.

use ophost_document::IndexField;

use crate::model::document::CollectionName;
use crate::store::{
    BuildIndexOutcome, CreateIndexOutcome, IndexInfo, IndexViolation, MAX_INDEXES, NewIndex,
    RemoveIndexOutcome, Store, StoreError, StoreHandle,
};

/// API of the secondary indexes in a data directory.
#[derive(Clone, Copy)]
pub struct Indexes<'a> {
    store: &'a StoreHandle,
}

/// Error of adding an index. No index was added, unless the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The store failed. The index can be in the state
    /// [`Building`](crate::IndexState::Building). Adding it again continues.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The documents of the collection cannot have the index.
    #[error(transparent)]
    Violation(IndexViolation),
    /// The field has an index, and only one of the two is unique.
    #[error("`{field}` of `{collection}` already has an index that is {}", uniqueness(!*unique))]
    Mismatch {
        /// The collection.
        collection: CollectionName,
        /// The field.
        field: IndexField,
        /// Whether the new index is unique.
        unique: bool,
    },
    /// The collection has the maximum number of indexes.
    #[error("`{0}` already has {MAX_INDEXES} indexes, the maximum")]
    TooMany(CollectionName),
    /// Another process removed the index while it was being built.
    #[error("the index was removed by another process while it was being built")]
    Removed,
}

fn uniqueness(unique: bool) -> &'static str {
    if unique { "unique" } else { "not unique" }
}

/// Result of adding an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddedIndex {
    /// The index was built.
    Built,
    /// The index was complete before.
    Existing,
}

impl<'a> Indexes<'a> {
    pub(crate) fn new(store: &'a StoreHandle) -> Self {
        Self { store }
    }

    fn store(&self) -> &dyn Store {
        &**self.store.store()
    }

    /// Returns the indexes of all collections, in the order of the collections and fields.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub async fn list(&self) -> Result<Vec<IndexInfo>, StoreError> {
        self.store().snapshot().await?.indexes().await
    }

    /// Adds an index and builds it in short transactions. Calls `progress` after each with the
    /// number of documents in the index and in the collection. Continues the build of an
    /// interrupted call.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the index stays in the state
    /// [`Building`](crate::IndexState::Building), and queries do not use it.
    ///
    /// # Errors
    ///
    /// Returns [`IndexError`] if the index cannot be added.
    pub async fn add(
        &self,
        index: &NewIndex,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<AddedIndex, IndexError> {
        let NewIndex { collection, field, unique } = index;
        loop {
            match self.store().create_index(index).await? {
                CreateIndexOutcome::Building => break,
                CreateIndexOutcome::Ready => return Ok(AddedIndex::Existing),
                // An interrupted call did not remove all entries.
                CreateIndexOutcome::Removing => drop(self.remove(collection, field).await?),
                CreateIndexOutcome::Mismatch => {
                    let (collection, field) = (collection.clone(), field.clone());
                    return Err(IndexError::Mismatch { collection, field, unique: *unique });
                }
                CreateIndexOutcome::TooMany => {
                    return Err(IndexError::TooMany(collection.clone()));
                }
            }
        }
        loop {
            match self.store().build_index(collection, field).await? {
                BuildIndexOutcome::Building { done, total } => progress(done, total),
                BuildIndexOutcome::Ready => return Ok(AddedIndex::Built),
                BuildIndexOutcome::Missing => return Err(IndexError::Removed),
                BuildIndexOutcome::Rejected(violation) => {
                    self.remove(collection, field).await?;
                    return Err(IndexError::Violation(*violation));
                }
            }
        }
    }

    /// Removes an index in short transactions; `false` if the field has none. Queries do not use the
    /// index after the first of them.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be written. The index can be in the state
    /// [`Removing`](crate::IndexState::Removing). Removing it again continues.
    pub async fn remove(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<bool, StoreError> {
        let mut has_begun = false;
        loop {
            match self.store().remove_index(collection, field).await? {
                RemoveIndexOutcome::Removing => has_begun = true,
                RemoveIndexOutcome::Removed => return Ok(true),
                RemoveIndexOutcome::Missing => return Ok(has_begun),
            }
        }
    }
}
