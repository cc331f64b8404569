//! The host: [`Host::run`] is the path of a run on one page.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use ophost_document::{Budget, Interruption};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::execution::{Executable, Execution, ExecutionRequest};
use super::record::{BeginOutcome, NotStarted, RecordedOutcome, Recorder, RunSpec, RunTracker};
use super::request::RecordRequest;
use super::undo::undone_by;
use super::{HostBuilder, HostError, Request, RunError, RunReport};
use crate::context::OrchestrationContext;
use crate::documents::indexes::Indexes;
use crate::documents::reader::DocumentReader;
use crate::model::document::CommitRequest;
use crate::model::limits::LimitName;
use crate::model::operation::Operation;
use crate::model::outcome::{Actor, Flags, Outcome};
use crate::model::retention::RetentionPolicy;
use crate::model::run_record::{Masked, RunId, RunRecord};
use crate::policy::{Grants, Policy};
use crate::registry::catalog::{Catalog, RejectedFile};
use crate::registry::{self, FileError, Ignored, Loader, RegisteredOperation, Registry, Schemas};
use crate::runs::Runs;
use crate::sandbox::{Guest, Observer, Sandbox};
use crate::store::{FinishOutcome, RetryLock, ShutdownMode, Store, StoreHandle};
use crate::util::deadline::{Deadline, WorkError, WorkSize};
use crate::util::os_error::Shortage;
use crate::util::private_dir::DataDir;
use crate::util::trust::Untrusted;
use ophost_schema::{CheckError, Schema, ValidInput, Violations};

/// Loads operations and runs them. Cheap to clone; clones share everything.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ophost::{Host, Outcome, Request};
/// use serde_json::json;
///
/// let host = Host::builder().plugins("plugins").build().await?;
/// let report = host.run(Request::new("slugify", json!({"text": "Hello, World!"}))).await?;
/// assert_eq!(report.outcome, Outcome::Success(json!({"slug": "hello-world"})));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Host {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) sandbox: Sandbox,
    pub(super) loader: Arc<Loader>,
    /// Replaced as a whole. Runs in progress keep the snapshot that they started with.
    pub(super) registry: RwLock<Arc<Registry>>,
    pub(super) policy: Policy,
    pub(super) recorder: Recorder,
    /// Held while directories are read, so that an older snapshot does not replace a newer one.
    pub(super) reloading: tokio::sync::Mutex<()>,
    pub(super) retry_lock: RetryLock,
    pub(super) retention: RetentionPolicy,
}

impl Host {
    /// Returns a builder without plugin directories and with default limits.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Runs an operation and returns its report.
    ///
    /// The final record and the document changes are durable before the method returns. The guest
    /// has no other effects, so it starts before the RUNNING record is durable: a run of up to 2 ms
    /// needs one commit, and a longer one becomes visible as RUNNING. A run with an idempotency key
    /// starts after its RUNNING record is durable. If a run with the same key succeeded, its stored
    /// result is returned.
    ///
    /// The deadline counts from the call and covers all work of the host up to the final commit.
    /// Loading the code does not count, because it has a budget of its own.
    ///
    /// # Blocking
    ///
    /// Needs a tokio runtime with time enabled. A guest yields the thread every 10 ms; a single
    /// instruction on much memory cannot be interrupted. Work on large inputs and outputs runs on
    /// the blocking pool of the runtime and ends soon after the deadline.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the guest and the work of the host. The document changes of the
    /// run are not committed, and its record becomes FAILED with the kind `crashed`.
    ///
    /// # Errors
    ///
    /// - Returns [`RunError`] if the run did not start: unknown operation, invalid input, limits
    ///   above the maximum, or an expired deadline.
    /// - Returns [`RunError::Store`] if the record cannot be written. The run had no effect then.
    /// - Returns [`RunError::Unrecorded`] if the run started and its end could not be recorded.
    ///
    /// A failed run is not an error: the report has [`Outcome::Failed`](crate::Outcome::Failed).
    pub async fn run(&self, request: Request) -> Result<RunReport, RunError> {
        let (checked, input) = self.check(request).await?;
        let loaded = self.load(checked).await?;
        match self.begin(&loaded, input).await? {
            BeginOutcome::Started(tracker) => self.execute(loaded, tracker).await,
            BeginOutcome::Replayed(run) if run.erased_at.is_some() => {
                Err(RunError::Erased { run_id: run.id })
            }
            BeginOutcome::Replayed(run) if run.is_masked(Masked::Output) => {
                Err(RunError::Masked { run_id: run.id })
            }
            BeginOutcome::Replayed(run) => self.replay(*run, &loaded).await,
            BeginOutcome::InProgress(run_id) => Err(RunError::InProgress { run_id }),
            BeginOutcome::KeyConflict(run, input) => Err(RunError::Conflict {
                run_id: run.id,
                inputs: run.erased_at.is_none().then(|| Box::new((run.input_dump, input))),
            }),
        }
    }

    /// Returns the stored result of a run with the same idempotency key.
    async fn replay(&self, run: RunRecord, loaded: &PreparedRun) -> Result<RunReport, RunError> {
        if let Some(store) = self.store()
            && let Some(by) = undone_by(&*store, &run).await?
        {
            return Err(RunError::Undone { run_id: run.id, by });
        }
        Ok(RunReport::from_record(run).with_id(&loaded.checked.entry.operation().output_schema))
    }

    /// Hands over the RUNNING record. Consumes the input, because later steps only need its text.
    async fn begin(
        &self,
        loaded: &PreparedRun,
        input: Arc<Value>,
    ) -> Result<BeginOutcome, RunError> {
        let ValidatedRequest { entry, schemas, grants, .. } = &loaded.checked;
        let ValidatedRequest { actor, flags, context, record, .. } = &loaded.checked;
        let spec = RunSpec {
            operation: entry.operation(),
            component: Some(entry.file.digest),
            version: &entry.file.plugin.version,
            raw_input: record.raw_input.as_ref(),
            input: &input,
            input_schema: &schemas.input,
            output_schema: &schemas.output,
            actor,
            flags: *flags,
            context,
            tags: &record.tags,
            limits: *grants.limits(),
            granted: loaded.guest.capabilities(),
            record_override: record.record_override,
            idempotency_key: record.idempotency_key.as_deref(),
            rerun_of: record.rerun_of,
            undo_of: None,
            parent: None,
            is_recorded_first: false,
        };
        let outcome = self.shared.recorder.begin(spec, &loaded.checked.deadline).await;
        outcome.map_err(|error| loaded.checked.not_started(error))
    }

    async fn execute(
        &self,
        mut loaded: PreparedRun,
        tracker: RunTracker,
    ) -> Result<RunReport, RunError> {
        let log = loaded.checked.grants.limits().log;
        let output = tracker.guest_output(log, loaded.checked.observer.take());
        let execution = Execution::new(
            self.execution_request(&loaded, tracker.run_id()),
            output,
            &self.shared.retry_lock,
        );
        let ValidatedRequest { schemas, context, entry, .. } = &loaded.checked;
        let report = execute_with_retries(execution, &tracker, &schemas.output, context).await?;
        Ok(report.with_id(&entry.operation().output_schema))
    }

    fn execution_request<'a>(
        &'a self,
        loaded: &'a PreparedRun,
        run_id: Option<RunId>,
    ) -> ExecutionRequest<'a> {
        let ValidatedRequest {
            entry, schemas, input, grants, actor, flags, deadline, record, ..
        } = &loaded.checked;
        ExecutionRequest {
            code: Executable::Guest {
                sandbox: &self.shared.sandbox,
                guest: &loaded.guest,
                input,
                output_schema: &schemas.output,
            },
            operation: &entry.operation().name,
            grants,
            actor,
            flags: *flags,
            run_id,
            idempotency_key: record.idempotency_key.as_deref(),
            deadline: deadline.clone(),
            store: self.store(),
        }
    }

    pub(super) fn store(&self) -> Option<Arc<dyn Store>> {
        let handle = self.shared.recorder.store()?;
        Some(handle.store().clone())
    }

    async fn check(&self, request: Request) -> Result<(ValidatedRequest, Arc<Value>), RunError> {
        let entry = self.find(&request.operation)?;
        let operation = entry.operation();
        let grants = self.shared.policy.grant(operation, &request.limits)?;
        let deadline = Deadline::after(grants.limits().timeout, request.cancel);
        let actor = request.caller.actor(&request.input);
        let flags = request.caller.flags(&request.input);
        let schemas = entry.schemas().map_err(|reason| unavailable(&entry, &reason))?;
        let schemas = Arc::clone(schemas);
        // A dry run commits nothing, so its result must not be stored for later calls.
        let key = request.record.idempotency_key.filter(|_| !flags.dry_run);
        let checked = check_input(&schemas.input, request.input, key.is_some(), &deadline).await;
        let ((value, input), raw_input) = checked.map_err(|error| match error {
            InputError::Work(WorkError::Interrupted(why)) => interrupted(operation, &grants, why),
            InputError::Work(WorkError::Shortage(source)) => {
                RunError::Shortage { operation: operation.name.clone(), source }
            }
            InputError::Violations(violations) => {
                RunError::InvalidInput { operation: operation.name.clone(), violations }
            }
        })?;
        let record = RecordRequest { idempotency_key: key, raw_input, ..request.record };
        let (context, observer) = (request.context, request.observer);
        let checked = ValidatedRequest {
            entry,
            schemas,
            input,
            grants,
            actor,
            flags,
            context,
            deadline,
            observer,
            record,
        };
        Ok((checked, Arc::new(value)))
    }

    /// Loads the code, and opens the store at the same time. Compilation cannot be interrupted, so
    /// it happens before the run starts and does not count against the deadline.
    async fn load(&self, mut checked: ValidatedRequest) -> Result<PreparedRun, RunError> {
        let began = Instant::now();
        let ValidatedRequest { entry, record, flags, .. } = &checked;
        let key = record.idempotency_key.as_deref();
        self.shared.recorder.prepare(entry.operation(), record.record_override, key, *flags);
        let guest = entry.file.guest(&self.shared.sandbox).await;
        let guest = guest.map_err(|reason| unavailable(entry, &reason))?.clone();
        // Compilation has a budget of its own.
        checked.deadline.extend(began.elapsed());
        Ok(PreparedRun { checked, guest })
    }

    fn find(&self, name: &str) -> Result<Arc<RegisteredOperation>, RunError> {
        self.registry().get(name).cloned().ok_or_else(|| self.no_such_operation(name))
    }

    /// Returns a host with the current operations of this host and with another data directory. The
    /// compiled code is shared, so the call takes microseconds.
    ///
    /// The new host skips the clean shutdown of its store, so it is for stores that are removed
    /// afterwards, such as those of tests.
    #[must_use]
    pub fn with_data(&self, data: impl Into<PathBuf>) -> Self {
        let shared = &self.shared;
        let recorder = shared.recorder.with_data(&DataDir::new(data), ShutdownMode::Skip);
        let retry_lock = RetryLock::new(recorder.store().map(StoreHandle::data));
        let shared = Shared {
            sandbox: shared.sandbox.clone(),
            loader: Arc::clone(&shared.loader),
            registry: RwLock::new(self.registry()),
            policy: shared.policy.clone(),
            recorder,
            reloading: tokio::sync::Mutex::default(),
            retry_lock,
            retention: shared.retention.clone(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the catalog of the current operations.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(self.registry())
    }

    fn registry(&self) -> Arc<Registry> {
        // The lock holder only replaces the value as a whole, so it is valid after a panic.
        Arc::clone(&self.shared.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns ignored entries of the plugin directories that may be plugins, each with the reason
    /// and a fix: files with an extension that is not in lower case, and subdirectories with
    /// plugins. Rejected files are in [`Catalog::rejected`].
    pub fn ignored_files(&self) -> Vec<(PathBuf, String)> {
        let ignored = self.shared.loader.ignored().into_iter();
        ignored.map(|Ignored { path, reason }| (path, reason.to_string())).collect()
    }

    /// Returns the problem of the directory of compiled code, and the directory that is used
    /// instead.
    pub fn cache_error(&self) -> Option<String> {
        self.shared.sandbox.code_dir()?.problem()
    }

    /// Returns the read API of run records; `None` without a data directory.
    pub fn runs(&self) -> Option<Runs<'_>> {
        self.shared.recorder.store().map(Runs::new)
    }

    /// Returns the read API of documents; `None` without a data directory.
    pub fn documents(&self) -> Option<DocumentReader<'_>> {
        self.shared.recorder.store().map(DocumentReader::new)
    }

    /// Returns the API of secondary indexes; `None` without a data directory.
    pub fn indexes(&self) -> Option<Indexes<'_>> {
        self.shared.recorder.store().map(Indexes::new)
    }

    /// Reloads the plugin directories.
    ///
    /// If a loaded file is invalid now, its last valid version stays in use until the file is valid
    /// again or deleted. Runs in progress continue with the version that they started with.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if a directory cannot be read. The operations do not change then.
    pub async fn reload(&self) -> Result<(), HostError> {
        let _guard = self.shared.reloading.lock().await;
        let registry = Arc::new(self.shared.loader.load(Some(&self.registry())).await?);
        *self.shared.registry.write().unwrap_or_else(PoisonError::into_inner) = registry;
        Ok(())
    }

    /// Reloads the plugin directories 200 ms after their last change, until the returned guard is
    /// dropped. If a reload fails, the operations do not change until the next reload.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if the directories cannot be watched.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn watch(&self) -> Result<WatchGuard, HostError> {
        let mut watcher = registry::watch(&self.shared.loader)?;
        let host = self.clone();
        let task = tokio::spawn(async move {
            loop {
                // Includes changes before the watch. A failed reload is repeated at the next change.
                host.reload().await.ok();
                watcher.changed().await;
            }
        });
        Ok(WatchGuard { task })
    }

    /// Returns the error for an unknown operation.
    pub fn no_such_operation(&self, name: &str) -> RunError {
        let registry = self.registry();
        let untrusted = registry.rejected().iter().filter_map(|it| it.reason.untrusted());
        let paths: Vec<_> = untrusted.flat_map(|untrusted| untrusted.paths.clone()).collect();
        if let Some(untrusted) = Untrusted::of(paths) {
            return RunError::Untrusted { name: name.to_owned(), untrusted };
        }
        if let Some(rejected) = registry.rejected_with(name) {
            let (name, file) = (name.to_owned(), rejected.path.clone());
            return RunError::PluginRejected { name, file, reason: rejected.reason.to_string() };
        }
        let rejected = registry.rejected_without_operations().map(RejectedFile::from).collect();
        let catalog = Catalog::new(registry);
        RunError::NoSuchOperation {
            name: name.to_owned(),
            similar: catalog.similar(name).map(ToOwned::to_owned),
            rejected,
        }
    }
}

/// Guard of [`Host::watch`]. Dropping it stops the watch.
#[derive(Debug)]
#[must_use]
pub struct WatchGuard {
    task: JoinHandle<()>,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn unavailable(entry: &RegisteredOperation, reason: &FileError) -> RunError {
    let operation = entry.operation().name.clone();
    if let Some(source) = reason.shortage() {
        return RunError::Shortage { operation, source };
    }
    RunError::Unavailable {
        operation,
        file: entry.file.path.clone(),
        reason: reason.to_string(),
        exceeded: reason.compile_limit(),
    }
}

/// Validates an input and applies defaults. With an idempotency key, also returns the input before
/// the defaults.
async fn check_input(
    schema: &Arc<Schema>,
    input: Value,
    has_key: bool,
    deadline: &Deadline,
) -> Result<((Value, ValidInput), Option<Arc<Value>>), InputError> {
    let (size, schema) = (WorkSize::of(&input), Arc::clone(schema));
    let check = move |budget: &Budget| {
        let raw_input = has_key.then(|| Arc::new(input.clone()));
        schema.check_input(input, budget).map(|checked| (checked, raw_input))
    };
    let checked = deadline.work(size, check).await.map_err(WorkError::Shortage)?;
    Ok(checked?)
}

/// The reason why an input was not accepted.
enum InputError {
    Violations(Violations),
    Work(WorkError),
}

impl From<CheckError> for InputError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Violations(violations) => Self::Violations(violations),
            CheckError::Interrupted(why) => Self::Work(why.into()),
            CheckError::Thread(error) => Self::Work(Shortage::from(error).into()),
        }
    }
}

impl From<WorkError> for InputError {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

/// Returns the error of a run that was cancelled or expired before its start.
fn interrupted(operation: &Operation, grants: &Grants, why: Interruption) -> RunError {
    let operation = operation.name.clone();
    match why {
        Interruption::Cancelled => RunError::Cancelled { operation },
        Interruption::Deadline | Interruption::Steps => {
            let at_maximum = grants.at_maximum().contains(&LimitName::Timeout);
            RunError::TimedOut { operation, timeout: grants.limits().timeout, at_maximum }
        }
    }
}

pub(super) fn not_started(operation: &Operation, grants: &Grants, error: NotStarted) -> RunError {
    match error {
        NotStarted::Store(error) => error.into(),
        NotStarted::Changes(source) => {
            RunError::Unkeepable { operation: operation.name.clone(), source }
        }
        NotStarted::Work(WorkError::Interrupted(why)) => interrupted(operation, grants, why),
        NotStarted::Work(WorkError::Shortage(source)) => {
            RunError::Shortage { operation: operation.name.clone(), source }
        }
    }
}

/// Executes a run until its outcome and its document changes are committed.
pub(super) async fn execute_with_retries(
    mut execution: Execution<'_>,
    tracker: &RunTracker,
    output_schema: &Arc<Schema>,
    context: &OrchestrationContext,
) -> Result<RunReport, RunError> {
    loop {
        if let Some((outcome, effects)) = tracker.run_with_flushes(execution.execute()).await? {
            let (outcome, recorded_outcome, effects) =
                prepare(&execution, tracker, output_schema, (outcome, effects)).await;
            let report = RunReport::new(&execution, tracker, context, outcome, &effects);
            let finished =
                report.record(tracker, recorded_outcome, (&effects, execution.capability_use()));
            match finished.await? {
                FinishOutcome::Done => return Ok(report),
                FinishOutcome::Duplicate(duplicate) => {
                    let outcome = (Outcome::Failed(duplicate.failure()), Arc::default());
                    let ended = prepare(&execution, tracker, output_schema, outcome).await;
                    return end(&execution, tracker, context, ended).await;
                }
                FinishOutcome::Conflict | FinishOutcome::Lost => {}
            }
        }
        if !execution.prepare_retry().await {
            let outcome = execution.retries_exhausted();
            let ended = (outcome, RecordedOutcome::default(), Arc::default());
            return end(&execution, tracker, context, ended).await;
        }
    }
}

/// Records an outcome without document changes.
async fn end(
    execution: &Execution<'_>,
    tracker: &RunTracker,
    context: &OrchestrationContext,
    (outcome, recorded_outcome, nothing): (Outcome, RecordedOutcome, Arc<CommitRequest>),
) -> Result<RunReport, RunError> {
    let report = RunReport::new(execution, tracker, context, outcome, &nothing);
    report.record(tracker, recorded_outcome, (&nothing, execution.capability_use())).await?;
    Ok(report)
}

/// Prepares the recorded outcome. If the deadline passes, the run fails without document changes.
async fn prepare(
    execution: &Execution<'_>,
    tracker: &RunTracker,
    output_schema: &Arc<Schema>,
    (outcome, effects): (Outcome, Arc<CommitRequest>),
) -> (Outcome, RecordedOutcome, Arc<CommitRequest>) {
    // A dry run commits no document changes.
    let changes = if execution.is_dry() { Arc::default() } else { Arc::clone(&effects) };
    let deadline = execution.deadline();
    match tracker.prepare(outcome, output_schema, changes, deadline).await {
        Ok((outcome, recorded_outcome)) => (outcome, recorded_outcome, effects),
        Err(why) => {
            let outcome = execution.outcome_of(why, "its record was being prepared");
            (outcome, RecordedOutcome::default(), Arc::default())
        }
    }
}

/// A validated request.
struct ValidatedRequest {
    entry: Arc<RegisteredOperation>,
    schemas: Arc<Schemas>,
    input: ValidInput,
    grants: Grants,
    actor: Actor,
    flags: Flags,
    context: OrchestrationContext,
    deadline: Deadline,
    observer: Option<Observer>,
    record: RecordRequest,
}

impl ValidatedRequest {
    fn not_started(&self, error: NotStarted) -> RunError {
        not_started(self.entry.operation(), &self.grants, error)
    }
}

/// A validated request with loaded code.
struct PreparedRun {
    checked: ValidatedRequest,
    guest: Guest,
}
