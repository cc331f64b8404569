//! What a run leaves behind while it runs: log, item errors, progress, all bounded.
//!
//! What does not fit is left out and counted. What is kept is in order. A log may go on
//! elsewhere: see [`OverflowSink`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::text::{MAX_TEXT, data, weight};
use crate::model::outcome::{
    Event, ItemError, LogEntry, LogLevel, LogSource, Progress, RunDiagnostics,
};
use crate::util::clock;
use ophost_document::text::truncate_bytes;

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

    /// Passes on what was observed.
    pub(crate) fn notify(&self, event: Event<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// Where a log goes on that has no room left; answers whether the entry is kept there.
///
/// Called as an [`Observer`] is.
#[derive(Clone)]
pub(crate) struct OverflowSink(Arc<dyn Fn(&LogEntry) -> bool + Send + Sync>);

impl OverflowSink {
    pub(crate) fn new(keep: impl Fn(&LogEntry) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }
}

impl fmt::Debug for OverflowSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overflow")
    }
}

/// Shared by the imports that write to it and the run that reads it at the end.
#[derive(Clone)]
pub(crate) struct GuestOutput(Arc<Mutex<GuestOutputInner>>);

struct GuestOutputInner {
    trail: RunDiagnostics,
    log_budget: usize,
    item_error_budget: usize,
    /// What the guest said last, if that was a panic.
    panic: Option<String>,
    observer: Option<Observer>,
    overflow: Option<OverflowSink>,
    /// Whether the log goes on elsewhere already: all that follows does, so that it is in order.
    has_overflown: bool,
}

impl GuestOutput {
    /// Returns an empty journal that keeps at most `log` bytes of log.
    pub(crate) fn new(
        log: u64,
        observer: Option<Observer>,
        overflow: Option<OverflowSink>,
    ) -> Self {
        Self(Arc::new(Mutex::new(GuestOutputInner {
            trail: RunDiagnostics::default(),
            log_budget: usize::try_from(log).unwrap_or(usize::MAX),
            item_error_budget: MAX_ITEM_ERROR_BYTES,
            panic: None,
            observer,
            overflow,
            has_overflown: false,
        })))
    }

    /// Adds an entry to the log. What is attached and not JSON is kept as text.
    pub(crate) fn log(
        &self,
        level: LogLevel,
        source: LogSource,
        message: String,
        attached: Option<&str>,
    ) {
        let entry = LogEntry {
            timestamp: clock::now(),
            level,
            message: truncate_bytes(message, MAX_TEXT),
            data: attached.map(data),
            source,
        };
        let observer = self.pages().add_entry(&entry);
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
        let mut pages = self.pages();
        if pages.trail.item_errors.len() >= MAX_ITEM_ERRORS {
            pages.trail.item_errors_dropped += 1;
            return;
        }
        let traceback = traceback.map(|traceback| truncate_bytes(traceback, MAX_TEXT));
        let error = ItemError {
            index,
            item: data(item),
            error: truncate_bytes(error, MAX_TEXT),
            traceback,
        };
        let texts = error.error.len() + error.traceback.as_ref().map_or(0, String::len);
        match pages.item_error_budget.checked_sub(ENTRY_COST + weight(&error.item) + texts) {
            Some(left) => {
                pages.item_error_budget = left;
                pages.trail.item_errors.push(error);
            }
            None => pages.trail.item_errors_dropped += 1,
        }
    }

    /// Passes on how far the run is.
    pub(crate) fn progress(&self, done: u64, total: Option<u64>, message: Option<String>) {
        let observer = self.pages().observer.clone();
        if let Some(Observer(observe)) = observer {
            let message = message.map(|message| truncate_bytes(message, MAX_PROGRESS_MESSAGE));
            observe(Event::Progress(&Progress { done, total, message }));
        }
    }

    /// Returns what the guest said last, if that was a panic: also where the log had no room
    /// for it.
    pub(super) fn panic(&self) -> Option<String> {
        self.pages().panic.clone()
    }

    /// Forgets what belongs to one execution alone, before the same run is executed again. Its
    /// log goes on.
    pub(crate) fn reset_for_retry(&self) {
        let mut pages = self.pages();
        pages.trail.item_errors.clear();
        pages.trail.item_errors_dropped = 0;
        pages.item_error_budget = MAX_ITEM_ERROR_BYTES;
        pages.panic = None;
    }

    /// Returns what was written so far.
    pub(crate) fn trail(&self) -> RunDiagnostics {
        self.pages().trail.clone()
    }

    /// Nothing that holds the lock can leave it half written, so a poisoned one is as good.
    fn pages(&self) -> MutexGuard<'_, GuestOutputInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GuestOutputInner {
    /// Keeps the entry if there is room, and returns who has to be told if it was kept here.
    /// Where the log goes on nowhere else, one that is too large takes no room from smaller
    /// ones that follow.
    fn add_entry(&mut self, entry: &LogEntry) -> Option<Observer> {
        self.track_panic(entry);
        let attached = entry.data.as_ref().map_or(0, weight);
        let left = self.log_budget.checked_sub(ENTRY_COST + entry.message.len() + attached);
        match (left.filter(|_| !self.has_overflown), &self.overflow) {
            (Some(left), _) => {
                self.log_budget = left;
                self.trail.log.push(entry.clone());
                self.observer.clone()
            }
            (None, Some(OverflowSink(keep))) => {
                self.has_overflown = true;
                self.trail.log_dropped += u64::from(!keep(entry));
                None
            }
            (None, None) => {
                self.trail.log_dropped += 1;
                None
            }
        }
    }

    /// A panicking guest logs `panicked at PLACE: REASON` as its last word. Lines of its output
    /// do not count: one that it did not end is logged when the run is over.
    fn track_panic(&mut self, entry: &LogEntry) {
        if entry.source == LogSource::Guest {
            let is_panic =
                entry.level == LogLevel::Error && entry.message.starts_with("panicked at ");
            self.panic = is_panic.then(|| entry.message.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(journal: &GuestOutput, message: &str) {
        journal.log(LogLevel::Info, LogSource::Guest, message.to_owned(), None);
    }

    #[test]
    fn a_full_log_keeps_its_beginning_and_counts_the_rest() {
        let journal = GuestOutput::new(3 * (ENTRY_COST as u64 + 5), None, None);
        for _ in 0..10 {
            write(&journal, "12345");
        }
        let trail = journal.trail();
        assert_eq!((trail.log.len(), trail.log_dropped), (3, 7));
    }

    #[test]
    fn v2_a_log_goes_on_elsewhere_in_order_and_is_counted_where_that_ends() {
        let elsewhere = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&elsewhere);
        let overflow = OverflowSink::new(move |entry| {
            let mut kept = kept.lock().unwrap();
            kept.push(entry.message.clone());
            kept.len() <= 2
        });
        let journal = GuestOutput::new(2 * (ENTRY_COST as u64 + 5), None, Some(overflow));
        for message in ["one", &"x".repeat(100), "two", "three", "four"] {
            write(&journal, message);
        }
        let trail = journal.trail();
        assert_eq!((trail.log.len(), trail.log_dropped), (1, 2));
        assert_eq!(elsewhere.lock().unwrap()[1..], ["two", "three", "four"]);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let journal = GuestOutput::new(1 << 20, None, None);
        write(&journal, &"ä".repeat(MAX_TEXT));
        let message = journal.trail().log.remove(0).message;
        assert!(message.ends_with("ä [131072 bytes, cut]"), "{}", &message[MAX_TEXT - 10..]);
    }

    #[test]
    fn data_that_is_not_json_is_kept_as_text() {
        let journal = GuestOutput::new(1 << 20, None, None);
        journal.log(LogLevel::Info, LogSource::Guest, String::new(), Some("{\"a\":1}"));
        journal.log(LogLevel::Info, LogSource::Guest, String::new(), Some("{"));
        let data: Vec<_> = journal.trail().log.into_iter().filter_map(|entry| entry.data).collect();
        assert_eq!(data, [serde_json::json!({"a": 1}), serde_json::json!("{")]);
    }

    #[test]
    fn an_entry_that_does_not_fit_leaves_its_room_to_smaller_ones() {
        let journal = GuestOutput::new(3 * (ENTRY_COST as u64 + 5), None, None);
        for message in ["one", &"x".repeat(1000), "two", &"x".repeat(1000), "three", "four"] {
            write(&journal, message);
        }
        let trail = journal.trail();
        let kept: Vec<_> = trail.log.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!((kept, trail.log_dropped), (vec!["one", "two", "three"], 3));
    }

    #[test]
    fn what_was_left_out_is_not_paid_for_and_what_is_kept_is() {
        let journal = GuestOutput::new(10 << 10, None, None);
        let log = |data: &str| {
            journal.log(LogLevel::Info, LogSource::Guest, String::new(), Some(data));
        };
        log(&"x".repeat(MAX_TEXT + 1));
        log("[0]");
        log(&format!("[{}0]", "0,".repeat(999)));
        let trail = journal.trail();
        assert_eq!((trail.log.len(), trail.log_dropped), (2, 1), "a thousand values are large");
    }

    #[test]
    fn a_panic_is_remembered_without_room_and_until_the_next_words() {
        let journal = GuestOutput::new(0, None, None);
        let log = |level, source, message: &str| {
            journal.log(level, source, message.to_owned(), None);
        };
        log(LogLevel::Error, LogSource::Guest, "panicked at src/lib.rs:1:1: boom");
        log(LogLevel::Warn, LogSource::Stderr, "unfinished");
        assert_eq!(journal.panic().as_deref(), Some("panicked at src/lib.rs:1:1: boom"));
        log(LogLevel::Info, LogSource::Guest, "caught, going on");
        assert_eq!(journal.panic(), None);
        assert_eq!(journal.trail().log_dropped, 3);
    }

    #[test]
    fn item_errors_are_bounded_in_number_and_bytes() {
        let journal = GuestOutput::new(0, None, None);
        for index in 0..20 {
            journal.item_error(index, "1", "x".repeat(MAX_TEXT), None);
        }
        let trail = journal.trail();
        assert_eq!((trail.item_errors.len(), trail.item_errors_dropped), (15, 5));
        journal.reset_for_retry();
        for index in 0..=MAX_ITEM_ERRORS as u64 {
            journal.item_error(index, "1", String::new(), None);
        }
        assert!(journal.trail().item_errors.len() < MAX_ITEM_ERRORS, "they weigh something");
    }

    #[test]
    fn a_huge_item_error_is_cut_and_its_item_left_out() {
        let journal = GuestOutput::new(0, None, None);
        let huge = "x".repeat(2 << 20);
        journal.item_error(7, &huge, huge.clone(), Some(huge.clone()));
        let error = journal.trail().item_errors.remove(0);
        assert_eq!(error.item, "[2097152 bytes left out]");
        assert!(error.error.ends_with("[2097152 bytes, cut]"));
        assert!(error.traceback.is_some_and(|traceback| traceback.len() < MAX_TEXT + 100));
    }
}
