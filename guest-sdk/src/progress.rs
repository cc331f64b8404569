//! How far the run is.

use crate::host::progress as host;

/// Says that `done` of `total` steps are done; the unit is the author's.
///
/// Only the newest report counts. In a native build it goes to stderr.
///
/// # Example
///
/// ```
/// use ophost_sdk::progress;
///
/// let jobs = ["a", "b"];
/// for (done, job) in (0..).zip(jobs) {
///     progress::report(done, Some(2), Some(job));
/// }
/// ```
pub fn report(done: u64, total: Option<u64>, message: Option<&str>) {
    host::report(done, total, message);
}
