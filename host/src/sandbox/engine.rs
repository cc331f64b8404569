//! The engine: how guests are compiled, what is linked, how a store is made.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use rustix::process::Resource;
use wasmtime::component::Linker;
use wasmtime::{Config, Engine, Store, UpdateDeadline, WasmBacktraceDetails};

use super::cache::CodeCache;
use super::compile::Compiler;
use super::failure;
use super::imports::{self, GuestState};
use super::invoke::Interrupter;
use super::ticker::EpochTicker;
use crate::util::code_dir::CodeDir;
use crate::util::os_error::Shortage;

/// Bytes of wasm stack. Ends as `stack` when used up.
const MAX_WASM_STACK: usize = 512 << 10;
/// How many bytes beyond its size a memory reserves to grow into, and how many lie behind it,
/// where the address space is limited.
const SMALL_GROWTH: u64 = 1 << 20;
const SMALL_GUARD: u64 = 64 << 10;
/// Frames that are looked at for a backtrace; what is kept is less.
const MAX_FRAMES: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// How a sandbox compiles, and where it keeps what it compiled.
#[derive(Clone, Debug)]
pub(crate) struct SandboxOptions {
    pub(crate) compiler: Compiler,
    /// Where compiled code is kept; without it, plugins are compiled each time.
    pub(crate) code: Option<CodeDir>,
}

/// An engine with everything that guests may be linked to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub(super) engine: Engine,
    pub(super) reservation: Reservation,
    /// For guests that import nothing but the contract.
    pub(super) linker: Arc<Linker<GuestState>>,
    /// For guests that import WASI too: made for the first of them, since it takes a
    /// millisecond.
    wasi_linker: Arc<OnceLock<Linker<GuestState>>>,
    pub(super) ticker: Arc<EpochTicker>,
    pub(super) compiler: Compiler,
    pub(super) cache: Option<CodeCache>,
}

impl Sandbox {
    /// Makes an engine and starts its clock.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if this machine cannot run wasm or gives no thread.
    pub(crate) fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let reservation = Reservation::of_this_process();
        let engine = new_engine(reservation, Threads::Several)?;
        let linker = Arc::new(linker(&engine, false)?);
        let ticker = Arc::new(EpochTicker::start(&engine)?);
        let SandboxOptions { compiler, code } = options;
        let cache = code.map(|code| CodeCache::new(code, &engine));
        let wasi_linker = Arc::default();
        Ok(Self { engine, reservation, linker, wasi_linker, ticker, compiler, cache })
    }

    /// Returns what guests that import WASI are linked to.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if two definitions have one name, which is a fault of ours.
    pub(super) fn wasi_linker(&self) -> Result<&Linker<GuestState>, SandboxError> {
        match self.wasi_linker.get() {
            Some(linker) => Ok(linker),
            None => {
                let linker = linker(&self.engine, true)?;
                Ok(self.wasi_linker.get_or_init(|| linker))
            }
        }
    }

    /// Returns where compiled code is kept.
    pub(crate) fn code_dir(&self) -> Option<&CodeDir> {
        self.cache.as_ref().map(CodeCache::directory)
    }

    /// Returns what makes this version, engine and compiler's budget different from others:
    /// what one of them remembers of a plugin is of no use to another.
    pub(crate) fn compat_key(&self) -> Option<String> {
        let maker = self.cache.as_ref()?.compat_key();
        Some(match &self.compiler {
            Compiler::Here => maker.to_owned(),
            Compiler::Child { budget, .. } => format!("{maker} {budget:?}"),
        })
    }

    /// Returns a fresh store: its guest yields at every tick and stops when `watch` says so.
    pub(super) fn store(&self, watch: &Interrupter, state: GuestState) -> Store<GuestState> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        let watch = watch.clone();
        store.epoch_deadline_callback(move |_| match watch.pending() {
            Some(stop) => Err(stop.into()),
            None => Ok(UpdateDeadline::Yield(1)),
        });
        store
    }
}

/// How much address space each memory of a guest reserves. Code that was compiled for one does
/// not run with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reservation {
    /// All that a memory can ever have, 4 GiB: its code needs no bounds checks.
    Full,
    /// Little more than the memory has now: where the address space is limited (RLIMIT_AS).
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

/// How many threads compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    One,
    Several,
}

/// Returns an engine that makes and runs the code of all sandboxes.
///
/// # Errors
///
/// Returns [`SandboxError`] if this machine cannot run wasm.
pub(super) fn new_engine(
    reservation: Reservation,
    threads: Threads,
) -> Result<Engine, SandboxError> {
    Ok(Engine::new(&config(reservation, threads))?)
}

fn linker(engine: &Engine, with_wasi: bool) -> Result<Linker<GuestState>, SandboxError> {
    let mut linker = Linker::new(engine);
    imports::link(&mut linker, with_wasi)?;
    Ok(linker)
}

fn config(reservation: Reservation, threads: Threads) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Component-model async costs every call, and is not audited for hostile guests.
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

/// The host cannot run guests at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SandboxError {
    /// The engine could not be made.
    #[error("the wasm engine does not start: {0}")]
    Engine(String),
    /// The clock's thread did not start.
    #[error("the clock's thread does not start")]
    Thread(#[source] io::Error),
    /// The host ran out of something.
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
