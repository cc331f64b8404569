//! Guests that misbehave: each ends as its kind, and the host goes on.

use std::time::{Duration, Instant};

use e2e::guest;
use ophost::{FailureKind, Host, LimitRequest, LogSource, Outcome, Request, RunReport};
use serde_json::json;

use crate::harness::Project;

/// How a guest has to end.
enum Ending {
    /// Its output.
    Success,
    /// A failure, and words of its message.
    Failed(FailureKind, &'static str),
    /// The file is not even used; words of the reason.
    Refused(&'static str),
}

use Ending::{Failed, Refused, Success};

/// Every guest of `tests/guests/wat`, and its ending under [`limits`].
const ENDINGS: [(&str, Ending); 27] = [
    ("benign", Success),
    ("bulk_fill", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("call_invalid_utf8", Failed(FailureKind::Trap, "a string passed to the host is not UTF-8")),
    ("deep_json", Failed(FailureKind::InvalidOutput, "recursion limit exceeded")),
    ("doze", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("duplicate_keys", Failed(FailureKind::InvalidOutput, "the key \"a\" stands twice")),
    ("exit", Failed(FailureKind::Trap, "the guest called exit(1)")),
    ("exit_ok", Failed(FailureKind::Trap, "the guest called exit(0)")),
    ("float_json", Failed(FailureKind::InvalidOutput, "number out of range")),
    ("flood", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("giant_memory", Refused("memory exceeds the limit of 128.0 MiB")),
    ("grow_memory", Failed(FailureKind::Memory, "memory exceeds the limit of 200.0 MiB")),
    ("hoard_handles", Failed(FailureKind::Trap, "table has no free keys")),
    ("huge_output", Failed(FailureKind::Output, "exceeds the limit of 8.0 MiB")),
    ("invalid_utf8", Failed(FailureKind::InvalidOutput, "not UTF-8")),
    ("log_bytes", Success),
    ("loop_at_start", Refused("still running after 1s")),
    ("loop_in_realloc", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("not_json", Failed(FailureKind::InvalidOutput, "the output is not JSON")),
    ("panic_after_flood", Failed(FailureKind::Trap, "panicked at src/lib.rs:7:5: boom")),
    ("recurse", Failed(FailureKind::Stack, "stack overflow")),
    ("sleep", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("table_bomb", Failed(FailureKind::Table, "tables exceed the limit of 100000 elements")),
    ("trap", Failed(FailureKind::Trap, "unreachable")),
    (
        "unknown_import",
        Refused("imports `acme:tools/magic@1.0.0`, which this host does not provide"),
    ),
    ("wasi_long_line", Success),
    ("wasi_stdout", Success),
];

fn limits() -> LimitRequest {
    LimitRequest {
        timeout: Some(Duration::from_millis(400)),
        memory: Some(200 << 20),
        ..LimitRequest::default()
    }
}

async fn host(project: &Project) -> Host {
    Host::builder().plugins(project.plugins()).build().await.expect("a host")
}

async fn run(host: &Host, guest: &str) -> RunReport {
    let request = Request::new(format!("hostile.{guest}"), json!({})).limits(limits());
    host.run(request).await.expect("the run begins")
}

#[test]
fn every_guest_has_an_ending() {
    let names: Vec<_> = ENDINGS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, guest::NAMES);
}

#[tokio::test]
async fn each_guest_ends_as_its_kind_and_the_host_goes_on() {
    let project = Project::with_wat(&guest::NAMES);
    let host = host(&project).await;
    for (name, ending) in &ENDINGS {
        match ending {
            Refused(reason) => refused(&host, name, reason),
            Success => {
                assert_eq!(run(&host, name).await.outcome, Outcome::Success(json!({})), "{name}")
            }
            Failed(kind, message) => failed(&run(&host, name).await, *kind, message),
        }
        let next = run(&host, "benign").await;
        assert_eq!(next.outcome, Outcome::Success(json!({})), "after {name}");
    }
}

fn refused(host: &Host, name: &str, expected: &str) {
    let file = format!("{name}.wasm");
    let catalog = host.catalog();
    let mut refused = catalog.rejected().filter(|(path, _)| path.ends_with(&file));
    let (_, reason) = refused.next().unwrap_or_else(|| panic!("{name} is used"));
    assert!(reason.contains(expected), "{name}: {reason}");
}

fn failed(report: &RunReport, kind: FailureKind, message: &str) {
    let Outcome::Failed(failure) = &report.outcome else { panic!("{report:?}") };
    assert_eq!(failure.kind, kind, "{report:?}");
    assert!(failure.message.contains(message), "{report:?}");
}

#[tokio::test]
async fn a_trap_says_where() {
    let project = Project::with_wat(&["trap"]);
    let report = run(&host(&project).await, "trap").await;
    let Outcome::Failed(failure) = report.outcome else { panic!("{report:?}") };
    let traceback = failure.traceback.unwrap_or_default();
    assert!(traceback.starts_with("at deep_down\nat helper\n"), "{traceback}");
}

#[tokio::test]
async fn the_deadline_stops_a_guest_that_computes_and_one_that_waits() {
    let project = Project::with_wat(&["loop_in_realloc", "sleep"]);
    let host = host(&project).await;
    for guest in ["loop_in_realloc", "sleep"] {
        let started = Instant::now();
        failed(&run(&host, guest).await, FailureKind::Timeout, "still running");
        let late = started.elapsed().saturating_sub(Duration::from_millis(400));
        assert!(late < Duration::from_secs(2), "{guest} was stopped {late:?} late");
    }
}

#[tokio::test]
async fn standard_output_becomes_a_log_entry() {
    let project = Project::with_wat(&["wasi_stdout"]);
    let report = run(&host(&project).await, "wasi_stdout").await;
    let [entry] = report.trail.log.as_slice() else { panic!("{report:?}") };
    assert_eq!(entry.source, LogSource::Stdout);
    assert!(entry.message.starts_with("hello from stdout"), "{entry:?}");
}

#[tokio::test]
async fn one_huge_log_entry_is_cut_and_fails_nothing() {
    let project = Project::with_wat(&["log_bytes"]);
    let report = run(&host(&project).await, "log_bytes").await;
    let [entry] = report.trail.log.as_slice() else { panic!("{report:?}") };
    assert!(entry.message.ends_with("[33554432 bytes, cut]"), "{}", entry.message.len());
}

#[test]
fn what_a_guest_prints_reaches_no_terminal_raw() {
    let project = Project::with_wat(&["wasi_stdout"]);
    insta::assert_snapshot!(project.run(&["run", "hostile.wasi_stdout", "-v"]), @r"
    {}
    ---- stderr
    INFO  hello from stdout\u{1b}[31m
    ");
}

#[test]
fn a_hostile_guest_gets_a_verdict_of_a_few_lines() {
    let project = Project::with_wat(&["trap", "recurse", "exit", "not_json"]);
    let verdict = |guest: &str| project.run(&["run", &format!("hostile.{guest}")]);
    insta::assert_snapshot!(verdict("trap"), @"
    ---- stderr
    error: operation `hostile.trap` failed (trap): wasm `unreachable` instruction executed
      at deep_down
      at helper
      at run
      at invoke
    ---- exit 1
    ");
    insta::assert_snapshot!(verdict("exit"), @"
    ---- stderr
    error: operation `hostile.exit` failed (trap): the guest called exit(1)
      at run
      at invoke
    ---- exit 1
    ");
    insta::assert_snapshot!(verdict("not_json"), @"
    ---- stderr
    error: operation `hostile.not_json` failed (invalid_output): the output is not JSON: unexpected `hello` at line 1 column 1
    hint: this is a fault of the plugin: tell its author
    ---- exit 1
    ");
    let recursion = verdict("recurse").stderr;
    assert!(
        recursion
            .starts_with("error: operation `hostile.recurse` failed (stack): stack overflow\n")
    );
    assert!(recursion.ends_with("  ...\n"), "{recursion}");
}

#[tokio::test]
async fn a_core_module_with_metadata_is_made_a_component() {
    let project = Project::new();
    project.add("benign", &guest::wat_module("benign").expect("a module"));
    project.add("exit", &guest::wat_module("exit").expect("a module"));
    let host = host(&project).await;
    assert_eq!(run(&host, "benign").await.outcome, Outcome::Success(json!({})));
    failed(&run(&host, "exit").await, FailureKind::Trap, "exit(1)");
}

#[tokio::test]
async fn a_flood_is_kept_in_part_and_the_rest_is_counted() {
    let project = Project::with_wat(&["panic_after_flood", "flood"]);
    let host = host(&project).await;
    let trail = run(&host, "panic_after_flood").await.trail;
    assert_eq!(trail.log.len() as u64 + trail.log_dropped, 1000 + 1 + 1000 + 1);
    let lengths: Vec<_> = trail.log.iter().map(|entry| entry.message.len()).collect();
    assert!(lengths.is_sorted_by(|a, b| a >= b), "the order is that of the guest: {lengths:?}");
    assert!(lengths.contains(&4096) && lengths.contains(&5), "{lengths:?}");
    let trail = run(&host, "flood").await.trail;
    assert!(trail.log_dropped > 0 && trail.item_errors_dropped > 0);
    let nested = trail.log.len() + trail.item_errors.len();
    assert!(nested < 3000, "{nested} values of 33 parts are over 2 MiB");
}

#[tokio::test]
async fn a_line_without_end_becomes_entries_and_nothing_is_lost() {
    let project = Project::with_wat(&["wasi_long_line"]);
    let log = run(&host(&project).await, "wasi_long_line").await.trail.log;
    assert_eq!(log.iter().map(|entry| entry.message.len()).sum::<usize>(), 100_000);
    assert!(log.iter().all(|entry| entry.message.len() <= 16 << 10), "{}", log.len());
}

#[tokio::test]
async fn what_a_trap_shows_of_a_guest_is_short() {
    let long = "long_name_".repeat(9_000);
    let project = Project::new();
    let fields = format!(
        r#"(memory (export "memory") 1) (export "cabi_realloc" (func $allocate))
        (func ${long} (unreachable)) (func $run (result i32) (call ${long}) (unreachable))"#
    );
    project.add("fields", &guest::of_fields(&fields).expect("a guest"));
    let Outcome::Failed(failure) = run(&host(&project).await, "fields").await.outcome else {
        panic!("it traps")
    };
    let traceback = failure.traceback.expect("a traceback");
    assert!(traceback.starts_with("at long_name_") && traceback.len() < 500, "{traceback}");
    assert!(traceback.contains("[90000 bytes, cut]"), "{traceback}");
}
