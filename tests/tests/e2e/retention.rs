//! Retention: `ophost runs prune`, `ophost store compact`, and the settings of retention.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Output, Project};

/// Returns a project with this number of recorded runs.
fn with_runs(count: usize) -> Project {
    let project = Project::with_rust(&["text"]);
    add_runs(&project, count);
    project
}

fn add_runs(project: &Project, count: usize) {
    for _ in 0..count {
        assert_eq!(project.run(&["run", "slugify", "text=a"]).code, Some(0));
    }
}

fn ids(project: &Project) -> Vec<String> {
    let listed = project.run(&["runs", "list", "--limit", "1000", "--json"]).json();
    let runs = listed["runs"].as_array().expect("a list").iter();
    runs.map(|run| run["id"].as_str().expect("a text").to_owned()).collect()
}

fn prune(project: &Project, arguments: &[&str]) -> Output {
    project.run(&[&["runs", "prune"], arguments].concat())
}

#[test]
fn prune_by_flags_keeps_the_newest_runs() {
    let project = with_runs(5);
    let before = ids(&project);
    insta::assert_snapshot!(prune(&project, &["--max-runs", "2", "--dry-run"]), @"would remove 3 runs: 3 SUCCESS");
    assert_eq!(ids(&project), before);
    insta::assert_snapshot!(prune(&project, &["--max-runs", "2"]), @"removed 3 runs: 3 SUCCESS");
    assert_eq!(ids(&project), before[..2]);
    insta::assert_snapshot!(prune(&project, &["--max-runs", "2"]), @"removed 0 runs");
    insta::assert_snapshot!(prune(&project, &["--older-than", "1d", "--status", "failed"]), @"removed 0 runs");
    let stats = project.run(&["runs", "stats", "--json"]).json();
    assert!(stats.to_string().contains(r#""SUCCESS":2"#), "{stats}");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
    let removed = project.run(&["runs", "show", &before[4]]);
    assert_eq!(removed.code, Some(3), "{removed}");
}

#[test]
fn prune_by_settings_has_a_summary_in_json() {
    let project = with_runs(3);
    project.settings("[retention]\nmax_runs = 1\nhistory_max_age = \"30d\"\n");
    let expected = |dry_run| {
        json!({
            "dry_run": dry_run,
            "removed": {"runs": 2, "by_status": {"SUCCESS": 2}, "commits": 0, "changes": 0},
            "kept": {"idempotency_key": 0, "undone": 0, "linked": 0},
            "corrupted": 0,
            "cancelled": false,
        })
    };
    assert_eq!(prune(&project, &["--dry-run", "--json"]).json(), expected(true));
    assert_eq!(prune(&project, &["--json"]).json(), expected(false));
    assert_eq!(ids(&project).len(), 1);
}

#[test]
fn rule_of_a_status_replaces_the_general_one() {
    let project = with_runs(3);
    project.settings("[retention]\nmax_runs = 1\n[retention.success]\nmax_runs = 2\n");
    insta::assert_snapshot!(prune(&project, &[]), @"removed 1 run: 1 SUCCESS");
}

#[test]
fn prune_without_a_rule_and_bad_rules_change_nothing() {
    let project = with_runs(2);
    insta::assert_snapshot!(prune(&project, &[]), @"
    ---- stderr
    error: no retention is set
    hint: set `[retention]` in `ophost.toml`, or use `--older-than` or `--max-runs`
    ---- exit 2
    ");
    insta::assert_snapshot!(prune(&project, &["--status", "failed"]), @"
    ---- stderr
    error: `--status` has no limit
    hint: add `--older-than TIME` or `--max-runs COUNT`
    ---- exit 2
    ");
    insta::assert_snapshot!(prune(&project, &["--max-runs", "0"]), @"
    ---- stderr
    error: invalid value '0' for '--max-runs <COUNT>': must be greater than zero

    For more information, try '--help'.
    ---- exit 2
    ");
    assert_eq!(prune(&project, &["--older-than", "0s"]).code, Some(2));
    assert_eq!(prune(&project, &["latest", "--max-runs", "1"]).code, Some(2));
    project.settings("[retention]\nmax_age = \"0s\"\n");
    insta::assert_snapshot!(prune(&project, &[]), @"
    ---- stderr
    error: `ophost.toml`, line 2: `retention.max_age` must be greater than zero
    hint: remove the setting to use the default
    ---- exit 2
    ");
    fs::remove_file(project.path().join("ophost.toml")).expect("a settings file");
    assert_eq!(ids(&project).len(), 2);
}

#[test]
fn retention_of_an_untrusted_file_is_ignored() {
    let project = with_runs(2);
    project.settings("[retention]\nmax_runs = 1\n[retention.failed]\nmax_age = \"1d\"\n");
    project.share("ophost.toml", 0o664);
    let pruned = prune(&project, &[]);
    assert_eq!(pruned.code, Some(2), "{pruned}");
    let ignored = "ignored: retention.max_runs, retention.failed.max_age";
    assert!(pruned.stderr.contains(ignored), "{pruned}");
    assert_eq!(ids(&project).len(), 2);
}

#[test]
fn live_key_and_linked_runs_are_kept_and_reported() {
    let project = with_runs(1);
    let keyed = ["run", "slugify", "text=a", "--idempotency-key", "k"];
    project.run(&keyed);
    project.run(&["runs", "rerun", "latest"]);
    add_runs(&project, 1);
    let runs = ids(&project);
    insta::assert_snapshot!(prune(&project, &["--max-runs", "1", "--dry-run"]), @"
    would remove 2 runs: 2 SUCCESS
    kept 1 run: the idempotency key is live
    ");
    insta::assert_snapshot!(prune(&project, &["--max-runs", "2"]), @"
    removed 1 run: 1 SUCCESS
    kept 1 run: the idempotency key is live
    ");
    assert_eq!(ids(&project), runs[..3]);
    insta::assert_snapshot!(prune(&project, &[&runs[2], "--dry-run"]), @"
    ---- stderr
    would remove run [RUN]; its idempotency key is free, so the next request runs again
    ");
    let removed = prune(&project, &[&runs[2], "--json"]).json();
    let run = json!({"id": runs[2], "has_changes": false, "idempotency_key": true});
    assert_eq!(removed, json!({"dry_run": false, "removed": [run]}));
    assert_eq!(ids(&project), runs[..2]);
    let again = project.run(&[&keyed[..], &["--json"]].concat()).json();
    assert_eq!(again["from_record"], Value::Null, "{again}");
}

#[test]
fn unfinished_run_cannot_be_removed() {
    let project = Project::with_rust(&["misbehave", "text"]);
    let arguments = ["run", "misbehave.spin", "--record", "--timeout", "60s"];
    let mut child = project.command(&arguments).spawn().expect("the command starts");
    while ids(&project).is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
    add_runs(&project, 2);
    let running = ids(&project).pop().expect("a run");
    insta::assert_snapshot!(prune(&project, &[&running, "latest"]), @"
    ---- stderr
    error: run [RUN] has not ended
    hint: run `ophost runs show [RUN]` to show the run
    ---- exit 2
    ");
    insta::assert_snapshot!(prune(&project, &["--max-runs", "1"]), @"removed 1 run: 1 SUCCESS");
    assert_eq!(ids(&project).len(), 2);
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
}

#[test]
fn history_is_pruned_separately_and_the_documents_remain() {
    let project = Project::new();
    fs::write(project.path().join("jobs.jsonl"), "{\"_id\":\"a\",\"n\":1}\n").expect("a directory");
    assert_eq!(project.run(&["documents", "import", "jobs", "jobs.jsonl"]).code, Some(0));
    let run = ids(&project).pop().expect("a run");
    thread::sleep(Duration::from_millis(20));
    insta::assert_snapshot!(prune(&project, &["--history-older-than", "10ms"]), @"
    removed 0 runs
    removed 1 document change of 1 commit
    ");
    insta::assert_snapshot!(project.run(&["runs", "changes", &run]), @"
    ---- stderr
    error: the document changes of run `[RUN]` were removed by retention
    hint: run `ophost documents history COLLECTION ID` to show what remains of the history
    ---- exit 3
    ");
    insta::assert_snapshot!(project.run(&["runs", "undo", &run]), @"
    ---- stderr
    error: run [RUN] cannot be undone: its document changes were removed by retention
    hint: run `ophost runs show [RUN]` to show the run
    ---- exit 2
    ");
    assert_eq!(project.run(&["documents", "get", "jobs", "a"]).code, Some(0));
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn document_changes_of_a_removed_run_are_shown() {
    let project = Project::new();
    fs::write(project.path().join("jobs.jsonl"), "{\"_id\":\"a\",\"n\":1}\n").expect("a directory");
    project.run(&["documents", "import", "jobs", "jobs.jsonl"]);
    let run = ids(&project).pop().expect("a run");
    insta::assert_snapshot!(prune(&project, &[&run]), @"
    ---- stderr
    removed run [RUN]; its document changes cannot be undone
    ");
    assert_eq!(project.run(&["runs", "show", &run]).code, Some(3));
    let changes = project.run(&["runs", "changes", &run]);
    assert!(changes.code == Some(0) && changes.stdout.contains("jobs"), "{changes}");
    let history = project.run(&["documents", "history", "jobs", "a"]);
    assert!(history.stdout.contains("import"), "{history}");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn end_of_a_command_prunes_at_most_once_an_hour() {
    let project = with_runs(4);
    project.settings("[retention]\nmax_runs = 2\n");
    project.run(&["runs", "list"]);
    assert_eq!(ids(&project).len(), 4, "a command that only reads prunes nothing");
    add_runs(&project, 1);
    assert_eq!(ids(&project).len(), 2);
    add_runs(&project, 2);
    assert_eq!(ids(&project).len(), 4, "the last prune is less than an hour ago");
    let doctor = project.run(&["doctor"]).stdout;
    let line = doctor.lines().find(|line| line.contains("retention")).expect("a finding");
    assert!(line.starts_with("ok") && line.contains("last pruned"), "{line}");
}

#[test]
fn doctor_reports_runs_that_were_never_pruned() {
    let project = with_runs(2);
    project.settings("[retention]\nmax_runs = 1\n");
    let doctor = project.run(&["doctor"]).stdout;
    let warning = "warning  retention    never pruned; some data exceeds the retention\n         \
                   fix: run `ophost runs prune`\n";
    assert!(doctor.contains(warning), "{doctor}");
}

#[test]
fn interrupted_prune_keeps_the_rest() {
    let project = with_runs(1);
    // Long enough for the signal, with the pauses of the prune.
    fill(&project, 3_000);
    let mut command = project.command(&["runs", "prune", "--max-runs", "1", "--json"]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().expect("the command starts");
    thread::sleep(Duration::from_millis(300));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("a running process");
    let output = child.wait_with_output().expect("the command ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &report["cancelled"]), (Some(130), &json!(true)));
    assert!(report["removed"]["runs"].as_u64() < Some(3_000), "{report}");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn prune_beside_commands_loses_no_run() {
    let project = with_runs(1);
    fill(&project, 1_000);
    let call = || {
        let run = |_| project.run(&["run", "slugify", "text=a", "--json"]).json();
        let id = |report: Value| report["run_id"].as_str().expect("a text").to_owned();
        (0..15).map(run).map(id).collect::<Vec<_>>()
    };
    let called = thread::scope(|scope| {
        let callers = [scope.spawn(call), scope.spawn(call)];
        let pruned = prune(&project, &["--max-runs", "100"]);
        assert_eq!(pruned.code, Some(0), "{pruned}");
        callers.map(|caller| caller.join().expect("a caller")).concat()
    });
    let remaining = ids(&project);
    assert!(called.iter().all(|id| remaining.contains(id)));
    assert!((100..=131).contains(&remaining.len()), "{}", remaining.len());
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

/// Adds runs with the library, which is faster than a command for each.
fn fill(project: &Project, count: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let host = ophost::Host::builder()
            .plugins(project.plugins())
            .data(project.path().join(".ophost"))
            .build()
            .await
            .expect("a host");
        let calls = (0..count).map(|_| async {
            let request = ophost::Request::new("slugify", json!({"text": "a"})).record(true);
            host.run(request).await.expect("a report");
        });
        for call in calls {
            call.await;
        }
    });
}

#[test]
fn compaction_shrinks_the_store() {
    let project = with_runs(1);
    fill(&project, 500);
    prune(&project, &["--max-runs", "3"]);
    let compacted = project.run(&["store", "compact", "--json"]).json();
    let size = |name: &str| compacted[name].as_u64().expect("a number");
    assert!(size("after") < size("before") / 2, "{compacted}");
    assert_eq!(ids(&project).len(), 3);
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
    add_runs(&project, 1);
    let text = project.run(&["store", "compact"]).stdout;
    assert!(text.contains(" before, ") && text.ends_with(" after\n"), "{text}");
}

#[test]
fn store_in_use_is_not_compacted() {
    let project = Project::with_rust(&["misbehave"]);
    let arguments = ["run", "misbehave.spin", "--record", "--timeout", "60s"];
    let mut child = project.command(&arguments).spawn().expect("the command starts");
    while ids(&project).is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
    insta::assert_snapshot!(project.run(&["store", "compact"]), @"
    ---- stderr
    error: another process uses the store
    hint: end the commands and hosts that use the data directory, then retry
    ---- exit 5
    ");
    child.kill().expect("a running process");
    child.wait().expect("a terminated process");
    assert_eq!(project.run(&["store", "compact"]).code, Some(0));
}

#[test]
fn prune_during_a_backup_is_refused() {
    let project = with_runs(2);
    let owners = project.path().join(".ophost/owners");
    let lock = File::options().create(true).append(true).open(owners.join(".long-read-lock"));
    let lock = lock.expect("a lock file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    lock.set_permissions(mode).expect("a file of this user");
    lock.lock_shared().expect("a lock");
    insta::assert_snapshot!(prune(&project, &["--max-runs", "1"]), @"
    ---- stderr
    error: cannot prune the store now: another process is backing up or checking the store
    hint: retry when the other command has ended
    ---- exit 5
    ");
    assert_eq!(ids(&project).len(), 2);
}

#[test]
fn command_with_nothing_to_prune_is_not_delayed() {
    let project = with_runs(1);
    let time = |project: &Project| {
        let mut times: Vec<_> = (0..9)
            .map(|_| {
                let start = Instant::now();
                add_runs(project, 1);
                start.elapsed()
            })
            .collect();
        times.sort();
        times[4]
    };
    let without = time(&project);
    project.settings("[retention]\nmax_runs = 100000\nmax_age = \"90d\"\n");
    let with = time(&project);
    assert!(with < without * 3 / 2 + Duration::from_millis(20), "{with:?} {without:?}");
}
