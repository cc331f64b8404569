//! SQLite with the rows and the indexes of the run records.
//!
//! The settings are those of a durable store: WAL, `synchronous=FULL`, prepared statements. The
//! indexes are those of the store of ophost: operation and start, status, idempotency key, flow
//! run, user. The last three have no entry for a run without a value.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use ophost::RunId;
use rusqlite::{Connection, params};

use super::{Commits, Kind, call_for_time};
use crate::project::{FAILING, RARE, SampleRecords, TINY};

/// How long a connection waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum memory for cached pages, in KiB. The store of ophost has the same.
const CACHE_KIB: i64 = 64 << 10;
/// Rows of one transaction when a table is filled.
const BATCH: usize = 1_000;

const TABLES: &str = "
    create table if not exists runs (
        sequence integer primary key,
        id blob not null unique,
        operation text not null,
        status text not null,
        started_at integer not null,
        finished_at integer,
        duration_ms integer,
        idempotency_key text,
        prefect_flow_run_id text,
        user_id text,
        record text not null
    );
    create index if not exists by_operation on runs (operation, started_at);
    create index if not exists by_status on runs (status, sequence);
    create unique index if not exists by_key on runs (operation, idempotency_key)
        where idempotency_key is not null;
    create index if not exists by_flow on runs (prefect_flow_run_id)
        where prefect_flow_run_id is not null;
    create index if not exists by_user on runs (user_id) where user_id is not null;
";
const INSERT: &str = "
    insert into runs (id, operation, status, started_at, record) values (?1, ?2, 'RUNNING', ?3, ?4)
";
const UPDATE: &str = "
    update runs set status = 'SUCCESS', finished_at = ?2, duration_ms = ?3, record = ?4
    where id = ?1 and status = 'RUNNING'
";
const INSERT_FINISHED: &str = "
    insert into runs (id, operation, status, started_at, finished_at, duration_ms, record)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
";

/// A database with the table of runs.
pub(crate) struct RunTable {
    file: PathBuf,
    records: SampleRecords,
}

impl RunTable {
    /// Creates the table in a file, or opens it.
    ///
    /// # Errors
    ///
    /// Returns the error of SQLite.
    pub(crate) fn open(file: &Path, records: &SampleRecords) -> Result<Self> {
        let table = Self { file: file.to_owned(), records: records.clone() };
        table.connect()?.execute_batch(TABLES)?;
        Ok(table)
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// Returns the error of SQLite.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    }

    /// Records runs for a time by concurrent callers, each with a connection of its own.
    ///
    /// # Errors
    ///
    /// Returns the error of SQLite.
    pub(crate) fn with_connections(
        &self,
        callers: usize,
        time: Duration,
        commits: Commits,
    ) -> Result<Vec<f64>> {
        let connections = (0..callers).map(|_| self.connect()).collect::<Result<_>>()?;
        call_for_time(connections, time, |connection| self.record(connection, commits))
    }

    /// Records runs for a time by concurrent callers that share one connection.
    ///
    /// # Errors
    ///
    /// Returns the error of SQLite.
    pub(crate) fn behind_a_mutex(
        &self,
        callers: usize,
        time: Duration,
        commits: Commits,
    ) -> Result<Vec<f64>> {
        let connection = Mutex::new(self.connect()?);
        call_for_time(vec![&connection; callers], time, |shared| {
            let each = match commits {
                Commits::One => vec![Step::InsertFinished],
                Commits::Two => vec![Step::Insert, Step::Update],
            };
            let id = *RunId::new().as_bytes();
            // The callers alternate between the two commits of a run, as runs do.
            each.into_iter().try_for_each(|step| {
                let connection = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                self.commit(&connection, id, step)
            })
        })
    }

    /// Records one run.
    ///
    /// # Errors
    ///
    /// Returns the error of SQLite.
    pub(crate) fn record(&self, connection: &Connection, commits: Commits) -> Result<()> {
        let id = *RunId::new().as_bytes();
        match commits {
            Commits::One => self.commit(connection, id, Step::InsertFinished),
            Commits::Two => {
                self.commit(connection, id, Step::Insert)?;
                self.commit(connection, id, Step::Update)
            }
        }
    }

    fn commit(&self, connection: &Connection, id: [u8; 16], step: Step) -> Result<()> {
        let SampleRecords { running, finished, .. } = &self.records;
        let now = now();
        match step {
            Step::Insert => {
                connection.prepare_cached(INSERT)?.execute(params![id, TINY, now, running])?
            }
            Step::Update => {
                connection.prepare_cached(UPDATE)?.execute(params![id, now, 0, finished])?
            }
            Step::InsertFinished => insert_finished(connection, id, Kind::Frequent, finished)?,
        };
        Ok(())
    }

    /// Fills the table with finished runs of all kinds, in large transactions.
    ///
    /// # Errors
    ///
    /// Returns the error of SQLite.
    pub(crate) fn fill(&self, runs: usize) -> Result<()> {
        let mut connection = self.connect()?;
        for batch in 0..runs.div_ceil(BATCH) {
            let transaction = connection.transaction()?;
            for number in batch * BATCH..runs.min((batch + 1) * BATCH) {
                let kind = Kind::of(number);
                let record = match kind {
                    Kind::Failed => &self.records.failed,
                    Kind::Frequent | Kind::Rare => &self.records.finished,
                };
                insert_finished(&transaction, *RunId::new().as_bytes(), kind, record)?;
            }
            transaction.commit()?;
        }
        Ok(connection.pragma_update(None, "wal_checkpoint", "truncate")?)
    }
}

/// A commit of a run.
#[derive(Clone, Copy)]
enum Step {
    Insert,
    Update,
    InsertFinished,
}

fn insert_finished(
    connection: &Connection,
    id: [u8; 16],
    kind: Kind,
    record: &str,
) -> Result<usize> {
    let (operation, status) = match kind {
        Kind::Frequent => (TINY, "SUCCESS"),
        Kind::Rare => (RARE, "SUCCESS"),
        Kind::Failed => (FAILING, "FAILED"),
    };
    let now = now();
    let row = params![id, operation, status, now, now, 0, record];
    Ok(connection.prepare_cached(INSERT_FINISHED)?.execute(row)?)
}

/// Returns the microseconds since 1970.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}
