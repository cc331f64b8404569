//! What a host is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use super::host::Shared;
use super::{Host, HostError};
use crate::model::limits::{CompileBudget, Limits, OperationLimits};
use crate::model::operation::OperationName;
use crate::policy::Policy;
use crate::policy::RecordPolicy;
use crate::registry::{LoadObserver, LoadProgress, Loader, LoaderOptions, Registry};
use crate::run::record::Recorder;
use crate::sandbox::{Compiler, Sandbox, SandboxOptions};
use crate::store::{RetryLock, ShutdownMode, StoreHandle};
use crate::util::code_dir::CodeDir;
use crate::util::private_dir::DataDir;
use crate::util::trust::{TrustPolicy, Untrusted};

/// Says what a host is made of.
#[derive(Clone, Debug)]
#[must_use]
pub struct HostBuilder {
    loader: LoaderOptions,
    data: Option<PathBuf>,
    code: Option<PathBuf>,
    compiler: Compiler,
    rule: RecordPolicy,
    at_end: ShutdownMode,
    defaults: Limits,
    maxima: Limits,
    operations: BTreeMap<OperationName, OperationLimits>,
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self {
            loader: LoaderOptions::default(),
            data: None,
            code: None,
            compiler: Compiler::Here,
            rule: RecordPolicy::default(),
            at_end: ShutdownMode::default(),
            defaults: Limits::DEFAULT,
            maxima: Limits::DEFAULT_MAXIMA,
            operations: BTreeMap::new(),
        }
    }
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
    /// Its directories have to belong to this user and be closed to others, unless
    /// [`Self::trust`] accepts them. What is compiled is executed, so no policy covers that: if
    /// another user has access to it, it is kept in a temporary directory of this user instead,
    /// see [`Host::cache_error`].
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Some(directory.into());
        self
    }

    /// Keeps compiled plugins in this directory, not in the data directory. It has to belong to
    /// this user and be closed to others.
    pub fn cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.code = Some(directory.into());
        self
    }

    /// Says that the process ends with the host: the records are left to the system then,
    /// which is faster than to close them.
    pub fn until_exit(mut self) -> Self {
        self.at_end = ShutdownMode::Skip;
        self
    }

    /// Says which runs are recorded in the data directory. Without one none is.
    pub fn record(mut self, rule: RecordPolicy) -> Self {
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

    /// Accepts owners and modes of plugin directories, plugin files and the data directory beyond
    /// the default. Users who can write a plugin decide what runs here, and users who can write
    /// the data directory decide what the records say.
    pub fn trust(mut self, policy: TrustPolicy) -> Self {
        self.loader.policy = policy;
        self
    }

    /// Lets someone hear of plugins whose content is new, before each is compiled and
    /// described.
    pub fn observe_loading(
        mut self,
        observe: impl Fn(LoadProgress<'_>) + Send + Sync + 'static,
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
    /// trusted. A bad plugin is no error: see [`Catalog::rejected`](crate::Catalog::rejected).
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
        let recorder = Recorder::new(self.data_dir().as_ref(), self.rule, self.at_end);
        let options = LoaderOptions { code: self.code_dir(), ..self.loader };
        let loader = Loader::new(options, sandbox.clone());
        let policy = Policy::new(self.defaults, self.maxima).operations(self.operations);
        Ok(Unloaded { sandbox, loader, policy, recorder })
    }

    pub(super) fn sandbox(&self) -> Result<Sandbox, HostError> {
        let (compiler, code) = (self.compiler.clone(), self.code_dir());
        Ok(Sandbox::new(SandboxOptions { compiler, code })?)
    }

    /// Returns which paths of the data directory are not trusted.
    pub fn untrusted_data(&self) -> Option<Untrusted> {
        self.data_dir()?.untrusted()
    }

    /// Returns why compiled plugins are not kept where they should be.
    pub fn code_problem(&self) -> Option<String> {
        self.code_dir()?.problem()
    }

    fn data_dir(&self) -> Option<DataDir> {
        let data = self.data.as_ref()?;
        Some(DataDir::new(data).trusting(self.loader.policy.clone()))
    }

    fn code_dir(&self) -> Option<CodeDir> {
        CodeDir::new(self.code.clone(), self.data_dir())
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
        let turns = RetryLock::new(recorder.store().map(StoreHandle::data));
        let shared = Shared { sandbox, loader, registry, policy, recorder, reloading, turns };
        Host { shared: Arc::new(shared) }
    }
}
