//! Log entries that exceed the log limit of a run record: one JSON Lines file per run.
//!
//! Entries are buffered and flushed to the operating system about once a second, without a sync
//! to disk. The file of a killed run may end in the middle of a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::StoreError;
use crate::model::outcome::LogEntry;
use crate::model::run_record::RunId;
use crate::util::private_dir::{DataDir, FileId};

/// The private directory of the files, in the data directory.
const DIRECTORY: &str = "logs";
/// Maximum size of a file, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Returns the path of the file of a run, relative to the data directory.
fn reference(id: RunId) -> String {
    format!("{DIRECTORY}/{}", name(id))
}

fn name(id: RunId) -> String {
    format!("{id}.jsonl")
}

/// Writer of the overflow file of a run. Clones share the file.
#[derive(Clone)]
pub(crate) struct OverflowWriter(Arc<Mutex<WriterState>>);

struct WriterState {
    data: DataDir,
    id: RunId,
    file: FileState,
    /// Number of entries that were added but could not be flushed.
    lost: u64,
}

enum FileState {
    /// No entry was added yet.
    Unused,
    /// The file is open.
    Open(OpenLog),
    /// The file is full or could not be written. No more entries are added.
    Closed {
        /// Whether the file exists.
        exists: bool,
    },
}

struct OpenLog {
    file: BufWriter<File>,
    id: FileId,
    path: PathBuf,
    /// Bytes that can still be added.
    left: u64,
    /// Number of added entries.
    added: u64,
}

impl OpenLog {
    fn create(data: &DataDir, id: RunId) -> Result<Self, StoreError> {
        let directory = data.create(DIRECTORY)?;
        let name = name(id);
        let file = directory.open_or_create(&name)?;
        let (id, path) = (FileId::of(&file)?, directory.path().join(name));
        Ok(Self { file: BufWriter::new(file), id, path, left: MAX_FILE_BYTES, added: 0 })
    }

    /// Adds a line. Before the buffer is flushed, checks that the file was not removed.
    fn add(&mut self, line: &[u8]) -> Option<()> {
        let left = self.left.checked_sub(line.len() as u64)?;
        let spills = self.file.buffer().len() + line.len() > self.file.capacity();
        if spills && !self.is_in_place() {
            return None;
        }
        self.file.write_all(line).ok()?;
        (self.left, self.added) = (left, self.added + 1);
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        if !self.is_in_place() {
            return None;
        }
        self.file.flush().ok()
    }

    /// Returns whether the file is still at its path. Writes to a removed file would be lost.
    fn is_in_place(&self) -> bool {
        self.id.is_at(&self.path)
    }
}

impl OverflowWriter {
    /// Returns the writer of a run. The first entry creates the file.
    pub(crate) fn new(data: &DataDir, id: RunId) -> Self {
        Self(Arc::new(Mutex::new(WriterState {
            data: data.clone(),
            id,
            file: FileState::Unused,
            lost: 0,
        })))
    }

    /// Adds an entry. Returns `false` if the file is full or was not writable.
    ///
    /// After the first `false` no more entries are added, so the file has no gaps. An added
    /// entry may still be lost, which [`Self::finish`] reports.
    pub(crate) fn add(&self, entry: &LogEntry) -> bool {
        self.state().add(entry)
    }

    /// Flushes all added entries to the operating system.
    pub(crate) fn flush(&self) {
        self.state().flush();
    }

    /// Flushes all added entries and returns a summary.
    pub(crate) fn finish(&self) -> OverflowSummary {
        let mut state = self.state();
        state.flush();
        let exists = match state.file {
            FileState::Unused => false,
            FileState::Open(_) => true,
            FileState::Closed { exists } => exists,
        };
        OverflowSummary { reference: exists.then(|| reference(state.id)), lost: state.lost }
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        // A panic while the lock is held leaves the state consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Result of writing the overflow log of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OverflowSummary {
    /// The path of the file relative to the data directory; `None` if no file exists.
    pub(crate) reference: Option<String>,
    /// Number of added entries that are missing or incomplete in the file.
    pub(crate) lost: u64,
}

impl WriterState {
    fn add(&mut self, entry: &LogEntry) -> bool {
        let Ok(mut line) = serde_json::to_vec(entry) else { return false };
        line.push(b'\n');
        if matches!(self.file, FileState::Unused) {
            self.file = match OpenLog::create(&self.data, self.id) {
                Ok(log) => FileState::Open(log),
                Err(_) => FileState::Closed { exists: false },
            };
        }
        let FileState::Open(log) = &mut self.file else { return false };
        let added = log.add(&line);
        if added.is_none() {
            self.close();
        }
        added.is_some()
    }

    fn flush(&mut self) {
        if let FileState::Open(log) = &mut self.file
            && log.flush().is_none()
        {
            self.close();
        }
    }

    /// Flushes once more, counts the entries that remain in the buffer as lost, and discards them.
    ///
    /// Entries that were counted as lost must not appear in the file later. If the file was
    /// removed, all its entries count as lost.
    fn close(&mut self) {
        let closed = FileState::Closed { exists: false };
        if let FileState::Open(mut log) = std::mem::replace(&mut self.file, closed) {
            if !log.is_in_place() {
                self.lost += log.added;
                // Dropping the `BufWriter` itself would flush the buffer.
                drop(log.file.into_parts());
                return;
            }
            self.file = FileState::Closed { exists: true };
            log.file.flush().ok();
            let (_, rest) = log.file.into_parts();
            // Every entry ends with a newline, so an incomplete entry counts as lost too.
            let rest = rest.unwrap_or_default();
            self.lost += rest.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
    }
}

/// Returns the path of the file of a run relative to the data directory; `None` if it has none.
///
/// # Errors
///
/// Returns [`StoreError`] if the file cannot be opened.
pub(super) fn find(data: &DataDir, id: RunId) -> Result<Option<String>, StoreError> {
    Ok(open(data, id)?.map(|_| reference(id)))
}

/// Opens the file of a run; `None` if the run has none.
///
/// # Errors
///
/// Returns [`StoreError`] if the file cannot be opened.
pub(super) fn read(data: &DataDir, id: RunId) -> Result<Option<LogFile>, StoreError> {
    let file = open(data, id)?;
    Ok(file.map(|file| LogFile { id, lines: BufReader::new(file), line: Vec::new(), count: 0 }))
}

/// Returns the number of files.
///
/// # Errors
///
/// Returns [`StoreError`] if the directory cannot be read.
pub(super) fn count(data: &DataDir) -> Result<usize, StoreError> {
    let directory = data.open(DIRECTORY)?;
    Ok(directory.map_or(Ok(0), |directory| directory.names().map(|names| names.len()))?)
}

/// Returns the runs whose files were not written for at least this time.
///
/// # Errors
///
/// Returns [`StoreError`] if the directory cannot be read.
pub(super) fn older_than(data: &DataDir, age: Duration) -> Result<Vec<RunId>, StoreError> {
    let Some(directory) = data.open(DIRECTORY)? else { return Ok(Vec::new()) };
    let mut runs = Vec::new();
    for name in directory.names()? {
        let Some(id) = name.strip_suffix(".jsonl").and_then(|id| id.parse().ok()) else { continue };
        let Some(file) = directory.open_file(&name)? else { continue };
        if file.metadata()?.modified()?.elapsed().is_ok_and(|elapsed| elapsed >= age) {
            runs.push(id);
        }
    }
    Ok(runs)
}

/// Removes the file of a run if it exists.
///
/// # Errors
///
/// Returns [`StoreError`] if the file cannot be removed.
pub(super) fn remove(data: &DataDir, id: RunId) -> Result<(), StoreError> {
    let directory = data.open(DIRECTORY)?;
    Ok(directory.map_or(Ok(()), |directory| directory.remove(&name(id)))?)
}

fn open(data: &DataDir, id: RunId) -> Result<Option<File>, StoreError> {
    let Some(directory) = data.open(DIRECTORY)? else {
        return Ok(None);
    };
    Ok(directory.open_file(&name(id))?)
}

/// Iterator over the log entries of a run that exceed its record, in order.
///
/// While the run is running, the iterator can return more entries after it has returned `None`.
#[derive(Debug)]
pub struct LogFile {
    id: RunId,
    lines: BufReader<File>,
    /// An incomplete line at the current end of the file.
    line: Vec<u8>,
    count: u64,
}

impl LogFile {
    fn entry(&mut self) -> Result<Option<LogEntry>, StoreError> {
        self.lines.read_until(b'\n', &mut self.line)?;
        if !self.line.ends_with(b"\n") {
            return Ok(None);
        }
        self.count += 1;
        let entry = serde_json::from_slice(&self.line);
        self.line.clear();
        entry.map(Some).map_err(|error| StoreError::Corrupted {
            key: format!("{}, line {}", reference(self.id), self.count),
            what: error.to_string(),
        })
    }
}

impl Iterator for LogFile {
    type Item = Result<LogEntry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entry().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::outcome::{LogLevel, LogSource};

    fn entry(message: &str) -> LogEntry {
        LogEntry {
            timestamp: chrono::Utc::now(),
            level: LogLevel::Info,
            message: message.to_owned(),
            data: None,
            source: LogSource::Guest,
        }
    }

    fn messages(file: &mut LogFile) -> Vec<String> {
        file.map(|entry| entry.unwrap().message).collect()
    }

    #[test]
    fn complete_entries_are_read_back() {
        let scratch = tempfile::tempdir().unwrap();
        let (data, id) = (DataDir::new(scratch.path()), RunId::new());
        let writer = OverflowWriter::new(&data, id);
        assert_eq!((writer.finish().reference, find(&data, id).unwrap()), (None, None));
        assert!(writer.add(&entry("a")) && writer.add(&entry("b")));
        writer.flush();
        let mut file = read(&data, id).unwrap().unwrap();
        assert_eq!(messages(&mut file), ["a", "b"]);
        assert!(writer.add(&entry("c")));
        let name = writer.finish().reference.unwrap();
        assert_eq!(name, format!("logs/{id}.jsonl"));
        assert_eq!(find(&data, id).unwrap().as_ref(), Some(&name));
        assert_eq!(messages(&mut file), ["c"]);
        // A killed process may leave half a line, and a disk may corrupt one.
        let path = scratch.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}no entry\n{}", &text[..20])).unwrap();
        let all: Vec<_> = read(&data, id).unwrap().unwrap().collect();
        assert_eq!(all.len(), 4);
        let error = all[3].as_ref().unwrap_err().to_string();
        assert!(error.contains(&format!("logs/{id}.jsonl, line 4")), "{error}");
        remove(&data, id).unwrap();
        remove(&data, id).unwrap();
        assert!(read(&data, id).unwrap().is_none());
    }

    #[test]
    fn full_file_accepts_no_smaller_entry() {
        let scratch = tempfile::tempdir().unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        let large = entry(&"x".repeat(1 << 20));
        let added = (0..70).filter(|_| writer.add(&large)).count();
        assert_eq!(added, 63);
        assert!(!writer.add(&entry("small")), "the file would have a gap");
        let file = scratch.path().join(writer.finish().reference.unwrap());
        assert!(fs::metadata(file).unwrap().len() <= MAX_FILE_BYTES);
        assert_eq!(writer.finish().lost, 0, "rejected entries are not counted as lost");
    }

    #[test]
    fn entry_is_rejected_if_the_file_cannot_be_created() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("logs"), "no directory").unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        assert!(!writer.add(&entry("a")));
        assert_eq!(writer.finish(), OverflowSummary::default());
    }

    /// Returns a writer to a full disk, and an unrelated data directory.
    fn on_a_full_disk() -> (tempfile::TempDir, OverflowWriter) {
        let scratch = tempfile::tempdir().unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (id, path) = (FileId::of(&full).unwrap(), "/dev/full".into());
        let file = BufWriter::new(full);
        writer.state().file =
            FileState::Open(OpenLog { file, id, path, left: MAX_FILE_BYTES, added: 0 });
        (scratch, writer)
    }

    #[test]
    fn entries_that_cannot_be_flushed_are_counted_as_lost() {
        let (_scratch, writer) = on_a_full_disk();
        assert!(writer.add(&entry("a\n")) && writer.add(&entry("b")));
        writer.flush();
        assert!(!writer.add(&entry("c")), "the file would have a gap");
        assert_eq!(writer.finish().lost, 2);
        assert_eq!(writer.finish().lost, 2, "lost entries are counted once");
        assert!(writer.finish().reference.is_some());
    }

    #[test]
    fn all_entries_are_lost_if_the_file_is_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        assert!(writer.add(&entry("a")));
        writer.flush();
        let path = scratch.path().join(writer.finish().reference.unwrap());
        let removed = File::open(&path).unwrap();
        let before = removed.metadata().unwrap().len();
        assert!(writer.add(&entry("b")));
        fs::remove_file(&path).unwrap();
        // A new file at the same path does not replace the removed one.
        fs::write(&path, "").unwrap();
        writer.flush();
        assert!(!writer.add(&entry("c")));
        assert_eq!(writer.finish(), OverflowSummary { reference: None, lost: 2 });
        assert_eq!(removed.metadata().unwrap().len(), before);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn entry_is_either_rejected_or_lost_if_the_buffer_is_full() {
        let (_scratch, writer) = on_a_full_disk();
        let added = (0..1000).filter(|_| writer.add(&entry("x"))).count();
        assert!((10..1000).contains(&added), "{added}");
        assert_eq!(writer.finish().lost, added as u64);
    }
}
