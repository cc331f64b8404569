//! Typed access to the redb tables within a transaction.
//!
//! A row, its index entries, its large values and its idempotency key change atomically.

use std::ops::ControlFlow;
use std::sync::OnceLock;

use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata as _, Table,
    TableDefinition, TableError, TableHandle as _, WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::StoreFile;
use super::keys::{IndexEntry, TableId};
use super::row::{Blob, Row};
use super::{codec, keys};
use crate::model::digest::Digest;
use crate::model::outcome::LogEntry;
use crate::model::run_record::{RunId, RunRecord};
use crate::store::StoreError;

type Bytes = &'static [u8];

/// Name of the meta entry with a sequence that, like all smaller ones, is not assigned again.
const SEQUENCE_FLOOR: &str = "sequence";
/// Name of the meta entry with the format of the store.
const FORMAT: &str = "format";

/// Transactions of at least this many bytes are rejected unless the disk has enough free space.
///
/// The file never shrinks, so a large write that fails half way would waste space for good.
/// Smaller transactions can use free pages of the file.
const FREE_SPACE_CHECK_BYTES: u64 = 1 << 20;
/// Bytes of disk space that a large transaction must leave for the final records of runs.
const RESERVED_BYTES: u64 = 1 << 20;

/// The run that holds an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdempotencyEntry {
    /// The sequence of the run.
    pub(super) run: u64,
    pub(super) fingerprint: Digest,
}

/// The tables of a transaction. Each is opened by its first use, because opening all of them takes
/// longer than reading a run.
pub(super) struct View<S: Source> {
    source: S,
    /// The tables in the order of [`TableId::ALL`].
    tables: [OnceLock<S::Table>; TableId::ALL.len()],
    /// Bytes of keys and values written so far.
    written: u64,
    /// Free bytes on the disk before the transaction became large.
    free_space: Option<u64>,
}

/// A transaction whose tables can be opened.
pub(super) trait Source {
    type Table: ReadableTable<Bytes, Bytes>;

    /// Opens a table.
    ///
    /// # Errors
    ///
    /// Returns [`TableError`] if the table does not exist or cannot be read.
    fn open(
        &self,
        table: TableDefinition<'static, Bytes, Bytes>,
    ) -> Result<Self::Table, TableError>;

    /// Returns the free bytes on the disk; `None` if unknown.
    fn free_space(&self) -> Option<u64> {
        None
    }
}

impl Source for ReadTransaction {
    type Table = ReadOnlyTable<Bytes, Bytes>;

    fn open(
        &self,
        table: TableDefinition<'static, Bytes, Bytes>,
    ) -> Result<Self::Table, TableError> {
        self.open_table(table)
    }
}

/// A write transaction of a file, or of a copy.
pub(super) struct WriteSource<'t> {
    transaction: &'t WriteTransaction,
    /// The file whose disk must have room for a large transaction; `None` for a copy.
    file: Option<&'t StoreFile>,
}

impl<'t> Source for WriteSource<'t> {
    type Table = Table<'t, Bytes, Bytes>;

    fn open(
        &self,
        table: TableDefinition<'static, Bytes, Bytes>,
    ) -> Result<Self::Table, TableError> {
        self.transaction.open_table(table)
    }

    fn free_space(&self) -> Option<u64> {
        self.file?.free_space()
    }
}

/// The tables of a write transaction.
pub(super) type Tx<'t> = View<WriteSource<'t>>;

/// The tables of a read snapshot.
pub(super) type Snapshot = View<ReadTransaction>;

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

impl<S: Source> View<S> {
    fn new(source: S) -> Self {
        let tables = [const { OnceLock::new() }; TableId::ALL.len()];
        Self { source, tables, written: 0, free_space: None }
    }

    /// Returns the table of a key.
    fn table(&self, key: &[u8]) -> Result<&S::Table, StoreError> {
        let kind = kind_of(key)?;
        let table = &self.tables[kind as usize];
        if let Some(table) = table.get() {
            return Ok(table);
        }
        let opened = match self.source.open(TableDefinition::new(kind.table())) {
            Err(TableError::TableDoesNotExist(_)) => return Err(missing_table(kind)),
            opened => opened?,
        };
        Ok(table.get_or_init(|| opened))
    }
}

impl Snapshot {
    /// Returns the tables of a read transaction; `None` if the store was never written.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the tables cannot be read.
    pub(super) fn open(transaction: ReadTransaction) -> Result<Option<Self>, StoreError> {
        let is_written = transaction.list_tables()?.next().is_some();
        Ok(is_written.then(|| Self::new(transaction)))
    }
}

impl<'t> Tx<'t> {
    /// Opens the tables of a write transaction. The first transaction creates them.
    ///
    /// # Errors
    ///
    /// Returns
    ///
    /// - [`StoreError::Newer`] if a newer version wrote the store.
    /// - [`StoreError::Older`] if an older version wrote it, in a format that is not readable.
    /// - [`StoreError::Corrupted`] if a table is missing. Creating it again would hide the
    ///   corruption.
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        file: Option<&'t StoreFile>,
    ) -> Result<Self, StoreError> {
        let known: Vec<_> =
            transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
        let missing =
            TableId::ALL.into_iter().find(|kind| !known.iter().any(|name| name == kind.table()));
        if let Some(kind) = missing.filter(|_| !known.is_empty()) {
            return Err(missing_table(kind));
        }
        let mut tx = Self::new(WriteSource { transaction, file });
        if known.is_empty() {
            // Opening a table of a write transaction creates it.
            TableId::ALL.into_iter().try_for_each(|kind| tx.table(&kind.prefix()).map(drop))?;
        }
        match tx.format()? {
            None => tx.put(&keys::meta(FORMAT), &codec::FORMAT)?,
            Some(found) => ensure_writable(found)?,
        }
        Ok(tx)
    }

    fn table_mut(&mut self, key: &[u8]) -> Result<&mut Table<'t, Bytes, Bytes>, StoreError> {
        self.table(key)?;
        let kind = kind_of(key)?;
        self.tables[kind as usize].get_mut().ok_or_else(|| missing_table(kind))
    }
}

fn missing_table(kind: TableId) -> StoreError {
    StoreError::Corrupted {
        key: format!("table {}", kind.table()),
        what: "missing table".to_owned(),
    }
}

fn kind_of(key: &[u8]) -> Result<TableId, StoreError> {
    let (kind, _) = keys::parse(key).ok_or_else(|| codec::corrupted(key, "malformed key"))?;
    Ok(kind)
}

/// Checks that this version can write a store of a format.
///
/// # Errors
///
/// Returns [`StoreError::Newer`] or [`StoreError::Older`] if the format differs.
pub(super) fn ensure_writable(found: u32) -> Result<(), StoreError> {
    ensure_readable(found)?;
    match found > codec::FORMAT {
        true => Err(StoreError::Newer { found, known: codec::FORMAT }),
        false => Ok(()),
    }
}

/// Checks that this version can read a store of a format.
///
/// # Errors
///
/// Returns [`StoreError::Older`] if an older version wrote the store.
pub(super) fn ensure_readable(found: u32) -> Result<(), StoreError> {
    match found < codec::FORMAT {
        true => Err(StoreError::Older { found, known: codec::FORMAT }),
        false => Ok(()),
    }
}

impl<S: Source> View<S> {
    /// Returns the recorded format of the store.
    pub(super) fn format(&self) -> Result<Option<u32>, StoreError> {
        self.value(&keys::meta(FORMAT))
    }

    /// Returns the sequence that was assigned last; 0 before the first.
    ///
    /// No counter is stored with each run, because a commit costs time for each table that it
    /// changes.
    pub(super) fn sequence(&self) -> Result<u64, StoreError> {
        let newest = self.table(&TableId::Run.prefix())?.last()?;
        let newest = newest.and_then(|(key, _)| keys::sequence(key.value())).unwrap_or(0);
        let floor = self.value(&keys::meta(SEQUENCE_FLOOR))?.unwrap_or(0);
        Ok(newest.max(floor))
    }

    /// Returns the number of runs.
    pub(super) fn run_count(&self) -> Result<u64, StoreError> {
        Ok(self.table(&TableId::Run.prefix())?.len()?)
    }

    /// Returns the decoded value of a key.
    pub(super) fn value<V: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<V>, StoreError> {
        let found = self.table(key)?.get(key)?;
        found.map(|found| codec::decode(key, found.value())).transpose()
    }

    /// Returns the encoded value of a key.
    pub(super) fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.table(key)?.get(key)?.map(|found| found.value().to_vec()))
    }

    /// Returns whether a key exists.
    pub(super) fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.table(key)?.get(key)?.is_some())
    }

    /// Returns the row of a run. A row of another run counts as corrupted.
    pub(super) fn row(&self, id: RunId) -> Result<Option<Row>, StoreError> {
        let key = keys::id(id);
        let Some(sequence) = self.bytes(&key)? else { return Ok(None) };
        self.resolve_id(&key, &sequence).map(Some)
    }

    /// Returns the row that an id entry refers to.
    pub(super) fn resolve_id(&self, key: &[u8], sequence: &[u8]) -> Result<Row, StoreError> {
        let sequence = sequence.try_into().map(u64::from_be_bytes);
        let sequence = sequence.map_err(|_| codec::corrupted(key, "malformed number"))?;
        match self.row_at(sequence)? {
            Some(row) if Some(row.run.id) == keys::run_of_id(key) => Ok(row),
            _ => {
                Err(codec::corrupted(key, format!("id entry does not match run number {sequence}")))
            }
        }
    }

    /// Returns the row of the run with this sequence.
    pub(super) fn row_at(&self, sequence: u64) -> Result<Option<Row>, StoreError> {
        let key = keys::run(sequence);
        self.bytes(&key)?.map(|bytes| open_row(&key, &bytes)).transpose()
    }

    /// Returns the row that an index entry refers to, if the row matches the entry.
    pub(super) fn resolve_index(&self, key: &[u8], value: &[u8]) -> Result<Row, StoreError> {
        let row = keys::sequence(key).map(|sequence| self.row_at(sequence)).transpose()?.flatten();
        let is_same = |known: &IndexEntry| known.key == key && known.value == value;
        let is_current = |row: &Row| keys::indexes(&row.run).iter().any(is_same);
        row.filter(is_current).ok_or_else(|| codec::corrupted(key, "stale index entry"))
    }

    /// Returns the full record of a row, with its log and large values.
    pub(super) fn load_full(&self, row: Row) -> Result<RunRecord, StoreError> {
        let log = self.log(row.run.sequence)?;
        row.assemble(log, |digest| self.payload(digest))
    }

    /// Returns the full record of a run.
    pub(super) fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.row(id)?.map(|row| self.load_full(row)).transpose()
    }

    /// Returns the key of the entry of the idempotency key that a run holds or held last; `None`
    /// if another run has replaced the run.
    pub(super) fn held_key(&self, run: &RunRecord) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(key) = &run.idempotency_key else { return Ok(None) };
        let key = keys::idempotency(&run.operation_name, key);
        let holder = self.value::<IdempotencyEntry>(&key)?;
        Ok(holder.is_some_and(|holder| holder.run == run.sequence).then_some(key))
    }

    fn payload(&self, digest: &Digest) -> Result<Value, StoreError> {
        let key = keys::payload(digest);
        self.value(&key)?.ok_or_else(|| codec::corrupted(&key, "missing value"))
    }

    /// Returns the log of a run, in order.
    fn log(&self, sequence: u64) -> Result<Vec<LogEntry>, StoreError> {
        let mut log = Vec::new();
        for entry in self.prefix(&keys::logs(sequence))? {
            let (key, value) = entry?;
            log.extend(codec::decode::<Vec<LogEntry>>(&key, &value)?);
        }
        Ok(log)
    }

    /// Returns the entries whose keys begin with `prefix`, in key order.
    pub(super) fn prefix<'s>(
        &'s self,
        prefix: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<Entry, StoreError>> + use<'s, S>, StoreError>
    {
        self.range(prefix, &keys::after(prefix))
    }

    /// Passes the entries from `first` to before `end` to `visit` until it breaks.
    ///
    /// Returns the last value of `visit`.
    pub(super) fn each_between<E: From<StoreError>>(
        &self,
        first: &[u8],
        end: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let range = self.table(first)?.range(first..end.max(first));
        for entry in range.map_err(StoreError::from)? {
            let (key, value) = entry.map_err(StoreError::from)?;
            if visit(key.value(), value.value())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Returns the entries from `first` to before `end`, in key order.
    pub(super) fn range<'s>(
        &'s self,
        first: &[u8],
        end: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<Entry, StoreError>> + use<'s, S>, StoreError>
    {
        // redb panics on a range that ends before its start.
        let range = self.table(first)?.range(first..end.max(first))?;
        Ok(range.map(|entry| {
            let (key, value) = entry?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        }))
    }
}

/// Decodes a row and checks that its sequence matches the key.
pub(super) fn open_row(key: &[u8], bytes: &[u8]) -> Result<Row, StoreError> {
    let row: Row = codec::decode(key, bytes)?;
    match keys::run(row.run.sequence) == key {
        true => Ok(row),
        false => Err(codec::corrupted(key, "row of another run")),
    }
}

impl Tx<'_> {
    /// Encodes and writes a value.
    pub(super) fn put<V: Serialize>(&mut self, key: &[u8], value: &V) -> Result<(), StoreError> {
        self.put_bytes(key, &codec::encode(key, value)?)
    }

    /// Writes an encoded value.
    pub(super) fn put_bytes(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        let written = self.written + (key.len() + bytes.len()) as u64;
        // redb may write pages of a large transaction before its commit, so measure first.
        if self.written < FREE_SPACE_CHECK_BYTES && written >= FREE_SPACE_CHECK_BYTES {
            self.free_space = self.source.free_space();
        }
        self.written = written;
        self.table_mut(key)?.insert(key, bytes)?;
        Ok(())
    }

    /// Performs the writes of a record and reverts them, so that a commit changes nothing.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] that writing a record would return.
    pub(super) fn probe_write(&mut self) -> Result<(), StoreError> {
        for kind in TableId::ALL {
            // This key sorts after the keys of all runs.
            let key = [&kind.prefix()[..], &[u8::MAX; 16]].concat();
            self.put_bytes(&key, &[])?;
            self.remove(&key)?;
        }
        self.probe_row()
    }

    /// Inserts a copy of the newest run under a new id, and removes it.
    fn probe_row(&mut self) -> Result<(), StoreError> {
        let newest = self.sequence()?;
        // A corrupted newest row does not affect new runs.
        let Ok(Some(mut row)) = self.row_at(newest) else { return Ok(()) };
        (row.run.id, row.run.sequence) = (RunId::new(), newest + 1);
        // Large values are counted by reference, and a count may be corrupted: leave them out.
        (row.input, row.output, row.errors) = (None, None, None);
        self.replace(None, &row, &[])?;
        for index in keys::indexes(&row.run) {
            self.remove(&index.key)?;
        }
        self.remove(&keys::id(row.run.id))?;
        self.remove(&keys::run(row.run.sequence))
    }

    /// Removes a key if it exists.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.written += key.len() as u64;
        self.table_mut(key)?.remove(key)?;
        Ok(())
    }

    /// Returns the bytes of keys and values written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Checks that the disk has room for a large transaction.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Full`] if less space is free than the transaction needs.
    pub(super) fn ensure_fits(&self) -> Result<(), StoreError> {
        match self.free_space {
            Some(free) if free < self.written + RESERVED_BYTES => Err(StoreError::Full),
            _ => Ok(()),
        }
    }

    /// Excludes all sequences up to this one from being assigned.
    pub(super) fn set_sequence_floor(&mut self, floor: u64) -> Result<(), StoreError> {
        self.put(&keys::meta(SEQUENCE_FLOOR), &floor)
    }

    /// Writes a row over an older one and updates its index entries and large values.
    pub(super) fn replace(
        &mut self,
        old: Option<&Row>,
        new: &Row,
        payloads: &[Blob],
    ) -> Result<(), StoreError> {
        for payload in payloads {
            let key = keys::payload(&payload.digest);
            if !self.has(&key)? {
                self.put_bytes(&key, &codec::encode_json(&key, payload.json.as_bytes())?)?;
            }
        }
        // Increment first, so that the count of a value that both rows use never reaches zero.
        for digest in new.payloads() {
            self.adjust_refcount(&digest, 1)?;
        }
        for digest in old.into_iter().flat_map(Row::payloads) {
            self.adjust_refcount(&digest, -1)?;
        }
        let sequence = new.run.sequence;
        let key = keys::run(sequence);
        let is_final = new.run.state.status().is_final();
        let encode = if is_final { codec::encode } else { codec::encode_with_slack };
        self.put_bytes(&key, &encode(&key, new)?)?;
        if old.is_none() {
            self.put_bytes(&keys::id(new.run.id), &sequence.to_be_bytes())?;
        }
        self.reindex(old, new)
    }

    fn reindex(&mut self, old: Option<&Row>, new: &Row) -> Result<(), StoreError> {
        let before = old.map(|row| keys::indexes(&row.run)).unwrap_or_default();
        let after = keys::indexes(&new.run);
        let is_in = |key: &[u8], entries: &[IndexEntry]| entries.iter().any(|it| it.key == key);
        for entry in before.iter().filter(|entry| !is_in(&entry.key, &after)) {
            self.remove(&entry.key)?;
        }
        for entry in after.iter().filter(|entry| !before.contains(entry)) {
            self.put_bytes(&entry.key, &entry.value)?;
        }
        Ok(())
    }

    /// Removes a run with its index entries, its log, its idempotency key, and the large values
    /// that no other run has.
    pub(super) fn remove_run(&mut self, row: &Row) -> Result<(), StoreError> {
        let run = &row.run;
        for index in keys::indexes(run) {
            self.remove(&index.key)?;
        }
        for digest in row.payloads() {
            self.adjust_refcount(&digest, -1)?;
        }
        self.remove_log(run.sequence)?;
        if let Some(key) = self.held_key(run)? {
            self.remove(&key)?;
        }
        self.remove(&keys::id(run.id))?;
        self.remove(&keys::run(run.sequence))
    }

    /// Changes the reference count of a large value; removes the value at zero.
    fn adjust_refcount(&mut self, digest: &Digest, by: i64) -> Result<(), StoreError> {
        let key = keys::refcount(digest);
        let count = self.value::<i64>(&key)?.unwrap_or(0) + by;
        if count > 0 {
            return self.put(&key, &count);
        }
        self.remove(&key)?;
        self.remove(&keys::payload(digest))
    }

    /// Appends a part to the log of a run and returns the stored entry.
    ///
    /// Returns `None` if `entries` is empty.
    pub(super) fn add_log(
        &mut self,
        sequence: u64,
        mut entries: Vec<LogEntry>,
    ) -> Result<Option<Entry>, StoreError> {
        if entries.is_empty() {
            return Ok(None);
        }
        entries
            .iter_mut()
            .filter_map(|entry| entry.data.as_mut())
            .for_each(codec::stringify_if_deep);
        let last = self.prefix(&keys::logs(sequence))?.next_back().transpose()?;
        let part = last.and_then(|(key, _)| keys::log_part(&key)).map_or(0, |part| part + 1);
        let key = keys::log(sequence, part);
        let bytes = codec::encode(&key, &entries)?;
        self.put_bytes(&key, &bytes)?;
        Ok(Some((key, bytes)))
    }

    /// Removes the log of a run.
    pub(super) fn remove_log(&mut self, sequence: u64) -> Result<(), StoreError> {
        let keys: Vec<_> = self
            .prefix(&keys::logs(sequence))?
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_, _>>()?;
        keys.iter().try_for_each(|key| self.remove(key))
    }
}
