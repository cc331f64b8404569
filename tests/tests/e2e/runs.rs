//! Run records: content, failures, idempotency keys, reruns, secrets and logs.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use e2e::guest::{Described, Operation, describing};
use ophost::{Host, Request, RunError};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::Project;
use crate::terminal;

/// Runs a command and returns its JSON, without replacing ids.
fn raw(project: &Project, arguments: &[&str]) -> Value {
    let output = project.command(arguments).output().expect("the command starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn runs(project: &Project, filter: &[&str]) -> Vec<Value> {
    let listed = raw(project, &[&["runs", "list", "--json", "--limit", "1000"], filter].concat());
    listed["runs"].as_array().expect("a list").clone()
}

fn latest(project: &Project) -> Value {
    raw(project, &["runs", "show", "latest", "--json"])
}

fn with_operation(operation: Operation) -> Project {
    let project = Project::new();
    project.add("it", &describing(&Described::new("it").with(operation)).expect("a guest"));
    project
}

/// Waits until there are more than `before` runs.
fn wait_for_new_run(project: &Project, before: usize) {
    let started = Instant::now();
    while runs(project, &[]).len() == before {
        assert!(started.elapsed() < Duration::from_secs(30), "the run is not recorded");
    }
}

/// Starts a recorded run of a spinning guest and returns when its record exists.
fn start_spinning(project: &Project, arguments: &[&str]) -> Child {
    let before = runs(project, &[]).len();
    let all = [&["run", "misbehave.spin", "--record", "--timeout", "60s"], arguments].concat();
    let mut command = project.command(&all);
    let child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    wait_for_new_run(project, before);
    child
}

#[test]
fn run_record_has_actor_input_output_and_times() {
    let project = Project::with_rust(&["text"]);
    let arguments = ["run", "slugify", "text=a b", "--user", "ann", "--tag", "mine", "--json"];
    let report = raw(&project, &arguments);
    let run = latest(&project);
    assert_eq!(run["id"], report["run_id"]);
    assert_eq!(run["operation_name"], "slugify");
    assert_eq!(run["status"], "SUCCESS");
    assert_eq!(run["actor"], json!({"user_id": "ann", "channel": "cli"}));
    assert_eq!(run["input_dump"], json!({"text": "a b", "separator": "-", "max_length": null}));
    assert_eq!(run["output"], json!({"slug": "a-b"}));
    assert_eq!(run["tags"], json!(["text", "web", "mine"]));
    assert_eq!((&run["plugin_version"], &run["error_message"]), (&json!("0.1.0"), &Value::Null));
    assert_eq!(run["metadata"]["dry_run"], false);
    assert_eq!(run["namespace"], "default");
    let granted = run["capabilities"]["granted"].as_array().expect("a list");
    assert!(granted.contains(&json!("log")) && !granted.contains(&json!("types")), "{run}");
    assert!(granted.iter().all(|it| !it.to_string().contains("filesystem")), "{run}");
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains("\nhost      0.1.0\n"), "{shown}");
    assert!(shown.contains("\nlimits    30s, memory 128.0 MiB, output 8.0 MiB, "), "{shown}");
    assert!(run["metadata"]["execution_time"].is_f64(), "{run}");
    assert_eq!(run["component_digest"].as_str().map(str::len), Some(64));
    for field in ["started_at", "finished_at", "created_at", "updated_at"] {
        assert!(run[field].as_str().is_some_and(|time| time.ends_with('Z')), "{field}: {run}");
    }
}

#[test]
fn guest_context_has_run_id_and_idempotency_key_of_its_record() {
    let project = Project::with_rust(&["misbehave"]);
    let run = |flags: &[&str]| {
        let report = raw(&project, &[&["run", "misbehave.context", "--json"], flags].concat());
        (report["run_id"].clone(), report["output"].clone())
    };
    let (id, context) = run(&["--idempotency-key", "k"]);
    assert!(id.is_string() && context["run_id"] == id, "{context}");
    assert_eq!(context["idempotency_key"], "k");
    let (id, context) = run(&["--record"]);
    assert!(id.is_string() && context["run_id"] == id, "{context}");
    assert_eq!(context["idempotency_key"], Value::Null);
    let (_, context) = run(&["--no-record"]);
    assert_eq!((&context["run_id"], &context["idempotency_key"]), (&Value::Null, &Value::Null));
    // A dry run ignores the key.
    let (_, context) = run(&["--idempotency-key", "k", "--dry-run"]);
    assert_eq!(context["idempotency_key"], Value::Null);
}

#[test]
fn failure_is_recorded_with_kind_and_backtrace() {
    let project = Project::with_rust(&["misbehave"]);
    assert_eq!(project.run(&["run", "misbehave.panic", "--record", "message=boom"]).code, Some(1));
    let run = latest(&project);
    assert_eq!((&run["status"], &run["failure_kind"]), (&json!("FAILED"), &json!("trap")));
    assert!(run["error_message"].as_str().is_some_and(|text| text.contains("boom")), "{run}");
    assert!(
        run["error_traceback"].as_str().is_some_and(|text| text.contains("panic_with")),
        "{run}"
    );
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.starts_with("misbehave.panic  FAILED\n") && shown.contains("boom"), "{shown}");
}

#[test]
fn operation_without_records_does_not_open_the_store() {
    let silent = Operation { async_enabled: false, ..Operation::new("quiet") };
    let project = with_operation(silent);
    assert_eq!(raw(&project, &["run", "quiet", "--json"])["run_id"], Value::Null);
    assert!(!project.path().join(".ophost/store").exists());
    assert_ne!(raw(&project, &["run", "quiet", "--record", "--json"])["run_id"], Value::Null);
    let loud = with_operation(Operation::new("loud"));
    assert_eq!(raw(&loud, &["run", "loud", "--no-record", "--json"])["run_id"], Value::Null);
    assert!(!loud.path().join(".ophost/store").exists());
    let never = Operation { create_taskrun: false, ..Operation::new("never") };
    assert_eq!(raw(&with_operation(never), &["run", "never", "--json"])["run_id"], Value::Null);
}

#[test]
fn record_setting_records_operations_without_records() {
    let silent = Operation { async_enabled: false, ..Operation::new("quiet") };
    let project = with_operation(silent);
    let id = |variable: &str, arguments: &[&str]| {
        let mut command = project.command(&[&["run", "quiet", "--json"], arguments].concat());
        project.output(command.env("OPHOST_RECORD", variable)).json()["run_id"].clone()
    };
    assert_ne!(id("always", &[]), Value::Null);
    assert_eq!(id("always", &["--no-record"]), Value::Null);
    project.settings("record = \"always\"");
    assert_ne!(id("", &[]), Value::Null);
    assert_eq!(id("declared", &[]), Value::Null);
    let mut wrong = project.command(&["list"]);
    insta::assert_snapshot!(project.output(wrong.env("OPHOST_RECORD", "never")), @"
    ---- stderr
    error: `OPHOST_RECORD`: `record` is `never`, which is not a record policy
    hint: use `declared` (calls that operations declare), `changes` (also calls that may change documents) or `always` (all calls)
    ---- exit 2
    ");
}

#[test]
fn invalid_input_creates_no_record() {
    let project = Project::with_rust(&["text"]);
    assert_eq!(project.run(&["run", "slugify", "txt=a"]).code, Some(2));
    assert_eq!(runs(&project, &[]).len(), 0);
}

#[test]
fn operation_does_not_run_if_its_record_cannot_be_written() {
    let project = Project::with_rust(&["text"]);
    assert_eq!(project.run(&["list"]).code, Some(0));
    fs::write(project.path().join(".ophost/store"), "a file").expect("a writable directory");
    let output = project.run(&["run", "slugify", "text=a"]);
    assert_eq!((output.stdout.as_str(), output.code), ("", Some(5)), "{output}");
    assert!(
        output
            .stderr
            .starts_with("error: the run had no effect, because its record cannot be written: "),
        "{output}"
    );
    // The hint suggests `--no-record` only if that would help.
    assert!(output.stderr.contains("or use `--no-record`"), "{output}");
    fs::write(project.path().join("it.jsonl"), "{}\n").expect("a writable directory");
    for other in [
        &["run", "slugify", "text=a", "--idempotency-key", "k"][..],
        &["documents", "import", "things", "it.jsonl"],
    ] {
        let output = project.run(other);
        assert!(
            output.stderr.starts_with(
                "error: the run had no effect, because its record cannot be written: "
            ),
            "{output}"
        );
        assert!(output.stderr.contains("\nhint: ") && output.code == Some(5), "{output}");
        assert!(!output.stderr.contains("--no-record"), "{output}");
    }
}

#[test]
fn run_of_a_killed_process_is_marked_as_crashed() {
    let project = Project::with_rust(&["misbehave"]);
    let mut child = start_spinning(&project, &[]);
    assert_eq!(latest(&project)["status"], "RUNNING");
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
    let run = latest(&project);
    assert_eq!((&run["status"], &run["failure_kind"]), (&json!("FAILED"), &json!("crashed")));
    assert_eq!(
        fs::read_dir(project.path().join(".ophost/owners")).expect("a directory").count(),
        0
    );
}

/// A library caller may drop the future of a run while the process continues.
#[tokio::test]
async fn run_whose_future_is_dropped_is_marked_as_crashed() {
    let project = Project::with_rust(&["misbehave"]);
    let builder = Host::builder().plugins(project.plugins()).data(project.path().join(".ophost"));
    let host = builder.build().await.expect("a host");
    let echo = Request::new("misbehave.echo", json!({"value": 1})).record(true);
    assert!(host.run(echo.clone()).await.is_ok_and(|report| report.run_id.is_some()));
    let request = Request::new("misbehave.spin", json!({})).record(true);
    let timed_out = tokio::time::timeout(Duration::from_secs(2), host.run(request)).await;
    assert!(timed_out.is_err(), "the run has ended");
    let started = Instant::now();
    // Only this process can mark the run as crashed, because it is still alive.
    while latest(&project)["status"] == "RUNNING" {
        assert!(started.elapsed() < Duration::from_secs(30), "the run is still running");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let run = latest(&project);
    assert_eq!((&run["status"], &run["failure_kind"]), (&json!("FAILED"), &json!("crashed")));
    let message = run["error_message"].as_str().expect("a reason");
    assert!(message.starts_with("the caller dropped the run"), "{message}");
    assert!(host.run(echo).await.is_ok_and(|report| report.run_id.is_some()));
    assert_eq!(latest(&project)["status"], "SUCCESS");
}

#[test]
fn interrupted_run_is_cancelled() {
    let project = Project::with_rust(&["misbehave"]);
    let mut child = start_spinning(&project, &[]);
    kill_process(Pid::from_child(&child), Signal::INT).expect("a running process");
    assert_eq!(child.wait().expect("the command ends").code(), Some(130));
    assert_eq!(latest(&project)["status"], "CANCELLED");
    // A process that exits normally removes its owner file.
    let owners = fs::read_dir(project.path().join(".ophost/owners")).expect("a directory");
    assert_eq!(owners.count(), 0);
}

/// Measures from the request of one process to the exit of the other.
#[test]
fn run_is_cancelled_from_another_process() {
    let project = Project::with_rust(&["misbehave"]);
    let mut took = Vec::new();
    for _ in 0..10 {
        let mut child = start_spinning(&project, &[]);
        let id = latest(&project)["id"].as_str().expect("an id").to_owned();
        let started = Instant::now();
        let cancelled = project.run(&["runs", "cancel", &id]);
        assert_eq!(cancelled.code, Some(0), "{cancelled}");
        assert_eq!(child.wait().expect("the command ends").code(), Some(130));
        took.push(started.elapsed());
        assert_eq!(latest(&project)["status"], "CANCELLED");
    }
    took.sort();
    println!("cancel, with the start of the command: median {:?}, slowest {:?}", took[5], took[9]);
    // The goal is 100 ms. The limit allows for a busy machine.
    assert!(took[5] < Duration::from_secs(1), "{took:?}");
    assert_eq!(project.run(&["runs", "cancel", "latest"]).code, Some(2));
    let wake = project.path().join(".ophost/wake");
    assert_eq!(fs::read_dir(wake).expect("a directory").count(), 0);
}

#[test]
fn run_whose_process_misses_the_message_is_cancelled() {
    let project = Project::with_rust(&["misbehave"]);
    let mut child = start_spinning(&project, &[]);
    let wake = project.path().join(".ophost/wake");
    for socket in fs::read_dir(wake).expect("a directory") {
        fs::remove_file(socket.expect("a socket").path()).expect("a file of this user");
    }
    let cancelled = project.run(&["runs", "cancel", "latest"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled}");
    assert_eq!(child.wait().expect("the command ends").code(), Some(130));
    let run = latest(&project);
    assert_eq!(run["status"], "CANCELLED");
    assert!(run["cancel_requested_at"].is_string(), "{run}");
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains("cancel requested  "), "{shown}");
}

/// Returns the minimum time of ten calls, because other load slows some of them.
fn minimum_time(project: &Project, arguments: &[&str]) -> Duration {
    let call = || {
        let started = Instant::now();
        let output = project.run(arguments);
        assert_eq!(output.code, Some(0), "{output}");
        started.elapsed()
    };
    (0..10).map(|_| call()).min().expect("ten of them")
}

#[test]
fn commands_are_not_slowed_down_by_a_run_of_another_process() {
    let project = Project::with_rust(&["misbehave"]);
    let calls = [&["runs", "list"][..], &["run", "misbehave.echo", "value=a", "--record"]];
    let alone = calls.map(|call| minimum_time(&project, call));
    let mut child = start_spinning(&project, &["--tag", "long"]);
    let concurrent = calls.map(|call| minimum_time(&project, call));
    assert_eq!(runs(&project, &["--tag", "long"])[0]["status"], "RUNNING");
    assert_eq!(project.run(&["runs", "cancel", &id_of(&project, "long")]).code, Some(0));
    assert_eq!(child.wait().expect("the command ends").code(), Some(130));
    for (alone, concurrent) in alone.into_iter().zip(concurrent) {
        let ratio = concurrent.as_secs_f64() / alone.as_secs_f64();
        println!("concurrent with a run: {concurrent:.1?}, {ratio:.2} of {alone:.1?} alone");
        // Waiting for the other run would take one minute.
        assert!(ratio < 5.0, "{alone:?} alone, {concurrent:?} concurrent with a run");
    }
}

fn id_of(project: &Project, tag: &str) -> String {
    runs(project, &["--tag", tag])[0]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn run_that_was_marked_as_crashed_keeps_this_status() {
    let project = Project::with_rust(&["misbehave"]);
    let before = runs(&project, &[]).len();
    let mut command = project.command(&["run", "misbehave.spin", "--record", "--timeout", "10s"]);
    let child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    wait_for_new_run(&project, before);
    fs::remove_dir_all(project.path().join(".ophost/owners")).expect("a directory");
    assert_eq!(latest(&project)["failure_kind"], "crashed");
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("already marked as crashed by another process"), "{stderr}");
    assert_eq!(latest(&project)["failure_kind"], "crashed");
}

#[test]
fn idempotency_key_runs_once_and_rejects_another_input() {
    let project = Project::with_rust(&["text"]);
    let first = raw(&project, &["run", "slugify", "text=a", "--idempotency-key", "k", "--json"]);
    let again = raw(&project, &["run", "slugify", "text=a", "--idempotency-key", "k", "--json"]);
    assert_eq!((&again["run_id"], &again["output"]), (&first["run_id"], &first["output"]));
    assert_eq!((&first["from_record"], &again["from_record"]), (&Value::Null, &json!(true)));
    let command = project.command(&["run", "slugify", "text=a", "--idempotency-key", "k"]);
    let (text, code) = terminal::run(command, 100);
    let id = first["run_id"].as_str().expect("an id");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("returned the stored result of run {id}")), "{text}");
    assert_eq!(runs(&project, &[]).len(), 1);
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=b", "--idempotency-key", "k"]), @r#"
    ---- stderr
    error: the idempotency key belongs to run [RUN], which had another input
      text: "a" -> "b"
    hint: use another key, or the same input
    ---- exit 6
    "#);
    // Keys are scoped by operation, and a dry run ignores its key.
    let other = ["run", "word_count", "text=b", "--idempotency-key", "k", "--json"];
    assert_eq!(raw(&project, &other)["status"], "SUCCESS");
    let dry = ["run", "slugify", "text=c", "--idempotency-key", "dry", "--dry-run", "--json"];
    assert_eq!(raw(&project, &dry)["status"], "SUCCESS");
    let normal = ["run", "slugify", "text=d", "--idempotency-key", "dry", "--json"];
    assert_eq!(raw(&project, &normal)["status"], "SUCCESS");
}

#[test]
fn idempotency_key_is_free_after_failure() {
    let project = Project::with_rust(&["misbehave"]);
    let run =
        ["run", "misbehave.panic", "--record", "message=x", "--idempotency-key", "k", "--json"];
    let (first, second) = (raw(&project, &run), raw(&project, &run));
    assert_ne!(first["run_id"], second["run_id"]);
    assert_eq!(latest(&project)["retry_of"], first["run_id"]);
}

#[test]
fn idempotency_key_of_a_running_run_is_reported() {
    let project = Project::with_rust(&["misbehave"]);
    let mut child = start_spinning(&project, &["--idempotency-key", "k"]);
    let same = ["run", "misbehave.spin", "--timeout", "1s", "--idempotency-key", "k"];
    let output = project.run(&same);
    assert_eq!(output.code, Some(6), "{output}");
    assert!(output.stderr.contains("is still in progress"), "{output}");
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
    // A crashed run does not hold its key.
    assert_eq!(project.run(&same).code, Some(1));
}

#[test]
fn idempotency_key_of_many_processes_runs_once() {
    let project = Project::with_rust(&["text"]);
    assert_eq!(project.run(&["list"]).code, Some(0));
    let run = ["run", "slugify", "text=a", "--idempotency-key", "k", "--wait", "--json"];
    let start = |_| {
        let mut command = project.command(&run);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts")
    };
    let children: Vec<_> = (0..64).map(start).collect();
    let mut ids = std::collections::BTreeSet::new();
    for child in children {
        let output = child.wait_with_output().expect("the command ends");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        assert_eq!(report["status"], "SUCCESS", "{report}");
        ids.insert(report["run_id"].to_string());
    }
    assert_eq!((ids.len(), runs(&project, &[]).len()), (1, 1));
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn runs_are_filtered_and_listed_newest_first() {
    let project = Project::with_rust(&["text", "misbehave"]);
    for text in ["a", "b", "c"] {
        project.run(&["run", "slugify", &format!("text={text}"), "--tag", text]);
    }
    project.run(&["run", "misbehave.panic", "--record", "message=boom", "--user", "bob"]);
    let inputs = |filter: &[&str]| runs(&project, filter).len();
    assert_eq!(inputs(&[]), 4);
    assert_eq!(inputs(&["--operation", "slugify"]), 3);
    assert_eq!(inputs(&["--status", "Failed"]), 1);
    assert_eq!(inputs(&["--status", "complete"]), 3);
    assert_eq!(inputs(&["--failure-kind", "trap"]), 1);
    assert_eq!(inputs(&["--user", "bob"]), 1);
    assert_eq!(inputs(&["--tag", "b"]), 1);
    assert_eq!(inputs(&["--error", "BOOM"]), 1);
    assert_eq!(inputs(&["--since", "1h"]), 4);
    assert_eq!(inputs(&["--until", "1h ago"]), 0);
    let newest = &runs(&project, &[])[0];
    assert_eq!(newest["operation_name"], "misbehave.panic");
    // Pages continue after the last run of the previous page.
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let next: Vec<String> =
            after.iter().flat_map(|it: &String| ["--after".to_owned(), it.clone()]).collect();
        let next: Vec<&str> = next.iter().map(String::as_str).collect();
        let page =
            raw(&project, &[&["runs", "list", "--json", "--limit", "3"], &next[..]].concat());
        seen.extend(page["runs"].as_array().expect("a list").iter().map(|run| run["id"].clone()));
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    let all: Vec<_> = runs(&project, &[]).into_iter().map(|run| run["id"].clone()).collect();
    assert_eq!(seen, all);
    let stats = raw(&project, &["runs", "stats", "--json"]);
    assert_eq!(stats["operations"]["slugify"]["count"]["SUCCESS"], 3);
    assert_eq!(stats["operations"]["misbehave.panic"]["count"]["FAILED"], 1);
    let exported = project.run(&["runs", "export", "--operation", "slugify"]).stdout;
    assert_eq!(exported.lines().count(), 3);
}

#[test]
fn rerun_is_a_new_run_with_the_same_or_edited_input() {
    let project = Project::with_rust(&["text"]);
    let first = raw(&project, &["run", "slugify", "text=a b", "--json"]);
    let again = raw(&project, &["runs", "rerun", "latest", "--json"]);
    assert_eq!(again["output"], first["output"]);
    assert_eq!(latest(&project)["rerun_of"], first["run_id"]);
    let edited = raw(&project, &["runs", "rerun", "latest", "--edit", "text=c d", "--json"]);
    assert_eq!(edited["output"], json!({"slug": "c-d"}));
    assert_eq!(project.run(&["runs", "rerun", "latest", "--edit", "txt=c"]).code, Some(2));
}

/// Returns the content of all files in a data directory.
fn stored_bytes(directory: &std::path::Path) -> Vec<u8> {
    let entries = fs::read_dir(directory).expect("a directory");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        if path.is_dir() { stored_bytes(&path) } else { fs::read(&path).unwrap_or_default() }
    };
    entries.flat_map(read).collect()
}

/// A secret without repetitions, so that compression leaves its bytes in the file unchanged.
const SECRET: &str = "kqzvxw8391";
/// The reversed secret, which the guest returns.
const BACKWARDS: &str = "1938wxvzqk";

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|part| part == word.as_bytes())
}

/// Proves that the search of the secret tests finds a value that is not masked.
fn assert_unmasked_value_is_found(word: &str) {
    let project = Project::with_rust(&["misbehave"]);
    project.run(&["run", "misbehave.echo", &format!("value={word}"), "--record", "--verbose"]);
    assert!(holds(&stored_bytes(&project.path().join(".ophost")), word), "{word}");
    for command in [&["runs", "export"][..], &["runs", "logs", "latest"]] {
        assert!(project.run(command).stdout.contains(word), "{command:?}");
    }
}

#[test]
fn secrets_reach_guest_and_caller_and_are_stored_nowhere() {
    let project = Project::with_rust(&["misbehave"]);
    let admit = |word: &str, more: &[&str]| {
        let word = format!("word={word}");
        let run = ["run", "misbehave.admit", "user=ann", &word, "--record", "--verbose", "--json"];
        raw(&project, &[&run, more].concat())
    };
    let report = admit(SECRET, &[]);
    assert_eq!(report["output"], json!({"user": "ann", "token": BACKWARDS, "length": 10}));
    let run = latest(&project);
    let (input, output) = (&run["input_dump"], &run["output"]);
    assert_eq!((&input["user"], &output["length"]), (&json!("ann"), &json!(10)));
    assert_eq!((&input["word"]["masked"], &input["word"]["length"]), (&json!(true), &json!(10)));
    assert_eq!(output["token"]["masked"], true);
    assert_eq!(run["masked"], json!(["input", "output"]));
    assert_eq!(run["log_entries"][0]["data"]["input"], *input);
    // Equal secrets have equal digests within one data directory.
    admit(SECRET, &[]);
    assert_eq!(latest(&project)["input_dump"]["word"], input["word"]);
    admit("other-other", &[]);
    assert_ne!(latest(&project)["input_dump"]["word"]["digest"], input["word"]["digest"]);
    // Error messages may be stored too, for example by CI.
    let wrong = admit(SECRET, &["wrong=true"]);
    let details = wrong["error"]["details"].to_string();
    assert!(details.contains("got a secret") && !details.contains(BACKWARDS), "{wrong}");
    assert_eq!(latest(&project)["failure_kind"], "invalid_output");

    let bytes = stored_bytes(&project.path().join(".ophost"));
    assert!(holds(&bytes, "misbehave.admit"));
    let exported = project.run(&["runs", "export"]).stdout;
    assert_eq!(exported.lines().count(), 4);
    let logs = project.run(&["runs", "logs", "latest"]).stdout;
    assert!(logs.contains("Starting operation"), "{logs}");
    for word in [SECRET, BACKWARDS] {
        assert_unmasked_value_is_found(word);
        assert!(!holds(&bytes, word) && !exported.contains(word) && !logs.contains(word), "{word}");
    }
}

#[test]
fn masked_run_cannot_be_rerun_and_error_shows_no_secret() {
    let project = Project::with_rust(&["misbehave"]);
    let run = |word: &str| {
        let word = format!("word={word}");
        let key = ["--idempotency-key", "k"];
        project.run(&[&["run", "misbehave.admit", "user=ann", &word], &key[..]].concat())
    };
    assert_eq!(run("hunter2").code, Some(0));
    insta::assert_snapshot!(run("hunter2"), @"
    ---- stderr
    error: run [RUN] with the same idempotency key succeeded, but its output contains secrets, which are not stored
    hint: use another key
    ---- exit 6
    ");
    let other = run("hunter3");
    assert_eq!(other.code, Some(6), "{other}");
    assert!(other.stderr.contains("\n  word.digest: \""), "{other}");
    assert!(!other.stderr.contains("hunter"), "{other}");
    insta::assert_snapshot!(project.run(&["runs", "rerun", "latest"]), @"
    ---- stderr
    error: run [RUN] cannot be rerun: its input contains secrets, which are not stored
    hint: use `ophost run misbehave.admit` with the secrets
    ---- exit 2
    ");
}

/// Returns a project with a failed run, a failed dry run, and a successful run.
fn with_failures() -> Project {
    let project = Project::with_rust(&["misbehave"]);
    for arguments in [
        &["misbehave.panic", "message=boom", "--user", "ann"][..],
        &["misbehave.panic", "message=boom", "--dry-run"],
        &["misbehave.echo", "value:=1"],
    ] {
        project.run(&[&["run", "--record"], arguments].concat());
    }
    project
}

#[test]
fn filtered_rerun_runs_oldest_first_after_confirmation() {
    let project = with_failures();
    let rerun = |arguments: &[&str]| project.run(&[&["runs", "rerun"], arguments].concat());
    let failed = ["--status", "failed"];
    let asked = rerun(&failed);
    assert_eq!((asked.stdout.as_str(), asked.code), ("", Some(2)), "{asked}");
    let lines: Vec<_> = asked.stderr.lines().collect();
    assert!(lines[0].contains("misbehave.panic") && lines[1].contains("boom"), "{asked}");
    assert_eq!(lines[2], "error: cannot ask for confirmation of 2 runs without a terminal");
    assert_eq!(runs(&project, &[]).len(), 3);

    let earlier: Vec<_> =
        runs(&project, &failed).iter().rev().map(|run| run["id"].clone()).collect();
    let lines = rerun(&["--status", "failed", "--yes", "--json"]);
    assert_eq!(lines.code, Some(1), "{lines}");
    let lines: Vec<Value> =
        lines.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of: Vec<_> = lines.iter().map(|line| line["rerun_of"].clone()).collect();
    assert_eq!(of, earlier);
    assert_eq!(
        (&lines[0]["status"], &lines[0]["error"]["kind"]),
        (&json!("FAILED"), &json!("trap"))
    );
    // The line has the fields of `run --json`.
    assert!(lines[0]["usage"]["wall_ms"].is_u64() && lines[0]["log"].is_array(), "{}", lines[0]);
    let again =
        raw(&project, &["runs", "show", lines[0]["run_id"].as_str().expect("an id"), "--json"]);
    assert_eq!((&again["rerun_of"], &again["actor"]["user_id"]), (&earlier[0], &json!("ann")));
    // The rerun of a dry run is a dry run.
    assert_eq!(latest(&project)["metadata"]["dry_run"], true);

    assert_eq!(runs(&project, &[]).len(), 5);
    let one = rerun(&["--status", "failed", "--limit", "1", "--yes"]);
    assert_eq!(one.stdout, "reran 1 run: 0 succeeded, 1 failed\n");
    assert!(one.stderr.ends_with(": boom\n"), "{one}");
    let good = rerun(&["--operation", "misbehave.echo", "--yes"]);
    assert_eq!(
        (good.stdout.as_str(), good.code),
        ("reran 1 run: 1 succeeded\n", Some(0)),
        "{good}"
    );
    // A run that cannot be rerun is reported and does not stop the others. A run that was rerun
    // before is skipped.
    project.run(&["run", "--record", "misbehave.echo", "value:=3"]);
    project.run(&["runs", "erase", "latest"]);
    project.run(&["run", "--record", "misbehave.echo", "value:=2"]);
    let asked = rerun(&["--operation", "misbehave.echo"]);
    assert!(asked.stderr.contains("1 run skipped: already rerun"), "{asked}");
    let erased = rerun(&["--operation", "misbehave.echo", "-y"]);
    assert_eq!(
        (erased.stdout.as_str(), erased.code),
        ("reran 2 runs: 1 succeeded, 1 not started\n", Some(1))
    );
    assert!(erased.stderr.contains("was erased, including its input"), "{erased}");
    let skipped = "1 run skipped: already rerun\n1 run skipped: a rerun that succeeded\n";
    assert!(erased.stderr.starts_with(skipped), "{erased}");
    assert_eq!(rerun(&["--tag", "none"]).stderr, "No run matches.\n");
    assert_eq!(
        (rerun(&[]).code, rerun(&["latest", "--status", "failed"]).code),
        (Some(2), Some(2))
    );
}

#[test]
fn filtered_rerun_reports_skipped_runs() {
    let project = Project::with_rust(&["misbehave"]);
    let rerun = |arguments: &[&str]| project.run(&[&["runs", "rerun"], arguments].concat());
    // A rerun has only the tags of its operation.
    project.run(&["run", "--record", "misbehave.echo", "value:=1", "--tag", "mine"]);
    assert_eq!(rerun(&["--tag", "mine", "--yes"]).code, Some(0));
    insta::assert_snapshot!(rerun(&["--tag", "mine", "--yes"]), @"
    ---- stderr
    1 run skipped: already rerun
    All matching runs were skipped.
    ");
    let mut child = start_spinning(&project, &[]);
    insta::assert_snapshot!(rerun(&["--status", "running", "--yes"]), @"
    ---- stderr
    1 run skipped: not finished
    All matching runs were skipped.
    ");
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
    assert_eq!(runs(&project, &[]).len(), 3);
}

#[test]
fn successful_rerun_is_rerun_only_by_its_id() {
    let project = Project::with_rust(&["misbehave"]);
    let rerun = |arguments: &[&str]| project.run(&[&["runs", "rerun"], arguments].concat());
    project.run(&["run", "--record", "misbehave.echo", "value:=1"]);
    let all = ["--operation", "misbehave.echo", "--yes"];
    assert_eq!(rerun(&all).stdout, "reran 1 run: 1 succeeded\n");
    insta::assert_snapshot!(rerun(&all), @"
    ---- stderr
    1 run skipped: already rerun
    1 run skipped: a rerun that succeeded
    All matching runs were skipped.
    ");
    let skipped = rerun(&[&all[..], &["--json"]].concat()).json();
    assert_eq!(skipped["skipped"]["succeeded_rerun"], 1);
    assert_eq!(runs(&project, &[]).len(), 2);
    assert_eq!(rerun(&["latest"]).code, Some(0));
    assert_eq!(runs(&project, &[]).len(), 3);
}

#[test]
fn run_is_rerun_again_if_its_rerun_was_cancelled() {
    let project = Project::with_rust(&["misbehave"]);
    let spin = ["run", "--record", "misbehave.spin", "--timeout", "100ms"];
    assert_eq!(project.run(&spin).code, Some(1));
    let mut command = project.command(&["runs", "rerun", "--status", "failed", "--yes"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    wait_for_new_run(&project, 1);
    kill_process(Pid::from_child(&child), Signal::INT).expect("a running process");
    assert_eq!(child.wait().expect("the command ends").code(), Some(130));
    let cancelled = latest(&project);
    assert_eq!(cancelled["status"], "CANCELLED");
    let would = |filter: &[&str]| project.run(&[&["runs", "rerun"], filter].concat()).stderr;
    let failed = would(&["--status", "failed"]);
    assert!(failed.contains("error: cannot ask for confirmation of 1 run"), "{failed}");
    // If the run and its rerun both match, only one is rerun.
    let both = would(&["--operation", "misbehave.spin"]);
    assert!(both.starts_with("1 run skipped: already rerun\n"), "{both}");
    assert!(both.contains(cancelled["id"].as_str().expect("an id")), "{both}");
    assert!(both.contains("error: cannot ask for confirmation of 1 run"), "{both}");
}

#[test]
fn run_is_not_rerun_while_a_rerun_of_its_cancelled_rerun_runs() {
    let project = Project::with_rust(&["misbehave"]);
    assert_eq!(
        project.run(&["run", "--record", "misbehave.spin", "--timeout", "100ms"]).code,
        Some(1)
    );
    let mut command = project.command(&["runs", "rerun", "latest"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    wait_for_new_run(&project, 1);
    kill_process(Pid::from_child(&child), Signal::INT).expect("a running process");
    child.wait().expect("the command ends");
    // The result of a running rerun is not known yet.
    let mut command = project.command(&["runs", "rerun", "latest"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    wait_for_new_run(&project, 2);
    insta::assert_snapshot!(project.run(&["runs", "rerun", "--status", "failed", "-y"]), @"
    ---- stderr
    1 run skipped: already rerun
    All matching runs were skipped.
    ");
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
}

#[test]
fn permanent_failures_are_rerun_only_by_id_or_flag() {
    let project = Project::with_rust(&["misbehave"]);
    let rerun = |arguments: &[&str]| project.run(&[&["runs", "rerun"], arguments].concat());
    for kind in ["error", "permanent", "retryable"] {
        let kind = format!("kind={kind}");
        project.run(&["run", "--record", "misbehave.fail", &kind, "message=m"]);
    }
    let declared: Vec<_> =
        runs(&project, &[]).iter().map(|run| run["error_retryable"].clone()).collect();
    assert_eq!(declared, [json!(true), json!(false), Value::Null]);
    let permanent = runs(&project, &[])[1]["id"].clone();
    let permanent = permanent.as_str().expect("an id");

    let why = "1 run skipped: permanent failure (use `--include-permanent`)\n";
    let asked = rerun(&["--status", "failed"]);
    assert!(asked.stderr.starts_with(why) && !asked.stderr.contains(permanent), "{asked}");
    assert!(asked.stderr.contains("error: cannot ask for confirmation of 2 runs"), "{asked}");
    let all = rerun(&["--status", "failed", "--include-permanent"]);
    assert!(all.stderr.contains("error: cannot ask for confirmation of 3 runs"), "{all}");
    assert!(!all.stderr.contains("skipped"), "{all}");

    let lines = rerun(&["--status", "failed", "--yes", "--json"]).stdout;
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let skipped = json!({
        "rerun_before": 0,
        "succeeded_rerun": 0,
        "unfinished": 0,
        "permanent": 1,
        "permanent_rerun": 0,
    });
    assert_eq!((&lines[0], lines.len()), (&json!({"skipped": skipped}), 3));
    assert!(lines.iter().all(|line| line["rerun_of"] != permanent), "{lines:?}");

    let by_hand = rerun(&[permanent, "--json"]);
    assert_eq!(by_hand.json()["error"]["retryable"], false, "{by_hand}");
    assert_eq!(latest(&project)["rerun_of"], permanent);
}

#[test]
fn run_whose_rerun_failed_permanently_is_skipped() {
    let project = Project::with_rust(&["misbehave"]);
    let fail = ["run", "--record", "misbehave.fail", "kind=retryable", "message=busy"];
    project.run(&fail);
    let edits = ["--edit", "kind=permanent", "--edit", "message=gone"];
    let rerun = project.run(&[&["runs", "rerun", "latest"], &edits[..]].concat());
    assert_eq!(rerun.code, Some(1), "{rerun}");
    // The rerun itself does not match the filter.
    insta::assert_snapshot!(project.run(&["runs", "rerun", "--error", "busy", "--yes"]), @"
    ---- stderr
    1 run skipped: permanent failure of a rerun (use `--include-permanent`)
    All matching runs were skipped.
    ");
    assert_eq!(runs(&project, &[]).len(), 2);
}

#[test]
fn failure_without_a_message_is_reported() {
    let project = Project::with_rust(&["misbehave"]);
    insta::assert_snapshot!(project.run(&["run", "--record", "misbehave.fail", "kind=error"]), @r#"
    ---- stderr
    error: operation `misbehave.fail` failed (error): no message
      {"input":{"kind":"error","message":"","code":null}}
      caused by: the input requests a failure
    ---- exit 1
    "#);
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains("\nerror: no message\n"), "{shown}");
    insta::assert_snapshot!(project.run(&["runs", "rerun", "--status", "failed", "-y"]), @"
    reran 1 run: 0 succeeded, 1 failed
    ---- stderr
    error: rerun of [RUN]: error: no message
    ---- exit 1
    ");
}

#[test]
fn failed_write_to_stdout_names_the_recorded_run() {
    let project = Project::with_rust(&["text"]);
    let full = || fs::File::options().write(true).open("/dev/full").expect("a device");
    let run = |arguments: &[&str]| {
        let run = [&["run", "slugify", "text=a"], arguments].concat();
        project.output(project.command(&run).stdout(full()))
    };
    insta::assert_snapshot!(run(&[]), @"
    ---- stderr
    error: run [RUN] ended with SUCCESS, but its output cannot be written to stdout: No space left on device (os error 28)
    hint: run `ophost runs show [RUN]` to show the run
    ---- exit 5
    ");
    let json = run(&["--json"]);
    let id = latest(&project)["id"].as_str().expect("an id").to_owned();
    assert!(
        json.stderr.contains(&format!("run `ophost runs show {id}` to show the run")),
        "{json}"
    );
    insta::assert_snapshot!(run(&["--no-record"]), @"
    ---- stderr
    error: cannot write to stdout: No space left on device (os error 28)
    hint: free some disk space and retry
    ---- exit 5
    ");
}

#[test]
fn dry_run_warns_that_it_ignores_the_idempotency_key() {
    let project = Project::with_rust(&["text"]);
    let run = ["run", "slugify", "text=a", "--idempotency-key", "k", "--dry-run"];
    insta::assert_snapshot!(project.run(&run), @r#"
    {"slug":"a"}
    ---- stderr
    warning: the idempotency key is ignored in a dry run
    DRY RUN: no change was committed; would have changed no document
    "#);
    assert_eq!(project.run(&run[..5]).stderr, "");
}

#[test]
fn filtered_rerun_asks_for_confirmation_on_a_terminal() {
    let project = with_failures();
    let asked = |typed: &str| {
        let command = project.command(&["runs", "rerun", "--status", "success"]);
        terminal::run_with_input(command, 100, typed)
    };
    let (text, code) = asked("\n");
    assert!(text.contains("Rerun 1 run? [y/N]") && text.contains("No run was started."), "{text}");
    assert_eq!((code, runs(&project, &[]).len()), (Some(0), 3));
    let (text, code) = asked("y\n");
    assert!(text.contains("reran 1 run: 1 succeeded"), "{text}");
    assert_eq!((code, runs(&project, &[]).len()), (Some(0), 4));
}

#[test]
fn runs_list_has_a_header_only_on_a_terminal() {
    let project = with_failures();
    let (text, code) = terminal::run(project.command(&["runs", "list", "--color", "never"]), 200);
    let lines: Vec<_> = text.lines().collect();
    let header: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(header, ["id", "started", "operation", "status", "took", "error"]);
    let column = |word: &str| lines[0].find(word).expect("a header");
    for (line, run) in lines[1..].iter().zip(runs(&project, &[])) {
        let field = |name: &str| run[name].as_str().expect("a text").to_owned();
        assert!(line.starts_with(&field("id")), "{text}");
        assert!(line[column("operation")..].starts_with(&field("operation_name")), "{text}");
        assert!(line[column("status")..].starts_with(&field("status")), "{text}");
    }
    assert_eq!((lines.len(), code), (4, Some(0)), "{text}");
    assert_eq!(project.run(&["runs", "list"]).stdout.lines().count(), 3);
    let none = ["runs", "list", "--user", "none"];
    assert_eq!(terminal::run(project.command(&none), 200).0, "No run matches.\r\n");
}

/// `TZ` has the rules of the zones, so that the test needs no time zone database.
#[test]
fn skipped_local_times_are_rejected() {
    let project = Project::with_rust(&["text"]);
    let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    let in_zone = |zone: &str, time: &str| {
        let mut command = project.command(&["runs", "list", "--since", time]);
        project.output(command.env("TZ", zone))
    };
    insta::assert_snapshot!(in_zone(berlin, "2026-03-29T02:30"), @"
    ---- stderr
    error: invalid value '2026-03-29T02:30' for '--since <TIME>': the local time 2026-03-29T02:30 does not exist, because clocks are set forward; add an offset, such as 2026-03-29T02:30:00+01:00

    For more information, try '--help'.
    ---- exit 2
    ");
    assert_eq!(in_zone(berlin, "2026-03-29T02:30:00+01:00").code, Some(0));
    assert_eq!(in_zone(berlin, "2026-03-29T01:59").code, Some(0));
    assert_eq!(in_zone(berlin, "2026-03-29T03:00").code, Some(0));
    insta::assert_snapshot!(in_zone(berlin, "2026-03-32"), @"
    ---- stderr
    error: invalid value '2026-03-32' for '--since <TIME>': `2026-03-32` is not a time; expected 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00Z, or 2h for an age

    For more information, try '--help'.
    ---- exit 2
    ");
    // In this zone clocks are set forward at midnight, so the day starts at 01:00.
    let beirut = "EET-2EEST,M3.5.0/0,M10.5.0/0";
    assert_eq!(in_zone(beirut, "2026-03-29").code, Some(0));
    assert_eq!(in_zone(beirut, "2026-03-29T00:30").code, Some(2));
}

#[test]
fn durations_below_a_millisecond_are_not_shown_as_zero() {
    let project = Project::with_rust(&["text"]);
    assert_eq!(project.run(&["run", "slugify", "text=a", "--record"]).code, Some(0));
    let exact =
        raw(&project, &["runs", "stats", "--json"])["operations"]["slugify"]["durations"]["p50"]
            .as_f64()
            .expect("milliseconds");
    assert!(exact > 0.0, "{exact}");
    for command in [&["runs", "list"][..], &["runs", "show", "latest"], &["runs", "stats"]] {
        let shown = project.run(command).stdout;
        let words: Vec<_> = shown.split_whitespace().collect();
        assert!(!words.contains(&"0s") && (shown.contains("µs") || exact >= 1.0), "{shown}");
    }
}

#[test]
fn stats_show_a_histogram_of_durations() {
    let project = with_failures();
    let stats = raw(&project, &["runs", "stats", "--json"]);
    let buckets = stats["operations"]["misbehave.panic"]["histogram"].as_array().expect("a list");
    assert_eq!(buckets.iter().filter_map(|bucket| bucket["count"].as_u64()).sum::<u64>(), 2);
    assert!(buckets[0]["below_ms"].is_u64(), "{stats}");
    let piped = project.run(&["runs", "stats", "--operation", "misbehave.echo"]).stdout;
    assert!(piped.lines().nth(1).is_some_and(|line| line.ends_with("ms:1")), "{piped}");
    let (text, _) = terminal::run(project.command(&["runs", "stats"]), 120);
    assert!(text.contains('█'), "{text}");
    let nothing = project.run(&["runs", "stats", "--since", "2199-01-31"]);
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("", "No run matches.\n"));
}

#[test]
fn erased_run_keeps_its_record() {
    let project = Project::with_rust(&["text"]);
    project.run(&["run", "slugify", "text=secret", "--verbose"]);
    assert_eq!(project.run(&["runs", "erase", "latest"]).code, Some(0));
    let run = latest(&project);
    assert_eq!((&run["status"], &run["input_dump"]), (&json!("SUCCESS"), &Value::Null));
    assert!(!run.to_string().contains("secret"), "{run}");
    assert_eq!(project.run(&["runs", "rerun", "latest"]).code, Some(2));
}

#[test]
fn verbose_run_logs_its_start_and_end() {
    let project = Project::with_rust(&["text", "misbehave"]);
    project.run(&["run", "slugify", "text=a", "--verbose"]);
    let logs = project.run(&["runs", "logs", "latest"]).stdout;
    let mut lines = logs.lines();
    assert!(lines.next().is_some_and(|it| it.contains("Starting operation: slugify")), "{logs}");
    assert!(lines.last().is_some_and(|it| it.contains("Operation completed: slugify")), "{logs}");
    project.run(&["run", "misbehave.panic", "--record", "message=x", "--verbose"]);
    let logs = project.run(&["runs", "logs", "latest"]).stdout;
    assert!(logs.contains("Operation failed: misbehave.panic"), "{logs}");
}

#[test]
fn wait_and_log_follow_work_from_another_process() {
    let project = Project::with_rust(&["misbehave"]);
    let mut child = start_spinning(&project, &["--verbose"]);
    let waited = project.run(&["runs", "wait", "latest", "--timeout", "300ms"]);
    assert_eq!(waited.code, Some(8), "{waited}");
    let mut command = project.command(&["runs", "logs", "latest", "--follow"]);
    let following = command.stdout(Stdio::piped()).spawn().expect("the command starts");
    std::thread::sleep(Duration::from_millis(300));
    kill_process(Pid::from_child(&child), Signal::INT).expect("a running process");
    child.wait().expect("the command ends");
    let output = following.wait_with_output().expect("the command ends with the run");
    let log = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(log.contains("Starting operation") && log.contains("Operation failed"), "{log}");
    assert_eq!(project.run(&["runs", "wait", "latest"]).code, Some(130));
}

#[test]
fn store_is_checked_and_backed_up_after_a_run() {
    let project = Project::with_rust(&["text"]);
    project.run(&["run", "slugify", "text=a"]);
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
    assert_eq!(project.run(&["store", "backup", "copy.redb"]).code, Some(0));
    let other = project.path().join("other/store");
    fs::create_dir_all(&other).expect("a directory");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&other, private).expect("a file of this user");
    fs::copy(project.path().join("copy.redb"), other.join("store.redb")).expect("a copy");
    let copied = raw(&project, &["runs", "list", "--json", "--data", "other"]);
    assert_eq!(copied["runs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn unknown_and_ambiguous_run_ids_are_reported() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["runs", "show", "latest"]), @"
    ---- stderr
    error: no run with the id `latest`
    hint: run `ophost runs list` to list the runs
    ---- exit 3
    ");
    project.run(&["run", "slugify", "text=a"]);
    project.run(&["run", "slugify", "text=a"]);
    assert_eq!(project.run(&["runs", "show", "0"]).code, Some(2));
    let id = latest(&project)["id"].as_str().expect("an id").to_owned();
    assert_eq!(project.run(&["runs", "show", &id]).code, Some(0));
    assert_eq!(project.run(&["runs", "show", "zzz"]).code, Some(3));
}

#[tokio::test]
async fn idempotency_key_without_a_data_directory_is_an_error() {
    let project = Project::with_rust(&["text"]);
    let host = Host::builder().plugins(project.plugins()).build().await.expect("a host");
    let request = || Request::new("slugify", json!({"text": "a"}));
    let error = host
        .run(request().idempotency_key("k"))
        .await
        .expect_err("an idempotency key without a store");
    assert!(matches!(error, RunError::Store(_)), "{error}");
    let report = host.run(request()).await.expect("the run starts");
    assert_eq!(report.run_id, None);
}

#[test]
fn log_is_written_during_the_run_and_stored_once() {
    let project = Project::with_wat(&["flood"]);
    let run = ["run", "hostile.flood", "--record", "--timeout", "2500ms", "--json"];
    let report = raw(&project, &run);
    assert!(report["log"].as_array().is_some_and(|log| log.len() > 100), "a log");
    assert!(
        latest(&project)["log_entries"] == report["log"],
        "the stored log differs from the reported one"
    );

    let before = runs(&project, &[]).len();
    let mut command = project.command(&["run", "hostile.flood", "--record", "--timeout", "60s"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    wait_for_new_run(&project, before);
    let logged = || latest(&project)["log_entries"].as_array().map_or(0, Vec::len);
    let started = Instant::now();
    while logged() <= 100 {
        assert!(started.elapsed() < Duration::from_secs(30), "the log is not written");
    }
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
    let run = latest(&project);
    assert_eq!(run["failure_kind"], "crashed");
    assert!(run["log_entries"].as_array().is_some_and(|log| log.len() > 100), "the log is lost");
}

#[test]
fn long_log_overflows_to_a_file_that_is_erased_with_the_run() {
    let project = Project::with_rust(&["misbehave"]);
    let run = ["run", "misbehave.flood_log", "mib=3", "--record", "--verbose", "--json"];
    let report = raw(&project, &run);
    let run = latest(&project);
    let id = run["id"].as_str().expect("an id");
    assert_eq!(run["logs_ref"], format!("logs/{id}.jsonl"));
    assert_eq!((&report["logs_ref"], &run["log_dropped"]), (&run["logs_ref"], &json!(0)));
    let stored = run["log_entries"].as_array().map_or(0, Vec::len);
    assert!((900..1100).contains(&stored), "{stored}");
    let file = project.path().join(".ophost").join(run["logs_ref"].as_str().expect("a name"));
    let lines = fs::read_to_string(&file).expect("a file").lines().count();
    // The host wrote the first and the last entry.
    assert_eq!(stored + lines, 3 * 1024 + 2);
    let logs = project.run(&["runs", "logs", "latest"]).stdout;
    assert_eq!(logs.lines().count(), 3 * 1024 + 2);
    assert!(logs.lines().last().is_some_and(|last| last.contains("Operation completed")));
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    let (_, log) = shown.split_once("\nLog\n").expect("a log");
    let before =
        format!("{} earlier entries; `ophost runs logs {id}` prints the whole log", stored - 50);
    assert_eq!((log.lines().next(), log.lines().count()), (Some(before.as_str()), 52), "{log}");
    assert!(
        log.lines().last().is_some_and(|last| last.starts_with("more entries are in ")),
        "{log}"
    );
    let copied = project.run(&["store", "backup", "copy.redb"]).stderr;
    assert!(copied.ends_with("not copied: the log file of .ophost/logs\n"), "{copied}");
    assert_eq!(project.run(&["runs", "erase", "latest"]).code, Some(0));
    assert!(!file.exists());
    assert_eq!(latest(&project)["logs_ref"], Value::Null);
}

#[test]
fn lost_log_entries_are_reported_at_the_end() {
    let project = Project::with_rust(&["misbehave"]);
    let logs = project.path().join(".ophost/logs");
    fs::create_dir(project.path().join(".ophost")).expect("a writable directory");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(project.path().join(".ophost"), private).expect("a file of this user");
    // A file in place of the directory prevents log files.
    fs::write(&logs, "").expect("a writable directory");
    let run = ["run", "misbehave.flood_log", "mib=2", "--record", "--json"];
    let dropped = raw(&project, &run)["log_dropped"].as_u64().expect("a number");
    fs::remove_file(&logs).expect("a file of this user");
    assert!(dropped > 0);
    for more in [&[][..], &["--json"]] {
        let shown = project.run(&[&["runs", "logs", "latest"], more].concat());
        let expected = format!("log entries dropped by the log limit: {dropped}\n");
        assert_eq!((shown.stderr, shown.code), (expected, Some(0)));
    }
    raw(&project, &run);
    fs::remove_dir_all(&logs).expect("a file of this user");
    let shown = project.run(&["runs", "logs", "latest"]);
    let id = latest(&project)["id"].as_str().expect("an id").to_owned();
    assert!(shown.stdout.lines().count() > 100, "the record lacks the start of the log");
    assert_eq!(shown.code, Some(1), "{}", shown.stderr);
    let warned =
        project.command(&["runs", "logs", "latest"]).output().expect("the command starts").stderr;
    let expected = format!("warning: the rest of the log is missing: logs/{id}.jsonl\n");
    assert_eq!(String::from_utf8_lossy(&warned), expected);
}

#[test]
fn log_file_of_a_killed_run_is_readable() {
    let project = Project::with_wat(&["flood"]);
    let before = runs(&project, &[]).len();
    let mut command = project.command(&["run", "hostile.flood", "--record", "--timeout", "60s"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    wait_for_new_run(&project, before);
    let started = Instant::now();
    while latest(&project)["logs_ref"].is_null() {
        assert!(started.elapsed() < Duration::from_secs(30), "the log is not written");
    }
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
    let run = latest(&project);
    assert_eq!(run["failure_kind"], "crashed");
    let file = project.path().join(".ophost").join(run["logs_ref"].as_str().expect("a name"));
    assert!(fs::metadata(file).expect("a file").len() <= 64 << 20);
    let logs = project.run(&["runs", "logs", "latest"]);
    assert_eq!((logs.stderr.as_str(), logs.code), ("", Some(0)));
    let stored = run["log_entries"].as_array().map_or(0, Vec::len);
    assert!(logs.stdout.lines().count() >= stored, "the log is lost");
}

#[test]
fn listing_runs_loads_no_plugin() {
    let project = Project::with_rust(&["text"]);
    assert_eq!(project.run(&["run", "slugify", "text=a"]).code, Some(0));
    project.add(
        "new",
        &describing(&Described::new("it").with(Operation::new("new"))).expect("a guest"),
    );
    let entries = || fs::read_dir(project.path().join(".ophost/cache")).expect("a cache").count();
    let before = entries();
    assert_eq!(runs(&project, &[]).len(), 1);
    assert_eq!(entries(), before, "a plugin was compiled");
}

#[test]
fn rerun_of_a_dry_run_is_a_dry_run() {
    let project = Project::with_rust(&["text"]);
    project.run(&["run", "slugify", "text=a", "--dry-run", "--user", "ann"]);
    project.run(&["runs", "rerun", "latest"]);
    let run = latest(&project);
    assert_eq!(
        (&run["metadata"]["dry_run"], &run["actor"]["user_id"]),
        (&json!(true), &json!("ann"))
    );
    assert!(project.run(&["runs", "show", "latest"]).stdout.contains("DRY RUN"));
}

#[test]
fn waiting_for_an_idempotency_key_can_be_interrupted() {
    let project = Project::with_rust(&["misbehave"]);
    let mut holder = start_spinning(&project, &["--idempotency-key", "k"]);
    let same = ["run", "misbehave.spin", "--idempotency-key", "k", "--wait"];
    let mut command = project.command(&same);
    let mut waiter =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    std::thread::sleep(Duration::from_secs(1));
    let started = Instant::now();
    kill_process(Pid::from_child(&waiter), Signal::INT).expect("a waiting process");
    assert_eq!(waiter.wait().expect("the command ends").code(), Some(130));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    holder.kill().expect("a running process");
    holder.wait().expect("a terminated process");
}

#[test]
fn error_of_a_run_command_has_the_run_id() {
    let project = Project::with_rust(&["text"]);
    project.run(&["run", "slugify", "text=a"]);
    insta::assert_snapshot!(project.run(&["runs", "cancel", "latest"]), @"
    ---- stderr
    error: run [RUN] has already ended: SUCCESS
    hint: run `ophost runs show [RUN]` to show the run
    ---- exit 2
    ");
    let error = raw(&project, &["runs", "cancel", "latest", "--json"]);
    assert_eq!(error["run_id"], latest(&project)["id"]);
}

#[test]
fn idempotency_key_rejects_another_input_after_erasure() {
    let project = Project::with_rust(&["text"]);
    let run = |text: &str| project.run(&["run", "slugify", text, "--idempotency-key", "k"]);
    assert_eq!(run("text=a").code, Some(0));
    assert_eq!(project.run(&["runs", "erase", "latest"]).code, Some(0));
    insta::assert_snapshot!(run("text=b"), @"
    ---- stderr
    error: the idempotency key belongs to run [RUN], which had another input (erased)
    hint: use another key, or the same input
    ---- exit 6
    ");
}

#[test]
fn violations_show_no_secret() {
    let schema = json!({
        "properties": {
            "pin": {"type": "string", "maxLength": 4, "writeOnly": true},
            "size": {"type": "integer"},
        },
        "additionalProperties": false,
    });
    let input_schema = schema.to_string();
    let project = with_operation(Operation { input_schema, ..Operation::new("it.works") });
    insta::assert_snapshot!(project.run(&["run", "it.works", "pin=55555", "size:=\"x\"", "pni=1"]), @r#"
    ---- stderr
    error: the input of `it.works` breaks its schema in 3 places
      /pin: expected at most 4 characters, got a secret
      /size: expected integer, got "x"
      /pni: unknown field; did you mean `pin`?
    hint: run `ophost describe it.works` to show the input schema
    ---- exit 2
    "#);
    let invalid = project.run(&["run", "it.works", "pin:=55555", "--json"]);
    assert!(
        invalid.stdout.contains("got a secret") && !invalid.stdout.contains("55555"),
        "{invalid}"
    );
    let described = project.run(&["describe", "it.works"]).stdout;
    assert!(described.lines().any(|line| line.contains("pin") && line.contains("secret")));
}

#[test]
fn output_violations_are_reported_like_input_violations() {
    let project = Project::new();
    let output_schema = json!({"required": ["pin", "puk"], "additionalProperties": false});
    let output_schema = output_schema.to_string();
    let operation = Operation { output_schema, ..Operation::new("it.works") };
    project.add("it", &describing(&Described::new("it").with(operation)).expect("a guest"));
    insta::assert_snapshot!(project.run(&["run", "it.works"]), @"
    ---- stderr
    error: operation `it.works` failed (invalid_output): the output breaks its schema in 2 places
      /pin: missing, but required
      /puk: missing, but required
    hint: report this fault of the plugin to its author
    ---- exit 1
    ");
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains("\n  /pin: missing, but required\n  /puk: missing"), "{shown}");
}

#[test]
fn rerun_uses_the_limits_of_its_flags() {
    let project = Project::with_rust(&["misbehave"]);
    project.run(&["run", "misbehave.spin", "--record", "--timeout", "200ms"]);
    let one = project.run(&["runs", "rerun", "latest", "--timeout", "300ms"]);
    assert!(one.stderr.contains("still running after 300ms"), "{one}");
    let all = ["runs", "rerun", "--status", "failed", "--yes", "--json", "--timeout", "250ms"];
    let lines = project.run(&all).stdout;
    assert!(lines.contains("still running after 250ms"), "{lines}");
    assert_eq!(latest(&project)["limits"]["timeout_ms"], 250);
    let help = project.run(&["runs", "rerun", "--help"]).stdout;
    assert!(help.contains("--max-effects") && help.contains("has the current limits"), "{help}");
}

#[test]
fn idempotency_key_of_an_erased_run_has_no_result() {
    let project = Project::with_rust(&["text"]);
    let run = ["run", "slugify", "text=a", "--idempotency-key", "k"];
    assert_eq!(project.run(&run).code, Some(0));
    assert_eq!(project.run(&["runs", "erase", "latest"]).code, Some(0));
    insta::assert_snapshot!(project.run(&run), @"
    ---- stderr
    error: run [RUN] with the same idempotency key succeeded, but its output was erased
    hint: use another key
    ---- exit 6
    ");
}

#[test]
fn backup_and_salvage_never_overwrite_a_file() {
    let project = Project::with_rust(&["text"]);
    project.run(&["run", "slugify", "text=a"]);
    fs::write(project.path().join("notes.txt"), "mine").expect("a writable directory");
    for command in ["backup", "salvage"] {
        for file in ["notes.txt", ".ophost/store/store.redb"] {
            insta::allow_duplicates!(
                insta::assert_snapshot!(project.run(&["store", command, file]).to_string().replace(file, "[FILE]"), @"
                ---- stderr
                error: cannot write `[FILE]`: File exists (os error 17)
                hint: the file exists and is not overwritten; choose another name
                ---- exit 2
                ")
            );
        }
        assert_eq!(project.run(&["store", command, "none/it"]).code, Some(2), "{command}");
    }
    assert_eq!(fs::read(project.path().join("notes.txt")).expect("a file"), b"mine");
    assert_eq!(runs(&project, &[]).len(), 1);
}

#[test]
fn backup_and_salvage_without_a_store_say_so() {
    let project = Project::with_rust(&[]);
    for command in ["backup", "salvage"] {
        let output = project.run(&["store", command, "copy.redb"]);
        assert!(output.stderr.contains("nothing is stored yet"), "{command}: {output}");
        assert_eq!(output.code, Some(5), "{command}: {output}");
    }
    assert!(!project.path().join("copy.redb").exists());
}
