//! redb, called directly: one transaction per commit, without group commit.
//!
//! The mode and the durability are those of the store of ophost. The tables are the rows, the ids
//! and the indexes that have an entry for the measured runs: operation and start, status.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redb::{Builder, ConcurrencyMode, Database, TableDefinition};
use anyhow::Result;
use ophost::RunId;

use super::{Commits, call_for_time};
use crate::machine::unix_time;
use crate::project::{SampleRecords, TINY};

/// Maximum memory for cached pages, in bytes. The store of ophost has the same.
const CACHE_BYTES: usize = 64 << 20;

const RUNS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("runs");
const IDS: TableDefinition<'_, &[u8; 16], u64> = TableDefinition::new("ids");
const BY_OPERATION: TableDefinition<'_, (&str, u64, u64), ()> = TableDefinition::new("operation");
const BY_STATUS: TableDefinition<'_, (u8, u64), ()> = TableDefinition::new("status");
const RUNNING: u8 = 1;
const SUCCESS: u8 = 2;

/// A database with run records.
pub(crate) struct RunStore {
    database: Database,
    records: SampleRecords,
    sequence: AtomicU64,
}

impl RunStore {
    /// Creates a database.
    ///
    /// # Errors
    ///
    /// Returns the error of redb.
    pub(crate) fn create(file: &Path, records: &SampleRecords) -> Result<Self> {
        let mut builder = Builder::new();
        builder.set_concurrency_mode(ConcurrencyMode::MultiWriter).set_cache_size(CACHE_BYTES);
        let (database, records) = (builder.create(file)?, records.clone());
        Ok(Self { database, records, sequence: AtomicU64::new(0) })
    }

    /// Records runs for a time by concurrent callers.
    ///
    /// # Errors
    ///
    /// Returns the error of redb.
    pub(crate) fn for_time(
        &self,
        callers: usize,
        time: Duration,
        commits: Commits,
    ) -> Result<Vec<f64>> {
        call_for_time(vec![self; callers], time, |store| store.record(commits))
    }

    fn record(&self, commits: Commits) -> Result<()> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        match commits {
            Commits::One => self.insert(sequence, SUCCESS, &self.records.finished),
            Commits::Two => {
                self.insert(sequence, RUNNING, &self.records.running)?;
                self.finish(sequence)
            }
        }
    }

    /// Inserts a row and its index entries.
    fn insert(&self, sequence: u64, status: u8, record: &str) -> Result<()> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(RUNS)?.insert(sequence, record.as_bytes())?;
        transaction.open_table(IDS)?.insert(RunId::new().as_bytes(), sequence)?;
        transaction.open_table(BY_OPERATION)?.insert((TINY, unix_time(), sequence), ())?;
        transaction.open_table(BY_STATUS)?.insert((status, sequence), ())?;
        Ok(transaction.commit()?)
    }

    /// Updates a row and the index of its status.
    fn finish(&self, sequence: u64) -> Result<()> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(RUNS)?.insert(sequence, self.records.finished.as_bytes())?;
        let mut statuses = transaction.open_table(BY_STATUS)?;
        statuses.remove((RUNNING, sequence))?;
        statuses.insert((SUCCESS, sequence), ())?;
        drop(statuses);
        Ok(transaction.commit()?)
    }
}
