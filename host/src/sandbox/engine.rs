//! The engine: how guests are compiled, what is linked, how a store is made.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, Store, UpdateDeadline, WasmBacktraceDetails};

use super::cache::CodeCache;
use super::compile::Compiler;
use super::imports::{self, RunState};
use super::invoke::Watch;
use super::ticker::Ticker;
use crate::code_dir::CodeDir;

/// Bytes of wasm stack. Ends as `stack` when used up.
const MAX_WASM_STACK: usize = 512 << 10;
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
    /// For guests that import nothing but the contract.
    pub(super) linker: Arc<Linker<RunState>>,
    /// For guests that import WASI too: made for the first of them, since it takes a
    /// millisecond.
    wasi_linker: Arc<OnceLock<Linker<RunState>>>,
    pub(super) ticker: Arc<Ticker>,
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
        let engine = new_engine()?;
        let linker = Arc::new(linker(&engine, false)?);
        let ticker = Arc::new(Ticker::start(&engine)?);
        let SandboxOptions { compiler, code } = options;
        let cache = code.map(|code| CodeCache::new(code, &engine));
        let wasi_linker = Arc::default();
        Ok(Self { engine, linker, wasi_linker, ticker, compiler, cache })
    }

    /// Returns what guests that import WASI are linked to.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if two definitions have one name, which is a fault of ours.
    pub(super) fn wasi_linker(&self) -> Result<&Linker<RunState>, SandboxError> {
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
    pub(crate) fn maker(&self) -> Option<String> {
        let maker = self.cache.as_ref()?.maker();
        Some(match &self.compiler {
            Compiler::Here => maker.to_owned(),
            Compiler::Child { budget, .. } => format!("{maker} {budget:?}"),
        })
    }

    /// Returns a fresh store: its guest yields at every tick and stops when `watch` says so.
    pub(super) fn store(&self, watch: &Watch, state: RunState) -> Store<RunState> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        let watch = watch.clone();
        store.epoch_deadline_callback(move |_| match watch.due() {
            Some(stop) => Err(stop.into()),
            None => Ok(UpdateDeadline::Yield(1)),
        });
        store
    }
}

/// Returns an engine that makes and runs the code of all sandboxes.
///
/// # Errors
///
/// Returns [`SandboxError`] if this machine cannot run wasm.
pub(super) fn new_engine() -> Result<Engine, SandboxError> {
    Engine::new(&config()).map_err(|error| SandboxError::Engine(format!("{error:#}")))
}

fn linker(engine: &Engine, with_wasi: bool) -> Result<Linker<RunState>, SandboxError> {
    let mut linker = Linker::new(engine);
    imports::link(&mut linker, with_wasi)
        .map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
    Ok(linker)
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Component-model async costs every call, and is not audited for hostile guests.
        .concurrency_support(false)
        .max_wasm_stack(MAX_WASM_STACK)
        .wasm_backtrace_max_frames(Some(MAX_FRAMES))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_memory64(false);
    config
}

/// The host cannot run guests at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SandboxError {
    /// The engine could not be made.
    #[error("the wasm engine does not start: {0}")]
    Engine(String),
    /// The system gave no thread.
    #[error("the clock's thread does not start")]
    Thread(#[from] std::io::Error),
}
