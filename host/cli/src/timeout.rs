//! Work that a hostile plugin could make endless: waited for only so long.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Returns what `work` returns, unless that takes longer than `patience`. Then the work goes
/// on in a thread of its own until the process ends, so this is for processes that soon do.
pub(super) fn run_with_timeout<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::Builder::new().spawn(move || sender.send(work()).ok());
    worker.ok()?;
    receiver.recv_timeout(patience).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_work_is_done_and_slow_work_is_left_alone() {
        let minute = Duration::from_secs(60);
        assert_eq!(run_with_timeout(minute, || 5), Some(5));
        assert_eq!(
            run_with_timeout(Duration::from_millis(10), move || thread::sleep(minute)),
            None
        );
    }
}
