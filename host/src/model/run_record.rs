//! What is kept of a run: the record.
//!
//! The JSON form is flat, and the names are those of the service that this host takes the
//! place of; what is ours besides is left out where it says nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::digest::Digest;
use crate::model::document::{ChangeCount, ChangeKind};
use crate::model::limits::Limits;
use crate::model::operation::OperationName;
use crate::model::outcome::{
    Actor, Failure, FailureKind, Flags, ItemError, LogEntry, Outcome, Usage,
};
use crate::util::clock;

/// What names a run: a UUID whose order is roughly that of time.
///
/// It is identity only. The order of runs is that of [`RunRecord::sequence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Makes an id that no other run has.
    #[expect(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Self {
        Self(clock::uuid())
    }

    /// Returns the id of these sixteen bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Returns the id's sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, ParseRunIdError> {
        text.parse().map(Self).map_err(|_| ParseRunIdError)
    }
}

/// A text that is no run's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a run id")]
pub struct ParseRunIdError;

/// What names a process that runs something, as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(String);

impl OwnerId {
    /// Returns the owner of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a run is on its way, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It waits to be run.
    Pending,
    /// It runs.
    Running,
    /// It returned an output.
    Success,
    /// It did not.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl Status {
    /// All of them, in the order of a run's way.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Success, Self::Failed, Self::Cancelled];

    /// Returns the word, in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Returns whether a run of this status never changes again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the word in any case, and `complete` for `SUCCESS`.
impl FromStr for Status {
    type Err = ParseStatusError;

    fn from_str(text: &str) -> Result<Self, ParseStatusError> {
        if text.eq_ignore_ascii_case("complete") {
            return Ok(Self::Success);
        }
        let named = |status: &Self| status.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(named).ok_or(ParseStatusError)
    }
}

/// A text that is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a status: `pending`, `running`, `success`, `failed` or `cancelled`")]
pub struct ParseStatusError;

/// Where a run is on its way, with what is known there.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// It waits to be run.
    Pending,
    /// It runs, or its process was killed and nobody has noticed yet.
    Running {
        /// When it began.
        started_at: DateTime<Utc>,
    },
    /// It returned an output that conforms to the operation's schema.
    Success {
        /// When it began.
        started_at: DateTime<Utc>,
        /// When it ended.
        finished_at: DateTime<Utc>,
        /// Whole milliseconds from its beginning to its end, on a monotonic clock.
        duration_ms: u64,
        /// What it returned, with secrets masked; null once it was erased.
        output: Value,
    },
    /// It did not.
    Failed {
        /// When it began, if it did.
        started_at: Option<DateTime<Utc>>,
        /// When it ended, or was found dead.
        finished_at: DateTime<Utc>,
        /// As for a success.
        duration_ms: u64,
        /// Why.
        failure: Failure,
    },
    /// The caller stopped it.
    Cancelled {
        /// When it began, if it did.
        started_at: Option<DateTime<Utc>>,
        /// When it ended.
        finished_at: DateTime<Utc>,
        /// As for a success.
        duration_ms: u64,
    },
}

impl RunState {
    /// Returns the state in one word.
    pub fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Running { .. } => Status::Running,
            Self::Success { .. } => Status::Success,
            Self::Failed { .. } => Status::Failed,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// Returns when the run began, if it did.
    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending => None,
            Self::Running { started_at } | Self::Success { started_at, .. } => Some(*started_at),
            Self::Failed { started_at, .. } | Self::Cancelled { started_at, .. } => *started_at,
        }
    }

    /// Returns when the run ended, if it did.
    pub fn finished_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending | Self::Running { .. } => None,
            Self::Success { finished_at, .. }
            | Self::Failed { finished_at, .. }
            | Self::Cancelled { finished_at, .. } => Some(*finished_at),
        }
    }

    /// Returns how many milliseconds the run took, if it ended.
    pub fn duration_ms(&self) -> Option<u64> {
        match self {
            Self::Pending | Self::Running { .. } => None,
            Self::Success { duration_ms, .. }
            | Self::Failed { duration_ms, .. }
            | Self::Cancelled { duration_ms, .. } => Some(*duration_ms),
        }
    }

    /// Returns why the run failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            Self::Pending
            | Self::Running { .. }
            | Self::Success { .. }
            | Self::Cancelled { .. } => None,
        }
    }

    /// Returns the state of a run that ended so, having begun as this one did.
    pub fn finish(&self, outcome: Outcome, finished_at: DateTime<Utc>, duration_ms: u64) -> Self {
        let started_at = self.started_at();
        match outcome {
            Outcome::Success(output) => {
                let started_at = started_at.unwrap_or(finished_at);
                Self::Success { started_at, finished_at, duration_ms, output }
            }
            Outcome::Failed(failure) => {
                Self::Failed { started_at, finished_at, duration_ms, failure }
            }
            Outcome::Cancelled => Self::Cancelled { started_at, finished_at, duration_ms },
        }
    }
}

/// The JSON form of a state: the same fields whatever the state.
#[derive(Serialize, Deserialize)]
struct FlatState<'a> {
    status: Status,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    duration_ms: Option<u64>,
    failure_kind: Option<FailureKind>,
    error_message: Option<Cow<'a, str>>,
    error_traceback: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_code: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_details: Option<Cow<'a, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_retryable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Cow<'a, Value>>,
}

impl Serialize for RunState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failure = self.failure();
        let output = match self {
            Self::Success { output, .. } => Some(Cow::Borrowed(output)),
            Self::Pending | Self::Running { .. } | Self::Failed { .. } | Self::Cancelled { .. } => {
                None
            }
        };
        let flat = FlatState {
            status: self.status(),
            started_at: self.started_at(),
            finished_at: self.finished_at(),
            duration_ms: self.duration_ms(),
            failure_kind: failure.map(|failure| failure.kind),
            error_message: failure.map(|failure| failure.message.as_str().into()),
            error_traceback: failure
                .and_then(|failure| failure.traceback.as_deref())
                .map(Cow::from),
            error_code: failure.and_then(|failure| failure.code.as_deref()).map(Cow::from),
            error_details: failure.and_then(|failure| failure.details.as_ref()).map(Cow::Borrowed),
            error_retryable: failure.and_then(|failure| failure.retryable),
            output,
        };
        flat.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RunState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flat = FlatState::deserialize(deserializer)?;
        flat.state().ok_or_else(|| de::Error::custom("a run without the times of its status"))
    }
}

impl FlatState<'_> {
    fn state(self) -> Option<RunState> {
        let started_at = self.started_at;
        Some(match self.status {
            Status::Pending => RunState::Pending,
            Status::Running => RunState::Running { started_at: started_at? },
            Status::Success => RunState::Success {
                started_at: started_at?,
                finished_at: self.finished_at?,
                duration_ms: self.duration_ms?,
                output: self.output.map_or(Value::Null, Cow::into_owned),
            },
            Status::Failed => RunState::Failed {
                started_at,
                finished_at: self.finished_at?,
                duration_ms: self.duration_ms?,
                failure: Failure {
                    kind: self.failure_kind?,
                    message: self.error_message?.into_owned(),
                    code: self.error_code.map(Cow::into_owned),
                    details: self.error_details.map(Cow::into_owned),
                    traceback: self.error_traceback.map(Cow::into_owned),
                    retryable: self.error_retryable,
                },
            },
            Status::Cancelled => RunState::Cancelled {
                started_at,
                finished_at: self.finished_at?,
                duration_ms: self.duration_ms?,
            },
        })
    }
}

/// A document that a run's output names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRef {
    /// The collection that the document is in.
    pub collection: String,
    /// What names the document there.
    pub document_id: String,
    /// What the run did to it; `None` if the output names it, and the run did not touch it
    /// through the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeKind>,
}

/// A part of a record in which secrets are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Masked {
    /// [`RunRecord::input_dump`]: the run cannot be run again from it.
    Input,
    /// The output.
    Output,
}

/// One of the times that a run was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, or was found dead.
    pub finished_at: DateTime<Utc>,
    /// Why it failed; none for one that succeeded or was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<FailureKind>,
    /// That failure in one line. Guest text: escape it before a terminal sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// What a run could reach outside its sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// What it was given: interfaces of the host that its component imports, such as `log` or
    /// `wasi:clocks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<String>,
    /// What it made use of, as far as that is looked at: collections, such as
    /// `documents/jobs:write`, the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<String>,
    /// What it asked for and was not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
}

impl Capabilities {
    /// Returns whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty() && self.used.is_empty() && self.denied.is_empty()
    }
}

/// The one namespace that there is so far.
pub(crate) const NAMESPACE: &str = "default";

fn default_namespace() -> String {
    NAMESPACE.to_owned()
}

/// What one workflow system says about a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orchestration {
    /// The system's name, such as `prefect`.
    pub system: String,
    /// The flags and variables that say so.
    pub detected_from: Vec<String>,
    /// Its names for the run and its parts, such as `flow_run_id`.
    pub ids: BTreeMap<String, String>,
    /// Where people see it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The record of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// What names it.
    pub id: RunId,
    /// Its place in the order of all runs, from 1. The store's word: 0 before it is there.
    pub sequence: u64,
    /// How often it was written. The store's word: 0 before it is there.
    pub revision: u64,
    /// Where its operation and its idempotency key mean something: `default`.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// What runs.
    pub operation_name: OperationName,
    /// What the caller named the request by, so that it runs once.
    pub idempotency_key: Option<String>,
    /// On whose behalf, through which door.
    pub actor: Actor,
    /// Where it is on its way.
    #[serde(flatten)]
    pub state: RunState,
    /// Whether another system started it.
    pub orchestrated: bool,
    /// The flow run of Prefect that it belongs to.
    pub prefect_flow_run_id: Option<String>,
    /// The task run of Prefect that it is.
    pub prefect_task_run_id: Option<String>,
    /// The input, with the defaults of the schema filled in and secrets masked; null once it was erased.
    pub input_dump: Value,
    /// Where secrets are masked: in the place of each stands an object of `masked` (true), a
    /// keyed `digest` and the `length` of its JSON in bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<Masked>,
    /// The documents that the output names, then those that the run changed, at most a
    /// thousand of these.
    pub result_refs: Vec<ResultRef>,
    /// How many documents it changed, or would have in a dry run; `None` if it changed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeCount>,
    /// The errors of single items, as far as they were kept.
    pub error_list: Vec<ItemError>,
    /// The file with the part of the log that had no room in `log_entries`, in the data
    /// directory: at most 64 MiB, one entry of JSON a line.
    pub logs_ref: Option<String>,
    /// The log, in order, as far as it was kept.
    pub log_entries: Vec<LogEntry>,
    /// How many entries were left out because neither had room for them.
    pub log_dropped: u64,
    /// Words to filter by: the operation's and the caller's.
    pub tags: Vec<String>,
    /// `dry_run`, `test_mode` and `verbose`, `execution_time` in seconds once it ended, and
    /// what callers add.
    pub metadata: Map<String, Value>,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When the record was last written.
    pub updated_at: DateTime<Utc>,
    /// The process that runs it.
    pub owner: OwnerId,
    /// SHA-256 of the component's bytes; `None` for the host's own operations.
    pub component_digest: Option<Digest>,
    /// The plugin's version, as it says itself.
    pub plugin_version: String,
    /// The host's version.
    pub host_version: String,
    /// What it may use.
    pub limits: Limits,
    /// What it can reach.
    #[serde(default, skip_serializing_if = "Capabilities::is_empty")]
    pub capabilities: Capabilities,
    /// The times that it was tried. Empty where there is one alone, as for each direct call:
    /// then that is what the run itself says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Which of those that wait begins first: the highest. None for a direct call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Before when it must not begin. None for a direct call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// What it used, once it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The systems that orchestrate it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orchestration: Vec<Orchestration>,
    /// Where people see the workflow's run, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// The trace that it belongs to, as W3C Trace Context writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The run whose input it was given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<RunId>,
    /// The failed or cancelled run under the same idempotency key that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// The run that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    /// When what it was given, returned and said was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<DateTime<Utc>>,
}

impl RunRecord {
    /// Returns what the caller, or the input, switched on.
    pub fn flags(&self) -> Flags {
        let is = |name| self.metadata.get(name) == Some(&Value::Bool(true));
        Flags { dry_run: is("dry_run"), test_mode: is("test_mode"), verbose: is("verbose") }
    }

    /// Returns whether secrets are masked in a part of it.
    pub fn is_masked(&self, part: Masked) -> bool {
        self.masked.contains(&part)
    }

    /// Returns how long the run took, if it ended: [`RunState::duration_ms`], and below a
    /// millisecond what `execution_time` of [`Self::metadata`] says.
    pub fn duration(&self) -> Option<Duration> {
        const MILLISECOND: Duration = Duration::from_millis(1);
        let whole = Duration::from_millis(self.state.duration_ms()?);
        let seconds = self.metadata.get("execution_time").and_then(Value::as_f64);
        let exact = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let is_known = |exact: &Duration| whole.is_zero() && *exact < MILLISECOND;
        Some(exact.filter(is_known).unwrap_or(whole))
    }

    /// Returns the run's place in time: when it began, or was asked for if it did not.
    pub fn started_or_created_at(&self) -> DateTime<Utc> {
        self.state.started_at().unwrap_or(self.created_at)
    }
}

/// What a list of runs shows of each: a record without what may be large.
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
    /// Where the run is on its way.
    pub status: Status,
    /// Whether nothing of it was kept but this.
    pub dry_run: bool,
    /// See [`RunRecord::changes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeCount>,
    /// When it began, if it did.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, if it did.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many milliseconds it took, if it ended.
    pub duration_ms: Option<u64>,
    /// See [`RunRecord::duration`].
    #[serde(skip)]
    pub duration: Option<Duration>,
    /// What kind of failure it was.
    pub failure_kind: Option<FailureKind>,
    /// The failure in one line. Guest text: escape it before a terminal sees it.
    pub error_message: Option<String>,
    /// See [`Failure::retryable`].
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
    /// See [`RunRecord::created_at`].
    pub created_at: DateTime<Utc>,
}

impl RunSummary {
    /// Returns whether the run failed and its operation declared that the same input will fail
    /// again. [`Request::rerun_of`](crate::Request::rerun_of) does not check this.
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
            created_at: run.created_at,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::outcome::{LogLevel, LogSource};

    /// Returns a run that began now and says nothing more than it must.
    pub(crate) fn running(operation: &str) -> RunRecord {
        let now = Utc::now();
        RunRecord {
            id: RunId::new(),
            sequence: 0,
            revision: 0,
            namespace: default_namespace(),
            operation_name: OperationName::new(operation).unwrap(),
            idempotency_key: None,
            actor: Actor { user_id: None, channel: "cli".into() },
            state: RunState::Running { started_at: now },
            orchestrated: false,
            prefect_flow_run_id: None,
            prefect_task_run_id: None,
            input_dump: json!({"text": "Hello"}),
            masked: Vec::new(),
            result_refs: Vec::new(),
            changes: None,
            error_list: Vec::new(),
            logs_ref: None,
            log_entries: Vec::new(),
            log_dropped: 0,
            tags: Vec::new(),
            metadata: Map::new(),
            created_at: now,
            updated_at: now,
            owner: OwnerId::new("owner"),
            component_digest: Some(Digest::sha256(b"component")),
            plugin_version: "1.0.0".into(),
            host_version: "0.1.0".into(),
            limits: Limits::DEFAULT,
            capabilities: Capabilities::default(),
            attempts: Vec::new(),
            priority: None,
            not_before: None,
            usage: None,
            orchestration: Vec::new(),
            run_url: None,
            traceparent: None,
            rerun_of: None,
            retry_of: None,
            parent_run_id: None,
            erased_at: None,
        }
    }

    fn failure() -> Failure {
        Failure {
            kind: FailureKind::Trap,
            message: "unreachable".into(),
            code: Some("E1".into()),
            details: Some(json!([1])),
            traceback: Some("0: f".into()),
            retryable: Some(false),
        }
    }

    fn again(run: &RunRecord) -> RunRecord {
        serde_json::from_str(&serde_json::to_string(run).unwrap()).unwrap()
    }

    #[test]
    fn l8_a_record_is_flat_json_under_the_known_names() {
        let mut run = running("slugify");
        let now = run.created_at;
        run.state = run.state.finish(Outcome::Failed(failure()), now, 7);
        let json = serde_json::to_value(&run).unwrap();
        let known = [
            "id",
            "namespace",
            "operation_name",
            "idempotency_key",
            "actor",
            "status",
            "started_at",
            "finished_at",
            "duration_ms",
            "orchestrated",
            "prefect_flow_run_id",
            "prefect_task_run_id",
            "input_dump",
            "result_refs",
            "error_list",
            "error_message",
            "error_traceback",
            "logs_ref",
            "log_entries",
            "tags",
            "metadata",
            "created_at",
            "updated_at",
        ];
        for name in known {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json["status"], "FAILED");
        assert_eq!(json["failure_kind"], "trap");
        assert_eq!(json["error_message"], "unreachable");
        assert_eq!(json["duration_ms"], 7);
        assert_eq!(json["limits"]["timeout_ms"], 30_000);
        for name in ["output", "usage", "attempts", "capabilities", "priority", "masked"] {
            assert!(json.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_record_of_an_older_version_is_in_the_one_namespace() {
        let mut json = serde_json::to_value(running("slugify")).unwrap();
        json.as_object_mut().unwrap().remove("namespace");
        let run: RunRecord = serde_json::from_value(json).unwrap();
        assert_eq!(run.namespace, "default");
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut run = running("slugify");
        assert_eq!(again(&run), run);
        let now = run.created_at;
        let ends = [
            Outcome::Success(json!(null)),
            Outcome::Success(json!({"n": [u64::MAX, i64::MIN, 0.5]})),
            Outcome::Failed(failure()),
            Outcome::Cancelled,
        ];
        for end in ends {
            run.state = RunState::Running { started_at: now }.finish(end, now, 1);
            assert_eq!(again(&run), run);
        }
        run.state = RunState::Pending.finish(Outcome::Cancelled, now, 0);
        run.usage =
            Some(Usage { wall: Duration::from_millis(3), peak_memory: 9, conflict_retries: 0 });
        run.log_entries = vec![LogEntry {
            timestamp: now,
            level: LogLevel::Warn,
            message: "m".into(),
            data: None,
            source: LogSource::Stdout,
        }];
        run.rerun_of = Some(RunId::new());
        run.masked = vec![Masked::Output];
        run.capabilities.granted = vec!["log".to_owned()];
        run.attempts = vec![Attempt {
            number: 1,
            started_at: now,
            finished_at: now,
            failure_kind: Some(FailureKind::Timeout),
            error_message: None,
        }];
        (run.priority, run.not_before) = (Some(-1), Some(now));
        run.orchestration = vec![Orchestration {
            system: "prefect".into(),
            detected_from: vec!["PREFECT__FLOW_RUN_ID".to_owned()],
            url: None,
            ids: BTreeMap::from([("flow_run".into(), "f".into())]),
        }];
        assert_eq!(again(&run), run);
    }

    #[test]
    fn l5_a_failure_of_a_newer_version_is_unknown_here() {
        let mut run = running("slugify");
        run.state = run.state.finish(Outcome::Failed(failure()), run.created_at, 7);
        let mut json = serde_json::to_value(&run).unwrap();
        json["failure_kind"] = "melted".into();
        json["of_the_future"] = 1.into();
        let run: RunRecord = serde_json::from_value(json).unwrap();
        assert_eq!(run.state.failure().unwrap().kind, FailureKind::Unknown);
    }

    #[test]
    fn a_status_without_its_times_is_no_record() {
        let mut json = serde_json::to_value(running("slugify")).unwrap();
        json["status"] = "SUCCESS".into();
        assert!(serde_json::from_value::<RunRecord>(json).is_err());
    }

    #[test]
    fn l2_a_status_is_read_in_any_case_and_in_prefactor_s_words() {
        for status in Status::ALL {
            assert_eq!(status.as_str().to_lowercase().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert_eq!("complete".parse(), Ok(Status::Success));
        assert_eq!("done".parse::<Status>(), Err(ParseStatusError));
    }

    #[test]
    fn ids_are_read_as_they_are_shown_and_follow_time() {
        let (first, second) = (RunId::new(), RunId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(RunId::from_bytes(*first.as_bytes()), first);
        assert_eq!("x".parse::<RunId>(), Err(ParseRunIdError));
    }

    #[test]
    fn no_number_is_rounded_when_it_is_kept() {
        // Whether it is depends on how the JSON reader was built.
        let mut bits = 88_172_645_463_325_252_u64;
        for _ in 0..10_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            let number = f64::from_bits(bits);
            let text = json!(number).to_string();
            let read: Value = serde_json::from_str(&text).unwrap();
            assert!(!number.is_finite() || read.as_f64() == Some(number), "{text}");
        }
    }
}
