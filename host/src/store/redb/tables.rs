//! The store's tables within a transaction: what a step reads and writes.
//!
//! A row, its indexes, its large values and its key change together or not at all.

use std::ops::ControlFlow;

use redb::{
    ReadTransaction, ReadableTable, Table, TableDefinition, TableError, TableHandle as _,
    WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::TableId;
use super::row::{Blob, Row};
use super::{codec, keys};
use crate::model::digest::Digest;
use crate::model::outcome::LogEntry;
use crate::model::run_record::{RunId, RunRecord};
use crate::store::StoreError;

pub(super) type Bytes = &'static [u8];

/// The number of the newest run.
const SEQUENCE: &str = "sequence";
/// The format of the store.
const FORMAT: &str = "format";

/// Whose an idempotency key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdempotencyEntry {
    /// The run's place in the order.
    pub(super) run: u64,
    pub(super) fingerprint: Digest,
}

/// What can be read in a transaction.
pub(super) struct View<T> {
    /// One of each kind, in their order; `None` where damage hides it.
    tables: Vec<Option<T>>,
    /// How many bytes of keys and values.
    written: u64,
}

/// What can be written in a transaction.
pub(super) type Tx<'t> = View<Table<'t, Bytes, Bytes>>;

/// What can be read of a snapshot.
pub(super) type Snapshot = View<redb::ReadOnlyTable<Bytes, Bytes>>;

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

impl<T> View<T> {
    /// Opens a table of each kind, if it is there.
    fn open_all(
        open: impl Fn(TableDefinition<'static, Bytes, Bytes>) -> Result<T, TableError>,
    ) -> Result<Self, StoreError> {
        let open = |kind: TableId| match open(TableDefinition::new(kind.table())) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            opened => opened.map(Some),
        };
        let tables = TableId::ALL.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { tables, written: 0 })
    }
}

impl Snapshot {
    /// Returns the tables of a transaction; `None` if nothing was ever written.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if they cannot be read.
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Option<Self>, StoreError> {
        let snapshot = Self::open_all(|table| transaction.open_table(table))?;
        Ok(snapshot.tables.iter().any(Option::is_some).then_some(snapshot))
    }
}

impl<'t> Tx<'t> {
    /// Returns the tables of a transaction, which are made with the first one.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Newer`] if a newer version wrote them, and
    /// [`StoreError::Corrupted`] if one is gone: to write to a new one would hide that.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let known: Vec<_> =
            transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
        let gone =
            TableId::ALL.into_iter().find(|kind| !known.iter().any(|name| name == kind.table()));
        if let Some(kind) = gone.filter(|_| !known.is_empty()) {
            return Err(is_gone(kind));
        }
        let mut tx = Self::open_all(|table| transaction.open_table(table))?;
        match tx.format()? {
            None => tx.put(&keys::meta(FORMAT), &codec::FORMAT)?,
            Some(found) => readable(found)?,
        }
        Ok(tx)
    }

    fn table_mut(&mut self, key: &[u8]) -> Result<&mut Table<'t, Bytes, Bytes>, StoreError> {
        let kind = kind_of(key)?;
        self.tables[kind as usize].as_mut().ok_or_else(|| is_gone(kind))
    }
}

fn is_gone(kind: TableId) -> StoreError {
    StoreError::Corrupted { key: format!("table {}", kind.table()), what: "it is gone".to_owned() }
}

fn kind_of(key: &[u8]) -> Result<TableId, StoreError> {
    let (kind, _) = keys::parse(key).ok_or_else(|| codec::corrupted(key, "it is no key"))?;
    Ok(kind)
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
    fn table(&self, key: &[u8]) -> Result<&T, StoreError> {
        let kind = kind_of(key)?;
        self.tables[kind as usize].as_ref().ok_or_else(|| is_gone(kind))
    }

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
        let found = self.table(key)?.get(key)?;
        found.map(|found| codec::decode(key, found.value())).transpose()
    }

    /// Returns what stands under a key, as it stands there.
    pub(super) fn bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.table(key)?.get(key)?.map(|found| found.value().to_vec()))
    }

    /// Returns whether there is anything under a key.
    pub(super) fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.table(key)?.get(key)?.is_some())
    }

    /// Returns a run's row. One that stands in the place of another is damaged.
    pub(super) fn row(&self, id: RunId) -> Result<Option<Row>, StoreError> {
        let key = keys::id(id);
        let Some(place) = self.bytes(&key)? else { return Ok(None) };
        self.resolve_id(&key, &place).map(Some)
    }

    /// Returns the row that the entry of an id leads to.
    pub(super) fn resolve_id(&self, key: &[u8], place: &[u8]) -> Result<Row, StoreError> {
        let sequence = place.try_into().map(u64::from_be_bytes);
        let sequence = sequence.map_err(|_| codec::corrupted(key, "it is no number"))?;
        match self.row_at(sequence)? {
            Some(row) if Some(row.run.id) == keys::run_of_id(key) => Ok(row),
            _ => Err(codec::corrupted(key, format!("it is not that of run number {sequence}"))),
        }
    }

    /// Returns the row of the run with that place in the order.
    pub(super) fn row_at(&self, sequence: u64) -> Result<Option<Row>, StoreError> {
        let key = keys::run(sequence);
        self.bytes(&key)?.map(|bytes| open_row(&key, &bytes)).transpose()
    }

    /// Returns the row that an entry of an index leads to, and that is so.
    pub(super) fn resolve_index(&self, key: &[u8]) -> Result<Row, StoreError> {
        let row = keys::sequence(key).map(|sequence| self.row_at(sequence)).transpose()?.flatten();
        let is_so = |row: &Row| keys::indexes(&row.run).iter().any(|known| known == key);
        row.filter(is_so).ok_or_else(|| codec::corrupted(key, "its run is not so"))
    }

    /// Returns a run with all that is kept of it.
    pub(super) fn load_full(&self, row: Row) -> Result<RunRecord, StoreError> {
        let log = self.log(row.run.sequence)?;
        row.whole(log, |digest| self.payload(digest))
    }

    /// Returns a run with all that is kept of it, by its id.
    pub(super) fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.row(id)?.map(|row| self.load_full(row)).transpose()
    }

    fn payload(&self, digest: &Digest) -> Result<Value, StoreError> {
        let key = keys::payload(digest);
        self.value(&key)?.ok_or_else(|| codec::corrupted(&key, "it is gone"))
    }

    /// Returns a run's log, in order.
    fn log(&self, sequence: u64) -> Result<Vec<LogEntry>, StoreError> {
        let mut log = Vec::new();
        for entry in self.prefix(&keys::logs(sequence))? {
            let (key, value) = entry?;
            log.extend(codec::decode::<Vec<LogEntry>>(&key, &value)?);
        }
        Ok(log)
    }

    /// Returns what is under the keys that begin with a prefix, in their order; from either end.
    pub(super) fn prefix<'s>(
        &'s self,
        prefix: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<Entry, StoreError>> + use<'s, T>, StoreError>
    {
        self.range(prefix, &keys::after(prefix))
    }

    /// Shows what is under the keys from the first to before the second, until `see` says that
    /// it is enough. Returns what `see` said last.
    pub(super) fn each_between(
        &self,
        first: &[u8],
        end: &[u8],
        mut see: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<ControlFlow<()>, StoreError> {
        for entry in self.table(first)?.range(first..end.max(first))? {
            let (key, value) = entry?;
            if see(key.value(), value.value())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Returns what is under the keys from the first to before the second; from either end.
    pub(super) fn range<'s>(
        &'s self,
        first: &[u8],
        end: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<Entry, StoreError>> + use<'s, T>, StoreError>
    {
        // A range that ends before it begins is not a question but a fault.
        let range = self.table(first)?.range(first..end.max(first))?;
        Ok(range.map(|entry| {
            let (key, value) = entry?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        }))
    }
}

/// Returns the row that stands under a key, and is that of this place in the order.
pub(super) fn open_row(key: &[u8], bytes: &[u8]) -> Result<Row, StoreError> {
    let row: Row = codec::decode(key, bytes)?;
    match keys::run(row.run.sequence) == key {
        true => Ok(row),
        false => Err(codec::corrupted(key, "another run's row")),
    }
}

impl Tx<'_> {
    /// Writes a value under a key.
    pub(super) fn put<V: Serialize>(&mut self, key: &[u8], value: &V) -> Result<(), StoreError> {
        self.put_bytes(key, &codec::encode(key, value)?)
    }

    /// Writes a value as it stands under a key.
    pub(super) fn put_bytes(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        self.written += (key.len() + bytes.len()) as u64;
        self.table_mut(key)?.insert(key, bytes)?;
        Ok(())
    }

    /// Does what a record does, and undoes it: a commit of this leaves what was there.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] that a record would meet.
    pub(super) fn probe_write(&mut self) -> Result<(), StoreError> {
        for kind in TableId::ALL {
            // It comes after that of every run.
            let key = [&kind.prefix()[..], &[u8::MAX; 16]].concat();
            self.put_bytes(&key, &[])?;
            self.remove(&key)?;
        }
        self.try_row()
    }

    /// Adds a run like the newest, and removes it.
    fn try_row(&mut self) -> Result<(), StoreError> {
        let newest = self.sequence()?;
        // That of another run is no matter of a new one's, whatever it is like.
        let Ok(Some(mut row)) = self.row_at(newest) else { return Ok(()) };
        (row.run.id, row.run.sequence) = (RunId::new(), self.next_sequence()?);
        // What is elsewhere is counted, and gone with the last count, which damage may hide.
        (row.input, row.output, row.errors) = (None, None, None);
        self.replace(None, &row, &[])?;
        for key in keys::indexes(&row.run) {
            self.remove(&key)?;
        }
        self.remove(&keys::id(row.run.id))?;
        self.remove(&keys::run(row.run.sequence))?;
        self.set_sequence(newest)
    }

    /// Removes what is under a key, if anything is.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.written += key.len() as u64;
        self.table_mut(key)?.remove(key)?;
        Ok(())
    }

    /// Returns how many bytes of keys and values were written; 0 if nothing was.
    pub(super) fn written(&self) -> u64 {
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
        payloads: &[Blob],
    ) -> Result<(), StoreError> {
        for payload in payloads {
            let key = keys::payload(&payload.digest);
            if !self.has(&key)? {
                self.put_bytes(&key, &codec::seal_json(&key, payload.json.as_bytes())?)?;
            }
        }
        // New ones first, so that what both name is never at zero.
        for digest in new.payloads() {
            self.adjust_refcount(&digest, 1)?;
        }
        for digest in old.into_iter().flat_map(Row::payloads) {
            self.adjust_refcount(&digest, -1)?;
        }
        let sequence = new.run.sequence;
        let key = keys::run(sequence);
        let has_ended = new.run.state.status().is_final();
        let seal = if has_ended { codec::encode } else { codec::encode_with_slack };
        self.put_bytes(&key, &seal(&key, new)?)?;
        if old.is_none() {
            self.put_bytes(&keys::id(new.run.id), &sequence.to_be_bytes())?;
        }
        self.reindex(old, new)
    }

    fn reindex(&mut self, old: Option<&Row>, new: &Row) -> Result<(), StoreError> {
        let before = old.map(|row| keys::indexes(&row.run)).unwrap_or_default();
        let after = keys::indexes(&new.run);
        for key in before.iter().filter(|key| !after.contains(key)) {
            self.remove(key)?;
        }
        for key in after.iter().filter(|key| !before.contains(key)) {
            self.put_bytes(key, &[])?;
        }
        Ok(())
    }

    /// Changes how many rows name a large value; removes it when none does.
    fn adjust_refcount(&mut self, digest: &Digest, by: i64) -> Result<(), StoreError> {
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

    /// Removes a run's log.
    pub(super) fn remove_log(&mut self, sequence: u64) -> Result<(), StoreError> {
        let keys: Vec<_> = self
            .prefix(&keys::logs(sequence))?
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_, _>>()?;
        keys.iter().try_for_each(|key| self.remove(key))
    }
}
