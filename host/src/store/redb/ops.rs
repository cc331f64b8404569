//! The write operations of the store, each within a transaction.
//!
//! If an operation fails, its whole transaction is rolled back.

use chrono::{DateTime, Utc};

use super::documents::Applied;
use super::row::Row;
use super::summary::StoredSummaries;
use super::tables::{Entry, IdempotencyEntry, Snapshot, Tx};
use super::{codec, keys};
use crate::model::document::{ChangeCount, CommitRequest};
use crate::model::outcome::{LogEntry, Outcome};
use crate::model::run_record::{OwnerId, RunId, RunRecord, RunState, Status};
use crate::store::idempotency::{holds, is_fresh};
use crate::store::{
    CancelOutcome, Claim, CommitMetadata, CommitOutcome, DuplicateValue, EraseOutcome,
    FinishOutcome, IdempotencyClaim, InsertOutcome, RunCompletion, StoreError,
};
use crate::util::clock;

/// See [`super::Store::insert`].
pub(super) fn insert(
    tx: &mut Tx<'_>,
    run: &RunRecord,
    key: Option<&IdempotencyClaim>,
) -> Result<InsertOutcome, StoreError> {
    if let Some(known) = tx.run(run.id)? {
        return Ok(InsertOutcome::Existing(Box::new(known)));
    }
    let mut run = run.clone();
    if let Some(claim) = key {
        match key_state(tx, &run, claim)? {
            KeyState::Taken(outcome) => return Ok(outcome),
            KeyState::Free { after } => run.retry_of = after.or(run.retry_of),
        }
    }
    run.sequence = tx.sequence()? + 1;
    let claim = Claim::of_new(run.id);
    run.revision = claim.revision;
    if let Some(claim) = key {
        let key = keys::idempotency(&run.operation_name, &claim.key);
        tx.put(&key, &IdempotencyEntry { run: run.sequence, fingerprint: claim.fingerprint })?;
        run.idempotency_key = Some(claim.key.clone());
    }
    let log = std::mem::take(&mut run.log_entries);
    add_run(tx, run, log)?;
    Ok(InsertOutcome::Created(claim))
}

/// Writes a run that is not in the store, with its log.
fn add_run(tx: &mut Tx<'_>, run: RunRecord, log: Vec<LogEntry>) -> Result<(), StoreError> {
    let sequence = run.sequence;
    // Corruption can hide the newest rows. Another row must not replace them.
    if tx.has(&keys::run(sequence))? {
        return Err(codec::corrupted(&keys::run(sequence), "key out of order"));
    }
    let (row, payloads) = Row::new(run);
    tx.replace(None, &row, &payloads)?;
    tx.add_log(sequence, log)?;
    Ok(())
}

/// State of an idempotency key that a run claims.
enum KeyState {
    /// The key is free. `after` is the earlier run of the same request that did not succeed.
    Free { after: Option<RunId> },
    /// Another run holds the key.
    Taken(InsertOutcome),
}

fn key_state(
    tx: &Tx<'_>,
    run: &RunRecord,
    claim: &IdempotencyClaim,
) -> Result<KeyState, StoreError> {
    let holder =
        tx.value::<IdempotencyEntry>(&keys::idempotency(&run.operation_name, &claim.key))?;
    let Some(holder) = holder else { return Ok(KeyState::Free { after: None }) };
    let Some(row) = tx.row_at(holder.run)? else { return Ok(KeyState::Free { after: None }) };
    let (same, now) = (holder.fingerprint == claim.fingerprint, run.created_at);
    Ok(if same && holds(&row.run, claim, now) {
        KeyState::Taken(InsertOutcome::Existing(Box::new(tx.load_full(row)?)))
    } else if !same && is_fresh(&row.run, claim, now) {
        KeyState::Taken(InsertOutcome::KeyConflict(Box::new(tx.load_full(row)?)))
    } else {
        let failed = same && row.run.state.status() != Status::Success;
        KeyState::Free { after: failed.then_some(row.run.id) }
    })
}

/// Result of [`log`].
pub(super) enum Added {
    /// The stored log part; `None` if there were no entries.
    Part(Option<Entry>),
    /// The claim is no longer valid.
    Lost,
}

/// See [`super::Store::append_log`].
pub(super) fn log(
    tx: &mut Tx<'_>,
    claim: Claim,
    entries: &[LogEntry],
) -> Result<Added, StoreError> {
    let row = existing_row(tx, claim.id)?;
    if !is_claimed(&row, claim) {
        return Ok(Added::Lost);
    }
    Ok(Added::Part(tx.add_log(row.run.sequence, entries.to_vec())?))
}

/// Result of [`finish`].
pub(super) enum Ended {
    /// The run has this final status since this time.
    Done(Claim, Status, DateTime<Utc>),
    /// The claim is no longer valid.
    Lost(Claim),
    /// The read set has changed. Contains the run if its RUNNING record was inserted instead.
    Conflict(Option<RunId>),
    /// A unique index rejects the changes. Contains the run as [`Self::Conflict`].
    Duplicate(Box<DuplicateValue>, Option<RunId>),
}

impl From<Ended> for FinishOutcome {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done(..) => Self::Done,
            Ended::Lost(_) => Self::Lost,
            Ended::Conflict(_) => Self::Conflict,
            Ended::Duplicate(duplicate, _) => Self::Duplicate(duplicate),
        }
    }
}

/// See [`super::Store::finish`].
pub(super) fn finish(
    tx: &mut Tx<'_>,
    claim: Claim,
    ending: &RunCompletion,
) -> Result<Ended, StoreError> {
    let old = match (tx.row(claim.id)?, &ending.running) {
        (Some(old), _) => old,
        (None, Some(running)) => return insert_finished(tx, claim, ending, running),
        (None, None) => return Err(missing_run(claim.id)),
    };
    if !is_claimed(&old, claim) {
        return Ok(Ended::Lost(claim));
    }
    let author = CommitMetadata::of_record(&old.run, ending.finished_at);
    let count = match tx.apply_changes(&ending.effects, &author)? {
        Applied::Committed(count) => count,
        Applied::Conflict => return Ok(Ended::Conflict(None)),
        Applied::Duplicate(duplicate) => return Ok(Ended::Duplicate(duplicate, None)),
    };
    let mut new = old.clone();
    set_final_state(&mut new.run, ending, count);
    let payloads = new.extract_blobs();
    tx.replace(Some(&old), &new, &payloads)?;
    link_undone_run(tx, &new.run)?;
    tx.add_log(new.run.sequence, ending.log_entries.clone())?;
    Ok(Ended::Done(claim, new.run.state.status(), ending.finished_at))
}

/// Inserts a run with its final state. After a conflict or a rejection, inserts it as RUNNING.
fn insert_finished(
    tx: &mut Tx<'_>,
    claim: Claim,
    ending: &RunCompletion,
    running: &RunRecord,
) -> Result<Ended, StoreError> {
    let mut run = running.clone();
    (run.sequence, run.revision) = (tx.sequence()? + 1, claim.revision);
    let mut log = std::mem::take(&mut run.log_entries);
    let author = CommitMetadata::of_record(&run, ending.finished_at);
    let count = match tx.apply_changes(&ending.effects, &author)? {
        Applied::Committed(count) => count,
        Applied::Conflict => {
            add_run(tx, run, log)?;
            return Ok(Ended::Conflict(Some(claim.id)));
        }
        Applied::Duplicate(duplicate) => {
            add_run(tx, run, log)?;
            return Ok(Ended::Duplicate(duplicate, Some(claim.id)));
        }
    };
    set_final_state(&mut run, ending, count);
    log.extend(ending.log_entries.iter().cloned());
    let status = run.state.status();
    link_undone_run(tx, &run)?;
    add_run(tx, run, log)?;
    Ok(Ended::Done(claim, status, ending.finished_at))
}

/// Sets `undone_by` of the run whose changes a finished run has reverted.
fn link_undone_run(tx: &mut Tx<'_>, undo: &RunRecord) -> Result<(), StoreError> {
    let is_committed = undo.changes.is_some_and(|count| count.revision.is_some());
    let Some(id) = undo.undo_of.filter(|_| is_committed) else { return Ok(()) };
    let Some(old) = tx.row(id)? else { return Ok(()) };
    let mut new = old.clone();
    new.run.undone_by = Some(undo.id);
    bump_revision(&mut new.run, undo.updated_at);
    tx.replace(Some(&old), &new, &[])
}

/// See [`super::Store::commit_changes`].
pub(super) fn commit_changes(
    tx: &mut Tx<'_>,
    author: &CommitMetadata,
    effects: &CommitRequest,
) -> Result<CommitOutcome, StoreError> {
    Ok(match tx.apply_changes(effects, author)? {
        Applied::Committed(count) => CommitOutcome::Committed(author.run_id, count),
        Applied::Conflict => CommitOutcome::Conflict,
        Applied::Duplicate(duplicate) => CommitOutcome::Duplicate(duplicate),
    })
}

/// Sets the final state of a run, except for its log. `count` is the count of the committed
/// changes.
fn set_final_state(run: &mut RunRecord, ending: &RunCompletion, count: ChangeCount) {
    run.state = run.state.finish(ending.outcome.clone(), ending.finished_at, ending.duration_ms);
    run.metadata.extend(ending.metadata.clone());
    run.log_dropped = ending.log_dropped;
    run.logs_ref.clone_from(&ending.logs_ref);
    run.masked.extend(&ending.masked);
    run.result_refs.clone_from(&ending.result_refs);
    run.changes = ending.changes.map(|it| ChangeCount { revision: count.revision, ..it });
    run.error_list.clone_from(&ending.error_list);
    run.capabilities.used = ending.capability_use.used.iter().cloned().collect();
    run.capabilities.denied = ending.capability_use.denied.iter().cloned().collect();
    run.usage = ending.usage;
    bump_revision(run, ending.finished_at);
}

fn bump_revision(run: &mut RunRecord, now: DateTime<Utc>) {
    run.revision += 1;
    run.updated_at = now;
}

fn existing_row(tx: &Tx<'_>, id: RunId) -> Result<Row, StoreError> {
    tx.row(id)?.ok_or_else(|| missing_run(id))
}

fn missing_run(id: RunId) -> StoreError {
    codec::corrupted(&keys::id(id), "missing id entry")
}

fn is_claimed(row: &Row, claim: Claim) -> bool {
    row.run.revision == claim.revision && matches!(row.run.state, RunState::Running { .. })
}

/// See [`super::Store::crash`].
pub(super) fn crash(
    tx: &mut Tx<'_>,
    runs: &[(RunId, OwnerId)],
    reason: &str,
) -> Result<Vec<RunId>, StoreError> {
    let now = clock::now();
    let mut crashed = Vec::new();
    for (id, owner) in runs {
        let old = match tx.row(*id) {
            // Corrupted rows cannot be marked. `check` reports them.
            Err(StoreError::Corrupted { .. }) | Ok(None) => continue,
            Ok(Some(old)) => old,
            Err(error) => return Err(error),
        };
        let RunState::Running { started_at } = old.run.state else { continue };
        if old.run.owner != *owner {
            continue;
        }
        let took = now.signed_duration_since(started_at).num_milliseconds();
        let took = u64::try_from(took).unwrap_or(0);
        let mut new = old.clone();
        new.run.state = old.run.state.finish(Outcome::Failed(Row::crash(reason)), now, took);
        bump_revision(&mut new.run, now);
        tx.replace(Some(&old), &new, &[])?;
        crashed.push(*id);
    }
    Ok(crashed)
}

/// Result of [`request_cancel`].
pub(super) struct CancelRequest {
    id: RunId,
    pub(super) outcome: CancelOutcome,
}

/// See [`super::Store::request_cancel`].
pub(super) fn request_cancel(tx: &mut Tx<'_>, id: RunId) -> Result<CancelRequest, StoreError> {
    let outcome = match tx.row(id)? {
        None => CancelOutcome::NotFound,
        Some(old) if old.run.state.status().is_final() => CancelOutcome::Finished,
        Some(old) => CancelOutcome::Requested(match old.run.cancel_requested_at {
            Some(first) => first,
            None => set_cancel_request(tx, &old)?,
        }),
    };
    Ok(CancelRequest { id, outcome })
}

/// Sets the time of the cancel request. The revision stays, because it is the claim of the owner.
fn set_cancel_request(tx: &mut Tx<'_>, old: &Row) -> Result<DateTime<Utc>, StoreError> {
    let now = clock::now();
    let mut new = old.clone();
    new.run.cancel_requested_at = Some(now);
    new.run.updated_at = now;
    tx.replace(Some(old), &new, &[])?;
    Ok(now)
}

/// See [`super::Store::erase`].
pub(super) fn erase(tx: &mut Tx<'_>, id: RunId) -> Result<EraseOutcome, StoreError> {
    let Some(old) = tx.row(id)? else { return Ok(EraseOutcome::NotFound) };
    if !old.run.state.status().is_final() {
        return Ok(EraseOutcome::Unfinished(Box::new(tx.load_full(old)?)));
    }
    if old.run.erased_at.is_some() {
        return Ok(EraseOutcome::Done(Box::new(old.run)));
    }
    let now = clock::now();
    let mut new = old.clone();
    new.erase();
    new.run.erased_at = Some(now);
    bump_revision(&mut new.run, now);
    tx.replace(Some(&old), &new, &[])?;
    tx.remove_log(new.run.sequence)?;
    Ok(EraseOutcome::Done(Box::new(new.run)))
}

/// Checks whether a write is present in the store.
///
/// Used when a commit returned an error and its outcome is unknown.
pub(super) trait CommitCheck {
    /// Returns whether the write is committed.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError>;
}

/// See [`StoreMaintenance::probe_write`](crate::store::StoreMaintenance::probe_write).
pub(super) fn probe_write(tx: &mut Tx<'_>) -> Result<ProbeOutcome, StoreError> {
    tx.probe_write()?;
    Ok(ProbeOutcome)
}

/// Result of [`probe_write`].
pub(super) struct ProbeOutcome;

impl CommitCheck for ProbeOutcome {
    fn is_committed(&self, _: &Snapshot) -> Result<bool, StoreError> {
        // The probe reports a failed commit as its own error.
        Ok(false)
    }
}

fn has_revision(store: &Snapshot, run: &RunRecord) -> Result<bool, StoreError> {
    Ok(store.row(run.id)?.is_some_and(|row| row.run.revision >= run.revision))
}

impl CommitCheck for InsertOutcome {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        match self {
            Self::Created(claim) => store.has(&keys::id(claim.id)),
            Self::Existing(run) | Self::KeyConflict(run) => has_revision(store, run),
        }
    }
}

impl CommitCheck for StoredSummaries {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        self.0.iter().try_fold(true, |all, block| Ok(all && store.has(&keys::summary(*block))?))
    }
}

impl CommitCheck for Added {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        match self {
            Self::Part(Some((key, bytes))) => Ok(store.bytes(key)?.as_ref() == Some(bytes)),
            Self::Part(None) | Self::Lost => Ok(true),
        }
    }
}

impl CommitCheck for Ended {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        let (claim, status, finished_at) = match self {
            Self::Done(claim, status, finished_at) => (claim, *status, *finished_at),
            Self::Lost(claim) => {
                return Ok(store.row(claim.id)?.is_none_or(|row| !is_claimed(&row, *claim)));
            }
            Self::Conflict(Some(inserted)) | Self::Duplicate(_, Some(inserted)) => {
                return store.has(&keys::id(*inserted));
            }
            Self::Conflict(None) | Self::Duplicate(_, None) => return Ok(true),
        };
        Ok(store.row(claim.id)?.is_some_and(|Row { run, .. }| {
            run.revision > claim.revision
                && run.state.status() == status
                && run.state.finished_at() == Some(finished_at)
        }))
    }
}

impl CommitCheck for CommitOutcome {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        match self {
            Self::Committed(run, ChangeCount { revision: Some(revision), .. }) => {
                // Another commit may have taken the revision.
                let commit = store.commit(*revision)?;
                Ok(commit.is_some_and(|commit| commit.author.run_id == *run))
            }
            Self::Committed(..) | Self::Conflict | Self::Duplicate(_) => Ok(true),
        }
    }
}

/// The ids of the runs that were marked as crashed.
impl CommitCheck for Vec<RunId> {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        for id in self {
            let running = store.row(*id)?.is_none_or(|row| !row.run.state.status().is_final());
            if running {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl CommitCheck for CancelRequest {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        let row = store.row(self.id)?;
        Ok(match self.outcome {
            CancelOutcome::Requested(at) => {
                row.is_some_and(|row| row.run.cancel_requested_at == Some(at))
            }
            CancelOutcome::Finished => row.is_some_and(|row| row.run.state.status().is_final()),
            CancelOutcome::NotFound => true,
        })
    }
}

impl CommitCheck for EraseOutcome {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        match self {
            Self::Done(run) => {
                Ok(store.row(run.id)?.is_some_and(|row| row.run.erased_at.is_some()))
            }
            Self::Unfinished(run) => has_revision(store, run),
            Self::NotFound => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::model::run_record::tests::running;
    use crate::store::conformance::insert;
    use crate::store::redb::backup::write_all;
    use crate::store::redb::file::{DIRECTORY, FILE, builder};
    use crate::store::redb::keys;
    use crate::store::redb::test_store::Scratch;
    use crate::store::{Store as _, StoreMaintenance as _};

    #[tokio::test]
    async fn probe_write_changes_nothing_in_a_corrupted_store() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let mut run = running("a");
        run.input_dump = json!({"large": "x".repeat(100_000)});
        insert(&store, &run).await;
        let file = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let database = builder().open(file).unwrap();
        // Remove the reference count of the input.
        write_all(&database, &[()], |tx, ()| {
            let row = tx.row_at(1)?.unwrap();
            row.payloads().try_for_each(|digest| tx.remove(&keys::refcount(&digest)))
        })
        .unwrap();
        drop(database);
        let before = store.check().await.unwrap();
        store.probe_write().await.unwrap();
        assert_eq!(store.check().await.unwrap(), before);
        let stored = store.get(run.id).await.unwrap().unwrap();
        assert_eq!(stored.input_dump, run.input_dump);
    }
}
