//! Undo of a run: checks that the run can be undone, and runs the built-in operation.

use super::{Host, RunError, RunReport};
use crate::documents::builtin::CallSettings;
use crate::documents::undo::Undo;
use crate::model::document::ChangeCount;
use crate::model::run_record::{RunId, RunRecord, Status};
use crate::store::{RunFilter, Store, StoreError};

impl Host {
    /// Reverts the document changes of a run, all or none, by a recorded run of the built-in
    /// operation `ophost.undo`, which can be undone itself. The records of both runs name each
    /// other: [`RunRecord::undo_of`] and [`RunRecord::undone_by`].
    ///
    /// The run fails with the kind `conflict` if the content of a document is not the one after the
    /// run `id`. With `force`, such documents are overwritten too. The limit `effects` of the undo
    /// is the maximum of the host, or twice the size of the changes if that is more.
    ///
    /// # Errors
    ///
    /// - Returns [`UndoError`] if the run cannot be undone. Nothing is recorded then.
    /// - Otherwise like [`Self::run`].
    pub async fn undo(
        &self,
        id: RunId,
        force: bool,
        settings: CallSettings,
    ) -> Result<RunReport, UndoError> {
        let store = self.store().ok_or(UndoError::NoSuchRun)?;
        let run = store.get(id).await?.ok_or(UndoError::NoSuchRun)?;
        let revision = committed_revision(&*store, &run).await?;
        if let Some(by) = undone_by(&*store, &run).await? {
            return Err(UndoError::Undone { by });
        }
        let changes = match store.changes(id).await {
            Err(StoreError::HistoryRemoved(_)) => return Err(UndoError::HistoryRemoved),
            changes => changes?,
        };
        let undo = Undo { run: id, revision, changes, force, store };
        Ok(self.run_builtin(&undo, settings).await?)
    }
}

/// Returns the revision of the commit of a run.
async fn committed_revision(store: &dyn Store, run: &RunRecord) -> Result<u64, UndoError> {
    let status = run.state.status();
    if !status.is_final() {
        return Err(UndoError::Unfinished);
    }
    if status != Status::Success {
        return Err(UndoError::Unsuccessful(status));
    }
    if run.flags().dry_run {
        return Err(UndoError::DryRun);
    }
    if let Some(ChangeCount { revision: Some(revision), .. }) = run.changes {
        return Ok(revision);
    }
    let children = RunFilter { parent_run_id: Some(run.id), ..RunFilter::default() };
    let has_children = !store.list(&children, None, 1).await?.runs.is_empty();
    Err(if has_children { UndoError::HasChildren } else { UndoError::NoChanges })
}

/// Returns the run that undid a run, unless that undo was undone itself. Returns `None` if a record
/// of the chain was removed: the content of the documents then decides.
pub(super) async fn undone_by(
    store: &dyn Store,
    run: &RunRecord,
) -> Result<Option<RunId>, StoreError> {
    let (mut next, mut is_undone) = (run.undone_by, false);
    // Each undo is later than the run that it undid, so the chain ends.
    while let Some(id) = next {
        let Some(undo) = store.get(id).await? else { return Ok(None) };
        (next, is_undone) = (undo.undone_by, !is_undone);
    }
    Ok(run.undone_by.filter(|_| is_undone))
}

/// The reason why a run cannot be undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// The run does not exist.
    #[error("the run does not exist")]
    NoSuchRun,
    /// The run has not finished.
    #[error("has not ended")]
    Unfinished,
    /// The run failed or was cancelled, so it committed no changes.
    #[error("ended with {0}, so it committed no document changes")]
    Unsuccessful(Status),
    /// The run was a dry run, so it committed no changes.
    #[error("was a dry run, so it committed no document changes")]
    DryRun,
    /// The run changed no document.
    #[error("changed no document")]
    NoChanges,
    /// The run changed no document itself. Its child runs can be undone.
    #[error("changed no document itself; its child runs did")]
    HasChildren,
    /// Retention has removed the changes of the run.
    #[error("cannot be undone: its document changes were removed by retention")]
    HistoryRemoved,
    /// The run was already undone.
    #[error("was already undone by run {by}")]
    Undone {
        /// The undo, which can be undone itself.
        by: RunId,
    },
    /// The undo could not run.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<StoreError> for UndoError {
    fn from(error: StoreError) -> Self {
        Self::Run(error.into())
    }
}
