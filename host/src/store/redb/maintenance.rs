//! Maintenance of the store file.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{RedbStore, backup, check, compact, ops, salvage};
use crate::model::run_record::RunId;
use crate::store::{CompactReport, SalvageReport, StoreError, StoreMaintenance, off_thread};

#[async_trait]
impl StoreMaintenance for RedbStore {
    fn size(&self) -> Result<Option<u64>, StoreError> {
        let file = self.file.raw_file()?;
        Ok(file.map(|file| file.metadata()).transpose()?.map(|status| status.len()))
    }

    async fn probe_write(&self) -> Result<(), StoreError> {
        self.writer.submit(RunId::new(), ops::probe_write).await.map(drop)
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        check::check(self).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        backup::backup(self, to).await
    }

    async fn compact(&self) -> Result<CompactReport, StoreError> {
        let file = Arc::clone(&self.file);
        off_thread(move || compact::compact(&file)).await
    }

    async fn salvage(&self, to: &Path) -> Result<SalvageReport, StoreError> {
        salvage::salvage(&self.file, to).await
    }
}
