//! Removal of the document changes of old commits.
//!
//! The metadata of the commits remains. A meta entry has the newest revision whose changes may be
//! missing. It is set in the transaction that removes the first change of a commit.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::documents::Commit;
use super::keys::{self, TableId};
use super::ops::CommitCheck;
use super::tables::{Snapshot, Source, Tx, View};
use super::{MAX_ROWS_PER_SNAPSHOT, codec};
use crate::store::StoreError;
use crate::store::retention::{ExpiredHistory, RemovedHistory};

/// Name of the meta entry with the newest revision whose changes may have been removed.
const HISTORY_FLOOR: &str = "history floor";
/// Maximum changes that are removed between two checks of the budget.
const BATCH: usize = 16;

impl<S: Source> View<S> {
    /// Returns the newest revision whose changes may have been removed; 0 if none were.
    pub(super) fn history_floor(&self) -> Result<u64, StoreError> {
        Ok(self.value(&keys::meta(HISTORY_FLOOR))?.unwrap_or(0))
    }

    /// Passes the commits before a time with at least this revision to `visit`, oldest first, until
    /// it breaks. Returns whether it broke.
    fn each_commit_before(
        &self,
        time: DateTime<Utc>,
        revision: u64,
        mut visit: impl FnMut(u64, Commit) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut is_broken = false;
        let end = keys::after(&TableId::Commit.prefix());
        self.each_between(&keys::commit(revision), &end, |key, value| {
            let commit: Commit = codec::decode(key, value)?;
            let revision = keys::revision_of_commit(key)
                .ok_or_else(|| codec::corrupted(key, "malformed key"))?;
            if commit.author.at >= time {
                return Ok(ControlFlow::Break(()));
            }
            let flow = visit(revision, commit)?;
            is_broken = flow.is_break();
            Ok::<_, StoreError>(flow)
        })
        .map(drop)?;
        Ok(is_broken)
    }
}

/// See [`Retention::expired_history`](crate::store::retention::Retention::expired_history).
pub(super) fn expired(
    store: &Snapshot,
    before: DateTime<Utc>,
    after: Option<u64>,
) -> Result<ExpiredHistory, StoreError> {
    let mut result = ExpiredHistory::default();
    let after = after.map_or_else(|| store.history_floor(), Ok)?;
    let (mut last, mut visited) = (after, 0);
    let has_more = store.each_commit_before(before, after + 1, |revision, commit| {
        result.commits += 1;
        result.changes += commit.collections.values().sum::<u64>();
        (last, visited) = (revision, visited + 1);
        Ok(match visited {
            MAX_ROWS_PER_SNAPSHOT => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    })?;
    result.next = has_more.then_some(last);
    Ok(result)
}

/// See [`Retention::remove_history`](crate::store::retention::Retention::remove_history).
pub(super) fn remove(
    tx: &mut Tx<'_>,
    before: DateTime<Utc>,
    budget: Duration,
) -> Result<RemovedHistory, StoreError> {
    let began = Instant::now();
    let mut result = RemovedHistory { began, commits: 0, changes: 0, is_done: false };
    // Only the commit of the floor can have remaining changes.
    let (floor, mut next) = (tx.history_floor()?, tx.history_floor()?);
    while let Some((revision, commit)) = next_commit(tx, before, next)? {
        if revision > floor {
            tx.put(&keys::meta(HISTORY_FLOOR), &revision)?;
        }
        let removed = result.changes;
        for collection in commit.collections.keys() {
            let prefix = keys::changes_from(collection, revision);
            while remove_batch(tx, &prefix, &mut result.changes)? {
                if began.elapsed() >= budget {
                    return Ok(result);
                }
            }
        }
        result.commits += u64::from(revision > floor || result.changes > removed);
        next = revision + 1;
        // The commit of the floor may have no changes left.
        if result.changes > 0 && began.elapsed() >= budget {
            return Ok(result);
        }
    }
    result.is_done = true;
    Ok(result)
}

/// Returns the first commit with at least this revision, if it is before a time.
fn next_commit(
    tx: &Tx<'_>,
    before: DateTime<Utc>,
    revision: u64,
) -> Result<Option<(u64, Commit)>, StoreError> {
    let mut found = None;
    tx.each_commit_before(before, revision, |revision, commit| {
        found = Some((revision, commit));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// Removes some changes with a prefix. Returns whether more may be left.
fn remove_batch(tx: &mut Tx<'_>, prefix: &[u8], removed: &mut u64) -> Result<bool, StoreError> {
    let mut changes = Vec::new();
    tx.each_between(prefix, &keys::after(prefix), |key, _| {
        changes.push(key.to_vec());
        Ok::<_, StoreError>(match changes.len() {
            BATCH => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    })
    .map(drop)?;
    changes.iter().try_for_each(|key| tx.remove(key))?;
    *removed += changes.len() as u64;
    Ok(changes.len() == BATCH)
}

impl CommitCheck for RemovedHistory {
    fn is_committed(&self, _: &Snapshot) -> Result<bool, StoreError> {
        // A removal that was not committed is repeated by the next call.
        Ok(false)
    }
}
