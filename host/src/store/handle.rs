//! The store of a data directory, together with this process's identity as an owner of runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::cancel_channel::{self, CancelListener, CancelRegistration, CancelRegistry};
use super::liveness::{ProcessLock, ProcessRegistry};
use super::orphans::{OrphanedRuns, RunGuard};
use super::redb::RedbStore;
use super::{LogFile, Store, StoreError, StoreMaintenance, log_overflow};
use crate::model::outcome::FailureKind;
use crate::model::run_record::{OwnerId, RunId, RunRecord, Status};
use crate::util::private_dir::DataDir;

/// How the open file of a store is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ShutdownMode {
    /// Close the file cleanly. A clean shutdown syncs more data than writing a record does.
    #[default]
    Clean,
    /// Skip the clean shutdown because the process is exiting. The next process to open the
    /// file runs redb's recovery, which syncs about a quarter as much.
    Skip,
}

/// The store of a data directory and the owner identity of this process.
pub(crate) struct StoreHandle {
    data: DataDir,
    store: Arc<dyn Store>,
    /// `None` if the store has no maintenance commands.
    maintenance: Option<Arc<dyn StoreMaintenance>>,
    owners: ProcessRegistry,
    runs: CancelRegistry,
    process: OnceCell<Process>,
    orphaned: OrphanedRuns,
}

/// The registration of this process as an owner.
struct Process {
    /// `None` if no socket could be created. Then the runs of this process notice cancel requests of
    /// other processes only when they poll the store.
    _mailbox: Option<CancelListener>,
    owner: ProcessLock,
}

impl StoreHandle {
    /// Returns the store of a data directory. Opens and creates no file until first use.
    pub(crate) fn new(data: &DataDir, at_end: ShutdownMode) -> Self {
        let store = Arc::new(RedbStore::new(data.clone(), at_end));
        let maintenance = Some(Arc::<RedbStore>::clone(&store) as Arc<dyn StoreMaintenance>);
        Self::with_store(data, store, maintenance)
    }

    /// Returns the handle of a store whose owners, logs and sockets are in a data directory.
    fn with_store(
        data: &DataDir,
        store: Arc<dyn Store>,
        maintenance: Option<Arc<dyn StoreMaintenance>>,
    ) -> Self {
        let (data, owners) = (data.clone(), ProcessRegistry::new(data.clone()));
        let (runs, process) = (CancelRegistry::default(), OnceCell::new());
        let orphaned = OrphanedRuns::default();
        Self { data, store, maintenance, owners, runs, process, orphaned }
    }

    /// Marks the runs of terminated processes and the orphaned runs of this one as crashed.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be written.
    pub(crate) async fn reap_crashed_runs(&self) -> Result<(), StoreError> {
        // Reap both, even if one fails.
        let orphaned = self.orphaned.reap_crashed_runs(self.store.as_ref()).await;
        self.owners.reap(self.store.as_ref()).await?;
        orphaned
    }

    /// Reaps crashed runs and returns the store.
    ///
    /// If reaping fails, for example on a full disk or in a read-only store, the runs stay
    /// recorded as running.
    pub(crate) async fn reaped_store(&self) -> &dyn Store {
        self.reap_crashed_runs().await.ok();
        &*self.store
    }

    /// Returns the crashed runs that could not be marked, and the error; `None` if there are none.
    pub(crate) async fn unrecorded_crashes(&self) -> Option<(StoreError, Vec<RunId>)> {
        let error = self.reap_crashed_runs().await.err()?;
        // If the lock files cannot be probed, no run is reported as crashed.
        let crashed = self.owners.orphaned_runs(self.store.as_ref()).await.unwrap_or_default();
        let crashed: Vec<_> = crashed.into_iter().map(|(run, _)| run).collect();
        (!crashed.is_empty()).then_some((error, crashed))
    }

    /// Returns the owner id of this process. The first call registers the process.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the lock file cannot be created or locked. The next call tries
    /// again.
    pub(crate) async fn owner(&self) -> Result<&OwnerId, StoreError> {
        let register = async || {
            let owner = self.owners.register()?;
            let mailbox = CancelListener::open(&self.data, owner.id(), self.runs.clone()).ok();
            Ok::<_, StoreError>(Process { _mailbox: mailbox, owner })
        };
        Ok(self.process.get_or_try_init(register).await?.owner.id())
    }

    /// Returns a guard for a run that will be inserted. Dropping the guard before the run has
    /// finished marks the run as crashed.
    pub(crate) fn begin(&self, run: &RunRecord) -> RunGuard {
        let owned = (run.id, run.owner.clone());
        RunGuard::new(owned, self.orphaned.clone(), self.store.clone())
    }

    /// Lets other processes cancel a run of this one until the returned value is dropped.
    pub(crate) fn cancellable(&self, run: RunId, token: CancellationToken) -> CancelRegistration {
        self.runs.add(run, token)
    }

    /// Tells the owner of a run that a cancel request is stored. Returns whether the message could be
    /// sent.
    ///
    /// Delivery is not confirmed.
    pub(crate) fn cancel(&self, run: RunId, owner: &OwnerId) -> bool {
        cancel_channel::cancel(&self.data, owner, run).is_ok()
    }

    /// Returns the data directory.
    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// Returns the maintenance of the store, for a command with this name.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Unsupported`] if the store has none.
    pub(crate) fn maintenance(
        &self,
        command: &'static str,
    ) -> Result<&dyn StoreMaintenance, StoreError> {
        self.maintenance.as_deref().ok_or(StoreError::Unsupported(command))
    }

    /// Sets `logs_ref` of a running or crashed run that has a log overflow file.
    ///
    /// Such a run has no final record that names the file.
    pub(crate) fn with_logs_ref(&self, mut run: RunRecord) -> RunRecord {
        let crashed = run.state.failure().is_some_and(|it| it.kind == FailureKind::Crashed);
        let is_open = run.state.status() == Status::Running || crashed;
        if is_open && run.erased_at.is_none() {
            // If the log directory cannot be read, the record is shown without the file.
            run.logs_ref = log_overflow::find(&self.data, run.id).unwrap_or(None);
        }
        run
    }

    /// Opens the log overflow file of a run; `None` if the run has none.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be opened.
    pub(crate) fn log_file(&self, run: RunId) -> Result<Option<LogFile>, StoreError> {
        log_overflow::read(&self.data, run)
    }

    /// Returns the number of log overflow files of all runs.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the log directory cannot be read.
    pub(crate) fn log_files(&self) -> Result<usize, StoreError> {
        log_overflow::count(&self.data)
    }

    /// Removes the log overflow file of a run.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be removed.
    pub(crate) fn remove_log_file(&self, run: RunId) -> Result<(), StoreError> {
        log_overflow::remove(&self.data, run)
    }

    /// Removes the log overflow files of runs that do not exist, if the files have at least this
    /// age. A process that is killed during a prune leaves them.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store or the log directory cannot be read.
    pub(crate) async fn remove_orphaned_log_files(&self, age: Duration) -> Result<(), StoreError> {
        for run in log_overflow::older_than(&self.data, age)? {
            if self.store.get(run).await?.is_none() {
                self.remove_log_file(run)?;
            }
        }
        Ok(())
    }

    /// Returns the store, without reaping crashed runs.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::memory;

    #[test]
    fn maintenance_of_a_store_without_it_is_not_supported() {
        let data = DataDir::new(tempfile::tempdir().unwrap().path());
        let handle = StoreHandle::with_store(&data, memory(), None);
        let error = handle.maintenance("store check").map(drop).unwrap_err();
        assert_eq!(error.to_string(), "`store check` is not supported by this store");
        let handle = StoreHandle::new(&data, ShutdownMode::Clean);
        assert_eq!(handle.maintenance("size").unwrap().size().unwrap(), None);
    }
}
