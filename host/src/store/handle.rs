//! The store of a data directory, together with this process's identity as an owner of runs.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::cancel_channel::{self, CancelListener, CancelRegistration, CancelRegistry};
use super::liveness::{ProcessLock, ProcessRegistry};
use super::orphans::{OrphanedRuns, RunGuard};
use super::redb::RedbStore;
use super::redb::file::{DIRECTORY, FILE, ShutdownMode};
use super::{LogFile, StoreError, log_overflow};
use crate::model::outcome::FailureKind;
use crate::model::run_record::{OwnerId, RunId, RunRecord, Status};
use crate::util::private_dir::DataDir;

/// The store of a data directory and the owner identity of this process.
pub(crate) struct StoreHandle {
    data: DataDir,
    store: Arc<RedbStore>,
    owners: ProcessRegistry,
    runs: CancelRegistry,
    process: OnceCell<Process>,
    orphaned: OrphanedRuns,
}

/// The registration of this process as an owner.
struct Process {
    /// `None` if no socket could be created. Then other processes cannot cancel runs of this one.
    _mailbox: Option<CancelListener>,
    owner: ProcessLock,
}

impl StoreHandle {
    /// Returns the store of a data directory. Opens and creates no file until first use.
    pub(crate) fn new(data: &DataDir, at_end: ShutdownMode) -> Self {
        let store = Arc::new(RedbStore::new(data.clone(), at_end));
        let (data, owners) = (data.clone(), ProcessRegistry::new(data.clone()));
        let (runs, process) = (CancelRegistry::default(), OnceCell::new());
        Self { data, store, owners, runs, process, orphaned: OrphanedRuns::default() }
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
    pub(crate) async fn reaped_store(&self) -> &RedbStore {
        self.reap_crashed_runs().await.ok();
        &self.store
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

    /// Asks the owner of a run to cancel it. Returns whether the message could be sent.
    ///
    /// Delivery is not confirmed.
    pub(crate) fn cancel(&self, run: RunId, owner: &OwnerId) -> bool {
        cancel_channel::cancel(&self.data, owner, run).is_ok()
    }

    /// Returns the data directory.
    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// Returns the size of the store file in bytes; `None` if no store exists.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub(crate) fn size(&self) -> Result<Option<u64>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(None) };
        let file = directory.open_file(FILE)?;
        Ok(file.map(|file| file.metadata()).transpose()?.map(|status| status.len()))
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

    /// Returns the store, without reaping crashed runs.
    pub(crate) fn store(&self) -> &Arc<RedbStore> {
        &self.store
    }
}
