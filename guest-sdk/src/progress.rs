//! Progress of the run.

use crate::host::progress as host;

/// Reports that `done` of `total` steps are done, in any unit.
///
/// Each report replaces the previous one. A native build prints the progress to stderr.
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
