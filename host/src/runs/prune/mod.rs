//! Retention: removes runs and document changes that exceed the limits of a policy.
//!
//! - `driver`: removes data in short transactions, with pauses.
//! - `preview`: computes what a prune would remove.

mod driver;
mod preview;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use self::driver::{Pacer, Prune, STEP_BUDGET};
use self::preview::Preview;
use super::Runs;
use crate::model::retention::RetentionPolicy;
use crate::model::run_record::{RunId, Status};
use crate::store::{
    ExpiredHistory, ExpiredPage, ExpiryScan, LastPrune, RemovedRun, RunHold, RunRemoval,
    StoreError, StoreHandle, maintenance_lock, time_before,
};
use crate::util::clock;

/// Time after which a step follows a prune that removed everything.
const STEP_INTERVAL: Duration = Duration::from_secs(3600);
/// Time after which a step follows a prune that left expired data.
const UNFINISHED_STEP_INTERVAL: Duration = Duration::from_secs(60);
/// Minimum age of a log file without a run that is removed. A run in progress may not be inserted
/// yet.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);

/// Result of a prune, or of its preview.
#[derive(Clone, Debug, Default)]
pub struct PruneReport {
    /// The number of removed runs by status.
    pub removed: BTreeMap<Status, u64>,
    /// The number of runs that exceed the policy and remain.
    pub held: HeldRuns,
    /// The number of commits whose document changes were removed.
    pub commits: u64,
    /// The number of removed document changes.
    pub changes: u64,
    /// Whether the prune was cancelled before its end.
    pub is_cancelled: bool,
    /// The corrupted records that the prune skipped.
    pub corrupted: Vec<StoreError>,
}

impl PruneReport {
    /// Returns the number of removed runs.
    pub fn runs(&self) -> u64 {
        self.removed.values().sum()
    }

    fn add(&mut self, status: Status) {
        *self.removed.entry(status).or_default() += 1;
    }
}

/// The numbers of runs that are not removed, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldRuns {
    /// Runs whose idempotency key still determines the result of a request.
    pub idempotency_key: u64,
    /// Runs whose document changes were reverted by other runs.
    pub undone: u64,
    /// Runs that other runs are linked to.
    pub linked: u64,
}

impl HeldRuns {
    fn add(&mut self, hold: &RunHold) {
        match hold {
            RunHold::IdempotencyKey => self.idempotency_key += 1,
            RunHold::Undone => self.undone += 1,
            RunHold::Linked(_) => self.linked += 1,
        }
    }
}

/// Error of a prune. The data that was removed before stays removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// Another prune is running.
    #[error("another process is pruning the store")]
    InProgress,
    /// A backup or a check reads the whole store. The file would grow.
    #[error("another process is backing up or checking the store")]
    LongRead,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Runs<'_> {
    /// Removes the runs and the document changes that exceed a policy. Calls `on_progress` with the
    /// number of removed runs and changes after each transaction.
    ///
    /// Keeps unfinished runs, runs with a live idempotency key, undone runs, and runs that other runs
    /// are linked to. Waits while a backup or a check that began during the prune reads the store.
    ///
    /// # Errors
    ///
    /// Returns [`PruneError`] if another prune or a long read is running, or the store fails.
    pub async fn prune(
        &self,
        policy: &RetentionPolicy,
        cancel: &CancellationToken,
        on_progress: impl FnMut(u64),
    ) -> Result<PruneReport, PruneError> {
        let data = self.store.data();
        let _prune = maintenance_lock::try_prune(data).ok_or(PruneError::InProgress)?;
        drop(maintenance_lock::try_remove(data).ok_or(PruneError::LongRead)?);
        self.store.reap_crashed_runs().await?;
        let mut prune = Prune::new(self.store, Pacer::new(cancel), on_progress);
        prune.runs(&policy.classes()).await?;
        prune.history(policy.history_max_age).await?;
        self.store.remove_orphaned_log_files(ORPHAN_AGE).await?;
        Ok(prune.report)
    }

    /// Stores the time of a prune by the settings, which the next [`Self::prune_step`] depends on.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be written.
    pub async fn note_prune(&self, report: &PruneReport) -> Result<(), StoreError> {
        let (at, is_complete) = (clock::now(), !report.is_cancelled);
        self.store.store().set_last_prune(LastPrune { at, is_complete }).await
    }

    /// Returns what [`Self::prune`] would remove now.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub async fn preview_prune(&self, policy: &RetentionPolicy) -> Result<PruneReport, StoreError> {
        let (store, now) = (self.store.store(), clock::now());
        let (mut report, mut preview) = (PruneReport::default(), Preview::default());
        for class in policy.classes() {
            let mut scan = Some(ExpiryScan::new(class, now));
            while let Some(from) = scan {
                let page = store.expired_runs(from).await?;
                page.runs.into_iter().for_each(|run| preview.add(run, &mut report));
                report.corrupted.extend(page.corrupted);
                scan = page.next;
            }
        }
        preview.resolve(&mut report);
        let mut after = None;
        while let Some(age) = policy.history_max_age {
            let before = time_before(now, age);
            let ExpiredHistory { commits, changes, next } =
                store.expired_history(before, after).await?;
            (report.commits, report.changes) = (report.commits + commits, report.changes + changes);
            after = next;
            if next.is_none() {
                break;
            }
        }
        Ok(report)
    }

    /// Removes a few of the runs or document changes that exceed a policy, within about 20 ms, if
    /// this process has written to the store. Does nothing within an hour after the last prune, or
    /// a minute if that left expired data.
    ///
    /// # Errors
    ///
    /// Like [`Self::prune`].
    pub async fn prune_step(&self, policy: &RetentionPolicy) -> Result<(), PruneError> {
        let store = self.store.store();
        if policy.is_empty() || !store.has_written() {
            return Ok(());
        }
        let (last, now) = (store.last_prune().await?, clock::now());
        if last.is_some_and(|last| !is_due(last, now)) {
            return Ok(());
        }
        let data = self.store.data();
        let _prune = maintenance_lock::try_prune(data).ok_or(PruneError::InProgress)?;
        let _removal = maintenance_lock::try_remove(data).ok_or(PruneError::LongRead)?;
        let is_complete = self.remove_some(policy, now).await?;
        store.set_last_prune(LastPrune { at: now, is_complete }).await?;
        Ok(())
    }

    /// Removes the runs of at most one transaction for each rule, and as many document changes.
    /// Returns whether nothing is left.
    async fn remove_some(
        &self,
        policy: &RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut is_complete = true;
        for class in policy.classes() {
            let page = self.store.store().expired_runs(ExpiryScan::new(class, now)).await?;
            let runs = removable(&page);
            let count = runs.len();
            let removal = RunRemoval { runs, is_forced: false, now, budget: STEP_BUDGET };
            let tried = if count == 0 { 0 } else { remove(self.store, removal).await?.1 };
            is_complete &= tried == count && page.next.is_none();
        }
        if let Some(age) = policy.history_max_age {
            let before = time_before(now, age);
            let removed = self.store.store().remove_history(before, STEP_BUDGET).await?;
            is_complete &= removed.is_done;
        }
        Ok(is_complete)
    }

    /// Removes finished runs, also if their idempotency key is live or other runs are linked to
    /// them.
    ///
    /// # Errors
    ///
    /// - Returns [`RemoveError::Unfinished`] if a run has not finished. Nothing is removed then.
    /// - Returns [`PruneError`] like [`Self::prune`].
    pub async fn remove_named(&self, runs: &[RunId]) -> Result<Vec<NamedRemoval>, RemoveError> {
        let data = self.store.data();
        let _prune = maintenance_lock::try_prune(data).ok_or(PruneError::InProgress)?;
        drop(maintenance_lock::try_remove(data).ok_or(PruneError::LongRead)?);
        self.store.reap_crashed_runs().await.map_err(PruneError::from)?;
        let mut named = Vec::new();
        for id in runs {
            named.extend(self.named_removal(*id).await?);
        }
        let cancel = CancellationToken::new();
        let mut prune = Prune::new(self.store, Pacer::new(&cancel), |_| {});
        prune.remove(runs.into(), true).await.map_err(PruneError::from)?;
        Ok(named)
    }

    /// Returns what the removal of a run loses; `None` if the run does not exist.
    ///
    /// # Errors
    ///
    /// Returns [`RemoveError::Unfinished`] if the run has not finished.
    pub async fn named_removal(&self, id: RunId) -> Result<Option<NamedRemoval>, RemoveError> {
        let store = self.store.store();
        let Some(run) = store.get(id).await.map_err(PruneError::from)? else { return Ok(None) };
        if !run.state.status().is_final() {
            return Err(RemoveError::Unfinished(id));
        }
        let hold = store.hold(id, clock::now()).await.map_err(PruneError::from)?;
        let has_changes = run.changes.is_some_and(|count| count.revision.is_some());
        Ok(Some(NamedRemoval { id, hold, has_changes }))
    }

    /// Returns whether the oldest runs or document changes that exceed a policy can be removed.
    /// Examines at most about a thousand runs for each rule.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub async fn has_expired(&self, policy: &RetentionPolicy) -> Result<bool, StoreError> {
        let (store, now) = (self.store.store(), clock::now());
        for class in policy.classes() {
            let page = store.expired_runs(ExpiryScan::new(class, now)).await?;
            if !removable(&page).is_empty() {
                return Ok(true);
            }
        }
        let Some(age) = policy.history_max_age else { return Ok(false) };
        Ok(store.expired_history(time_before(now, age), None).await?.changes > 0)
    }

    /// Returns the last prune; `None` before the first.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub async fn last_prune(&self) -> Result<Option<LastPrune>, StoreError> {
        self.store.store().last_prune().await
    }
}

/// The removal of a named run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRemoval {
    /// The run.
    pub id: RunId,
    /// What would have held the run in a prune by a policy.
    pub hold: Option<RunHold>,
    /// Whether the run has committed document changes, which cannot be undone without the record.
    pub has_changes: bool,
}

/// Error of the removal of named runs.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// The run has not finished. Nothing was removed.
    #[error("run {0} has not ended")]
    Unfinished(RunId),
    /// The removal failed.
    #[error(transparent)]
    Prune(#[from] PruneError),
}

/// Returns whether a step follows the last prune. A time in the future counts as a wrong clock.
fn is_due(last: LastPrune, now: DateTime<Utc>) -> bool {
    let interval = if last.is_complete { STEP_INTERVAL } else { UNFINISHED_STEP_INTERVAL };
    last.at <= time_before(now, interval) || now < last.at
}

fn removable(page: &ExpiredPage) -> Arc<[RunId]> {
    page.runs.iter().filter(|run| run.hold.is_none()).map(|run| run.id).collect()
}

/// Removes runs in one transaction, with their log files. Returns the removed runs, the number of
/// runs that were tried, and the time of the begin.
async fn remove(
    store: &StoreHandle,
    request: RunRemoval,
) -> Result<(Vec<RemovedRun>, usize, Instant), StoreError> {
    let result = store.store().remove_runs(request).await?;
    for run in result.removed.iter().filter(|run| run.may_have_log_file) {
        store.remove_log_file(run.id)?;
    }
    Ok((result.removed, result.tried, result.began))
}
