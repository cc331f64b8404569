//! The engine: how guests are compiled, what is linked, how a store is made.

use std::num::NonZeroUsize;
use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, Store, UpdateDeadline, WasmBacktraceDetails};

use super::imports::{self, RunState};
use super::invoke::Watch;
use super::ticker::Ticker;

/// Bytes of wasm stack. Ends as `stack` when used up.
const MAX_WASM_STACK: usize = 512 << 10;
/// Frames that are looked at for a backtrace; what is kept is less.
const MAX_FRAMES: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// An engine with everything that guests may be linked to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub(super) engine: Engine,
    /// For guests that import nothing but the contract.
    pub(super) linker: Arc<Linker<RunState>>,
    /// For guests that import WASI too.
    pub(super) wasi_linker: Arc<Linker<RunState>>,
    pub(super) ticker: Arc<Ticker>,
}

impl Sandbox {
    /// Makes an engine and starts its clock.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if this machine cannot run wasm or gives no thread.
    pub(crate) fn new() -> Result<Self, SandboxError> {
        let engine =
            Engine::new(&config()).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let (linker, wasi_linker) = (linker(&engine, false)?, linker(&engine, true)?);
        let ticker = Arc::new(Ticker::start(&engine)?);
        Ok(Self { engine, linker, wasi_linker, ticker })
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

fn linker(engine: &Engine, with_wasi: bool) -> Result<Arc<Linker<RunState>>, SandboxError> {
    let mut linker = Linker::new(engine);
    imports::link(&mut linker, with_wasi)
        .map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
    Ok(Arc::new(linker))
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
