//! Detects which owner processes are alive.
//!
//! Each process holds an `flock` on a file of its own. The kernel releases the lock when the
//! process terminates for any reason. Process ids are not used, because they are ambiguous across
//! containers and restarts.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::FlockOperation;

use super::{Store, StoreError, cancel_channel};
use crate::model::run_record::{OwnerId, RunId};
use crate::util::clock;
use crate::util::private_dir::{DataDir, PrivateDir};

/// The directory of the lock files, in the data directory. Names with a leading dot are not
/// process locks.
pub(super) const DIRECTORY: &str = "owners";
/// Failure message of a run whose process has terminated.
const REASON: &str = "the process terminated before the run finished";

/// The processes that use a data directory.
#[derive(Clone, Debug)]
pub(crate) struct ProcessRegistry {
    data: DataDir,
}

/// The lock of this process as an owner of runs. A process may hold several.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    id: OwnerId,
    directory: PrivateDir,
    /// The open file, which holds the lock.
    _lock: File,
}

/// Removes the lock file. The file of a killed process is removed by [`ProcessRegistry::reap`].
impl Drop for ProcessLock {
    fn drop(&mut self) {
        self.directory.remove(self.id.as_str()).ok();
    }
}

impl ProcessLock {
    /// Returns the owner id that run records contain.
    pub(crate) fn id(&self) -> &OwnerId {
        &self.id
    }
}

impl ProcessRegistry {
    /// Returns the registry of a data directory. Opens and creates no file.
    pub(crate) fn new(data: DataDir) -> Self {
        Self { data }
    }

    /// Registers this process as an owner under a new id and locks its file.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be created or locked.
    pub(crate) fn register(&self) -> Result<ProcessLock, StoreError> {
        let directory = self.data.create(DIRECTORY)?;
        loop {
            let name = clock::uuid().to_string();
            let file = directory.open_or_create(&name)?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(io::Error::from)?;
            // Before the file was locked, another process may have reaped and removed it.
            if file.metadata()?.nlink() > 0 {
                return Ok(ProcessLock { id: OwnerId::new(name), directory, _lock: file });
            }
        }
    }

    /// Returns whether a process is alive.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the lock file cannot be probed.
    pub(crate) fn is_alive(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else {
            return Ok(false);
        };
        Ok(matches!(probe(&directory, owner.as_str())?, Liveness::Alive))
    }

    /// Returns the runs that are recorded as running, but whose process has terminated.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store or a lock file cannot be read.
    pub(crate) async fn orphaned_runs(
        &self,
        store: &dyn Store,
    ) -> Result<Vec<(RunId, OwnerId)>, StoreError> {
        let mut orphaned = Vec::new();
        for (run, owner) in store.running().await? {
            if !self.is_alive(&owner)? {
                orphaned.push((run, owner));
            }
        }
        Ok(orphaned)
    }

    /// Marks orphaned runs as crashed, removes their lock files, and returns the run ids.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if a step fails. Runs that are already marked stay marked.
    pub(crate) async fn reap(&self, store: &dyn Store) -> Result<Vec<RunId>, StoreError> {
        // Collect these before the runs, because a terminated process adds no runs.
        let terminated = self.terminated()?;
        let orphaned = self.orphaned_runs(store).await?;
        let crashed = store.crash(&orphaned, REASON).await?;
        if let Some(directory) = self.data.open(DIRECTORY)? {
            for (name, _lock) in &terminated {
                cancel_channel::remove_socket(&self.data, name);
                directory.remove(name)?;
            }
        }
        Ok(crashed)
    }

    /// Returns the lock files of terminated processes, locked so that no process registers under
    /// them.
    fn terminated(&self) -> Result<Vec<(String, File)>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else {
            return Ok(Vec::new());
        };
        let mut terminated = Vec::new();
        for name in directory.names()? {
            if let Liveness::Terminated(file) = probe(&directory, &name)? {
                terminated.push((name, file));
            }
        }
        Ok(terminated)
    }
}

/// The state of a process according to its lock file.
enum Liveness {
    Alive,
    /// The process has terminated; its lock file, now locked by this process.
    Terminated(File),
    /// The process has terminated and was reaped before.
    Reaped,
}

fn probe(directory: &PrivateDir, name: &str) -> Result<Liveness, StoreError> {
    let Some(file) = directory.open_file(name)? else { return Ok(Liveness::Reaped) };
    // A shared lock, so that two probing processes do not mistake each other for the owner.
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Liveness::Terminated(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Liveness::Alive),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::FailureKind;
    use crate::model::run_record::{RunRecord, Status, tests::running};
    use crate::store::memory::MemoryStore;
    use crate::store::{InsertOutcome, NewRun};

    fn scratch() -> (tempfile::TempDir, ProcessRegistry) {
        let scratch = tempfile::tempdir().unwrap();
        let owners = ProcessRegistry::new(DataDir::new(scratch.path().join("data")));
        (scratch, owners)
    }

    fn files(scratch: &tempfile::TempDir) -> usize {
        std::fs::read_dir(scratch.path().join("data/owners")).map_or(0, Iterator::count)
    }

    #[test]
    fn owner_is_alive_while_it_holds_its_lock() {
        let (_scratch, owners) = scratch();
        let owner = owners.register().unwrap();
        let id = owner.id().clone();
        assert!(owners.is_alive(&id).unwrap());
        assert!(owners.is_alive(&id).unwrap());
        drop(owner);
        assert!(!owners.is_alive(&id).unwrap());
        assert!(!owners.is_alive(&OwnerId::new("unknown")).unwrap());
    }

    #[tokio::test]
    async fn reap_marks_only_runs_of_terminated_owners_as_crashed() {
        let (scratch, owners) = scratch();
        let store = MemoryStore::default();
        let (alive, terminated) = (owners.register().unwrap(), owners.register().unwrap());
        let run = |owner: &ProcessLock| RunRecord { owner: owner.id().clone(), ..running("a") };
        let (running, orphaned) = (run(&alive), run(&terminated));
        for run in [&running, &orphaned] {
            let new = NewRun { run: run.clone(), key: None };
            assert!(matches!(store.insert(new).await.unwrap(), InsertOutcome::Created(_)));
        }
        assert!(owners.reap(&store).await.unwrap().is_empty());
        drop(terminated);
        assert_eq!(owners.reap(&store).await.unwrap(), [orphaned.id]);
        assert_eq!(files(&scratch), 1);
        assert!(owners.reap(&store).await.unwrap().is_empty());
        let orphaned = store.get(orphaned.id).await.unwrap().unwrap();
        assert_eq!(orphaned.state.failure().unwrap().kind, FailureKind::Crashed);
        let running = store.get(running.id).await.unwrap().unwrap();
        assert_eq!(running.state.status(), Status::Running);
    }

    #[tokio::test]
    async fn reap_creates_no_data_directory() {
        let (scratch, owners) = scratch();
        assert!(owners.reap(&MemoryStore::default()).await.unwrap().is_empty());
        assert!(!scratch.path().join("data").exists());
    }
}
