//! Request to run an operation.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::context::OrchestrationContext;
use crate::model::caller::Caller;
use crate::model::limits::LimitRequest;
use crate::model::outcome::Event;
use crate::model::run_record::RunId;
use crate::sandbox::Observer;

/// Request to run an operation.
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    pub(super) operation: String,
    pub(super) input: Value,
    pub(super) caller: Caller,
    pub(super) context: OrchestrationContext,
    pub(super) limits: LimitRequest,
    pub(super) cancel: CancellationToken,
    pub(super) observer: Option<Observer>,
    pub(super) record: RecordRequest,
}

impl Request {
    /// Returns a request with the channel `api`, without a user and without an orchestration
    /// context. The environment of the process is not read.
    pub fn new(operation: impl Into<String>, input: Value) -> Self {
        Self {
            operation: operation.into(),
            input,
            caller: Caller::at("api"),
            context: OrchestrationContext::default(),
            limits: LimitRequest::default(),
            cancel: CancellationToken::new(),
            observer: None,
            record: RecordRequest::default(),
        }
    }

    /// Overrides whether the run is recorded.
    pub fn record(mut self, record: bool) -> Self {
        self.record.record_override = Some(record);
        self
    }

    /// Sets the idempotency key, 1 to 255 characters. If a run of the operation with this key and
    /// input has succeeded in the last 24 hours, its result is returned; another input is an
    /// error. The run is always recorded. A dry run ignores the key.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.record.idempotency_key = Some(key.into());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.record.tags.push(tag.into());
        self
    }

    /// Sets the run that this request repeats.
    pub fn rerun_of(mut self, run: RunId) -> Self {
        self.record.rerun_of = Some(run);
        self
    }

    /// Sets the caller.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Sets the orchestration context.
    pub fn context(mut self, context: OrchestrationContext) -> Self {
        self.context = context;
        self
    }

    /// Requests limits. They override those of the operation and of the host.
    pub fn limits(mut self, limits: LimitRequest) -> Self {
        self.limits = limits;
        self
    }

    /// Sets a cancellation token. The run ends as [`Outcome::Cancelled`](crate::Outcome::Cancelled)
    /// within a few ticks of 10 ms after `cancel` is cancelled.
    pub fn cancellation_token(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Sets a callback for log entries and progress of the guest. The callback runs on the thread
    /// of the guest, so it must be fast.
    pub fn on_event(mut self, observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }
}

/// Settings of a request for the record.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordRequest {
    /// The input before defaults, if there is an idempotency key.
    pub(super) raw_input: Option<Arc<Value>>,
    pub(super) record_override: Option<bool>,
    pub(super) idempotency_key: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) rerun_of: Option<RunId>,
}
