//! The log of the run: [`write()`], and five macros with the arguments of `format!`.
//!
//! Logging never fails a run. A native build prints entries to stderr, and `cargo test` shows the
//! output of failed tests.
//!
//! # Example
//!
//! ```
//! use ophost_sdk::log;
//!
//! let (done, total) = (3, 7);
//! log::info!("{done} of {total} jobs are closed");
//! ```

use serde_json::Value;

use crate::host::log as host;

#[doc(inline)]
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};

/// Severity of a log entry.
///
/// # Example
///
/// ```
/// use ophost_sdk::log::Level;
///
/// assert!(Level::Error > Level::Trace);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Single steps, for the author.
    Trace,
    /// Details for debugging.
    Debug,
    /// Information for users.
    Info,
    /// A problem that does not stop the run.
    Warn,
    /// A failure.
    Error,
}

/// Adds an entry to the log, with optional JSON data.
///
/// The host truncates a message to 64 KiB and drops data of more than 64 KiB.
///
/// # Example
///
/// ```
/// use ophost_sdk::log::{self, Level};
/// use ophost_sdk::serde_json::json;
///
/// log::write(Level::Warn, "the job is old", Some(&json!({"days": 400})));
/// ```
pub fn write(level: Level, message: &str, data: Option<&Value>) {
    let data = data.map(Value::to_string);
    host::write(level.into(), message, data.as_deref());
}

impl From<Level> for host::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

/// Logs a message with [`Level::Trace`].
///
/// # Example
///
/// ```
/// ophost_sdk::log::trace!("entering {}", "the loop");
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Trace, &::std::format!($($message)+), None)
    };
}

/// Logs a message with [`Level::Debug`].
///
/// # Example
///
/// ```
/// ophost_sdk::log::debug!("{} jobs in the cache", 3);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Debug, &::std::format!($($message)+), None)
    };
}

/// Logs a message with [`Level::Info`].
///
/// # Example
///
/// ```
/// ophost_sdk::log::info!("closed {} jobs", 3);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Info, &::std::format!($($message)+), None)
    };
}

/// Logs a message with [`Level::Warn`].
///
/// # Example
///
/// ```
/// ophost_sdk::log::warn!("job {} has no title", 42);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Warn, &::std::format!($($message)+), None)
    };
}

/// Logs a message with [`Level::Error`].
///
/// # Example
///
/// ```
/// ophost_sdk::log::error!("job {} is broken", 42);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Error, &::std::format!($($message)+), None)
    };
}
