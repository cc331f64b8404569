//! Limits of the host's own work for a run.
//!
//! Validating the input, validating, masking and recording the output, and evaluating filters end
//! at the deadline of the run and on Ctrl-C, and need limited memory.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use e2e::guest::{self, Described, Operation};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};

use crate::harness::Project;

/// Tolerance after a deadline. It allows for a busy machine and an unoptimised host. The goal is
/// 100 ms.
const TOLERANCE: Duration = Duration::from_secs(2);
/// Maximum memory of a command, in KiB. One copy of a million values takes 80 MiB.
const MAX_MEMORY: u64 = 600 << 10;

/// The exit and the resources of a command.
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    took: Duration,
    /// Peak memory, in KiB.
    memory: u64,
}

/// Returns the peak memory of a running process, in KiB.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a command. If `interrupted` is given, sends SIGINT after this time.
#[expect(clippy::print_stdout, reason = "measurements for `--nocapture`")]
fn run(project: &Project, arguments: &[&str], interrupted: Option<Duration>) -> Finished {
    let mut command = project.command(arguments);
    let out = project.path().join("stdout");
    let err = project.path().join("stderr");
    command.stdout(fs::File::create(&out).expect("a file"));
    command.stderr(fs::File::create(&err).expect("a file"));
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).spawn().expect("the command starts");
    let (mut memory, mut interrupt) = (0, interrupted);
    let status = loop {
        if interrupt.take_if(|after| started.elapsed() >= *after).is_some() {
            kill_process(Pid::from_child(&child), Signal::INT).expect("a running process");
        }
        memory = memory.max(peak_memory(&child).unwrap_or_default());
        match child.try_wait().expect("a child of this process") {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let took = started.elapsed();
    let read = |file| fs::read_to_string(file).expect("a text");
    let finished =
        Finished { code: status.code(), stdout: read(out), stderr: read(err), took, memory };
    println!("{arguments:?}: {:?} after {took:?}, {memory} KiB", finished.code);
    finished
}

impl Finished {
    #[track_caller]
    fn assert_failed_in_time(&self, timeout: Duration, message: &str) {
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        assert!(self.stderr.contains(message), "{}", self.stderr);
        self.assert_in_time(timeout);
    }

    #[track_caller]
    fn assert_in_time(&self, timeout: Duration) {
        assert!(self.took < timeout + TOLERANCE, "the command ended after {:?}", self.took);
        assert!(self.memory < MAX_MEMORY, "the command needed {} KiB", self.memory);
    }
}

/// Returns a project with an operation `echo`, which has these schemas and returns its input.
fn echo(input: &Value, output: &Value) -> Project {
    let operation = Operation {
        input_schema: input.to_string(),
        output_schema: output.to_string(),
        ..Operation::new("echo")
    };
    let project = Project::new();
    let plugin = guest::echoing(&Described::new("echo").with(operation)).expect("a guest");
    project.add("echo", &plugin);
    // Compile the plugin now, so that no measured run has to.
    assert_eq!(project.run(&["check", "plugins/echo.wasm"]).code, Some(0));
    project.run(&["run", "echo", "--no-record"]);
    project
}

fn write_input(project: &Project, input: &Value) {
    fs::write(project.path().join("input.json"), input.to_string()).expect("a writable directory");
}

fn members(count: usize, of: impl Fn(usize) -> Value) -> Value {
    let all: Map<_, _> = (0..count).map(|n| (format!("{n:x}"), of(n))).collect();
    Value::Object(all)
}

/// Returns a schema of 39 KB that applies 900 keywords to each member of an object.
fn slow_schema() -> Value {
    let inner: Vec<_> =
        (0..900).map(|n| json!({"additionalProperties": {"minimum": -n}})).collect();
    json!({"allOf": inner})
}

const RUN: [&str; 6] = ["run", "echo", "--input", "@input.json", "--record", "--json"];

fn with_timeout(timeout: &'static str) -> Vec<&'static str> {
    [&RUN[..5], &["--timeout", timeout]].concat()
}

#[test]
fn input_validation_ends_at_the_deadline_without_a_record() {
    let project = echo(&slow_schema(), &json!({}));
    write_input(&project, &members(150_000, |n| json!(n)));
    let finished = run(&project, &with_timeout("300ms"), None);
    let message = "error: still checking the input of `echo` after 300ms: no run started";
    finished.assert_failed_in_time(Duration::from_millis(300), message);
    let listed = project.run(&["runs", "list", "--json"]).json();
    assert_eq!(listed["runs"], json!([]), "{listed}");
}

#[test]
fn validation_at_the_maximum_timeout_hints_at_the_settings() {
    let project = echo(&slow_schema(), &json!({}));
    write_input(&project, &members(150_000, |n| json!(n)));
    let hint = |timeout| project.run(&with_timeout(timeout)).stderr;
    assert!(hint("300ms").contains("--timeout"));
    let settings = "[limits.max]\ntimeout = \"300ms\"\n";
    fs::write(project.path().join("ophost.toml"), settings).expect("a writable directory");
    let hint = hint("300ms");
    assert!(hint.contains("[limits.max]"), "{hint}");
}

#[test]
fn output_validation_ends_at_the_deadline() {
    let project = echo(&json!({}), &slow_schema());
    write_input(&project, &members(150_000, |n| json!(n)));
    let finished = run(&project, &with_timeout("500ms"), None);
    finished
        .assert_failed_in_time(Duration::from_millis(500), "failed (timeout): still running after");
    let shown = project.run(&["runs", "show", "latest", "--json"]).json();
    assert_eq!((&shown["status"], &shown["failure_kind"]), (&json!("FAILED"), &json!("timeout")));
}

#[test]
fn ctrl_c_ends_input_and_output_validation() {
    for (input, output) in [(slow_schema(), json!({})), (json!({}), slow_schema())] {
        let project = echo(&input, &output);
        write_input(&project, &members(550_000, |n| json!(n)));
        let after = Duration::from_millis(2_000);
        let finished = run(&project, &RUN, Some(after));
        assert_eq!(finished.code, Some(130), "{}{}", finished.stdout, finished.stderr);
        assert!(finished.stdout.contains(r#""kind":"cancelled""#), "{}", finished.stdout);
        finished.assert_in_time(after);
    }
}

#[test]
fn many_secrets_are_masked_as_one_quickly() {
    let secrets = json!({"additionalProperties": {"writeOnly": true}});
    let many = members(800_000, |_| json!(1));
    for (input, output) in [(secrets.clone(), json!({})), (json!({}), secrets)] {
        let project = echo(&input, &output);
        write_input(&project, &many);
        let finished = run(&project, &RUN, None);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.assert_in_time(Duration::from_secs(8));
        let shown = project.run(&["runs", "show", "latest", "--json"]);
        let run = shown.json();
        let masked = if input == json!({}) { &run["output"] } else { &run["input_dump"] };
        assert_eq!(masked["masked"], true, "{masked}");
        let length = shown.stdout.len();
        assert!(length < many.to_string().len() + (1 << 20), "the record has {length} bytes");
        let short = self::run(&project, &with_timeout("100ms"), None);
        assert!(short.stderr.contains("still"), "{}", short.stderr);
        short.assert_in_time(Duration::from_millis(100));
    }
}

#[test]
fn work_after_the_guest_counts_towards_the_timeout() {
    let project = echo(&json!({}), &json!({}));
    write_input(&project, &json!({"job_ids": vec!["a"; 900_000]}));
    for timeout in ["150ms", "400ms"] {
        let finished = run(&project, &with_timeout(timeout), None);
        assert!(matches!(finished.code, Some(0 | 1)), "{}", finished.stderr);
        finished.assert_in_time(Duration::from_secs(1));
    }
    let finished = run(&project, &RUN, None);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.memory < MAX_MEMORY, "the command needed {} KiB", finished.memory);
    let shown = project.run(&["runs", "show", "latest", "--json"]).json();
    assert_eq!(shown["result_refs"].as_array().map(Vec::len), Some(10_000));
}

#[test]
fn deadline_interrupts_a_filter_within_one_document() {
    let project = Project::with_rust(&["ledger"]);
    // Random text, so that a search with a bounded repetition reaches many states.
    let mut random = fastrand::Rng::with_seed(7);
    let text: String = (0..300_000).map(|_| if random.bool() { 'a' } else { 'b' }).collect();
    let document = json!({"_id": "large", "a": vec![1; 350_000], "t": text});
    fs::write(project.path().join("samples.jsonl"), document.to_string()).expect("a file");
    let imported = project.run(&["documents", "import", "samples", "samples.jsonl"]);
    assert_eq!(imported.code, Some(0), "{imported}");
    let conditions = |condition: Value| json!({"$and": vec![json!({"a": condition}); 950]});
    let items = json!({"$and": vec![json!({"a": {"$not": {"$elemMatch": {"$gt": 2}}}}); 300]});
    let filters = [
        items,
        conditions(json!({"$ne": 2})),
        conditions(json!({"$nin": [2, 3]})),
        json!({"t": {"$regex": "[ab]*a[ab]{200}c"}}),
    ];
    for filter in filters {
        write_input(&project, &json!({"filter": filter.to_string()}));
        let count = ["run", "ledger.count_samples", "--input", "@input.json"];
        let short = run(&project, &[&count[..], &["--timeout", "300ms"]].concat(), None);
        assert!(!short.stdout.contains("invalid"), "{}", short.stdout);
        short.assert_failed_in_time(Duration::from_millis(300), "failed (timeout)");
        let after = Duration::from_millis(700);
        let interrupted = run(&project, &count, Some(after));
        assert!(matches!(interrupted.code, Some(0 | 130)), "{}", interrupted.stderr);
        interrupted.assert_in_time(after);
    }
}

#[test]
fn memory_fill_of_the_maximum_memory_ends_soon_after_the_deadline() {
    let fields = "
        (memory (export \"memory\") 1)
        (export \"cabi_realloc\" (func $allocate))
        (func $run (result i32)
          (drop (memory.grow (i32.const 7900)))
          (loop $again
            (memory.fill (i32.const 0) (i32.const 1) (i32.shl (memory.size) (i32.const 16)))
            (br $again))
          (unreachable))";
    let project = Project::new();
    project.add("fields", &guest::of_fields(fields).expect("a guest"));
    let run = |arguments: &[&str]| {
        let call = ["run", "hostile.fields", "--timeout", "300ms", "--memory"];
        self::run(&project, &[&call[..], arguments].concat(), None)
    };
    run(&["64MiB"]);
    let finished = run(&["512MiB"]);
    assert!(finished.stderr.contains("failed (timeout)"), "{}", finished.stderr);
    assert!(finished.took < Duration::from_millis(300) + TOLERANCE, "{:?}", finished.took);
    let more = run(&["513MiB"]);
    assert!(more.stderr.contains("above the maximum of 512.0 MiB"), "{}", more.stderr);
    assert_eq!(more.code, Some(4));
}
