//! A call of an operation.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::context::OrchestrationContext;
use crate::model::caller::Caller;
use crate::model::limits::LimitRequest;
use crate::model::outcome::Event;
use crate::model::run_record::RunId;
use crate::sandbox::Observer;

/// A call of an operation.
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
    /// Returns a request by nobody in particular through the door `api`, part of nothing: the
    /// environment of this process is not read.
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

    /// Asks for a record, or for none, whatever the operation declares.
    pub fn record(mut self, record: bool) -> Self {
        self.record.record_override = Some(record);
        self
    }

    /// Names this request, so that it runs once: a run of the same operation under the same
    /// key that ended well within a day is the answer, another input under it an error. 1 to
    /// 255 characters. Such a run is always recorded, but for a dry run, which takes no key.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.record.idempotency_key = Some(key.into());
        self
    }

    /// Adds a word to find the run by.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.record.tags.push(tag.into());
        self
    }

    /// Says that this is an earlier run's input once more.
    pub fn rerun_of(mut self, run: RunId) -> Self {
        self.record.rerun_of = Some(run);
        self
    }

    /// Says who asks.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Says what the run is part of.
    pub fn context(mut self, context: OrchestrationContext) -> Self {
        self.context = context;
        self
    }

    /// Asks for limits other than the operation's and the host's.
    pub fn limits(mut self, limits: LimitRequest) -> Self {
        self.limits = limits;
        self
    }

    /// Lets the run be stopped: it ends as [`Outcome::Cancelled`](crate::Outcome::Cancelled) within a few ticks of ten
    /// milliseconds after `cancel` is cancelled.
    pub fn cancellation_token(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Lets someone hear the guest's log and progress while it runs.
    ///
    /// Called on the thread that runs the guest, so it should be quick.
    pub fn on_event(mut self, observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }
}

/// What a caller says of the record of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordRequest {
    /// The input as it came, where there is a key.
    pub(super) asked_input: Option<Arc<Value>>,
    pub(super) record_override: Option<bool>,
    pub(super) idempotency_key: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) rerun_of: Option<RunId>,
}
