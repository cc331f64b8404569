//! Read API of run records: find, list, statistics; cancel, erase and prune.

mod prune;

use std::path::Path;
use std::time::Duration;

pub use self::prune::{HeldRuns, NamedRemoval, PruneError, PruneReport, RemoveError};
use crate::model::document::ChangeSet;
use crate::model::run_record::{ParseRunIdError, RunId, RunRecord};
use crate::store::{
    CompactReport, EraseOutcome, LogFile, RunCursor, RunFilter, RunPage, SalvageReport,
    StatsReport, StoreError, StoreHandle, maintenance_lock,
};

/// Interval at which a run is polled while it is being cancelled.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Run records in a data directory.
///
/// Reads mark the runs of terminated processes as FAILED with the kind `crashed`.
#[derive(Clone, Copy)]
pub struct Runs<'a> {
    store: &'a StoreHandle,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(store: &'a StoreHandle) -> Self {
        Self { store }
    }

    /// Returns the run with this id, with this prefix of an id, or the latest run for `latest`.
    ///
    /// # Errors
    ///
    /// Returns [`FindError`] if no run or several runs match.
    pub async fn find(&self, name: &str) -> Result<RunRecord, FindError> {
        self.store.reap_crashed_runs().await.ok();
        let run = self.named(name).await?;
        Ok(self.store.with_logs_ref(run))
    }

    /// Returns the current record of a run that the caller waits for.
    ///
    /// # Errors
    ///
    /// Returns [`FindError`] if the run does not exist, or if its process terminated and the store
    /// cannot be written, so that the record never becomes final.
    pub async fn follow(&self, id: RunId) -> Result<RunRecord, FindError> {
        let unrecorded = self.unrecorded_crashes().await;
        let run = self.get(id).await?.ok_or_else(|| FindError::None { name: id.to_string() })?;
        match unrecorded {
            Some((error, crashed)) if crashed.contains(&id) && !run.state.status().is_final() => {
                Err(error.into())
            }
            _ => Ok(run),
        }
    }

    /// Returns the crashed runs that are still RUNNING in the store because it cannot be written,
    /// and the error; `None` if there are none.
    pub async fn unrecorded_crashes(&self) -> Option<(StoreError, Vec<RunId>)> {
        self.store.unrecorded_crashes().await
    }

    async fn named(&self, name: &str) -> Result<RunRecord, FindError> {
        let store = self.store.store();
        let none = || FindError::None { name: name.to_owned() };
        if name == "latest" {
            return store.latest().await?.ok_or_else(none);
        }
        let id = match name.parse() {
            Ok(id) => id,
            Err(ParseRunIdError) => match store.ids_by_prefix(name, 2).await?.as_slice() {
                [id] => *id,
                [] => return Err(none()),
                _ => return Err(FindError::Several { name: name.to_owned() }),
            },
        };
        store.get(id).await?.ok_or_else(none)
    }

    /// Returns the complete record of a run; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the record cannot be read.
    pub async fn get(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        let run = self.store.store().get(id).await?;
        Ok(run.map(|run| self.store.with_logs_ref(run)))
    }

    /// Returns the log file of a run; `None` if the record has the whole log.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub fn log_file(&self, id: RunId) -> Result<Option<LogFile>, StoreError> {
        self.store.log_file(id)
    }

    /// Returns the number of log files, which [`Self::backup`] does not copy; 0 if the directory
    /// cannot be read.
    pub fn log_files(&self) -> usize {
        self.store.log_files().unwrap_or_default()
    }

    /// Returns a page of the runs that match a filter, newest first.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub async fn list(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: usize,
    ) -> Result<RunPage, StoreError> {
        self.store.reaped_store().await.list(filter, after, limit).await
    }

    /// Returns statistics of the runs that match a filter, for each operation.
    ///
    /// # Errors
    ///
    /// Like [`Self::list`].
    pub async fn stats(&self, filter: &RunFilter) -> Result<StatsReport, StoreError> {
        self.store.reaped_store().await.stats(filter).await
    }

    /// Returns the document changes of a run. A dry run has none.
    ///
    /// # Errors
    ///
    /// - Returns [`StoreError::HistoryRemoved`] if retention removed the changes.
    /// - Returns [`StoreError`] if the store cannot be read.
    pub async fn changes(&self, id: RunId) -> Result<ChangeSet, StoreError> {
        self.store.store().changes(id).await
    }

    /// Cancels a run of any process, and waits until its record is final. Returns the final record.
    /// The run may have ended in another way: before the cancellation, or because its process
    /// terminated. [`RunRecord::cancel_requested_at`] records the request.
    ///
    /// A run usually ends within about 10 ms, and within about a second if its process does not
    /// receive the message. The method waits while the process of the run exists and executes work
    /// that cannot be interrupted.
    ///
    /// # Errors
    ///
    /// - Returns [`StoreError`] if the request cannot be stored. The process of the run may have
    ///   received the message, and then cancels the run.
    /// - Returns [`StoreError`] if the store cannot be read. The request remains stored.
    pub async fn cancel(&self, run: RunRecord) -> Result<RunRecord, StoreError> {
        let mut run = run;
        if !run.state.status().is_final()
            && let Err(error) = self.store.store().request_cancel(run.id).await
        {
            self.store.cancel(run.id, &run.owner);
            return Err(error);
        }
        while !run.state.status().is_final() {
            // Only a hint that shortens the wait. The message may be lost.
            if !self.store.cancel(run.id, &run.owner) {
                // No process listens, so it has probably terminated.
                self.store.reap_crashed_runs().await?;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
            match self.store.store().get(run.id).await? {
                Some(now) => run = now,
                None => return Ok(run),
            }
        }
        Ok(run)
    }

    /// Deletes the input, the output, the log, the item errors and the failure text of a finished
    /// run. The rest of the record remains, with the failure kind.
    ///
    /// # Errors
    ///
    /// - Returns [`StoreError`] if the store cannot be written. Nothing is deleted then.
    /// - Returns [`StoreError`] if the log file cannot be deleted. The next call tries it again.
    pub async fn erase(&self, id: RunId) -> Result<EraseOutcome, StoreError> {
        self.store.reap_crashed_runs().await?;
        let erased = self.store.store().erase(id).await?;
        if matches!(erased, EraseOutcome::Done(_)) {
            self.store.remove_log_file(id)?;
        }
        Ok(erased)
    }

    /// Returns the size of the store file in bytes; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub fn size(&self) -> Result<Option<u64>, StoreError> {
        self.store.maintenance("size")?.size()
    }

    /// Checks that the store can be written, by a commit without changes.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] that a recorded run would get.
    pub async fn probe_write(&self) -> Result<(), StoreError> {
        match self.size()? {
            Some(_) => self.store.maintenance("trial write")?.probe_write().await,
            None => Ok(()),
        }
    }

    /// Checks the integrity of the store. Returns one line for each problem.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read at all.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let _read = maintenance_lock::long_read(self.store.data()).await;
        self.store.maintenance("store check")?.check().await
    }

    /// Copies a snapshot of the store to a new file.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file exists or cannot be written. No file is created then.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let _read = maintenance_lock::long_read(self.store.data()).await;
        self.store.maintenance("store backup")?.backup(to).await
    }

    /// Gives the free space of the store file back to the disk.
    ///
    /// # Errors
    ///
    /// - Returns [`StoreError::InUse`] if another process has the store open.
    /// - Returns [`StoreError::Full`] if the disk has no room for a copy of the live data.
    /// - Returns [`StoreError`] if an entry is corrupted, or the new file cannot be written.
    ///
    /// Then the file is unchanged.
    pub async fn compact(&self) -> Result<CompactReport, StoreError> {
        self.store.maintenance("store compact")?.compact().await
    }

    /// Copies the readable data of a corrupted store to a new file.
    ///
    /// # Errors
    ///
    /// Like [`Self::backup`].
    pub async fn salvage(&self, to: &Path) -> Result<SalvageReport, StoreError> {
        let _read = maintenance_lock::long_read(self.store.data()).await;
        self.store.maintenance("store salvage")?.salvage(to).await
    }
}

/// Error of finding a run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No run has this id.
    #[error("no run with the id `{name}`")]
    None {
        /// The id or prefix.
        name: String,
    },
    /// Several runs have ids with this prefix.
    #[error("several runs have ids that begin with `{name}`")]
    Several {
        /// The prefix.
        name: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
