//! The host: [`Host::run`] is the path of a run on one page.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use ophost_document::{Budget, Interruption};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::execution::{Executable, Execution, ExecutionRequest};
use super::record::{
    BeginOutcome, KeptOutcome, NotBegun, Recorder, RunSpec, RunTracker, TrackerOutcome,
};
use super::request::RecordRequest;
use super::{HostBuilder, HostError, Request, RunError, RunReport};
use crate::context::OrchestrationContext;
use crate::documents::reader::DocumentReader;
use crate::model::document::CommitRequest;
use crate::model::limits::LimitName;
use crate::model::operation::Operation;
use crate::model::outcome::{Actor, Flags, Outcome};
use crate::model::run_record::{Masked, RunId};
use crate::policy::{Grants, Policy};
use crate::registry::catalog::Catalog;
use crate::registry::{self, FileError, Ignored, Loader, RegisteredOperation, Registry, Schemas};
use crate::runs::Runs;
use crate::sandbox::{Guest, Observer, Sandbox};
use crate::store::{RetryLock, Store};
use crate::util::deadline::{Deadline, Undone, WorkSize};
use crate::util::os_error::Shortage;
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
    pub(super) loader: Loader,
    /// Swapped as a whole: whoever took it out keeps what it took.
    pub(super) registry: RwLock<Arc<Registry>>,
    pub(super) policy: Policy,
    pub(super) recorder: Recorder,
    /// Held while directories are read: an older picture must not replace a newer one.
    pub(super) reloading: tokio::sync::Mutex<()>,
    pub(super) turns: RetryLock,
}

impl Host {
    /// Returns a builder: no plugin directory, default limits.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Runs an operation once and returns how it ended.
    ///
    /// What is to be recorded is on the disk before the guest runs, and its end before this
    /// returns. Where an idempotency key names a run that ended well, that one is returned.
    ///
    /// The time of the run begins with the call. All that the host does for the run counts, up to
    /// the writing of its end, but for the loading of its code, which has a budget of its own.
    ///
    /// Needs a tokio runtime with time enabled. A guest gives the thread back every
    /// ten milliseconds, but for instructions on much memory, which are not interrupted. What the
    /// host does with large inputs and outputs is done on threads of the runtime's pool, which end
    /// soon after the deadline. Dropping the future stops the guest and these; what the run changed
    /// is not kept, and a recorded run is FAILED, as crashed, in a moment.
    ///
    /// # Errors
    ///
    /// Returns [`RunError`] if the run did not begin: the operation is unknown, the input
    /// breaks its schema, the limits asked for are not allowed, its record cannot be written, its
    /// time was over before.
    /// A run that began and failed is not an error but a [`RunReport`] with [`Outcome::Failed`](crate::Outcome::Failed);
    /// but [`RunError::Unrecorded`] is one that began and whose end could not be written.
    pub async fn run(&self, request: Request) -> Result<RunReport, RunError> {
        let (checked, input) = self.check(request).await?;
        let loaded = self.load(checked).await?;
        match self.begin(&loaded, input).await? {
            BeginOutcome::Started(keeping) => self.execute(loaded, keeping).await,
            BeginOutcome::Replayed(run) if run.erased_at.is_some() => {
                Err(RunError::Erased { run_id: run.id })
            }
            BeginOutcome::Replayed(run) if run.is_masked(Masked::Output) => {
                Err(RunError::Masked { run_id: run.id })
            }
            BeginOutcome::Replayed(run) => Ok(RunReport::from_record(*run)
                .with_id(&loaded.checked.entry.operation().output_schema)),
            BeginOutcome::InProgress(run_id) => Err(RunError::InProgress { run_id }),
            BeginOutcome::KeyConflict(run, input) => Err(RunError::Conflict {
                run_id: run.id,
                inputs: run.erased_at.is_none().then(|| Box::new((run.input_dump, input))),
            }),
        }
    }

    /// Takes the input, which may be large: from here on its text is enough.
    async fn begin(
        &self,
        loaded: &PreparedRun,
        input: Arc<Value>,
    ) -> Result<BeginOutcome, RunError> {
        let ValidatedRequest { entry, schemas, grants, .. } = &loaded.checked;
        let ValidatedRequest { actor, flags, context, record, .. } = &loaded.checked;
        let subject = RunSpec {
            operation: entry.operation(),
            component: Some(entry.file.digest),
            version: &entry.file.plugin.version,
            raw_input: record.asked_input.as_ref(),
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
            parent: None,
        };
        let begun = self.shared.recorder.begin(subject, &loaded.checked.deadline).await;
        begun.map_err(|error| loaded.checked.not_begun(error))
    }

    async fn execute(
        &self,
        mut loaded: PreparedRun,
        keeping: RunTracker,
    ) -> Result<RunReport, RunError> {
        let log = loaded.checked.grants.limits().log;
        let journal = keeping.journal(log, loaded.checked.observer.take());
        let execution =
            Execution::new(self.work(&loaded, keeping.run_id()), journal, &self.shared.turns);
        let ValidatedRequest { schemas, context, entry, .. } = &loaded.checked;
        let report = execute_with_retries(execution, &keeping, &schemas.output, context).await?;
        Ok(report.with_id(&entry.operation().output_schema))
    }

    fn work<'a>(&'a self, loaded: &'a PreparedRun, run_id: Option<RunId>) -> ExecutionRequest<'a> {
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
        // A dry run changes nothing, so that it must not answer for one that does.
        let key = request.record.idempotency_key.filter(|_| !flags.dry_run);
        let checked = check_input(&schemas.input, request.input, key.is_some(), &deadline).await;
        let ((value, input), asked_input) = checked.map_err(|error| match error {
            InputError::Undone(Undone::Interrupted(why)) => interrupted(operation, &grants, why),
            InputError::Undone(Undone::Shortage(source)) => {
                RunError::Shortage { operation: operation.name.clone(), source }
            }
            InputError::Violations(violations) => {
                RunError::InvalidInput { operation: operation.name.clone(), violations }
            }
        })?;
        let record = RecordRequest { idempotency_key: key, asked_input, ..request.record };
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

    /// Makes sure of the code, which may have to be compiled: that cannot be interrupted, so
    /// it happens before the run begins, and does not count. Meanwhile the store is opened.
    async fn load(&self, mut checked: ValidatedRequest) -> Result<PreparedRun, RunError> {
        let began = Instant::now();
        let ValidatedRequest { entry, record, flags, .. } = &checked;
        let key = record.idempotency_key.as_deref();
        self.shared.recorder.prepare(entry.operation(), record.record_override, key, *flags);
        let guest = entry.file.guest(&self.shared.sandbox).await;
        let guest = guest.map_err(|reason| unavailable(entry, &reason))?.clone();
        // Compiling has a budget of its own.
        checked.deadline.put_off(began.elapsed());
        Ok(PreparedRun { checked, guest })
    }

    fn find(&self, name: &str) -> Result<Arc<RegisteredOperation>, RunError> {
        self.registry().get(name).cloned().ok_or_else(|| self.no_such_operation(name))
    }

    /// Returns what there is to run now.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(self.registry())
    }

    fn registry(&self) -> Arc<Registry> {
        // Nothing that holds the lock can leave it half written.
        Arc::clone(&self.shared.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what is in the plugin directories now and probably meant to be a plugin, but not
    /// read, and for each a sentence why and what to do: files whose extension is not in lower
    /// case, and subdirectories with plugins. What is read and not used is in
    /// [`Catalog::rejected`].
    pub fn ignored_files(&self) -> Vec<(PathBuf, String)> {
        let ignored = self.shared.loader.ignored().into_iter();
        ignored.map(|Ignored { path, reason }| (path, reason.to_string())).collect()
    }

    /// Returns why compiled plugins are not kept where they should be, and where they are kept
    /// instead.
    pub fn cache_error(&self) -> Option<String> {
        self.shared.sandbox.code_dir()?.problem()
    }

    /// Returns the records of runs; `None` without a data directory.
    pub fn runs(&self) -> Option<Runs<'_>> {
        self.shared.recorder.store().map(Runs::new)
    }

    /// Returns the documents that runs read and change; `None` without a data directory.
    pub fn documents(&self) -> Option<DocumentReader<'_>> {
        self.shared.recorder.store().map(DocumentReader::new)
    }

    /// Reads the plugin directories again, and from now on runs what is there.
    ///
    /// A file that was used and is bad now is used as it was, until it is good again or gone.
    /// Runs that began before go on with what they began with.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if a directory cannot be read; then nothing changes.
    pub async fn reload(&self) -> Result<(), HostError> {
        let _turn = self.shared.reloading.lock().await;
        let registry = Arc::new(self.shared.loader.load(Some(&self.registry())).await?);
        *self.shared.registry.write().unwrap_or_else(PoisonError::into_inner) = registry;
        Ok(())
    }

    /// Reloads whenever the plugin directories have changed and been quiet for 200 ms, until
    /// the returned value is dropped.
    ///
    /// Where a reload fails, what there was goes on being used, and the next change is
    /// waited for.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if the system does not tell of changes.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn watch(&self) -> Result<WatchGuard, HostError> {
        let mut watcher = registry::watch(&self.shared.loader)?;
        let host = self.clone();
        let task = tokio::spawn(async move {
            loop {
                // First what changed before. The next change may mend what fails.
                host.reload().await.ok();
                watcher.changed().await;
            }
        });
        Ok(WatchGuard { task })
    }

    /// Returns the error that says that no operation has this name.
    pub fn no_such_operation(&self, name: &str) -> RunError {
        let registry = self.registry();
        let untrusted = registry.rejected().iter().filter_map(|it| it.reason.untrusted());
        let paths: Vec<_> = untrusted.flat_map(|untrusted| untrusted.paths.clone()).collect();
        if let Some(untrusted) = Untrusted::of(paths) {
            return RunError::Untrusted { name: name.to_owned(), untrusted };
        }
        if let Some(refused) = registry.rejected_with(name) {
            let (name, file) = (name.to_owned(), refused.path.clone());
            return RunError::PluginRejected { name, file, reason: refused.reason.to_string() };
        }
        let catalog = Catalog::new(registry);
        RunError::NoSuchOperation {
            name: name.to_owned(),
            similar: catalog.similar(name).map(ToOwned::to_owned),
            refused: catalog.rejected().count(),
        }
    }
}

/// A host watches its plugin directories as long as this lives.
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
    RunError::Unavailable { operation, file: entry.file.path.clone(), reason: reason.to_string() }
}

/// Checks an input and returns it; with a key, also returns the input as it came: only a key asks what it was
/// before its defaults.
async fn check_input(
    schema: &Arc<Schema>,
    input: Value,
    has_key: bool,
    deadline: &Deadline,
) -> Result<((Value, ValidInput), Option<Arc<Value>>), InputError> {
    let (size, schema) = (WorkSize::of(&input), Arc::clone(schema));
    let check = move |budget: &Budget| {
        let asked = has_key.then(|| Arc::new(input.clone()));
        schema.check_input(input, budget).map(|checked| (checked, asked))
    };
    let checked = deadline.work(size, check).await.map_err(Undone::Shortage)?;
    Ok(checked?)
}

/// The reason why an input was not accepted.
enum InputError {
    Violations(Violations),
    Undone(Undone),
}

impl From<CheckError> for InputError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Violations(violations) => Self::Violations(violations),
            CheckError::Interrupted(why) => Self::Undone(why.into()),
            CheckError::Thread(error) => Self::Undone(Shortage::from(error).into()),
        }
    }
}

impl From<Undone> for InputError {
    fn from(undone: Undone) -> Self {
        Self::Undone(undone)
    }
}

/// Returns why a run did not begin for which there was no time.
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

pub(super) fn not_begun(operation: &Operation, grants: &Grants, error: NotBegun) -> RunError {
    match error {
        NotBegun::Store(error) => error.into(),
        NotBegun::Changes(source) => {
            RunError::Unkeepable { operation: operation.name.clone(), source }
        }
        NotBegun::Undone(Undone::Interrupted(why)) => interrupted(operation, grants, why),
        NotBegun::Undone(Undone::Shortage(source)) => {
            RunError::Shortage { operation: operation.name.clone(), source }
        }
    }
}

/// Executes a run until how it ended could be kept together with what it changed.
pub(super) async fn execute_with_retries(
    mut execution: Execution<'_>,
    keeping: &RunTracker,
    output_schema: &Arc<Schema>,
    context: &OrchestrationContext,
) -> Result<RunReport, RunError> {
    loop {
        if let Some((outcome, effects)) = keeping.run_with_flushes(execution.execute()).await {
            let (outcome, kept, effects) =
                prepare(&execution, keeping, output_schema, (outcome, effects)).await;
            let report = RunReport::new(&execution, keeping, context, outcome, &effects);
            if report.record(keeping, kept, (&effects, execution.reached())).await?
                == TrackerOutcome::Done
            {
                return Ok(report);
            }
        }
        if !execution.prepare_retry().await {
            let (outcome, nothing) = (execution.retries_exhausted(), Arc::default());
            let report = RunReport::new(&execution, keeping, context, outcome, &nothing);
            let kept = KeptOutcome::default();
            report.record(keeping, kept, (&nothing, execution.reached())).await?;
            return Ok(report);
        }
    }
}

/// Prepares what is kept of a run. One for which there is no time fails, and changes nothing.
async fn prepare(
    execution: &Execution<'_>,
    keeping: &RunTracker,
    output_schema: &Arc<Schema>,
    (outcome, effects): (Outcome, Arc<CommitRequest>),
) -> (Outcome, KeptOutcome, Arc<CommitRequest>) {
    // A dry run keeps nothing of what it changes.
    let changes = if execution.is_dry() { Arc::default() } else { Arc::clone(&effects) };
    let deadline = execution.deadline();
    match keeping.prepare(outcome, output_schema, changes, deadline).await {
        Ok((outcome, kept)) => (outcome, kept, effects),
        Err(why) => {
            let outcome = execution.outcome_of(why, "its record was being made");
            (outcome, KeptOutcome::default(), Arc::default())
        }
    }
}

/// A request that may run: all that was asked was checked.
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
    /// Where the log of a run that is recorded goes on.
    record: RecordRequest,
}

impl ValidatedRequest {
    fn not_begun(&self, error: NotBegun) -> RunError {
        not_begun(self.entry.operation(), &self.grants, error)
    }
}

/// A request whose code is ready, too.
struct PreparedRun {
    checked: ValidatedRequest,
    guest: Guest,
}
