//! The redb file of the store: opened on demand, and reopened after disk errors.
//!
//! The file is in a private directory, because a user who can write to it controls the records
//! that the host trusts. Any number of processes may have the file open. Only one transaction
//! writes at a time.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use redb::{
    Builder, ConcurrencyMode, Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase as _,
    TransactionError, WriteTransaction,
};
use rustix::fs::statvfs;

use super::overlay;
use super::tables::{self, Snapshot};
use crate::model::run_record::RunId;
use crate::store::{ShutdownMode, StoreError, error, log_overflow};
use crate::util::os_error;
use crate::util::private_dir::{DataDir, FileId, PrivateDir};

/// The directory of the file, in the data directory.
pub(in crate::store) const DIRECTORY: &str = "store";
/// The name of the file, and the key of corruption that concerns the whole file.
pub const FILE: &str = "store.redb";

/// Maximum memory for cached pages of the file, in bytes.
pub(super) const CACHE_BYTES: usize = 64 << 20;

/// Maximum time for which opening the file waits while another process has locked it.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Maximum reads of a read-only file that another process modifies at the same time.
const MAX_READ_ATTEMPTS: usize = 8;

/// The file of a store, open or closed.
pub(super) struct StoreFile {
    data: DataDir,
    at_end: ShutdownMode,
    open: Mutex<Option<Arc<OpenDatabase>>>,
    /// The identity of the file that was opened first. This process uses no other file.
    id: Mutex<Option<FileId>>,
}

impl Drop for StoreFile {
    fn drop(&mut self) {
        match self.at_end {
            ShutdownMode::Clean => self.close(),
            ShutdownMode::Skip => std::mem::forget(self.lock().take()),
        }
    }
}

/// An open file.
pub(super) enum OpenDatabase {
    /// Open for reading and writing. Opening and closing write to the file.
    ReadWrite(Database),
    /// Open for reading only. Never writes to the file.
    ReadOnly(ReadOnlyDatabase),
    /// Open for reading only, after a recovery in memory, because the file cannot be written.
    Recovered(Database),
}

impl OpenDatabase {
    fn begin_read(&self) -> Result<ReadTransaction, TransactionError> {
        match self {
            Self::ReadWrite(database) | Self::Recovered(database) => database.begin_read(),
            Self::ReadOnly(database) => database.begin_read(),
        }
    }

    /// Begins a write transaction.
    ///
    /// # Blocking
    ///
    /// Waits until no other process writes.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file failed before, or is open for reading only.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        match self {
            Self::ReadWrite(database) => Ok(database.begin_write()?),
            Self::ReadOnly(_) | Self::Recovered(_) => {
                Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into())
            }
        }
    }

    /// Returns a snapshot of the last commit of any process; `None` before the first commit.
    ///
    /// An open snapshot prevents redb from reusing freed pages, so it should be dropped soon.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub(super) fn snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        Snapshot::open(self.begin_read()?)
    }
}

impl StoreFile {
    /// Returns the closed file of a data directory.
    pub(super) fn new(data: DataDir, at_end: ShutdownMode) -> Self {
        Self { data, at_end, open: Mutex::new(None), id: Mutex::new(None) }
    }

    /// Reads a snapshot; `None` if no store exists.
    ///
    /// # Errors
    ///
    /// Returns the error of `read`, and [`StoreError`] if the file cannot be read.
    pub(super) fn read<T>(
        &self,
        mut read: impl FnMut(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut attempts = MAX_READ_ATTEMPTS;
        loop {
            attempts -= 1;
            let result = catch_corruption_panic(|| {
                let Some(handle) = self.for_reading()? else { return Ok(None) };
                handle.snapshot()?.as_ref().map(&mut read).transpose()
            });
            if result.as_ref().is_err_and(requires_reopening) {
                self.close();
            }
            match result {
                Err(StoreError::Io(error)) if attempts > 0 && error::is_outdated(&error) => {}
                result => return result,
            }
        }
    }

    /// Returns whether the file is open, so that taking a snapshot does not wait for the disk.
    pub(super) fn is_open(&self) -> bool {
        self.open.try_lock().is_ok_and(|open| open.is_some())
    }

    /// Returns a snapshot and its file; `None` if no store exists. The file must outlive the
    /// snapshot.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub(super) fn snapshot(&self) -> Result<Option<(Snapshot, Arc<OpenDatabase>)>, StoreError> {
        let mut attempts = MAX_READ_ATTEMPTS;
        loop {
            attempts -= 1;
            let snapshot = catch_corruption_panic(|| {
                let Some(handle) = self.for_reading()? else { return Ok(None) };
                Ok(handle.snapshot()?.map(|snapshot| (snapshot, handle)))
            });
            if snapshot.as_ref().is_err_and(requires_reopening) {
                self.close();
            }
            match snapshot {
                Err(StoreError::Io(error)) if attempts > 0 && error::is_outdated(&error) => {}
                snapshot => return snapshot,
            }
        }
    }

    /// Closes the file when its last user has dropped it. The next use opens the file again.
    pub(super) fn close(&self) {
        let handle = self.lock().take();
        if self.ensure_in_place().is_err() {
            // A clean shutdown would write to a file that was removed.
            std::mem::forget(handle);
            return;
        }
        // redb may panic on closing a file after a disk error.
        catch_corruption_panic(|| {
            drop(handle);
            Ok(())
        })
        .ok();
    }

    /// Opens the file without redb; `None` if no store exists.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be opened.
    pub(super) fn raw_file(&self) -> Result<Option<File>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(None) };
        Ok(directory.open_file(FILE)?)
    }

    /// Returns whether a run has a log overflow file.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the log directory cannot be read.
    pub(super) fn has_log(&self, run: RunId) -> Result<bool, StoreError> {
        Ok(log_overflow::find(&self.data, run)?.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<OpenDatabase>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn for_reading(&self) -> Result<Option<Arc<OpenDatabase>>, StoreError> {
        let mut open = self.lock();
        if open.is_none() {
            *open = self.when_unlocked(|| self.open_for_reading())?;
        }
        Ok(open.clone())
    }

    fn open_for_reading(&self) -> Result<Option<Arc<OpenDatabase>>, StoreError> {
        let Some(path) = self.existing()? else { return Ok(None) };
        let handle = match builder().open_read_only(&path) {
            Ok(database) => OpenDatabase::ReadOnly(database),
            Err(redb::DatabaseError::RepairAborted) => self.recover()?,
            Err(error) => return Err(error.into()),
        };
        // redb opened the file by its path, which may have been replaced since.
        self.ensure_in_place()?;
        ensure_readable(&handle)?;
        Ok(Some(Arc::new(handle)))
    }

    /// Opens the file with `open`. While another process has locked the file, retries for
    /// [`MAX_LOCK_WAIT`].
    ///
    /// # Errors
    ///
    /// Returns the error of `open`. After [`StoreError::Locked`], the other process may replace the
    /// file, so that a file that was found first in this call is forgotten.
    fn when_unlocked<T>(&self, open: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let deadline = Instant::now() + MAX_LOCK_WAIT;
        let known = *self.identity();
        loop {
            let opened = open();
            if !matches!(opened, Err(StoreError::Locked)) {
                return opened;
            }
            *self.identity() = known;
            if Instant::now() >= deadline {
                return opened;
            }
            thread::sleep(LOCK_POLL_INTERVAL);
        }
    }

    /// Recovers a file that was not closed cleanly.
    ///
    /// Commands skip the clean shutdown, because it takes longer than a recovery. If the file
    /// cannot be written, the recovery happens in memory.
    fn recover(&self) -> Result<OpenDatabase, StoreError> {
        let denied = match self.create() {
            Ok(database) => return Ok(OpenDatabase::ReadWrite(database)),
            Err(error @ (StoreError::ReadOnly(_) | StoreError::Full | StoreError::Io(_))) => error,
            Err(error) => return Err(error),
        };
        match self.raw_file()?.map(overlay::open).transpose() {
            Ok(Some(database)) => Ok(OpenDatabase::Recovered(database)),
            Ok(None) => Err(denied),
            Err(error) => Err(error),
        }
    }

    /// Opens the file for reading and writing. Creates it if it is missing.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Newer`] or [`StoreError::Older`] if another version wrote the file.
    /// Then the content is unchanged, but redb may have recovered a file that was not closed.
    pub(super) fn for_writing(&self) -> Result<Arc<OpenDatabase>, StoreError> {
        let mut open = self.lock();
        match open.as_ref() {
            Some(handle) if matches!(**handle, OpenDatabase::ReadWrite(_)) => {
                return Ok(Arc::clone(handle));
            }
            Some(reading) => ensure_writable(reading)?,
            None => {}
        }
        let is_closed = open.is_none();
        let database = self.when_unlocked(|| {
            if is_closed {
                self.ensure_writable()?;
            }
            self.create()
        })?;
        let handle = Arc::new(OpenDatabase::ReadWrite(database));
        ensure_readable(&handle)?;
        *open = Some(Arc::clone(&handle));
        Ok(handle)
    }

    /// Returns the free bytes on the disk; `None` if the file system does not report them.
    pub(super) fn free_space(&self) -> Option<u64> {
        let disk = statvfs(self.data.path().join(DIRECTORY)).ok();
        let disk = disk.filter(|disk| disk.f_blocks > 0)?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Checks that the open file is still at its path. Writes to a removed file would be lost.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Replaced`] if the file was removed or replaced.
    pub(super) fn ensure_in_place(&self) -> Result<(), StoreError> {
        let path = self.data.path().join(DIRECTORY).join(FILE);
        match *self.identity() {
            Some(id) if !id.is_at(&path) => Err(StoreError::Replaced),
            Some(_) | None => Ok(()),
        }
    }

    /// Records the identity of a file that is being opened.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Replaced`] if this process has opened a different file before.
    fn identify(&self, file: &File) -> Result<(), StoreError> {
        self.set_or_check_id(FileId::of(file)?)
    }

    fn set_or_check_id(&self, id: FileId) -> Result<(), StoreError> {
        if *self.identity().get_or_insert(id) == id { Ok(()) } else { Err(StoreError::Replaced) }
    }

    fn identity(&self) -> MutexGuard<'_, Option<FileId>> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts another file, because this process has replaced the file.
    pub(super) fn forget_identity(&self) {
        *self.identity() = None;
    }

    /// Returns the directory of the file; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the directory cannot be opened.
    pub(super) fn directory(&self) -> Result<Option<PrivateDir>, StoreError> {
        Ok(self.data.open(DIRECTORY)?)
    }

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    ///
    /// As [`Self::for_writing`].
    pub(super) fn open_existing(&self) -> Result<(), StoreError> {
        if self.raw_file()?.is_some() { self.for_writing().map(drop) } else { Ok(()) }
    }

    /// Checks whether this user may write to the file. Succeeds if the file is missing.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be opened for writing.
    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(()) };
        directory.writable_file(FILE).map(drop).map_err(StoreError::denied)
    }

    /// Returns the path of the file; `None` if no store exists.
    fn existing(&self) -> Result<Option<PathBuf>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(None) };
        let Some(file) = directory.open_file(FILE)? else { return Ok(None) };
        check_length(&file)?;
        self.identify(&file)?;
        Ok(Some(directory.path().join(FILE)))
    }

    /// Checks the format of the file without writing to it.
    fn ensure_writable(&self) -> Result<(), StoreError> {
        let Some(path) = self.existing()? else { return Ok(()) };
        match builder().open_read_only(&path) {
            Ok(database) => ensure_writable(&OpenDatabase::ReadOnly(database)),
            // The file needs recovery. The first write transaction checks the format.
            Err(_) => Ok(()),
        }
    }

    fn create(&self) -> Result<Database, StoreError> {
        self.ensure_in_place()?;
        let directory = self.data.create(DIRECTORY)?;
        loop {
            if let Some(file) = directory.writable_file(FILE).map_err(StoreError::denied)? {
                check_length(&file)?;
                self.identify(&file)?;
                return Ok(builder().create_file(file)?);
            }
            if let Some(database) = self.create_new(&directory)? {
                return Ok(database);
            }
            // Another process has created the file.
        }
    }

    /// Creates the file atomically; `None` if another process has created it.
    ///
    /// The file appears under its name with its first content, because an empty file counts as
    /// corrupted.
    fn create_new(&self, directory: &PrivateDir) -> Result<Option<Database>, StoreError> {
        let (temporary, file) = directory.create_temporary(FILE).map_err(StoreError::denied)?;
        let id = FileId::of(&file)?;
        let database = match builder().create_file(file) {
            Ok(database) => database,
            Err(error) => {
                // The error of the creation is more useful than one from removing the file.
                directory.remove(&temporary).ok();
                return Err(error.into());
            }
        };
        if !directory.persist_noclobber(&temporary, FILE)? {
            return Ok(None);
        }
        self.set_or_check_id(id)?;
        Ok(Some(database))
    }
}

/// Returns whether the file must be reopened after an error.
fn requires_reopening(error: &StoreError) -> bool {
    match error {
        StoreError::Io(_) => true,
        StoreError::Corrupted { key, .. } => key == FILE,
        _ => false,
    }
}

/// Checks that the file is not empty. The file is created atomically with its first content.
fn check_length(file: &File) -> Result<(), StoreError> {
    if file.metadata()?.len() > 0 {
        return Ok(());
    }
    Err(StoreError::Corrupted { key: FILE.to_owned(), what: "empty file".to_owned() })
}

fn ensure_writable(handle: &OpenDatabase) -> Result<(), StoreError> {
    format_of(handle)?.map_or(Ok(()), tables::ensure_writable)
}

/// Refuses a store of an older format. A corrupted format does not prevent reading.
fn ensure_readable(handle: &OpenDatabase) -> Result<(), StoreError> {
    match catch_corruption_panic(|| format_of(handle)) {
        Ok(Some(format)) => tables::ensure_readable(format),
        Err(error @ StoreError::Older { .. }) => Err(error),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn format_of(handle: &OpenDatabase) -> Result<Option<u32>, StoreError> {
    handle.snapshot()?.map_or(Ok(None), |snapshot| snapshot.format())
}

/// Returns the options with which all store files are opened.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter).set_cache_size(CACHE_BYTES);
    builder
}

/// Calls `work` and converts a panic of redb on a corrupted file to an error.
///
/// # Errors
///
/// Returns the error of `work`, or [`StoreError::Corrupted`] if `work` panics.
pub(super) fn catch_corruption_panic<T>(
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // A panic leaves partial state only in a transaction or a handle, which is dropped.
    os_error::catch_panic(work).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let what = text.unwrap_or("redb panicked").lines().next().unwrap_or_default();
        Err(StoreError::Corrupted { key: FILE.to_owned(), what: what.to_owned() })
    })
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Corrupted { key: FILE.to_owned(), what: error.to_string() }
            }
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Corrupted { key: FILE.to_owned(), what: "truncated file".to_owned() }
            }
            redb::Error::Io(error) => error.into(),
            redb::Error::DatabaseAlreadyOpen => Self::Locked,
            redb::Error::Corrupted(what) => Self::Corrupted { key: FILE.to_owned(), what },
            redb::Error::RepairAborted => {
                Self::Corrupted { key: FILE.to_owned(), what: "recovery failed".to_owned() }
            }
            other => io::Error::other(other.to_string()).into(),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

from_redb!(CommitError, DatabaseError, StorageError, TableError, TransactionError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::run_record::RunRecord;
    use crate::model::run_record::tests::running;
    use crate::store::error::Outdated;
    use crate::store::redb::tables::Tx;
    use crate::store::redb::test_store::{Scratch, filled};
    use crate::store::redb::{RedbStore, codec, keys};
    use crate::store::{NewRun, RunFilter, Store as _, StoreMaintenance as _};

    #[tokio::test]
    async fn outdated_read_is_repeated() {
        let scratch = tempfile::tempdir().unwrap();
        let data = DataDir::new(scratch.path().join("data"));
        let store = RedbStore::new(data, ShutdownMode::Clean);
        store.insert(NewRun { run: running("a"), key: None }).await.unwrap();
        let mut attempts = 0;
        let mut read = |outdated: usize| {
            attempts = 0;
            store.file.read(|_| {
                attempts += 1;
                if attempts <= outdated {
                    Err(io::Error::other(Outdated).into())
                } else {
                    Ok(attempts)
                }
            })
        };
        assert_eq!(read(3).unwrap(), Some(4));
        let error = read(usize::MAX).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        assert_eq!(attempts, MAX_READ_ATTEMPTS);
    }

    #[tokio::test]
    async fn store_of_a_newer_format_is_read_only() {
        let scratch = Scratch::new();
        let (runs, bytes) = store_with_format(&scratch, codec::FORMAT + 1).await;
        let newer = scratch.store_of("newer", &bytes);
        assert_eq!(newer.get(runs[0].id).await.unwrap().as_ref(), Some(&runs[0]));
        let new = NewRun { run: running("a"), key: None };
        let error = newer.insert(new).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the store has format 5, this version writes 4: it is open for reading only"
        );
        let path = scratch.0.path().join("newer").join(DIRECTORY).join(FILE);
        assert!(std::fs::read(path).unwrap() == bytes);
    }

    #[tokio::test]
    async fn store_of_an_older_format_is_rejected() {
        let scratch = Scratch::new();
        let (runs, bytes) = store_with_format(&scratch, codec::FORMAT - 1).await;
        let older = scratch.store_of("older", &bytes);
        let to = scratch.0.path().join("to.redb");
        let new = NewRun { run: running("a"), key: None };
        for error in [
            older.get(runs[0].id).await.unwrap_err(),
            older.list(&RunFilter::default(), None, 9).await.unwrap_err(),
            older.insert(new).await.unwrap_err(),
            older.probe_write().await.unwrap_err(),
            older.check().await.unwrap_err(),
            older.backup(&to).await.unwrap_err(),
            older.salvage(&to).await.unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "the store has format 3, this version reads 4");
        }
        assert!(older.snapshot().await.is_err());
        assert!(!to.exists());
        let path = scratch.0.path().join("older").join(DIRECTORY).join(FILE);
        assert!(std::fs::read(path).unwrap() == bytes);
    }

    /// Returns the runs and the file of a store with this recorded format.
    async fn store_with_format(scratch: &Scratch, format: u32) -> (Vec<RunRecord>, Vec<u8>) {
        let store = scratch.store("live");
        let runs = filled(&store, 3).await;
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let database = builder().open(&copy).unwrap();
        let transaction = database.begin_write().unwrap();
        Tx::open(&transaction, None).unwrap().put(&keys::meta("format"), &format).unwrap();
        transaction.commit().unwrap();
        drop(database);
        (runs, std::fs::read(&copy).unwrap())
    }
}
