//! Statistics of runs, from the summaries of blocks and from rows.

use super::keys::{Index, TableId};
use super::row::Row;
use super::summary::{self, Block, Coverage, SummaryBuilder};
use super::{KeyRange, RedbStore};
use crate::model::run_record::RunId;
use crate::store::stats::StatsBuilder;
use crate::store::{RunFilter, StatsReport, StoreError};

/// Maximum summaries per transaction.
const MAX_SUMMARIES_PER_COMMIT: usize = 64;

/// Computes the statistics of the runs that match a filter.
pub(super) struct StatsReader<'a> {
    store: &'a RedbStore,
    filter: &'a RunFilter,
    stats: StatsBuilder,
    corrupted: Vec<StoreError>,
    /// New summaries that are not stored yet.
    summaries: Vec<(u64, Block)>,
    /// Whether summaries can be stored. A store without write permission is read without them.
    is_writable: bool,
}

impl<'a> StatsReader<'a> {
    pub(super) fn new(store: &'a RedbStore, filter: &'a RunFilter) -> Self {
        let (stats, corrupted, summaries) = (StatsBuilder::default(), Vec::new(), Vec::new());
        Self { store, filter, stats, corrupted, summaries, is_writable: true }
    }

    /// Returns the statistics. Stores the summaries of blocks that have none yet.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub(super) async fn read(mut self) -> Result<StatsReport, StoreError> {
        if summary::has_fields_of(self.filter) {
            self.read_blocks().await?;
            self.store_summaries().await;
        } else {
            self.add_rows(KeyRange::listing(self.filter, None)).await?;
        }
        Ok(StatsReport { operations: self.stats.build(), corrupted: self.corrupted })
    }

    async fn read_blocks(&mut self) -> Result<(), StoreError> {
        let Some(newest) = self.store.read(|store| store.sequence()).await? else { return Ok(()) };
        let mut block = 0;
        while summary::sequences(block).start <= newest {
            let summaries = self.store.read(move |store| store.summaries(block)).await?;
            let summaries = summaries.unwrap_or_default();
            if summaries.is_empty() {
                // Retention removes the runs of whole blocks.
                let next = self.store.read(move |store| store.block_with_runs(block)).await?;
                let Some(next) = next.flatten() else { return Ok(()) };
                if next == block {
                    self.add_block(block).await?;
                }
                block = next.max(block + 1);
            }
            for summary in summaries {
                match summary.coverage(self.filter) {
                    Coverage::Outside => {}
                    Coverage::Inside => {
                        summary.add_to(&mut self.stats, self.filter.operation.as_ref());
                    }
                    Coverage::Partial => self.add_rows(self.rows_of(block)).await?,
                }
                block += 1;
            }
        }
        Ok(())
    }

    /// Returns the smallest key range with the matching runs of a block.
    fn rows_of(&self, block: u64) -> KeyRange {
        let index = self.filter.operation.as_ref().map(|name| Index::Operation(name).prefix());
        let prefix = index.unwrap_or_else(|| TableId::Run.prefix());
        let sequences = summary::sequences(block);
        let key = |sequence: u64| [&prefix[..], &sequence.to_be_bytes()].concat();
        KeyRange { first: key(sequences.start), end: key(sequences.end) }
    }

    /// Adds the matching runs of a key range.
    async fn add_rows(&mut self, range: KeyRange) -> Result<(), StoreError> {
        let visit = |row: Result<Row, StoreError>| {
            match row {
                Ok(row) => self.stats.add(&row.run),
                Err(error) => self.corrupted.push(error),
            }
            true
        };
        self.store.each(self.filter, (range, usize::MAX), visit).await
    }

    /// Adds the matching runs of a block without a summary.
    ///
    /// Builds the summary unless an index finds the matching runs faster.
    async fn add_block(&mut self, block: u64) -> Result<(), StoreError> {
        if self.filter.operation.is_some() {
            return self.add_rows(self.rows_of(block)).await;
        }
        let (range, mut builder) = (self.rows_of(block), SummaryBuilder::default());
        // Read before the rows: a run that is removed later then prevents the summary.
        let entry = self.store.read(move |store| store.block(block)).await?;
        let removed = entry.unwrap_or_default().removed;
        let visit = |row: Result<Row, StoreError>| {
            match row {
                Ok(row) => {
                    builder.add(&row.run);
                    if self.filter.matches(&row.run) {
                        self.stats.add(&row.run);
                    }
                }
                Err(error) => self.corrupted.push(error),
            }
            true
        };
        let all = RunFilter::default();
        self.store.each(&all, (range, usize::MAX), visit).await?;
        let summary = builder.build(block, removed);
        self.summaries
            .extend(summary.map(|summary| (block, Block { removed, summary: Some(summary) })));
        if self.summaries.len() >= MAX_SUMMARIES_PER_COMMIT {
            self.store_summaries().await;
        }
        Ok(())
    }

    /// Stores the new summaries. If that fails, the next statistics compute them again.
    async fn store_summaries(&mut self) {
        let summaries = std::mem::take(&mut self.summaries);
        if summaries.is_empty() || !self.is_writable {
            return;
        }
        let stored =
            self.store.writer.submit(RunId::new(), move |tx| summary::store(tx, &summaries)).await;
        self.is_writable = stored.is_ok();
    }
}
