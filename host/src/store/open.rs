//! A store that this process runs something under.

use std::sync::Arc;

use super::owners::{Owner, Owners};
use super::redb::RedbStore;
use super::{Store, StoreError};
use crate::private_dir::DataDir;
use crate::task_run::OwnerId;

/// A data directory's store, and this process's name in it.
pub(crate) struct OpenStore {
    store: Arc<RedbStore>,
    owners: Owners,
    owner: tokio::sync::OnceCell<Owner>,
}

impl OpenStore {
    /// Returns the store of a data directory. Nothing is opened or made before it is used.
    pub(crate) fn new(data: &DataDir) -> Self {
        let store = Arc::new(RedbStore::new(data.clone()));
        Self { store, owners: Owners::new(data.clone()), owner: tokio::sync::OnceCell::new() }
    }

    /// Returns the store, after the runs of processes that died were marked as failed.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be done.
    pub(crate) async fn settled(&self) -> Result<&Arc<RedbStore>, StoreError> {
        self.owners.reap(self.store.as_ref()).await?;
        Ok(&self.store)
    }

    /// Returns this process's name: from now on it counts as alive.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if its file cannot be made or locked; the next call tries again.
    pub(crate) async fn owner(&self) -> Result<&OwnerId, StoreError> {
        let enter = async || self.owners.enter();
        Ok(self.owner.get_or_try_init(enter).await?.id())
    }

    /// Returns the store as it is.
    pub(crate) fn raw(&self) -> &RedbStore {
        &self.store
    }

    /// Returns the store as those know it who write to it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
}
