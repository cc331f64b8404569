//! A store that this process runs something under.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::cancel_channel::{self, CancelListener, CancelRegistration, CancelRegistry};
use super::liveness::{ProcessLock, ProcessRegistry};
use super::orphans::{OrphanedRuns, RunGuard};
use super::redb::RedbStore;
use super::redb::file::{DIRECTORY, FILE, ShutdownMode};
use super::{LogFile, Store, StoreError, log_overflow};
use crate::model::outcome::FailureKind;
use crate::model::run_record::{OwnerId, RunId, RunRecord, Status};
use crate::util::private_dir::DataDir;

/// A data directory's store, and this process's name in it.
pub(crate) struct StoreHandle {
    data: DataDir,
    store: Arc<RedbStore>,
    owners: ProcessRegistry,
    runs: CancelRegistry,
    process: OnceCell<Process>,
    abandoned: OrphanedRuns,
}

/// This process, as others know it.
struct Process {
    /// Without it runs go on until they end by themselves, or here.
    _mailbox: Option<CancelListener>,
    owner: ProcessLock,
}

impl StoreHandle {
    /// Returns the store of a data directory. Nothing is opened or made before it is used.
    pub(crate) fn new(data: &DataDir, at_end: ShutdownMode) -> Self {
        let store = Arc::new(RedbStore::new(data.clone(), at_end));
        let (data, owners) = (data.clone(), ProcessRegistry::new(data.clone()));
        let (runs, process) = (CancelRegistry::default(), OnceCell::new());
        Self { data, store, owners, runs, process, abandoned: OrphanedRuns::default() }
    }

    /// Marks the runs of processes that died as failed, and those that this one abandoned.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be written.
    pub(crate) async fn reap_crashed_runs(&self) -> Result<(), StoreError> {
        // What hinders one need not hinder the other.
        let abandoned = self.abandoned.reap_crashed_runs(self.store.as_ref()).await;
        self.owners.reap(self.store.as_ref()).await?;
        abandoned
    }

    /// Returns the store to look at, settled if that can be: on a full disk, or where this user
    /// may only read, it is shown as it is.
    pub(crate) async fn settled(&self) -> &RedbStore {
        self.reap_crashed_runs().await.ok();
        &self.store
    }

    /// Returns the runs of processes that died which cannot be marked as failed, and why not;
    /// `None` if all could be.
    pub(crate) async fn unrecorded_crashes(&self) -> Option<(StoreError, Vec<RunId>)> {
        let error = self.reap_crashed_runs().await.err()?;
        // Where nobody knows who is dead, nobody is said to be.
        let lost = self.owners.orphaned_runs(self.store.as_ref()).await.unwrap_or_default();
        let lost: Vec<_> = lost.into_iter().map(|(run, _)| run).collect();
        (!lost.is_empty()).then_some((error, lost))
    }

    /// Returns this process's name: from now on it counts as alive.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if its file cannot be made or locked; the next call tries again.
    pub(crate) async fn owner(&self) -> Result<&OwnerId, StoreError> {
        let enter = async || {
            let owner = self.owners.register()?;
            let mailbox = CancelListener::open(&self.data, owner.id(), self.runs.clone()).ok();
            Ok::<_, StoreError>(Process { _mailbox: mailbox, owner })
        };
        Ok(self.process.get_or_try_init(enter).await?.owner.id())
    }

    /// Says that a run of this process will be inserted: from now on it is abandoned if the
    /// returned value is dropped before its end.
    pub(crate) fn begin(&self, run: &RunRecord) -> RunGuard {
        RunGuard::new((run.id, run.owner.clone()), self.abandoned.clone(), self.store())
    }

    /// Lets other processes cancel a run of this one as long as the returned value lives.
    pub(crate) fn cancellable(&self, run: RunId, token: CancellationToken) -> CancelRegistration {
        self.runs.add(run, token)
    }

    /// Tells the process that runs something to stop it. Returns whether anybody listens there;
    /// whether it heard is not known.
    pub(crate) fn cancel(&self, run: RunId, owner: &OwnerId) -> bool {
        cancel_channel::cancel(&self.data, owner, run).is_ok()
    }

    /// Returns the data directory that it is in.
    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// Returns how large its file is, in bytes; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be looked at.
    pub(crate) fn size(&self) -> Result<Option<u64>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(None) };
        let file = directory.open_file(FILE)?;
        Ok(file.map(|file| file.metadata()).transpose()?.map(|status| status.len()))
    }

    /// Says of a run that did not come to say it itself that it has a file with more of its
    /// log: one that goes on, or whose process died.
    pub(crate) fn with_logs_ref(&self, mut run: RunRecord) -> RunRecord {
        let crashed = run.state.failure().is_some_and(|it| it.kind == FailureKind::Crashed);
        let is_open = run.state.status() == Status::Running || crashed;
        if is_open && run.erased_at.is_none() {
            // A directory that cannot be read has no log to be shown.
            run.logs_ref = log_overflow::find(&self.data, run.id).unwrap_or(None);
        }
        run
    }

    /// Opens the file with the part of a run's log that its record has no room for; `None` if
    /// there is none.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be opened.
    pub(crate) fn log_file(&self, run: RunId) -> Result<Option<LogFile>, StoreError> {
        log_overflow::read(&self.data, run)
    }

    /// Returns how many such files there are, of all runs.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if they cannot be looked at.
    pub(crate) fn log_files(&self) -> Result<usize, StoreError> {
        log_overflow::count(&self.data)
    }

    /// Removes that file.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be.
    pub(crate) fn remove_log_file(&self, run: RunId) -> Result<(), StoreError> {
        log_overflow::remove(&self.data, run)
    }

    /// Returns the store as it is.
    pub(crate) fn redb(&self) -> &RedbStore {
        &self.store
    }

    /// Returns the store as those know it who write to it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
}
