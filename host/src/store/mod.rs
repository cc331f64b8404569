//! Keeps the records of runs.
//!
//! [`Store`] is what everything above knows. One call is one step: it happens as a whole and
//! is on the disk when it is answered, or it did not happen. Whoever writes says what they
//! believe to be there, and is told if something else is.

mod cancel_channel;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod document_conformance;
mod handle;
mod liveness;
mod log_overflow;
#[cfg(test)]
mod memory;
mod orphans;
mod redb;
mod retry_lock;

pub(crate) use self::cancel_channel::CancelRegistration;
pub(crate) use self::handle::StoreHandle;
pub use self::log_overflow::LogFile;
pub(crate) use self::log_overflow::{OverflowSummary, OverflowWriter};
pub(crate) use self::orphans::RunGuard;
pub(crate) use self::redb::documents::StoredDocument;
pub use self::redb::file::FILE;
pub(crate) use self::redb::file::{ShutdownMode, off_thread};
pub use self::redb::salvage::SalvageReport;
pub(crate) use self::retry_lock::{RetryLock, RetryLockGuard};

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::digest::Digest;
use crate::model::document::{
    Address, ChangeCount, CollectionName, CommitRequest, Document, DocumentId, Fields, ReadSet,
    Scan,
};
use crate::model::operation::OperationName;
use crate::model::outcome::{Actor, FailureKind, ItemError, LogEntry, Outcome, Usage};
use crate::model::run_record::{
    CapabilityUse, Masked, OwnerId, ResultRef, RunId, RunRecord, RunSummary, Status,
};
use crate::util::os_error;
use crate::util::private_dir::{NoLink, PrivateDirError};
use crate::util::trust::Untrusted;

/// Where the records of runs are.
///
/// Every call may fail with [`StoreError`]; then nothing of it was done, but for
/// [`StoreError::OutcomeUnknown`].
#[async_trait]
pub(crate) trait Store: Send + Sync {
    /// Keeps a new run, unless its idempotency key is taken. The store sets `sequence`,
    /// `revision`, `idempotency_key` and, where the run takes the place of one that failed
    /// under the same key, `retry_of`.
    async fn insert(&self, new: NewRun) -> Result<InsertOutcome, StoreError>;

    /// Adds entries to the log of a run that is still running.
    async fn log(
        &self,
        claim: &Claim,
        entries: Vec<LogEntry>,
    ) -> Result<AppendLogOutcome, StoreError>;

    /// Ends a run that is still running under this claim, and keeps what it changed of
    /// documents, both or neither. Where what it read of them is no longer so, neither.
    async fn finish(
        &self,
        claim: Claim,
        ending: RunCompletion,
    ) -> Result<FinishOutcome, StoreError>;

    /// Keeps what a run changed of documents that has no record.
    async fn commit_changes(
        &self,
        author: CommitMetadata,
        effects: Arc<CommitRequest>,
    ) -> Result<CommitOutcome, StoreError>;

    /// Returns the documents as they are now.
    fn documents(&self) -> Result<Box<dyn DocumentSnapshot>, StoreError>;

    /// Returns a run with all that is kept of it; `None` if there is none of that id.
    async fn get(&self, id: RunId) -> Result<Option<RunRecord>, StoreError>;

    /// Returns the ids that begin with this text, in their own order, at most `limit`.
    async fn ids_by_prefix(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, StoreError>;

    /// Returns the run that was inserted last, whatever became of it.
    async fn latest(&self) -> Result<Option<RunRecord>, StoreError>;

    /// Returns a page of the runs that fit the filter, the newest first: those after the
    /// cursor, at most `limit`.
    async fn list(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: usize,
    ) -> Result<RunPage, StoreError>;

    /// Returns the runs that are running, as far as the store knows, and who runs them.
    async fn running(&self) -> Result<Vec<(RunId, OwnerId)>, StoreError>;

    /// Marks runs as failed, `crashed`, for the given reason: those that are still running
    /// under the given owner. Returns their ids. Whoever calls it knows that the owner is dead.
    async fn crash(
        &self,
        runs: &[(RunId, OwnerId)],
        reason: &str,
    ) -> Result<Vec<RunId>, StoreError>;

    /// Removes what a run was given, what it returned and all that was said in it; that it
    /// happened, and how it ended, stays. A large value that another run has too stays there.
    /// The bytes may stay in free parts of the file until those are used again, and the file
    /// that [`RunRecord::logs_ref`] names is the caller's to remove.
    async fn erase(&self, id: RunId) -> Result<EraseOutcome, StoreError>;

    /// Counts the runs that fit the filter. Reads each of them.
    async fn stats(&self, filter: &RunFilter) -> Result<StatsReport, StoreError>;
}

/// Documents as they were at one moment.
///
/// As long as it lives no page of the store's file that is replaced meanwhile is used again: it
/// should be short.
pub(crate) trait DocumentSnapshot: Send {
    /// Returns the number of the newest commit that it knows; 0 before the first.
    fn revision(&self) -> u64;

    /// Returns a document, if it is there.
    fn get(&self, address: &Address) -> Result<Option<StoredDocument>, StoreError>;

    /// Shows documents of a collection in the order of their ids, until `see` says that it is
    /// enough.
    fn scan(
        &self,
        collection: &CollectionName,
        scan: &Scan,
        see: &mut ScanVisitor<'_>,
    ) -> Result<(), StoreError>;

    /// Returns whether something that was read when `base` was the newest commit is no longer
    /// so.
    fn has_conflict(&self, reads: &ReadSet, base: u64) -> Result<bool, StoreError>;

    /// Returns the collections that hold documents, in order, and how many each.
    fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError>;
}

/// Looks at a document, and says whether that is enough.
pub(crate) type ScanVisitor<'s> =
    dyn FnMut(&ScannedDocument<'_>) -> Result<ControlFlow<()>, StoreError> + 's;

/// A document that is looked at.
pub(crate) struct ScannedDocument<'a> {
    pub(crate) id: &'a DocumentId,
    pub(crate) revision: u64,
    /// Those of its fields that were wanted; there may be others.
    pub(crate) fields: &'a dyn Fields,
    /// Reads all of it.
    pub(crate) text: &'a dyn Fn() -> Result<String, StoreError>,
}

impl ScannedDocument<'_> {
    /// Returns all of the document.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be read.
    pub(crate) fn document(&self) -> Result<Document, StoreError> {
        Ok(Document { id: self.id.clone(), revision: self.revision, body: (self.text)()? })
    }
}

/// Who changed documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CommitMetadata {
    /// The run.
    pub(crate) run_id: RunId,
    /// Whether there is a record of it.
    pub(crate) recorded: bool,
    /// What ran.
    pub(crate) operation: OperationName,
    /// SHA-256 of the component's bytes; `None` for the host's own operations.
    pub(crate) component_digest: Option<Digest>,
    /// On whose behalf, through which door.
    pub(crate) actor: Actor,
    /// When.
    pub(crate) at: DateTime<Utc>,
}

/// What became of changes.
#[derive(Debug, PartialEq)]
pub(crate) enum CommitOutcome {
    /// They are kept, as this run's.
    Committed(RunId, ChangeCount),
    /// What was read is no longer so; nothing is kept.
    Conflict,
}

/// A run to be kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewRun {
    /// The record as it is to be.
    pub(crate) run: RunRecord,
    /// What makes it run once.
    pub(crate) key: Option<IdempotencyClaim>,
}

/// A claim on an idempotency key of the run's operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyClaim {
    /// The caller's name for the request.
    pub(crate) key: String,
    /// What the request is: another one under the same key is a conflict.
    pub(crate) fingerprint: Digest,
    /// How long a success keeps the key after its end.
    pub(crate) window: Duration,
}

/// What became of an insertion.
#[derive(Debug, PartialEq)]
pub(crate) enum InsertOutcome {
    /// The run is kept, and it is the caller's.
    Created(Claim),
    /// The key belongs to this run of the same request, which is under way or succeeded.
    Existing(Box<RunRecord>),
    /// The key belongs to this run of another request.
    Conflict(Box<RunRecord>),
}

/// The right to write to a run: whoever has the newest may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The run.
    pub(crate) id: RunId,
    /// The revision that the run has as long as this holds.
    pub(crate) revision: u64,
}

/// What became of entries for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendLogOutcome {
    /// They are kept.
    Done,
    /// The run is no longer the caller's; they are not kept.
    Lost,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunCompletion {
    /// Its outcome.
    pub(crate) outcome: Outcome,
    /// When.
    pub(crate) finished_at: DateTime<Utc>,
    /// Whole milliseconds since its beginning, on a monotonic clock.
    pub(crate) duration_ms: u64,
    /// Added to what is there, over what has the same name.
    pub(crate) metadata: Map<String, Value>,
    /// The end of the log: what was not sent by [`Store::log`] already.
    pub(crate) log_entries: Vec<LogEntry>,
    /// See [`RunRecord::log_dropped`].
    pub(crate) log_dropped: u64,
    /// See [`RunRecord::logs_ref`].
    pub(crate) logs_ref: Option<String>,
    /// See [`RunRecord::error_list`].
    pub(crate) error_list: Vec<ItemError>,
    /// Added to [`RunRecord::masked`].
    pub(crate) masked: Vec<Masked>,
    /// See [`RunRecord::result_refs`].
    pub(crate) result_refs: Vec<ResultRef>,
    /// See [`RunRecord::changes`]; the store adds the revision.
    pub(crate) changes: Option<ChangeCount>,
    /// What it did with documents.
    pub(crate) effects: Arc<CommitRequest>,
    /// See [`RunRecord::capabilities`].
    pub(crate) capability_use: CapabilityUse,
    /// See [`RunRecord::usage`].
    pub(crate) usage: Option<Usage>,
}

/// What became of an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinishOutcome {
    /// The run ended so.
    Done,
    /// The run is no longer the caller's: it ended otherwise, or another runs it.
    Lost,
    /// What it read of documents is no longer so. It is still running under the same claim.
    Conflict,
}

/// What became of an erasure.
#[derive(Debug, PartialEq)]
pub enum EraseOutcome {
    /// This is what is left.
    Done(Box<RunRecord>),
    /// The run has not ended; nothing was erased.
    Unfinished(Box<RunRecord>),
    /// There is no such run.
    NotFound,
}

/// Which runs are meant: those of which all that is said is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// It ran this.
    pub operation: Option<OperationName>,
    /// It is so far.
    pub status: Option<Status>,
    /// It failed so.
    pub failure_kind: Option<FailureKind>,
    /// It ran on behalf of this user.
    pub user_id: Option<String>,
    /// It has this tag.
    pub tag: Option<String>,
    /// Its time ([`RunRecord::started_or_created_at`]) is not before this.
    pub since: Option<DateTime<Utc>>,
    /// Its time is before this.
    pub until: Option<DateTime<Utc>>,
    /// Its failure's message holds this, in any case.
    pub error_contains: Option<String>,
    /// Whether another system started it.
    pub orchestrated: Option<bool>,
    /// It belongs to this flow run.
    pub prefect_flow_run_id: Option<String>,
    /// This run started it.
    pub parent_run_id: Option<RunId>,
}

impl RunFilter {
    /// Returns whether a run fits.
    pub fn matches(&self, run: &RunRecord) -> bool {
        let failure = run.state.failure();
        fits(self.operation.as_ref(), Some(&run.operation_name))
            && fits(self.status.as_ref(), Some(&run.state.status()))
            && fits(self.failure_kind.as_ref(), failure.map(|failure| &failure.kind))
            && fits(self.user_id.as_ref(), run.actor.user_id.as_ref())
            && self.tag.as_ref().is_none_or(|tag| run.tags.contains(tag))
            && self.since.is_none_or(|since| since <= run.started_or_created_at())
            && self.until.is_none_or(|until| run.started_or_created_at() < until)
            && self.error_contains.as_ref().is_none_or(|text| {
                failure.is_some_and(|failure| {
                    failure.message.to_lowercase().contains(&text.to_lowercase())
                })
            })
            && fits(self.orchestrated.as_ref(), Some(&run.orchestrated))
            && fits(self.prefect_flow_run_id.as_ref(), run.prefect_flow_run_id.as_ref())
            && fits(self.parent_run_id.as_ref(), run.parent_run_id.as_ref())
    }
}

fn fits<T: PartialEq>(asked: Option<&T>, is: Option<&T>) -> bool {
    asked.is_none() || asked == is
}

/// A place in the list of runs: after the last one of a page. It stays valid whatever is
/// written meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunCursor(pub u64);

impl fmt::Display for RunCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunCursor {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct RunPage {
    /// The runs, the newest first.
    pub runs: Vec<RunSummary>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<RunCursor>,
    /// What is damaged among those that were looked at, and so is missing here.
    pub damaged: Vec<StoreError>,
}

/// Statistics of the runs that can be read.
#[derive(Clone, Debug, Default)]
pub struct StatsReport {
    /// What the runs of each operation have in common.
    pub operations: Stats,
    /// What is damaged among the runs that fit, and so is not counted.
    pub damaged: Vec<StoreError>,
}

/// What the runs of each operation have in common.
pub type Stats = BTreeMap<OperationName, OperationStats>;

/// What the runs of one operation have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OperationStats {
    /// How many there are of each status.
    pub count: BTreeMap<Status, u64>,
    /// How long those took that ended; `None` if none did.
    pub durations: Option<Percentiles>,
    /// How many of those took how long, in buckets from the shortest to the longest, those at
    /// both ends not empty.
    pub histogram: Vec<Bucket>,
}

/// The runs that took less than a time, and no less than that of the bucket before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// That time in milliseconds: 1, 3, 10, 30 and so on; `None` for more than the last.
    pub below_ms: Option<u64>,
    /// How many they are.
    pub count: u64,
}

/// How long runs took: the time within which this many of a hundred ended, in milliseconds and
/// fractions of one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of them.
    pub p50: f64,
    /// Ninety-five.
    pub p95: f64,
    /// Ninety-nine.
    pub p99: f64,
}

/// A store that could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer version wrote it. It can be read as far as this one understands it.
    #[error(
        "the store has format {found}, this version writes {known}: it is open for reading only"
    )]
    Newer {
        /// The format of the store.
        found: u32,
        /// The newest format that this version knows.
        known: u32,
    },
    /// Something in it is not what was written there. Everything else can still be used.
    #[error("the store is damaged at `{key}`: {what}")]
    Corrupted {
        /// Which value, or which part of the file.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no room on the disk. Writing works again when there is.
    #[error("the store's disk is full")]
    Full,
    /// This user may not write to it, or its file system is read-only. The system's answer.
    #[error("the store may only be read: {0}")]
    ReadOnly(Arc<io::Error>),
    /// The system failed in the middle of writing, and again when it was asked what is there:
    /// this run's change was made or was not.
    #[error("whether run `{0}` was written is unknown")]
    OutcomeUnknown(RunId),
    /// Another process had its turn for a minute and did not end it: it was stopped, as by a
    /// debugger or a frozen container. Nothing was done.
    #[error("another process has been writing to the store for a minute")]
    Busy,
    /// Other users own it or have access to it.
    #[error("the data directory is not trusted: {0}")]
    Untrusted(Untrusted),
    /// The file of the store was removed, or another one took its place, while this process used
    /// it. Nothing was written, and this process reads and writes no other store.
    #[error("the store was removed or replaced while it was in use")]
    Replaced,
    /// The system's answer.
    #[error("cannot use the store: {}", os_error::text(.0))]
    Io(Arc<io::Error>),
}

/// A directory that this user may not write to, or that others may, is no place for a store.
impl From<PrivateDirError> for StoreError {
    fn from(error: PrivateDirError) -> Self {
        match error {
            PrivateDirError::System { source, .. } if source.raw_os_error().is_some() => {
                Self::denied(source)
            }
            PrivateDirError::System { source, .. } if is_told(&source) => source.into(),
            PrivateDirError::Untrusted(untrusted) => Self::Untrusted(untrusted),
            other => io::Error::new(io::ErrorKind::PermissionDenied, other.to_string()).into(),
        }
    }
}

/// Returns whether an error was made here and names its path: it is told as it is.
fn is_told(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Untrusted>() || inner.is::<NoLink>())
}

/// Returns what to do about an error that was made here; `None` if it is the system's.
pub fn io_hint(error: &io::Error) -> Option<&'static str> {
    if self::redb::overlay::is_outdated(error) {
        return Some("try again");
    }
    error.get_ref().is_some_and(|inner| inner.is::<NoLink>()).then_some(
        "put the file itself there, or name the directory that it is in by `data` in \
        `ophost.toml` or by `--data`",
    )
}

impl From<Untrusted> for StoreError {
    fn from(untrusted: Untrusted) -> Self {
        Self::Untrusted(untrusted)
    }
}

impl StoreError {
    /// Returns whether an open file may be unusable after this error.
    fn is_of_disk(&self) -> bool {
        match self {
            Self::Io(_) | Self::ReadOnly(_) | Self::Full | Self::Replaced => true,
            Self::Corrupted { .. } => true,
            Self::Newer { .. } | Self::OutcomeUnknown(_) | Self::Busy | Self::Untrusted(_) => false,
        }
    }

    /// Returns the error of opening something for writing.
    fn denied(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied if error.raw_os_error().is_some() => {
                Self::ReadOnly(Arc::new(error))
            }
            _ => error.into(),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Untrusted>());
        if let Some(untrusted) = inner {
            return Self::Untrusted(untrusted.clone());
        }
        match error.kind() {
            io::ErrorKind::StorageFull => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(Arc::new(error)),
            _ => Self::Io(Arc::new(error)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::{CommitMetadata, RunId, Store, Utc, memory};
    use crate::model::run_record::tests::running;

    /// Returns a store in memory.
    pub(crate) fn memory() -> Arc<dyn Store> {
        Arc::new(memory::MemoryStore::default())
    }

    /// Returns somebody who changes documents.
    pub(crate) fn author() -> CommitMetadata {
        let run = running("a");
        let (operation, component_digest) = (run.operation_name, run.component_digest);
        let (run_id, recorded, at) = (RunId::new(), false, Utc::now());
        CommitMetadata { run_id, recorded, operation, component_digest, actor: run.actor, at }
    }
}
