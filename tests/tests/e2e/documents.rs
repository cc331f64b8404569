//! Operations change documents: all that a run did is kept with its success, or nothing.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::guest::{Described, Operation, describing};
use ophost::{Host, Outcome, Request};
use serde_json::{Value, json};

use crate::harness::Project;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns a project in which money is moved: `a` has 100, `b` nothing.
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
    assert_eq!(found["next"], Value::Null, "one page is not enough");
    found["documents"].as_array().expect("a list").clone()
}

fn balances(project: &Project) -> Vec<Value> {
    documents(project, "accounts").iter().map(|account| account["balance"].clone()).collect()
}

fn assert_sound(project: &Project) {
    assert_eq!(project.run(&["store", "check"]).stdout, "the store is sound\n");
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Returns what a run said with `--json`, once it has ended.
fn report(child: Child) -> Value {
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Waits until something is there.
fn until<T>(mut find: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a run that moves money and then never ends, and returns when it has moved it.
fn spinning_after_a_transfer(project: &Project) -> Child {
    let run = ["run", "ledger.transfer_then", "from=a", "to=b", "amount=1", "then=spin"];
    let child = start(&mut project.command(&run));
    let is_spinning = || {
        let run = latest(project);
        let is_it = run["status"] == "RUNNING" && run["log_entries"][0]["message"] == "spinning";
        is_it.then_some(())
    };
    until(is_spinning);
    child
}

/// Returns a host that works on a project beside the command.
async fn beside(project: &Project) -> Host {
    let data = project.path().join(".ophost");
    Host::builder().plugins(project.plugins()).data(data).build().await.expect("a host")
}

/// Changes a counter.
async fn bump(host: &Host, id: &str) {
    let report = host.run(Request::new("ledger.bump", json!({"id": id})).record(false)).await;
    let outcome = report.expect("it begins").outcome;
    assert!(matches!(outcome, Outcome::Success(_)), "{outcome:?}");
}

#[test]
fn l8_what_a_run_changes_is_kept_with_its_success() {
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
        balance: 100 -> 70
    ~ accounts/b
        balance: 0 -> 30
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
fn a_run_that_does_not_succeed_changes_nothing() {
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
fn l7_a_run_that_is_cancelled_or_killed_after_it_wrote_changes_nothing() {
    let project = with_accounts();
    let mut child = spinning_after_a_transfer(&project);
    assert_eq!(balances(&project), [100, 0], "nobody else sees what it wrote");
    assert_eq!(project.run(&["runs", "cancel", "latest"]).code, Some(0));
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(latest(&project)["status"], "CANCELLED");

    let mut child = spinning_after_a_transfer(&project);
    child.kill().expect("it still runs");
    child.wait().expect("it is gone");
    let record = latest(&project);
    assert_eq!((&record["failure_kind"], &record["changes"]), (&json!("crashed"), &Value::Null));
    assert_eq!(balances(&project), [100, 0]);
    assert_sound(&project);
}

#[test]
fn r1_the_changes_of_an_unrecorded_run_are_kept_all_the_same() {
    let project = Project::with_rust(&["ledger"]);
    let report = json_of(&project, &["run", "ledger.bump", "--no-record"]);
    assert_eq!(report["run_id"], Value::Null);
    assert_eq!(report["changes"], json!({"created": 1, "updated": 0, "deleted": 0}));
    assert_eq!(documents(&project, "counters"), [json!({"_id": "only", "value": 1})]);
    assert_eq!(json_of(&project, &["runs", "list"])["runs"], json!([]));
    assert_sound(&project);
}

#[test]
fn r1_a_rule_records_whatever_may_change_documents() {
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
fn every_success_of_many_processes_is_counted_once() {
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
async fn a_run_whose_reads_are_no_longer_so_is_executed_again() {
    let project = Project::with_rust(&["ledger"]);
    let host = beside(&project).await;
    bump(&host, "only").await;
    let child = start(&mut project.command(&["run", "ledger.bump", "pause_ms=300", "--json"]));
    until(|| {
        (json_of(&project, &["runs", "list"])["runs"][0]["status"] == "RUNNING").then_some(())
    });
    let mut others = 1;
    let since = Instant::now();
    // The run reads soon after it is there, and writes 300 ms later.
    while since.elapsed() < Duration::from_millis(400) {
        bump(&host, "only").await;
        others += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let report = report(child);
    assert_eq!(report["output"], json!({"value": others + 1}), "{report}");
    let reruns = report["usage"]["conflict_retries"].as_u64().expect("it was executed again");
    let record = latest(&project);
    assert_eq!(record["usage"]["conflict_retries"], reruns);
    let again = format!("executed again ({reruns}): what it read was changed");
    let log = record["log_entries"].as_array().expect("a list");
    assert!(log.iter().any(|entry| entry["message"] == again.as_str()), "{record}");
    let shown = project.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains(", since what it had read was changed\n"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_a_run_that_always_comes_too_late_fails_as_a_conflict() {
    let project = Project::with_rust(&["ledger"]);
    let host = beside(&project).await;
    let mut child = start(&mut project.command(&["run", "ledger.bump", "pause_ms=150"]));
    let mut others = 0;
    while child.try_wait().expect("a child").is_none() {
        bump(&host, "only").await;
        others += 1;
    }
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"
    error: operation `ledger.bump` failed (conflict): other runs changed what it had read, 6 times
    hint: trying again later may help
    ");
    let record = latest(&project);
    assert_eq!((&record["failure_kind"], &record["changes"]), (&json!("conflict"), &Value::Null));
    assert_eq!(record["usage"]["conflict_retries"], 5);
    assert_eq!(documents(&project, "counters")[0]["value"], others);
}

#[test]
fn what_a_filter_would_have_found_is_in_the_way_too() {
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
    assert!(again > 0, "they were not in each other's way: {reports:?}");
}

/// Nothing that is freed can be used again as long as somebody may read it: after a second
/// nobody may, and the file is as large as it was then.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_long_is_in_nobody_s_way_and_the_store_does_not_grow_with_it() {
    let project = with_accounts();
    let host = beside(&project).await;
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
    assert_eq!(moved["usage"].get("conflict_retries"), None, "nobody was in its way");

    let before = size();
    for _ in 0..600 {
        bump(&host, "other").await;
    }
    assert!(reading.try_wait().expect("a child").is_none(), "it still reads");
    reading.kill().expect("it still runs");
    reading.wait().expect("it is gone");
    assert!(size() - before < 16 << 20, "{before} -> {}", size());
}

#[test]
fn i2_a_dry_run_shows_what_it_would_change_and_keeps_nothing() {
    let project = with_accounts();
    let run = ["run", "ledger.transfer", "from=a", "to=b", "amount=30", "--dry-run"];
    insta::assert_snapshot!(project.run(&run), @r#"
    {"from":70,"to":30}
    ---- stderr
    DRY RUN: nothing is kept; it would have updated 2 documents
    ~ accounts/a
        balance: 100 -> 70
    ~ accounts/b
        balance: 0 -> 30
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
    assert!(shown.contains("\nchanges   none; it would have updated 2 documents\n"), "{shown}");
    let listed = project.run(&["runs", "list", "-n", "1"]).stdout;
    assert!(listed.contains("SUCCESS DRY RUN"), "{listed}");
    let diff = project.run(&["runs", "changes", "latest"]);
    assert!(diff.stderr.ends_with(" changed no document\n"), "{diff}");
    assert_sound(&project);
}

#[test]
fn i2_a_dry_run_of_what_fails_fails_and_would_have_changed_nothing() {
    let project = with_accounts();
    let run =
        ["run", "ledger.transfer_then", "from=a", "to=b", "amount=1", "then=fail", "--dry-run"];
    insta::assert_snapshot!(project.run(&run), @"
    ---- stderr
    error: operation `ledger.transfer_then` failed (error): it was told to
    DRY RUN: nothing is kept; it would have changed no document
    ---- exit 1
    ");
    let report = json_of(&project, &run);
    assert_eq!((&report["status"], &report["change_set"]), (&json!("FAILED"), &json!([])));
}

#[test]
fn i2_an_input_can_ask_for_a_dry_run() {
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
    let wet = json_of(&project, &run[..3]);
    assert_eq!(wet["output"]["job_ids"], report["output"]["job_ids"]);
    assert_eq!(wet["output"]["task_run_id"], wet["run_id"]);
    assert_eq!(documents(&project, "jobs").len(), 0);
    assert_eq!(json_of(&project, &["documents", "collections"])["collections"], json!([]));
}

#[test]
fn q6_a_request_changes_documents_once_and_its_dry_run_takes_no_key() {
    let project = Project::with_rust(&["ledger"]);
    let run = ["run", "ledger.bump", "--idempotency-key", "k"];
    let dry = json_of(&project, &[&run[..], &["--dry-run"]].concat());
    assert_eq!(dry["output"], json!({"value": 1}));
    let (first, second) = (json_of(&project, &run), json_of(&project, &run));
    assert_eq!(first["run_id"], second["run_id"]);
    assert_ne!(first["run_id"], dry["run_id"]);
    assert_eq!(first["changes"]["created"], 1);
    assert_eq!(documents(&project, "counters")[0]["value"], 1);
    // Not the answer of the one that has the key, but what would be changed now.
    let dry = json_of(&project, &[&run[..], &["--dry-run"]].concat());
    assert_eq!(dry["change_set"][0]["after"], json!({"value": 2}));
}

#[test]
fn l5_what_the_models_do_not_name_is_denied() {
    let project = Project::with_rust(&["ledger"]);
    insta::assert_snapshot!(project.run(&["run", "ledger.reach"]), @"
    ---- stderr
    error: operation `ledger.reach` failed (denied): the operation's models do not name the collection `others`
    hint: its models say which collections it reaches
    ---- exit 4
    ");
    let record = latest(&project);
    assert_eq!((&record["failure_kind"], &record["status"]), (&json!("denied"), &json!("FAILED")));
    assert_eq!(record["capabilities"]["denied"], json!(["documents/others:read"]));
    assert_eq!(documents(&project, "odds"), [] as [Value; 0]);
    let listed = json_of(&project, &["runs", "list", "--failure-kind", "denied"]);
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1));
}

/// Who goes on after a refusal is not refused; what was odd left nothing.
#[test]
fn of_odd_calls_nothing_is_kept() {
    let project = Project::with_rust(&["ledger"]);
    let report = json_of(&project, &["run", "ledger.odd_documents"]);
    assert_eq!(report["status"], "SUCCESS");
    let good = json!({"_id": "good", "list": [1], "text": "a"});
    assert_eq!(documents(&project, "odds"), [good, json!({"_id": "second"})]);
    let collections = json!([{"collection": "odds", "documents": 2}]);
    assert_eq!(json_of(&project, &["documents", "collections"])["collections"], collections);
    assert_sound(&project);
}

#[test]
fn what_a_run_discards_is_not_kept() {
    let project = with_accounts();
    let report = json_of(&project, &["run", "ledger.discard_and_return", "id=a"]);
    assert_eq!(report["output"], json!({"before": 100, "written": 0, "discarded": 100}));
    assert_eq!(report["changes"], json!({"created": 0, "updated": 0, "deleted": 0}));
    assert_eq!(latest(&project)["changes"], Value::Null);
    assert_eq!(balances(&project), [100, 0]);
}

#[test]
fn l5_a_run_that_writes_more_than_it_may_fails_as_effects() {
    let project = Project::with_rust(&["ledger"]);
    let run = ["run", "ledger.bulk_insert", "count=100", "padding=100"];
    let output = project.run(&[&run[..], &["--max-effects", "1KB"]].concat());
    assert_eq!(output.code, Some(1), "{output}");
    let lines: Vec<_> = output.stderr.lines().filter(|line| !line.starts_with("  at ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    error: operation `ledger.bulk_insert` failed (effects): document changes exceed the limit of 1000 B
    hint: `--max-effects` allows more
    ");
    assert_eq!(latest(&project)["failure_kind"], "effects");
    project.settings("[limits]\neffects = \"1KB\"");
    assert_eq!(json_of(&project, &run)["error"]["kind"], "effects");
    let mut command = project.command(&[&run[..], &["--json"]].concat());
    let more = project.output(command.env("OPHOST_EFFECTS", "1MiB")).json();
    assert_eq!(more["changes"]["created"], 100, "{more}");
    assert_eq!(latest(&project)["limits"]["effects"], 1 << 20);
    // What is deleted counts too: so much can be undone.
    assert_eq!(json_of(&project, &["run", "ledger.bulk_delete"])["error"]["kind"], "effects");
    assert_eq!(documents(&project, "entries").len(), 100);
}

#[test]
fn how_much_a_run_may_write_is_asked_for_as_other_limits_are() {
    let project = Project::with_rust(&["ledger"]);
    let run = |effects| project.run(&["run", "ledger.bump", "--max-effects", effects]);
    insta::assert_snapshot!(run("5"), @"
    ---- stderr
    error: invalid value '5' for '--max-effects <SIZE>': a unit is needed, for example 64MiB or 512KiB

    For more information, try '--help'.
    ---- exit 2
    ");
    insta::assert_snapshot!(run("0"), @"
    ---- stderr
    error: a limit of zero for `effects` lets nothing run
    hint: leave it out for the default
    ---- exit 2
    ");
    insta::assert_snapshot!(run("2GiB"), @"
    ---- stderr
    error: 2.0 GiB for `effects` is above this host's maximum of 1.0 GiB
    hint: ask for less, or leave it out
    ---- exit 4
    ");
    assert_eq!(documents(&project, "counters"), [] as [Value; 0]);
}

#[test]
fn integers_of_64_bits_pass_through_a_guest_as_they_are() {
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
fn o2_a_field_whose_schema_says_so_names_the_document_that_the_run_created() {
    let project = Project::with_rust(&["ledger"]);
    let run = ["run", "ledger.add_if_none", "name=x"];
    let id = json_of(&project, &run)["output"]["id"].clone();
    let named = json!({"collection": "entries", "document_id": id, "change": "created"});
    assert_eq!(latest(&project)["result_refs"], json!([named]));
    assert_eq!(json_of(&project, &run)["output"]["id"], Value::Null);
    assert_eq!(latest(&project)["result_refs"], json!([]));
    // What a dry run names is not there.
    let dry = json_of(&project, &["run", "ledger.add_if_none", "name=y", "--dry-run"]);
    assert!(dry["output"]["id"].is_string(), "{dry}");
    assert_eq!(documents(&project, "entries").len(), 1);
}

#[test]
fn an_erased_run_leaves_the_documents_that_it_changed() {
    let project = with_accounts();
    project.run(&["run", "ledger.transfer", "from=a", "to=b", "amount=30"]);
    assert_eq!(project.run(&["runs", "erase", "latest"]).code, Some(0));
    assert_eq!(latest(&project)["input_dump"], Value::Null);
    assert_eq!(balances(&project), [70, 30]);
    let diff = json_of(&project, &["runs", "changes", "latest"]);
    assert_eq!(diff["change_set"].as_array().map(Vec::len), Some(2));
    let help = project.run(&["runs", "erase", "--help"]).stdout;
    assert!(help.contains("so do the\ndocuments that it changed"), "{help}");
    assert_sound(&project);
}

#[test]
fn q8_a_rerun_changes_documents_as_they_are_now() {
    let project = with_accounts();
    project.run(&["run", "ledger.transfer", "from=a", "to=b", "amount=30"]);
    let first = latest(&project);
    assert_eq!(project.run(&["runs", "rerun", "latest"]).stdout, "{\"from\":40,\"to\":60}\n");
    let second = latest(&project);
    assert_eq!((&second["rerun_of"], &second["changes"]["updated"]), (&first["id"], &json!(2)));
    assert_eq!(balances(&project), [40, 60]);
    project.run(&["run", "ledger.transfer", "from=a", "to=b", "amount=1", "--dry-run"]);
    let again = project.run(&["runs", "rerun", "latest"]);
    assert!(again.stderr.starts_with("DRY RUN: nothing is kept"), "{again}");
    assert_eq!(balances(&project), [40, 60]);
}

#[test]
fn a_plugin_of_the_first_contract_runs_beside_one_of_this_one() {
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
