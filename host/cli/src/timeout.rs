//! Runs work with a timeout, for inputs that a hostile plugin controls.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Returns the result of `work`, or `None` if it takes longer than `timeout` or its thread cannot be
/// started. After a timeout the thread continues until the process exits, so only processes that
/// exit soon may call this.
pub(super) fn run_with_timeout<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::Builder::new().spawn(move || sender.send(work()).ok());
    worker.ok()?;
    receiver.recv_timeout(timeout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_beyond_the_timeout_returns_none() {
        let minute = Duration::from_secs(60);
        assert_eq!(run_with_timeout(minute, || 5), Some(5));
        assert_eq!(
            run_with_timeout(Duration::from_millis(10), move || thread::sleep(minute)),
            None
        );
    }
}
