//! The run's log: five macros that take what `format!` takes, and [`write()`].
//!
//! Logging never fails a run. In a native build entries go to stderr, where `cargo test`
//! shows them for a test that fails.
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

/// How much an entry matters.
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

/// Adds an entry, with `data` that belongs to the message.
///
/// The host cuts a message over 64 KiB and leaves out larger data.
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

/// Logs every step, for the author.
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

/// Logs what helps to find a fault.
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

/// Logs what a user may want to know.
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

/// Logs something odd that did not stop the work.
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

/// Logs something that failed.
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
