//! What a run is: who asked, how it ended, what it left behind.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// On whose behalf a run happens, and through which door the call came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user, if the caller or the input said so.
    pub user_id: Option<String>,
    /// `cli`, `api`, or what the caller named.
    pub channel: String,
}

/// What a caller may switch on for a run. Each is also true if the input has a field of
/// that name which is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// Show what would happen and keep nothing of it.
    pub dry_run: bool,
    /// This is a test; only told to the guest.
    pub test_mode: bool,
    /// Say more.
    pub verbose: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It returned an output that conforms to the operation's schema.
    Success(Value),
    /// It did not.
    Failed(Failure),
    /// The caller stopped it.
    Cancelled,
}

impl Outcome {
    /// Returns the word for the outcome: `SUCCESS`, `FAILED` or `CANCELLED`.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Success(_) => "SUCCESS",
            Self::Failed(_) => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The kind, for programs.
    pub kind: FailureKind,
    /// One line for people. Guest text: escape it before a terminal sees it.
    pub message: String,
    /// The plugin's own word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the plugin, or the output's schema, says further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// The guest's stack: of the wasm code for a trap, its own for a declared failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Whether the plugin said that trying again helps (true) or does not (false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

impl Failure {
    /// Returns a failure that has nothing but a kind and a message.
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

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The operation returned a failure.
    Error,
    /// The guest trapped: a panic, an exit, an illegal instruction.
    Trap,
    /// It was still running at its deadline.
    Timeout,
    /// It needed more memory than it may use.
    Memory,
    /// It needed larger tables than it may use.
    Table,
    /// It called too deep.
    Stack,
    /// Its output was larger than allowed.
    Output,
    /// Its output was not JSON or broke its own schema.
    InvalidOutput,
    /// It asked for what its models do not name, and failed because it was denied.
    Denied,
    /// Other runs changed what it read, however often it was executed again.
    Conflict,
    /// It wrote more of documents than it may.
    Effects,
    /// The host ran out of memory or another resource of its machine.
    Host,
    /// The process that ran it was gone before it ended.
    Crashed,
    /// A kind that a newer version wrote and this one does not know.
    #[serde(other)]
    Unknown,
}

impl FailureKind {
    /// Every kind that this version writes, as they are listed above.
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

    /// Returns the word for the kind, as stored and shown.
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

    /// Returns who has to do something about it.
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

/// Who has to do something about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultDomain {
    /// The plugin's author.
    Guest,
    /// Whoever sets the limits, or the author for needing so much.
    Limit,
    /// Whoever says what may be reached, or the author for asking.
    Policy,
    /// Whoever runs the host.
    Host,
}

/// How much an entry of a log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Every step, for the author.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What a user may want to know.
    Info,
    /// Something odd that did not stop the work.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// Returns the word for the level, in upper case.
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

/// Where an entry of a log comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The host itself.
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
    /// When the host got it.
    pub timestamp: DateTime<Utc>,
    /// How much it matters.
    pub level: LogLevel,
    /// Guest text: escape it before a terminal sees it.
    pub message: String,
    /// What belongs to the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Where it comes from.
    pub source: LogSource,
}

/// The error of one item of a bulk input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemError {
    /// The item's place in the input, from 0.
    pub index: u64,
    /// The item, or what identifies it.
    pub item: Value,
    /// What went wrong with it.
    pub error: String,
    /// The guest's own stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
}

/// The newest that a guest said about how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The steps that are done.
    pub done: u64,
    /// All steps, where the guest knows.
    pub total: Option<u64>,
    /// What it is doing.
    pub message: Option<String>,
}

/// Something that a running guest lets the outside know.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// An entry was added to the log.
    Log(&'a LogEntry),
    /// The guest reported progress.
    Progress(&'a Progress),
}

/// What a run left behind besides its outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunDiagnostics {
    /// The log, in order, as far as it was kept.
    pub log: Vec<LogEntry>,
    /// How many entries were left out because the log had no room for them.
    pub log_dropped: u64,
    /// The errors of single items, as far as they were kept.
    pub item_errors: Vec<ItemError>,
    /// How many item errors were left out because the list had no room for them.
    pub item_errors_dropped: u64,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From just before the instance was made until it was gone, on a monotonic clock. In
    /// JSON whole milliseconds, as `wall_ms`.
    #[serde(rename = "wall_ms", with = "milliseconds")]
    pub wall: Duration,
    /// The most memory that the instance had at once, in bytes, summed over its memories.
    pub peak_memory: u64,
    /// How often it was executed again because other runs changed what it had read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub conflict_retries: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A time as whole milliseconds in JSON.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes the time, cut to milliseconds.
    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads a time.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
