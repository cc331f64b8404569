//! Errors of runs that did not start, and of building a host.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::RunReport;
use crate::model::document::ChangeCount;
use crate::model::limits::{Amount, CompileLimit};
use crate::model::operation::OperationName;
use crate::model::run_record::RunId;
use crate::policy::PolicyError;
use crate::registry::RegistryError;
use crate::registry::catalog::RejectedFile;
use crate::sandbox::SandboxError;
use crate::store::StoreError;
use crate::util::os_error::Shortage;
use crate::util::trust::Untrusted;
use ophost_schema::Violations;

/// Error of a run that did not start, except for [`RunError::Unrecorded`].
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No loaded plugin has an operation with this name.
    #[error("no operation named `{name}`")]
    NoSuchOperation {
        /// The requested name.
        name: String,
        /// A similar existing name.
        similar: Option<String>,
        /// The rejected plugin files whose operations are unknown. The operation may be in one of
        /// them.
        rejected: Vec<RejectedFile>,
    },
    /// No trusted plugin has an operation with this name. It may be in an untrusted file.
    #[error("no operation named `{name}` in the trusted plugins; untrusted: {untrusted}")]
    Untrusted {
        /// The requested name.
        name: String,
        /// The untrusted plugin files.
        untrusted: Untrusted,
    },
    /// The operation is in a rejected plugin file.
    #[error("`{name}` is in `{}`, which was rejected: {reason}", file.display())]
    PluginRejected {
        /// The requested name.
        name: String,
        /// The first rejected file with the operation.
        file: PathBuf,
        /// The reason for the rejection.
        reason: String,
    },
    /// The input violates the input schema.
    #[error("the input of `{operation}` {violations}")]
    InvalidInput {
        /// The operation.
        operation: OperationName,
        /// The violations.
        violations: Violations,
    },
    /// The requested limits are not allowed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The record could not be written, or the idempotency key could not be checked. The run did
    /// not start, or was stopped, and has no effect.
    #[error("the run had no effect, because its record cannot be written")]
    Store(#[from] StoreError),
    /// The store does not accept document changes.
    #[error("`{operation}` was not run, because its document changes cannot be committed")]
    Unkeepable {
        /// The operation.
        operation: OperationName,
        /// The error of the store.
        source: StoreError,
    },
    /// The run ended, but its end could not be recorded.
    #[error(transparent)]
    Unrecorded(Box<Unrecorded>),
    /// The deadline passed before the run started.
    #[error("still checking the input of `{operation}` after {}: no run started", Amount::Time(*timeout))]
    TimedOut {
        /// The operation.
        operation: OperationName,
        /// The time limit.
        timeout: Duration,
        /// Whether the time limit is the maximum of the host.
        at_maximum: bool,
    },
    /// The request was cancelled before the run started.
    #[error("cancelled before the run of `{operation}` started")]
    Cancelled {
        /// The operation.
        operation: OperationName,
    },
    /// A run with the same idempotency key is in progress.
    #[error("run {run_id} with the same idempotency key is still in progress")]
    InProgress {
        /// The run in progress.
        run_id: RunId,
    },
    /// A run with the same idempotency key succeeded, and its output was erased.
    #[error("run {run_id} with the same idempotency key succeeded, but its output was erased")]
    Erased {
        /// The earlier run.
        run_id: RunId,
    },
    /// A run with the same idempotency key succeeded, and its document changes were undone.
    #[error("run {run_id} with the same idempotency key succeeded, but was undone by run {by}")]
    Undone {
        /// The earlier run.
        run_id: RunId,
        /// The undo.
        by: RunId,
    },
    /// A run with the same idempotency key succeeded, and its output contains secrets, which are
    /// not stored.
    #[error(
        "run {run_id} with the same idempotency key succeeded, but its output contains secrets, \
         which are not stored"
    )]
    Masked {
        /// The earlier run.
        run_id: RunId,
    },
    /// The idempotency key belongs to a run with another input.
    #[error(
        "the idempotency key belongs to run {run_id}, which had another input{}",
        if inputs.is_none() { " (erased)" } else { "" }
    )]
    Conflict {
        /// The earlier run.
        run_id: RunId,
        /// The inputs of the earlier run and of the request, with defaults and masked secrets;
        /// `None` if the earlier input was erased.
        inputs: Option<Box<(Value, Value)>>,
    },
    /// The host ran out of a resource before the run started.
    #[error("the operation `{operation}` cannot be run")]
    Shortage {
        /// The operation.
        operation: OperationName,
        /// The resource.
        source: Shortage,
    },
    /// The plugin file of the operation has changed or cannot be loaded.
    #[error("the operation `{operation}` cannot be loaded from `{}`: {reason}", file.display())]
    Unavailable {
        /// The operation.
        operation: OperationName,
        /// The plugin file.
        file: PathBuf,
        /// The reason.
        reason: String,
        /// The limit that compilation exceeded, if that is the reason.
        exceeded: Option<CompileLimit>,
    },
}

/// A run that ended, but whose end could not be recorded.
///
/// Its document changes are not committed, unless the source is [`StoreError::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Unrecorded {
    /// Id of the run.
    pub run_id: RunId,
    /// The report.
    pub report: RunReport,
    /// The error of the store.
    pub source: StoreError,
}

impl Unrecorded {
    fn text(&self) -> String {
        let Self { run_id, report, source } = self;
        let has_changes = report.changes != ChangeCount::default();
        let lost = has_changes && !matches!(source, StoreError::OutcomeUnknown(_));
        match (lost, report.run_id) {
            (true, None) => {
                format!("`{}` ended, but its document changes were not committed", report.operation)
            }
            (true, Some(_)) => format!(
                "run {run_id} ended, but its end cannot be recorded: its document changes were not \
                 committed"
            ),
            (false, _) => format!("run {run_id} ended, but its end cannot be recorded"),
        }
    }
}

/// Error of building or reloading a host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Wasm cannot run on this machine.
    #[error("cannot run wasm: {0}")]
    Sandbox(String),
    /// The host ran out of a resource.
    #[error("cannot start the host")]
    Shortage(#[source] Shortage),
    /// The plugin directories cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<SandboxError> for HostError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Shortage(shortage) => Self::Shortage(shortage),
            error => Self::Sandbox(error.to_string()),
        }
    }
}
