//! Who of those that were in each other's way is next: one at a time, of all processes.
//!
//! In a process they wait in the order in which they came; among processes whoever asks at the
//! right time is next. A turn only helps: where the lock cannot be had for another reason than
//! that somebody holds it, it is one among those of this process.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::liveness::DIRECTORY;
use crate::util::private_dir::DataDir;

/// The file that is locked. It stays: it has nothing in it.
const FILE: &str = ".turn";
/// How long it takes at most from one look at the lock to the next.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Whose turn it is in a data directory.
#[derive(Debug)]
pub(crate) struct RetryLock {
    here: Arc<Mutex<()>>,
    data: Option<DataDir>,
}

/// A turn, as long as it lives, and as long as its process does.
#[derive(Debug)]
pub(crate) struct RetryLockGuard {
    _here: OwnedMutexGuard<()>,
    /// The lock lives as long as the file is open.
    _lock: Option<File>,
}

impl RetryLock {
    /// Returns the turns of a data directory; without one, of this process alone. Nothing is
    /// opened or made.
    pub(crate) fn new(data: Option<&DataDir>) -> Self {
        Self { here: Arc::default(), data: data.cloned() }
    }

    /// Waits for a turn. Whoever drops the future does not want it any more.
    pub(crate) async fn acquire(&self) -> RetryLockGuard {
        let here = Arc::clone(&self.here).lock_owned().await;
        RetryLockGuard { _here: here, _lock: self.lock().await }
    }

    async fn lock(&self) -> Option<File> {
        let directory = self.data.as_ref()?.create(DIRECTORY).ok()?;
        let file = directory.open_or_create(FILE).ok()?;
        // The system would wait, but not stop waiting.
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

/// Not all look at the same time.
fn jittered_poll_interval() -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    POLL_INTERVAL.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::liveness::ProcessRegistry;
    use crate::store::memory::MemoryStore;

    async fn soon(turns: &RetryLock) -> Option<RetryLockGuard> {
        tokio::time::timeout(Duration::from_millis(200), turns.acquire()).await.ok()
    }

    #[tokio::test]
    async fn a_turn_is_one_of_all_hosts_of_a_data_directory() {
        let scratch = tempfile::tempdir().unwrap();
        let data = DataDir::new(scratch.path().join("data"));
        let hosts = [RetryLock::new(Some(&data)), RetryLock::new(Some(&data))];
        let turn = soon(&hosts[0]).await.unwrap();
        assert!(soon(&hosts[0]).await.is_none());
        assert!(soon(&hosts[1]).await.is_none());
        drop(turn);
        let _turn = soon(&hosts[1]).await.unwrap();
        assert!(soon(&hosts[0]).await.is_none());
        let owners = ProcessRegistry::new(data);
        assert!(owners.reap(&MemoryStore::default()).await.unwrap().is_empty());
        assert!(scratch.path().join("data/owners").join(FILE).exists(), "it is no dead process's");
    }

    #[tokio::test]
    async fn where_no_lock_can_be_there_are_turns_of_the_process() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(DIRECTORY), "no directory").unwrap();
        let data = DataDir::new(scratch.path());
        for turns in [RetryLock::new(None), RetryLock::new(Some(&data))] {
            let turn = soon(&turns).await.unwrap();
            assert!(soon(&turns).await.is_none());
            drop(turn);
            assert!(soon(&turns).await.is_some());
        }
    }
}
