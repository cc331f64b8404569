//! The report of a run.

use std::io;
use std::sync::Arc;

use serde_json::Value;

use super::{RunError, Unrecorded};
use crate::context::OrchestrationContext;
use crate::model::document::{ChangeCount, ChangeSet, CommitRequest};
use crate::model::limits::LimitName;
use crate::model::operation::OperationName;
use crate::model::outcome::{Outcome, RunDiagnostics, Usage};
use crate::model::run_record::{CapabilityUse, RunId, RunRecord, RunState};
use crate::run::execution::Execution;
use crate::run::record::{self, Completion, FinishError, RecordedOutcome, RunTracker};
use crate::store::FinishOutcome;

/// Report of a run that started and ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Name of the operation.
    pub operation: OperationName,
    /// Id of the record, if the run is recorded.
    pub run_id: Option<RunId>,
    /// Orchestration context of the request.
    pub context: OrchestrationContext,
    /// Outcome of the run.
    pub outcome: Outcome,
    /// Log and item errors.
    pub trail: RunDiagnostics,
    /// File in the data directory with the log entries that did not fit into the record.
    pub logs_ref: Option<String>,
    /// Resource usage.
    pub usage: Usage,
    /// Limits that were equal to their maxima, so that a call cannot request more. Empty if the
    /// report is the stored result of an earlier run.
    pub at_maximum: Vec<LimitName>,
    /// Number of documents that the run changed, or would have changed without `dry_run`.
    pub changes: ChangeCount,
    /// Changes of a dry run, which were not committed; `None` for other runs.
    pub dry_run: Option<ChangeSet>,
    /// Whether the report is the stored result of an earlier run with the same idempotency key.
    pub from_record: bool,
}

impl RunReport {
    pub(super) fn new(
        execution: &Execution<'_>,
        tracker: &RunTracker,
        context: &OrchestrationContext,
        outcome: Outcome,
        effects: &CommitRequest,
    ) -> Self {
        let changes = &effects.changes;
        let mut trail = execution.guest_output.diagnostics();
        let overflow = tracker.log_overflow();
        trail.log_dropped += overflow.lost;
        Self {
            operation: execution.operation().clone(),
            run_id: tracker.run_id(),
            context: context.clone(),
            outcome,
            trail,
            logs_ref: overflow.reference,
            usage: execution.usage(),
            at_maximum: execution.at_maximum().to_vec(),
            changes: ChangeCount::of(changes),
            dry_run: execution.is_dry().then(|| changes.clone()),
            from_record: false,
        }
    }

    /// Records the end of the run.
    pub(super) async fn record(
        &self,
        tracker: &RunTracker,
        recorded_outcome: RecordedOutcome,
        (effects, capability_use): (&Arc<CommitRequest>, &CapabilityUse),
    ) -> Result<FinishOutcome, RunError> {
        let Self { outcome, trail, usage, changes, dry_run, .. } = self;
        let (usage, changes, is_dry) = (*usage, *changes, dry_run.is_some());
        let ended = Completion {
            outcome,
            recorded_outcome,
            trail,
            usage,
            effects,
            changes,
            capability_use,
            is_dry,
        };
        let source = match tracker.finish(ended).await {
            Ok(
                finished @ (FinishOutcome::Done
                | FinishOutcome::Conflict
                | FinishOutcome::Duplicate(_)),
            ) => return Ok(finished),
            // A record that has an end never changes.
            Ok(FinishOutcome::Lost) => {
                let message = "the run was already marked as crashed by another process";
                io::Error::other(message).into()
            }
            Err(FinishError::NoEffect(error)) => return Err(error.into()),
            Err(FinishError::Lost(error)) => error,
        };
        let (run_id, report) = (tracker.id(), self.clone());
        Err(RunError::Unrecorded(Box::new(Unrecorded { run_id, report, source })))
    }

    /// Inserts the id of the record into an output whose schema has a field for it.
    pub(super) fn with_id(mut self, schema: &Value) -> Self {
        self.outcome = match (self.outcome, self.run_id) {
            (Outcome::Success(output), Some(id)) => {
                Outcome::Success(record::with_task_run_id(output, schema, id))
            }
            (outcome, _) => outcome,
        };
        self
    }

    /// Returns the report of a finished run from its record.
    pub(super) fn from_record(run: RunRecord) -> Self {
        let outcome = match run.state {
            RunState::Success { output, .. } => Outcome::Success(output),
            RunState::Failed { failure, .. } => Outcome::Failed(failure),
            RunState::Pending | RunState::Running { .. } | RunState::Cancelled { .. } => {
                Outcome::Cancelled
            }
        };
        let trail = RunDiagnostics {
            log: run.log_entries,
            log_dropped: run.log_dropped,
            item_errors: run.error_list,
            item_errors_dropped: 0,
        };
        Self {
            operation: run.operation_name,
            run_id: Some(run.id),
            context: OrchestrationContext::default(),
            outcome,
            trail,
            logs_ref: run.logs_ref,
            usage: run.usage.unwrap_or_default(),
            at_maximum: Vec::new(),
            changes: run.changes.unwrap_or_default(),
            dry_run: None,
            from_record: true,
        }
    }
}
