//! The path of a run, on one page.
//!
//! [`Host::run`] is what every door calls: check the request against what the host knows,
//! execute what was checked, say how it ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::catalog::Catalog;
use crate::json;
use crate::operation::OperationName;
use crate::policy::{Grants, LimitRequest, Limits, OperationLimits, Policy, PolicyError};
use crate::registry::{self, Entry, FileError, Registry, RegistryError};
use crate::run::{Actor, Event, Failure, FailureKind, Flags, Outcome, Trail, Usage};
use crate::sandbox::{self, Ended, Job, Observer, Sandbox, SandboxError, Stopped};
use crate::schema::{Schema, ValidInput, Violations};

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
    registry: Arc<Registry>,
    policy: Policy,
}

impl Host {
    /// Returns a builder: no plugin directory, default limits.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            plugins: Vec::new(),
            defaults: Limits::DEFAULT,
            maxima: Limits::DEFAULT_MAXIMA,
            operations: BTreeMap::new(),
        }
    }

    /// Runs an operation once and returns how it ended.
    ///
    /// Needs a tokio runtime with time enabled. A guest gives the thread back every
    /// ten milliseconds, but for instructions on much memory, which are not interrupted, and the
    /// check of its output. Dropping the future stops the guest.
    ///
    /// # Errors
    ///
    /// Returns [`RunError`] if the run did not begin: the operation is unknown, the input
    /// breaks its schema, the limits asked for are not allowed. A run that began and failed
    /// is not an error but a [`Report`] with [`Outcome::Failed`].
    pub async fn run(&self, request: Request) -> Result<Report, RunError> {
        let checked = self.check(request)?;
        Ok(self.execute(checked).await)
    }

    fn check(&self, request: Request) -> Result<Checked, RunError> {
        let entry = self.find(&request.operation)?;
        let actor = request.caller.actor(&request.input);
        let flags = request.caller.flags(&request.input);
        let input = entry.input_schema.check_input(request.input).map_err(|violations| {
            RunError::InvalidInput { operation: entry.operation.name.clone(), violations }
        })?;
        let grants = self.shared.policy.grant(
            &entry.operation.name,
            &entry.operation.hints,
            &request.limits,
        )?;
        let (cancel, observer) = (request.cancel, request.observer);
        Ok(Checked { entry: Arc::clone(entry), input, grants, actor, flags, cancel, observer })
    }

    async fn execute(&self, checked: Checked) -> Report {
        let Checked { entry, input, grants, actor, flags, cancel, observer } = checked;
        let operation = &entry.operation.name;
        let job = Job { operation, input: &input, grants: &grants, actor, flags, cancel, observer };
        let Ended { outcome, trail, usage } =
            self.shared.sandbox.invoke(&entry.file.guest, job).await;
        let outcome = match outcome {
            Ok(output) => judge_output(&output, &entry.output_schema),
            Err(Stopped::Failed(failure)) => Outcome::Failed(*failure),
            Err(Stopped::Cancelled) => Outcome::Cancelled,
        };
        Report { operation: operation.clone(), outcome, trail, usage }
    }

    fn find(&self, name: &str) -> Result<&Arc<Entry>, RunError> {
        self.shared.registry.get(name).ok_or_else(|| self.no_such_operation(name))
    }

    /// Returns what there is to run now.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(Arc::clone(&self.shared.registry))
    }

    /// Returns the error that says that no operation has this name.
    pub(crate) fn no_such_operation(&self, name: &str) -> RunError {
        let catalog = self.catalog();
        RunError::NoSuchOperation {
            name: name.to_owned(),
            similar: catalog.similar(name).map(ToOwned::to_owned),
            refused: catalog.refused().count(),
        }
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

    /// # Errors
    ///
    /// Returns [`SandboxError`] if wasm cannot run here.
    pub(crate) fn new() -> Result<Self, SandboxError> {
        Ok(Self { sandbox: Sandbox::new()? })
    }

    /// Returns a module as a component, and its operations, as a host would load them from
    /// `path`.
    ///
    /// # Errors
    ///
    /// Returns the reason why a host would refuse the file.
    pub(crate) async fn inspect(
        &self,
        path: &Path,
        module: &[u8],
    ) -> Result<(Vec<u8>, Vec<OperationName>), FileError> {
        let component = sandbox::componentize(module)?.into_owned();
        let entries = registry::inspect(path, &component, &self.sandbox).await?;
        let names = entries.into_iter().map(|entry| entry.operation.name).collect();
        Ok((component, names))
    }
}

/// A request that may run: all that was asked was checked.
struct Checked {
    entry: Arc<Entry>,
    input: ValidInput,
    grants: Grants,
    actor: Actor,
    flags: Flags,
    cancel: CancellationToken,
    observer: Option<Observer>,
}

/// Says what a host is made of.
#[derive(Clone, Debug)]
#[must_use]
pub struct HostBuilder {
    plugins: Vec<PathBuf>,
    defaults: Limits,
    maxima: Limits,
    operations: BTreeMap<OperationName, OperationLimits>,
}

impl HostBuilder {
    /// Adds a directory of `*.wasm` files. One that does not exist holds nothing.
    pub fn plugins(mut self, directory: impl Into<PathBuf>) -> Self {
        self.plugins.push(directory.into());
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

    /// Compiles and describes every plugin, and returns the host.
    ///
    /// Needs a tokio runtime with time enabled, and holds the thread while it compiles.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run here or a directory cannot be read. A bad
    /// plugin is no error: see [`Catalog::refused`].
    pub async fn build(self) -> Result<Host, HostError> {
        let sandbox = Sandbox::new()?;
        let registry = Arc::new(Registry::load(&self.plugins, &sandbox).await?);
        let policy = Policy::new(self.defaults, self.maxima).operations(self.operations);
        Ok(Host { shared: Arc::new(Shared { sandbox, registry, policy }) })
    }
}

/// A call of an operation.
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    operation: String,
    input: Value,
    caller: Caller,
    limits: LimitRequest,
    cancel: CancellationToken,
    observer: Option<Observer>,
}

impl Request {
    /// Returns a request by nobody in particular through the door `api`.
    pub fn new(operation: impl Into<String>, input: Value) -> Self {
        Self {
            operation: operation.into(),
            input,
            caller: Caller::at("api"),
            limits: LimitRequest::default(),
            cancel: CancellationToken::new(),
            observer: None,
        }
    }

    /// Says who asks.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
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
    /// How it ended.
    pub outcome: Outcome,
    /// What it left behind.
    pub trail: Trail,
    /// What it used.
    pub usage: Usage,
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
