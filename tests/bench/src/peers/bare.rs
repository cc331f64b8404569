//! A loop that uses wasmtime alone: a fresh instance for each call, text in, text out, no limits,
//! no schemas.
//!
//! The settings of the engine are those of `host/src/sandbox`: in `engine.rs` epoch interruption
//! and the size of the stack, without component-model async; in `pool.rs` the pages that stay
//! resident. The epoch advances every 10 ms.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

mod contract {
    wasmtime::component::bindgen!({ path: "../../wit", world: "plugin" });
}
use contract::PluginPre;
use contract::ophost::plugin::{context, item_errors, log, progress, types};

/// Size of the wasm stack in bytes.
const MAX_WASM_STACK: usize = 512 << 10;
/// Time between two epochs.
const TICK: Duration = Duration::from_millis(10);
/// Maximum of each resource of an instance that the pool holds. The plugins need fewer.
const POOL_SLOTS: u32 = 64;

/// Bytes of each memory and table that stay resident between two calls.
const KEEP_RESIDENT: usize = 256 << 10;

/// How an engine allocates instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocator {
    /// Maps memory for each instance.
    OnDemand,
    /// Reuses memory that was mapped before.
    Pooling,
}

/// A plugin that is called with wasmtime alone.
pub(crate) struct BareLoop {
    engine: Engine,
    pre: PluginPre<State>,
    operation: String,
    input: String,
}

impl BareLoop {
    /// Compiles a plugin, and starts a thread that advances the epoch.
    ///
    /// # Errors
    ///
    /// Returns an error if the component is not a plugin.
    pub(crate) fn new(
        allocator: Allocator,
        component: &[u8],
        operation: &str,
        input: String,
    ) -> Result<Self> {
        let engine = Engine::new(&config(allocator)).map_err(error)?;
        let component = Component::from_binary(&engine, component).map_err(error)?;
        let linker = linker(&engine).map_err(error)?;
        let pre = linker.instantiate_pre(&component).and_then(PluginPre::new).map_err(error)?;
        tick(&engine);
        Ok(Self { engine, pre, operation: operation.to_owned(), input })
    }

    /// Calls the operation in a fresh instance.
    ///
    /// # Errors
    ///
    /// Returns an error if the guest fails.
    pub(crate) fn call(&self) -> Result<()> {
        let mut store = Store::new(&self.engine, State::default());
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(wasmtime::UpdateDeadline::Continue(1)));
        let plugin = self.pre.instantiate(&mut store).map_err(error)?;
        let operations = plugin.ophost_plugin_operations();
        let answer = operations.call_invoke(&mut store, &self.operation, &self.input);
        answer.map_err(error)?.map(drop).map_err(|failure| anyhow!("{failure:?}"))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the type of `map_err`")]
fn error(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}

/// Advances the epoch until the engine is dropped.
fn tick(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
}

fn config(allocator: Allocator) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(MAX_WASM_STACK)
        .wasm_memory64(false);
    if allocator == Allocator::Pooling {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    }
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_SLOTS)
        .total_core_instances(POOL_SLOTS)
        .total_memories(POOL_SLOTS)
        .total_tables(POOL_SLOTS)
        .max_unused_warm_slots(POOL_SLOTS);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT);
    }
    pool
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let all: fn(&mut State) -> &mut State = |state| state;
    types::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
    log::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
    progress::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
    item_errors::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
    context::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    Ok(linker)
}

/// Stubs of the guests' imports. Neither of the two operations calls one.
#[derive(Default)]
struct State {
    /// Created when a guest first uses it, because the host creates none for other guests either.
    wasi: Option<WasiCtx>,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: self.wasi.get_or_insert_default(), table: &mut self.table }
    }
}

impl types::Host for State {}

impl log::Host for State {
    fn write(&mut self, _: log::Level, _: String, _: Option<String>) {}
}

impl progress::Host for State {
    fn report(&mut self, _: u64, _: Option<u64>, _: Option<String>) {}
}

impl item_errors::Host for State {
    fn add(&mut self, _: u64, _: String, _: String, _: Option<String>) {}
}

impl context::Host for State {
    fn run_id(&mut self) -> Option<String> {
        None
    }

    fn user_id(&mut self) -> Option<String> {
        None
    }

    fn channel(&mut self) -> String {
        String::new()
    }

    fn dry_run(&mut self) -> bool {
        false
    }

    fn test_mode(&mut self) -> bool {
        false
    }

    fn verbose(&mut self) -> bool {
        false
    }

    fn attempt(&mut self) -> u32 {
        1
    }

    fn deadline(&mut self) -> u64 {
        0
    }

    fn idempotency_key(&mut self) -> Option<String> {
        None
    }

    fn now(&mut self) -> u64 {
        0
    }

    fn random(&mut self) -> u64 {
        0
    }
}
