//! Properties of the current run and of its caller.
//!
//! A native build has no run. Its functions return the values of a first attempt in test mode,
//! without a record and with a deadline in 60 s.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host::context as host;

/// Returns the id of the run's record, or `None` if the run is not recorded.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::run_id(), None);
/// ```
pub fn run_id() -> Option<String> {
    host::run_id()
}

/// Returns the user of the run, or `None` if the caller named no user.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::user_id(), None);
/// ```
pub fn user_id() -> Option<String> {
    host::user_id()
}

/// Returns the channel of the call, such as `cli` or `api`. A native build returns `native`.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::channel(), "native");
/// ```
pub fn channel() -> String {
    host::channel()
}

/// Returns whether the run is a dry run.
///
/// The host discards the document writes of a dry run.
///
/// # Example
///
/// ```
/// assert!(!ophost_sdk::context::dry_run());
/// ```
pub fn dry_run() -> bool {
    host::dry_run()
}

/// Returns whether the caller marked the run as a test.
///
/// # Example
///
/// ```
/// assert!(ophost_sdk::context::test_mode());
/// ```
pub fn test_mode() -> bool {
    host::test_mode()
}

/// Returns whether the caller asked for verbose output.
///
/// # Example
///
/// ```
/// use ophost_sdk::{context, log};
///
/// if context::verbose() {
///     log::debug!("all details");
/// }
/// ```
pub fn verbose() -> bool {
    host::verbose()
}

/// Returns the number of this attempt, from 1.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::attempt(), 1);
/// ```
pub fn attempt() -> u32 {
    host::attempt()
}

/// Returns the time at which the host stops the run.
///
/// # Example
///
/// ```
/// use ophost_sdk::context;
///
/// assert!(context::deadline() > context::now());
/// ```
pub fn deadline() -> SystemTime {
    from_timestamp(host::deadline())
}

/// Returns the time until the deadline, or zero after it.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// assert!(ophost_sdk::context::time_left() > Duration::from_secs(1));
/// ```
pub fn time_left() -> Duration {
    deadline().duration_since(now()).unwrap_or_default()
}

/// Returns the idempotency key of the run, or `None` if the caller set none.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::idempotency_key(), None);
/// ```
pub fn idempotency_key() -> Option<String> {
    host::idempotency_key()
}

/// Returns the current time, with millisecond precision.
///
/// `SystemTime::now` panics if the target is `wasm32-unknown-unknown`.
///
/// # Example
///
/// ```
/// use std::time::UNIX_EPOCH;
///
/// let seconds = ophost_sdk::context::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
/// assert!(seconds > 1_700_000_000);
/// ```
pub fn now() -> SystemTime {
    from_timestamp(host::now())
}

/// Returns 64 random bits from a cryptographically secure source.
///
/// In a native build the bits are not secure.
///
/// # Example
///
/// ```
/// use ophost_sdk::context;
///
/// assert_ne!(context::random(), context::random());
/// ```
pub fn random() -> u64 {
    host::random()
}

fn from_timestamp(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}
