//! The cost of one call in a process, compared with a bare wasmtime loop over the same guest.
//!
//! The loop uses wasmtime alone: a fresh instance for each call, text in, text out, no limits, no
//! schemas. The rounds of both alternate, so that a change of the machine's speed affects both
//! equally. The benchmark prints the median of the ratios.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::time::{Duration, Instant};

use ophost::{Host, Outcome, Request};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

mod contract {
    wasmtime::component::bindgen!({ path: "../wit", world: "plugin" });
}
use contract::PluginPre;
use contract::ophost::plugin::{context, item_errors, log, progress, types};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Calls per round.
const CALLS: u32 = 200;
/// Rounds after the warm-up.
const ROUNDS: usize = 25;

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target");
    let text = std::fs::read(target.join("guests/text.wasm"))
        .map_err(|error| format!("run `cargo xtask guests` first: {error}"))?;
    let benign = e2e::guest::wat_component("benign")?;
    let cases = [
        ("tiny guest", "benign", benign, "hostile.benign", json!({})),
        ("Rust guest", "text", text, "slugify", json!({"text": "Hello, World!"})),
    ];
    println!("one call, fresh instance, no record; goal: at most 1.5 times a bare wasmtime loop");
    for (title, file, bytes, operation, input) in cases {
        std::fs::write(directory.path().join(format!("{file}.wasm")), &bytes)?;
        let ours = HostLoop::new(directory.path(), operation, input.clone())?;
        let bare = BareLoop::new(&bytes, operation, input.to_string())?;
        compare(title, &ours, &bare)?;
    }
    Ok(())
}

fn compare(title: &str, ours: &HostLoop, bare: &BareLoop) -> Result<()> {
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        rounds.push((time(|| ours.call())?, time(|| bare.call())?));
    }
    // The first round is the warm-up.
    let mut ratios: Vec<_> =
        rounds[1..].iter().map(|(ours, bare)| ours.as_secs_f64() / bare.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    println!(
        "  {title}: ophost {:?}, bare loop {:?}, ratio {:.2} (from {:.2} to {:.2})",
        median(rounds[1..].iter().map(|round| round.0).collect()),
        median(rounds[1..].iter().map(|round| round.1).collect()),
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
    );
    Ok(())
}

/// Returns the mean time of a call in one round.
fn time(call: impl Fn() -> Result<()>) -> Result<Duration> {
    let started = Instant::now();
    for _ in 0..CALLS {
        call()?;
    }
    Ok(started.elapsed() / CALLS)
}

/// The host, called through the library.
struct HostLoop {
    runtime: Runtime,
    host: Host,
    operation: String,
    input: Value,
}

impl HostLoop {
    fn new(plugins: &std::path::Path, operation: &str, input: Value) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let host = runtime.block_on(Host::builder().plugins(plugins).build())?;
        Ok(Self { runtime, host, operation: operation.to_owned(), input })
    }

    fn call(&self) -> Result<()> {
        let request = Request::new(&self.operation, self.input.clone());
        let report = self.runtime.block_on(self.host.run(request))?;
        match report.outcome {
            Outcome::Success(_) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }
}

/// A loop that uses wasmtime alone.
struct BareLoop {
    engine: Engine,
    pre: PluginPre<State>,
    operation: String,
    input: String,
}

impl BareLoop {
    fn new(bytes: &[u8], operation: &str, input: String) -> Result<Self> {
        let engine = Engine::default();
        let component = Component::from_binary(&engine, bytes)?;
        let mut linker = Linker::new(&engine);
        let all: fn(&mut State) -> &mut State = |state| state;
        types::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
        log::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
        progress::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
        item_errors::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
        context::add_to_linker::<_, HasSelf<_>>(&mut linker, all)?;
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let pre = PluginPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre, operation: operation.to_owned(), input })
    }

    fn call(&self) -> Result<()> {
        let mut store = Store::new(&self.engine, State::default());
        let plugin = self.pre.instantiate(&mut store)?;
        let operations = plugin.ophost_plugin_operations();
        let answer = operations.call_invoke(&mut store, &self.operation, &self.input)?;
        answer.map(drop).map_err(|failure| format!("{failure:?}").into())
    }
}

/// Stubs of the guests' imports. Neither of the two operations calls one.
#[derive(Default)]
struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
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
