//! Checks that the guests written as text behave as their files say.
//!
//! Plain wasmtime runs them, without the host. A failure here is a fault of a guest, and a failure
//! only in other tests is a fault of the host.

use std::fs;
use std::thread;
use std::time::Duration;

use contract::Plugin;
use contract::ophost::plugin::log::{self, Level};
use contract::ophost::plugin::types;
use e2e::guest::{self, Annotation, Described, Operation};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{
    Config, Engine, Result, Store, StoreLimits, StoreLimitsBuilder, Trap, WasmBacktrace,
};

mod contract {
    wasmtime::component::bindgen!({ path: "../wit/released/0.1.0", world: "plugin" });
}

/// Timeout of a guest that is expected to end by itself.
const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn every_file_is_in_the_list_of_guests() {
    let mut files: Vec<String> = fs::read_dir(guest::wat_directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(files, guest::NAMES);
}

#[test]
fn guests_behave_as_their_names_say() {
    for name in guest::NAMES {
        let expected = Expected::of(name);
        let component = guest::wat_component(name).unwrap();
        let outcome = Bench::new(&component, expected.timeout()).unwrap().invoke();
        let summary = summary(&outcome);
        assert!(expected.is_met_by(&outcome), "`{name}` {summary}");
    }
}

#[test]
fn guests_describe_themselves() {
    let without_description = ["giant_memory", "loop_at_start"];
    for name in guest::NAMES.into_iter().filter(|name| !without_description.contains(name)) {
        let component = guest::wat_component(name).unwrap();
        assert_eq!(describe(&component).unwrap(), Described::guest(name));
    }
}

#[test]
fn all_fields_of_a_description_arrive() {
    let plugin = Described { version: "1.2.3-rc.1".into(), ..Described::new("d\u{e9}crit") }
        .annotated("author.note", "\"kept\"")
        .with(full_operation())
        .with(Operation::new("text.plain"));

    let component = guest::describing(&plugin).unwrap();

    assert_eq!(describe(&component).unwrap(), plugin);
    let mut bench = Bench::new(&component, TIMEOUT).unwrap();
    assert_eq!(bench.invoke().unwrap(), "{}");
}

#[test]
fn description_may_exceed_the_initial_memory() {
    let schema = format!("{{\"title\":\"{}\"}}", "x".repeat(16_000));
    let plugin = (0..256).fold(Described::new("large"), |plugin, index| {
        plugin.with(Operation {
            input_schema: schema.clone(),
            ..Operation::new(&format!("large.number_{index}"))
        })
    });
    let component = guest::describing(&plugin).unwrap();
    assert_eq!(describe(&component).unwrap(), plugin);
}

#[test]
fn core_module_contains_its_world() {
    let module = guest::wat_module("benign").unwrap();
    assert!(module.starts_with(b"\0asm\x01\0\0\0"), "not a core module");

    let component =
        wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    assert_eq!(component, guest::wat_component("benign").unwrap());
}

#[test]
fn log_bytes_logs_32_mib() {
    let component = guest::wat_component("log_bytes").unwrap();
    let mut bench = Bench::new(&component, TIMEOUT).unwrap();
    bench.invoke().unwrap();
    assert_eq!(bench.store.data().logged, 32 << 20);
}

#[test]
fn trap_backtrace_has_function_names() {
    let component = guest::wat_component("trap").unwrap();
    let error = Bench::new(&component, TIMEOUT).unwrap().invoke().unwrap_err();
    let backtrace = error.downcast_ref::<WasmBacktrace>().unwrap();
    let names: Vec<_> = backtrace.frames().iter().filter_map(|frame| frame.func_name()).collect();
    assert_eq!(names, ["deep_down", "helper", "run", "invoke"]);
}

/// The expected end of an invocation that limits only memory and tables.
enum Expected {
    Answer(String),
    Trap(Trap),
    /// An error other than a trap, whose text contains this.
    Failure(&'static str),
}

impl Expected {
    fn of(guest: &str) -> Self {
        match guest {
            "benign" | "log_bytes" => Self::Answer("{}".into()),
            "deep_json" => Self::Answer("[".repeat(100_000)),
            "duplicate_keys" => Self::Answer(r#"{"a":1,"a":2}"#.into()),
            "float_json" => Self::Answer(r#"{"value": 1e400}"#.into()),
            "huge_output" => Self::Answer(format!("\"{}\"", "a".repeat((100 << 20) - 2))),
            "not_json" => Self::Answer("hello".into()),

            "bulk_fill" | "loop_at_start" | "loop_in_realloc" => Self::Trap(Trap::Interrupt),
            "grow_memory" | "table_bomb" | "trap" => Self::Trap(Trap::UnreachableCodeReached),
            "panic_after_flood" => Self::Trap(Trap::UnreachableCodeReached),
            "recurse" => Self::Trap(Trap::StackOverflow),

            "giant_memory" => Self::Failure("memory minimum size"),
            "call_invalid_utf8" | "invalid_utf8" => Self::Failure("invalid utf-8"),
            // Only the log is linked, so the first call of another import fails.
            "exit" | "exit_ok" => Self::Failure("`wasi:cli/exit@0.2.0#exit`"),
            "flood" => Self::Failure("`ophost:plugin/progress@0.1.0#report`"),
            "doze" | "hoard_handles" | "sleep" => {
                Self::Failure("`wasi:clocks/monotonic-clock@0.2.0#subscribe-duration`")
            }
            "unknown_import" => Self::Failure("`acme:tools/magic@1.0.0#cast`"),
            "wasi_stderr_trap" => Self::Failure("`wasi:cli/stderr@0.2.0#get-stderr`"),
            "wasi_long_line" | "wasi_stdout" => Self::Failure("`wasi:cli/stdout@0.2.0#get-stdout`"),

            other => panic!("add the expected end of `{other}` here"),
        }
    }

    /// Returns the timeout of the guest. Endless guests get a short one.
    fn timeout(&self) -> Duration {
        match self {
            Self::Trap(Trap::Interrupt) => Duration::from_millis(200),
            Self::Answer(_) | Self::Trap(_) | Self::Failure(_) => TIMEOUT,
        }
    }

    fn is_met_by(&self, outcome: &Result<String>) -> bool {
        match (self, outcome) {
            (Self::Answer(expected), Ok(answer)) => expected == answer,
            (Self::Trap(expected), Err(error)) => error.downcast_ref() == Some(expected),
            (Self::Failure(part), Err(error)) => format!("{error:#}").contains(part),
            (Self::Answer(_), Err(_)) | (Self::Trap(_) | Self::Failure(_), Ok(_)) => false,
        }
    }
}

/// Formats `outcome` in one short line.
fn summary(outcome: &Result<String>) -> String {
    match outcome {
        Ok(answer) => format!("answered {} bytes: {answer:.80}", answer.len()),
        Err(error) => format!("failed: {error:#}"),
    }
}

/// Runs one component in plain wasmtime.
struct Bench {
    store: Store<State>,
    linker: Linker<State>,
    component: Component,
}

struct State {
    limits: StoreLimits,
    /// Total bytes of the messages that the guest logged.
    logged: usize,
}

impl Bench {
    /// Prepares to run a component that is interrupted after `timeout`.
    fn new(component: &[u8], timeout: Duration) -> Result<Self> {
        let engine = Engine::new(Config::new().epoch_interruption(true))?;
        let component = Component::from_binary(&engine, component)?;
        let linker = linker(&engine, &component)?;
        let store = store(&engine);
        interrupt_after(timeout, &engine);
        Ok(Self { store, linker, component })
    }

    fn instantiate(&mut self) -> Result<Plugin> {
        Plugin::instantiate(&mut self.store, &self.component, &self.linker)
    }

    fn invoke(&mut self) -> Result<String> {
        let plugin = self.instantiate()?;
        let outcome = plugin.ophost_plugin_operations().call_invoke(
            &mut self.store,
            "any.name",
            &"{}".to_owned(),
        )?;
        Ok(outcome.expect("guests return no failure"))
    }
}

/// Returns a linker with the log, and with traps for all other imports.
fn linker(engine: &Engine, component: &Component) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    linker.define_unknown_imports_as_traps(component)?;
    Ok(linker)
}

impl log::Host for State {
    fn write(&mut self, _level: Level, message: String, _data: Option<String>) {
        self.logged += message.len();
    }
}

/// Returns a store with just enough memory for the output of `huge_output`.
fn store(engine: &Engine) -> Store<State> {
    let limits = StoreLimitsBuilder::new().memory_size(128 << 20).table_elements(1_000_000).build();
    let mut store = Store::new(engine, State { limits, logged: 0 });
    store.limiter(|state| &mut state.limits);
    store.set_epoch_deadline(1);
    store
}

fn interrupt_after(timeout: Duration, engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        thread::sleep(timeout);
        if let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
        }
    });
}

fn describe(component: &[u8]) -> Result<Described> {
    let mut bench = Bench::new(component, TIMEOUT)?;
    let plugin = bench.instantiate()?;
    let described = plugin.ophost_plugin_operations().call_describe(&mut bench.store)?;
    Ok(Described {
        name: described.name,
        version: described.version,
        annotations: annotations(described.annotations),
        operations: described.operations.into_iter().map(operation).collect(),
    })
}

fn operation(lifted: types::Operation) -> Operation {
    Operation {
        name: lifted.name,
        description: lifted.description,
        category: lifted.category,
        input_schema: lifted.input_schema,
        output_schema: lifted.output_schema,
        tags: lifted.tags,
        permissions: lifted.permissions,
        models_in: lifted.models_in,
        models_out: lifted.models_out,
        stage: lifted.stage,
        async_enabled: lifted.async_enabled,
        create_taskrun: lifted.create_taskrun,
        annotations: annotations(lifted.annotations),
    }
}

fn annotations(lifted: Vec<types::Annotation>) -> Vec<Annotation> {
    lifted
        .into_iter()
        .map(|annotation| Annotation::new(&annotation.key, &annotation.value))
        .collect()
}

/// Returns an operation whose fields all have different values.
fn full_operation() -> Operation {
    Operation {
        description: "Does much.".into(),
        category: "text".into(),
        input_schema: r#"{"type":"object"}"#.into(),
        output_schema: r#"{"type":"string"}"#.into(),
        tags: vec!["one".into(), "two".into(), "three".into()],
        permissions: vec!["jobs:write".into()],
        models_in: vec!["Job".into(), "User".into()],
        models_out: vec!["Report".into()],
        stage: Some("extract".into()),
        async_enabled: false,
        create_taskrun: true,
        ..Operation::new("text.full")
    }
    .annotated("ophost.timeout", "5")
    .annotated("author.empty", "")
}
