//! Arguments and results of the store's write operations.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DuplicateValue, StoreError};
use crate::model::digest::Digest;
use crate::model::document::{ChangeCount, CommitRequest};
use crate::model::history::ChangeAuthor;
use crate::model::operation::OperationName;
use crate::model::outcome::{Actor, ItemError, LogEntry, Outcome, Usage};
use crate::model::run_record::{CapabilityUse, Masked, ResultRef, RunId, RunRecord};

/// The author and time of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CommitMetadata {
    /// The run.
    pub(crate) run_id: RunId,
    /// Whether the run has a record.
    pub(crate) recorded: bool,
    /// The operation.
    pub(crate) operation: OperationName,
    /// SHA-256 of the component's bytes; `None` for the host's own operations.
    pub(crate) component_digest: Option<Digest>,
    /// The user and the channel.
    pub(crate) actor: Actor,
    /// The time of the commit.
    pub(crate) at: DateTime<Utc>,
}

impl CommitMetadata {
    /// Returns the metadata of the commit of a recorded run.
    pub(super) fn of_record(run: &RunRecord, at: DateTime<Utc>) -> Self {
        Self {
            run_id: run.id,
            recorded: true,
            operation: run.operation_name.clone(),
            component_digest: run.component_digest,
            actor: run.actor.clone(),
            at,
        }
    }
}

impl From<CommitMetadata> for ChangeAuthor {
    fn from(author: CommitMetadata) -> Self {
        let CommitMetadata { run_id, recorded, operation, component_digest, actor, at } = author;
        let run_id = recorded.then_some(run_id);
        Self { run_id, operation, component_digest, actor, at }
    }
}

/// Result of [`Store::commit_changes`](super::Store::commit_changes).
#[derive(Debug, PartialEq)]
pub(crate) enum CommitOutcome {
    /// The changes are committed under this run.
    Committed(RunId, ChangeCount),
    /// The read set has changed; nothing is written.
    Conflict,
    /// A unique index rejects the changes; nothing is written.
    Duplicate(Box<DuplicateValue>),
}

/// A run to insert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewRun {
    /// The record.
    pub(crate) run: RunRecord,
    /// The idempotency key that the run claims.
    pub(crate) key: Option<IdempotencyClaim>,
}

/// A claim on an idempotency key of the run's operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyClaim {
    /// The idempotency key.
    pub(crate) key: String,
    /// The digest of the request. A different request under the same key is a conflict.
    pub(crate) fingerprint: Digest,
    /// How long a successful run holds the key after it has finished.
    pub(crate) window: Duration,
}

/// Result of [`Store::insert`](super::Store::insert).
#[derive(Debug, PartialEq)]
pub(crate) enum InsertOutcome {
    /// The run is stored, and the caller holds its claim.
    Created(Claim),
    /// The run is already stored, or a run of the same request holds the key. That run is running
    /// or has succeeded.
    Existing(Box<RunRecord>),
    /// A run of a different request holds the key.
    KeyConflict(Box<RunRecord>),
}

/// Write token of a run. Writes with an older revision are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The run.
    pub(crate) id: RunId,
    /// The revision that the holder saw last. The claim is valid while the run has it.
    pub(crate) revision: u64,
}

impl Claim {
    /// Returns the claim of a run that is being inserted.
    pub(crate) fn of_new(id: RunId) -> Self {
        Self { id, revision: 1 }
    }
}

/// Result of [`Store::begin`](super::Store::begin): resolves when the RUNNING record is durable.
///
/// Dropping it does not cancel the insertion.
pub(crate) type PendingInsert = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// Result of [`Store::append_log`](super::Store::append_log).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendLogOutcome {
    /// The entries are stored.
    Done,
    /// The claim is no longer valid; the entries are not stored.
    Lost,
}

/// The final state of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunCompletion {
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// The time at which the run finished.
    pub(crate) finished_at: DateTime<Utc>,
    /// Whole milliseconds since the start, on a monotonic clock.
    pub(crate) duration_ms: u64,
    /// Merged into the stored metadata; replaces entries of the same name.
    pub(crate) metadata: Map<String, Value>,
    /// The log entries that were not written by [`Store::append_log`](super::Store::append_log) before.
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
    /// The document changes and the read set.
    pub(crate) effects: Arc<CommitRequest>,
    /// The RUNNING record, if [`Store::begin`](super::Store::begin) may not have inserted it yet.
    /// Then the run is inserted with its final state.
    pub(crate) running: Option<Arc<RunRecord>>,
    /// The capabilities that were used and that were denied: see [`RunRecord::capabilities`].
    pub(crate) capability_use: CapabilityUse,
    /// See [`RunRecord::usage`].
    pub(crate) usage: Option<Usage>,
}

/// Result of [`Store::finish`](super::Store::finish).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FinishOutcome {
    /// The final state is stored.
    Done,
    /// The claim is no longer valid: the run has finished, or another process executes it.
    Lost,
    /// The read set has changed. The run is still running under the same claim.
    Conflict,
    /// A unique index rejects the changes. The run is still running under the same claim.
    Duplicate(Box<DuplicateValue>),
}

/// Result of [`Store::request_cancel`](super::Store::request_cancel).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelOutcome {
    /// The run has not finished. Its cancellation was first requested at this time.
    Requested(DateTime<Utc>),
    /// The run has finished; nothing was written.
    Finished,
    /// No run has this id.
    NotFound,
}

/// Result of erasing a run.
#[derive(Debug, PartialEq)]
pub enum EraseOutcome {
    /// The run was erased. Contains the rest of its record.
    Done(Box<RunRecord>),
    /// The run has not finished; nothing was erased.
    Unfinished(Box<RunRecord>),
    /// No run has this id.
    NotFound,
}
