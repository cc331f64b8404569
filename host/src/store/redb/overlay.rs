//! Reads a store that needs recovery and cannot be written: it is recovered in memory.
//!
//! Commands leave the store without a clean shutdown, so the next one has to recover it, which
//! writes. On a read-only file system, or without write permission, those writes stay here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use redb::{Builder, Database, StorageBackend};

use super::file::CACHE;
use crate::store::StoreError;
use crate::util::clock;

/// The unit in which changes are kept, in bytes.
const PAGE: u64 = 4096;
/// The most bytes that recovery may change. It writes the header and which pages are free.
const MAX_CHANGED: u64 = 64 << 20;
/// A file that was changed this shortly before it was opened may change again without a change
/// of its times: clocks of file systems are coarse.
const RACY: Duration = Duration::from_millis(20);
/// How often it is waited that long for a file that is being written.
const PAUSES: usize = 10;

/// Opens the store in a file, and keeps in memory what recovery changes.
///
/// Every read fails once another process writes to the file: that one has recovered it.
///
/// # Errors
///
/// Returns [`StoreError`] if the file cannot be read, is corrupted or being written.
pub(super) fn open(file: File) -> Result<Database, StoreError> {
    let overlay = Overlay::new(file)?;
    Ok(Builder::new().set_cache_size(CACHE).create_with_backend(overlay)?)
}

/// A file that is never written, and what would have been written to it.
#[derive(Debug)]
struct Overlay {
    file: File,
    /// The file's state when it was opened.
    opened: FileState,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    length: u64,
    /// How much of the file's own content still counts.
    base: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

/// What the system says of a file: another content has another state.
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

/// Returns the state of a file once it is sure that another content would have another one.
///
/// # Errors
///
/// Returns [`Outdated`] if somebody goes on writing to it.
fn settled(file: &File) -> io::Result<FileState> {
    for _ in 0..PAUSES {
        let state = FileState::of(file)?;
        let now = clock::since_1970(SystemTime::now());
        let is_young = |(seconds, nanoseconds): (i64, i64)| {
            let (Ok(seconds), Ok(nanoseconds)) = (seconds.try_into(), nanoseconds.try_into())
            else {
                return false;
            };
            // A time in the future is another clock's.
            now.checked_sub(Duration::new(seconds, nanoseconds)).is_some_and(|age| age < RACY)
        };
        if !is_young(state.modified) && !is_young(state.changed) {
            return Ok(state);
        }
        thread::sleep(RACY);
    }
    Err(io::Error::other(Outdated))
}

/// Another process writes to the file.
#[derive(Debug, thiserror::Error)]
#[error("another process has written to it meanwhile")]
pub(crate) struct Outdated;

/// Returns whether an error is [`Outdated`]: the file may be read anew.
pub(crate) fn is_outdated(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Outdated>())
}

impl Overlay {
    fn new(file: File) -> io::Result<Self> {
        let opened = settled(&file)?;
        let (length, base) = (opened.size, opened.size);
        let changes = Mutex::new(Changes { length, base, pages: BTreeMap::new() });
        Ok(Self { file, opened, changes })
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        // Nothing that holds the lock can leave it half written.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file's own content; zeros are behind its end.
    fn read_base(&self, base: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inside = base.saturating_sub(offset).min(out.len() as u64);
        let (inside, behind) = out.split_at_mut(usize::try_from(inside).unwrap_or(usize::MAX));
        self.file.read_exact_at(inside, offset)?;
        behind.fill(0);
        if FileState::of(&self.file)? == self.opened {
            Ok(())
        } else {
            Err(io::Error::other(Outdated))
        }
    }
}

impl Changes {
    fn check(&self, offset: u64, length: usize) -> io::Result<()> {
        let end = offset.checked_add(length as u64);
        let is_inside = end.is_some_and(|end| end <= self.length);
        if is_inside { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Returns the parts of a range that lie in one page each: the page, where in it the part
/// begins, and the part's place in the range.
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
        self.read_base(changes.base, offset, out)?;
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
        changes.base = changes.base.min(length);
        changes.length = length;
        let kept = length.div_ceil(PAGE);
        changes.pages.retain(|page, _| *page < kept);
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
                if changes.pages.len() as u64 * PAGE >= MAX_CHANGED {
                    return Err(io::Error::other("its recovery takes too much memory"));
                }
                let mut content = vec![0; PAGE as usize];
                self.read_base(changes.base, page * PAGE, &mut content)?;
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
    fn what_is_written_is_read_and_the_file_stays_as_it_was() {
        let base: Vec<u8> = (0..10_000_u32).map(|number| (number % 251) as u8).collect();
        let (file, overlay) = overlay(&base);
        let mut expected = base.clone();
        assert_eq!(content(&overlay), expected);
        overlay.write(4000, &[7; 5000]).unwrap();
        expected[4000..9000].fill(7);
        assert_eq!(content(&overlay), expected);
        assert!(overlay.write(9_999, &[1, 2]).is_err(), "behind the end");
        // What is cut off does not come back.
        overlay.set_len(8_500).unwrap();
        overlay.set_len(12_000).unwrap();
        expected.truncate(8_500);
        expected.resize(12_000, 0);
        assert_eq!(content(&overlay), expected);
        assert_eq!(std::fs::read(file.path()).unwrap(), base);
    }

    #[test]
    fn once_another_process_writes_to_the_file_nothing_is_read() {
        let (mut file, overlay) = overlay(&[5; 5000]);
        file.write_all(b"more").unwrap();
        let error = overlay.read(0, &mut [0; 10]).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
    }

    #[test]
    fn a_file_that_somebody_goes_on_writing_to_is_not_read() {
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
        thread::sleep(RACY);
        let error = Overlay::new(reader.try_clone().unwrap()).unwrap_err();
        stop.send(()).unwrap();
        let _file = writer.join().unwrap();
        assert!(is_outdated(&error), "{error}");
        assert!(Overlay::new(reader).is_ok(), "it is quiet");
    }
}
