//! A lock that serialises the retries of conflicting runs across processes.
//!
//! Waiters of one process acquire the lock in order. The order across processes is random. The
//! lock is only an optimisation: if the lock file cannot be opened or locked, the lock falls back
//! to an in-process mutex.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::liveness::DIRECTORY;
use crate::util::private_dir::DataDir;

/// The locked file. It is empty and never removed.
const FILE: &str = ".retry-lock";
/// Maximum time between two attempts to lock the file.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The retry lock of a data directory.
#[derive(Debug)]
pub(crate) struct RetryLock {
    in_process: Arc<Mutex<()>>,
    data: Option<DataDir>,
}

/// Releases the lock on drop, or when the process terminates.
#[derive(Debug)]
pub(crate) struct RetryLockGuard {
    _in_process: OwnedMutexGuard<()>,
    /// The open file, which holds the lock.
    _lock: Option<File>,
}

impl RetryLock {
    /// Returns the lock of a data directory; an in-process lock if `data` is `None`.
    ///
    /// Opens and creates no file.
    pub(crate) fn new(data: Option<&DataDir>) -> Self {
        Self { in_process: Arc::default(), data: data.cloned() }
    }

    /// Acquires the lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the queue and has no other effect.
    pub(crate) async fn acquire(&self) -> RetryLockGuard {
        let in_process = Arc::clone(&self.in_process).lock_owned().await;
        RetryLockGuard { _in_process: in_process, _lock: self.lock().await }
    }

    async fn lock(&self) -> Option<File> {
        let directory = self.data.as_ref()?.create(DIRECTORY).ok()?;
        let file = directory.open_or_create(FILE).ok()?;
        // A blocking `flock` could not be cancelled.
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Some(file),
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    tokio::time::sleep(jittered_poll_interval()).await
                }
                Err(_) => return None,
            }
        }
    }
}

/// Returns a random interval, so that processes do not poll in step.
fn jittered_poll_interval() -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    POLL_INTERVAL.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::liveness::ProcessRegistry;
    use crate::store::memory::MemoryStore;

    async fn try_acquire(lock: &RetryLock) -> Option<RetryLockGuard> {
        tokio::time::timeout(Duration::from_millis(200), lock.acquire()).await.ok()
    }

    #[tokio::test]
    async fn lock_is_exclusive_across_hosts_of_a_data_directory() {
        let scratch = tempfile::tempdir().unwrap();
        let data = DataDir::new(scratch.path().join("data"));
        let locks = [RetryLock::new(Some(&data)), RetryLock::new(Some(&data))];
        let guard = try_acquire(&locks[0]).await.unwrap();
        assert!(try_acquire(&locks[0]).await.is_none());
        assert!(try_acquire(&locks[1]).await.is_none());
        drop(guard);
        let _guard = try_acquire(&locks[1]).await.unwrap();
        assert!(try_acquire(&locks[0]).await.is_none());
        let owners = ProcessRegistry::new(data);
        assert!(owners.reap(&MemoryStore::default()).await.unwrap().is_empty());
        assert!(
            scratch.path().join("data/owners").join(FILE).exists(),
            "the lock file is not reaped"
        );
    }

    #[tokio::test]
    async fn lock_is_in_process_if_the_file_cannot_be_locked() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(DIRECTORY), "no directory").unwrap();
        let data = DataDir::new(scratch.path());
        for lock in [RetryLock::new(None), RetryLock::new(Some(&data))] {
            let guard = try_acquire(&lock).await.unwrap();
            assert!(try_acquire(&lock).await.is_none());
            drop(guard);
            assert!(try_acquire(&lock).await.is_some());
        }
    }
}
