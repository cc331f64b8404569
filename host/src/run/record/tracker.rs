//! Follows a run to its end, with or without a record.

use std::sync::Arc;

use ophost_document::{Budget, Interruption};
use ophost_schema::Schema;

use super::active::ActiveRecord;
use super::outcome::RecordedOutcome;
use crate::model::document::{ChangeCount, CommitRequest};
use crate::model::outcome::{Outcome, RunDiagnostics, Usage};
use crate::model::run_record::{CapabilityUse, RunId};
use crate::sandbox::{GuestOutput, Observer};
use crate::store::{
    CommitMetadata, CommitOutcome, FinishOutcome, OverflowSummary, Store, StoreError,
};
use crate::util::clock;
use crate::util::deadline::{Deadline, WorkError, WorkSize};

/// The end of a run.
pub(crate) struct Completion<'a> {
    pub(crate) outcome: &'a Outcome,
    pub(crate) recorded_outcome: RecordedOutcome,
    pub(crate) trail: &'a RunDiagnostics,
    pub(crate) usage: Usage,
    pub(crate) effects: &'a Arc<CommitRequest>,
    /// Number of changed documents.
    pub(crate) changes: ChangeCount,
    pub(crate) capability_use: &'a CapabilityUse,
    pub(crate) is_dry: bool,
}

impl Completion<'_> {
    /// Returns the document changes to commit: none for a dry run.
    pub(super) fn committed_effects(&self) -> Arc<CommitRequest> {
        if self.is_dry { Arc::default() } else { Arc::clone(self.effects) }
    }
}

/// Error of committing the end of a run.
#[derive(Debug)]
pub(crate) enum FinishError {
    /// The run has no record and changed no documents.
    NoEffect(StoreError),
    /// The end of the run is not recorded. [`StoreError::OutcomeUnknown`] says that it may be.
    Lost(StoreError),
}

/// A run without a record. Its document changes are committed.
pub(crate) struct Unrecorded {
    /// `None` without a data directory.
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) metadata: CommitMetadata,
}

impl Unrecorded {
    /// Commits the document changes of the run.
    ///
    /// # Errors
    ///
    /// Like [`ActiveRecord::finish`].
    pub(crate) async fn finish(&self, ended: Completion<'_>) -> Result<FinishOutcome, FinishError> {
        let effects = ended.committed_effects();
        let Some(store) = self.store.as_ref().filter(|_| !effects.changes.is_empty()) else {
            return Ok(FinishOutcome::Done);
        };
        let metadata = CommitMetadata { at: clock::now(), ..self.metadata.clone() };
        match store.commit_changes(metadata, effects).await.map_err(FinishError::Lost)? {
            CommitOutcome::Committed(..) => Ok(FinishOutcome::Done),
            CommitOutcome::Conflict => Ok(FinishOutcome::Conflict),
            CommitOutcome::Duplicate(duplicate) => Ok(FinishOutcome::Duplicate(duplicate)),
        }
    }
}

/// A run in progress, with or without a record.
pub(crate) enum RunTracker {
    /// The run has a record.
    Recorded(ActiveRecord),
    /// The run has no record.
    Unrecorded(Unrecorded),
}

impl RunTracker {
    /// Returns the id of the record, if the run has one.
    pub(crate) fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Recorded(record) => Some(record.id()),
            Self::Unrecorded(_) => None,
        }
    }

    /// Returns the guest output that collects the log and progress of the run and forwards them to
    /// `observer`.
    pub(crate) fn guest_output(&self, log: u64, observer: Option<Observer>) -> GuestOutput {
        match self {
            Self::Recorded(record) => {
                GuestOutput::new(log, Some(record.observer(observer)), Some(record.overflow()))
            }
            Self::Unrecorded(_) => GuestOutput::new(log, observer, None),
        }
    }

    /// Returns the summary of the log entries beyond the limit.
    pub(crate) fn log_overflow(&self) -> OverflowSummary {
        match self {
            Self::Recorded(record) => record.overflow_log.finish(),
            Self::Unrecorded(_) => OverflowSummary::default(),
        }
    }

    /// Awaits a run, and writes its log entries if the run has a record.
    ///
    /// # Errors
    ///
    /// Like [`ActiveRecord::while_logging`].
    pub(crate) async fn run_with_flushes<T>(
        &self,
        run: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Recorded(record) => record.while_logging(run).await,
            Self::Unrecorded(_) => Ok(run.await),
        }
    }

    /// Returns an outcome and its recorded form.
    ///
    /// # Errors
    ///
    /// Returns [`WorkError`] if the deadline passes, or no thread can be started.
    pub(crate) async fn prepare(
        &self,
        outcome: Outcome,
        schema: &Arc<Schema>,
        changes: Arc<CommitRequest>,
        deadline: &Deadline,
    ) -> Result<(Outcome, RecordedOutcome), WorkError> {
        let Self::Recorded(ActiveRecord { mask, .. }) = self else {
            return Ok((outcome, RecordedOutcome::default()));
        };
        let size = match &outcome {
            Outcome::Success(output) => WorkSize::of(output),
            Outcome::Failed(_) | Outcome::Cancelled => WorkSize::Small,
        };
        let (mask, schema) = (*mask, Arc::clone(schema));
        let keep = move |budget: &Budget| {
            let recorded_outcome =
                RecordedOutcome::of(mask, &schema, &outcome, &changes.changes, budget)?;
            Ok::<_, Interruption>((outcome, recorded_outcome))
        };
        Ok(deadline.work(size, keep).await??)
    }

    /// Commits the end of the run.
    ///
    /// # Errors
    ///
    /// Like [`ActiveRecord::finish`].
    pub(crate) async fn finish(&self, ended: Completion<'_>) -> Result<FinishOutcome, FinishError> {
        match self {
            Self::Recorded(record) => record.finish(ended).await,
            Self::Unrecorded(unrecorded) => unrecorded.finish(ended).await,
        }
    }

    /// Returns the id of the run, with or without a record.
    pub(crate) fn id(&self) -> RunId {
        match self {
            Self::Recorded(record) => record.id(),
            Self::Unrecorded(unrecorded) => unrecorded.metadata.run_id,
        }
    }
}
