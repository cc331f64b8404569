//! The status of a run, and its state with the data of that status.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::model::outcome::{Failure, FailureKind, Outcome};

/// Status of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// The run waits for its start.
    Pending,
    /// The run is executing.
    Running,
    /// The run returned a valid output.
    Success,
    /// The run failed.
    Failed,
    /// The run was cancelled.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a run's life cycle.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Success, Self::Failed, Self::Cancelled];

    /// Returns the name in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Returns whether a run with this status has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses the name in any case, and `complete` as `SUCCESS`.
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

/// The error of parsing a [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a status: `pending`, `running`, `success`, `failed` or `cancelled`")]
pub struct ParseStatusError;

/// State of a run: its status and the data of that status.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// The run waits for its start.
    Pending,
    /// The run is executing, or its process terminated and the run is not marked as crashed yet.
    Running {
        /// Time of the start.
        started_at: DateTime<Utc>,
    },
    /// The run returned an output that conforms to the operation's schema.
    Success {
        /// Time of the start.
        started_at: DateTime<Utc>,
        /// Time of the end.
        finished_at: DateTime<Utc>,
        /// Whole milliseconds from start to end, on a monotonic clock.
        duration_ms: u64,
        /// The output with masked secrets; null after the record was erased.
        output: Value,
    },
    /// The run failed.
    Failed {
        /// Time of the start; `None` if the run did not start.
        started_at: Option<DateTime<Utc>>,
        /// Time of the end, or of marking the run as crashed.
        finished_at: DateTime<Utc>,
        /// Whole milliseconds from start to end, on a monotonic clock.
        duration_ms: u64,
        /// The failure.
        failure: Failure,
    },
    /// The run was cancelled.
    Cancelled {
        /// Time of the start; `None` if the run did not start.
        started_at: Option<DateTime<Utc>>,
        /// Time of the end.
        finished_at: DateTime<Utc>,
        /// Whole milliseconds from start to end, on a monotonic clock.
        duration_ms: u64,
    },
}

impl RunState {
    /// Returns the status.
    pub fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Running { .. } => Status::Running,
            Self::Success { .. } => Status::Success,
            Self::Failed { .. } => Status::Failed,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// Returns the time of the start, if the run started.
    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending => None,
            Self::Running { started_at } | Self::Success { started_at, .. } => Some(*started_at),
            Self::Failed { started_at, .. } | Self::Cancelled { started_at, .. } => *started_at,
        }
    }

    /// Returns the time of the end, if the run ended.
    pub fn finished_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending | Self::Running { .. } => None,
            Self::Success { finished_at, .. }
            | Self::Failed { finished_at, .. }
            | Self::Cancelled { finished_at, .. } => Some(*finished_at),
        }
    }

    /// Returns the duration in milliseconds, if the run ended.
    pub fn duration_ms(&self) -> Option<u64> {
        match self {
            Self::Pending | Self::Running { .. } => None,
            Self::Success { duration_ms, .. }
            | Self::Failed { duration_ms, .. }
            | Self::Cancelled { duration_ms, .. } => Some(*duration_ms),
        }
    }

    /// Returns the failure, if the run failed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            Self::Pending
            | Self::Running { .. }
            | Self::Success { .. }
            | Self::Cancelled { .. } => None,
        }
    }

    /// Returns the state of this run after it ended with `outcome`.
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

/// The JSON form of a state: every state has the same fields.
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
        flat.state()
            .ok_or_else(|| de::Error::custom("the times that belong to the status are missing"))
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
