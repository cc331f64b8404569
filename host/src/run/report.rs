//! How a run ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{RunError, Unrecorded};
use crate::context::OrchestrationContext;
use crate::model::document::{ChangeCount, ChangeSet, CommitRequest};
use crate::model::limits::LimitName;
use crate::model::operation::OperationName;
use crate::model::outcome::{Outcome, RunDiagnostics, Usage};
use crate::model::run_record::{RunId, RunRecord, RunState};
use crate::run::execution::Execution;
use crate::run::record::{self, Completion, KeptOutcome, RunTracker, TrackerOutcome};

/// A run that began and ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// What was run.
    pub operation: OperationName,
    /// The record's id, if it is recorded.
    pub run_id: Option<RunId>,
    /// What it was part of, as the request said.
    pub context: OrchestrationContext,
    /// How it ended.
    pub outcome: Outcome,
    /// What it left behind.
    pub trail: RunDiagnostics,
    /// The file with the rest of its log, in the data directory, if that is recorded and too
    /// long for the record.
    pub logs_ref: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// Which of its limits were the highest that this host allows: a call cannot ask for more.
    /// Empty for what is [from the record](Self::from_record).
    pub at_maximum: Vec<LimitName>,
    /// How many documents it changed, or would have in a dry run.
    pub changes: ChangeCount,
    /// What it would have changed in a dry run, of which nothing is kept; `None` if it was none.
    pub dry_run: Option<ChangeSet>,
    /// Whether nothing was executed: this is what the record says of the run that has the
    /// request's idempotency key.
    pub from_record: bool,
}

impl RunReport {
    pub(super) fn new(
        execution: &Execution<'_>,
        keeping: &RunTracker,
        context: &OrchestrationContext,
        outcome: Outcome,
        effects: &CommitRequest,
    ) -> Self {
        let changes = &effects.changes;
        let mut trail = execution.journal.diagnostics();
        let rest = keeping.rest_of_log();
        trail.log_dropped += rest.lost;
        Self {
            operation: execution.operation().clone(),
            run_id: keeping.run_id(),
            context: context.clone(),
            outcome,
            trail,
            logs_ref: rest.reference,
            usage: execution.usage(),
            at_maximum: execution.at_maximum().to_vec(),
            changes: ChangeCount::of(changes),
            dry_run: execution.is_dry().then(|| changes.clone()),
            from_record: false,
        }
    }

    /// Keeps what is to be kept of the run.
    pub(super) async fn record(
        &self,
        keeping: &RunTracker,
        kept: KeptOutcome,
        (effects, reached): (&Arc<CommitRequest>, &[BTreeSet<String>; 2]),
    ) -> Result<TrackerOutcome, RunError> {
        let Self { outcome, trail, usage, changes, dry_run, .. } = self;
        let (usage, changes, is_dry) = (*usage, *changes, dry_run.is_some());
        let ended = Completion { outcome, kept, trail, usage, effects, changes, reached, is_dry };
        let run_id = keeping.id();
        keeping.finish(ended).await.map_err(|source| {
            RunError::Unrecorded(Box::new(Unrecorded { run_id, report: self.clone(), source }))
        })
    }

    /// Puts the record's id into an output whose schema has a field for it.
    pub(super) fn with_id(mut self, schema: &Value) -> Self {
        self.outcome = match (self.outcome, self.run_id) {
            (Outcome::Success(output), Some(id)) => {
                Outcome::Success(record::with_task_run_id(output, schema, id))
            }
            (outcome, _) => outcome,
        };
        self
    }

    /// Returns what a record says of a run that ended.
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
