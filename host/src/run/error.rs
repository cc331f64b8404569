//! Why a run did not begin, and why there is no host.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::RunReport;
use crate::model::document::ChangeCount;
use crate::model::limits::Amount;
use crate::model::operation::OperationName;
use crate::model::run_record::RunId;
use crate::policy::PolicyError;
use crate::registry::RegistryError;
use crate::sandbox::SandboxError;
use crate::store::StoreError;
use crate::util::os_error::Shortage;
use crate::util::trust::Untrusted;
use ophost_schema::Violations;

/// A run that did not begin; nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No plugin holds an operation of that name.
    #[error("no operation is called `{name}`")]
    NoSuchOperation {
        /// The name asked for.
        name: String,
        /// A known name that is much like it.
        similar: Option<String>,
        /// How many plugin files are not used; the operation may be in one of them.
        refused: usize,
    },
    /// No plugin that is used holds an operation of that name, and it may be in a file that is not
    /// used since others can change it.
    #[error(
        "no operation is called `{name}` in the plugins that are trusted; not trusted: {untrusted}"
    )]
    Untrusted {
        /// The name asked for.
        name: String,
        /// The plugin files that are not trusted.
        untrusted: Untrusted,
    },
    /// A file holds an operation of that name, and the file is not used.
    #[error("`{name}` is in `{}`, which is not used: {reason}", file.display())]
    PluginRejected {
        /// The name asked for.
        name: String,
        /// The file; there may be more of them.
        file: PathBuf,
        /// Why it is not used, in one sentence.
        reason: String,
    },
    /// The input breaks the operation's schema.
    #[error("the input of `{operation}` {violations}")]
    InvalidInput {
        /// The operation.
        operation: OperationName,
        /// Every place where the input breaks its schema.
        violations: Violations,
    },
    /// The limits asked for are not allowed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The record of its beginning could not be written, or whether the idempotency key is
    /// free could not be found out. It did not run.
    #[error("it was not run: its record cannot be written")]
    Store(#[from] StoreError),
    /// What it may change of documents could not be kept. It did not run.
    #[error("`{operation}` was not run: its changes of documents cannot be kept")]
    Unkeepable {
        /// The operation.
        operation: OperationName,
        /// Why they cannot be kept.
        source: StoreError,
    },
    /// It ran, but how it ended could not be written.
    #[error(transparent)]
    Unrecorded(Box<Unrecorded>),
    /// Its deadline passed before it began, while its input was checked and written down.
    #[error("still checking the input of `{operation}` after {}: no run began", Amount::Time(*timeout))]
    TimedOut {
        /// The operation.
        operation: OperationName,
        /// How long it could take.
        timeout: Duration,
        /// Whether that is the most that this host allows.
        at_maximum: bool,
    },
    /// It was cancelled before it began.
    #[error("cancelled before the run of `{operation}` began")]
    Cancelled {
        /// The operation.
        operation: OperationName,
    },
    /// A run under the same idempotency key has not ended.
    #[error("run {run_id} under the same idempotency key is still running")]
    InProgress {
        /// That run.
        run_id: RunId,
    },
    /// The idempotency key belongs to a run that ended well, and whose answer was erased.
    #[error("run {run_id} under the same idempotency key succeeded, and its answer was erased")]
    Erased {
        /// That run.
        run_id: RunId,
    },
    /// The idempotency key belongs to a run that ended well, and whose answer holds secrets:
    /// those are not kept, so that it cannot be given again.
    #[error(
        "run {run_id} under the same idempotency key succeeded; its answer holds secrets, \
         which are not kept"
    )]
    Masked {
        /// That run.
        run_id: RunId,
    },
    /// The idempotency key belongs to a run with another input.
    #[error(
        "the idempotency key belongs to run {run_id}, which had another input{}",
        if inputs.is_none() { "; that was erased" } else { "" }
    )]
    Conflict {
        /// That run.
        run_id: RunId,
        /// That run's input, and this request's, both with their defaults and secrets masked;
        /// `None` if that run's was erased.
        inputs: Option<Box<(Value, Value)>>,
    },
    /// The host ran out of something while it loaded the operation, or checked its input. It
    /// did not run.
    #[error("the operation `{operation}` cannot be run now")]
    Shortage {
        /// The operation.
        operation: OperationName,
        /// What it ran out of.
        source: Shortage,
    },
    /// The operation is known, but its file is not what it was, or cannot be loaded.
    #[error("the operation `{operation}` cannot be loaded from `{}`: {reason}", file.display())]
    Unavailable {
        /// The operation.
        operation: OperationName,
        /// Where it was.
        file: PathBuf,
        /// Why, in one sentence.
        reason: String,
    },
}

/// A run that ended, and whose end could not be written.
///
/// What it changed of documents is not kept, unless [`StoreError::OutcomeUnknown`] is the reason.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Unrecorded {
    /// The run.
    pub run_id: RunId,
    /// How it ended.
    pub report: RunReport,
    /// Why that could not be written.
    pub source: StoreError,
}

impl Unrecorded {
    fn text(&self) -> String {
        let Self { run_id, report, source } = self;
        let has_changes = report.changes != ChangeCount::default();
        let lost = has_changes && !matches!(source, StoreError::OutcomeUnknown(_));
        match (lost, report.run_id) {
            (true, None) => {
                format!("`{}` ended, but its changes of documents are not kept", report.operation)
            }
            (true, Some(_)) => format!(
                "run {run_id} ended, but that cannot be written: its changes of documents are not kept"
            ),
            (false, _) => format!("run {run_id} ended, but that cannot be written"),
        }
    }
}

/// A host that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Wasm cannot run here.
    #[error("cannot run wasm: {0}")]
    Sandbox(String),
    /// The host ran out of something.
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
