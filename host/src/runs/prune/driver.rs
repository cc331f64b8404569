//! Removes data in transactions that hold the writer of the store for about 1 ms.
//!
//! After a transaction, a prune waits nine times as long, so that other work has the writer for 90 %
//! of the time. Every tenth call therefore waits for a transaction of the prune, and the slowest
//! percent of the calls takes longer by its whole time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{HeldRuns, PruneReport, removable, remove};
use crate::model::retention::RunClass;
use crate::model::run_record::RunId;
use crate::store::{
    ExpiryScan, MaintenanceGuard, RunRemoval, StoreError, StoreHandle, maintenance_lock,
    time_before,
};
use crate::util::clock;

/// Time for which a transaction of a prune holds the writer. A commit to a slow disk alone can take
/// longer.
const TARGET_HOLD: Duration = Duration::from_millis(1);
/// Time of the first removal. Later ones depend on how long the writer was held.
const FIRST_BUDGET: Duration = Duration::from_micros(200);
const MIN_BUDGET: Duration = Duration::from_micros(100);
/// Maximum time of a removal. The commit takes the rest of [`TARGET_HOLD`].
const MAX_BUDGET: Duration = Duration::from_micros(500);
/// Time of the removal of a single step, which no other one follows.
pub(super) const STEP_BUDGET: Duration = Duration::from_micros(2_500);
/// The pause after a transaction, as a multiple of the time for which it held the writer.
const PAUSE_FACTOR: u32 = 9;
/// Interval at which a prune checks whether a long read has ended.
const READ_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Controls how long and how often the writer is held.
pub(super) struct Pacer<'a> {
    budget: Duration,
    cancel: &'a CancellationToken,
}

impl<'a> Pacer<'a> {
    /// Returns a pacer that begins with a short removal.
    pub(super) fn new(cancel: &'a CancellationToken) -> Self {
        Self { budget: FIRST_BUDGET, cancel }
    }

    /// Adapts the budget to the time for which the writer was held since `began`, and pauses.
    async fn pause(&mut self, began: Instant) {
        let held = began.elapsed();
        self.budget = if held > TARGET_HOLD { self.budget / 2 } else { self.budget * 3 / 2 };
        self.budget = self.budget.clamp(MIN_BUDGET, MAX_BUDGET);
        self.sleep(held * PAUSE_FACTOR).await;
    }

    async fn sleep(&self, time: Duration) {
        self.cancel.run_until_cancelled(tokio::time::sleep(time)).await;
    }

    /// Waits until no long read is running; `None` if the prune is cancelled before.
    async fn begin(&self, store: &StoreHandle) -> Option<MaintenanceGuard> {
        while !self.cancel.is_cancelled() {
            if let Some(guard) = maintenance_lock::try_remove(store.data()) {
                return Some(guard);
            }
            self.sleep(READ_POLL_INTERVAL).await;
        }
        None
    }
}

/// A running prune.
pub(super) struct Prune<'a, P> {
    store: &'a StoreHandle,
    now: DateTime<Utc>,
    pacer: Pacer<'a>,
    pub(super) report: PruneReport,
    on_progress: P,
}

impl<'a, P: FnMut(u64)> Prune<'a, P> {
    /// Returns a prune that begins now.
    pub(super) fn new(store: &'a StoreHandle, pacer: Pacer<'a>, on_progress: P) -> Self {
        let (now, report) = (clock::now(), PruneReport::default());
        Self { store, now, pacer, report, on_progress }
    }

    /// Removes the runs that exceed a rule. A run that is linked to another run may hold that run,
    /// so the passes are repeated until one removes nothing.
    pub(super) async fn runs(&mut self, classes: &[RunClass]) -> Result<(), StoreError> {
        loop {
            let before = self.report.runs();
            self.report.held = HeldRuns::default();
            self.report.corrupted.clear();
            for class in classes {
                self.pass(class.clone()).await?;
            }
            let has_removed = self.report.runs() > before;
            if !has_removed || self.report.held.linked == 0 || self.report.is_cancelled {
                return Ok(());
            }
        }
    }

    async fn pass(&mut self, class: RunClass) -> Result<(), StoreError> {
        let mut scan = Some(ExpiryScan::new(class, self.now));
        while let Some(from) = scan {
            let page = self.store.store().expired_runs(from).await?;
            page.runs.iter().flat_map(|run| &run.hold).for_each(|it| self.report.held.add(it));
            let removed = self.remove(removable(&page), false).await?;
            self.report.corrupted.extend(page.corrupted);
            scan = page.next.filter(|_| !self.report.is_cancelled);
            if let Some(scan) = &mut scan {
                scan.passed = scan.passed.saturating_sub(removed);
            }
        }
        Ok(())
    }

    /// Removes runs in several transactions. Returns the number of removed runs.
    pub(super) async fn remove(
        &mut self,
        runs: Arc<[RunId]>,
        is_forced: bool,
    ) -> Result<u64, StoreError> {
        let (mut rest, mut removed_runs) = (runs, 0);
        while !rest.is_empty() {
            let Some(guard) = self.pacer.begin(self.store).await else {
                self.report.is_cancelled = true;
                break;
            };
            let (runs, now, budget) = (Arc::clone(&rest), self.now, self.pacer.budget);
            let request = RunRemoval { runs, is_forced, now, budget };
            let (removed, tried, began) = remove(self.store, request).await?;
            drop(guard);
            removed.iter().for_each(|run| self.report.add(run.status));
            removed_runs += removed.len() as u64;
            rest = rest[tried..].into();
            self.progress();
            self.pacer.pause(began).await;
        }
        Ok(removed_runs)
    }

    /// Removes the document changes that exceed an age.
    pub(super) async fn history(&mut self, max_age: Option<Duration>) -> Result<(), StoreError> {
        let Some(max_age) = max_age else { return Ok(()) };
        let before = time_before(self.now, max_age);
        loop {
            let Some(guard) = self.pacer.begin(self.store).await else {
                self.report.is_cancelled = true;
                return Ok(());
            };
            let removed = self.store.store().remove_history(before, self.pacer.budget).await?;
            drop(guard);
            self.report.commits += removed.commits;
            self.report.changes += removed.changes;
            if removed.is_done {
                return Ok(());
            }
            self.progress();
            self.pacer.pause(removed.began).await;
        }
    }

    fn progress(&mut self) {
        (self.on_progress)(self.report.runs() + self.report.changes);
    }
}
