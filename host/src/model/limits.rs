//! Limits of a run and of the compiler: names, amounts and defaults.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of a run. All of them are always on.
///
/// A run that exceeds a limit fails with the failure kind of the limit. Exception: log entries
/// beyond `log` are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time from the call until the final commit, without loading the code. Default 30 s. In
    /// JSON `timeout_ms`, in whole milliseconds.
    #[serde(rename = "timeout_ms", with = "crate::model::outcome::milliseconds")]
    pub timeout: Duration,
    /// Bytes of linear memory, summed over all memories of the instance. Default 128 MiB. A single
    /// instruction can fill all of it and cannot be interrupted.
    pub memory: u64,
    /// Bytes of the output's JSON text. Default 8 MiB.
    pub output: u64,
    /// Bytes of document changes: for each change the id, the JSON texts before and after, and 256
    /// bytes. Default 64 MiB.
    pub effects: u64,
    /// Bytes of log entries in the record. Default 1 MiB.
    pub log: u64,
}

impl Limits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        timeout: Duration::from_secs(30),
        memory: 128 << 20,
        output: 8 << 20,
        effects: 64 << 20,
        log: 1 << 20,
    };

    /// The default maxima: the highest limits that a call can request.
    pub const DEFAULT_MAXIMA: Self = Self {
        timeout: Duration::from_secs(3600),
        memory: 512 << 20,
        output: 64 << 20,
        effects: 1 << 30,
        log: 16 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Requested limits. `None` selects the limit of the operation or of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitRequest {
    /// See [`Limits::timeout`].
    pub timeout: Option<Duration>,
    /// See [`Limits::memory`].
    pub memory: Option<u64>,
    /// See [`Limits::output`].
    pub output: Option<u64>,
    /// See [`Limits::effects`].
    pub effects: Option<u64>,
    /// See [`Limits::log`].
    pub log: Option<u64>,
}

/// Limits that the settings of a host define for one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationLimits {
    /// Limits of calls that request none. They override the hints of the operation.
    pub defaults: LimitRequest,
    /// The highest limits that a call can request. They override the maxima of the host.
    pub maxima: LimitRequest,
}

/// Name of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitName {
    /// [`Limits::timeout`].
    Timeout,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::output`].
    Output,
    /// [`Limits::effects`].
    Effects,
    /// [`Limits::log`].
    Log,
}

impl LimitName {
    pub(crate) const ALL: [Self; 5] =
        [Self::Timeout, Self::Memory, Self::Output, Self::Effects, Self::Log];
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Effects => "effects",
            Self::Log => "log",
        })
    }
}

/// Value of a limit, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A size in bytes.
    Bytes(u64),
    /// A duration.
    Time(Duration),
}

impl From<u64> for Amount {
    fn from(bytes: u64) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Duration> for Amount {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytesize::ByteSize(*bytes).fmt(f),
            Self::Time(time) => humantime::format_duration(*time).fmt(f),
        }
    }
}

/// Limits of compiling one plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileBudget {
    /// Wall time. Default 60 s.
    pub time: Duration,
    /// Bytes of address space. Default 2 GiB.
    pub memory: u64,
}

impl CompileBudget {
    /// The default limits.
    pub const DEFAULT: Self = Self { time: Duration::from_secs(60), memory: 2 << 30 };
}

impl Default for CompileBudget {
    fn default() -> Self {
        Self::DEFAULT
    }
}
