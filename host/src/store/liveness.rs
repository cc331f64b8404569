//! Which processes run something, and which of them are dead.
//!
//! Each holds a lock of the kernel on a file of its own. The lock is gone with the process,
//! however it ended; a process number says nothing across containers or after a restart.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::FlockOperation;

use super::{Store, StoreError, cancel_channel};
use crate::model::run_record::{OwnerId, RunId};
use crate::util::clock;
use crate::util::private_dir::{DataDir, PrivateDir};

/// The directory in the data directory. A file whose name begins with a dot is no process's.
pub(super) const DIRECTORY: &str = "owners";
/// Why a run failed whose process is dead.
const REASON: &str = "the process that ran it ended before it did";

/// The processes that use a data directory.
#[derive(Clone, Debug)]
pub(crate) struct ProcessRegistry {
    data: DataDir,
}

/// This process, as long as it may run something. A process may have several.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    id: OwnerId,
    directory: PrivateDir,
    /// The lock lives as long as the file is open.
    _lock: File,
}

/// Whoever ends well leaves no file behind; that of one who is killed is found.
impl Drop for ProcessLock {
    fn drop(&mut self) {
        self.directory.remove(self.id.as_str()).ok();
    }
}

impl ProcessLock {
    /// Returns the name that runs are recorded under.
    pub(crate) fn id(&self) -> &OwnerId {
        &self.id
    }
}

impl ProcessRegistry {
    /// Returns the processes of a data directory. Nothing is opened or made.
    pub(crate) fn new(data: DataDir) -> Self {
        Self { data }
    }

    /// Returns this process under a new name. From now on it counts as alive.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be made or locked.
    pub(crate) fn register(&self) -> Result<ProcessLock, StoreError> {
        let directory = self.data.create(DIRECTORY)?;
        loop {
            let name = clock::uuid().to_string();
            let file = directory.open_or_create(&name)?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(io::Error::from)?;
            // Before the lock was there, another process may have taken it for one of the dead
            // and removed it.
            if file.metadata()?.nlink() > 0 {
                return Ok(ProcessLock { id: OwnerId::new(name), directory, _lock: file });
            }
        }
    }

    /// Returns whether a process is alive.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be told.
    pub(crate) fn is_alive(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else {
            return Ok(false);
        };
        Ok(matches!(probe(&directory, owner.as_str())?, Liveness::Alive))
    }

    /// Returns the runs that are shown as running and whose processes are dead.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be told.
    pub(crate) async fn orphaned_runs(
        &self,
        store: &dyn Store,
    ) -> Result<Vec<(RunId, OwnerId)>, StoreError> {
        let mut lost = Vec::new();
        for (run, owner) in store.running().await? {
            if !self.is_alive(&owner)? {
                lost.push((run, owner));
            }
        }
        Ok(lost)
    }

    /// Marks the runs of dead processes as crashed, and forgets those processes. Returns the
    /// runs' ids.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`]; what was marked by then stays marked.
    pub(crate) async fn reap(&self, store: &dyn Store) -> Result<Vec<RunId>, StoreError> {
        // Before the runs: what is dead by now adds none.
        let dead = self.dead()?;
        let lost = self.orphaned_runs(store).await?;
        let crashed = store.crash(&lost, REASON).await?;
        if let Some(directory) = self.data.open(DIRECTORY)? {
            for (name, _lock) in &dead {
                cancel_channel::forget(&self.data, name);
                directory.remove(name)?;
            }
        }
        Ok(crashed)
    }

    /// Returns the files of the dead, locked: nobody enters under one of them meanwhile.
    fn dead(&self) -> Result<Vec<(String, File)>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else {
            return Ok(Vec::new());
        };
        let mut dead = Vec::new();
        for name in directory.names()? {
            if let Liveness::Dead(file) = probe(&directory, &name)? {
                dead.push((name, file));
            }
        }
        Ok(dead)
    }
}

/// What the lock on a process's file tells.
enum Liveness {
    Alive,
    /// Its file, which is locked now.
    Dead(File),
    /// Its file is gone: it was found dead before.
    Gone,
}

fn probe(directory: &PrivateDir, name: &str) -> Result<Liveness, StoreError> {
    let Some(file) = directory.open_file(name)? else { return Ok(Liveness::Gone) };
    // Shared, so that two that look do not take each other for the owner.
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Liveness::Dead(file)),
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
    fn an_owner_lives_as_long_as_its_lock() {
        let (_scratch, owners) = scratch();
        let owner = owners.register().unwrap();
        let id = owner.id().clone();
        assert!(owners.is_alive(&id).unwrap());
        assert!(owners.is_alive(&id).unwrap());
        drop(owner);
        assert!(!owners.is_alive(&id).unwrap());
        assert!(!owners.is_alive(&OwnerId::new("nobody")).unwrap());
    }

    #[tokio::test]
    async fn l7_runs_of_dead_owners_crash_and_those_of_the_living_go_on() {
        let (scratch, owners) = scratch();
        let store = MemoryStore::default();
        let (living, dead) = (owners.register().unwrap(), owners.register().unwrap());
        let run = |owner: &ProcessLock| RunRecord { owner: owner.id().clone(), ..running("a") };
        let (mine, lost) = (run(&living), run(&dead));
        for run in [&mine, &lost] {
            let new = NewRun { run: run.clone(), key: None };
            assert!(matches!(store.insert(new).await.unwrap(), InsertOutcome::Created(_)));
        }
        assert!(owners.reap(&store).await.unwrap().is_empty());
        drop(dead);
        assert_eq!(owners.reap(&store).await.unwrap(), [lost.id]);
        assert_eq!(files(&scratch), 1);
        assert!(owners.reap(&store).await.unwrap().is_empty());
        let lost = store.get(lost.id).await.unwrap().unwrap();
        assert_eq!(lost.state.failure().unwrap().kind, FailureKind::Crashed);
        let mine = store.get(mine.id).await.unwrap().unwrap();
        assert_eq!(mine.state.status(), Status::Running);
    }

    #[tokio::test]
    async fn reaping_makes_nothing_where_nothing_is() {
        let (scratch, owners) = scratch();
        assert!(owners.reap(&MemoryStore::default()).await.unwrap().is_empty());
        assert!(!scratch.path().join("data").exists());
    }
}
