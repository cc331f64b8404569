//! Document transactions of runs: all changes are committed with the success of a run, or none.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::guest::{Described, Operation, describing};
use ophost::{Host, Outcome, Request};
use serde_json::{Value, json};

use crate::harness::Project;

/// How long a test waits for a condition.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns a project with two accounts: `a` has 100, `b` has 0.
fn with_accounts() -> Project {
    let project = Project::with_rust(&["ledger"]);
    for (id, balance) in [("a", 100), ("b", 0)] {
        let balance = format!("balance={balance}");
        let opened = project.run(&["run", "ledger.open_account", &format!("id={id}"), &balance]);
        assert_eq!(opened.code, Some(0), "{opened}");
    }
    project
}

/// Runs a command with `--json`.
fn json_of(project: &Project, arguments: &[&str]) -> Value {
    project.run(&[arguments, &["--json"]].concat()).json()
}

fn latest(project: &Project) -> Value {
    json_of(project, &["runs", "show", "latest"])
}

/// Returns all documents of a collection.
fn documents(project: &Project, collection: &str) -> Vec<Value> {
    let found = json_of(project, &["documents", "find", collection, "-n", "1000"]);
    assert_eq!(found["next"], Value::Null, "the documents do not fit on one page");
    found["documents"].as_array().expect("a list").clone()
}

fn balances(project: &Project) -> Vec<Value> {
    documents(project, "accounts").iter().map(|account| account["balance"].clone()).collect()
}

fn assert_sound(project: &Project) {
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts")
}

/// Waits for a command with `--json` and returns its report.
fn report(child: Child) -> Value {
    let output = child.wait_with_output().expect("the command ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Waits until `find` returns a value.
fn wait_for<T>(mut find: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(started.elapsed() < WAIT_TIMEOUT, "timed out after {WAIT_TIMEOUT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a run that makes a transfer and then spins. Returns after the transfer.
fn start_spinning_transfer(project: &Project) -> Child {
    let run = ["run", "ledger.transfer_then", "from=a", "to=b", "amount=1", "then=spin"];
    let child = start(&mut project.command(&run));
    let is_spinning = || {
        let run = latest(project);
        let is_spinning =
            run["status"] == "RUNNING" && run["log_entries"][0]["message"] == "spinning";
        is_spinning.then_some(())
    };
    wait_for(is_spinning);
    child
}

/// Returns a host in this process, for concurrent runs in a project.
async fn local_host(project: &Project) -> Host {
    let data = project.path().join(".ophost");
    Host::builder().plugins(project.plugins()).data(data).build().await.expect("a host")
}

/// Increments a counter.
async fn bump(host: &Host, id: &str) {
    let report = host.run(Request::new("ledger.bump", json!({"id": id})).record(false)).await;
    let outcome = report.expect("the run starts").outcome;
    assert!(matches!(outcome, Outcome::Success(_)), "{outcome:?}");
}

#[test]
fn document_changes_are_committed_with_the_success_of_the_run() {
    let project = with_accounts();
    let run = ["run", "ledger.transfer", "from=a", "to=b", "amount=30"];
    insta::assert_snapshot!(project.run(&run), @r#"{"from":70,"to":30}"#);
    assert_eq!(balances(&project), [70, 30]);
    let record = latest(&project);
    let changes = json!({"revision": 3, "created": 0, "updated": 2, "deleted": 0});
    assert_eq!((&record["status"], &record["changes"]), (&json!("SUCCESS"), &changes));
    let updated =
        |id: &str| json!({"collection": "accounts", "document_id": id, "change": "updated"});
    assert_eq!(record["result_refs"], json!([updated("a"), updated("b")]));
    insta::assert_snapshot!(project.run(&["runs", "changes", "latest"]), @"
    ~ accounts/a
        ~ balance: 100 -> 70
    ~ accounts/b
        ~ balance: 0 -> 30
    ");
    let diff = json_of(&project, &["runs", "changes", "latest"]);
    assert_eq!(diff["id"], record["id"]);
    assert_eq!(
        diff["change_set"][1],
        json!({
            "collection": "accounts",
            "document_id": "b",
            "change": "updated",
            "before": {"balance": 0},
            "after": {"balance": 30},
        })
    );
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains("\nchanges   updated 2 documents\n"), "{shown}");
    assert!(shown.contains("\nresults   accounts/a (updated), accounts/b (updated)\n"), "{shown}");
    assert_sound(&project);
}

#[test]
fn failed_run_changes_no_document() {
    let project = with_accounts();
    for (then, kind) in
        [("fail", "error"), ("trap", "trap"), ("lie", "invalid_output"), ("spin", "timeout")]
    {
        let then = format!("then={then}");
        let run = ["run", "ledger.transfer_then", "from=a", "to=b", "amount=1", &then];
        let report = json_of(&project, &[&run[..], &["--timeout", "300ms"]].concat());
        assert_eq!(report["error"]["kind"], kind, "{report}");
        assert_eq!(report["changes"], json!({"created": 0, "updated": 0, "deleted": 0}));
        let record = latest(&project);
        assert_eq!((&record["failure_kind"], &record["changes"]), (&json!(kind), &Value::Null));
        assert_eq!(record["result_refs"], json!([]));
        let diff = project.run(&["runs", "changes", "latest"]);
        assert!(diff.stderr.ends_with(" changed no document\n"), "{diff}");
        assert_eq!(balances(&project), [100, 0], "{then}");
    }
    assert_sound(&project);
}

#[test]
fn run_that_is_cancelled_or_killed_after_a_write_changes_no_document() {
    let project = with_accounts();
    let mut child = start_spinning_transfer(&project);
    assert_eq!(balances(&project), [100, 0], "uncommitted changes are visible");
    assert_eq!(project.run(&["runs", "cancel", "latest"]).code, Some(0));
    assert_eq!(child.wait().expect("the command ends").code(), Some(130));
    assert_eq!(latest(&project)["status"], "CANCELLED");

    let mut child = start_spinning_transfer(&project);
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
    let record = latest(&project);
    assert_eq!((&record["failure_kind"], &record["changes"]), (&json!("crashed"), &Value::Null));
    assert_eq!(balances(&project), [100, 0]);
    assert_sound(&project);
}

#[test]
fn document_changes_of_an_unrecorded_run_are_committed() {
    let project = Project::with_rust(&["ledger"]);
    let report = json_of(&project, &["run", "ledger.bump", "--no-record"]);
    assert_eq!(report["run_id"], Value::Null);
    assert_eq!(report["changes"], json!({"created": 1, "updated": 0, "deleted": 0}));
    assert_eq!(documents(&project, "counters"), [json!({"_id": "only", "value": 1})]);
    assert_eq!(json_of(&project, &["runs", "list"])["runs"], json!([]));
    assert_sound(&project);
}

#[test]
fn record_setting_changes_records_runs_that_may_change_documents() {
    let operation = |name: &str| Operation { async_enabled: false, ..Operation::new(name) };
    let changing = Operation { models_out: vec!["Job".to_owned()], ..operation("changing") };
    let reading = Operation { models_in: vec!["Job".to_owned()], ..operation("reading") };
    let plugin = Described::new("it").with(changing).with(reading);
    let project = Project::new();
    project.add("it", &describing(&plugin).expect("a guest"));
    let is_recorded = |name: &str| json_of(&project, &["run", name])["run_id"].is_string();
    assert!(!is_recorded("changing") && !is_recorded("reading"));
    project.settings("record = \"changes\"");
    assert!(is_recorded("changing") && !is_recorded("reading"));
}

#[test]
fn concurrent_increments_of_many_processes_are_serialised() {
    let project = Project::with_rust(&["ledger"]);
    assert_eq!(project.run(&["list"]).code, Some(0));
    let run = ["run", "ledger.bump", "pause_ms=20", "--json"];
    let children: Vec<_> = (0..16).map(|_| start(&mut project.command(&run))).collect();
    let reports: Vec<_> = children.into_iter().map(report).collect();
    let (good, bad): (Vec<_>, Vec<_>) =
        reports.iter().partition(|report| report["status"] == "SUCCESS");
    assert!(bad.iter().all(|report| report["error"]["kind"] == "conflict"), "{bad:?}");
    let values: BTreeSet<_> =
        good.iter().map(|report| report["output"]["value"].as_u64().expect("a number")).collect();
    assert_eq!(values, (1..=good.len() as u64).collect());
    let counter = json!({"_id": "only", "value": good.len()});
    assert_eq!(documents(&project, "counters"), [counter]);
    assert_sound(&project);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_with_a_document_conflict_is_retried() {
    let project = Project::with_rust(&["ledger"]);
    let host = local_host(&project).await;
    bump(&host, "only").await;
    let child = start(&mut project.command(&["run", "ledger.bump", "pause_ms=300", "--json"]));
    wait_for(|| {
        (json_of(&project, &["runs", "list"])["runs"][0]["status"] == "RUNNING").then_some(())
    });
    let mut others = 1;
    let since = Instant::now();
    // The run reads soon after its start and writes 300 ms later.
    while since.elapsed() < Duration::from_millis(400) {
        bump(&host, "only").await;
        others += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let report = report(child);
    assert_eq!(report["output"], json!({"value": others + 1}), "{report}");
    let reruns = report["usage"]["conflict_retries"].as_u64().expect("a number of retries");
    let record = latest(&project);
    assert_eq!(record["usage"]["conflict_retries"], reruns);
    let again = format!("retry {reruns} after a document conflict");
    let log = record["log_entries"].as_array().expect("a list");
    assert!(log.iter().any(|entry| entry["message"] == again.as_str()), "{record}");
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains(" (document conflicts)\n"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_exceeds_its_retries_fails_with_kind_conflict() {
    let project = Project::with_rust(&["ledger"]);
    let host = local_host(&project).await;
    let mut child = start(&mut project.command(&["run", "ledger.bump", "pause_ms=150"]));
    let mut others = 0;
    while child.try_wait().expect("a child").is_none() {
        bump(&host, "only").await;
        others += 1;
    }
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"
    error: operation `ledger.bump` failed (conflict): other runs changed documents that it had read, in 6 executions
    hint: retry later
    ");
    let record = latest(&project);
    assert_eq!((&record["failure_kind"], &record["changes"]), (&json!("conflict"), &Value::Null));
    assert_eq!(record["usage"]["conflict_retries"], 5);
    assert_eq!(documents(&project, "counters")[0]["value"], others);
}

#[test]
fn inserted_document_that_matches_a_filter_is_a_conflict() {
    let project = Project::with_rust(&["ledger"]);
    assert_eq!(project.run(&["list"]).code, Some(0));
    let run = ["run", "ledger.add_if_none", "name=x", "pause_ms=300", "--json"];
    let children: Vec<_> = (0..8).map(|_| start(&mut project.command(&run))).collect();
    let reports: Vec<_> = children.into_iter().map(report).collect();
    assert!(reports.iter().all(|report| report["status"] == "SUCCESS"), "{reports:?}");
    let added = reports.iter().filter(|report| report["output"]["id"].is_string()).count();
    assert_eq!((added, documents(&project, "entries").len()), (1, 1));
    let again = reports
        .iter()
        .filter_map(|report| report["usage"]["conflict_retries"].as_u64())
        .sum::<u64>();
    assert!(again > 0, "the runs had no conflict: {reports:?}");
}

/// Freed pages cannot be reused while a snapshot may read them. Snapshots are replaced after one
/// second, so the file must stop growing.
#[tokio::test(flavor = "multi_thread")]
async fn long_run_causes_no_conflict_and_does_not_grow_the_store() {
    let project = with_accounts();
    let host = local_host(&project).await;
    let size = || {
        let file = project.path().join(".ophost/store/store.redb");
        fs::metadata(file).expect("a store").len()
    };
    let run = ["run", "ledger.read_then_spin", "id=b", "--timeout", "60s", "--json"];
    let mut reading = start(&mut project.command(&run));
    let run = ["run", "ledger.transfer", "from=a", "to=b", "amount=1", "pause_ms=1500", "--json"];
    let mut moving = start(&mut project.command(&run));
    while moving.try_wait().expect("a child").is_none() {
        bump(&host, "other").await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let moved = report(moving);
    assert_eq!(moved["output"], json!({"from": 99, "to": 1}), "{moved}");
    assert_eq!(moved["usage"].get("conflict_retries"), None, "the transfer was retried");

    let before = size();
    for _ in 0..600 {
        bump(&host, "other").await;
    }
    assert!(reading.try_wait().expect("a child").is_none(), "the reading run has ended");
    reading.kill().expect("a running process");
    reading.wait().expect("a terminated process");
    assert!(size() - before < 16 << 20, "{before} -> {}", size());
}

#[test]
fn dry_run_shows_its_changes_and_commits_none() {
    let project = with_accounts();
    let run = ["run", "ledger.transfer", "from=a", "to=b", "amount=30", "--dry-run"];
    insta::assert_snapshot!(project.run(&run), @r#"
    {"from":70,"to":30}
    ---- stderr
    DRY RUN: no change was committed; would have updated 2 documents
    ~ accounts/a
        ~ balance: 100 -> 70
    ~ accounts/b
        ~ balance: 0 -> 30
    "#);
    let report = json_of(&project, &run);
    assert_eq!((&report["status"], &report["dry_run"]), (&json!("SUCCESS"), &json!(true)));
    assert_eq!(report["changes"], json!({"created": 0, "updated": 2, "deleted": 0}));
    assert_eq!(
        report["change_set"][0],
        json!({
            "collection": "accounts",
            "document_id": "a",
            "change": "updated",
            "before": {"balance": 100},
            "after": {"balance": 70},
        })
    );
    assert_eq!(report["change_set"].as_array().map(Vec::len), Some(2));
    assert_eq!(balances(&project), [100, 0]);

    let record = latest(&project);
    assert_eq!(record["changes"], json!({"created": 0, "updated": 2, "deleted": 0}));
    assert_eq!(
        (&record["result_refs"], &record["metadata"]["dry_run"]),
        (&json!([]), &json!(true))
    );
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains("\nflags     DRY RUN\n"), "{shown}");
    assert!(
        shown.contains("\nchanges   none; without --dry-run: updated 2 documents\n"),
        "{shown}"
    );
    let listed = project.run(&["runs", "list", "-n", "1"]).stdout;
    assert!(listed.contains("SUCCESS DRY RUN"), "{listed}");
    let diff = project.run(&["runs", "changes", "latest"]);
    assert!(diff.stderr.ends_with(" changed no document\n"), "{diff}");
    assert_sound(&project);
}

#[test]
fn failed_dry_run_shows_no_changes() {
    let project = with_accounts();
    let run =
        ["run", "ledger.transfer_then", "from=a", "to=b", "amount=1", "then=fail", "--dry-run"];
    insta::assert_snapshot!(project.run(&run), @"
    ---- stderr
    error: operation `ledger.transfer_then` failed (error): the input requests a failure
    ---- exit 1
    ");
    let report = json_of(&project, &run);
    assert_eq!((&report["status"], &report["change_set"]), (&json!("FAILED"), &json!([])));
}

#[test]
fn input_can_request_a_dry_run() {
    let project = Project::with_rust(&["jobs"]);
    for title in ["title=Baker", "title=Smith"] {
        assert_eq!(project.run(&["run", "create_job", title, "company=ACME"]).code, Some(0));
    }
    let run = ["run", "bulk_delete_jobs", "filters={\"company\": \"ACME\"}", "dry_run=true"];
    let report = json_of(&project, &run);
    assert_eq!((&report["output"]["deleted_count"], &report["dry_run"]), (&json!(2), &json!(true)));
    let changes: Vec<_> = report["change_set"].as_array().expect("a list").iter().collect();
    assert!(changes.iter().all(|change| change["change"] == "deleted"), "{report}");
    assert!(changes.iter().all(|change| change["after"] == Value::Null), "{report}");
    assert_eq!(documents(&project, "jobs").len(), 2);
    let committed = json_of(&project, &run[..3]);
    assert_eq!(committed["output"]["job_ids"], report["output"]["job_ids"]);
    assert_eq!(committed["output"]["task_run_id"], committed["run_id"]);
    assert_eq!(documents(&project, "jobs").len(), 0);
    assert_eq!(json_of(&project, &["documents", "collections"])["collections"], json!([]));
}

#[test]
fn idempotency_key_changes_documents_once_and_a_dry_run_ignores_it() {
    let project = Project::with_rust(&["ledger"]);
    let run = ["run", "ledger.bump", "--idempotency-key", "k"];
    let dry = json_of(&project, &[&run[..], &["--dry-run"]].concat());
    assert_eq!(dry["output"], json!({"value": 1}));
    let (first, second) = (json_of(&project, &run), json_of(&project, &run));
    assert_eq!(first["run_id"], second["run_id"]);
    assert_ne!(first["run_id"], dry["run_id"]);
    assert_eq!(first["changes"]["created"], 1);
    assert_eq!(documents(&project, "counters")[0]["value"], 1);
    // The dry run does not return the stored result of the key, but the changes it would make.
    let dry = json_of(&project, &[&run[..], &["--dry-run"]].concat());
    assert_eq!(dry["change_set"][0]["after"], json!({"value": 2}));
}

#[test]
fn collection_that_no_model_names_is_denied() {
    let project = Project::with_rust(&["ledger"]);
    insta::assert_snapshot!(project.run(&["run", "ledger.read_undeclared"]), @"
    ---- stderr
    error: operation `ledger.read_undeclared` failed (denied): the collection `others` is not in the models of the operation
    hint: the models of the operation must include the collection
    ---- exit 4
    ");
    let record = latest(&project);
    assert_eq!((&record["failure_kind"], &record["status"]), (&json!("denied"), &json!("FAILED")));
    assert_eq!(record["capabilities"]["denied"], json!(["documents/others:read"]));
    assert_eq!(documents(&project, "samples"), [] as [Value; 0]);
    let listed = json_of(&project, &["runs", "list", "--failure-kind", "denied"]);
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1));
}

/// A run that continues after rejected calls succeeds, and these calls change nothing.
#[test]
fn invalid_document_calls_change_nothing() {
    let project = Project::with_rust(&["ledger"]);
    let report = json_of(&project, &["run", "ledger.invalid_calls"]);
    assert_eq!(report["status"], "SUCCESS");
    let good = json!({"_id": "good", "list": [1], "text": "a"});
    assert_eq!(documents(&project, "samples"), [good, json!({"_id": "second"})]);
    let collections = json!([{"collection": "samples", "documents": 2}]);
    assert_eq!(json_of(&project, &["documents", "collections"])["collections"], collections);
    assert_sound(&project);
}

#[test]
fn discarded_changes_are_not_committed() {
    let project = with_accounts();
    let report = json_of(&project, &["run", "ledger.discard_and_return", "id=a"]);
    assert_eq!(report["output"], json!({"before": 100, "written": 0, "discarded": 100}));
    assert_eq!(report["changes"], json!({"created": 0, "updated": 0, "deleted": 0}));
    assert_eq!(latest(&project)["changes"], Value::Null);
    assert_eq!(balances(&project), [100, 0]);
}

#[test]
fn run_that_exceeds_its_effects_limit_fails_with_kind_effects() {
    let project = Project::with_rust(&["ledger"]);
    let run = ["run", "ledger.bulk_insert", "count=100", "padding=100"];
    let output = project.run(&[&run[..], &["--max-effects", "1KB"]].concat());
    assert_eq!(output.code, Some(1), "{output}");
    let lines: Vec<_> = output.stderr.lines().filter(|line| !line.starts_with("  at ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    error: operation `ledger.bulk_insert` failed (effects): document changes exceed the limit of 1000 B
    hint: use `--max-effects` to allow more
    ");
    assert_eq!(latest(&project)["failure_kind"], "effects");
    project.settings("[limits]\neffects = \"1KB\"");
    assert_eq!(json_of(&project, &run)["error"]["kind"], "effects");
    let mut command = project.command(&[&run[..], &["--json"]].concat());
    let more = project.output(command.env("OPHOST_EFFECTS", "1MiB")).json();
    assert_eq!(more["changes"]["created"], 100, "{more}");
    assert_eq!(latest(&project)["limits"]["effects"], 1 << 20);
    // Deleted documents count too, because they are stored for `runs changes`.
    assert_eq!(json_of(&project, &["run", "ledger.bulk_delete"])["error"]["kind"], "effects");
    assert_eq!(documents(&project, "entries").len(), 100);
}

#[test]
fn effects_limit_is_parsed_like_other_limits() {
    let project = Project::with_rust(&["ledger"]);
    let run = |effects| project.run(&["run", "ledger.bump", "--max-effects", effects]);
    insta::assert_snapshot!(run("5"), @"
    ---- stderr
    error: invalid value '5' for '--max-effects <SIZE>': missing unit; expected a value such as 64MiB or 512KiB

    For more information, try '--help'.
    ---- exit 2
    ");
    insta::assert_snapshot!(run("0"), @"
    ---- stderr
    error: `effects` must be greater than zero
    hint: omit the flag for the default
    ---- exit 2
    ");
    insta::assert_snapshot!(run("2GiB"), @"
    ---- stderr
    error: 2.0 GiB for `effects` is above the maximum of 1.0 GiB
    hint: use a lower value, or omit the flag
    ---- exit 4
    ");
    assert_eq!(documents(&project, "counters"), [] as [Value; 0]);
}

#[test]
fn integers_of_64_bits_pass_through_a_guest_unchanged() {
    let project = Project::with_rust(&["ledger"]);
    let integers = [9_007_199_254_740_993, i64::MAX - 1, i64::MIN];
    for (id, integer) in integers.into_iter().enumerate() {
        let fields = [format!("id={id}"), format!("balance:={integer}")];
        let report = json_of(&project, &["run", "ledger.open_account", &fields[0], &fields[1]]);
        assert_eq!(report["output"]["balance"], integer);
    }
    assert_eq!(balances(&project), integers);
    let moved = json_of(&project, &["run", "ledger.transfer", "from=0", "to=1", "amount=1"]);
    assert_eq!(moved["output"], json!({"from": 9_007_199_254_740_992_i64, "to": i64::MAX}));
    let beyond =
        project.run(&["run", "ledger.open_account", "id=x", "balance:=9223372036854775808"]);
    assert_eq!(beyond.code, Some(2), "{beyond}");
}

#[test]
fn output_field_becomes_a_reference_to_the_created_document() {
    let project = Project::with_rust(&["ledger"]);
    let run = ["run", "ledger.add_if_none", "name=x"];
    let id = json_of(&project, &run)["output"]["id"].clone();
    let named = json!({"collection": "entries", "document_id": id, "change": "created"});
    assert_eq!(latest(&project)["result_refs"], json!([named]));
    assert_eq!(json_of(&project, &run)["output"]["id"], Value::Null);
    assert_eq!(latest(&project)["result_refs"], json!([]));
    // A dry run creates no document.
    let dry = json_of(&project, &["run", "ledger.add_if_none", "name=y", "--dry-run"]);
    assert!(dry["output"]["id"].is_string(), "{dry}");
    assert_eq!(documents(&project, "entries").len(), 1);
}

#[test]
fn erasing_a_run_keeps_its_document_changes() {
    let project = with_accounts();
    project.run(&["run", "ledger.transfer", "from=a", "to=b", "amount=30"]);
    assert_eq!(project.run(&["runs", "erase", "latest"]).code, Some(0));
    assert_eq!(latest(&project)["input_dump"], Value::Null);
    assert_eq!(balances(&project), [70, 30]);
    let diff = json_of(&project, &["runs", "changes", "latest"]);
    assert_eq!(diff["change_set"].as_array().map(Vec::len), Some(2));
    let help = project.run(&["runs", "erase", "--help"]).stdout;
    assert!(help.contains("the document changes"), "{help}");
    assert_sound(&project);
}

#[test]
fn rerun_changes_the_current_documents() {
    let project = with_accounts();
    project.run(&["run", "ledger.transfer", "from=a", "to=b", "amount=30"]);
    let first = latest(&project);
    assert_eq!(project.run(&["runs", "rerun", "latest"]).stdout, "{\"from\":40,\"to\":60}\n");
    let second = latest(&project);
    assert_eq!((&second["rerun_of"], &second["changes"]["updated"]), (&first["id"], &json!(2)));
    assert_eq!(balances(&project), [40, 60]);
    project.run(&["run", "ledger.transfer", "from=a", "to=b", "amount=1", "--dry-run"]);
    let again = project.run(&["runs", "rerun", "latest"]);
    assert!(again.stderr.starts_with("DRY RUN: no change was committed"), "{again}");
    assert_eq!(balances(&project), [40, 60]);
}

#[test]
fn plugins_of_contract_0_1_0_and_0_1_1_run_together() {
    let project = Project::with_rust(&["ledger"]);
    let old = describing(&Described::new("old").with(Operation::new("old"))).expect("a guest");
    let holds = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|it| it == text);
    assert!(holds(&old, b"ophost:plugin/operations@0.1.0"));
    let new = fs::read(project.plugins().join("ledger.wasm")).expect("a file");
    assert!(holds(&new, b"ophost:plugin/operations@0.1.1"));
    project.add("old", &old);
    assert_eq!(project.run(&["run", "old"]).stdout, "{}\n");
    assert_eq!(project.run(&["run", "ledger.bump"]).stdout, "{\"value\":1}\n");
}
