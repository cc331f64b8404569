//! The sample plugin `jobs`: its cases with `ophost test`, and its behaviour that no case shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ophost::{Event, Host, Request};
use serde_json::{Value, json};

use crate::harness::{Project, rust_guest};

/// The folder of the case files.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/jobs/cases");
/// The operations with a case file.
const OPERATIONS: [&str; 4] =
    ["bulk_delete_jobs", "create_jobs_batch", "process_jobs", "update_job"];

#[test]
fn component_passes_its_cases() {
    let project = Project::new();
    let component = rust_guest("jobs");
    let component = component.to_str().expect("UTF-8");
    let report = project.run(&["test", component, "--cases", CASES, "--json"]);
    assert_eq!(report.code, Some(0), "{report}");
    let report = report.json();
    let cases = report["cases"].as_array().expect("a list");
    for operation in OPERATIONS {
        let of_operation = cases.iter().filter(|case| case["operation"] == operation);
        assert!(of_operation.count() > 1, "{operation}");
    }
    assert!(!project.path().join(".ophost").exists(), "the data directory was created");
}

/// Returns a case without the fields of its expectation.
fn cases(operation: &str) -> Vec<Value> {
    let file = Path::new(CASES).join(format!("{operation}.json"));
    let text = fs::read_to_string(file).expect("a case file");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    file["cases"].as_array().expect("a list").clone()
}

/// Runs a case in an empty store and undoes the run. Returns whether it changed documents.
fn undo_restores_the_documents(project: &Project, operation: &str, case: &Value) -> bool {
    let store = project.path().join(".ophost/store");
    if store.exists() {
        fs::remove_dir_all(store).expect("a store");
    }
    let before = case["documents"]["jobs"].as_array().cloned().unwrap_or_default();
    let lines = before.iter().map(|document| format!("{document}\n"));
    fs::write(project.path().join("jobs.jsonl"), lines.collect::<String>()).expect("a directory");
    fs::write(project.path().join("input.json"), case["input"].to_string()).expect("a directory");
    project.run(&["documents", "import", "jobs", "jobs.jsonl"]);
    let user = case["flags"]["user"].as_str().map(|user| format!("--user={user}"));
    let run = ["run", operation, "--input", "@input.json", "--record", "--json"];
    let report = project.run(&run.into_iter().chain(user.as_deref()).collect::<Vec<_>>()).json();
    let changed: u64 = ["created", "updated", "deleted"]
        .iter()
        .filter_map(|it| report["changes"][it].as_u64())
        .sum();
    let (Some(run), true) = (report["run_id"].as_str(), report["dry_run"].is_null() && changed > 0)
    else {
        return false;
    };
    let undone = project.run(&["runs", "undo", run, "--json"]);
    assert_eq!(undone.code, Some(0), "{operation}: {}: {undone}", case["name"]);
    let by_id = |documents: &[Value]| -> BTreeMap<String, Value> {
        documents.iter().map(|it| (it["_id"].to_string(), it.clone())).collect()
    };
    let found = project.run(&["documents", "find", "jobs", "-n", "1000", "--json"]).json();
    let after = found["documents"].as_array().expect("a list");
    assert_eq!(by_id(after), by_id(&before), "{operation}: {}", case["name"]);
    true
}

#[test]
fn undo_of_each_case_restores_the_documents() {
    let project = Project::with_rust(&["jobs"]);
    for operation in OPERATIONS {
        let cases = cases(operation);
        let cases = cases.iter().filter(|case| case["flags"]["dry_run"] != true);
        let undone = cases.filter(|case| undo_restores_the_documents(&project, operation, case));
        assert!(undone.count() > 0, "{operation}: no case was undone");
    }
}

#[test]
fn bulk_delete_jobs_deletes_at_most_10_000_filtered_jobs() {
    let project = Project::with_rust(&["jobs"]);
    let job = |id| format!("{{\"_id\":\"{id:05}\",\"title\":\"Baker\",\"company\":\"ACME\"}}\n");
    let jobs: String = (0..=10_000).map(job).collect();
    fs::write(project.path().join("jobs.jsonl"), jobs).expect("a directory");
    let imported = project.run(&["documents", "import", "jobs", "jobs.jsonl"]);
    assert_eq!(imported.code, Some(0), "{imported}");
    let deleted = project.run(&["run", "bulk_delete_jobs", "filters:={\"title\":\"Baker\"}"]);
    assert_eq!(deleted.json()["deleted_count"], 10_000);
    let remaining = project.run(&["documents", "find", "jobs"]).stdout;
    assert!(remaining.starts_with("{\"_id\":\"10000\""), "{remaining}");
}

#[tokio::test(flavor = "multi_thread")]
async fn process_jobs_reports_the_progress_of_each_batch() {
    let project = Project::with_rust(&["jobs"]);
    let data = project.path().join(".ophost");
    let host = Host::builder().plugins(project.plugins()).data(data).build().await;
    let host = host.expect("a host");
    let postings: Vec<_> = (0..250).map(|_| json!({"title": "Baker", "company": "ACME"})).collect();
    let create = Request::new("create_jobs_batch", json!({"jobs_data": postings}));
    host.run(create).await.expect("the run starts");

    let reports = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&reports);
    let observe = move |event: Event<'_>| {
        if let Event::Progress(progress) = event {
            seen.lock().expect("no panic").push(json!(progress));
        }
    };
    let process = Request::new("process_jobs", json!({"batch_size": 100})).on_event(observe);
    host.run(process).await.expect("the run starts");
    let reports = reports.lock().expect("no panic").clone();
    let report = |done, batch| json!({"done": done, "total": 250, "message": batch});
    assert_eq!(reports, [report(100, "batch 1"), report(200, "batch 2"), report(250, "batch 3")]);
}
