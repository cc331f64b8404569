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
use crate::json;
use crate::operation::{Operation, OperationName};
use crate::policy::{Grants, LimitRequest, Limits, Policy, PolicyError};
use crate::registry::{self, Entry, FileError, PluginFile, Registry, RegistryError};
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
    registry: Registry,
    policy: Policy,
}

impl Host {
    /// Returns a builder: no plugin directory, default limits.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            plugins: Vec::new(),
            defaults: Limits::DEFAULT,
            maxima: Limits::DEFAULT_MAXIMA,
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
        let grants = self.shared.policy.grant(&entry.operation.hints, &request.limits)?;
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
        self.shared.registry.get(name).ok_or_else(|| RunError::NoSuchOperation {
            name: name.to_owned(),
            similar: self.similar(name),
            refused: self.refused().count(),
        })
    }

    /// Returns the known name that is most like one that is not known.
    fn similar(&self, name: &str) -> Option<String> {
        let names = self.operations().map(|known| known.operation.name.as_str());
        let scored = names.map(|known| (strsim::damerau_levenshtein(known, name), known));
        let (distance, best) = scored.min()?;
        (distance <= name.len() / 3 + 1).then(|| best.to_owned())
    }

    /// Returns the operations, by name.
    pub fn operations(&self) -> impl Iterator<Item = Known<'_>> {
        self.shared.registry.entries().map(|entry| Known::from(entry.as_ref()))
    }

    /// Returns one operation.
    ///
    /// # Errors
    ///
    /// Returns [`RunError::NoSuchOperation`] if there is none of that name.
    pub fn operation(&self, name: &str) -> Result<Known<'_>, RunError> {
        self.find(name).map(|entry| Known::from(entry.as_ref()))
    }

    /// Returns every plugin file, used or not, by path.
    pub fn plugins(&self) -> Vec<PluginState<'_>> {
        let mut files = BTreeMap::<&Path, (&PluginFile, Vec<_>)>::new();
        for entry in self.shared.registry.entries() {
            let file = files.entry(&entry.file.path).or_insert((&entry.file, Vec::new()));
            file.1.push(&entry.operation.name);
        }
        let used = files.into_values().map(|(file, operations)| {
            let PluginFile { path, digest, plugin, version, .. } = file;
            PluginState::Used { file: path, digest, plugin, version, operations }
        });
        let refused = self.refused().map(|(file, reason)| PluginState::Refused { file, reason });
        let mut all: Vec<_> = used.chain(refused).collect();
        all.sort_by_key(|state| state.file());
        all
    }

    /// Returns the plugin files that are not used, and for each one sentence why.
    pub fn refused(&self) -> impl Iterator<Item = (&Path, String)> {
        let refused = self.shared.registry.refused();
        refused.iter().map(|refused| (refused.path.as_path(), refused.reason.to_string()))
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

    /// Compiles and describes every plugin, and returns the host.
    ///
    /// Needs a tokio runtime with time enabled, and holds the thread while it compiles.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run here or a directory cannot be read. A bad
    /// plugin is no error: see [`Host::refused`].
    pub async fn build(self) -> Result<Host, HostError> {
        let sandbox = Sandbox::new()?;
        let registry = Registry::load(&self.plugins, &sandbox).await?;
        let policy = Policy::new(self.defaults, self.maxima);
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

/// An operation that can be run, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What it declares.
    pub operation: &'a Operation,
    /// The plugin's own name.
    pub plugin: &'a str,
    /// The plugin's version.
    pub version: &'a str,
    /// The file that holds it.
    pub file: &'a Path,
    /// SHA-256 of that file's bytes, in hex.
    pub digest: &'a str,
}

impl<'a> From<&'a Entry> for Known<'a> {
    fn from(entry: &'a Entry) -> Self {
        let PluginFile { path, digest, plugin, version, .. } = entry.file.as_ref();
        Self { operation: &entry.operation, plugin, version, file: path, digest }
    }
}

/// A file of a plugin directory.
#[derive(Clone, Debug)]
pub enum PluginState<'a> {
    /// Its operations can be run.
    Used {
        /// Where it is.
        file: &'a Path,
        /// SHA-256 of its bytes, in hex.
        digest: &'a str,
        /// The plugin's own name.
        plugin: &'a str,
        /// The plugin's version.
        version: &'a str,
        /// What it holds, by name.
        operations: Vec<&'a OperationName>,
    },
    /// It is not used.
    Refused {
        /// Where it is.
        file: &'a Path,
        /// Why, in one sentence.
        reason: String,
    },
}

impl<'a> PluginState<'a> {
    /// Returns where the file is.
    pub fn file(&self) -> &'a Path {
        match self {
            Self::Used { file, .. } | Self::Refused { file, .. } => file,
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
