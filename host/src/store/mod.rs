//! Storage of run records and documents.
//!
//! Every method of [`Store`] is atomic and durable: when it returns `Ok`, the change has been
//! synced to disk. Writes are optimistic: the caller passes the revision it expects, and a
//! mismatch is reported in the return value.

mod blocking;
mod cancel_channel;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod document_conformance;
mod documents;
mod error;
mod handle;
mod idempotency;
mod index;
#[cfg(test)]
mod index_conformance;
mod liveness;
mod log_overflow;
mod maintenance;
pub(crate) mod maintenance_lock;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod memory_retention;
mod orphans;
mod query;
mod redb;
mod retention;
#[cfg(test)]
mod retention_conformance;
mod retry_lock;
mod stats;
mod write;

pub(crate) use self::blocking::off_thread;
pub(crate) use self::cancel_channel::CancelRegistration;
pub(crate) use self::documents::{
    DocumentSnapshot, IndexWalk, PAGE_TIME, PageRequest, ScanError, ScanPage, ScanPosition,
    ScanQuery, ScannedDocument, StoredDocument, WalkPage,
};
pub use self::documents::{FullScanReason, QueryPlan};
pub use self::error::{StoreError, io_hint};
pub(crate) use self::handle::{ShutdownMode, StoreHandle};
pub(crate) use self::idempotency::IDEMPOTENCY_TTL;
pub(crate) use self::index::{
    BuildIndexOutcome, CreateIndexOutcome, MAX_INDEXES, RemoveIndexOutcome,
};
pub use self::index::{DuplicateValue, IndexInfo, IndexState, IndexViolation, NewIndex};
pub use self::log_overflow::LogFile;
pub(crate) use self::log_overflow::{OverflowSummary, OverflowWriter};
pub(crate) use self::maintenance::StoreMaintenance;
pub use self::maintenance::{CompactReport, SalvageReport};
pub(crate) use self::maintenance_lock::MaintenanceGuard;
pub(crate) use self::orphans::RunGuard;
pub use self::query::{
    Bucket, OperationStats, Percentiles, RunCursor, RunFilter, RunPage, Stats, StatsReport,
};
pub use self::redb::file::FILE;
pub(crate) use self::retention::{
    ExpiredHistory, ExpiredPage, ExpiredRun, ExpiryScan, RemovedRun, Retention, RunRemoval,
    time_before,
};
pub use self::retention::{LastPrune, RunHold};
pub(crate) use self::retry_lock::{RetryLock, RetryLockGuard};
pub use self::write::EraseOutcome;
pub(crate) use self::write::{
    AppendLogOutcome, CancelOutcome, Claim, CommitMetadata, CommitOutcome, FinishOutcome,
    IdempotencyClaim, InsertOutcome, NewRun, PendingInsert, RunCompletion,
};

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use ophost_document::IndexField;

use crate::model::document::{Address, ChangeSet, CollectionName, CommitRequest};
use crate::model::history::{HistoryPage, PastDocument, PointInTime};
use crate::model::outcome::LogEntry;
use crate::model::run_record::{OwnerId, RunId, RunRecord};

/// Maximum time for which a store may delay the insertion of a RUNNING record.
///
/// A run that finishes within this time needs one commit instead of two.
pub(crate) const MAX_INSERT_DELAY: Duration = Duration::from_millis(2);

/// Size of the contents after which a page of [`Store::history`] ends, in bytes.
const MAX_HISTORY_BYTES: usize = 8 << 20;

/// A store of run records and documents.
///
/// # Errors
///
/// Every method may return [`StoreError`]. Then nothing was written, except after
/// [`StoreError::OutcomeUnknown`].
#[async_trait]
pub(crate) trait Store: Retention {
    /// Opens an existing store in the background, ahead of a write. Errors are reported by the
    /// write.
    fn prepare(&self);

    /// Checks whether this user may write to the store, without writing.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] that a write would return on opening the store.
    async fn check_writable(&self) -> Result<(), StoreError>;

    /// Inserts a run, unless another run holds its idempotency key.
    ///
    /// The store sets `sequence`, `revision` and `idempotency_key`. If an earlier run of the
    /// same request failed or was cancelled, the store also sets `retry_of`.
    async fn insert(&self, new: NewRun) -> Result<InsertOutcome, StoreError>;

    /// Hands over the RUNNING record of a run without an idempotency key, and returns at once.
    ///
    /// The claim of the run is [`Claim::of_new`]. The store delays the insertion by at most
    /// [`MAX_INSERT_DELAY`]. If [`Self::finish`] is called before, with the record in
    /// [`RunCompletion::running`], one commit inserts and finishes the run.
    fn begin(&self, run: Arc<RunRecord>) -> PendingInsert;

    /// Appends entries to the log of a running run.
    async fn append_log(
        &self,
        claim: &Claim,
        entries: Vec<LogEntry>,
    ) -> Result<AppendLogOutcome, StoreError>;

    /// Writes the final state of a run and commits its document changes, atomically.
    ///
    /// Writes neither if the claim is no longer valid, if the read set has changed, or if a unique
    /// index rejects the changes. After a conflict or a rejection the run is stored as RUNNING.
    async fn finish(
        &self,
        claim: Claim,
        ending: RunCompletion,
    ) -> Result<FinishOutcome, StoreError>;

    /// Commits the document changes of a run without a record.
    async fn commit_changes(
        &self,
        author: CommitMetadata,
        effects: Arc<CommitRequest>,
    ) -> Result<CommitOutcome, StoreError>;

    /// Creates the definition of an index, or finds that of the same field. The index is built by
    /// [`Self::build_index`].
    async fn create_index(&self, index: &NewIndex) -> Result<CreateIndexOutcome, StoreError>;

    /// Adds the next documents to an index that is being built, in the order of their ids. Commits
    /// update the index too, so the calls of several processes build one index.
    ///
    /// A call reads documents for about 5 ms.
    async fn build_index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<BuildIndexOutcome, StoreError>;

    /// Removes some entries of an index, and at last its definition. The first call makes the index
    /// unusable.
    async fn remove_index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<RemoveIndexOutcome, StoreError>;

    /// Returns a snapshot of the documents.
    async fn snapshot(&self) -> Result<Arc<dyn DocumentSnapshot>, StoreError>;

    /// Returns the full record of a run; `None` if no run has this id.
    async fn get(&self, id: RunId) -> Result<Option<RunRecord>, StoreError>;

    /// Returns the document changes of a run; empty if the run committed none.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::HistoryRemoved`] if retention removed the changes.
    async fn changes(&self, id: RunId) -> Result<ChangeSet, StoreError>;

    /// Returns a page of the changes of a document, newest first.
    ///
    /// The page begins before the revision `before`, or at the newest change. It ends after `limit`
    /// changes, or after the change with which the contents reach [`MAX_HISTORY_BYTES`].
    async fn history(
        &self,
        address: &Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError>;

    /// Returns a document at a point in its history.
    async fn document_at(
        &self,
        address: &Address,
        moment: PointInTime,
    ) -> Result<PastDocument, StoreError>;

    /// Returns at most `limit` run ids that begin with `prefix`, in ascending order.
    async fn ids_by_prefix(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, StoreError>;

    /// Returns the run that was inserted last, with any status.
    async fn latest(&self) -> Result<Option<RunRecord>, StoreError>;

    /// Returns at most `limit` runs after the cursor that match the filter, newest first.
    async fn list(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: usize,
    ) -> Result<RunPage, StoreError>;

    /// Returns the runs that are recorded as running, and their owners.
    async fn running(&self) -> Result<Vec<(RunId, OwnerId)>, StoreError>;

    /// Marks runs as failed with kind `crashed` and returns their ids.
    ///
    /// Skips runs that are not running under the given owner. The caller must know that the
    /// owner process has terminated.
    async fn crash(
        &self,
        runs: &[(RunId, OwnerId)],
        reason: &str,
    ) -> Result<Vec<RunId>, StoreError>;

    /// Requests the cancellation of a run that has not finished.
    ///
    /// Sets [`RunRecord::cancel_requested_at`] and `updated_at`. A later request keeps the time of
    /// the first. The `revision` does not change, because it is the claim of the owner, who must
    /// still be able to finish the run.
    ///
    /// The owner polls [`Self::cancel_requested_at`].
    async fn request_cancel(&self, id: RunId) -> Result<CancelOutcome, StoreError>;

    /// Returns [`RunRecord::cancel_requested_at`]; `None` if no run has this id. Reads neither the
    /// log nor large values.
    async fn cancel_requested_at(&self, id: RunId) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// Deletes the input, the output, the log, the item errors and the failure text of a finished
    /// run.
    ///
    /// The rest of the record remains, with the failure kind. A large value that another run shares remains for that
    /// run. The deleted bytes may stay in free pages of the file until those are reused. The
    /// caller must remove the file that [`RunRecord::logs_ref`] names.
    async fn erase(&self, id: RunId) -> Result<EraseOutcome, StoreError>;

    /// Computes statistics of the runs that match the filter. May store summaries of finished runs
    /// for later calls.
    async fn stats(&self, filter: &RunFilter) -> Result<StatsReport, StoreError>;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    pub(crate) use super::conformance::ending;
    use super::{CommitMetadata, RunId, Store, memory};
    use crate::model::run_record::tests::running;

    /// Returns a store in memory.
    pub(crate) fn memory() -> Arc<dyn Store> {
        Arc::new(memory::MemoryStore::default())
    }

    /// Returns the metadata of a commit by a run without a record.
    pub(crate) fn author() -> CommitMetadata {
        let run = running("a");
        let (operation, component_digest) = (run.operation_name, run.component_digest);
        let (run_id, recorded, at) = (RunId::new(), false, Utc::now());
        CommitMetadata { run_id, recorded, operation, component_digest, actor: run.actor, at }
    }
}
