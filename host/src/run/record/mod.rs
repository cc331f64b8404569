//! What is kept of a run, and when.
//!
//! - [`Recorder`] knows the rule that says which runs are kept, and opens the store for the
//!   first of them: a command that keeps nothing never touches it.
//! - [`ActiveRecord`] is one run that is being kept: born RUNNING before the guest runs, its log
//!   written while it runs, ended once.
//! - [`mask`]: secrets never get into a record; this is where what is kept of them is made.
//! - [`BeginOutcome`] is what became of a request to keep a run: a recording, or the answer that an
//!   earlier run under the same idempotency key gave already.

mod mask;
mod result_refs;
mod run_spec;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ophost_document::{Budget, Interruption};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use self::mask::{Mask, masked};
pub(crate) use self::result_refs::with_task_run_id;
use self::run_spec::KeptInput;
pub(crate) use self::run_spec::RunSpec;
use crate::model::document::{ChangeCount, ChangeSet, CommitRequest};
use crate::model::operation::Operation;
use crate::model::outcome::{
    Event, Failure, FailureKind, Flags, LogEntry, LogLevel, LogSource, Outcome, RunDiagnostics,
    Usage,
};
use crate::model::run_record::{Masked, ResultRef, RunId, RunRecord};
use crate::policy::RecordPolicy;
use crate::sandbox::{GuestOutput, Observer, OverflowSink};
use crate::store::{
    AppendLogOutcome, CancelRegistration, Claim, CommitMetadata, CommitOutcome, FinishOutcome,
    InsertOutcome, NewRun, OverflowSummary, OverflowWriter, RunCompletion, RunGuard, ShutdownMode,
    Store, StoreError, StoreHandle,
};
use crate::util::clock;
use crate::util::deadline::{Deadline, Undone, WorkSize};
use crate::util::private_dir::DataDir;
use ophost_schema::Schema;

/// How long entries of a log wait for being written: what a killed run loses at most.
const LOG_FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// What stands for the details of an output that is wrong and may hold secrets.
const DETAILS_WITHHELD: &str =
    "not kept: its schema knows secrets, and the details hold parts of it";

/// Keeps the runs of a host.
pub(crate) struct Recorder {
    /// `None` without a data directory.
    store: Option<StoreHandle>,
    rule: RecordPolicy,
}

/// What became of a request to keep a run.
pub(crate) enum BeginOutcome {
    /// It may run; this is kept of it.
    Started(RunTracker),
    /// It ran before under the same key, and ended well.
    Replayed(Box<RunRecord>),
    /// It runs now under the same key.
    InProgress(RunId),
    /// Another request has the key. With it, the input as it would be kept.
    KeyConflict(Box<RunRecord>, Value),
}

impl Recorder {
    pub(crate) fn new(data: Option<&DataDir>, rule: RecordPolicy, at_end: ShutdownMode) -> Self {
        Self { store: data.map(|data| StoreHandle::new(data, at_end)), rule }
    }

    /// Returns the store; `None` without a data directory.
    pub(crate) fn store(&self) -> Option<&StoreHandle> {
        self.store.as_ref()
    }

    /// Opens the store if a run that is still being prepared will write to it: its record, or
    /// documents.
    pub(crate) fn prepare(
        &self,
        operation: &Operation,
        asked: Option<bool>,
        key: Option<&str>,
        flags: Flags,
    ) {
        let may_change = !operation.models_out.is_empty() && !flags.dry_run;
        if let Some(opened) = &self.store
            && (key.is_some() || may_change || self.rule.should_record(operation, asked))
        {
            opened.store().prepare();
        }
    }

    /// Writes down that a run begins, before it does.
    ///
    /// # Errors
    ///
    /// Returns [`NotBegun`] if that cannot be written: then the run must not begin.
    pub(crate) async fn begin(
        &self,
        subject: RunSpec<'_>,
        deadline: &Deadline,
    ) -> Result<BeginOutcome, NotBegun> {
        let key = subject.idempotency_key;
        if key.is_none() && !self.rule.should_record(subject.operation, subject.record_override) {
            self.can_keep_changes(&subject).await?;
            return Ok(self.unrecorded(&subject));
        }
        let Some(opened) = &self.store else {
            // Without a record a key would promise what nobody keeps.
            let error = || io::Error::other("an idempotency key needs a data directory");
            return match key {
                None => Ok(self.unrecorded(&subject)),
                Some(_) => Err(StoreError::from(error()).into()),
            };
        };
        let mask = mask(opened, &subject)?;
        let mut input = kept_input(mask, &subject, deadline).await?;
        let asked = input.asked.take();
        let key = key.map(|key| subject.claim(key, asked.as_deref().unwrap_or_default()));
        let run = subject.task_run(opened.owner().await?, input);
        let begun = opened.begin(&run);
        Ok(match insert(opened, NewRun { run, key }).await? {
            InsertOutcome::Created(claim) => {
                let cancel = deadline.cancel();
                let recording = ActiveRecord::new(opened, (claim, begun), &subject, mask, cancel);
                BeginOutcome::Started(RunTracker::Recorded(recording))
            }
            InsertOutcome::Existing(run) => {
                begun.end();
                if run.state.status().is_final() {
                    BeginOutcome::Replayed(run)
                } else {
                    BeginOutcome::InProgress(run.id)
                }
            }
            InsertOutcome::Conflict(mut run) => {
                begun.end();
                if !run.is_masked(Masked::Input) {
                    // It may be of a time when the schema knew no secrets.
                    let (dump, budget) = (&run.input_dump, deadline.budget());
                    run.input_dump =
                        masked(mask, subject.input_schema, dump, &budget)?.into_owned();
                }
                let input = masked(mask, subject.input_schema, subject.input, &deadline.budget())?;
                BeginOutcome::KeyConflict(run, input.into_owned())
            }
        })
    }
}

impl Recorder {
    /// Says whether what a run without a record may change of documents could be kept.
    async fn can_keep_changes(&self, subject: &RunSpec<'_>) -> Result<(), NotBegun> {
        let may_change = !subject.operation.models_out.is_empty() && !subject.flags.dry_run;
        match self.store.as_ref().filter(|_| may_change) {
            Some(opened) => opened.store().is_writable().await.map_err(NotBegun::Changes),
            None => Ok(()),
        }
    }

    fn unrecorded(&self, subject: &RunSpec<'_>) -> BeginOutcome {
        let opened = self.store.as_ref();
        let store = opened.map(|opened| -> Arc<dyn Store> { opened.store().clone() });
        BeginOutcome::Started(RunTracker::Unrecorded(Unrecorded {
            store,
            author: subject.author(),
        }))
    }
}

/// Why nothing was written of a run that was to begin.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// The store failed.
    Store(StoreError),
    /// The store takes no changes of documents.
    Changes(StoreError),
    /// What is written was not made.
    Undone(Undone),
}

impl From<StoreError> for NotBegun {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Undone> for NotBegun {
    fn from(why: Undone) -> Self {
        Self::Undone(why)
    }
}

impl From<Interruption> for NotBegun {
    fn from(why: Interruption) -> Self {
        Self::Undone(why.into())
    }
}

async fn kept_input(
    mask: Option<Mask>,
    subject: &RunSpec<'_>,
    deadline: &Deadline,
) -> Result<KeptInput, Undone> {
    let (schema, input) = (Arc::clone(subject.input_schema), Arc::clone(subject.input));
    let asked = subject.raw_input.map(Arc::clone);
    let keep =
        move |budget: &Budget| KeptInput::of(mask, &schema, &input, asked.as_deref(), budget);
    Ok(deadline.work(WorkSize::of(subject.input), keep).await??)
}

/// Returns what masks the secrets of an operation, if its schemas know any.
fn mask(opened: &StoreHandle, subject: &RunSpec<'_>) -> Result<Option<Mask>, StoreError> {
    if !subject.input_schema.has_secrets() && !subject.output_schema.has_secrets() {
        return Ok(None);
    }
    Ok(Some(Mask::of(opened.data())?))
}

/// Inserts a run. One of the same key that died does not seem to be running.
async fn insert(opened: &StoreHandle, new: NewRun) -> Result<InsertOutcome, StoreError> {
    if new.key.is_none() {
        return opened.store().insert(new).await;
    }
    match opened.store().insert(new.clone()).await? {
        InsertOutcome::Existing(run) if !run.state.status().is_final() => {
            opened.reap_crashed_runs().await?;
            opened.store().insert(new).await
        }
        other => Ok(other),
    }
}

/// A run that is being kept.
pub(crate) struct ActiveRecord {
    store: Arc<dyn Store>,
    /// Others can cancel it as long as it is not finished.
    _listed: CancelRegistration,
    claim: Claim,
    begun: RunGuard,
    operation: String,
    flags: Flags,
    mask: Option<Mask>,
    started: Instant,
    log: LogBuffer,
    rest_of_log: OverflowWriter,
}

/// What was logged and is not written yet, and how much was written.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<PendingEntries>>);

#[derive(Default)]
struct PendingEntries {
    entries: Vec<LogEntry>,
    /// How many were written, as far as that is known.
    written: usize,
    /// Something was not written, or may not have been: there could be a gap before what comes.
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

    /// Counts what was written; `None` if it was not, or nobody knows.
    fn end(&mut self, written: Option<usize>) {
        match written {
            Some(count) => self.written += count,
            None => (self.has_gap, self.entries) = (true, Vec::new()),
        }
    }
}

impl LogBuffer {
    fn waiting(&self) -> MutexGuard<'_, PendingEntries> {
        // Nothing that holds the lock can leave it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveRecord {
    fn new(
        opened: &StoreHandle,
        (claim, begun): (Claim, RunGuard),
        subject: &RunSpec<'_>,
        mask: Option<Mask>,
        cancel: &CancellationToken,
    ) -> Self {
        Self {
            store: opened.store().clone(),
            _listed: opened.cancellable(claim.id, cancel.clone()),
            claim,
            begun,
            operation: subject.operation.name.to_string(),
            flags: subject.flags,
            mask,
            started: Instant::now(),
            log: LogBuffer::default(),
            rest_of_log: OverflowWriter::new(opened.data(), claim.id),
        }
    }

    /// Returns the run's id.
    pub(crate) fn id(&self) -> RunId {
        self.claim.id
    }

    /// Returns an observer that keeps the log, and tells another one of everything.
    fn observer(&self, other: Option<Observer>) -> Observer {
        let log = self.log.clone();
        Observer::new(move |event| {
            if let Event::Log(entry) = event {
                log.waiting().add(entry);
            }
            if let Some(other) = &other {
                other.notify(event);
            }
        })
    }

    /// Returns where the log goes on that has no room left.
    fn overflow(&self) -> OverflowSink {
        let rest = self.rest_of_log.clone();
        OverflowSink::new(move |entry| rest.add(entry))
    }

    /// Drives a run, and writes what it logs once a second.
    async fn while_logging<T>(&self, run: impl Future<Output = T>) -> T {
        let mut run = std::pin::pin!(run);
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
                    // What the store was asked to write it writes: it has to be known.
                    flush.await;
                    return ended;
                }
                () = &mut flush => {}
            }
        }
    }

    /// Writes what was logged since the last time. What follows the last part that was written
    /// is written with the end, which has the whole log.
    async fn flush(&self) {
        self.rest_of_log.flush();
        let entries = self.log.waiting().begin();
        if entries.is_empty() {
            return;
        }
        let count = entries.len();
        let logged = self.store.log(&self.claim, entries).await;
        self.log.waiting().end(matches!(logged, Ok(AppendLogOutcome::Done)).then_some(count));
    }

    /// Writes down how the run ended, together with what it changed of documents. It is still
    /// running after a conflict.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be written. The run happened all the same;
    /// whether its end is known is [`StoreError::OutcomeUnknown`]'s to say.
    pub(crate) async fn finish(&self, ended: Completion<'_>) -> Result<TrackerOutcome, StoreError> {
        let written = self.written().await;
        match self.store.finish(self.claim, self.ending(ended, written)).await? {
            FinishOutcome::Done => {
                self.begun.end();
                Ok(TrackerOutcome::Done)
            }
            FinishOutcome::Conflict => Ok(TrackerOutcome::Conflict),
            // Its record says otherwise, and a record that has an end never changes.
            FinishOutcome::Lost => {
                Err(io::Error::other("another process took this one for dead").into())
            }
        }
    }

    /// Returns how many entries of the log are in the store. Where a part failed only the store
    /// knows whether that is; where it cannot say, the part is there twice at worst.
    async fn written(&self) -> usize {
        let (written, is_broken) = {
            let waiting = self.log.waiting();
            (waiting.written, waiting.has_gap)
        };
        if !is_broken {
            return written;
        }
        let known = self.store.get(self.claim.id).await.ok().flatten();
        // The first entry of a verbose run was written with its beginning.
        let own = usize::from(self.flags.verbose);
        known.map_or(written, |run| run.log_entries.len().saturating_sub(own))
    }

    fn ending(&self, mut ended: Completion<'_>, written: usize) -> RunCompletion {
        let KeptOutcome { outcome, masked, result_refs, warnings } =
            std::mem::take(&mut ended.kept);
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
            logs_ref: self.rest_of_log.finish().reference,
            error_list: trail.item_errors.clone(),
            masked: masked.into_iter().collect(),
            result_refs,
            changes: (ended.changes != ChangeCount::default()).then_some(ended.changes),
            effects: ended.kept_effects(),
            reached: ended.reached.clone(),
            usage: Some(*usage),
        }
    }
}

/// What became of the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrackerOutcome {
    /// It is on the disk.
    Done,
    /// What the run read is no longer so; nothing was written.
    Conflict,
}

/// How a run ended, all of it.
pub(crate) struct Completion<'a> {
    pub(crate) outcome: &'a Outcome,
    pub(crate) kept: KeptOutcome,
    pub(crate) trail: &'a RunDiagnostics,
    pub(crate) usage: Usage,
    pub(crate) effects: &'a Arc<CommitRequest>,
    /// How many documents these change.
    pub(crate) changes: ChangeCount,
    /// What it made use of outside the sandbox, and what it was denied.
    pub(crate) reached: &'a [BTreeSet<String>; 2],
    pub(crate) is_dry: bool,
}

impl Completion<'_> {
    /// Returns what is kept of its effects: nothing of a dry run.
    fn kept_effects(&self) -> Arc<CommitRequest> {
        if self.is_dry { Arc::default() } else { Arc::clone(self.effects) }
    }
}

/// A run of which no record is kept; what it changes of documents is.
pub(crate) struct Unrecorded {
    /// `None` without a data directory.
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) author: CommitMetadata,
}

impl Unrecorded {
    /// Keeps what the run changed.
    ///
    /// # Errors
    ///
    /// As [`ActiveRecord::finish`].
    pub(crate) async fn finish(&self, ended: Completion<'_>) -> Result<TrackerOutcome, StoreError> {
        let effects = ended.kept_effects();
        let Some(store) = self.store.as_ref().filter(|_| !effects.changes.is_empty()) else {
            return Ok(TrackerOutcome::Done);
        };
        let author = CommitMetadata { at: clock::now(), ..self.author.clone() };
        match store.commit_changes(author, effects).await? {
            CommitOutcome::Committed(..) => Ok(TrackerOutcome::Done),
            CommitOutcome::Conflict => Ok(TrackerOutcome::Conflict),
        }
    }
}

/// What is kept of a run.
pub(crate) enum RunTracker {
    /// All of it.
    Recorded(ActiveRecord),
    /// What it changes.
    Unrecorded(Unrecorded),
}

impl RunTracker {
    /// Returns the record's id, if there is one.
    pub(crate) fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Recorded(recording) => Some(recording.id()),
            Self::Unrecorded(_) => None,
        }
    }

    /// Returns what the run says what it has to say to: what has to be kept is, and an
    /// observer is told of everything.
    pub(crate) fn journal(&self, log: u64, observer: Option<Observer>) -> GuestOutput {
        match self {
            Self::Recorded(recording) => GuestOutput::new(
                log,
                Some(recording.observer(observer)),
                Some(recording.overflow()),
            ),
            Self::Unrecorded(_) => GuestOutput::new(log, observer, None),
        }
    }

    /// Returns what became of the log that a journal had no room for.
    pub(crate) fn rest_of_log(&self) -> OverflowSummary {
        match self {
            Self::Recorded(recording) => recording.rest_of_log.finish(),
            Self::Unrecorded(_) => OverflowSummary::default(),
        }
    }

    /// Drives a run, and keeps what it says meanwhile.
    pub(crate) async fn run_with_flushes<T>(&self, run: impl Future<Output = T>) -> T {
        match self {
            Self::Recorded(recording) => recording.while_logging(run).await,
            Self::Unrecorded(_) => run.await,
        }
    }

    /// Returns an outcome, and what is kept of it.
    ///
    /// # Errors
    ///
    /// Returns [`Undone`] if there was no time, or no thread, for that.
    pub(crate) async fn prepare(
        &self,
        outcome: Outcome,
        schema: &Arc<Schema>,
        changes: Arc<CommitRequest>,
        deadline: &Deadline,
    ) -> Result<(Outcome, KeptOutcome), Undone> {
        let Self::Recorded(ActiveRecord { mask, .. }) = self else {
            return Ok((outcome, KeptOutcome::default()));
        };
        let size = match &outcome {
            Outcome::Success(output) => WorkSize::of(output),
            Outcome::Failed(_) | Outcome::Cancelled => WorkSize::Small,
        };
        let (mask, schema) = (*mask, Arc::clone(schema));
        let keep = move |budget: &Budget| {
            let kept = KeptOutcome::of(mask, &schema, &outcome, &changes.changes, budget)?;
            Ok::<_, Interruption>((outcome, kept))
        };
        Ok(deadline.work(size, keep).await??)
    }

    /// Keeps how the run ended.
    ///
    /// # Errors
    ///
    /// As [`ActiveRecord::finish`].
    pub(crate) async fn finish(&self, ended: Completion<'_>) -> Result<TrackerOutcome, StoreError> {
        match self {
            Self::Recorded(recording) => recording.finish(ended).await,
            Self::Unrecorded(unrecorded) => unrecorded.finish(ended).await,
        }
    }

    /// Returns the run's id, whether there is a record of it or not.
    pub(crate) fn id(&self) -> RunId {
        match self {
            Self::Recorded(recording) => recording.id(),
            Self::Unrecorded(unrecorded) => unrecorded.author.run_id,
        }
    }
}

/// What is kept of an outcome.
#[derive(Default)]
pub(crate) struct KeptOutcome {
    /// The outcome as it is kept; `None` for an outcome that is kept as it is.
    outcome: Option<Outcome>,
    /// Whether its output is masked.
    masked: Option<Masked>,
    result_refs: Vec<ResultRef>,
    /// What is said in the log of its output.
    warnings: Vec<LogEntry>,
}

impl KeptOutcome {
    fn of(
        mask: Option<Mask>,
        schema: &Schema,
        outcome: &Outcome,
        changes: &ChangeSet,
        budget: &Budget,
    ) -> Result<Self, Interruption> {
        match outcome {
            Outcome::Success(output) => {
                let output = masked(mask, schema, output, budget)?;
                let masked = matches!(output, Cow::Owned(_)).then_some(Masked::Output);
                let (result_refs, warnings) =
                    result_refs::of_run(&output, schema.document(), changes, budget)?;
                let outcome = Some(Outcome::Success(output.into_owned()));
                budget.check()?;
                Ok(Self { outcome, masked, result_refs, warnings })
            }
            // What is wrong with an output is told with parts of it.
            Outcome::Failed(failure)
                if failure.kind == FailureKind::InvalidOutput && schema.has_secrets() =>
            {
                let details = failure.details.as_ref().map(|_| json!(DETAILS_WITHHELD));
                let outcome = Outcome::Failed(Failure { details, ..failure.clone() });
                Ok(Self { outcome: Some(outcome), ..Self::default() })
            }
            Outcome::Failed(_) | Outcome::Cancelled => Ok(Self::default()),
        }
    }
}

/// Returns an entry of the host itself.
fn entry(level: LogLevel, message: String, data: Option<Value>) -> LogEntry {
    LogEntry { timestamp: clock::now(), level, message, data, source: LogSource::Host }
}

fn opening(operation: &str, input: &Value) -> LogEntry {
    let message = format!("Starting operation: {operation}");
    entry(LogLevel::Info, message, Some(json!({"input": input})))
}

fn closing(operation: &str, outcome: &Outcome, execution_time: f64) -> LogEntry {
    let failed = |error: &str| {
        let message = format!("Operation failed: {operation}");
        entry(LogLevel::Error, message, Some(json!({"error": error})))
    };
    match outcome {
        Outcome::Success(_) => {
            let data = json!({"execution_time": execution_time});
            entry(LogLevel::Info, format!("Operation completed: {operation}"), Some(data))
        }
        Outcome::Failed(failure) => failed(&failure.message),
        Outcome::Cancelled => failed("cancelled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::import::Import;
    use crate::model::limits::Limits;
    use crate::model::outcome::Actor;

    fn recorder(data: &tempfile::TempDir) -> Recorder {
        Recorder::new(Some(&DataDir::new(data.path())), RecordPolicy::Always, ShutdownMode::Clean)
    }

    /// Begins a verbose run that is recorded.
    async fn begun(recorder: &Recorder) -> ActiveRecord {
        let operation = Import::new("jobs".parse().unwrap(), Vec::new()).operation();
        let (input, anything) = (Arc::new(json!({})), Arc::new(Schema::permissive()));
        let actor = Actor { user_id: None, channel: "api".into() };
        let subject = RunSpec {
            operation: &operation,
            component: None,
            version: "1",
            raw_input: None,
            input: &input,
            input_schema: &anything,
            output_schema: &anything,
            actor: &actor,
            flags: Flags { verbose: true, ..Flags::default() },
            context: &Default::default(),
            tags: &[],
            limits: Limits::DEFAULT,
            granted: &[],
            record_override: None,
            idempotency_key: None,
            rerun_of: None,
            parent: None,
        };
        let deadline = Deadline::after(Duration::from_secs(60), CancellationToken::new());
        match recorder.begin(subject, &deadline).await.unwrap() {
            BeginOutcome::Started(RunTracker::Recorded(recording)) => recording,
            _ => panic!("it is not recorded"),
        }
    }

    fn said(message: &str) -> LogEntry {
        entry(LogLevel::Info, message.to_owned(), None)
    }

    async fn finish(recording: &ActiveRecord, log: Vec<LogEntry>) {
        let trail = RunDiagnostics { log, ..RunDiagnostics::default() };
        let ended = Completion {
            outcome: &Outcome::Success(json!({})),
            kept: KeptOutcome::default(),
            trail: &trail,
            usage: Usage::default(),
            effects: &Arc::default(),
            changes: ChangeCount::default(),
            reached: &Default::default(),
            is_dry: false,
        };
        assert_eq!(recording.finish(ended).await.unwrap(), TrackerOutcome::Done);
    }

    #[tokio::test]
    async fn v2_a_part_of_a_log_stands_there_once_also_where_its_writing_had_no_answer() {
        for is_there in [true, false] {
            let data = tempfile::tempdir().unwrap();
            let recorder = recorder(&data);
            let recording = begun(&recorder).await;
            let log = ["a", "b", "c", "d"].map(said);
            recording.log.waiting().add(&log[0]);
            recording.flush().await;
            for entry in &log[1..3] {
                recording.log.waiting().add(entry);
            }
            let part = recording.log.waiting().begin();
            if is_there {
                recording.store.log(&recording.claim, part).await.unwrap();
            }
            recording.log.waiting().end(None);
            recording.log.waiting().add(&log[3]);
            recording.flush().await;
            finish(&recording, log.to_vec()).await;
            let kept = recording.store.get(recording.id()).await.unwrap().unwrap();
            let kept: Vec<_> = kept.log_entries.iter().map(|it| it.message.as_str()).collect();
            assert_eq!(kept[1..5], ["a", "b", "c", "d"], "is there: {is_there}");
            assert_eq!(kept.len(), 6, "{kept:?}");
        }
    }
}
