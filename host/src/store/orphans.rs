//! Runs that nobody ends while their process goes on: whoever asked for one went away, or its
//! end could not be written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use super::{Store, StoreError};
use crate::model::run_record::{OwnerId, RunId};

/// What their records say.
const REASON: &str = "whoever asked for it went away, or its end could not be written";

/// Those of this process that are not marked yet.
#[derive(Clone, Default)]
pub(super) struct OrphanedRuns(Arc<Mutex<Vec<(RunId, OwnerId)>>>);

impl OrphanedRuns {
    fn runs(&self) -> MutexGuard<'_, Vec<(RunId, OwnerId)>> {
        // Nothing that holds the lock can leave it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks them as crashed; what has an end keeps it.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be written; the next call tries again.
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

/// A run of this process, which is abandoned if this is dropped before it has ended.
pub(crate) struct RunGuard {
    run: (RunId, OwnerId),
    has_ended: AtomicBool,
    abandoned: OrphanedRuns,
    store: Arc<dyn Store>,
}

impl RunGuard {
    pub(super) fn new(
        run: (RunId, OwnerId),
        abandoned: OrphanedRuns,
        store: Arc<dyn Store>,
    ) -> Self {
        Self { run, has_ended: AtomicBool::new(false), abandoned, store }
    }

    /// Says that its record has an end, or that there is none.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if *self.has_ended.get_mut() {
            return;
        }
        self.abandoned.runs().push(self.run.clone());
        // Other processes cannot tell. Without a runtime the next who looks here marks it.
        if let Ok(runtime) = Handle::try_current() {
            let (abandoned, store) = (self.abandoned.clone(), Arc::clone(&self.store));
            runtime.spawn(async move { abandoned.reap_crashed_runs(store.as_ref()).await.ok() });
        }
    }
}
