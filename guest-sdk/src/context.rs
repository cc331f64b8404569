//! What the run that calls is, and who asked for it.
//!
//! In a native build there is no run: the answers are those of a first attempt without a
//! record, in test mode, with a minute to go.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host::context as host;

/// Returns the id of the run's record; none where no record is kept.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::run_id(), None);
/// ```
pub fn run_id() -> Option<String> {
    host::run_id()
}

/// Returns the user on whose behalf the run happens, if the caller said so.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::user_id(), None);
/// ```
pub fn user_id() -> Option<String> {
    host::user_id()
}

/// Returns the door that the call came through: `cli`, `api`, or what the caller named.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::channel(), "native");
/// ```
pub fn channel() -> String {
    host::channel()
}

/// Returns whether the caller only wants to see what would happen. The host withholds
/// the effects of such a run by itself.
///
/// # Example
///
/// ```
/// assert!(!ophost_sdk::context::dry_run());
/// ```
pub fn dry_run() -> bool {
    host::dry_run()
}

/// Returns whether the caller said that this is a test.
///
/// # Example
///
/// ```
/// assert!(ophost_sdk::context::test_mode());
/// ```
pub fn test_mode() -> bool {
    host::test_mode()
}

/// Returns whether the caller wants to hear more.
///
/// # Example
///
/// ```
/// use ophost_sdk::{context, log};
///
/// if context::verbose() {
///     log::debug!("the long story");
/// }
/// ```
pub fn verbose() -> bool {
    host::verbose()
}

/// Returns which attempt this is, from 1.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::attempt(), 1);
/// ```
pub fn attempt() -> u32 {
    host::attempt()
}

/// Returns when the host will stop the run.
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

/// Returns how long the run has left: zero once the deadline is past.
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

/// Returns the key under which the caller wants this to happen once.
///
/// # Example
///
/// ```
/// assert_eq!(ophost_sdk::context::idempotency_key(), None);
/// ```
pub fn idempotency_key() -> Option<String> {
    host::idempotency_key()
}

/// Returns the current time, to the millisecond. `SystemTime::now` panics in a plugin.
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

/// Returns sixty-four random bits, fit for secrets; in a native build, for tests only.
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
