//! The store's file: opened when it is needed, and again after the disk failed.
//!
//! It is in a private directory of its own, since anybody who can write to it decides what the
//! host believes. Any number of processes have it open; one transaction writes at a time.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{
    Builder, ConcurrencyMode, Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase as _,
    TransactionError, WriteTransaction,
};
use rustix::fs::statvfs;

use super::overlay;
use super::tables::{self, Snapshot};
use crate::model::run_record::RunId;
use crate::store::{StoreError, log_overflow};
use crate::util::os_error;
use crate::util::private_dir::{DataDir, FileId, PrivateDir};

/// The directory in the data directory.
pub(in crate::store) const DIRECTORY: &str = "store";
/// The file in it, and the key of damage that is of all of it.
pub const FILE: &str = "store.redb";

/// The most memory for pages of the file, in bytes.
pub(super) const CACHE: usize = 64 << 20;

/// How often a file is read that may only be read, and that another process writes to.
const TRIES: usize = 8;

/// The store's file, open or not.
pub(super) struct StoreFile {
    data: DataDir,
    at_end: ShutdownMode,
    open: Mutex<Option<Arc<OpenDatabase>>>,
    /// Which file was opened first. What this process read and wrote is in no other one.
    id: OnceLock<FileId>,
}

/// What becomes of an open file that nobody uses any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ShutdownMode {
    /// It is closed. That forces more to the disk than a record does.
    #[default]
    Clean,
    /// It is left to the system, since the process ends. Whoever opens it next puts it in
    /// order, as after a kill, which forces a quarter of that to the disk.
    Skip,
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
    /// For both; opening it, and closing it, costs writes of its own.
    ReadWrite(Database),
    /// For reading only, which writes nothing.
    ReadOnly(ReadOnlyDatabase),
    /// For reading only: it needs recovery, cannot be written, and was recovered in memory.
    Recovered(Database),
}

impl OpenDatabase {
    fn begin_read(&self) -> Result<ReadTransaction, TransactionError> {
        match self {
            Self::ReadWrite(database) | Self::Recovered(database) => database.begin_read(),
            Self::ReadOnly(database) => database.begin_read(),
        }
    }

    /// Begins to write, when no other process does.
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

    /// Returns what was there at the last commit of any process; `None` if nothing was ever
    /// written.
    ///
    /// As long as it lives no page that is replaced meanwhile is used again: it should be short.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub(super) fn snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        Snapshot::open(&self.begin_read()?)
    }
}

impl StoreFile {
    /// Returns the file of a data directory. Nothing is opened or made.
    pub(super) fn new(data: DataDir, at_end: ShutdownMode) -> Self {
        Self { data, at_end, open: Mutex::new(None), id: OnceLock::new() }
    }

    /// Reads; `None` if there is no store.
    ///
    /// # Errors
    ///
    /// Returns the error of `read`, and [`StoreError`] if the file cannot be read.
    pub(super) fn read<T>(
        &self,
        mut read: impl FnMut(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let result = catch_corruption_panic(|| {
                let Some(handle) = self.for_reading()? else { return Ok(None) };
                handle.snapshot()?.as_ref().map(&mut read).transpose()
            });
            if result.as_ref().is_err_and(is_of_file) {
                self.close();
            }
            match result {
                Err(StoreError::Io(error)) if tries > 0 && overlay::is_outdated(&error) => {}
                result => return result,
            }
        }
    }

    /// Returns what is there now, and the file, which has to stay open as long; `None` if there
    /// is no store.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read.
    pub(super) fn snapshot(&self) -> Result<Option<(Snapshot, Arc<OpenDatabase>)>, StoreError> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let snapshot = catch_corruption_panic(|| {
                let Some(handle) = self.for_reading()? else { return Ok(None) };
                Ok(handle.snapshot()?.map(|snapshot| (snapshot, handle)))
            });
            if snapshot.as_ref().is_err_and(is_of_file) {
                self.close();
            }
            match snapshot {
                Err(StoreError::Io(error)) if tries > 0 && overlay::is_outdated(&error) => {}
                snapshot => return snapshot,
            }
        }
    }

    /// Closes the file as soon as nobody uses it: the next use opens it anew.
    pub(super) fn close(&self) {
        let handle = self.lock().take();
        if self.is_in_place().is_err() {
            // Closing writes, and nothing is written to a file that was removed.
            std::mem::forget(handle);
            return;
        }
        // Closing a file whose disk failed may panic.
        catch_corruption_panic(|| {
            drop(handle);
            Ok(())
        })
        .ok();
    }

    /// Returns the file itself, to be read past its reader; `None` if there is no store.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be opened.
    pub(super) fn raw_file(&self) -> Result<Option<File>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(None) };
        Ok(directory.open_file(FILE)?)
    }

    /// Returns whether there is a file with a part of a run's log.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be found out.
    pub(super) fn has_log(&self, run: RunId) -> Result<bool, StoreError> {
        Ok(log_overflow::find(&self.data, run)?.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<OpenDatabase>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn for_reading(&self) -> Result<Option<Arc<OpenDatabase>>, StoreError> {
        let mut open = self.lock();
        if open.is_none() {
            let Some(path) = self.existing()? else { return Ok(None) };
            let handle = match builder().open_read_only(&path) {
                Ok(database) => OpenDatabase::ReadOnly(database),
                Err(redb::DatabaseError::RepairAborted) => self.recover()?,
                Err(error) => return Err(error.into()),
            };
            // It was opened by its path.
            self.is_in_place()?;
            *open = Some(Arc::new(handle));
        }
        Ok(open.clone())
    }

    /// Recovers a file that was not closed, as every command leaves it: a clean shutdown takes
    /// longer than a recovery. The recovery stays in memory if the file cannot be written.
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

    /// Returns the file, open for writing too. It is made where it is missing.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Newer`] if a newer version wrote it: then it was not touched.
    pub(super) fn for_writing(&self) -> Result<Arc<OpenDatabase>, StoreError> {
        let mut open = self.lock();
        match open.as_ref() {
            Some(handle) if matches!(**handle, OpenDatabase::ReadWrite(_)) => {
                return Ok(Arc::clone(handle));
            }
            Some(reading) => may_write(reading)?,
            None => self.may_write()?,
        }
        let handle = Arc::new(OpenDatabase::ReadWrite(self.create()?));
        *open = Some(Arc::clone(&handle));
        Ok(handle)
    }

    /// Returns how many bytes there is room for on the disk; `None` where the system does not say.
    pub(super) fn free_space(&self) -> Option<u64> {
        let disk = statvfs(self.data.path().join(DIRECTORY)).ok();
        let disk = disk.filter(|disk| disk.f_blocks > 0)?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Says whether the file is still where it was opened: what is written to a file that was
    /// removed is lost.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Replaced`] if it was removed, or another one took its place.
    pub(super) fn is_in_place(&self) -> Result<(), StoreError> {
        let path = self.data.path().join(DIRECTORY).join(FILE);
        match self.id.get() {
            Some(id) if !id.is_at(&path) => Err(StoreError::Replaced),
            _ => Ok(()),
        }
    }

    /// Takes note of the file that is being opened.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Replaced`] if it is not the one that was opened first.
    fn identify(&self, file: &File) -> Result<(), StoreError> {
        self.note(FileId::of(file)?)
    }

    fn note(&self, id: FileId) -> Result<(), StoreError> {
        if *self.id.get_or_init(|| id) == id { Ok(()) } else { Err(StoreError::Replaced) }
    }

    /// Opens the file for writing too, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Self::for_writing`].
    pub(super) fn open_existing(&self) -> Result<(), StoreError> {
        if self.existing()?.is_some() { self.for_writing().map(drop) } else { Ok(()) }
    }

    /// Says whether this user may write to the file; one that is missing may be made later.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it cannot be opened for writing.
    pub(super) fn is_writable(&self) -> Result<(), StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(()) };
        directory.writable_file(FILE).map(drop).map_err(StoreError::denied)
    }

    /// Returns the path of the file, if there is one.
    fn existing(&self) -> Result<Option<PathBuf>, StoreError> {
        let Some(directory) = self.data.open(DIRECTORY)? else { return Ok(None) };
        let Some(file) = directory.open_file(FILE)? else { return Ok(None) };
        check_length(&file)?;
        self.identify(&file)?;
        Ok(Some(directory.path().join(FILE)))
    }

    /// Says whether this version may write to the file, without touching it.
    fn may_write(&self) -> Result<(), StoreError> {
        let Some(path) = self.existing()? else { return Ok(()) };
        match builder().open_read_only(&path) {
            Ok(database) => may_write(&OpenDatabase::ReadOnly(database)),
            // It is put in order by opening it for writing, and looked at then.
            Err(_) => Ok(()),
        }
    }

    fn create(&self) -> Result<Database, StoreError> {
        self.is_in_place()?;
        let directory = self.data.create(DIRECTORY)?;
        loop {
            if let Some(file) = directory.writable_file(FILE).map_err(StoreError::denied)? {
                check_length(&file)?;
                self.identify(&file)?;
                return Ok(builder().create_file(file)?);
            }
            if let Some(database) = self.begin(&directory)? {
                return Ok(database);
            }
            // Another process was first.
        }
    }

    /// Makes the file where there is none; `None` if there is one now. It appears under its name
    /// with its first content: an empty one would be a damaged one.
    fn begin(&self, directory: &PrivateDir) -> Result<Option<Database>, StoreError> {
        let (temporary, file) = directory.nameless(FILE).map_err(StoreError::denied)?;
        let id = FileId::of(&file)?;
        let database = match builder().create_file(file) {
            Ok(database) => database,
            Err(error) => {
                // The first error says more than one from cleaning up.
                directory.remove(&temporary).ok();
                return Err(error.into());
            }
        };
        if !directory.name(&temporary, FILE)? {
            return Ok(None);
        }
        self.note(id)?;
        Ok(Some(database))
    }
}

/// Returns whether the file takes no more after an error until it is opened again.
fn is_of_file(error: &StoreError) -> bool {
    match error {
        StoreError::Io(_) => true,
        StoreError::Corrupted { key, .. } => key == FILE,
        _ => false,
    }
}

/// Says whether a store is in the file at all: it appears under its name with its first content.
fn check_length(file: &File) -> Result<(), StoreError> {
    if file.metadata()?.len() > 0 {
        return Ok(());
    }
    Err(StoreError::Corrupted { key: FILE.to_owned(), what: "it is empty".to_owned() })
}

fn may_write(handle: &OpenDatabase) -> Result<(), StoreError> {
    let format = handle.snapshot()?.map_or(Ok(None), |snapshot| snapshot.format())?;
    format.map_or(Ok(()), tables::readable)
}

/// Returns how every file of this kind is opened.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter).set_cache_size(CACHE);
    builder
}

/// Does something with a file that may be damaged in ways that its reader does not expect.
///
/// # Errors
///
/// Returns the error of `work`, and [`StoreError::Corrupted`] in place of a panic.
pub(super) fn catch_corruption_panic<T>(
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // What was half done is in a transaction or a handle that is dropped.
    os_error::guarded(work).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let what = text.unwrap_or("the reader stopped").lines().next().unwrap_or_default();
        Err(StoreError::Corrupted { key: FILE.to_owned(), what: what.to_owned() })
    })
}

/// Does something that waits for the disk, off the async threads.
///
/// # Errors
///
/// Returns the error of `work`, and [`StoreError::Io`] if the system starts no thread.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let task = os_error::spawn_blocking(work).map_err(io::Error::other)?;
    task.await.map_err(|error| StoreError::from(io::Error::other(error)))?
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Corrupted { key: FILE.to_owned(), what: error.to_string() }
            }
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Corrupted { key: FILE.to_owned(), what: "its end is missing".to_owned() }
            }
            redb::Error::Io(error) => error.into(),
            redb::Error::Corrupted(what) => Self::Corrupted { key: FILE.to_owned(), what },
            redb::Error::RepairAborted => Self::Corrupted {
                key: FILE.to_owned(),
                what: "it cannot be put in order".to_owned(),
            },
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
    use crate::model::run_record::tests::running;
    use crate::store::redb::RedbStore;
    use crate::store::{NewRun, Store as _};

    #[tokio::test]
    async fn what_another_process_writes_to_is_read_again() {
        let scratch = tempfile::tempdir().unwrap();
        let data = DataDir::new(scratch.path().join("data"));
        let store = RedbStore::new(data, ShutdownMode::Clean);
        store.insert(NewRun { run: running("a"), key: None }).await.unwrap();
        let mut times = 0;
        let mut read = |outdated: usize| {
            times = 0;
            store.file.read(|_| {
                times += 1;
                if times <= outdated {
                    Err(io::Error::other(overlay::Outdated).into())
                } else {
                    Ok(times)
                }
            })
        };
        assert_eq!(read(3).unwrap(), Some(4));
        let error = read(usize::MAX).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        assert_eq!(times, TRIES);
    }
}
