//! What a run leaves behind while it runs: log, item errors, progress, all bounded.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::text::{self, MAX_TEXT};
use crate::run::{Event, ItemError, LogEntry, LogLevel, LogSource, Progress, Trail};
use chrono::Utc;

/// The longest message of a progress report, in bytes.
const MAX_PROGRESS_MESSAGE: usize = 1 << 10;
/// What an entry costs besides its text: a flood of empty entries is a flood too.
const ENTRY_COST: usize = 64;
/// The most item errors that are kept.
const MAX_ITEM_ERRORS: usize = 10_000;
/// The most bytes of item errors that are kept.
const MAX_ITEM_ERROR_BYTES: usize = 1 << 20;

/// Someone who wants to know what a guest says while it runs.
///
/// Called on the thread that runs the guest, between two of its instructions, so it
/// should be quick.
#[derive(Clone)]
pub(crate) struct Observer(Arc<dyn Fn(Event<'_>) + Send + Sync>);

impl Observer {
    pub(crate) fn new(observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// Shared by the imports that write to it and the run that reads it at the end.
#[derive(Clone)]
pub(super) struct Journal(Arc<Mutex<Pages>>);

struct Pages {
    trail: Trail,
    log_budget: usize,
    item_error_budget: usize,
    observer: Option<Observer>,
}

impl Journal {
    /// Returns an empty journal that keeps at most `log` bytes of log.
    pub(super) fn new(log: u64, observer: Option<Observer>) -> Self {
        Self(Arc::new(Mutex::new(Pages {
            trail: Trail::default(),
            log_budget: usize::try_from(log).unwrap_or(usize::MAX),
            item_error_budget: MAX_ITEM_ERROR_BYTES,
            observer,
        })))
    }

    /// Adds an entry to the log. A `data` that is not JSON is kept as text.
    pub(super) fn log(
        &self,
        level: LogLevel,
        source: LogSource,
        message: String,
        data: Option<&str>,
    ) {
        let entry = LogEntry {
            timestamp: Utc::now(),
            level,
            message: text::cut(message, MAX_TEXT),
            data: data.map(text::data),
            source,
        };
        let observer = self.pages().add_entry(&entry, data.map_or(0, str::len));
        if let Some(Observer(observe)) = observer {
            observe(Event::Log(&entry));
        }
    }

    /// Adds an error of one item. An `item` that is not JSON is kept as text.
    pub(super) fn item_error(
        &self,
        index: u64,
        item: &str,
        error: String,
        traceback: Option<String>,
    ) {
        let cost =
            ENTRY_COST + item.len() + error.len() + traceback.as_ref().map_or(0, String::len);
        let mut pages = self.pages();
        let full = pages.trail.item_errors.len() >= MAX_ITEM_ERRORS;
        match pages.item_error_budget.checked_sub(cost).filter(|_| !full) {
            Some(left) => {
                pages.item_error_budget = left;
                let error = ItemError { index, item: text::data(item), error, traceback };
                pages.trail.item_errors.push(error);
            }
            None => pages.trail.item_errors_dropped += 1,
        }
    }

    /// Passes on how far the run is.
    pub(super) fn progress(&self, done: u64, total: Option<u64>, message: Option<String>) {
        let observer = self.pages().observer.clone();
        if let Some(Observer(observe)) = observer {
            let message = message.map(|message| text::cut(message, MAX_PROGRESS_MESSAGE));
            observe(Event::Progress(&Progress { done, total, message }));
        }
    }

    /// Takes what was written.
    pub(super) fn take(&self) -> Trail {
        std::mem::take(&mut self.pages().trail)
    }

    /// Nothing that holds the lock can leave it half written, so a poisoned one is as good.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Keeps the entry if there is room, and returns who has to be told if it was kept.
    fn add_entry(&mut self, entry: &LogEntry, data: usize) -> Option<Observer> {
        match self.log_budget.checked_sub(ENTRY_COST + entry.message.len() + data) {
            Some(left) => {
                self.log_budget = left;
                self.trail.log.push(entry.clone());
                self.observer.clone()
            }
            None => {
                self.log_budget = 0;
                self.trail.log_dropped += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(journal: &Journal, message: &str) {
        journal.log(LogLevel::Info, LogSource::Guest, message.to_owned(), None);
    }

    #[test]
    fn a_full_log_keeps_its_beginning_and_counts_the_rest() {
        let journal = Journal::new(3 * (ENTRY_COST as u64 + 5), None);
        for _ in 0..10 {
            write(&journal, "12345");
        }
        let trail = journal.take();
        assert_eq!((trail.log.len(), trail.log_dropped), (3, 7));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let journal = Journal::new(1 << 20, None);
        write(&journal, &"ä".repeat(MAX_TEXT));
        let message = journal.take().log.remove(0).message;
        assert!(message.ends_with("ä [131072 bytes, cut]"), "{}", &message[MAX_TEXT - 10..]);
    }

    #[test]
    fn data_that_is_not_json_is_kept_as_text() {
        let journal = Journal::new(1 << 20, None);
        journal.log(LogLevel::Info, LogSource::Guest, String::new(), Some("{\"a\":1}"));
        journal.log(LogLevel::Info, LogSource::Guest, String::new(), Some("{"));
        let data: Vec<_> = journal.take().log.into_iter().filter_map(|entry| entry.data).collect();
        assert_eq!(data, [serde_json::json!({"a": 1}), serde_json::json!("{")]);
    }

    #[test]
    fn item_errors_are_bounded_in_number_and_bytes() {
        let journal = Journal::new(0, None);
        for index in 0..3 {
            journal.item_error(index, "1", "x".repeat(MAX_ITEM_ERROR_BYTES / 3), None);
        }
        let trail = journal.take();
        assert_eq!((trail.item_errors.len(), trail.item_errors_dropped), (2, 1));
    }
}
