//! Builder of a host.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use super::host::Shared;
use super::{ComponentError, Host, HostError, InspectError};
use crate::model::compiler::CompilerBackend;
use crate::model::digest::Digest;
use crate::model::limits::{CompileBudget, Limits, OperationLimits};
use crate::model::operation::OperationName;
use crate::model::retention::RetentionPolicy;
use crate::policy::Policy;
use crate::policy::RecordPolicy;
use crate::registry::{
    self, LoadObserver, LoadProgress, Loader, LoaderOptions, PluginFile, Registry,
};
use crate::run::record::Recorder;
use crate::sandbox::{Compiler, Sandbox, SandboxOptions};
use crate::store::{RetryLock, ShutdownMode, StoreHandle};
use crate::util::code_dir::CodeDir;
use crate::util::private_dir::DataDir;
use crate::util::trust::{TrustPolicy, Untrusted};

/// Builder of a [`Host`].
#[derive(Clone, Debug)]
#[must_use]
pub struct HostBuilder {
    loader: LoaderOptions,
    data: Option<PathBuf>,
    code: Option<PathBuf>,
    compiler: Compiler,
    backend: CompilerBackend,
    pool_slots: u16,
    rule: RecordPolicy,
    at_end: ShutdownMode,
    defaults: Limits,
    maxima: Limits,
    operations: BTreeMap<OperationName, OperationLimits>,
    retention: RetentionPolicy,
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self {
            loader: LoaderOptions::default(),
            data: None,
            code: None,
            compiler: Compiler::Here,
            backend: CompilerBackend::default(),
            pool_slots: 0,
            rule: RecordPolicy::default(),
            at_end: ShutdownMode::default(),
            defaults: Limits::DEFAULT,
            maxima: Limits::DEFAULT_MAXIMA,
            operations: BTreeMap::new(),
            retention: RetentionPolicy::default(),
        }
    }
}

impl HostBuilder {
    /// Adds a directory of `*.wasm` files. A missing directory counts as empty.
    pub fn plugins(mut self, directory: impl Into<PathBuf>) -> Self {
        self.loader.directories.push(directory.into());
        self
    }

    /// Sets the data directory: run records, documents, the plugin index and compiled code. It is
    /// created by the first write. Without it, nothing is stored.
    ///
    /// The directories must belong to the current user and be closed to others, unless
    /// [`Self::trust`] accepts them. Compiled code is executed, so no policy covers it: if another
    /// user has access to it, a private temporary directory is used instead, see
    /// [`Host::cache_error`].
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Some(directory.into());
        self
    }

    /// Sets the directory of compiled code. The default is in the data directory. The directory
    /// must belong to the current user and be closed to others.
    pub fn cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.code = Some(directory.into());
        self
    }

    /// Skips the clean shutdown of the store, because the process exits with the host. The next
    /// process to open the store runs its recovery.
    pub fn until_exit(mut self) -> Self {
        self.at_end = ShutdownMode::Skip;
        self
    }

    /// Sets the runs that are recorded. Without a data directory no run is recorded.
    pub fn record(mut self, rule: RecordPolicy) -> Self {
        self.rule = rule;
        self
    }

    /// Compiles plugins in child processes with this budget. `ophost` is the path of the `ophost`
    /// command of the same version.
    ///
    /// Building the host then needs a tokio runtime with I/O enabled.
    ///
    /// Without this option, plugins are compiled in this process without limits of time and memory.
    pub fn compiler(mut self, ophost: impl Into<PathBuf>, budget: CompileBudget) -> Self {
        self.compiler = Compiler::Child { program: ophost.into(), budget };
        self
    }

    /// Sets the compiler of plugins. The default is [`CompilerBackend::Cranelift`].
    ///
    /// The code of all compilers is in the same cache. Hosts with another compiler have an index of
    /// their own: which file owns a name is decided for each compiler.
    pub fn compiler_backend(mut self, backend: CompilerBackend) -> Self {
        self.backend = backend;
        self
    }

    /// Allocates the instances of runs from a pool with this number of slots: 0 to 1,000, by default
    /// 0. For a process that serves many runs.
    ///
    /// Each run has a fresh instance. By default, a run maps 4 GiB of address space for its memory,
    /// and unmaps it at the end. A slot stays mapped, and a run only resets the pages that it
    /// changed. On one machine, an unrecorded call of a small Rust plugin took 12 us with a pool and
    /// 50 us without. Without the kernel's scan for changed pages (Linux 6.7), it took 29 us.
    ///
    /// Costs of a pool:
    ///
    /// - Building the host takes some milliseconds more.
    /// - Each slot reserves 8 GiB of address space.
    /// - A slot that has been used keeps up to 256 KiB of each memory and table resident.
    /// - The first run of a plugin copies its code, which then stays in memory twice.
    ///
    /// The limits of a run and its failures are the same. If all slots are in use, or if a plugin has
    /// more than two memories or eight tables or a host record of more than 1 MiB, its run is
    /// allocated as by default. The pool is not used if the address space of the process is limited
    /// (`RLIMIT_AS`).
    pub fn instance_pool(mut self, slots: u16) -> Self {
        self.pool_slots = slots;
        self
    }

    /// Accepts more owners and modes of plugin directories, plugin files and the data directory.
    /// Users with write access to a plugin control the code that runs, and users with write access
    /// to the data directory control the records.
    pub fn trust(mut self, policy: TrustPolicy) -> Self {
        self.loader.policy = policy;
        self
    }

    /// Sets a callback for new plugin files, called before each is compiled and described.
    pub fn observe_loading(
        mut self,
        observe: impl Fn(LoadProgress<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.loader.observer = Some(LoadObserver::new(observe));
        self
    }

    /// Sets the limits of runs that neither the caller nor the operation limits.
    pub fn limits(mut self, defaults: Limits) -> Self {
        self.defaults = defaults;
        self
    }

    /// Sets the maxima of requested limits and of hints.
    pub fn max_limits(mut self, maxima: Limits) -> Self {
        self.maxima = maxima;
        self
    }

    /// Sets the limits of one operation. Replaces earlier ones.
    pub fn operation_limits(mut self, name: OperationName, limits: OperationLimits) -> Self {
        self.operations.insert(name, limits);
        self
    }

    /// Sets the retention of [`Host::prune_step`] and [`Host::prune_regularly`]. By default,
    /// everything is kept.
    pub fn retention(mut self, policy: RetentionPolicy) -> Self {
        self.retention = policy;
        self
    }

    /// Compiles and describes all new plugin files, and returns the host.
    ///
    /// Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run on this machine, or a directory is unreadable or
    /// untrusted. A rejected plugin is not an error: see
    /// [`Catalog::rejected`](crate::Catalog::rejected).
    pub async fn build(self) -> Result<Host, HostError> {
        let unloaded = self.unloaded()?;
        let registry = unloaded.loader.load(None).await?;
        Ok(unloaded.with(registry))
    }

    /// Like [`Self::build`], but loads only the file that the index names for this operation or
    /// alias, if that file has not changed. The time does not depend on the number of plugins.
    ///
    /// # Errors
    ///
    /// Like [`Self::build`].
    pub async fn build_for(self, operation: &str) -> Result<Host, HostError> {
        let unloaded = self.unloaded()?;
        let registry = match unloaded.loader.find(operation) {
            Some(registry) => registry,
            None => unloaded.loader.load(None).await?,
        };
        Ok(unloaded.with(registry))
    }

    /// Returns a host with the operations of one component, which need not be in a plugin directory.
    /// `path` names the component in messages. [`Host::reload`] replaces its operations by those of
    /// the plugin directories.
    ///
    /// Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// - Returns [`ComponentError::Host`] if wasm cannot run on this machine.
    /// - Returns [`ComponentError::Component`] with the reason why a host would reject the component.
    pub async fn build_with_component(
        self,
        path: impl Into<PathBuf>,
        component: &[u8],
    ) -> Result<Host, ComponentError> {
        let (path, observer) = (path.into(), self.loader.observer.clone());
        let unloaded = self.unloaded()?;
        let digest = Digest::sha256(component);
        if let Some(observer) = observer {
            let (bytes, estimate) = (component.len(), unloaded.sandbox.compile_time(component));
            observer.report(LoadProgress { file: &path, bytes, estimate, done: 0, total: 1 });
        }
        let inspected = registry::inspect(&digest, component, &unloaded.sandbox).await;
        let (guest, description) = inspected.map_err(InspectError::from)?;
        let file = PluginFile::new(path, digest, description.plugin, Some(guest));
        Ok(unloaded.with(Registry::of_component(file)))
    }

    /// Returns a host without operations, for reading records and documents.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run on this machine.
    pub fn build_without_plugins(self) -> Result<Host, HostError> {
        Ok(self.unloaded()?.with(Registry::default()))
    }

    fn unloaded(self) -> Result<Unloaded, HostError> {
        let sandbox = self.sandbox()?;
        let recorder = Recorder::new(self.data_dir().as_ref(), self.rule, self.at_end);
        let options = LoaderOptions { code: self.code_dir(), ..self.loader };
        let loader = Loader::new(options, sandbox.clone());
        let policy = Policy::new(self.defaults, self.maxima).operations(self.operations);
        Ok(Unloaded { sandbox, loader, policy, recorder, retention: self.retention })
    }

    pub(super) fn sandbox(&self) -> Result<Sandbox, HostError> {
        let (compiler, code) = (self.compiler.clone(), self.code_dir());
        let (backend, pool_slots) = (self.backend, self.pool_slots);
        Ok(Sandbox::new(SandboxOptions { compiler, backend, code, pool_slots })?)
    }

    /// Returns the untrusted paths of the data directory, if there are any.
    pub fn untrusted_data(&self) -> Option<Untrusted> {
        self.data_dir()?.untrusted()
    }

    /// Returns the problem of the directory of compiled code, if there is one.
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

/// A host without its registry.
struct Unloaded {
    sandbox: Sandbox,
    loader: Loader,
    policy: Policy,
    recorder: Recorder,
    retention: RetentionPolicy,
}

impl Unloaded {
    fn with(self, registry: Registry) -> Host {
        let Self { sandbox, loader, policy, recorder, retention } = self;
        let registry = RwLock::new(Arc::new(registry));
        let reloading = tokio::sync::Mutex::default();
        let retry_lock = RetryLock::new(recorder.store().map(StoreHandle::data));
        let shared = Shared {
            sandbox,
            loader: Arc::new(loader),
            registry,
            policy,
            recorder,
            reloading,
            retry_lock,
            retention,
        };
        Host { shared: Arc::new(shared) }
    }
}
