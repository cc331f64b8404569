//! The summary of a run record, for lists.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{RunId, RunRecord, Status};
use crate::model::document::ChangeCount;
use crate::model::operation::OperationName;
use crate::model::outcome::{Actor, FailureKind};

/// A run record without its large fields, for lists of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// See [`RunRecord::id`].
    pub id: RunId,
    /// See [`RunRecord::sequence`].
    pub sequence: u64,
    /// See [`RunRecord::operation_name`].
    pub operation_name: OperationName,
    /// See [`RunRecord::actor`].
    pub actor: Actor,
    /// See [`RunState::status`](super::RunState::status).
    pub status: Status,
    /// Whether the run was a dry run.
    pub dry_run: bool,
    /// See [`RunRecord::changes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeCount>,
    /// Time of the start, if the run started.
    pub started_at: Option<DateTime<Utc>>,
    /// Time of the end, if the run ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Duration in milliseconds, if the run ended.
    pub duration_ms: Option<u64>,
    /// See [`RunRecord::duration`].
    #[serde(skip)]
    pub duration: Option<Duration>,
    /// Kind of the failure.
    pub failure_kind: Option<FailureKind>,
    /// Message of the failure in one line. Guest text: escape it for a terminal.
    pub error_message: Option<String>,
    /// See [`Failure::retryable`](crate::Failure::retryable).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_retryable: Option<bool>,
    /// See [`RunRecord::tags`].
    pub tags: Vec<String>,
    /// See [`RunRecord::orchestrated`].
    pub orchestrated: bool,
    /// See [`RunRecord::prefect_flow_run_id`].
    pub prefect_flow_run_id: Option<String>,
    /// See [`RunRecord::prefect_task_run_id`].
    pub prefect_task_run_id: Option<String>,
    /// See [`RunRecord::rerun_of`].
    pub rerun_of: Option<RunId>,
    /// See [`RunRecord::retry_of`].
    pub retry_of: Option<RunId>,
    /// See [`RunRecord::parent_run_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    /// See [`RunRecord::undo_of`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<RunId>,
    /// See [`RunRecord::undone_by`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<RunId>,
    /// See [`RunRecord::created_at`].
    pub created_at: DateTime<Utc>,
}

impl RunSummary {
    /// Returns whether the run failed and its operation declared the failure permanent.
    ///
    /// [`Request::rerun_of`](crate::Request::rerun_of) does not check this.
    pub fn is_permanent_failure(&self) -> bool {
        self.status == Status::Failed && self.error_retryable == Some(false)
    }
}

impl From<RunRecord> for RunSummary {
    fn from(run: RunRecord) -> Self {
        let failure = run.state.failure();
        Self {
            id: run.id,
            sequence: run.sequence,
            status: run.state.status(),
            dry_run: run.flags().dry_run,
            changes: run.changes,
            started_at: run.state.started_at(),
            finished_at: run.state.finished_at(),
            duration_ms: run.state.duration_ms(),
            duration: run.duration(),
            failure_kind: failure.map(|failure| failure.kind),
            error_message: failure.map(|failure| failure.message.clone()),
            error_retryable: failure.and_then(|failure| failure.retryable),
            operation_name: run.operation_name,
            actor: run.actor,
            tags: run.tags,
            orchestrated: run.orchestrated,
            prefect_flow_run_id: run.prefect_flow_run_id,
            prefect_task_run_id: run.prefect_task_run_id,
            rerun_of: run.rerun_of,
            retry_of: run.retry_of,
            parent_run_id: run.parent_run_id,
            undo_of: run.undo_of,
            undone_by: run.undone_by,
            created_at: run.created_at,
        }
    }
}
