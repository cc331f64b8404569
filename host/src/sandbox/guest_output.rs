//! Output of a guest during an execution: log, item errors and progress, each with a size limit.
//!
//! Entries over a limit are dropped and counted. Stored entries are in order. An [`OverflowSink`]
//! receives the log entries that exceed the limit.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stderr_report::{StderrReport, StderrTail};
use super::text::{MAX_TEXT, memory_size, parse_data};
use crate::model::outcome::{
    Event, ItemError, LogEntry, LogLevel, LogSource, Progress, RunDiagnostics,
};
use crate::util::clock;
use ophost_document::text::truncate_bytes;

/// Maximum size of the message of a progress report, in bytes.
const MAX_PROGRESS_MESSAGE: usize = 1 << 10;
/// Size of an entry besides its text, in bytes. It bounds the number of empty entries.
const ENTRY_OVERHEAD: usize = 64;
/// Maximum number of stored item errors.
const MAX_ITEM_ERRORS: usize = 10_000;
/// Maximum size of all stored item errors, in bytes.
const MAX_ITEM_ERROR_BYTES: usize = 1 << 20;

/// A callback for the log entries and progress reports of a running guest.
///
/// # Blocking
///
/// The callback runs on the thread of the guest, during a host call, and must return quickly.
#[derive(Clone)]
pub(crate) struct Observer(Arc<dyn Fn(Event<'_>) + Send + Sync>);

impl Observer {
    pub(crate) fn new(observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    /// Calls the callback.
    pub(crate) fn notify(&self, event: Event<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// A callback for log entries over the size limit. It returns whether it has stored the entry.
///
/// It is called on the thread of the guest, like an [`Observer`].
#[derive(Clone)]
pub(crate) struct OverflowSink(Arc<dyn Fn(&LogEntry) -> bool + Send + Sync>);

impl OverflowSink {
    pub(crate) fn new(store: impl Fn(&LogEntry) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for OverflowSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OverflowSink")
    }
}

/// What a guest reported before it trapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GuestReport {
    /// The panic message in its last log message.
    Panic(String),
    /// The last lines of its stderr.
    Stderr(StderrReport),
}

/// The output of an execution. Shared by the imports that write it and the run that reads it.
#[derive(Clone)]
pub(crate) struct GuestOutput(Arc<Mutex<GuestOutputInner>>);

struct GuestOutputInner {
    diagnostics: RunDiagnostics,
    /// Bytes left for log entries.
    log_budget: usize,
    /// Bytes left for item errors.
    item_error_budget: usize,
    /// The last log message of the guest, if it is a panic message.
    panic: Option<String>,
    /// The last lines of stderr, since the last log message of the guest.
    stderr: StderrTail,
    observer: Option<Observer>,
    overflow: Option<OverflowSink>,
    /// Whether an entry has gone to the overflow sink. All later entries go there too, which keeps
    /// the order.
    has_overflowed: bool,
}

impl GuestOutput {
    /// Returns an empty output that stores at most `max_log` bytes of log.
    pub(crate) fn new(
        max_log: u64,
        observer: Option<Observer>,
        overflow: Option<OverflowSink>,
    ) -> Self {
        Self(Arc::new(Mutex::new(GuestOutputInner {
            diagnostics: RunDiagnostics::default(),
            log_budget: usize::try_from(max_log).unwrap_or(usize::MAX),
            item_error_budget: MAX_ITEM_ERROR_BYTES,
            panic: None,
            stderr: StderrTail::default(),
            observer,
            overflow,
            has_overflowed: false,
        })))
    }

    /// Adds an entry to the log. `attachment` is stored as JSON, or as a string if it is not JSON.
    pub(crate) fn log(
        &self,
        level: LogLevel,
        source: LogSource,
        message: String,
        attachment: Option<&str>,
    ) {
        let entry = LogEntry {
            timestamp: clock::now(),
            level,
            message: truncate_bytes(message, MAX_TEXT),
            data: attachment.map(parse_data),
            source,
        };
        let observer = self.lock().add_entry(&entry);
        if let Some(Observer(observe)) = observer {
            observe(Event::Log(&entry));
        }
    }

    /// Adds the error of one item. An `item` that is not JSON is stored as a string.
    pub(super) fn item_error(
        &self,
        index: u64,
        item: &str,
        error: String,
        traceback: Option<String>,
    ) {
        let mut inner = self.lock();
        if inner.diagnostics.item_errors.len() >= MAX_ITEM_ERRORS {
            inner.diagnostics.item_errors_dropped += 1;
            return;
        }
        let traceback = traceback.map(|traceback| truncate_bytes(traceback, MAX_TEXT));
        let error = ItemError {
            index,
            item: parse_data(item),
            error: truncate_bytes(error, MAX_TEXT),
            traceback,
        };
        let texts = error.error.len() + error.traceback.as_ref().map_or(0, String::len);
        let size = ENTRY_OVERHEAD + memory_size(&error.item) + texts;
        match inner.item_error_budget.checked_sub(size) {
            Some(budget) => {
                inner.item_error_budget = budget;
                inner.diagnostics.item_errors.push(error);
            }
            None => inner.diagnostics.item_errors_dropped += 1,
        }
    }

    /// Sends a progress report to the observer.
    pub(crate) fn progress(&self, done: u64, total: Option<u64>, message: Option<String>) {
        let observer = self.lock().observer.clone();
        if let Some(Observer(observe)) = observer {
            let message = message.map(|message| truncate_bytes(message, MAX_PROGRESS_MESSAGE));
            observe(Event::Progress(&Progress { done, total, message }));
        }
    }

    /// Returns what the guest reported about its end, even if the log entries were dropped.
    pub(super) fn report(&self) -> Option<GuestReport> {
        let inner = self.lock();
        let panic = inner.panic.clone().map(GuestReport::Panic);
        panic.or_else(|| inner.stderr.report().map(GuestReport::Stderr))
    }

    /// Clears item errors and the reports before a conflict retry. The log is kept.
    pub(crate) fn reset_for_retry(&self) {
        let mut inner = self.lock();
        inner.diagnostics.item_errors.clear();
        inner.diagnostics.item_errors_dropped = 0;
        inner.item_error_budget = MAX_ITEM_ERROR_BYTES;
        inner.panic = None;
        inner.stderr.clear();
    }

    /// Returns a copy of the stored log and item errors.
    pub(crate) fn diagnostics(&self) -> RunDiagnostics {
        self.lock().diagnostics.clone()
    }

    /// Locks the inner state. A poisoned lock is used too, because a panic cannot leave the state
    /// inconsistent.
    fn lock(&self) -> MutexGuard<'_, GuestOutputInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GuestOutputInner {
    /// Stores the entry if it fits the log budget, and returns the observer to notify if it was
    /// stored. Without an overflow sink, a dropped entry leaves the budget to smaller entries.
    fn add_entry(&mut self, entry: &LogEntry) -> Option<Observer> {
        self.track_reports(entry);
        let data_size = entry.data.as_ref().map_or(0, memory_size);
        let size = ENTRY_OVERHEAD + entry.message.len() + data_size;
        let budget = self.log_budget.checked_sub(size).filter(|_| !self.has_overflowed);
        match (budget, &self.overflow) {
            (Some(budget), _) => {
                self.log_budget = budget;
                self.diagnostics.log.push(entry.clone());
                self.observer.clone()
            }
            (None, Some(OverflowSink(store))) => {
                self.has_overflowed = true;
                self.diagnostics.log_dropped += u64::from(!store(entry));
                None
            }
            (None, None) => {
                self.diagnostics.log_dropped += 1;
                None
            }
        }
    }

    /// Remembers a panic message and the last lines of stderr. A guest that panics logs `panicked
    /// at LOCATION: REASON` last. Lines of stdout and stderr do not replace that message, because an
    /// incomplete line is logged only after the guest has ended.
    fn track_reports(&mut self, entry: &LogEntry) {
        match entry.source {
            LogSource::Guest => {
                let is_panic =
                    entry.level == LogLevel::Error && entry.message.starts_with("panicked at ");
                self.panic = is_panic.then(|| entry.message.clone());
                self.stderr.clear();
            }
            LogSource::Stderr => self.stderr.push(&entry.message),
            LogSource::Stdout | LogSource::Host => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(output: &GuestOutput, message: &str) {
        output.log(LogLevel::Info, LogSource::Guest, message.to_owned(), None);
    }

    #[test]
    fn full_log_keeps_the_first_entries_and_counts_the_rest() {
        let output = GuestOutput::new(3 * (ENTRY_OVERHEAD as u64 + 5), None, None);
        for _ in 0..10 {
            write(&output, "12345");
        }
        let diagnostics = output.diagnostics();
        assert_eq!((diagnostics.log.len(), diagnostics.log_dropped), (3, 7));
    }

    #[test]
    fn overflow_sink_receives_later_entries_in_order_and_rejected_ones_are_counted() {
        let overflowed = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&overflowed);
        let overflow = OverflowSink::new(move |entry| {
            let mut received = received.lock().unwrap();
            received.push(entry.message.clone());
            received.len() <= 2
        });
        let output = GuestOutput::new(2 * (ENTRY_OVERHEAD as u64 + 5), None, Some(overflow));
        for message in ["one", &"x".repeat(100), "two", "three", "four"] {
            write(&output, message);
        }
        let diagnostics = output.diagnostics();
        assert_eq!((diagnostics.log.len(), diagnostics.log_dropped), (1, 2));
        assert_eq!(overflowed.lock().unwrap()[1..], ["two", "three", "four"]);
    }

    #[test]
    fn long_message_is_truncated_between_characters() {
        let output = GuestOutput::new(1 << 20, None, None);
        write(&output, &"ä".repeat(MAX_TEXT));
        let message = output.diagnostics().log.remove(0).message;
        assert!(message.ends_with("ä [131072 bytes, cut]"), "{}", &message[MAX_TEXT - 10..]);
    }

    #[test]
    fn data_that_is_not_json_is_stored_as_string() {
        let output = GuestOutput::new(1 << 20, None, None);
        output.log(LogLevel::Info, LogSource::Guest, String::new(), Some("{\"a\":1}"));
        output.log(LogLevel::Info, LogSource::Guest, String::new(), Some("{"));
        let data: Vec<_> =
            output.diagnostics().log.into_iter().filter_map(|entry| entry.data).collect();
        assert_eq!(data, [serde_json::json!({"a": 1}), serde_json::json!("{")]);
    }

    #[test]
    fn dropped_entry_leaves_the_budget_to_smaller_ones() {
        let output = GuestOutput::new(3 * (ENTRY_OVERHEAD as u64 + 5), None, None);
        for message in ["one", &"x".repeat(1000), "two", &"x".repeat(1000), "three", "four"] {
            write(&output, message);
        }
        let diagnostics = output.diagnostics();
        let stored: Vec<_> = diagnostics.log.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!((stored, diagnostics.log_dropped), (vec!["one", "two", "three"], 3));
    }

    #[test]
    fn omitted_data_does_not_count_towards_the_log_limit() {
        let output = GuestOutput::new(10 << 10, None, None);
        let log = |data: &str| {
            output.log(LogLevel::Info, LogSource::Guest, String::new(), Some(data));
        };
        log(&"x".repeat(MAX_TEXT + 1));
        log("[0]");
        log(&format!("[{}0]", "0,".repeat(999)));
        let diagnostics = output.diagnostics();
        assert_eq!(
            (diagnostics.log.len(), diagnostics.log_dropped),
            (2, 1),
            "a thousand values are large"
        );
    }

    #[test]
    fn panic_is_remembered_even_if_dropped_until_the_next_message() {
        let output = GuestOutput::new(0, None, None);
        let log = |level, source, message: &str| {
            output.log(level, source, message.to_owned(), None);
        };
        log(LogLevel::Error, LogSource::Guest, "panicked at src/lib.rs:1:1: boom");
        log(LogLevel::Warn, LogSource::Stderr, "unfinished");
        let panic = "panicked at src/lib.rs:1:1: boom".to_owned();
        assert_eq!(output.report(), Some(GuestReport::Panic(panic)));
        log(LogLevel::Info, LogSource::Guest, "caught, going on");
        assert_eq!(output.report(), None);
        assert_eq!(output.diagnostics().log_dropped, 3);
    }

    #[test]
    fn stderr_is_reported_until_the_next_log_message_or_retry() {
        let output = GuestOutput::new(0, None, None);
        let log = |source, message: &str| {
            output.log(LogLevel::Warn, source, message.to_owned(), None);
        };
        let message = || match output.report() {
            Some(GuestReport::Stderr(report)) => Some(report.message),
            Some(GuestReport::Panic(_)) | None => None,
        };
        log(LogSource::Stderr, "Error: boom");
        log(LogSource::Stdout, "cleaning up");
        assert_eq!(message().as_deref(), Some("Error: boom"));
        log(LogSource::Guest, "going on");
        assert_eq!(message(), None);
        log(LogSource::Stderr, "Error: boom");
        output.reset_for_retry();
        assert_eq!(message(), None);
    }

    #[test]
    fn item_errors_are_limited_in_number_and_bytes() {
        let output = GuestOutput::new(0, None, None);
        for index in 0..20 {
            output.item_error(index, "1", "x".repeat(MAX_TEXT), None);
        }
        let diagnostics = output.diagnostics();
        assert_eq!((diagnostics.item_errors.len(), diagnostics.item_errors_dropped), (15, 5));
        output.reset_for_retry();
        for index in 0..=MAX_ITEM_ERRORS as u64 {
            output.item_error(index, "1", String::new(), None);
        }
        assert!(
            output.diagnostics().item_errors.len() < MAX_ITEM_ERRORS,
            "empty errors have a size too"
        );
    }

    #[test]
    fn huge_item_error_is_truncated_and_its_item_omitted() {
        let output = GuestOutput::new(0, None, None);
        let huge = "x".repeat(2 << 20);
        output.item_error(7, &huge, huge.clone(), Some(huge.clone()));
        let error = output.diagnostics().item_errors.remove(0);
        assert_eq!(error.item, "[2097152 bytes left out]");
        assert!(error.error.ends_with("[2097152 bytes, cut]"));
        assert!(error.traceback.is_some_and(|traceback| traceback.len() < MAX_TEXT + 100));
    }
}
