//! The wasmtime engine: configuration, linkers and stores.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use rustix::process::Resource;
use wasmtime::component::Linker;
use wasmtime::{Config, Engine, Store, Strategy, UpdateDeadline, WasmBacktraceDetails};

use super::cache::CodeCache;
use super::compile::Compiler;
use super::failure;
use super::imports::{self, GuestState};
use super::invoke::Interrupter;
use super::pool::Pool;
use super::ticker::EpochTicker;
use crate::model::compiler::CompilerBackend;
use crate::model::limits::ExceededBudget;
use crate::util::code_dir::CodeDir;
use crate::util::os_error::Shortage;

/// Size of the wasm stack, in bytes. An overflow has the failure kind `stack`.
const MAX_WASM_STACK: usize = 512 << 10;
/// Bytes that a memory reserves for growth, if the address space is limited.
const SMALL_GROWTH: u64 = 1 << 20;
/// Size of the guard region of a memory in bytes, if the address space is limited.
const SMALL_GUARD: u64 = 64 << 10;
/// Number of frames that wasmtime captures for a backtrace. Fewer are stored.
const MAX_FRAMES: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Options of a [`Sandbox`].
#[derive(Clone, Debug)]
pub(crate) struct SandboxOptions {
    pub(crate) compiler: Compiler,
    pub(crate) backend: CompilerBackend,
    /// Directory of the code cache. If `None`, plugins are compiled each time.
    pub(crate) code: Option<CodeDir>,
    /// Number of slots of the instance pool; without a pool 0.
    pub(crate) pool_slots: u16,
}

/// The engines with their linkers and code caches, and the instance pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandbox {
    /// The engine of the configured compiler.
    pub(super) primary: CodeEngine,
    /// The engine of Cranelift, for components with a feature that the configured compiler does
    /// not support. `None` if Cranelift is the configured one.
    pub(super) fallback: Option<CodeEngine>,
    pub(super) pool: Option<Arc<Pool>>,
    pub(super) ticker: Arc<EpochTicker>,
    pub(super) compiler: Compiler,
}

impl Sandbox {
    /// Creates the engines and starts their epoch ticker.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if this machine cannot run wasm or start a thread.
    pub(crate) fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let SandboxOptions { compiler, backend, code, pool_slots } = options;
        let (reservation, backend) = (Reservation::of_this_process(), backend.or_supported());
        let options = EngineOptions { reservation, backend };
        let primary = CodeEngine::new(options, code.as_ref())?;
        let fallback = match backend {
            CompilerBackend::Cranelift => None,
            CompilerBackend::Winch => {
                let backend = CompilerBackend::Cranelift;
                Some(CodeEngine::new(EngineOptions { reservation, backend }, code.as_ref())?)
            }
        };
        let pool = Pool::new(pool_slots, reservation, config(options, Threads::Several))?;
        let pool = pool.map(Arc::new);
        let fallback_engine = fallback.as_ref().map(|it| &it.runtime.engine);
        let pool_engine = pool.as_ref().map(|it| &it.runtime.engine);
        let engines = [Some(&primary.runtime.engine), fallback_engine, pool_engine];
        let ticker = Arc::new(EpochTicker::start(engines.into_iter().flatten())?);
        Ok(Self { primary, fallback, pool, ticker, compiler })
    }

    /// Returns the directory of the code cache.
    pub(crate) fn code_dir(&self) -> Option<&CodeDir> {
        self.primary.cache.as_ref().map(CodeCache::directory)
    }

    /// Returns the compatibility key of host version and engine. Cached facts about a plugin are
    /// valid only for the same key.
    pub(crate) fn compat_key(&self) -> Option<&str> {
        Some(self.primary.cache.as_ref()?.compat_key())
    }

    /// Returns whether the compiler has a higher budget than the one that was exceeded.
    pub(crate) fn raises(&self, exceeded: ExceededBudget) -> bool {
        match &self.compiler {
            Compiler::Here => true,
            Compiler::Child { budget, .. } => exceeded.is_raised_by(*budget),
        }
    }
}

/// The engine of one compiler, which allocates instances on demand, and the cache of its code.
#[derive(Clone)]
pub(super) struct CodeEngine {
    pub(super) options: EngineOptions,
    pub(super) runtime: Arc<Runtime>,
    pub(super) cache: Option<CodeCache>,
}

impl CodeEngine {
    fn new(options: EngineOptions, code: Option<&CodeDir>) -> Result<Self, SandboxError> {
        let runtime = Arc::new(Runtime::new(&config(options, Threads::Several))?);
        let cache = code.map(|code| CodeCache::new(code.clone(), &runtime.engine));
        Ok(Self { options, runtime, cache })
    }
}

/// An engine with its linkers.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    /// Linker for guests that import only the contract.
    linker: Linker<GuestState>,
    /// Linker for guests that also import WASI. Created for the first of them, because that takes
    /// one millisecond.
    wasi_linker: OnceLock<Linker<GuestState>>,
}

impl Runtime {
    /// Creates an engine.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if this machine cannot run wasm with this configuration.
    pub(super) fn new(config: &Config) -> Result<Self, SandboxError> {
        let engine = Engine::new(config)?;
        let linker = linker(&engine, false)?;
        Ok(Self { engine, linker, wasi_linker: OnceLock::new() })
    }

    /// Returns the linker for guests that import WASI, or for those that do not.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if two definitions have the same name, which is a bug in the host.
    pub(super) fn linker(&self, with_wasi: bool) -> Result<&Linker<GuestState>, SandboxError> {
        match self.wasi_linker.get() {
            _ if !with_wasi => Ok(&self.linker),
            Some(linker) => Ok(linker),
            None => {
                let linker = linker(&self.engine, true)?;
                Ok(self.wasi_linker.get_or_init(|| linker))
            }
        }
    }

    /// Returns a new store. Its guest yields at every tick, and traps when `interrupter` has a
    /// pending interrupt.
    pub(super) fn store(&self, interrupter: &Interrupter, state: GuestState) -> Store<GuestState> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        let interrupter = interrupter.clone();
        store.epoch_deadline_callback(move |_| match interrupter.pending() {
            Some(interrupt) => Err(interrupt.into()),
            None => Ok(UpdateDeadline::Yield(1)),
        });
        store
    }
}

/// Address space that each memory of a guest reserves. Code that was compiled for one reservation
/// does not run with the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reservation {
    /// 4 GiB, the maximum size of a memory. The compiled code needs no bounds checks.
    Full,
    /// The current size and 1 MiB for growth. For a limited address space (`RLIMIT_AS`).
    Small,
}

impl Reservation {
    fn of_this_process() -> Self {
        match rustix::process::getrlimit(Resource::As).current {
            Some(_) => Self::Small,
            None => Self::Full,
        }
    }
}

/// Options that determine the code of an engine. Engines with other options cannot load it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EngineOptions {
    pub(super) reservation: Reservation,
    pub(super) backend: CompilerBackend,
}

/// Number of threads that compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    One,
    Several,
}

/// Returns an engine with the configuration of all sandboxes.
///
/// # Errors
///
/// Returns [`SandboxError`] if this machine cannot run wasm.
pub(super) fn new_engine(options: EngineOptions, threads: Threads) -> Result<Engine, SandboxError> {
    Ok(Engine::new(&config(options, threads))?)
}

fn linker(engine: &Engine, with_wasi: bool) -> Result<Linker<GuestState>, SandboxError> {
    let mut linker = Linker::new(engine);
    imports::link(&mut linker, with_wasi)?;
    Ok(linker)
}

fn config(options: EngineOptions, threads: Threads) -> Config {
    let EngineOptions { reservation, backend } = options;
    let mut config = Config::new();
    config
        .strategy(match backend {
            CompilerBackend::Cranelift => Strategy::Cranelift,
            CompilerBackend::Winch => Strategy::Winch,
        })
        .epoch_interruption(true)
        // Component-model async slows down every call and is not audited for hostile guests.
        .concurrency_support(false)
        .max_wasm_stack(MAX_WASM_STACK)
        .wasm_backtrace_max_frames(Some(MAX_FRAMES))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_memory64(false)
        .parallel_compilation(threads == Threads::Several);
    if reservation == Reservation::Small {
        config
            .memory_reservation(0)
            .memory_reservation_for_growth(SMALL_GROWTH)
            .memory_guard_size(SMALL_GUARD);
    }
    config
}

/// Error of creating a [`Sandbox`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SandboxError {
    /// The engine cannot be created.
    #[error("cannot start the wasm engine: {0}")]
    Engine(String),
    /// The thread of the epoch ticker cannot be started.
    #[error("cannot start the epoch ticker thread")]
    Thread(#[source] io::Error),
    /// The host is out of a resource.
    #[error(transparent)]
    Shortage(#[from] Shortage),
}

impl From<wasmtime::Error> for SandboxError {
    fn from(error: wasmtime::Error) -> Self {
        failure::shortage(&error).map_or_else(|| Self::Engine(format!("{error:#}")), Self::Shortage)
    }
}

impl From<io::Error> for SandboxError {
    fn from(error: io::Error) -> Self {
        Shortage::of(&error).map_or_else(|| Self::Thread(error), Self::Shortage)
    }
}
