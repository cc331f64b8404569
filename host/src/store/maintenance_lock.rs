//! Locks between processes for prunes and for reads of a whole store.
//!
//! A long read keeps one snapshot open, so that the store cannot reuse the pages that a prune frees,
//! and the file grows. A prune therefore does not remove data during such a read.
//!
//! The locks are `flock`s, which the kernel releases when the process terminates. If a lock file
//! cannot be opened, for example in a read-only directory, the work continues without the lock. No
//! directory is created without a store.

use std::fs::File;
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::liveness::DIRECTORY;
use super::redb::file;
use crate::util::private_dir::DataDir;

/// The file that the only prune of a store locks.
const PRUNE_FILE: &str = ".prune-lock";
/// The file that long reads lock, shared, and that a prune locks while it removes data.
const READ_FILE: &str = ".long-read-lock";
/// Time between two attempts to lock a file.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A lock that is released on drop. Holds no lock if the file cannot be opened.
#[derive(Debug)]
pub(crate) struct MaintenanceGuard {
    _file: Option<File>,
}

/// Locks a data directory for a prune; `None` if another prune is running.
pub(crate) fn try_prune(data: &DataDir) -> Option<MaintenanceGuard> {
    try_lock(data, PRUNE_FILE, FlockOperation::NonBlockingLockExclusive)
}

/// Locks a data directory for a removal; `None` during a long read.
pub(crate) fn try_remove(data: &DataDir) -> Option<MaintenanceGuard> {
    try_lock(data, READ_FILE, FlockOperation::NonBlockingLockExclusive)
}

/// Locks a data directory for a long read. Waits for the current transaction of a prune.
///
/// # Cancel safety
///
/// Dropping the future has no effect.
pub(crate) async fn long_read(data: &DataDir) -> MaintenanceGuard {
    loop {
        match try_lock(data, READ_FILE, FlockOperation::NonBlockingLockShared) {
            Some(guard) => return guard,
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

fn try_lock(data: &DataDir, name: &str, operation: FlockOperation) -> Option<MaintenanceGuard> {
    let has_store = data.open(file::DIRECTORY).is_ok_and(|store| store.is_some());
    let directory = has_store.then(|| data.create(DIRECTORY).ok()).flatten();
    let file = directory.and_then(|directory| directory.open_or_create(name).ok());
    match file.as_ref().map(|file| rustix::fs::flock(file, operation)) {
        Some(Err(rustix::io::Errno::WOULDBLOCK)) => None,
        Some(Ok(())) => Some(MaintenanceGuard { _file: file }),
        Some(Err(_)) | None => Some(MaintenanceGuard { _file: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn prune_excludes_other_prunes_and_removes_nothing_during_a_long_read() {
        let scratch = tempfile::tempdir().unwrap();
        let data = DataDir::new(scratch.path());
        drop((try_prune(&data).unwrap(), long_read(&data).await));
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
        data.create(file::DIRECTORY).unwrap();
        let prune = try_prune(&data).unwrap();
        assert!(try_prune(&data).is_none());
        let reads = [long_read(&data).await, long_read(&data).await];
        assert!(try_remove(&data).is_none());
        drop(reads);
        let removal = try_remove(&data).unwrap();
        let read = tokio::time::timeout(Duration::from_millis(50), long_read(&data)).await;
        assert!(read.is_err());
        drop((removal, prune));
        long_read(&data).await;
        assert!(try_prune(&data).is_some());
    }

    #[tokio::test]
    async fn work_continues_if_the_lock_file_cannot_be_opened() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(DIRECTORY), "no directory").unwrap();
        let data = DataDir::new(scratch.path());
        data.create(file::DIRECTORY).unwrap();
        let _guards = (try_prune(&data).unwrap(), long_read(&data).await);
        assert!(try_remove(&data).is_some());
    }
}
