//! Runs of this process that ended without a final record.
//!
//! A run is orphaned if its future was dropped or if writing its result failed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use super::{Store, StoreError};
use crate::model::run_record::{OwnerId, RunId};

/// Failure message of an orphaned run.
const REASON: &str = "the caller dropped the run, or its result could not be recorded";

/// The orphaned runs of this process that are not yet marked as crashed.
#[derive(Clone, Default)]
pub(super) struct OrphanedRuns(Arc<Mutex<Vec<(RunId, OwnerId)>>>);

impl OrphanedRuns {
    fn runs(&self) -> MutexGuard<'_, Vec<(RunId, OwnerId)>> {
        // No code panics between two changes of the list, so a poisoned list is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the runs as crashed. Skips runs that have a final record.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the write fails. The next call tries again.
    pub(super) async fn reap_crashed_runs(&self, store: &dyn Store) -> Result<(), StoreError> {
        let runs = std::mem::take(&mut *self.runs());
        if runs.is_empty() {
            return Ok(());
        }
        let marked = store.crash(&runs, REASON).await;
        if marked.is_err() {
            self.runs().extend(runs);
        }
        marked.map(drop)
    }
}

/// Marks a run of this process as crashed if dropped before [`RunGuard::end`].
pub(crate) struct RunGuard {
    run: (RunId, OwnerId),
    has_ended: AtomicBool,
    orphaned: OrphanedRuns,
    store: Arc<dyn Store>,
}

impl RunGuard {
    pub(super) fn new(
        run: (RunId, OwnerId),
        orphaned: OrphanedRuns,
        store: Arc<dyn Store>,
    ) -> Self {
        Self { run, has_ended: AtomicBool::new(false), orphaned, store }
    }

    /// Disarms the guard: the run has a final record, or no record at all.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if *self.has_ended.get_mut() {
            return;
        }
        self.orphaned.runs().push(self.run.clone());
        // Other processes cannot detect this orphan, because its owner is alive. Without a
        // runtime, the next read of this process marks the run.
        if let Ok(runtime) = Handle::try_current() {
            let (orphaned, store) = (self.orphaned.clone(), Arc::clone(&self.store));
            runtime.spawn(async move { orphaned.reap_crashed_runs(store.as_ref()).await.ok() });
        }
    }
}
