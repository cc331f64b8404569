//! Recovers a store in memory if its file needs recovery and cannot be written.
//!
//! Commands skip the clean shutdown, so the next command must run redb's recovery, which writes to
//! the file. On a read-only file system, or without write permission, this module holds those
//! writes in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use redb::{Builder, Database, StorageBackend};

use super::file::CACHE_BYTES;
use crate::store::StoreError;
use crate::store::error::Outdated;
use crate::util::clock;

/// The granularity of changes, in bytes.
const PAGE: u64 = 4096;
/// Maximum bytes that recovery may change. Recovery writes the header and the page allocation.
const MAX_CHANGED_BYTES: u64 = 64 << 20;
/// Granularity of file times. A file changed more recently may change again without new times.
const MTIME_GRANULARITY: Duration = Duration::from_millis(20);
/// Maximum waits of [`MTIME_GRANULARITY`] for a file that is being written.
const MAX_WAITS: usize = 10;

/// Opens a store file and holds the changes of the recovery in memory.
///
/// After another process has written to the file, every read fails with [`Outdated`].
///
/// # Errors
///
/// Returns [`StoreError`] if the file cannot be read, is corrupted, or is being written.
pub(super) fn open(file: File) -> Result<Database, StoreError> {
    let overlay = Overlay::new(file)?;
    Ok(Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(overlay)?)
}

/// A read-only file and the changes to it in memory.
#[derive(Debug)]
struct Overlay {
    file: File,
    /// The state of the file when it was opened.
    opened: FileState,
    changes: Mutex<OverlayState>,
}

#[derive(Debug)]
struct OverlayState {
    length: u64,
    /// Length of the prefix of the file that is still valid.
    base_length: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

/// The size and times of a file, which change with its content.
#[derive(Debug, PartialEq, Eq)]
struct FileState {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(file: &File) -> io::Result<Self> {
        let status = file.metadata()?;
        Ok(Self {
            size: status.size(),
            modified: (status.mtime(), status.mtime_nsec()),
            changed: (status.ctime(), status.ctime_nsec()),
        })
    }
}

/// Waits until the times of a file are old enough to detect later changes; returns its state.
///
/// # Errors
///
/// Returns [`Outdated`] if another process keeps writing to the file.
fn stable_state(file: &File) -> io::Result<FileState> {
    for _ in 0..MAX_WAITS {
        let state = FileState::of(file)?;
        let now = clock::since_1970(SystemTime::now());
        let is_young = |(seconds, nanoseconds): (i64, i64)| {
            let (Ok(seconds), Ok(nanoseconds)) = (seconds.try_into(), nanoseconds.try_into())
            else {
                return false;
            };
            // A time in the future comes from another clock.
            now.checked_sub(Duration::new(seconds, nanoseconds))
                .is_some_and(|age| age < MTIME_GRANULARITY)
        };
        if !is_young(state.modified) && !is_young(state.changed) {
            return Ok(state);
        }
        thread::sleep(MTIME_GRANULARITY);
    }
    Err(io::Error::other(Outdated))
}

impl Overlay {
    fn new(file: File) -> io::Result<Self> {
        let opened = stable_state(&file)?;
        let (length, base_length) = (opened.size, opened.size);
        let changes = Mutex::new(OverlayState { length, base_length, pages: BTreeMap::new() });
        Ok(Self { file, opened, changes })
    }

    fn changes(&self) -> MutexGuard<'_, OverlayState> {
        // A panic while the lock is held leaves the changes consistent.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the content of the file itself, and zeros beyond `base_length`.
    fn read_base(&self, base_length: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inside = base_length.saturating_sub(offset).min(out.len() as u64);
        let (inside, beyond) = out.split_at_mut(usize::try_from(inside).unwrap_or(usize::MAX));
        self.file.read_exact_at(inside, offset)?;
        beyond.fill(0);
        if FileState::of(&self.file)? == self.opened {
            Ok(())
        } else {
            Err(io::Error::other(Outdated))
        }
    }
}

impl OverlayState {
    fn check(&self, offset: u64, length: usize) -> io::Result<()> {
        let end = offset.checked_add(length as u64);
        let is_inside = end.is_some_and(|end| end <= self.length);
        if is_inside { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Splits a range at page boundaries. Each part is a page, the offset in the page, and the part
/// of the range.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let inside = (at % PAGE) as usize;
        let part = (PAGE as usize - inside).min(length - done);
        let range = done..done + part;
        done += part;
        (part > 0).then_some((at / PAGE, inside, range))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changes().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes();
        changes.check(offset, out.len())?;
        self.read_base(changes.base_length, offset, out)?;
        for (page, inside, range) in parts(offset, out.len()) {
            if let Some(changed) = changes.pages.get(&page) {
                let length = range.len();
                out[range].copy_from_slice(&changed[inside..inside + length]);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut changes = self.changes();
        changes.base_length = changes.base_length.min(length);
        changes.length = length;
        let page_count = length.div_ceil(PAGE);
        changes.pages.retain(|page, _| *page < page_count);
        let rest = (length % PAGE) as usize;
        if rest > 0
            && let Some(last) = changes.pages.get_mut(&(length / PAGE))
        {
            last[rest..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = self.changes();
        changes.check(offset, data.len())?;
        for (page, inside, range) in parts(offset, data.len()) {
            if !changes.pages.contains_key(&page) {
                if changes.pages.len() as u64 * PAGE >= MAX_CHANGED_BYTES {
                    return Err(io::Error::other("recovery needs too much memory"));
                }
                let mut content = vec![0; PAGE as usize];
                self.read_base(changes.base_length, page * PAGE, &mut content)?;
                changes.pages.insert(page, content);
            }
            let length = range.len();
            if let Some(changed) = changes.pages.get_mut(&page) {
                changed[inside..inside + length].copy_from_slice(&data[range]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn overlay(content: &[u8]) -> (tempfile::NamedTempFile, Overlay) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let overlay = Overlay::new(file.reopen().unwrap()).unwrap();
        (file, overlay)
    }

    fn content(overlay: &Overlay) -> Vec<u8> {
        let mut all = vec![1; usize::try_from(overlay.len().unwrap()).unwrap()];
        overlay.read(0, &mut all).unwrap();
        all
    }

    #[test]
    fn writes_are_read_back_and_the_file_is_unchanged() {
        let base: Vec<u8> = (0..10_000_u32).map(|number| (number % 251) as u8).collect();
        let (file, overlay) = overlay(&base);
        let mut expected = base.clone();
        assert_eq!(content(&overlay), expected);
        overlay.write(4000, &[7; 5000]).unwrap();
        expected[4000..9000].fill(7);
        assert_eq!(content(&overlay), expected);
        assert!(overlay.write(9_999, &[1, 2]).is_err(), "beyond the end");
        // Truncated content must not reappear.
        overlay.set_len(8_500).unwrap();
        overlay.set_len(12_000).unwrap();
        expected.truncate(8_500);
        expected.resize(12_000, 0);
        assert_eq!(content(&overlay), expected);
        assert_eq!(std::fs::read(file.path()).unwrap(), base);
    }

    #[test]
    fn read_fails_after_another_process_has_written() {
        let (mut file, overlay) = overlay(&[5; 5000]);
        file.write_all(b"more").unwrap();
        let error = overlay.read(0, &mut [0; 10]).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
    }

    #[test]
    fn file_that_is_being_written_is_not_opened() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let reader = file.reopen().unwrap();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let writer = thread::spawn(move || {
            while stopped.try_recv().is_err() {
                file.write_all(b"more").unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            file
        });
        thread::sleep(MTIME_GRANULARITY);
        let error = Overlay::new(reader.try_clone().unwrap()).unwrap_err();
        stop.send(()).unwrap();
        let _file = writer.join().unwrap();
        assert!(crate::store::error::is_outdated(&error), "{error}");
        assert!(Overlay::new(reader).is_ok(), "the writer has stopped");
    }
}
