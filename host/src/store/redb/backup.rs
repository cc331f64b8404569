//! Copies a store to a new file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::Database;

use super::RedbStore;
use super::codec;
use super::file::{builder, catch_corruption_panic};
use super::index_check::ensure_intact_entry;
use super::keys::TableId;
use super::tables::{Entry, Snapshot, Tx};
use crate::store::StoreError;

/// Maximum entries per transaction of a copy.
const MAX_BATCH_ENTRIES: usize = 4096;
/// Bytes after which a transaction of a copy is committed. They are held in memory until then.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// See [`StoreMaintenance::backup`](crate::store::StoreMaintenance::backup).
pub(super) async fn backup(store: &RedbStore, to: &Path) -> Result<(), StoreError> {
    let to = to.to_owned();
    let copied = store.read(move |store| write_file(&to, |copy| copy_all(store, copy))).await?;
    copied.ok_or_else(|| no_file().into())
}

/// The error of a copy if no process has created the store file yet.
pub(super) fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "nothing is stored yet")
}

/// Creates a store file atomically: fills a temporary file, then links it to its name.
pub(super) fn write_file(
    to: &Path,
    fill: impl FnOnce(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let temporary = PathBuf::from(format!("{}.{}.part", to.display(), std::process::id()));
    let written = catch_corruption_panic(|| {
        let file = create_private(&temporary)?;
        let database = builder().create_file(file.try_clone()?)?;
        fill(&database)?;
        drop(database);
        file.sync_all()?;
        // A hard link never replaces an existing file, which could be the store itself.
        fs::hard_link(&temporary, to)?;
        fs::remove_file(&temporary)?;
        let directory = to.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    });
    if written.is_err() {
        // The error of the copy is more useful than one from removing the file.
        fs::remove_file(&temporary).ok();
    }
    written
}

fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    File::options().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Writes values in one transaction.
pub(super) fn write_all<T>(
    copy: &Database,
    values: &[T],
    mut write: impl FnMut(&mut Tx<'_>, &T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let transaction = copy.begin_write()?;
    let mut tx = Tx::open(&transaction, None)?;
    values.iter().try_for_each(|value| write(&mut tx, value))?;
    drop(tx);
    Ok(transaction.commit()?)
}

/// Writes values in transactions that exceed [`MAX_BATCH_BYTES`] by at most one value.
pub(super) struct BatchWriter<'c, T, W> {
    copy: &'c Database,
    write: W,
    batch: Vec<T>,
    /// The total size of the batch.
    bytes: usize,
}

impl<'c, T, W: FnMut(&mut Tx<'_>, &T) -> Result<(), StoreError>> BatchWriter<'c, T, W> {
    pub(super) fn new(copy: &'c Database, write: W) -> Self {
        Self { copy, write, batch: Vec::new(), bytes: 0 }
    }

    /// Adds a value of `bytes` bytes. Commits the batch when it is full.
    pub(super) fn add(&mut self, value: T, bytes: usize) -> Result<(), StoreError> {
        self.batch.push(value);
        self.bytes += bytes;
        let is_full = self.batch.len() >= MAX_BATCH_ENTRIES || self.bytes >= MAX_BATCH_BYTES;
        if is_full { self.flush() } else { Ok(()) }
    }

    /// Commits the current batch.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        write_all(self.copy, &self.batch, &mut self.write)?;
        self.batch.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// Copies all entries of a snapshot, in the order of their keys.
///
/// # Errors
///
/// Returns [`StoreError`] if an entry is corrupted or cannot be written.
pub(super) fn copy_all(store: &Snapshot, copy: &Database) -> Result<(), StoreError> {
    let mut values = BatchWriter::new(copy, |tx, (key, value): &Entry| tx.put_bytes(key, value));
    for kind in TableId::ALL {
        for entry in store.prefix(&kind.prefix())? {
            let (key, value) = entry?;
            ensure_intact(store, kind, (&key, &value))?;
            let bytes = key.len() + value.len();
            values.add((key, value), bytes)?;
        }
    }
    values.flush()
}

/// Checks that the value of a key is intact.
pub(super) fn ensure_intact(
    store: &Snapshot,
    kind: TableId,
    (key, value): (&[u8], &[u8]),
) -> Result<(), StoreError> {
    match kind {
        TableId::RunIdIndex => store.resolve_id(key, value).map(drop),
        TableId::Index => store.resolve_index(key, value).map(drop),
        TableId::FieldIndex => ensure_intact_entry(key, value),
        TableId::Meta
        | TableId::Run
        | TableId::Log
        | TableId::Payload
        | TableId::PayloadRefcount
        | TableId::Idempotency
        | TableId::Document
        | TableId::Change
        | TableId::History
        | TableId::Commit
        | TableId::RunCommit
        | TableId::Collection
        | TableId::Summary
        | TableId::IndexDefinition => codec::verify(key, value).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use redb::ReadableDatabase as _;

    use super::*;
    use crate::store::redb::keys;
    use crate::store::redb::test_store::{Scratch, filled};
    use crate::store::{Store as _, StoreMaintenance as _};

    #[tokio::test]
    async fn backup_of_a_live_store_is_consistent_and_replaces_no_file() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        assert!(store.backup(&scratch.0.path().join("none")).await.is_err());
        let runs = filled(&store, 20).await;
        let to = scratch.0.path().join("copy.redb");
        std::fs::write(&to, "older").unwrap();
        assert!(store.backup(&to).await.is_err());
        assert_eq!(std::fs::read(&to).unwrap(), b"older");
        std::fs::remove_file(&to).unwrap();
        store.backup(&to).await.unwrap();
        filled(&store, 1).await;
        let copy = scratch.store_of("copy", &std::fs::read(&to).unwrap());
        assert_eq!(copy.check().await.unwrap(), [""; 0]);
        for run in &runs {
            assert_eq!(copy.get(run.id).await.unwrap().as_ref(), Some(run));
        }
        assert_eq!(copy.latest().await.unwrap().as_ref(), runs.last());
        let names = std::fs::read_dir(scratch.0.path()).unwrap();
        assert_eq!(names.count(), 3, "no temporary file remains");
    }

    #[test]
    fn copy_commits_a_batch_that_reaches_16_mib() {
        let scratch = Scratch::new();
        let copy = builder().create(scratch.0.path().join("copy.redb")).unwrap();
        let mut values =
            BatchWriter::new(&copy, |tx, (key, value): &Entry| tx.put_bytes(key, value));
        let mut buffered = Vec::new();
        for n in 0..5_u8 {
            let entry = (keys::run(n.into()), vec![n; 6 << 20]);
            values.add(entry, 6 << 20).unwrap();
            buffered.push(values.batch.len());
        }
        assert_eq!(buffered, [1, 2, 0, 1, 2]);
        values.flush().unwrap();
        let written = Snapshot::open(copy.begin_read().unwrap()).unwrap().unwrap();
        assert_eq!(written.prefix(&TableId::Run.prefix()).unwrap().count(), 5);
    }
}
