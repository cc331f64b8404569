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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileBudget {
    /// CPU time, summed over all threads of the compiler, in seconds that are rounded up. Default
    /// 4 min. The wall time is limited to ten times as much, because other processes may need the
    /// CPU.
    pub time: Duration,
    /// Bytes of address space. Default 2 GiB.
    pub memory: u64,
}

impl CompileBudget {
    /// The default limits: the CPU time of four threads in one minute.
    pub const DEFAULT: Self = Self { time: Duration::from_secs(240), memory: 2 << 30 };

    /// Returns the maximum of the wall time.
    pub(crate) fn wall_time(self) -> Duration {
        self.time.saturating_mul(10)
    }
}

impl Default for CompileBudget {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A limit of compiling a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileLimit {
    /// [`CompileBudget::time`].
    CpuTime,
    /// Ten times [`CompileBudget::time`], as wall time.
    WallTime,
    /// [`CompileBudget::memory`].
    Memory,
}

/// A limit of a budget that was too low for compiling a plugin. A higher one may be enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExceededBudget {
    pub(crate) limit: CompileLimit,
    pub(crate) budget: CompileBudget,
}

impl ExceededBudget {
    /// Returns whether another budget is higher in the limit that was exceeded.
    pub(crate) fn is_raised_by(self, budget: CompileBudget) -> bool {
        match self.limit {
            CompileLimit::CpuTime | CompileLimit::WallTime => budget.time > self.budget.time,
            CompileLimit::Memory => budget.memory > self.budget.memory,
        }
    }
}

impl fmt::Display for ExceededBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, budget } = self;
        match limit {
            CompileLimit::CpuTime => {
                let max = Amount::Time(budget.time);
                write!(f, "compilation needs more CPU time than {max} (`[compile] time`)")
            }
            CompileLimit::WallTime => {
                let max = Amount::Time(budget.wall_time());
                write!(f, "compilation was not finished after {max} (10 times `[compile] time`)")
            }
            CompileLimit::Memory => {
                let max = Amount::Bytes(budget.memory);
                write!(f, "compilation needs more memory than {max} (`[compile] memory`)")
            }
        }
    }
}
