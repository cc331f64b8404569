//! Actor, flags and outcome of a run, its log, item errors and resource usage.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The user and the channel of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user, if the caller or the input names one.
    pub user_id: Option<String>,
    /// The channel: `cli`, `api`, or the name that the caller set.
    pub channel: String,
}

/// Flags of a run. A flag is also set if the input has a field of its name that is `true`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// Report the document changes and do not commit them.
    pub dry_run: bool,
    /// Test mode. The host only passes the flag to the guest.
    pub test_mode: bool,
    /// Verbose output.
    pub verbose: bool,
}

/// Outcome of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The run returned an output that conforms to the operation's schema.
    Success(Value),
    /// The run failed.
    Failed(Failure),
    /// The run was cancelled.
    Cancelled,
}

impl Outcome {
    /// Returns the status: `SUCCESS`, `FAILED` or `CANCELLED`.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Success(_) => "SUCCESS",
            Self::Failed(_) => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Failure of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// Kind of the failure, for programs.
    pub kind: FailureKind,
    /// Message in one line. Guest text: escape it for a terminal.
    pub message: String,
    /// Error code of the plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Details from the plugin, or the violations of the output schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Stack of the wasm code for a trap, or the stack that the plugin reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Whether the plugin declared the failure retryable (`true`) or permanent (`false`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

impl Failure {
    /// Returns a failure with only a kind and a message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            details: None,
            traceback: None,
            retryable: None,
        }
    }
}

/// Kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The operation returned a failure.
    Error,
    /// The guest trapped: a panic, an exit, an illegal instruction.
    Trap,
    /// The run reached its deadline.
    Timeout,
    /// The guest exceeded the memory limit.
    Memory,
    /// The guest exceeded the limit of table elements.
    Table,
    /// The guest overflowed its stack.
    Stack,
    /// The output exceeded its size limit.
    Output,
    /// The output was not JSON or violated the output schema.
    InvalidOutput,
    /// The guest failed after access to a collection outside its models was denied.
    Denied,
    /// The document transaction still had a conflict after the last conflict retry, or a unique
    /// index rejected its changes.
    Conflict,
    /// The document changes exceeded the limit `effects`.
    Effects,
    /// The host ran out of memory or another resource of its machine.
    Host,
    /// The process that executed the run terminated before the run ended.
    Crashed,
    /// A kind of a newer version that this version does not know.
    #[serde(other)]
    Unknown,
}

impl FailureKind {
    /// Every kind that this version writes, in the order of the variants.
    pub const ALL: [Self; Self::Unknown as usize] = [
        Self::Error,
        Self::Trap,
        Self::Timeout,
        Self::Memory,
        Self::Table,
        Self::Stack,
        Self::Output,
        Self::InvalidOutput,
        Self::Denied,
        Self::Conflict,
        Self::Effects,
        Self::Host,
        Self::Crashed,
    ];

    /// Returns the name of the kind, as stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Stack => "stack",
            Self::Output => "output",
            Self::InvalidOutput => "invalid_output",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::Effects => "effects",
            Self::Host => "host",
            Self::Crashed => "crashed",
            Self::Unknown => "unknown",
        }
    }

    /// Returns where the cause of the failure is.
    pub fn blame(self) -> FaultDomain {
        match self {
            Self::Error | Self::Trap | Self::InvalidOutput => FaultDomain::Guest,
            Self::Timeout
            | Self::Memory
            | Self::Table
            | Self::Stack
            | Self::Output
            | Self::Effects => FaultDomain::Limit,
            Self::Denied => FaultDomain::Policy,
            Self::Conflict | Self::Host | Self::Crashed | Self::Unknown => FaultDomain::Host,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of the system that has the cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultDomain {
    /// The plugin.
    Guest,
    /// A limit, or the plugin that needs more than the limit.
    Limit,
    /// The policy, or the plugin that needs a capability which the policy denies.
    Policy,
    /// The host or its machine.
    Host,
}

/// Level of a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Single steps, for the author of the plugin.
    Trace,
    /// Information for finding a fault.
    Debug,
    /// Information for the user.
    Info,
    /// A problem that did not stop the run.
    Warn,
    /// A failure.
    Error,
}

impl LogLevel {
    /// Returns the name of the level in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Source of a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The host.
    Host,
    /// The guest, through the `log` import.
    Guest,
    /// A line that the guest wrote to its standard output.
    Stdout,
    /// A line that the guest wrote to its standard error.
    Stderr,
}

/// One entry of a run's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Time at which the host received the entry.
    pub timestamp: DateTime<Utc>,
    /// Level of the entry.
    pub level: LogLevel,
    /// Message. Guest text: escape it for a terminal.
    pub message: String,
    /// Structured data of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Source of the entry.
    pub source: LogSource,
}

/// The error of one item of a bulk input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemError {
    /// Index of the item in the input, from 0.
    pub index: u64,
    /// The item, or its identifier.
    pub item: Value,
    /// Message of the error.
    pub error: String,
    /// Stack that the plugin reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
}

/// The newest progress report of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Number of completed steps.
    pub done: u64,
    /// Number of all steps, if the guest knows it.
    pub total: Option<u64>,
    /// Name of the current step.
    pub message: Option<String>,
}

/// Event of a running guest.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The log has a new entry.
    Log(&'a LogEntry),
    /// The guest reported progress.
    Progress(&'a Progress),
}

/// Log and item errors of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunDiagnostics {
    /// The log in order, up to its limit.
    pub log: Vec<LogEntry>,
    /// Number of log entries beyond the limit. They are dropped.
    pub log_dropped: u64,
    /// Item errors, up to the limit of the list.
    pub item_errors: Vec<ItemError>,
    /// Number of item errors beyond the limit. They are dropped.
    pub item_errors_dropped: u64,
}

/// Resource usage of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Time from before the creation of the instance until after its destruction, on a monotonic
    /// clock. In JSON `wall_ms`, in whole milliseconds.
    #[serde(rename = "wall_ms", with = "milliseconds")]
    pub wall: Duration,
    /// Peak size of the linear memories of the instance, in bytes, summed.
    pub peak_memory: u64,
    /// Number of executions after the first one, each after a document conflict.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub conflict_retries: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// JSON form of a duration: whole milliseconds.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Serialises a duration, rounded down to milliseconds.
    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// Deserialises a duration.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
