//! Operations of the host itself, which change documents without a plugin.

use async_trait::async_trait;
use ophost_document::Interruption;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::transaction::DocumentTransaction;
use crate::context::OrchestrationContext;
use crate::model::caller::Caller;
use crate::model::document::{CollectionName, DocumentError};
use crate::model::operation::{Hints, Operation, OperationName};
use crate::model::outcome::{Event, Failure, FailureKind};
use crate::model::run_record::RunId;
use crate::sandbox::{DocumentCallError, GuestOutput, InvokeError, Observer};

/// Number of documents between two progress reports. A built-in operation also yields to other
/// tasks then.
const REPORT_INTERVAL: usize = 256;

/// A built-in operation with its input.
#[async_trait]
pub(crate) trait BuiltIn: Send + Sync {
    /// Returns the operation, which can write to the collections of its documents.
    fn operation(&self) -> Operation;

    /// Returns the input for the record.
    fn input(&self) -> Value;

    /// Returns the activity for the message of a timeout, such as `the documents were being
    /// imported`.
    fn activity(&self) -> &'static str;

    /// Returns the parent run.
    fn parent(&self) -> Option<RunId> {
        None
    }

    /// Returns the run whose changes this run reverts.
    fn undo_of(&self) -> Option<RunId> {
        None
    }

    /// Returns the minimum of the limit `effects`, in bytes.
    fn min_effects(&self) -> u64 {
        0
    }

    /// Executes the operation and returns its output.
    async fn execute(&self, call: BuiltInCall<'_>) -> Result<Value, InvokeError>;
}

/// One execution of a built-in operation.
pub(crate) struct BuiltInCall<'a> {
    pub(crate) documents: &'a DocumentTransaction,
    pub(crate) output: &'a GuestOutput,
    /// Returns the reason to stop, if there is one.
    pub(crate) stopped: &'a (dyn Fn() -> Option<InvokeError> + Sync),
}

impl BuiltInCall<'_> {
    /// Reports the progress before the document with this index, and yields to other tasks, once
    /// per [`REPORT_INTERVAL`].
    ///
    /// # Errors
    ///
    /// Returns [`InvokeError`] if the operation must stop.
    pub(crate) async fn advance(&self, index: usize, total: usize) -> Result<(), InvokeError> {
        if !index.is_multiple_of(REPORT_INTERVAL) {
            return Ok(());
        }
        self.output.progress(index as u64, Some(total as u64), None);
        tokio::task::yield_now().await;
        (self.stopped)().map_or(Ok(()), Err)
    }
}

/// Settings of a run of a built-in operation: the caller, and how to follow and stop the run.
#[derive(Clone, Debug)]
#[must_use]
pub struct CallSettings {
    pub(crate) caller: Caller,
    pub(crate) context: OrchestrationContext,
    pub(crate) cancel: CancellationToken,
    pub(crate) observer: Option<Observer>,
}

impl Default for CallSettings {
    /// Returns settings with the channel `api`, without a user and without an orchestration
    /// context.
    fn default() -> Self {
        Self {
            caller: Caller::at("api"),
            context: OrchestrationContext::default(),
            cancel: CancellationToken::new(),
            observer: None,
        }
    }
}

impl CallSettings {
    /// Sets the caller. A dry run commits nothing.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Sets the orchestration context.
    pub fn context(mut self, context: OrchestrationContext) -> Self {
        self.context = context;
        self
    }

    /// Sets a cancellation token. A cancelled run commits nothing.
    pub fn cancellation_token(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Sets a callback for progress.
    pub fn on_event(mut self, observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }
}

/// Returns a built-in operation that can write to these collections.
pub(crate) fn operation(
    name: OperationName,
    description: &str,
    collections: impl IntoIterator<Item = CollectionName>,
) -> Operation {
    let collections = collections.into_iter().map(|name| (name.to_string(), name));
    let hints = Hints { collections: collections.collect(), ..Hints::default() };
    Operation {
        name,
        description: description.to_owned(),
        category: "ophost".to_owned(),
        input_schema: json!({}),
        output_schema: json!({}),
        tags: Vec::new(),
        permissions: Vec::new(),
        models_in: Vec::new(),
        models_out: hints.collections.keys().cloned().collect(),
        stage: None,
        async_enabled: true,
        create_taskrun: true,
        hints,
        annotations: Default::default(),
    }
}

/// Returns the error of a run whose call for a document failed. `describe` adds the document to a
/// message.
pub(crate) fn failed(
    error: DocumentCallError,
    activity: &str,
    describe: impl Fn(String) -> String,
) -> InvokeError {
    let (kind, message) = match error {
        DocumentCallError::Conflict => return InvokeError::Conflict,
        DocumentCallError::Interrupted(Interruption::Cancelled) => return InvokeError::Cancelled,
        DocumentCallError::Interrupted(Interruption::Deadline | Interruption::Steps) => {
            (FailureKind::Timeout, describe(format!("the deadline passed while {activity}")))
        }
        DocumentCallError::ChangesTooLarge => {
            let message = "the documents exceed the limit of document changes";
            (FailureKind::Effects, message.to_owned())
        }
        DocumentCallError::Denied(text) => (FailureKind::Denied, text),
        DocumentCallError::Store(text) => (FailureKind::Error, text),
        DocumentCallError::Error(DocumentError::NotFound) => {
            let message = describe(DocumentError::NotFound.to_string());
            let (failure, code) =
                (Failure::new(FailureKind::Error, message), "not-found".to_owned());
            return InvokeError::Failed(Box::new(Failure { code: Some(code), ..failure }));
        }
        DocumentCallError::Error(error) => (FailureKind::Error, describe(error.to_string())),
    };
    InvokeError::Failed(Box::new(Failure::new(kind, message)))
}
