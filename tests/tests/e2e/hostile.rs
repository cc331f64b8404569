//! Misbehaving guests: each fails with the expected kind, and the host continues.

use std::time::{Duration, Instant};

use e2e::guest;
use ophost::{
    CompilerBackend, FailureKind, Host, LimitRequest, LogSource, Outcome, Request, RunReport,
};
use serde_json::json;

use crate::harness::Project;

/// The expected end of a guest.
enum Ending {
    /// The guest succeeds.
    Success,
    /// The run fails with this kind and a message that contains this text.
    Failed(FailureKind, &'static str),
    /// The file is rejected with a reason that contains this text.
    Rejected(&'static str),
}

use Ending::{Failed, Rejected, Success};

/// Every guest of `tests/guests/wat` and its expected end under [`limits`].
const ENDINGS: [(&str, Ending); 28] = [
    ("benign", Success),
    ("bulk_fill", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("call_invalid_utf8", Failed(FailureKind::Trap, "a string passed to the host is not UTF-8")),
    ("deep_json", Failed(FailureKind::InvalidOutput, "recursion limit exceeded")),
    ("doze", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("duplicate_keys", Failed(FailureKind::InvalidOutput, "duplicate field `a`")),
    ("exit", Failed(FailureKind::Trap, "the guest exited with an error status")),
    ("exit_ok", Failed(FailureKind::Trap, "the guest exited")),
    ("float_json", Failed(FailureKind::InvalidOutput, "number out of range")),
    ("flood", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("giant_memory", Rejected("memory exceeds the limit of 128.0 MiB")),
    ("grow_memory", Failed(FailureKind::Memory, "memory exceeds the limit of 200.0 MiB")),
    ("hoard_handles", Failed(FailureKind::Trap, "table has no free keys")),
    ("huge_output", Failed(FailureKind::Output, "exceeds the limit of 8.0 MiB")),
    ("invalid_utf8", Failed(FailureKind::InvalidOutput, "not UTF-8")),
    ("log_bytes", Success),
    ("loop_at_start", Rejected("still running after 1s")),
    ("loop_in_realloc", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("not_json", Failed(FailureKind::InvalidOutput, "the output is not JSON")),
    ("panic_after_flood", Failed(FailureKind::Trap, "panicked at src/lib.rs:7:5: boom")),
    ("recurse", Failed(FailureKind::Stack, "stack overflow")),
    ("sleep", Failed(FailureKind::Timeout, "still running after 400ms")),
    ("table_bomb", Failed(FailureKind::Table, "tables exceed the limit of 100000 elements")),
    ("trap", Failed(FailureKind::Trap, "unreachable")),
    (
        "unknown_import",
        Rejected("imports `acme:tools/magic@1.0.0`, which this host does not provide"),
    ),
    ("wasi_long_line", Success),
    ("wasi_stderr_trap", Failed(FailureKind::Trap, "KeyError: 'nothing'")),
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
    pooled_host(project, 0).await
}

async fn pooled_host(project: &Project, slots: u16) -> Host {
    let builder = Host::builder().plugins(project.plugins()).instance_pool(slots);
    builder.build().await.expect("a host")
}

async fn winch_host(project: &Project, slots: u16) -> Host {
    let builder = Host::builder().plugins(project.plugins()).instance_pool(slots);
    builder.compiler_backend(CompilerBackend::Winch).build().await.expect("a host")
}

async fn run(host: &Host, guest: &str) -> RunReport {
    let request = Request::new(format!("hostile.{guest}"), json!({})).limits(limits());
    host.run(request).await.expect("the run starts")
}

#[test]
fn every_guest_has_an_expected_ending() {
    let names: Vec<_> = ENDINGS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, guest::NAMES);
}

#[tokio::test]
async fn misbehaving_guests_fail_with_their_kind_and_the_host_continues() {
    let project = Project::with_wat(&guest::NAMES);
    assert_endings(&host(&project).await).await;
}

#[tokio::test]
async fn misbehaving_guests_in_a_pool_fail_with_the_same_kind() {
    let project = Project::with_wat(&guest::NAMES);
    assert_endings(&pooled_host(&project, 1).await).await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn misbehaving_guests_compiled_with_winch_fail_with_the_same_kind() {
    let project = Project::with_wat(&guest::NAMES);
    for slots in [0, 1] {
        assert_endings(&winch_host(&project, slots).await).await;
    }
}

/// A guest with a tail call, which Winch does not support.
const TAIL_CALL: &str = r#"
    (memory (export "memory") 1)
    (export "cabi_realloc" (func $allocate))
    (data (i32.const 16) "{}")
    (func $tail (result i32) (call $answer (i32.const 16) (i32.const 2)))
    (func $run (result i32) (return_call $tail))"#;

#[tokio::test]
async fn guest_that_winch_does_not_support_is_compiled_with_cranelift() {
    let project = Project::with_wat(&["benign"]);
    project.add("fields", &guest::of_fields(TAIL_CALL).expect("a guest"));
    for slots in [0, 1] {
        let host = winch_host(&project, slots).await;
        for guest in ["fields", "benign"] {
            let report = run(&host, guest).await;
            assert_eq!(report.outcome, Outcome::Success(json!({})), "{guest}");
        }
    }
}

async fn assert_endings(host: &Host) {
    for (name, ending) in &ENDINGS {
        match ending {
            Rejected(reason) => assert_rejected(host, name, reason),
            Success => {
                assert_eq!(run(host, name).await.outcome, Outcome::Success(json!({})), "{name}")
            }
            Failed(kind, message) => assert_failed(&run(host, name).await, *kind, message),
        }
        let next = run(host, "benign").await;
        assert_eq!(next.outcome, Outcome::Success(json!({})), "after {name}");
    }
}

#[tokio::test]
async fn a_run_does_not_wait_for_a_slot_of_the_pool() {
    let project = Project::with_wat(&["benign", "doze"]);
    let host = pooled_host(&project, 1).await;
    let long = LimitRequest { timeout: Some(Duration::from_secs(30)), ..limits() };
    let dozing = host.run(Request::new("hostile.doze", json!({})).limits(long));
    tokio::select! {
        biased;
        report = dozing => panic!("the run in the slot has ended: {report:?}"),
        report = run(&host, "benign") => assert_eq!(report.outcome, Outcome::Success(json!({}))),
    }
}

/// A guest that traps if its memory, global or table is not in its initial state, and then changes
/// all of them.
const STATEFUL: &str = r#"
    (memory (export "memory") 1)
    (export "cabi_realloc" (func $allocate))
    (data (i32.const 16) "{}")
    (global $seen (mut i32) (i32.const 0))
    (table $table 2 10 funcref)
    (elem declare func $run)
    (func $run (result i32)
      (if (i32.load (i32.const 60000)) (then (unreachable)))
      (if (i32.ne (i32.load8_u (i32.const 16)) (i32.const 123)) (then (unreachable)))
      (if (global.get $seen) (then (unreachable)))
      (if (i32.eqz (ref.is_null (table.get $table (i32.const 1)))) (then (unreachable)))
      (if (i32.ne (table.size $table) (i32.const 2)) (then (unreachable)))
      (if (i32.eq (memory.grow (i32.const 3)) (i32.const -1)) (then (unreachable)))
      (if (i32.load (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)))
        (then (unreachable)))
      (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const 1))
      (i32.store (i32.const 60000) (i32.const 1))
      (i32.store (i32.const 16) (i32.const 0x7d7b))
      (global.set $seen (i32.const 1))
      (table.set $table (i32.const 1) (ref.func $run))
      (drop (table.grow $table (ref.func $run) (i32.const 5)))
      (call $answer (i32.const 16) (i32.const 2)))"#;

#[tokio::test]
async fn no_state_of_a_run_is_left_in_a_slot() {
    let project = Project::new();
    project.add("fields", &guest::of_fields(STATEFUL).expect("a guest"));
    let host = pooled_host(&project, 1).await;
    for _ in 0..5 {
        assert_eq!(run(&host, "fields").await.outcome, Outcome::Success(json!({})));
    }
}

fn assert_rejected(host: &Host, name: &str, expected: &str) {
    let file = format!("{name}.wasm");
    let catalog = host.catalog();
    let mut rejected = catalog.rejected().filter(|(path, _)| path.ends_with(&file));
    let (_, reason) = rejected.next().unwrap_or_else(|| panic!("{name} is not rejected"));
    assert!(reason.contains(expected), "{name}: {reason}");
}

fn assert_failed(report: &RunReport, kind: FailureKind, message: &str) {
    let Outcome::Failed(failure) = &report.outcome else { panic!("{report:?}") };
    assert_eq!(failure.kind, kind, "{report:?}");
    assert!(failure.message.contains(message), "{report:?}");
}

#[tokio::test]
async fn trap_has_a_backtrace() {
    let project = Project::with_wat(&["trap"]);
    let report = run(&host(&project).await, "trap").await;
    let Outcome::Failed(failure) = report.outcome else { panic!("{report:?}") };
    let traceback = failure.traceback.unwrap_or_default();
    assert!(traceback.starts_with("at deep_down\nat helper\n"), "{traceback}");
}

#[tokio::test]
async fn trap_in_code_of_winch_has_a_backtrace() {
    let project = Project::with_wat(&["trap"]);
    let report = run(&winch_host(&project, 0).await, "trap").await;
    let Outcome::Failed(failure) = report.outcome else { panic!("{report:?}") };
    let traceback = failure.traceback.unwrap_or_default();
    assert!(traceback.starts_with("at deep_down\nat helper\n"), "{traceback}");
}

#[tokio::test]
async fn deadline_stops_computing_and_waiting_guests() {
    let project = Project::with_wat(&["loop_in_realloc", "sleep"]);
    let host = host(&project).await;
    for guest in ["loop_in_realloc", "sleep"] {
        let started = Instant::now();
        assert_failed(&run(&host, guest).await, FailureKind::Timeout, "still running");
        let late = started.elapsed().saturating_sub(Duration::from_millis(400));
        assert!(
            late < Duration::from_secs(2),
            "{guest} was interrupted {late:?} after its deadline"
        );
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
async fn huge_log_entry_is_truncated_and_the_run_succeeds() {
    let project = Project::with_wat(&["log_bytes"]);
    let report = run(&host(&project).await, "log_bytes").await;
    let [entry] = report.trail.log.as_slice() else { panic!("{report:?}") };
    assert!(entry.message.ends_with("[33554432 bytes, cut]"), "{}", entry.message.len());
}

#[test]
fn terminal_output_of_guest_text_is_escaped() {
    let project = Project::with_wat(&["wasi_stdout"]);
    insta::assert_snapshot!(project.run(&["run", "hostile.wasi_stdout", "-v"]), @r"
    {}
    ---- stderr
    INFO  hello from stdout\u{1b}[31m
    ");
}

#[test]
fn failures_of_hostile_guests_are_short() {
    let project = Project::with_wat(&["trap", "recurse", "exit", "not_json"]);
    let output = |guest: &str| project.run(&["run", &format!("hostile.{guest}")]);
    insta::assert_snapshot!(output("trap"), @"
    ---- stderr
    error: operation `hostile.trap` failed (trap): wasm `unreachable` instruction executed
      at deep_down
      at helper
      at run
      at invoke
    ---- exit 1
    ");
    insta::assert_snapshot!(output("exit"), @"
    ---- stderr
    error: operation `hostile.exit` failed (trap): the guest exited with an error status
      at run
      at invoke
    ---- exit 1
    ");
    insta::assert_snapshot!(output("not_json"), @"
    ---- stderr
    error: operation `hostile.not_json` failed (invalid_output): the output is not JSON: unexpected `hello` at line 1 column 1
    hint: report this fault of the plugin to its author
    ---- exit 1
    ");
    let recursion = output("recurse").stderr;
    assert!(
        recursion
            .starts_with("error: operation `hostile.recurse` failed (stack): stack overflow\n")
    );
    assert!(recursion.ends_with("  ...\n"), "{recursion}");
}

#[test]
fn stderr_before_a_trap_is_the_message_and_the_traceback() {
    let project = Project::with_wat(&["wasi_stderr_trap"]);
    insta::assert_snapshot!(project.run(&["run", "hostile.wasi_stderr_trap"]), @r#"
    ---- stderr
    WARN  loading
    error: operation `hostile.wasi_stderr_trap` failed (trap): KeyError: 'nothing'
      Traceback (most recent call last):
        File "app.py", line 3, in invoke
      	return orders[name]
      KeyError: 'nothing'
      wasm `unreachable` instruction executed
      at run
      at invoke
    ---- exit 1
    "#);
}

#[tokio::test]
async fn core_module_with_metadata_is_componentized() {
    let project = Project::new();
    project.add("benign", &guest::wat_module("benign").expect("a module"));
    project.add("exit", &guest::wat_module("exit").expect("a module"));
    let host = host(&project).await;
    assert_eq!(run(&host, "benign").await.outcome, Outcome::Success(json!({})));
    assert_failed(&run(&host, "exit").await, FailureKind::Trap, "an error status");
}

#[tokio::test]
async fn log_beyond_the_limit_is_dropped_and_counted() {
    let project = Project::with_wat(&["panic_after_flood", "flood"]);
    let host = host(&project).await;
    let trail = run(&host, "panic_after_flood").await.trail;
    assert_eq!(trail.log.len() as u64 + trail.log_dropped, 1000 + 1 + 1000 + 1);
    let lengths: Vec<_> = trail.log.iter().map(|entry| entry.message.len()).collect();
    assert!(
        lengths.is_sorted_by(|a, b| a >= b),
        "the entries are not in the order of the guest: {lengths:?}"
    );
    assert!(lengths.contains(&4096) && lengths.contains(&5), "{lengths:?}");
    let trail = run(&host, "flood").await.trail;
    assert!(trail.log_dropped > 0 && trail.item_errors_dropped > 0);
    let nested = trail.log.len() + trail.item_errors.len();
    assert!(nested < 3000, "{nested} values of 33 parts are over 2 MiB");
}

#[tokio::test]
async fn long_line_without_newline_is_split_into_log_entries() {
    let project = Project::with_wat(&["wasi_long_line"]);
    let log = run(&host(&project).await, "wasi_long_line").await.trail.log;
    assert_eq!(log.iter().map(|entry| entry.message.len()).sum::<usize>(), 100_000);
    assert!(log.iter().all(|entry| entry.message.len() <= 16 << 10), "{}", log.len());
}

#[tokio::test]
async fn trap_report_is_short() {
    let long = "long_name_".repeat(9_000);
    let project = Project::new();
    let fields = format!(
        r#"(memory (export "memory") 1) (export "cabi_realloc" (func $allocate))
        (func ${long} (unreachable)) (func $run (result i32) (call ${long}) (unreachable))"#
    );
    project.add("fields", &guest::of_fields(&fields).expect("a guest"));
    let Outcome::Failed(failure) = run(&host(&project).await, "fields").await.outcome else {
        panic!("the run did not fail")
    };
    let traceback = failure.traceback.expect("a traceback");
    assert!(traceback.starts_with("at long_name_") && traceback.len() < 500, "{traceback}");
    assert!(traceback.contains("[90000 bytes, cut]"), "{traceback}");
}
