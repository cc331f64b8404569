//! Removal of finished runs and of old document changes, in short transactions.
//!
//! A run is removed only if nothing holds it: see [`RunHold`]. The store never assigns the sequence
//! of a removed run again. The metadata of the commit of a removed run remains, so that the history
//! of a document still has the operation, the user, the time and the id of the run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::outcome::FailureKind;
use crate::model::retention::RunClass;
use crate::model::run_record::{RunId, RunRecord, Status};

/// The part of a store that removes data.
///
/// # Errors
///
/// Every method may return [`StoreError`]. Then nothing was removed, except after
/// [`StoreError::OutcomeUnknown`].
#[async_trait]
pub(crate) trait Retention: Send + Sync {
    /// Returns a page of the runs that exceed a rule, oldest first.
    async fn expired_runs(&self, scan: ExpiryScan) -> Result<ExpiredPage, StoreError>;

    /// Returns what holds a run; `None` if the run does not exist or nothing holds it.
    async fn hold(&self, id: RunId, now: DateTime<Utc>) -> Result<Option<RunHold>, StoreError>;

    /// Removes runs in one transaction, in order, until the budget is used up. At least the first
    /// run is tried.
    async fn remove_runs(&self, request: RunRemoval) -> Result<RemovedRuns, StoreError>;

    /// Returns the extent of the document changes before a time, in the commits after a revision.
    async fn expired_history(
        &self,
        before: DateTime<Utc>,
        after: Option<u64>,
    ) -> Result<ExpiredHistory, StoreError>;

    /// Removes document changes before a time in one transaction, oldest first, until the budget is
    /// used up. The documents do not change.
    async fn remove_history(
        &self,
        before: DateTime<Utc>,
        budget: Duration,
    ) -> Result<RemovedHistory, StoreError>;

    /// Returns the last prune; `None` before the first.
    async fn last_prune(&self) -> Result<Option<LastPrune>, StoreError>;

    /// Stores the last prune.
    async fn set_last_prune(&self, last: LastPrune) -> Result<(), StoreError>;

    /// Returns whether this value has committed a write.
    fn has_written(&self) -> bool;
}

/// A scan for the runs that exceed a rule.
///
/// A scan remains correct if other processes remove runs: it may then find fewer runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpiryScan {
    /// The runs and their rule.
    pub(crate) class: RunClass,
    /// The time at which ages are computed.
    pub(crate) now: DateTime<Utc>,
    /// The scan continues after this sequence.
    pub(crate) after: u64,
    /// The number of runs of the class up to `after` that still exist. The caller subtracts the
    /// runs that it removes.
    pub(crate) passed: u64,
}

impl ExpiryScan {
    /// Returns a scan from the oldest run on.
    pub(crate) fn new(class: RunClass, now: DateTime<Utc>) -> Self {
        Self { class, now, after: 0, passed: 0 }
    }

    /// Returns the time before which runs have exceeded their age; `None` without a limit.
    fn age_limit(&self) -> Option<DateTime<Utc>> {
        let age = self.class.rule.max_age?;
        Some(time_before(self.now, age))
    }

    /// Advances the scan to a run of the class. `total` is the number of runs of the class.
    pub(super) fn visit(&mut self, run: &RunRecord, total: u64) -> Expiry {
        self.after = run.sequence;
        self.passed += 1;
        let newer = total.saturating_sub(self.passed);
        let is_excess = self.class.rule.max_runs.is_some_and(|max| newer >= max);
        let limit = self.age_limit();
        let is_before = |time: DateTime<Utc>| limit.is_some_and(|limit| time < limit);
        if is_excess || run.state.finished_at().is_some_and(is_before) {
            Expiry::Expired
        } else if is_before(run.created_at) {
            Expiry::Kept
        } else {
            // No later run is older, or has more newer runs.
            Expiry::End
        }
    }

    /// Advances the scan to a corrupted run, which counts as a run of the class.
    pub(super) fn skip(&mut self, sequence: u64) {
        (self.after, self.passed) = (sequence, self.passed + 1);
    }
}

/// Returns the time that lies a duration before another; the earliest time if there is none.
pub(crate) fn time_before(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    let age = TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(age).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Whether a run exceeds its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// The run exceeds the rule.
    Expired,
    /// The run does not exceed the rule, but a later one may.
    Kept,
    /// Neither the run nor a later one exceeds the rule.
    End,
}

/// Some of the runs that exceed a rule.
#[derive(Debug, Default)]
pub(crate) struct ExpiredPage {
    /// The runs, oldest first.
    pub(crate) runs: Vec<ExpiredRun>,
    /// The scan of the next page; `None` on the last page.
    pub(crate) next: Option<ExpiryScan>,
    /// The corrupted records that the scan skipped.
    pub(crate) corrupted: Vec<StoreError>,
}

/// A run that exceeds a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpiredRun {
    /// The run.
    pub(crate) id: RunId,
    /// The status of the run.
    pub(crate) status: Status,
    /// Whether the run is linked to another run.
    pub(crate) has_links: bool,
    /// What holds the run, if anything.
    pub(crate) hold: Option<RunHold>,
}

/// The reason why a run that exceeds a rule is not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunHold {
    /// The idempotency key of the run still determines the result of a request.
    IdempotencyKey,
    /// The document changes of the run were reverted by another run.
    Undone,
    /// These runs are linked to the run, for example as its reruns.
    Linked(Vec<RunId>),
}

/// A request to remove runs.
#[derive(Clone, Debug)]
pub(crate) struct RunRemoval {
    /// The runs, in the order in which they are removed.
    pub(crate) runs: Arc<[RunId]>,
    /// Whether runs that are held are removed too.
    pub(crate) is_forced: bool,
    /// The current time.
    pub(crate) now: DateTime<Utc>,
    /// The time after which no further run is removed.
    pub(crate) budget: Duration,
}

/// Result of [`Retention::remove_runs`].
#[derive(Debug)]
pub(crate) struct RemovedRuns {
    /// The time at which the transaction began to remove.
    pub(crate) began: Instant,
    /// The number of requested runs that were tried, from the first on.
    pub(crate) tried: usize,
    /// The removed runs. The others have not finished, are held, are corrupted or do not exist.
    pub(crate) removed: Vec<RemovedRun>,
}

/// A removed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemovedRun {
    /// The run.
    pub(crate) id: RunId,
    /// The status that the run had.
    pub(crate) status: Status,
    /// Whether the run may have a log overflow file, which the caller must remove.
    pub(crate) may_have_log_file: bool,
}

impl RemovedRun {
    /// Returns the description of a run that is being removed.
    pub(super) fn of(run: &RunRecord) -> Self {
        let status = run.state.status();
        // A crashed run has no final record that names the file.
        let is_crashed = run.state.failure().is_some_and(|it| it.kind == FailureKind::Crashed);
        Self { id: run.id, status, may_have_log_file: run.logs_ref.is_some() || is_crashed }
    }
}

/// The extent of some document changes that exceed the maximum age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpiredHistory {
    /// The number of commits.
    pub(crate) commits: u64,
    /// The number of changes of documents.
    pub(crate) changes: u64,
    /// The revision after which the next part begins; `None` in the last part.
    pub(crate) next: Option<u64>,
}

/// Result of [`Retention::remove_history`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemovedHistory {
    /// The time at which the transaction began to remove.
    pub(crate) began: Instant,
    /// The number of commits whose last change was removed.
    pub(crate) commits: u64,
    /// The number of removed changes.
    pub(crate) changes: u64,
    /// Whether no change before the time is left.
    pub(crate) is_done: bool,
}

/// The last prune of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPrune {
    /// The time of the end.
    pub at: DateTime<Utc>,
    /// Whether everything that could be removed was removed.
    pub is_complete: bool,
}
