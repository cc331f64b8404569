//! Removal of finished runs: see [`Retention`].

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::keys::{self, Index, TableId};
use super::ops::CommitCheck;
use super::row::Row;
use super::tables::{Snapshot, Source, Tx, View};
use super::{MAX_ROWS_PER_SNAPSHOT, RedbStore, history_retention, summary};
use crate::model::retention::RunClass;
use crate::model::run_record::{RunId, Status};
use crate::store::StoreError;
use crate::store::idempotency::is_live;
use crate::store::retention::{
    ExpiredHistory, ExpiredPage, ExpiredRun, Expiry, ExpiryScan, LastPrune, RemovedHistory,
    RemovedRun, RemovedRuns, Retention, RunHold, RunRemoval,
};

/// Name of the meta entry with the last prune.
const LAST_PRUNE: &str = "last prune";

#[async_trait]
impl Retention for RedbStore {
    async fn expired_runs(&self, scan: ExpiryScan) -> Result<ExpiredPage, StoreError> {
        let page = self.read(move |store| expired_runs(store, scan.clone())).await?;
        Ok(page.unwrap_or_default())
    }

    async fn hold(&self, id: RunId, now: DateTime<Utc>) -> Result<Option<RunHold>, StoreError> {
        let hold = move |store: &Snapshot| match store.row(id)? {
            Some(row) => store.hold(&row, now, usize::MAX),
            None => Ok(None),
        };
        Ok(self.read(hold).await?.flatten())
    }

    async fn remove_runs(&self, request: RunRemoval) -> Result<RemovedRuns, StoreError> {
        self.writer.submit_background(move |tx| remove_runs(tx, &request)).await
    }

    async fn expired_history(
        &self,
        before: DateTime<Utc>,
        after: Option<u64>,
    ) -> Result<ExpiredHistory, StoreError> {
        let expired = self.read(move |store| history_retention::expired(store, before, after));
        Ok(expired.await?.unwrap_or_default())
    }

    async fn remove_history(
        &self,
        before: DateTime<Utc>,
        budget: Duration,
    ) -> Result<RemovedHistory, StoreError> {
        // A write would create the store.
        if self.read(|_| Ok(())).await?.is_none() {
            let (began, commits, changes, is_done) = (Instant::now(), 0, 0, true);
            return Ok(RemovedHistory { began, commits, changes, is_done });
        }
        let remove = move |tx: &mut Tx<'_>| history_retention::remove(tx, before, budget);
        self.writer.submit_background(remove).await
    }

    async fn last_prune(&self) -> Result<Option<LastPrune>, StoreError> {
        Ok(self.read(|store| store.value(&keys::meta(LAST_PRUNE))).await?.flatten())
    }

    async fn set_last_prune(&self, last: LastPrune) -> Result<(), StoreError> {
        // A write would create the store.
        if self.read(|_| Ok(())).await?.is_none() {
            return Ok(());
        }
        let set = move |tx: &mut Tx<'_>| {
            tx.put(&keys::meta(LAST_PRUNE), &last)?;
            Ok(last)
        };
        self.writer.submit_background(set).await.map(drop)
    }

    fn has_written(&self) -> bool {
        self.writer.has_committed()
    }
}

/// Returns a page of the runs that exceed a rule.
fn expired_runs(store: &Snapshot, mut scan: ExpiryScan) -> Result<ExpiredPage, StoreError> {
    let total = match scan.class.rule.max_runs {
        Some(_) => store.class_size(&scan.class)?,
        None => 0,
    };
    let sequences = store.sequences_of(&scan.class, scan.after)?;
    let is_last = sequences.len() < MAX_ROWS_PER_SNAPSHOT;
    let mut page = ExpiredPage::default();
    for sequence in sequences {
        let row = match store.row_at(sequence) {
            Ok(Some(row)) => row,
            Err(error @ StoreError::Corrupted { .. }) => {
                page.corrupted.push(error);
                scan.skip(sequence);
                continue;
            }
            other => match other? {
                Some(row) => row,
                None => continue,
            },
        };
        if !scan.class.statuses.contains(&row.run.state.status()) {
            scan.after = sequence;
            continue;
        }
        match scan.visit(&row.run, total) {
            Expiry::Expired => page.runs.push(store.expired_run(&row, scan.now)?),
            Expiry::Kept => {}
            Expiry::End => return Ok(page),
        }
    }
    page.next = (!is_last).then_some(scan);
    Ok(page)
}

impl<S: Source> View<S> {
    /// Returns the number of finished runs of a class.
    fn class_size(&self, class: &RunClass) -> Result<u64, StoreError> {
        let is_in_class = |status: &Status| class.statuses.contains(status);
        if !is_in_class(&Status::Success) {
            return class.statuses.iter().map(|status| self.status_size(*status)).sum();
        }
        let others = Status::ALL.into_iter().filter(|status| !is_in_class(status));
        let others: u64 = others.map(|status| self.status_size(status)).sum::<Result<_, _>>()?;
        Ok(self.run_count()?.saturating_sub(others))
    }

    /// Returns the number of runs with a status other than SUCCESS.
    fn status_size(&self, status: Status) -> Result<u64, StoreError> {
        let (prefix, mut count) = (Index::Status(status).prefix(), 0);
        self.each_between(&prefix, &keys::after(&prefix), |_, _| {
            count += 1;
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })
        .map(drop)?;
        Ok(count)
    }

    /// Returns the next sequences whose runs may belong to a class, in ascending order.
    fn sequences_of(&self, class: &RunClass, after: u64) -> Result<Vec<u64>, StoreError> {
        if class.statuses.contains(&Status::Success) {
            return self.sequences_after(&TableId::Run.prefix(), after);
        }
        let mut sequences = Vec::new();
        for status in &class.statuses {
            sequences.extend(self.sequences_after(&Index::Status(*status).prefix(), after)?);
        }
        sequences.sort_unstable();
        sequences.truncate(MAX_ROWS_PER_SNAPSHOT);
        Ok(sequences)
    }

    /// Returns the next sequences of the keys with a prefix.
    fn sequences_after(&self, prefix: &[u8], after: u64) -> Result<Vec<u64>, StoreError> {
        let first = [prefix, &(after + 1).to_be_bytes()].concat();
        let mut sequences = Vec::new();
        self.each_between(&first, &keys::after(prefix), |key, _| {
            sequences.extend(keys::sequence(key));
            Ok::<_, StoreError>(match sequences.len() {
                MAX_ROWS_PER_SNAPSHOT => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        })
        .map(drop)?;
        Ok(sequences)
    }

    fn expired_run(&self, row: &Row, now: DateTime<Utc>) -> Result<ExpiredRun, StoreError> {
        let (id, status) = (row.run.id, row.run.state.status());
        let has_links = row.run.links().next().is_some();
        Ok(ExpiredRun { id, status, has_links, hold: self.hold(row, now, usize::MAX)? })
    }

    /// Returns what holds a finished run, with at most `limit` runs that are linked to it.
    fn hold(
        &self,
        row: &Row,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<Option<RunHold>, StoreError> {
        if row.run.undone_by.is_some() {
            return Ok(Some(RunHold::Undone));
        }
        if is_live(&row.run, now) && self.held_key(&row.run)?.is_some() {
            return Ok(Some(RunHold::IdempotencyKey));
        }
        let linked = self.linked_to(row.run.id, limit)?;
        Ok((!linked.is_empty()).then_some(RunHold::Linked(linked)))
    }

    /// Returns at most `limit` runs that are linked to a run.
    fn linked_to(&self, id: RunId, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let (prefix, mut linked) = (Index::LinkTo(id).prefix(), Vec::new());
        self.each_between(&prefix, &keys::after(&prefix), |key, _| {
            // The entry may belong to another run with the same hash.
            if let Some(row) = keys::sequence(key).map(|it| self.row_at(it)).transpose()?.flatten()
                && row.run.links().any(|it| it == id)
            {
                linked.push(row.run.id);
            }
            Ok::<_, StoreError>(match linked.len() >= limit {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })
        .map(drop)?;
        Ok(linked)
    }
}

/// See [`Retention::remove_runs`].
fn remove_runs(tx: &mut Tx<'_>, request: &RunRemoval) -> Result<RemovedRuns, StoreError> {
    let began = Instant::now();
    let (newest, mut blocks) = (tx.sequence()?, BTreeMap::new());
    let mut result = RemovedRuns { began, tried: 0, removed: Vec::new() };
    for id in request.runs.iter() {
        if let Some(row) = removable_row(tx, *id, request)? {
            tx.remove_run(&row)?;
            *blocks.entry(row.run.sequence / summary::BLOCK_SIZE).or_default() += 1;
            result.removed.push(RemovedRun::of(&row.run));
        }
        result.tried += 1;
        if began.elapsed() >= request.budget {
            break;
        }
    }
    summary::add_removed(tx, &blocks)?;
    if tx.sequence()? < newest {
        tx.set_sequence_floor(newest)?;
    }
    Ok(result)
}

/// Returns the row of a run that may be removed; `None` if the run has not finished, is held, is
/// corrupted or does not exist.
fn removable_row(tx: &Tx<'_>, id: RunId, request: &RunRemoval) -> Result<Option<Row>, StoreError> {
    let row = match tx.row(id) {
        // `check` reports corrupted rows.
        Err(StoreError::Corrupted { .. }) => return Ok(None),
        row => row?.filter(|row| row.run.state.status().is_final()),
    };
    let Some(row) = row else { return Ok(None) };
    let is_held = !request.is_forced && tx.hold(&row, request.now, 1)?.is_some();
    Ok((!is_held).then_some(row))
}

impl CommitCheck for RemovedRuns {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        match self.removed.first() {
            Some(run) => Ok(!store.has(&keys::id(run.id))?),
            None => Ok(true),
        }
    }
}

impl CommitCheck for LastPrune {
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        Ok(store.value(&keys::meta(LAST_PRUNE))? == Some(*self))
    }
}
