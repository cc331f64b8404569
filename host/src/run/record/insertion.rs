//! The insertion of a RUNNING record while its run executes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::run_record::RunRecord;
use crate::store::{PendingInsert, StoreError};

/// The insertion of a RUNNING record.
pub(super) struct Insertion(Mutex<InsertionState>);

enum InsertionState {
    /// The store has the record.
    Done,
    /// The store inserts the record, or it has failed. The future is absent while it is polled.
    Pending(Arc<RunRecord>, Option<PendingInsert>),
}

impl Insertion {
    /// Returns the insertion of a record that the store has.
    pub(super) fn done() -> Self {
        Self(Mutex::new(InsertionState::Done))
    }

    /// Returns the insertion of a record that was handed to the store.
    pub(super) fn pending(run: Arc<RunRecord>, pending: PendingInsert) -> Self {
        Self(Mutex::new(InsertionState::Pending(run, Some(pending))))
    }

    fn state(&self) -> MutexGuard<'_, InsertionState> {
        // The lock holder only replaces the value as a whole, so it is valid after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the RUNNING record, unless the store has it.
    pub(super) fn record(&self) -> Option<Arc<RunRecord>> {
        match &*self.state() {
            InsertionState::Done => None,
            InsertionState::Pending(run, _) => Some(Arc::clone(run)),
        }
    }

    /// Notes that the store has the record.
    pub(super) fn end(&self) {
        *self.state() = InsertionState::Done;
    }

    /// Awaits a run. Drops it if the record cannot be inserted.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] of the insertion.
    pub(super) async fn watch<T>(&self, run: impl Future<Output = T>) -> Result<T, StoreError> {
        let mut run = std::pin::pin!(run);
        let pending = match &mut *self.state() {
            InsertionState::Done => None,
            InsertionState::Pending(_, pending) => pending.take(),
        };
        let Some(mut pending) = pending else { return Ok(run.await) };
        tokio::select! {
            biased;
            ended = &mut run => {
                if let InsertionState::Pending(_, rest) = &mut *self.state() {
                    *rest = Some(pending);
                }
                return Ok(ended);
            }
            inserted = &mut pending => inserted?,
        }
        self.end();
        Ok(run.await)
    }

    /// Returns whether the store has the record, after the run could not be finished.
    pub(super) async fn is_stored(&self) -> bool {
        let pending = match &mut *self.state() {
            InsertionState::Done => return true,
            InsertionState::Pending(_, pending) => pending.take(),
        };
        match pending {
            Some(pending) => pending.await.is_ok(),
            None => false,
        }
    }
}
