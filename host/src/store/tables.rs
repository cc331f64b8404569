//! The store's one table within a transaction: what a step reads and writes.
//!
//! Everything is in one table, so that a row, its indexes, its large values and its key
//! change together or not at all, and so that a copy is a walk.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::row::{Payload, Row};
use super::{StoreError, codec, keys};
use crate::digest::Digest;
use crate::run::LogEntry;
use crate::task_run::{RunId, TaskRun};

type Bytes = &'static [u8];

/// The table. Its name is part of the format.
pub(super) const TABLE: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("store");

/// The number of the newest run.
const SEQUENCE: &str = "sequence";
/// The format of the store.
const FORMAT: &str = "format";

/// Whose an idempotency key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) run: RunId,
    pub(super) fingerprint: Digest,
}

/// What can be read in a transaction.
pub(super) struct View<T> {
    table: T,
    written: bool,
}

/// What can be written in a transaction.
pub(super) type Tx<'t> = View<Table<'t, Bytes, Bytes>>;

/// What can be read of a snapshot.
pub(super) type Snapshot = View<redb::ReadOnlyTable<Bytes, Bytes>>;

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

impl Snapshot {
    /// Returns the table of a transaction; `None` if nothing was ever written.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be read.
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Option<Self>, StoreError> {
        match transaction.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            opened => Ok(Some(Self { table: opened?, written: false })),
        }
    }
}

impl<'t> Tx<'t> {
    /// Returns the table of a transaction, which is made with the first one.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Newer`] if a newer version wrote it.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let mut tx = Self { table: transaction.open_table(TABLE)?, written: false };
        match tx.format()? {
            None => tx.put(&keys::meta(FORMAT), &codec::FORMAT)?,
            Some(found) => readable(found)?,
        }
        Ok(tx)
    }
}

/// Says whether this version may write a store of that format.
///
/// # Errors
///
/// Returns [`StoreError::Newer`] if it may not.
pub(super) fn readable(found: u32) -> Result<(), StoreError> {
    match found <= codec::FORMAT {
        true => Ok(()),
        false => Err(StoreError::Newer { found, known: codec::FORMAT }),
    }
}

impl<T: ReadableTable<Bytes, Bytes>> View<T> {
    /// Returns the format that the store says it has.
    pub(super) fn format(&self) -> Result<Option<u32>, StoreError> {
        self.value(&keys::meta(FORMAT))
    }

    /// Returns the place of the newest run in the order of all.
    pub(super) fn sequence(&self) -> Result<u64, StoreError> {
        Ok(self.value(&keys::meta(SEQUENCE))?.unwrap_or(0))
    }

    /// Returns the value under a key.
    pub(super) fn value<V: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<V>, StoreError> {
        let found = self.table.get(key)?;
        found.map(|found| codec::open(key, found.value())).transpose()
    }

    /// Returns what stands under a key, as it stands there.
    pub(super) fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.table.get(key)?.map(|found| found.value().to_vec()))
    }

    /// Returns whether there is anything under a key.
    pub(super) fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.table.get(key)?.is_some())
    }

    /// Returns a run's row. One that stands under the id of another is damaged.
    pub(super) fn row(&self, id: RunId) -> Result<Option<Row>, StoreError> {
        let key = keys::run(id);
        match self.value::<Row>(&key)? {
            Some(row) if row.run.id != id => Err(codec::damaged(&key, "another run's row")),
            row => Ok(row),
        }
    }

    /// Returns a run with all that is kept of it.
    pub(super) fn whole(&self, row: Row) -> Result<TaskRun, StoreError> {
        let id = row.run.id;
        row.whole(self.log(id)?, |digest| self.payload(digest))
    }

    /// Returns a run with all that is kept of it, by its id.
    pub(super) fn run(&self, id: RunId) -> Result<Option<TaskRun>, StoreError> {
        self.row(id)?.map(|row| self.whole(row)).transpose()
    }

    fn payload(&self, digest: &Digest) -> Result<Value, StoreError> {
        let key = keys::payload(digest);
        self.value(&key)?.ok_or_else(|| codec::damaged(&key, "it is gone"))
    }

    /// Returns a run's log, in order.
    fn log(&self, id: RunId) -> Result<Vec<LogEntry>, StoreError> {
        let mut log = Vec::new();
        for entry in self.range(&keys::logs(id))? {
            let (key, value) = entry?;
            log.extend(codec::open::<Vec<LogEntry>>(&key, &value)?);
        }
        Ok(log)
    }

    /// Returns what is under the keys that begin with a prefix, in their order; from either end.
    pub(super) fn range<'s>(
        &'s self,
        prefix: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<Entry, StoreError>> + use<'s, T>, StoreError>
    {
        self.between(prefix, &keys::after(prefix))
    }

    /// Returns what is under the keys from the first to before the second; from either end.
    pub(super) fn between<'s>(
        &'s self,
        first: &[u8],
        end: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<Entry, StoreError>> + use<'s, T>, StoreError>
    {
        // A range that ends before it begins is not a question but a fault.
        let range = self.table.range(first..end.max(first))?;
        Ok(range.map(|entry| {
            let (key, value) = entry?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        }))
    }

    /// Returns the id that stands in an index, and that the run's row agrees to.
    pub(super) fn indexed(&self, key: &[u8], value: &[u8]) -> Result<Row, StoreError> {
        let id: RunId = codec::open(key, value)?;
        let row = self.row(id)?.ok_or_else(|| codec::damaged(key, format!("no run {id}")))?;
        match keys::sequence(key) == Some(row.run.sequence) {
            true => Ok(row),
            false => Err(codec::damaged(key, format!("run {id} is not there in the order"))),
        }
    }
}

impl Tx<'_> {
    /// Writes a value under a key.
    pub(super) fn put<V: Serialize>(&mut self, key: &[u8], value: &V) -> Result<(), StoreError> {
        self.put_bytes(key, &codec::seal(key, value)?)
    }

    /// Writes a value as it stands under a key.
    pub(super) fn put_bytes(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        self.written = true;
        self.table.insert(key, bytes)?;
        Ok(())
    }

    /// Removes what is under a key, if anything is.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.written = true;
        self.table.remove(key)?;
        Ok(())
    }

    /// Returns whether anything was written.
    pub(super) fn is_written(&self) -> bool {
        self.written
    }

    /// Returns the place of the next run in the order of all.
    pub(super) fn next_sequence(&mut self) -> Result<u64, StoreError> {
        let key = keys::meta(SEQUENCE);
        let next = self.sequence()? + 1;
        self.put(&key, &next)?;
        Ok(next)
    }

    /// Says which place the newest run has, where that was lost.
    pub(super) fn set_sequence(&mut self, newest: u64) -> Result<(), StoreError> {
        self.put(&keys::meta(SEQUENCE), &newest)
    }

    /// Puts a row in place of an older one, with its indexes and what it keeps elsewhere.
    pub(super) fn replace(
        &mut self,
        old: Option<&Row>,
        new: &Row,
        payloads: &[Payload],
    ) -> Result<(), StoreError> {
        for payload in payloads {
            let key = keys::payload(&payload.digest);
            if !self.has(&key)? {
                self.put_bytes(&key, &codec::seal_json(&key, payload.json.as_bytes()))?;
            }
        }
        // New ones first, so that what both name is never at zero.
        for digest in new.payloads() {
            self.recount(&digest, 1)?;
        }
        for digest in old.into_iter().flat_map(Row::payloads) {
            self.recount(&digest, -1)?;
        }
        self.put(&keys::run(new.run.id), new)?;
        self.reindex(old, new)
    }

    fn reindex(&mut self, old: Option<&Row>, new: &Row) -> Result<(), StoreError> {
        let before = old.map(|row| keys::indexes(&row.run)).unwrap_or_default();
        let after = keys::indexes(&new.run);
        for key in before.iter().filter(|key| !after.contains(key)) {
            self.remove(key)?;
        }
        for key in after.iter().filter(|key| !before.contains(key)) {
            self.put(key, &new.run.id)?;
        }
        Ok(())
    }

    /// Changes how many rows name a large value; removes it when none does.
    fn recount(&mut self, digest: &Digest, by: i64) -> Result<(), StoreError> {
        let key = keys::count(digest);
        let count = self.value::<i64>(&key)?.unwrap_or(0) + by;
        if count > 0 {
            return self.put(&key, &count);
        }
        self.remove(&key)?;
        self.remove(&keys::payload(digest))
    }

    /// Adds a part to a run's log, and returns what stands where. Nothing is no part.
    pub(super) fn add_log(
        &mut self,
        id: RunId,
        mut entries: Vec<LogEntry>,
    ) -> Result<Option<Entry>, StoreError> {
        if entries.is_empty() {
            return Ok(None);
        }
        entries.iter_mut().filter_map(|entry| entry.data.as_mut()).for_each(codec::flatten);
        let last = self.range(&keys::logs(id))?.next_back().transpose()?;
        let part = last.and_then(|(key, _)| keys::log_part(&key)).map_or(0, |part| part + 1);
        let key = keys::log(id, part);
        let bytes = codec::seal(&key, &entries)?;
        self.put_bytes(&key, &bytes)?;
        Ok(Some((key, bytes)))
    }

    /// Removes a run's log.
    pub(super) fn remove_log(&mut self, id: RunId) -> Result<(), StoreError> {
        let keys: Vec<_> = self
            .range(&keys::logs(id))?
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_, _>>()?;
        keys.iter().try_for_each(|key| self.remove(key))
    }
}
