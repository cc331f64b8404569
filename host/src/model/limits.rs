//! Limits of a run and of the compiler: names, amounts and defaults.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The bounds of one run. They are always on; each one that is exceeded fails the run
/// with a kind of its own, but for the log, which is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time from the call until the end is about to be written, without the loading of the
    /// code. Default 30 s. In JSON whole milliseconds, as
    /// `timeout_ms`.
    #[serde(rename = "timeout_ms", with = "crate::model::outcome::milliseconds")]
    pub timeout: Duration,
    /// Bytes of linear memory, summed over all memories of the instance. Default 128 MiB. One
    /// instruction of a guest may fill all of it, and is not interrupted.
    pub memory: u64,
    /// Bytes of the output's JSON text. Default 8 MiB.
    pub output: u64,
    /// Bytes of documents that it may write: of each, its id, its JSON texts before and after,
    /// and 256 more. Default 64 MiB.
    pub effects: u64,
    /// Bytes of log that are kept. Default 1 MiB.
    pub log: u64,
}

impl Limits {
    /// The bounds where nobody says otherwise.
    pub const DEFAULT: Self = Self {
        timeout: Duration::from_secs(30),
        memory: 128 << 20,
        output: 8 << 20,
        effects: 64 << 20,
        log: 1 << 20,
    };

    /// The most that a call may ask for where the host does not say otherwise.
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

/// The bounds that a caller asks for; what is `None` is left to the operation and the host.
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

/// What a host says of one operation, over what it says of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationLimits {
    /// What its runs get where the caller says nothing. Wins over the operation's hints.
    pub defaults: LimitRequest,
    /// The most that its callers may ask for. Wins over the host's maxima, both ways.
    pub maxima: LimitRequest,
}

/// Which limit an error speaks of.
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

/// A limit's value, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A number of bytes.
    Bytes(u64),
    /// A time.
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

/// What compiling one plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileBudget {
    /// Wall time. Default 60 s.
    pub time: Duration,
    /// Bytes of address space. Default 2 GiB.
    pub memory: u64,
}

impl CompileBudget {
    /// The budget where nobody says otherwise.
    pub const DEFAULT: Self = Self { time: Duration::from_secs(60), memory: 2 << 30 };
}

impl Default for CompileBudget {
    fn default() -> Self {
        Self::DEFAULT
    }
}
