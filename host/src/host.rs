//! The path of a run, on one page.
//!
//! [`Host::run`] is what every door calls: check the request against what the host knows,
//! execute what was checked, say how it ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::catalog::Catalog;
use crate::context::Context;
use crate::digest::Digest;
use crate::operation::OperationName;
use crate::policy::{Grants, LimitRequest, Limits, OperationLimits, Policy, PolicyError};
use crate::private_dir::DataDir;
use crate::record::{self, EndOfRun, RecordRule, Recorded, Recorder, Recording, Subject};
use crate::registry::{
    self, Entry, FileError, LoadObserver, Loader, LoaderOptions, Loading, Registry, RegistryError,
    Schemas,
};
use crate::run::{Actor, Event, Failure, FailureKind, Flags, Outcome, Trail, Usage};
use crate::runs::Runs;
use crate::sandbox::{
    self, CompileBudget, Compiler, Ended, Guest, Job, Observer, Overflow, Sandbox, SandboxError,
    SandboxOptions, Stopped,
};
use crate::schema::{Schema, ValidInput, Violations};
use crate::store::{AtEnd, StoreError};
use crate::task_run::{Masked, RunId, RunState, TaskRun};
use ophost_document::json;

/// What a door needs that is the compiler's child process, or starts one.
pub(crate) use crate::sandbox::{COMPILER_COMMAND, serve_compiler, this_program};

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
    shared: Arc<Shared>,
}

struct Shared {
    sandbox: Sandbox,
    loader: Loader,
    /// Swapped as a whole: whoever took it out keeps what it took.
    registry: RwLock<Arc<Registry>>,
    policy: Policy,
    recorder: Recorder,
    /// Held while directories are read: an older picture must not replace a newer one.
    reloading: tokio::sync::Mutex<()>,
}

impl Host {
    /// Returns a builder: no plugin directory, default limits.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            loader: LoaderOptions::default(),
            compiler: Compiler::Here,
            rule: RecordRule::default(),
            at_end: AtEnd::default(),
            defaults: Limits::DEFAULT,
            maxima: Limits::DEFAULT_MAXIMA,
            operations: BTreeMap::new(),
        }
    }

    /// Runs an operation once and returns how it ended.
    ///
    /// What is to be recorded is on the disk before the guest runs, and its end before this
    /// returns. Where an idempotency key names a run that ended well, that one is returned.
    ///
    /// Needs a tokio runtime with time enabled. A guest gives the thread back every
    /// ten milliseconds, but for instructions on much memory, which are not interrupted, and the
    /// check of its output. Dropping the future stops the guest, and leaves a recorded run
    /// RUNNING until this process ends.
    ///
    /// # Errors
    ///
    /// Returns [`RunError`] if the run did not begin: the operation is unknown, the input
    /// breaks its schema, the limits asked for are not allowed, its record cannot be written.
    /// A run that began and failed is not an error but a [`Report`] with [`Outcome::Failed`];
    /// but [`RunError::Unrecorded`] is one that began and whose end could not be written.
    pub async fn run(&self, request: Request) -> Result<Report, RunError> {
        let checked = self.check(request)?;
        let loaded = self.load(checked).await?;
        match self.begin(&loaded).await? {
            Recorded::Not => Ok(self.execute(loaded, None).await),
            Recorded::Begun(recording) => self.record(loaded, recording).await,
            Recorded::Before(run) if run.erased_at.is_some() => {
                Err(RunError::Erased { run_id: run.id })
            }
            Recorded::Before(run) if run.is_masked(Masked::Output) => {
                Err(RunError::Masked { run_id: run.id })
            }
            Recorded::Before(run) => {
                Ok(Report::of(*run).with_id(&loaded.checked.entry.operation().output_schema))
            }
            Recorded::Running(run_id) => Err(RunError::InProgress { run_id }),
            Recorded::Conflict(run, input) => Err(RunError::Conflict {
                run_id: run.id,
                inputs: Box::new((run.input_dump, input)),
            }),
        }
    }

    async fn begin(&self, loaded: &Loaded) -> Result<Recorded, RunError> {
        let Checked { entry, schemas, input, grants, .. } = &loaded.checked;
        let Checked { actor, flags, context, record, .. } = &loaded.checked;
        let subject = Subject {
            operation: entry.operation(),
            component: entry.file.digest,
            version: &entry.file.plugin.version,
            asked_input: &record.input,
            input: input.value(),
            input_schema: &schemas.input,
            output_schema: &schemas.output,
            actor,
            flags: *flags,
            context,
            tags: &record.tags,
            limits: *grants.limits(),
            granted: loaded.guest.reaches(),
            asked: record.asked,
            key: record.key.as_deref(),
            rerun_of: record.rerun_of,
        };
        Ok(self.shared.recorder.begin(subject, &loaded.checked.cancel).await?)
    }

    /// Runs what is being recorded, and writes down how it ends.
    async fn record(&self, mut loaded: Loaded, recording: Recording) -> Result<Report, RunError> {
        let run_id = recording.id();
        let observer = loaded.checked.observer.take();
        loaded.checked.observer = Some(recording.observer(observer));
        loaded.checked.overflow = Some(recording.overflow());
        let entry = Arc::clone(&loaded.checked.entry);
        let schemas = Arc::clone(&loaded.checked.schemas);
        let report = recording.while_logging(self.execute(loaded, Some(run_id))).await;
        let Report { outcome, trail, usage, .. } = &report;
        let output_schema = &schemas.output;
        let ended = EndOfRun { outcome, output_schema, trail, usage: *usage };
        let ended = recording.finish(ended).await;
        let logs_ref = ended.map_err(|source| RunError::Unrecorded { run_id, source })?;
        let report = Report { logs_ref, ..report };
        Ok(report.with_id(&entry.operation().output_schema))
    }

    fn check(&self, request: Request) -> Result<Checked, RunError> {
        let entry = self.find(&request.operation)?;
        let operation = entry.operation();
        let actor = request.caller.actor(&request.input);
        let flags = request.caller.flags(&request.input);
        let schemas = entry.schemas().map_err(|reason| unavailable(&entry, &reason))?;
        let schemas = Arc::clone(schemas);
        // Only a key asks what the input was before its defaults.
        let asked_input = request.record.key.as_ref().map(|_| request.input.clone());
        let record = RecordRequest { input: asked_input.unwrap_or_default(), ..request.record };
        let input = schemas.input.check_input(request.input).map_err(|violations| {
            RunError::InvalidInput { operation: operation.name.clone(), violations }
        })?;
        let policy = &self.shared.policy;
        let grants = policy.grant(&operation.name, &operation.hints, &request.limits)?;
        let (context, cancel, observer) = (request.context, request.cancel, request.observer);
        Ok(Checked {
            entry,
            schemas,
            input,
            grants,
            actor,
            flags,
            context,
            cancel,
            observer,
            overflow: None,
            record,
        })
    }

    /// Makes sure of the code, which may have to be compiled: that cannot be interrupted, so
    /// it happens before the run begins. Meanwhile the store is opened.
    async fn load(&self, checked: Checked) -> Result<Loaded, RunError> {
        let Checked { entry, record, .. } = &checked;
        self.shared.recorder.prepare(entry.operation(), record.asked, record.key.as_deref());
        let guest = entry.file.guest(&self.shared.sandbox).await;
        let guest = guest.map_err(|reason| unavailable(entry, &reason))?.clone();
        Ok(Loaded { checked, guest })
    }

    async fn execute(&self, loaded: Loaded, run_id: Option<RunId>) -> Report {
        let Loaded { checked, guest } = loaded;
        let Checked { entry, schemas, input, grants, actor, .. } = checked;
        let Checked { flags, context, cancel, observer, overflow, record, .. } = checked;
        let operation = &entry.operation().name;
        let job = Job {
            operation,
            input: &input,
            grants: &grants,
            run_id: run_id.map(|id| id.to_string()),
            // A dry run takes no key.
            idempotency_key: record.key.filter(|_| !flags.dry_run),
            actor,
            flags,
            cancel,
            observer,
            overflow,
        };
        let Ended { outcome, trail, usage } = self.shared.sandbox.invoke(&guest, job).await;
        let outcome = match outcome {
            Ok(output) => judge_output(&output, &schemas.output),
            Err(Stopped::Failed(failure)) => Outcome::Failed(*failure),
            Err(Stopped::Cancelled) => Outcome::Cancelled,
        };
        let (operation, logs_ref) = (operation.clone(), None);
        Report { operation, run_id, context, outcome, trail, logs_ref, usage }
    }

    fn find(&self, name: &str) -> Result<Arc<Entry>, RunError> {
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

    /// Returns what is wrong with the data directory, so that nothing is kept in it.
    pub fn data_problem(&self) -> Option<String> {
        self.shared.sandbox.cache_problem()
    }

    /// Returns the records of runs; `None` without a data directory.
    pub fn runs(&self) -> Option<Runs<'_>> {
        self.shared.recorder.store().map(Runs::new)
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
    pub fn watch(&self) -> Result<Watching, HostError> {
        let mut watcher = registry::watch(&self.shared.loader)?;
        let host = self.clone();
        let task = tokio::spawn(async move {
            loop {
                // First what changed before. The next change may mend what fails.
                host.reload().await.ok();
                watcher.changed().await;
            }
        });
        Ok(Watching { task })
    }

    /// Returns the error that says that no operation has this name.
    pub(crate) fn no_such_operation(&self, name: &str) -> RunError {
        let registry = self.registry();
        if let Some(refused) = registry.not_used(name) {
            let (name, file) = (name.to_owned(), refused.path.clone());
            return RunError::NotUsed { name, file, reason: refused.reason.to_string() };
        }
        let catalog = Catalog::new(registry);
        RunError::NoSuchOperation {
            name: name.to_owned(),
            similar: catalog.similar(name).map(ToOwned::to_owned),
            refused: catalog.refused().count(),
        }
    }
}

/// A host watches its plugin directories as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct Watching {
    task: JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn unavailable(entry: &Entry, reason: &FileError) -> RunError {
    RunError::Unavailable {
        operation: entry.operation().name.clone(),
        file: entry.file.path.clone(),
        reason: reason.to_string(),
    }
}

fn judge_output(output: &str, schema: &Schema) -> Outcome {
    let invalid = |message: String| Failure::new(FailureKind::InvalidOutput, message);
    let value = match json::parse(output) {
        Ok(value) => value,
        Err(error) => return Outcome::Failed(invalid(format!("the output is not JSON: {error}"))),
    };
    match schema.check(&value) {
        Ok(()) => Outcome::Success(value),
        Err(violations) => Outcome::Failed(Failure {
            details: serde_json::to_value(&violations.list).ok(),
            ..invalid(format!("the output {violations}"))
        }),
    }
}

/// Looks at components outside any plugin directory, for those who build them.
pub(crate) struct Inspector {
    sandbox: Sandbox,
}

impl Inspector {
    /// The version of the engine, and how versions of the contract begin that it runs.
    pub(crate) const VERSIONS: (&str, &str) = (sandbox::ENGINE_VERSION, sandbox::CONTRACT);

    /// Returns one that compiles as a host does that was made of these options.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run here.
    pub(crate) fn new(options: &HostBuilder) -> Result<Self, HostError> {
        Ok(Self { sandbox: options.sandbox()? })
    }

    /// Returns the names of a plugin's operations.
    ///
    /// # Errors
    ///
    /// Returns the reason why a host would refuse the content.
    pub(crate) async fn inspect(&self, bytes: &[u8]) -> Result<Vec<OperationName>, FileError> {
        let (_, plugin) = registry::inspect(&Digest::of(bytes), bytes, &self.sandbox).await?;
        Ok(plugin.operations.into_iter().map(|operation| operation.name).collect())
    }

    /// Returns a module of the user's own as a component, and its operations.
    ///
    /// # Errors
    ///
    /// As [`Self::inspect`].
    pub(crate) async fn componentize(
        &self,
        module: &[u8],
    ) -> Result<(Vec<u8>, Vec<OperationName>), FileError> {
        let component = sandbox::componentize(module)?.into_owned();
        let names = self.inspect(&component).await?;
        Ok((component, names))
    }
}

/// A request that may run: all that was asked was checked.
struct Checked {
    entry: Arc<Entry>,
    schemas: Arc<Schemas>,
    input: ValidInput,
    grants: Grants,
    actor: Actor,
    flags: Flags,
    context: Context,
    cancel: CancellationToken,
    observer: Option<Observer>,
    /// Where the log of a run that is recorded goes on.
    overflow: Option<Overflow>,
    record: RecordRequest,
}

/// What a caller says of the record of a run.
#[derive(Clone, Debug, Default)]
struct RecordRequest {
    /// The input as it came.
    input: Value,
    asked: Option<bool>,
    key: Option<String>,
    tags: Vec<String>,
    rerun_of: Option<RunId>,
}

/// A request whose code is ready, too.
struct Loaded {
    checked: Checked,
    guest: Guest,
}

/// Says what a host is made of.
#[derive(Clone, Debug)]
#[must_use]
pub struct HostBuilder {
    loader: LoaderOptions,
    compiler: Compiler,
    rule: RecordRule,
    at_end: AtEnd,
    defaults: Limits,
    maxima: Limits,
    operations: BTreeMap<OperationName, OperationLimits>,
}

impl HostBuilder {
    /// Adds a directory of `*.wasm` files. One that does not exist holds nothing.
    pub fn plugins(mut self, directory: impl Into<PathBuf>) -> Self {
        self.loader.directories.push(directory.into());
        self
    }

    /// Keeps compiled plugins, and what they say of themselves, in this directory, which is
    /// made when there is something to keep. Without it each host begins anew.
    ///
    /// What is in it is executed, so it has to belong to this user and be closed to others;
    /// else it is not used: see [`Host::data_problem`].
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.loader.data = Some(DataDir::new(directory));
        self
    }

    /// Says that the process ends with the host: the records are left to the system then,
    /// which is faster than to close them.
    pub(crate) fn until_exit(mut self) -> Self {
        self.at_end = AtEnd::Leave;
        self
    }

    /// Says which runs are recorded in the data directory. Without one none is.
    pub fn record(mut self, rule: RecordRule) -> Self {
        self.rule = rule;
        self
    }

    /// Compiles plugins in child processes of this program, which has to be the `ophost`
    /// command of the same version, each with at most this budget.
    ///
    /// Building the host then needs a tokio runtime with I/O enabled, too.
    ///
    /// Without it they are compiled in this process, where a hostile one can take all time
    /// and memory.
    pub fn compiler(mut self, ophost: impl Into<PathBuf>, budget: CompileBudget) -> Self {
        self.compiler = Compiler::Child { program: ophost.into(), budget };
        self
    }

    /// Uses plugin directories and files also where every user of the machine can write them,
    /// and so run what he likes as this user.
    pub fn trust_world_writable(mut self) -> Self {
        self.loader.trust_world_writable = true;
        self
    }

    /// Lets someone hear of plugins whose content is new, before each is compiled and
    /// described.
    pub fn observe_loading(
        mut self,
        observe: impl Fn(Loading<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.loader.observer = Some(LoadObserver::new(observe));
        self
    }

    /// Sets the limits of runs whose caller and operation say nothing.
    pub fn limits(mut self, defaults: Limits) -> Self {
        self.defaults = defaults;
        self
    }

    /// Sets the most that callers may ask for and operations may hint at.
    pub fn max_limits(mut self, maxima: Limits) -> Self {
        self.maxima = maxima;
        self
    }

    /// Says more of one operation, in place of what was said of it before.
    pub fn operation_limits(mut self, name: OperationName, limits: OperationLimits) -> Self {
        self.operations.insert(name, limits);
        self
    }

    /// Compiles and describes every plugin that is not known yet, and returns the host.
    ///
    /// Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run here or a directory cannot be read or
    /// trusted. A bad plugin is no error: see [`Catalog::refused`].
    pub async fn build(self) -> Result<Host, HostError> {
        let unloaded = self.unloaded()?;
        let registry = unloaded.loader.load(None).await?;
        Ok(unloaded.with(registry))
    }

    /// As [`Self::build`], but where the data directory knows who holds the operation of that
    /// name or alias, and that file has not changed, the host has that one alone. So it takes
    /// no longer with a thousand plugins than with one.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub async fn build_for(self, operation: &str) -> Result<Host, HostError> {
        let unloaded = self.unloaded()?;
        let registry = match unloaded.loader.find(operation) {
            Some(registry) => registry,
            None => unloaded.loader.load(None).await?,
        };
        Ok(unloaded.with(registry))
    }

    /// Returns a host that knows no operation: for whoever looks at the records of runs alone.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run here.
    pub fn build_without_plugins(self) -> Result<Host, HostError> {
        Ok(self.unloaded()?.with(Registry::default()))
    }

    fn unloaded(self) -> Result<Unloaded, HostError> {
        let sandbox = self.sandbox()?;
        let recorder = Recorder::new(self.loader.data.as_ref(), self.rule, self.at_end);
        let loader = Loader::new(self.loader, sandbox.clone());
        let policy = Policy::new(self.defaults, self.maxima).operations(self.operations);
        Ok(Unloaded { sandbox, loader, policy, recorder })
    }

    fn sandbox(&self) -> Result<Sandbox, HostError> {
        let (compiler, data) = (self.compiler.clone(), self.loader.data.clone());
        Ok(Sandbox::new(SandboxOptions { compiler, data })?)
    }
}

/// A host that does not know its plugins yet.
struct Unloaded {
    sandbox: Sandbox,
    loader: Loader,
    policy: Policy,
    recorder: Recorder,
}

impl Unloaded {
    fn with(self, registry: Registry) -> Host {
        let Self { sandbox, loader, policy, recorder } = self;
        let registry = RwLock::new(Arc::new(registry));
        let reloading = tokio::sync::Mutex::default();
        let shared = Shared { sandbox, loader, registry, policy, recorder, reloading };
        Host { shared: Arc::new(shared) }
    }
}

/// A call of an operation.
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    operation: String,
    input: Value,
    caller: Caller,
    context: Context,
    limits: LimitRequest,
    cancel: CancellationToken,
    observer: Option<Observer>,
    record: RecordRequest,
}

impl Request {
    /// Returns a request by nobody in particular through the door `api`, part of nothing: the
    /// environment of this process is not read.
    pub fn new(operation: impl Into<String>, input: Value) -> Self {
        Self {
            operation: operation.into(),
            input,
            caller: Caller::at("api"),
            context: Context::default(),
            limits: LimitRequest::default(),
            cancel: CancellationToken::new(),
            observer: None,
            record: RecordRequest::default(),
        }
    }

    /// Asks for a record, or for none, whatever the operation declares.
    pub fn record(mut self, record: bool) -> Self {
        self.record.asked = Some(record);
        self
    }

    /// Names this request, so that it runs once: a run of the same operation under the same
    /// key that ended well within a day is the answer, another input under it an error. 1 to
    /// 255 characters. Such a run is always recorded, but for a dry run, which takes no key.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.record.key = Some(key.into());
        self
    }

    /// Adds a word to find the run by.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.record.tags.push(tag.into());
        self
    }

    /// Says that this is an earlier run's input once more.
    pub fn rerun_of(mut self, run: RunId) -> Self {
        self.record.rerun_of = Some(run);
        self
    }

    /// Says who asks.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Says what the run is part of.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Asks for limits other than the operation's and the host's.
    pub fn limits(mut self, limits: LimitRequest) -> Self {
        self.limits = limits;
        self
    }

    /// Lets the run be stopped: it ends as [`Outcome::Cancelled`] within a few ticks of ten
    /// milliseconds after `cancel` is cancelled.
    pub fn cancel_by(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Lets someone hear the guest's log and progress while it runs.
    ///
    /// Called on the thread that runs the guest, so it should be quick.
    pub fn observe(mut self, observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }
}

/// A run that began and ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What was run.
    pub operation: OperationName,
    /// The record's id, if it is recorded.
    pub run_id: Option<RunId>,
    /// What it was part of, as the request said.
    pub context: Context,
    /// How it ended.
    pub outcome: Outcome,
    /// What it left behind.
    pub trail: Trail,
    /// The file with the rest of its log, in the data directory, if that is recorded and too
    /// long for the record.
    pub logs_ref: Option<String>,
    /// What it used.
    pub usage: Usage,
}

impl Report {
    /// Puts the record's id into an output whose schema has a field for it.
    fn with_id(mut self, schema: &Value) -> Self {
        self.outcome = match (self.outcome, self.run_id) {
            (Outcome::Success(output), Some(id)) => {
                Outcome::Success(record::with_task_run_id(output, schema, id))
            }
            (outcome, _) => outcome,
        };
        self
    }

    /// Returns what a record says of a run that ended.
    fn of(run: TaskRun) -> Self {
        let outcome = match run.state {
            RunState::Success { output, .. } => Outcome::Success(output),
            RunState::Failed { failure, .. } => Outcome::Failed(failure),
            RunState::Pending | RunState::Running { .. } | RunState::Cancelled { .. } => {
                Outcome::Cancelled
            }
        };
        let trail = Trail {
            log: run.log_entries,
            log_dropped: run.log_dropped,
            item_errors: run.error_list,
            item_errors_dropped: 0,
        };
        Self {
            operation: run.operation_name,
            run_id: Some(run.id),
            context: Context::default(),
            outcome,
            trail,
            logs_ref: run.logs_ref,
            usage: run.usage.unwrap_or_default(),
        }
    }
}

/// A run that did not begin; nothing happened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No plugin holds an operation of that name.
    #[error("no operation is called `{name}`")]
    NoSuchOperation {
        /// The name asked for.
        name: String,
        /// A known name that is much like it.
        similar: Option<String>,
        /// How many plugin files are not used; the operation may be in one of them.
        refused: usize,
    },
    /// A file holds an operation of that name, and the file is not used.
    #[error("`{name}` is in `{}`, which is not used: {reason}", file.display())]
    NotUsed {
        /// The name asked for.
        name: String,
        /// The file; there may be more of them.
        file: PathBuf,
        /// Why it is not used, in one sentence.
        reason: String,
    },
    /// The input breaks the operation's schema.
    #[error("the input of `{operation}` {violations}")]
    InvalidInput {
        /// The operation.
        operation: OperationName,
        /// Every place where the input breaks its schema.
        violations: Violations,
    },
    /// The limits asked for are not allowed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The record of its beginning could not be written, or whether the idempotency key is
    /// free could not be found out. It did not run.
    #[error("it was not run: its record cannot be written")]
    Store(#[from] StoreError),
    /// It ran, but how it ended could not be written.
    #[error("run {run_id} ended, but that cannot be written")]
    Unrecorded {
        /// The run.
        run_id: RunId,
        /// Why.
        source: StoreError,
    },
    /// A run under the same idempotency key has not ended.
    #[error("run {run_id} under the same idempotency key is still running")]
    InProgress {
        /// That run.
        run_id: RunId,
    },
    /// The idempotency key belongs to a run that ended well, and whose answer was erased.
    #[error("run {run_id} under the same idempotency key succeeded, and its answer was erased")]
    Erased {
        /// That run.
        run_id: RunId,
    },
    /// The idempotency key belongs to a run that ended well, and whose answer holds secrets:
    /// those are not kept, so that it cannot be given again.
    #[error(
        "run {run_id} under the same idempotency key succeeded; its answer holds secrets, \
         which are not kept"
    )]
    Masked {
        /// That run.
        run_id: RunId,
    },
    /// The idempotency key belongs to a run with another input.
    #[error("the idempotency key belongs to run {run_id}, which had another input")]
    Conflict {
        /// That run.
        run_id: RunId,
        /// That run's input, and this request's, both with their defaults and secrets masked.
        inputs: Box<(Value, Value)>,
    },
    /// The operation is known, but its file is not what it was, or cannot be loaded.
    #[error("the operation `{operation}` cannot be loaded from `{}`: {reason}", file.display())]
    Unavailable {
        /// The operation.
        operation: OperationName,
        /// Where it was.
        file: PathBuf,
        /// Why, in one sentence.
        reason: String,
    },
}

/// A host that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Wasm cannot run here.
    #[error("cannot run wasm: {0}")]
    Sandbox(String),
    /// The plugin directories cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<SandboxError> for HostError {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error.to_string())
    }
}
