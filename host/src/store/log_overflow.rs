//! What is logged beyond what a record holds: a file for each such run, an entry a line.
//!
//! Lines are written as they come and handed to the system about once a second; they are not
//! forced to the disk. A run that was killed leaves a file that ends in the middle of a line at
//! worst.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::StoreError;
use crate::model::outcome::LogEntry;
use crate::model::run_record::RunId;
use crate::util::private_dir::{DataDir, FileId};

/// The private directory of these files.
const DIRECTORY: &str = "logs";
/// How large one may be, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Returns what a record calls the file of a run: its place in the data directory.
fn reference(id: RunId) -> String {
    format!("{DIRECTORY}/{}", name(id))
}

fn name(id: RunId) -> String {
    format!("{id}.jsonl")
}

/// Writes the file of one run. Clones write to the same.
#[derive(Clone)]
pub(crate) struct OverflowWriter(Arc<Mutex<Writing>>);

struct Writing {
    data: DataDir,
    id: RunId,
    state: State,
    /// How many entries were added and then could not be handed to the system.
    lost: u64,
}

enum State {
    /// Nothing was written.
    Unused,
    /// It is being written.
    Open(OpenLog),
    /// It is full, or could not be written: nothing is added.
    Closed {
        /// Whether there is a file.
        is_there: bool,
    },
}

struct OpenLog {
    file: BufWriter<File>,
    id: FileId,
    path: PathBuf,
    /// How many bytes may still be added.
    left: u64,
    /// How many entries were added.
    added: u64,
}

impl OpenLog {
    fn create(data: &DataDir, id: RunId) -> Result<Self, StoreError> {
        let directory = data.create(DIRECTORY)?;
        let name = name(id);
        let file = directory.open_or_create(&name)?;
        let (id, path) = (FileId::of(&file)?, directory.path().join(name));
        Ok(Self { file: BufWriter::new(file), id, path, left: MAX_FILE, added: 0 })
    }

    /// Adds a line. Before the buffer is handed to the system, looks whether the file is there.
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

    /// Returns whether its path still leads to it: what is written to a removed file is lost.
    fn is_in_place(&self) -> bool {
        self.id.is_at(&self.path)
    }
}

impl OverflowWriter {
    /// Returns the writer of a run. Nothing is made before there is an entry.
    pub(crate) fn new(data: &DataDir, id: RunId) -> Self {
        Self(Arc::new(Mutex::new(Writing {
            data: data.clone(),
            id,
            state: State::Unused,
            lost: 0,
        })))
    }

    /// Adds an entry, and returns whether there was room for it. Once there was none, there
    /// never is: the file is the beginning of what was said. What is added may still be lost,
    /// which [`Self::finish`] tells.
    pub(crate) fn add(&self, entry: &LogEntry) -> bool {
        self.writing().add(entry)
    }

    /// Hands all that was written to the system.
    pub(crate) fn flush(&self) {
        self.writing().flush();
    }

    /// Hands all that was written to the system, and returns what became of it.
    pub(crate) fn finish(&self) -> OverflowSummary {
        let mut writing = self.writing();
        writing.flush();
        let is_there = match writing.state {
            State::Unused => false,
            State::Open(_) => true,
            State::Closed { is_there } => is_there,
        };
        OverflowSummary { reference: is_there.then(|| reference(writing.id)), lost: writing.lost }
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        // Nothing that holds the lock can leave it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of the log that a record has no room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OverflowSummary {
    /// What the record calls the file, if there is one.
    pub(crate) reference: Option<String>,
    /// How many entries are not in it, or not as a whole, though there was room for them.
    pub(crate) lost: u64,
}

impl Writing {
    fn add(&mut self, entry: &LogEntry) -> bool {
        let Ok(mut line) = serde_json::to_vec(entry) else { return false };
        line.push(b'\n');
        if matches!(self.state, State::Unused) {
            self.state = match OpenLog::create(&self.data, self.id) {
                Ok(log) => State::Open(log),
                Err(_) => State::Closed { is_there: false },
            };
        }
        let State::Open(log) = &mut self.state else { return false };
        let added = log.add(&line);
        if added.is_none() {
            self.close();
        }
        added.is_some()
    }

    fn flush(&mut self) {
        if let State::Open(log) = &mut self.state
            && log.flush().is_none()
        {
            self.close();
        }
    }

    /// Hands over what can be, and counts the rest, which is not tried again: what was said to
    /// be lost must not turn up. With its file all is lost.
    fn close(&mut self) {
        let closed = State::Closed { is_there: false };
        if let State::Open(mut log) = std::mem::replace(&mut self.state, closed) {
            if !log.is_in_place() {
                self.lost += log.added;
                // Else the writer would hand over the rest when it is dropped.
                drop(log.file.into_parts());
                return;
            }
            self.state = State::Closed { is_there: true };
            log.file.flush().ok();
            let (_, rest) = log.file.into_parts();
            // An entry is a line; one is lost also where only its end is.
            let rest = rest.unwrap_or_default();
            self.lost += rest.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
    }
}

/// Returns what a record would call the file of a run, if there is one.
///
/// # Errors
///
/// Returns [`StoreError`] if that cannot be found out.
pub(super) fn find(data: &DataDir, id: RunId) -> Result<Option<String>, StoreError> {
    Ok(open(data, id)?.map(|_| reference(id)))
}

/// Opens the file of a run; `None` if there is none.
///
/// # Errors
///
/// Returns [`StoreError`] if it cannot be opened.
pub(super) fn read(data: &DataDir, id: RunId) -> Result<Option<LogFile>, StoreError> {
    let file = open(data, id)?;
    Ok(file.map(|file| LogFile { id, lines: BufReader::new(file), line: Vec::new(), count: 0 }))
}

/// Returns how many files there are.
///
/// # Errors
///
/// Returns [`StoreError`] if they cannot be looked at.
pub(super) fn count(data: &DataDir) -> Result<usize, StoreError> {
    let directory = data.open(DIRECTORY)?;
    Ok(directory.map_or(Ok(0), |directory| directory.names().map(|names| names.len()))?)
}

/// Removes the file of a run, if there is one.
///
/// # Errors
///
/// Returns [`StoreError`] if that cannot be.
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

/// The part of a log that a record has no room for, in order.
///
/// While the run goes on there may be more after the end: then the iterator goes on, too.
#[derive(Debug)]
pub struct LogFile {
    id: RunId,
    lines: BufReader<File>,
    /// A line of which the end is not there yet.
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
    fn v2_what_is_written_is_read_as_far_as_it_is_there() {
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
        // A process that is killed may leave half a line, and a disk may spoil one.
        let path = scratch.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}no entry\n{}", &text[..20])).unwrap();
        let all: Vec<_> = read(&data, id).unwrap().unwrap().collect();
        assert_eq!(all.len(), 4);
        let told = all[3].as_ref().unwrap_err().to_string();
        assert!(told.contains(&format!("logs/{id}.jsonl, line 4")), "{told}");
        remove(&data, id).unwrap();
        remove(&data, id).unwrap();
        assert!(read(&data, id).unwrap().is_none());
    }

    #[test]
    fn v2_a_full_file_stays_full() {
        let scratch = tempfile::tempdir().unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        let large = entry(&"x".repeat(1 << 20));
        let kept = (0..70).filter(|_| writer.add(&large)).count();
        assert_eq!(kept, 63);
        assert!(!writer.add(&entry("small")), "it would stand after a gap");
        let file = scratch.path().join(writer.finish().reference.unwrap());
        assert!(fs::metadata(file).unwrap().len() <= MAX_FILE);
        assert_eq!(writer.finish().lost, 0, "what had no room was told when it came");
    }

    #[test]
    fn v2_what_cannot_be_written_is_counted_as_lost() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("logs"), "no directory").unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        assert!(!writer.add(&entry("a")));
        assert_eq!(writer.finish(), OverflowSummary::default());
    }

    /// Returns a writer whose file takes nothing, and the data directory that it is not in.
    fn on_a_full_disk() -> (tempfile::TempDir, OverflowWriter) {
        let scratch = tempfile::tempdir().unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (id, path) = (FileId::of(&full).unwrap(), "/dev/full".into());
        let file = BufWriter::new(full);
        writer.writing().state = State::Open(OpenLog { file, id, path, left: MAX_FILE, added: 0 });
        (scratch, writer)
    }

    #[test]
    fn v2_what_was_added_and_cannot_be_handed_over_is_counted_as_lost() {
        let (_scratch, writer) = on_a_full_disk();
        assert!(writer.add(&entry("a\n")) && writer.add(&entry("b")));
        writer.flush();
        assert!(!writer.add(&entry("c")), "it would stand after a gap");
        assert_eq!(writer.finish().lost, 2);
        assert_eq!(writer.finish().lost, 2, "they are lost once");
        assert!(writer.finish().reference.is_some());
    }

    #[test]
    fn v2_with_a_file_that_is_removed_all_its_entries_are_lost_and_nothing_more_is_written() {
        let scratch = tempfile::tempdir().unwrap();
        let writer = OverflowWriter::new(&DataDir::new(scratch.path()), RunId::new());
        assert!(writer.add(&entry("a")));
        writer.flush();
        let path = scratch.path().join(writer.finish().reference.unwrap());
        let removed = File::open(&path).unwrap();
        let before = removed.metadata().unwrap().len();
        assert!(writer.add(&entry("b")));
        fs::remove_file(&path).unwrap();
        // Another file in its place is another one.
        fs::write(&path, "").unwrap();
        writer.flush();
        assert!(!writer.add(&entry("c")));
        assert_eq!(writer.finish(), OverflowSummary { reference: None, lost: 2 });
        assert_eq!(removed.metadata().unwrap().len(), before);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn v2_an_entry_is_lost_in_one_way_where_the_buffer_is_full() {
        let (_scratch, writer) = on_a_full_disk();
        let added = (0..1000).filter(|_| writer.add(&entry("x"))).count();
        assert!((10..1000).contains(&added), "{added}");
        assert_eq!(writer.finish().lost, added as u64);
    }
}
