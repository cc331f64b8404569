//! Maintenance of a store that this crate keeps in a file of its own.

use std::path::Path;

use async_trait::async_trait;

use super::StoreError;

/// Result of a salvage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalvageReport {
    /// The number of runs in the copy.
    pub runs: u64,
    /// The number of documents in the copy.
    pub documents: u64,
    /// Descriptions of the data that could not be read and is missing in the copy.
    pub lost: Vec<String>,
}

/// Result of a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactReport {
    /// The size of the file before, in bytes.
    pub before: u64,
    /// The size of the file after, in bytes.
    pub after: u64,
}

/// Maintenance of a store in a file.
///
/// A store without this trait is maintained with the tools of its database.
#[async_trait]
pub(crate) trait StoreMaintenance: Send + Sync {
    /// Returns the size of the file in bytes; `None` if no store exists.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    fn size(&self) -> Result<Option<u64>, StoreError>;

    /// Commits a trial write that leaves nothing in the store.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] that writing a record would return.
    async fn probe_write(&self) -> Result<(), StoreError>;

    /// Reads and cross-checks every entry. Returns descriptions of the problems.
    ///
    /// The check reads one snapshot. Until it has finished, the file grows with every write,
    /// because the pages of the snapshot are not reused.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read at all.
    async fn check(&self) -> Result<Vec<String>, StoreError>;

    /// Copies a snapshot of the store to a new file, atomically. Other processes may write
    /// during the copy.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if an entry is corrupted, `to` exists, or the copy cannot be
    /// written. Then `to` is unchanged.
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;

    /// Gives the free space of the file back to the disk. If the process is killed, the old or the
    /// new file is complete.
    ///
    /// # Errors
    ///
    /// - Returns [`StoreError::InUse`] if another process has the store open.
    /// - Returns [`StoreError::Full`] if the disk has no room for a copy of the live data.
    /// - Returns [`StoreError`] if an entry is corrupted, or the new file cannot be written.
    ///
    /// Then the file is unchanged.
    async fn compact(&self) -> Result<CompactReport, StoreError>;

    /// Copies the intact data to a new store file, atomically, and rebuilds derived entries.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if no data can be read, an older version wrote the store, or the
    /// file cannot be written. Then no file is created.
    async fn salvage(&self, to: &Path) -> Result<SalvageReport, StoreError>;
}
