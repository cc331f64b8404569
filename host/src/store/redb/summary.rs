//! Summaries of blocks of runs, so that statistics of many runs do not read each of them.
//!
//! A block has [`BLOCK_SIZE`] consecutive sequences. Statistics that read a complete block, whose
//! runs have all finished, store its summary for later ones. A finished run does not change its
//! operation, status, start or duration, so a summary stays valid until a run is removed.
//!
//! An entry also has the number of removed runs of the block. Without this number, runs that a
//! corrupted page hides would count as removed.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::keys::{self, TableId};
use super::tables::{self, Snapshot, Tx};
use crate::model::operation::OperationName;
use crate::model::run_record::{RunRecord, Status};
use crate::store::stats::{StatsBuilder, counted_duration};
use crate::store::{RunFilter, StoreError};

/// Runs per block.
pub(super) const BLOCK_SIZE: u64 = 4096;
/// Maximum summaries that are read from one snapshot. A long-lived snapshot makes the file grow.
const MAX_SUMMARIES_PER_SNAPSHOT: usize = 256;

/// The entry of a block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    /// The number of removed runs.
    #[serde(default)]
    pub(super) removed: u64,
    /// The summary of the remaining runs, if it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<BlockSummary>,
}

/// Summary of the runs of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BlockSummary {
    /// The earliest [`RunRecord::started_or_created_at`].
    first: DateTime<Utc>,
    /// The latest one.
    last: DateTime<Utc>,
    operations: BTreeMap<OperationName, OperationSummary>,
}

/// Summary of the runs of one operation in a block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct OperationSummary {
    count: BTreeMap<Status, u64>,
    /// The counted durations in ascending order, in microseconds, each as the difference from the
    /// one before.
    durations: Vec<u64>,
}

/// How the runs of a block relate to the time range of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// No run is in the range.
    Outside,
    /// Some runs may be in the range.
    Partial,
    /// All runs are in the range.
    Inside,
}

impl BlockSummary {
    /// Returns how the runs of the block relate to the time range of a filter.
    pub(super) fn coverage(&self, filter: &RunFilter) -> Coverage {
        let is_after = filter.since.is_none_or(|since| since <= self.first);
        let is_before = filter.until.is_none_or(|until| self.last < until);
        let ends_early = filter.since.is_some_and(|since| self.last < since);
        let begins_late = filter.until.is_some_and(|until| until <= self.first);
        match (ends_early || begins_late, is_after && is_before) {
            (true, _) => Coverage::Outside,
            (false, true) => Coverage::Inside,
            (false, false) => Coverage::Partial,
        }
    }

    /// Adds the runs of an operation, or of all.
    pub(super) fn add_to(&self, stats: &mut StatsBuilder, operation: Option<&OperationName>) {
        for (name, summary) in &self.operations {
            if operation.is_none_or(|operation| operation == name) {
                let durations = summary.durations.iter().scan(0, |sum, difference| {
                    *sum += difference;
                    Some(*sum)
                });
                stats.add_all(name, &summary.count, durations);
            }
        }
    }
}

/// Returns whether summaries have the fields that a filter needs.
pub(super) fn has_fields_of(filter: &RunFilter) -> bool {
    let RunFilter { operation, since, until, .. } = filter.clone();
    *filter == RunFilter { operation, since, until, ..RunFilter::default() }
}

/// Returns the sequences of a block.
pub(super) fn sequences(block: u64) -> Range<u64> {
    block * BLOCK_SIZE..(block + 1) * BLOCK_SIZE
}

/// Accumulator of the summary of a block.
#[derive(Default)]
pub(super) struct SummaryBuilder {
    operations: BTreeMap<OperationName, OperationSummary>,
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    finished: u64,
}

impl SummaryBuilder {
    /// Adds a run of the block.
    pub(super) fn add(&mut self, run: &RunRecord) {
        let operation = self.operations.entry(run.operation_name.clone()).or_default();
        *operation.count.entry(run.state.status()).or_default() += 1;
        operation.durations.extend(counted_duration(run));
        self.finished += u64::from(run.state.status().is_final());
        let time = run.started_or_created_at();
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
    }

    /// Returns the summary of a block from which `removed` runs were removed; `None` if a run of
    /// the block is missing or has not finished, or if no run is left.
    pub(super) fn build(mut self, block: u64, removed: u64) -> Option<BlockSummary> {
        let sequences = sequences(block);
        // The first block has no sequence 0.
        let size = sequences.end - sequences.start.max(1);
        let (first, last) = self.times.filter(|_| self.finished + removed == size)?;
        for OperationSummary { durations, .. } in self.operations.values_mut() {
            durations.sort_unstable();
            let mut before = 0;
            for duration in durations {
                (*duration, before) = (*duration - before, *duration);
            }
        }
        Some(BlockSummary { first, last, operations: self.operations })
    }
}

impl Snapshot {
    /// Returns the entry of a block; an empty one if it is not stored or corrupted.
    pub(super) fn block(&self, block: u64) -> Result<Block, StoreError> {
        match self.value(&keys::summary(block)) {
            Err(StoreError::Corrupted { .. }) => Ok(Block::default()),
            stored => Ok(stored?.unwrap_or_default()),
        }
    }

    /// Returns the summary of a block; `None` if it is not stored or corrupted.
    pub(super) fn summary(&self, block: u64) -> Result<Option<BlockSummary>, StoreError> {
        Ok(self.block(block)?.summary)
    }

    /// Returns the first block from `block` on that has a run; `None` if no run is left.
    pub(super) fn block_with_runs(&self, block: u64) -> Result<Option<u64>, StoreError> {
        let first = keys::run(sequences(block).start);
        let mut found = None;
        self.each_between(&first, &keys::after(&TableId::Run.prefix()), |key, _| {
            found = keys::sequence_of_run(key);
            Ok::<_, StoreError>(ControlFlow::Break(()))
        })
        .map(drop)?;
        Ok(found.map(|sequence| sequence / BLOCK_SIZE))
    }

    /// Returns the stored summaries of consecutive blocks from `block` on.
    pub(super) fn summaries(&self, block: u64) -> Result<Vec<BlockSummary>, StoreError> {
        let mut summaries = Vec::new();
        while summaries.len() < MAX_SUMMARIES_PER_SNAPSHOT
            && let Some(summary) = self.summary(block + summaries.len() as u64)?
        {
            summaries.push(summary);
        }
        Ok(summaries)
    }

    /// Returns whether the entry of a block matches its runs.
    pub(super) fn is_block_of_runs(&self, block: u64, entry: &Block) -> Result<bool, StoreError> {
        let Some(summary) = &entry.summary else { return Ok(true) };
        let (mut builder, sequences) = (SummaryBuilder::default(), sequences(block));
        for entry in self.range(&keys::run(sequences.start), &keys::run(sequences.end))? {
            let (key, value) = entry?;
            builder.add(&tables::open_row(&key, &value)?.run);
        }
        Ok(builder.build(block, entry.removed).as_ref() == Some(summary))
    }
}

/// Stores the summaries of blocks, except those from which a run was removed since the summary was
/// built.
///
/// # Errors
///
/// Returns [`StoreError`] if the transaction fails.
pub(super) fn store(
    tx: &mut Tx<'_>,
    blocks: &[(u64, Block)],
) -> Result<StoredSummaries, StoreError> {
    let mut stored = Vec::new();
    for (block, entry) in blocks {
        if removed_runs(tx, *block)? == entry.removed {
            tx.put(&keys::summary(*block), entry)?;
            stored.push(*block);
        }
    }
    Ok(StoredSummaries(stored))
}

/// Returns the number of removed runs of a block; 0 if the entry is corrupted.
fn removed_runs(tx: &Tx<'_>, block: u64) -> Result<u64, StoreError> {
    match tx.value::<Block>(&keys::summary(block)) {
        Err(StoreError::Corrupted { .. }) => Ok(0),
        entry => Ok(entry?.unwrap_or_default().removed),
    }
}

/// Adds to the numbers of removed runs of blocks, and removes their summaries.
///
/// # Errors
///
/// Returns [`StoreError`] if the transaction fails.
pub(super) fn add_removed(tx: &mut Tx<'_>, removed: &BTreeMap<u64, u64>) -> Result<(), StoreError> {
    for (block, count) in removed {
        let removed = removed_runs(tx, *block)? + count;
        tx.put(&keys::summary(*block), &Block { removed, summary: None })?;
    }
    Ok(())
}

/// The blocks whose summaries were stored.
pub(super) struct StoredSummaries(pub(super) Vec<u64>);

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::model::outcome::Outcome;
    use crate::model::run_record::RunState;
    use crate::model::run_record::tests::running;
    use crate::store::conformance::{ending, insert};
    use crate::store::redb::backup::write_all;
    use crate::store::redb::file::{DIRECTORY, FILE, builder};
    use crate::store::redb::row::Row;
    use crate::store::redb::test_store::Scratch;
    use crate::store::{Retention as _, RunRemoval, Stats, Store as _, StoreMaintenance as _};

    /// Returns run number `n`. Each run starts a second after the one before.
    fn run(n: u64) -> RunRecord {
        let mut run = running(if n.is_multiple_of(3) { "fizz" } else { "a" });
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        (run.sequence, run.revision) = (n, 2);
        run.created_at = start + TimeDelta::seconds(n.cast_signed());
        let started = RunState::Running { started_at: run.created_at };
        let outcome = Outcome::Success(json!(n));
        let took = TimeDelta::milliseconds(n.cast_signed() % 97);
        run.state = started.finish(outcome, run.created_at + took, took.num_milliseconds() as u64);
        run
    }

    #[tokio::test]
    async fn statistics_with_summaries_are_equal_to_those_of_the_runs() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        // An unfinished run has no summary.
        let state = RunState::Running { started_at: run(1).created_at };
        let unfinished = insert(&store, &RunRecord { state, ..run(1) }).await;
        let count = 2 * BLOCK_SIZE + 100;
        let file = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let rows: Vec<_> = (2..=count).map(|n| Row::new(run(n)).0).collect();
        let database = builder().open(file).unwrap();
        write_all(&database, &rows, |tx, row| tx.replace(None, row, &[])).unwrap();
        drop(database);
        let at = |n: u64| Some(run(n).created_at);
        let filters = [
            RunFilter::default(),
            RunFilter { operation: OperationName::new("fizz").ok(), ..RunFilter::default() },
            RunFilter { since: at(3000), until: at(BLOCK_SIZE + 9), ..RunFilter::default() },
            RunFilter { since: at(BLOCK_SIZE), ..RunFilter::default() },
            RunFilter { until: at(10), ..RunFilter::default() },
        ];
        let all = async |filters: &[RunFilter]| -> Vec<Stats> {
            let mut stats = Vec::new();
            for filter in filters {
                stats.push(store.stats(filter).await.unwrap().operations);
            }
            stats
        };
        let without = all(&filters).await;
        assert_eq!(stored(&store).await, [false, true, false]);
        assert_eq!(all(&filters).await, without);
        assert_eq!(without[0].values().flat_map(|it| it.count.values()).sum::<u64>(), count);
        assert_eq!(without[2].values().flat_map(|it| it.count.values()).sum::<u64>(), 1105);
        let (sequences, page) = (BLOCK_SIZE + 9 - 3..BLOCK_SIZE + 9, &filters[2]);
        let page = store.list(page, None, 3).await.unwrap();
        assert!(page.runs.iter().rev().map(|run| run.sequence).eq(sequences));
        store.finish(unfinished, ending(Outcome::Cancelled)).await.unwrap();
        let finished = all(&filters[..1]).await;
        assert_eq!(stored(&store).await, [true, true, false]);
        assert_eq!(all(&filters[..1]).await, finished);
        assert_ne!(finished[0], without[0]);
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn statistics_after_a_removal_count_only_the_remaining_runs() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        insert(&store, &run(1)).await;
        let file = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let count = 3 * BLOCK_SIZE;
        let rows: Vec<_> = (2..=count).map(|n| Row::new(run(n)).0).collect();
        let database = builder().open(file).unwrap();
        write_all(&database, &rows, |tx, row| tx.replace(None, row, &[])).unwrap();
        drop(database);
        let counted = async || -> u64 {
            let stats = store.stats(&RunFilter::default()).await.unwrap().operations;
            stats.values().flat_map(|it| it.count.values()).sum()
        };
        assert_eq!(counted().await, count);
        assert_eq!(stored(&store).await, [true, true, true]);
        // The whole first block, and a part of the second.
        let removed: Vec<_> = (1..BLOCK_SIZE + 50).collect();
        let ids = store.read(move |store| {
            let id = |n: &u64| Ok(store.row_at(*n)?.unwrap().run.id);
            removed.iter().map(id).collect::<Result<Vec<_>, StoreError>>()
        });
        let runs: std::sync::Arc<[_]> = ids.await.unwrap().unwrap().into();
        // A summary that is built before the removal and stored after it.
        let stale = store.read(|store| store.block(1)).await.unwrap().unwrap();
        let (now, budget) = (Utc::now(), std::time::Duration::from_secs(60));
        let request = RunRemoval { runs, is_forced: false, now, budget };
        assert_eq!(store.remove_runs(request).await.unwrap().removed.len(), 4145);
        assert_eq!(stored(&store).await, [false, false, true]);
        let write = move |tx: &mut Tx<'_>| super::store(tx, &[(1, stale.clone())]);
        assert_eq!(store.writer.submit_background(write).await.unwrap().0, [0; 0]);
        assert_eq!(counted().await, count - 4145);
        assert_eq!(stored(&store).await, [false, true, true]);
        assert_eq!(counted().await, count - 4145);
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }

    /// Returns which of the first blocks have a summary.
    async fn stored(store: &crate::store::redb::RedbStore) -> Vec<bool> {
        let has =
            |store: &Snapshot| (0..3).map(|block| Ok(store.summary(block)?.is_some())).collect();
        store.read(has).await.unwrap().unwrap()
    }
}
