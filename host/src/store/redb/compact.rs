//! Gives the free space of a store file back to the disk.
//!
//! The live entries are copied to a new file, which then replaces the old one. redb can compact a
//! file in place, but moves page by page and keeps half-empty pages. The old file is locked in
//! redb's mode for a single process, so no other process can have either file open.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::thread;
use std::time::{Duration, Instant};

use redb::{Builder, Database, ReadableDatabase as _};
use rustix::fs::fsync;

use super::backup::{copy_all, no_file};
use super::file::{CACHE_BYTES, FILE, StoreFile, builder, catch_corruption_panic};
use super::tables::{self, Snapshot};
use crate::store::{CompactReport, StoreError};
use crate::util::private_dir::PrivateDir;

/// Maximum time to wait for other processes.
const MAX_WAIT: Duration = Duration::from_millis(500);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Bytes of free space that remain on the disk.
const RESERVED_BYTES: u64 = 1 << 20;

/// See [`StoreMaintenance::compact`](crate::store::StoreMaintenance::compact).
pub(super) fn compact(file: &StoreFile) -> Result<CompactReport, StoreError> {
    file.close();
    let directory = file.directory()?.ok_or_else(no_file)?;
    catch_corruption_panic(|| {
        let (old, status) = open_when_unused(&directory)?;
        let store = Snapshot::open(old.begin_read()?)?.ok_or_else(no_file)?;
        store.format()?.map_or(Ok(()), tables::ensure_writable)?;
        ensure_space(&old, file.free_space())?;
        // With the exclusive lock, only a killed process can have left temporary files.
        directory.remove_stale_temp(Duration::ZERO)?;
        let (temporary, new) = directory.create_temporary(FILE).map_err(StoreError::denied)?;
        let replaced = fill(&store, &new).and_then(|()| {
            copy_access(&status, &new)?;
            new.sync_all()?;
            replace(&directory, &temporary)
        });
        if replaced.is_err() {
            // The first error is more useful than one from removing the file.
            directory.remove(&temporary).ok();
        }
        replaced?;
        drop(store);
        file.forget_identity();
        Ok(CompactReport { before: status.len(), after: new.metadata()?.len() })
    })
}

/// Opens the store file exclusively, and returns its metadata. Waits a moment for processes that are
/// just ending.
fn open_when_unused(directory: &PrivateDir) -> Result<(Database, Metadata), StoreError> {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        // Each attempt opens the file again, because closing it releases all locks of the attempt.
        let file = directory.writable_file(FILE).map_err(StoreError::denied)?;
        let file = file.ok_or_else(no_file)?;
        let status = file.metadata()?;
        match open_exclusively(file) {
            Err(StoreError::InUse) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            opened => return Ok((opened?, status)),
        }
    }
}

/// Opens a store file in a mode in which no other process can have it open.
fn open_exclusively(file: File) -> Result<Database, StoreError> {
    match Builder::new().set_cache_size(CACHE_BYTES).create_file(file) {
        Err(redb::DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse),
        opened => Ok(opened?),
    }
}

/// Checks that the disk has room for a copy of the live entries.
fn ensure_space(old: &Database, free: Option<u64>) -> Result<(), StoreError> {
    let transaction = old.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    let live = stats.stored_bytes() + stats.metadata_bytes();
    let needed = live + live / 4 + RESERVED_BYTES;
    match free {
        Some(free) if free < needed => Err(StoreError::Full),
        Some(_) | None => Ok(()),
    }
}

/// Copies all entries to a new file.
fn fill(store: &Snapshot, new: &File) -> Result<(), StoreError> {
    let mut copy = builder().create_file(new.try_clone()?)?;
    copy_all(store, &copy)?;
    // The copy grew in large steps, and has free pages of its own.
    copy.compact().map_err(redb::Error::from)?;
    Ok(())
}

/// Gives a new file the owner, the group and the mode of the old one.
fn copy_access(old: &Metadata, new: &File) -> io::Result<()> {
    let status = new.metadata()?;
    if (old.uid(), old.gid()) != (status.uid(), status.gid()) {
        fchown(new, Some(old.uid()), Some(old.gid()))?;
    }
    new.set_permissions(old.permissions())
}

/// Replaces the store file by a complete one.
fn replace(directory: &PrivateDir, temporary: &str) -> Result<(), StoreError> {
    directory.rename(temporary, FILE)?;
    fsync(directory.as_fd()).map_err(io::Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::*;
    use crate::store::redb::backup::write_all;
    use crate::store::redb::file::DIRECTORY;
    use crate::store::redb::keys;
    use crate::store::redb::test_store::{Scratch, creating, filled};
    use crate::store::tests::author;
    use crate::store::{Retention as _, RunFilter, RunRemoval, Store as _, StoreMaintenance as _};
    use crate::util::clock;

    #[tokio::test]
    async fn compaction_shrinks_the_file_and_keeps_all_entries() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        assert!(store.compact().await.unwrap_err().to_string().contains("nothing is stored"));
        let mut runs = filled(&store, 300).await;
        store.commit_changes(author(), creating("jobs", 5)).await.unwrap();
        let path = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let removed = runs.drain(..280).map(|run| run.id).collect();
        let (now, budget) = (clock::now(), Duration::from_secs(60));
        let request = RunRemoval { runs: removed, is_forced: false, now, budget };
        store.remove_runs(request).await.unwrap();
        let CompactReport { before, after } = store.compact().await.unwrap();
        assert!(after < before / 2, "{before} {after}");
        assert_eq!(store.size().unwrap(), Some(after));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
        let listed = store.list(&RunFilter::default(), None, 99).await.unwrap().runs;
        assert_eq!(listed.len(), 20);
        for run in &runs {
            assert_eq!(store.get(run.id).await.unwrap().as_ref(), Some(run));
        }
        assert_eq!(store.check().await.unwrap(), [""; 0]);
        assert_eq!(filled(&store, 1).await[0].sequence, 301);
        let names = fs::read_dir(scratch.0.path().join("live").join(DIRECTORY)).unwrap();
        assert_eq!(names.count(), 1, "no temporary file remains");
    }

    #[tokio::test]
    async fn store_in_use_is_not_compacted_and_not_opened_during_a_compaction() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let runs = filled(&store, 2).await;
        let other = scratch.store("live");
        assert!(other.get(runs[0].id).await.unwrap().is_some());
        let error = store.compact().await.unwrap_err();
        assert!(matches!(error, StoreError::InUse), "{error}");
        drop((store, other));
        let path = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let file = File::options().read(true).write(true).open(path).unwrap();
        let locked = open_exclusively(file).unwrap();
        let store = scratch.store("live");
        let error = store.get(runs[0].id).await.unwrap_err();
        assert!(matches!(error, StoreError::Locked), "{error}");
        let error = store.commit_changes(author(), creating("jobs", 1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Locked), "{error}");
        drop(locked);
        scratch.store("live").compact().await.unwrap();
        store.commit_changes(author(), creating("jobs", 1)).await.unwrap();
    }

    #[tokio::test]
    async fn corrupted_store_is_not_compacted() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        filled(&store, 3).await;
        drop(store);
        let path = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let database = builder().open(&path).unwrap();
        write_all(&database, &[()], |tx, ()| tx.put_bytes(&keys::run(2), b"corrupted")).unwrap();
        drop(database);
        let store = Arc::new(scratch.store("live"));
        let error = store.compact().await.unwrap_err();
        assert!(error.to_string().contains("`run number 2`"), "{error}");
        assert_eq!(store.list(&RunFilter::default(), None, 9).await.unwrap().runs.len(), 2);
        let names = fs::read_dir(scratch.0.path().join("live").join(DIRECTORY)).unwrap();
        assert_eq!(names.count(), 1, "no temporary file remains");
    }
}
