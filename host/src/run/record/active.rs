//! The record of a run in progress: writes log entries while the run executes, and its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, json};
use tokio_util::sync::CancellationToken;

use super::entries::closing;
use super::insertion::Insertion;
use super::mask::Mask;
use super::outcome::RecordedOutcome;
use super::run_spec::RunSpec;
use super::tracker::{Completion, FinishError};
use crate::model::document::ChangeCount;
use crate::model::outcome::{Event, Flags, LogEntry};
use crate::model::run_record::RunId;
use crate::sandbox::{Observer, OverflowSink};
use crate::store::{
    AppendLogOutcome, CancelRegistration, Claim, FinishOutcome, OverflowWriter, RunCompletion,
    RunGuard, Store, StoreError, StoreHandle,
};
use crate::util::clock;

/// Interval of writing log entries and of checking for a cancel request. A killed run loses at most
/// the entries of one interval.
const LOG_FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// The record of a run in progress.
pub(crate) struct ActiveRecord {
    store: Arc<dyn Store>,
    /// Cancels the run.
    cancel: CancellationToken,
    /// Other processes can cancel the run while the registration exists.
    _registration: CancelRegistration,
    claim: Claim,
    insertion: Insertion,
    guard: RunGuard,
    operation: String,
    flags: Flags,
    pub(super) mask: Option<Mask>,
    started: Instant,
    log: LogBuffer,
    pub(super) overflow_log: OverflowWriter,
}

/// Log entries that are not written yet, and the number of written ones.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<PendingEntries>>);

#[derive(Default)]
struct PendingEntries {
    entries: Vec<LogEntry>,
    /// Number of entries that are known to be written.
    written: usize,
    /// Whether a write failed or its outcome is unknown. Later entries are not written then.
    has_gap: bool,
}

impl PendingEntries {
    fn add(&mut self, entry: &LogEntry) {
        if !self.has_gap {
            self.entries.push(entry.clone());
        }
    }

    fn begin(&mut self) -> Vec<LogEntry> {
        std::mem::take(&mut self.entries)
    }

    /// Counts written entries; `None` if the write failed or its outcome is unknown.
    fn end(&mut self, written: Option<usize>) {
        match written {
            Some(count) => self.written += count,
            None => (self.has_gap, self.entries) = (true, Vec::new()),
        }
    }
}

impl LogBuffer {
    fn pending(&self) -> MutexGuard<'_, PendingEntries> {
        // The lock holder only replaces the value as a whole, so it is valid after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveRecord {
    pub(super) fn new(
        opened: &StoreHandle,
        (claim, insertion, guard): (Claim, Insertion, RunGuard),
        spec: &RunSpec<'_>,
        mask: Option<Mask>,
        cancel: &CancellationToken,
    ) -> Self {
        Self {
            store: opened.store().clone(),
            cancel: cancel.clone(),
            _registration: opened.cancellable(claim.id, cancel.clone()),
            claim,
            insertion,
            guard,
            operation: spec.operation.name.to_string(),
            flags: spec.flags,
            mask,
            started: Instant::now(),
            log: LogBuffer::default(),
            overflow_log: OverflowWriter::new(opened.data(), claim.id),
        }
    }

    /// Returns the id of the run.
    pub(crate) fn id(&self) -> RunId {
        self.claim.id
    }

    /// Returns an observer that collects log entries and forwards all events to `other`.
    pub(super) fn observer(&self, other: Option<Observer>) -> Observer {
        let log = self.log.clone();
        Observer::new(move |event| {
            if let Event::Log(entry) = event {
                log.pending().add(entry);
            }
            if let Some(other) = &other {
                other.notify(event);
            }
        })
    }

    /// Returns the sink of log entries beyond the limit.
    pub(super) fn overflow(&self) -> OverflowSink {
        let rest = self.overflow_log.clone();
        OverflowSink::new(move |entry| rest.add(entry))
    }

    /// Awaits a run. Once per second, writes its log entries and checks for a cancel request. Drops
    /// the run if its RUNNING record cannot be written.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] of the RUNNING record. The run has had no effect then.
    pub(super) async fn while_logging<T>(
        &self,
        run: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        let mut run = std::pin::pin!(self.insertion.watch(run));
        loop {
            tokio::select! {
                biased;
                ended = &mut run => return ended,
                () = tokio::time::sleep(LOG_FLUSH_INTERVAL) => {}
            }
            let mut flush = std::pin::pin!(self.flush());
            tokio::select! {
                biased;
                ended = &mut run => {
                    // The store finishes a write that has started, so its result must be known.
                    flush.await;
                    return ended;
                }
                () = &mut flush => {}
            }
            tokio::select! {
                biased;
                ended = &mut run => return ended,
                () = self.cancel_if_requested() => {}
            }
        }
    }

    /// Cancels the run if another process has requested it. The message of that process may be
    /// lost, but the request is stored.
    async fn cancel_if_requested(&self) {
        if self.cancel.is_cancelled() {
            return;
        }
        // After an error, the next check reads the request.
        if let Ok(Some(_)) = self.store.cancel_requested_at(self.claim.id).await {
            self.cancel.cancel();
        }
    }

    /// Writes the pending log entries. Entries after the last successful write are written with the
    /// end of the run, which has the whole log.
    async fn flush(&self) {
        self.overflow_log.flush();
        let entries = self.log.pending().begin();
        if entries.is_empty() {
            return;
        }
        let count = entries.len();
        let logged = self.store.append_log(&self.claim, entries).await;
        self.log.pending().end(matches!(logged, Ok(AppendLogOutcome::Done)).then_some(count));
    }

    /// Commits the end of the run and its document changes. After a conflict the run is still
    /// RUNNING.
    ///
    /// # Errors
    ///
    /// Returns [`FinishError`] if the commit failed.
    pub(crate) async fn finish(&self, ended: Completion<'_>) -> Result<FinishOutcome, FinishError> {
        let written = self.written().await;
        let finished = self.store.finish(self.claim, self.ending(ended, written)).await;
        let finished = match finished {
            Ok(finished) => finished,
            Err(error @ StoreError::OutcomeUnknown(_)) => return Err(FinishError::Lost(error)),
            Err(error) if self.insertion.is_stored().await => return Err(FinishError::Lost(error)),
            Err(error) => return Err(FinishError::NoEffect(error)),
        };
        self.insertion.end();
        match finished {
            FinishOutcome::Done => self.guard.end(),
            FinishOutcome::Conflict | FinishOutcome::Duplicate(_) | FinishOutcome::Lost => {}
        }
        Ok(finished)
    }

    /// Returns the number of log entries in the store. After a failed write only the store knows
    /// it; if the store cannot be read, some entries may be written twice.
    async fn written(&self) -> usize {
        let (written, has_gap) = {
            let pending = self.log.pending();
            (pending.written, pending.has_gap)
        };
        if !has_gap {
            return written;
        }
        let known = self.store.get(self.claim.id).await.ok().flatten();
        // The RUNNING record of a verbose run already has one entry.
        let opening = usize::from(self.flags.verbose);
        known.map_or(written, |run| run.log_entries.len().saturating_sub(opening))
    }

    fn ending(&self, mut ended: Completion<'_>, written: usize) -> RunCompletion {
        let RecordedOutcome { outcome, masked, result_refs, warnings } =
            std::mem::take(&mut ended.recorded_outcome);
        let Completion { trail, usage, .. } = &ended;
        let outcome = outcome.unwrap_or_else(|| ended.outcome.clone());
        let mut log_entries = trail.log[written.min(trail.log.len())..].to_vec();
        let execution_time = usage.wall.as_secs_f64();
        if self.flags.verbose {
            log_entries.push(closing(&self.operation, &outcome, execution_time));
        }
        log_entries.extend(warnings);
        let mut metadata = Map::new();
        metadata.insert("execution_time".to_owned(), json!(execution_time));
        let elapsed = self.started.elapsed();
        RunCompletion {
            outcome,
            finished_at: clock::now(),
            duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            metadata,
            log_entries,
            log_dropped: trail.log_dropped,
            logs_ref: self.overflow_log.finish().reference,
            error_list: trail.item_errors.clone(),
            masked: masked.into_iter().collect(),
            result_refs,
            changes: (ended.changes != ChangeCount::default()).then_some(ended.changes),
            effects: ended.committed_effects(),
            running: self.insertion.record(),
            capability_use: ended.capability_use.clone(),
            usage: Some(*usage),
        }
    }
}

#[cfg(test)]
mod tests {
    use ophost_schema::Schema;

    use super::*;
    use crate::documents::import::Import;
    use crate::model::limits::Limits;
    use crate::model::outcome::{Actor, LogLevel, Outcome, RunDiagnostics, Usage};
    use crate::model::run_record::Status;
    use crate::policy::RecordPolicy;
    use crate::run::record::entries::entry;
    use crate::run::record::{BeginOutcome, Recorder, RunTracker};
    use crate::store::{CancelOutcome, ShutdownMode};
    use crate::util::deadline::Deadline;
    use crate::util::private_dir::DataDir;

    fn recorder(data: &tempfile::TempDir) -> Recorder {
        Recorder::new(Some(&DataDir::new(data.path())), RecordPolicy::Always, ShutdownMode::Clean)
    }

    /// Starts a verbose, recorded run.
    async fn started(recorder: &Recorder) -> ActiveRecord {
        let operation = Import::new("jobs".parse().unwrap(), Vec::new()).operation();
        let (input, permissive) = (Arc::new(json!({})), Arc::new(Schema::permissive()));
        let actor = Actor { user_id: None, channel: "api".into() };
        let spec = RunSpec {
            operation: &operation,
            component: None,
            version: "1",
            raw_input: None,
            input: &input,
            input_schema: &permissive,
            output_schema: &permissive,
            actor: &actor,
            flags: Flags { verbose: true, ..Flags::default() },
            context: &Default::default(),
            tags: &[],
            limits: Limits::DEFAULT,
            granted: &[],
            record_override: None,
            idempotency_key: None,
            rerun_of: None,
            undo_of: None,
            parent: None,
            is_recorded_first: true,
        };
        let deadline = Deadline::after(Duration::from_secs(60), CancellationToken::new());
        match recorder.begin(spec, &deadline).await.unwrap() {
            BeginOutcome::Started(RunTracker::Recorded(record)) => record,
            _ => panic!("the run is not recorded"),
        }
    }

    fn log_entry(message: &str) -> LogEntry {
        entry(LogLevel::Info, message.to_owned(), None)
    }

    async fn finish(record: &ActiveRecord, outcome: Outcome, log: Vec<LogEntry>) {
        let trail = RunDiagnostics { log, ..RunDiagnostics::default() };
        let ended = Completion {
            outcome: &outcome,
            recorded_outcome: RecordedOutcome::default(),
            trail: &trail,
            usage: Usage::default(),
            effects: &Arc::default(),
            changes: ChangeCount::default(),
            capability_use: &Default::default(),
            is_dry: false,
        };
        assert_eq!(record.finish(ended).await.unwrap(), FinishOutcome::Done);
    }

    #[tokio::test]
    async fn stored_cancel_request_cancels_a_run_without_a_message() {
        let data = tempfile::tempdir().unwrap();
        let recorder = recorder(&data);
        let record = started(&recorder).await;
        let requested = record.store.request_cancel(record.id()).await.unwrap();
        let CancelOutcome::Requested(at) = requested else { panic!("{requested:?}") };
        let cancelled = record.while_logging(record.cancel.cancelled());
        tokio::time::timeout(Duration::from_secs(30), cancelled).await.unwrap().unwrap();
        finish(&record, Outcome::Cancelled, Vec::new()).await;
        let run = record.store.get(record.id()).await.unwrap().unwrap();
        assert_eq!((run.state.status(), run.cancel_requested_at), (Status::Cancelled, Some(at)));
    }

    #[tokio::test]
    async fn log_entries_are_recorded_once_after_a_write_with_an_unknown_outcome() {
        for is_written in [true, false] {
            let data = tempfile::tempdir().unwrap();
            let recorder = recorder(&data);
            let record = started(&recorder).await;
            let log = ["a", "b", "c", "d"].map(log_entry);
            record.log.pending().add(&log[0]);
            record.flush().await;
            for entry in &log[1..3] {
                record.log.pending().add(entry);
            }
            let part = record.log.pending().begin();
            if is_written {
                record.store.append_log(&record.claim, part).await.unwrap();
            }
            record.log.pending().end(None);
            record.log.pending().add(&log[3]);
            record.flush().await;
            finish(&record, Outcome::Success(json!({})), log.to_vec()).await;
            let run = record.store.get(record.id()).await.unwrap().unwrap();
            let messages: Vec<_> = run.log_entries.iter().map(|it| it.message.as_str()).collect();
            assert_eq!(messages[1..5], ["a", "b", "c", "d"], "written: {is_written}");
            assert_eq!(messages.len(), 6, "{messages:?}");
        }
    }
}
