//! What was run, for those who only look.

use std::path::Path;
use std::time::Duration;

use crate::model::document::ChangeSet;
use crate::model::run_record::{ParseRunIdError, RunId, RunRecord};
use crate::store::{
    EraseOutcome, LogFile, RunCursor, RunFilter, RunPage, SalvageReport, StatsReport, Store as _,
    StoreError, StoreHandle,
};

/// How often a run that is being cancelled is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The records of runs in a data directory.
///
/// Whoever looks first marks the runs of processes that died as failed, `crashed`.
#[derive(Clone, Copy)]
pub struct Runs<'a> {
    store: &'a StoreHandle,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(store: &'a StoreHandle) -> Self {
        Self { store }
    }

    /// Returns the run that a text names: an id, the beginning of one, or `latest`.
    ///
    /// # Errors
    ///
    /// Returns [`FindError`] if it names none, or several.
    pub async fn find(&self, name: &str) -> Result<RunRecord, FindError> {
        self.store.reap_crashed_runs().await.ok();
        let run = self.named(name).await?;
        Ok(self.store.with_logs_ref(run))
    }

    /// Returns a run that is waited for, as it is now.
    ///
    /// # Errors
    ///
    /// Returns [`FindError`] if there is none, and if it will never end: its process died, and
    /// that cannot be written, as on a full disk.
    pub async fn follow(&self, id: RunId) -> Result<RunRecord, FindError> {
        let unmarked = self.unrecorded_crashes().await;
        let run = self.get(id).await?.ok_or_else(|| FindError::None { name: id.to_string() })?;
        match unmarked {
            Some((error, lost)) if lost.contains(&id) && !run.state.status().is_final() => {
                Err(error.into())
            }
            _ => Ok(run),
        }
    }

    /// Returns the runs whose processes died and which are shown as running, since that cannot be
    /// written, and why not; `None` if there are none.
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

    /// Returns a run with all that is kept of it; `None` if there is none of that id.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be read.
    pub async fn get(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        let run = self.store.store().get(id).await?;
        Ok(run.map(|run| self.store.with_logs_ref(run)))
    }

    /// Returns what a run logged beyond what its record holds; `None` if that is nothing.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be read.
    pub fn log_file(&self, id: RunId) -> Result<Option<LogFile>, StoreError> {
        self.store.log_file(id)
    }

    /// Returns how many files there are of logs that their records have no room for;
    /// [`Self::backup`] leaves them out. Where they cannot be looked at, that is none.
    pub fn log_files(&self) -> usize {
        self.store.log_files().unwrap_or_default()
    }

    /// Returns a page of the runs that fit, the newest first.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if they cannot be read.
    pub async fn list(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: usize,
    ) -> Result<RunPage, StoreError> {
        self.store.reaped_store().await.list(filter, after, limit).await
    }

    /// Returns what the runs that fit have in common, for each operation.
    ///
    /// # Errors
    ///
    /// As [`Self::list`].
    pub async fn stats(&self, filter: &RunFilter) -> Result<StatsReport, StoreError> {
        self.store.reaped_store().await.stats(filter).await
    }

    /// Returns what a run changed of documents: nothing for one that changed none, and for a
    /// dry run.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be read.
    pub async fn changes(&self, id: RunId) -> Result<ChangeSet, StoreError> {
        self.store.store().changes(id).await
    }

    /// Stops a run of whichever process, and waits until its record says so. Returns the run
    /// as it ended, which may be otherwise: it was faster, or its process was dead.
    ///
    /// Waits as long as the process of the run is alive and does not end it; that is a matter
    /// of some ten milliseconds, but for what cannot be interrupted.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the records cannot be read.
    pub async fn cancel(&self, run: RunRecord) -> Result<RunRecord, StoreError> {
        let mut run = run;
        while !run.state.status().is_final() {
            // A hint may be lost, or come before the run is listed.
            if !self.store.cancel(run.id, &run.owner) {
                // Nobody listens: most likely it is dead.
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

    /// Removes what a run was given, what it returned and what was said in it. That it
    /// happened stays.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be written; then nothing is removed. Where the
    /// file with the rest of its log cannot be removed, that is an error too: the next call
    /// tries it again.
    pub async fn erase(&self, id: RunId) -> Result<EraseOutcome, StoreError> {
        self.store.reap_crashed_runs().await?;
        let erased = self.store.store().erase(id).await?;
        if matches!(erased, EraseOutcome::Done(_)) {
            self.store.remove_log_file(id)?;
        }
        Ok(erased)
    }

    /// Returns how large the file of all records is, in bytes; `None` if nothing was recorded.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be looked at.
    pub fn size(&self) -> Result<Option<u64>, StoreError> {
        self.store.size()
    }

    /// Tries what a recorded run needs, by a commit that leaves nothing.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] that a run would meet.
    pub async fn probe_write(&self) -> Result<(), StoreError> {
        match self.size()? {
            Some(_) => self.store.store().probe_write().await,
            None => Ok(()),
        }
    }

    /// Returns what is wrong with the store, a line for each thing; empty if it is sound.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be read at all.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.store.store().check().await
    }

    /// Copies the store as it is at this moment to a file, which must not be there yet.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`], also if there is one; then nothing is written.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.store.store().backup(to).await
    }

    /// Copies what can be read of a damaged store to a new file.
    ///
    /// # Errors
    ///
    /// As [`Self::backup`].
    pub async fn salvage(&self, to: &Path) -> Result<SalvageReport, StoreError> {
        self.store.store().salvage(to).await
    }
}

/// A text that does not name one run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no such run.
    #[error("no run is called `{name}`")]
    None {
        /// The text.
        name: String,
    },
    /// The text is the beginning of more than one id.
    #[error("several runs begin with `{name}`")]
    Several {
        /// The text.
        name: String,
    },
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
