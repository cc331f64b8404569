//! What the host itself does for a run ends with the run's deadline, with Ctrl-C, and in bounded
//! memory: reading and checking an input, checking, masking and recording an output, filters.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use e2e::guest::{self, Described, Operation};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};

use crate::harness::Project;

/// How late a command may end, on a machine that is busy elsewhere and with a host that was not
/// optimised. The promise is a tenth of a second.
const LATE: Duration = Duration::from_secs(2);
/// The most memory that a command may take here, in KiB. A million values take 80 MiB each time
/// that they are in memory.
const MEMORY: u64 = 600 << 10;

/// How a command ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    took: Duration,
    /// The most memory that it had, in KiB.
    memory: u64,
}

/// Returns the most memory that a process had so far, in KiB.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a command, and interrupts it after that time if it is given.
#[expect(clippy::print_stdout, reason = "figures for whoever runs the test with `--nocapture`")]
fn run(project: &Project, arguments: &[&str], interrupted: Option<Duration>) -> Ended {
    let mut command = project.command(arguments);
    let out = project.path().join("stdout");
    let err = project.path().join("stderr");
    command.stdout(fs::File::create(&out).expect("a file"));
    command.stderr(fs::File::create(&err).expect("a file"));
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).spawn().expect("it starts");
    let (mut memory, mut interrupt) = (0, interrupted);
    let status = loop {
        if interrupt.take_if(|after| started.elapsed() >= *after).is_some() {
            kill_process(Pid::from_child(&child), Signal::INT).expect("it still runs");
        }
        memory = memory.max(peak_memory(&child).unwrap_or_default());
        match child.try_wait().expect("our own child") {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let took = started.elapsed();
    let read = |file| fs::read_to_string(file).expect("a text");
    let ended = Ended { code: status.code(), stdout: read(out), stderr: read(err), took, memory };
    println!("{arguments:?}: {:?} after {took:?}, {memory} KiB", ended.code);
    ended
}

impl Ended {
    #[track_caller]
    fn has_failed_in_time(&self, timeout: Duration, words: &str) {
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        assert!(self.stderr.contains(words), "{}", self.stderr);
        self.is_in_time(timeout);
    }

    #[track_caller]
    fn is_in_time(&self, timeout: Duration) {
        assert!(self.took < timeout + LATE, "it ended after {:?}", self.took);
        assert!(self.memory < MEMORY, "it took {} KiB", self.memory);
    }
}

/// Returns a project with an operation `echo` of these schemas, which answers its input.
fn echo(input: &Value, output: &Value) -> Project {
    let operation = Operation {
        input_schema: input.to_string(),
        output_schema: output.to_string(),
        ..Operation::new("echo")
    };
    let project = Project::new();
    let plugin = guest::echoing(&Described::new("echo").with(operation)).expect("a guest");
    project.add("echo", &plugin);
    // Compiled once, so that no run has to.
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

/// A schema of 39 KB that applies 900 keywords to each member of an object.
fn slow() -> Value {
    let inner: Vec<_> =
        (0..900).map(|n| json!({"additionalProperties": {"minimum": -n}})).collect();
    json!({"allOf": inner})
}

const RUN: [&str; 6] = ["run", "echo", "--input", "@input.json", "--record", "--json"];

fn with_timeout(timeout: &'static str) -> Vec<&'static str> {
    [&RUN[..5], &["--timeout", timeout]].concat()
}

#[test]
fn an_input_that_takes_long_to_check_ends_at_the_deadline_and_nothing_is_recorded() {
    let project = echo(&slow(), &json!({}));
    write_input(&project, &members(150_000, |n| json!(n)));
    let ended = run(&project, &with_timeout("300ms"), None);
    let words = "error: still checking the input of `echo` after 300ms: no run began";
    ended.has_failed_in_time(Duration::from_millis(300), words);
    let listed = project.run(&["runs", "list", "--json"]).json();
    assert_eq!(listed["runs"], json!([]), "{listed}");
}

#[test]
fn a_check_that_had_the_most_time_there_is_hints_at_the_settings() {
    let project = echo(&slow(), &json!({}));
    write_input(&project, &members(150_000, |n| json!(n)));
    let hint = |timeout| project.run(&with_timeout(timeout)).stderr;
    assert!(hint("300ms").contains("--timeout"));
    let settings = "[limits.max]\ntimeout = \"300ms\"\n";
    fs::write(project.path().join("ophost.toml"), settings).expect("a writable directory");
    let hint = hint("300ms");
    assert!(hint.contains("[limits.max]"), "{hint}");
}

#[test]
fn an_output_that_takes_long_to_check_fails_its_run_at_the_deadline() {
    let project = echo(&json!({}), &slow());
    write_input(&project, &members(150_000, |n| json!(n)));
    let ended = run(&project, &with_timeout("500ms"), None);
    ended.has_failed_in_time(Duration::from_millis(500), "failed (timeout): still running after");
    let shown = project.run(&["runs", "show", "latest", "--json"]).json();
    assert_eq!((&shown["status"], &shown["failure_kind"]), (&json!("FAILED"), &json!("timeout")));
}

#[test]
fn ctrl_c_ends_the_check_of_an_input_and_of_an_output() {
    for (input, output) in [(slow(), json!({})), (json!({}), slow())] {
        let project = echo(&input, &output);
        write_input(&project, &members(550_000, |n| json!(n)));
        let after = Duration::from_millis(2_000);
        let ended = run(&project, &RUN, Some(after));
        assert_eq!(ended.code, Some(130), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(r#""kind":"cancelled""#), "{}", ended.stdout);
        ended.is_in_time(after);
    }
}

#[test]
fn i4_many_secrets_cost_little_and_are_one_mask() {
    let secrets = json!({"additionalProperties": {"writeOnly": true}});
    let many = members(800_000, |_| json!(1));
    for (input, output) in [(secrets.clone(), json!({})), (json!({}), secrets)] {
        let project = echo(&input, &output);
        write_input(&project, &many);
        let ended = run(&project, &RUN, None);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.is_in_time(Duration::from_secs(8));
        let shown = project.run(&["runs", "show", "latest", "--json"]);
        let run = shown.json();
        let masked = if input == json!({}) { &run["output"] } else { &run["input_dump"] };
        assert_eq!(masked["masked"], true, "{masked}");
        let length = shown.stdout.len();
        assert!(length < many.to_string().len() + (1 << 20), "{length} bytes are shown");
        let hurried = self::run(&project, &with_timeout("100ms"), None);
        assert!(hurried.stderr.contains("still"), "{}", hurried.stderr);
        hurried.is_in_time(Duration::from_millis(100));
    }
}

#[test]
fn what_follows_the_guest_counts_too() {
    let project = echo(&json!({}), &json!({}));
    write_input(&project, &json!({"job_ids": vec!["a"; 900_000]}));
    for timeout in ["150ms", "400ms"] {
        let ended = run(&project, &with_timeout(timeout), None);
        assert!(matches!(ended.code, Some(0 | 1)), "{}", ended.stderr);
        ended.is_in_time(Duration::from_secs(1));
    }
    let ended = run(&project, &RUN, None);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.memory < MEMORY, "it took {} KiB", ended.memory);
    let shown = project.run(&["runs", "show", "latest", "--json"]).json();
    assert_eq!(shown["result_refs"].as_array().map(Vec::len), Some(10_000));
}

#[test]
fn a_run_ends_within_one_document() {
    let project = Project::with_rust(&["ledger"]);
    // Text of which no part comes again, so that a search has to remember much.
    let mut random = 88_172_645_463_325_252_u64;
    let letter = |_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if random & 1 == 0 { 'a' } else { 'b' }
    };
    let text: String = (0..300_000).map(letter).collect();
    let document = json!({"_id": "large", "a": vec![1; 350_000], "t": text});
    fs::write(project.path().join("odds.jsonl"), document.to_string()).expect("a file");
    let imported = project.run(&["documents", "import", "odds", "odds.jsonl"]);
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
        let count = ["run", "ledger.count_odds", "--input", "@input.json"];
        let hurried = run(&project, &[&count[..], &["--timeout", "300ms"]].concat(), None);
        assert!(!hurried.stdout.contains("invalid"), "{}", hurried.stdout);
        hurried.has_failed_in_time(Duration::from_millis(300), "failed (timeout)");
        let after = Duration::from_millis(700);
        let interrupted = run(&project, &count, Some(after));
        assert!(matches!(interrupted.code, Some(0 | 130)), "{}", interrupted.stderr);
        interrupted.is_in_time(after);
    }
}

#[test]
fn filling_all_memory_that_a_call_may_have_overruns_little() {
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
    let ended = run(&["512MiB"]);
    assert!(ended.stderr.contains("failed (timeout)"), "{}", ended.stderr);
    assert!(ended.took < Duration::from_millis(300) + LATE, "{:?}", ended.took);
    let more = run(&["513MiB"]);
    assert!(more.stderr.contains("above this host's maximum of 512.0 MiB"), "{}", more.stderr);
    assert_eq!(more.code, Some(4));
}
