//! The sample plugin `jobs`: the cases of `plugins/jobs/cases`, in the real command.
//!
//! - `case`: the format of a case file, which `plugins/jobs/cases/README.md` describes.
//! - `pattern`: compares a result with an expectation that has placeholders.

mod case;
mod pattern;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ophost::{Event, Host, Request};
use serde_json::{Value, json};

use self::case::{Case, CaseFile};
use self::pattern::Pattern;
use crate::harness::Project;

/// The folder of the case files.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/jobs/cases");
/// The operations with a case file. Each of them has a test below.
const OPERATIONS: [&str; 4] =
    ["bulk_delete_jobs", "create_jobs_batch", "process_jobs", "update_job"];

/// A project that runs the cases of one file, one after the other.
struct CaseProject {
    project: Project,
    file: CaseFile,
}

impl CaseProject {
    fn new(operation: &str) -> Self {
        let file = CaseFile::read(&Path::new(CASES).join(format!("{operation}.json")));
        assert_eq!(file.operation, operation, "the name of the file and its operation differ");
        assert!(!file.cases.is_empty(), "{operation}: no cases");
        Self { project: Project::with_rust(&["jobs"]), file }
    }

    /// Returns the difference of the description of the operation to the metadata of the file.
    fn check_metadata(&self) -> Result<(), String> {
        let described = self.project.run(&["describe", &self.file.operation, "--json"]).json();
        Pattern::default().check_part(&self.file.metadata, &described)
    }

    /// Runs a case with an empty store, and undoes the run if it changed documents. Returns whether
    /// it was undone, or the first difference.
    fn check(&self, case: &Case) -> Result<bool, String> {
        let store = self.project.path().join(".ophost/store");
        if store.exists() {
            fs::remove_dir_all(store).expect("a store");
        }
        self.import(case);
        let report = self.run(case);
        let mut pattern = Pattern::with_run(report["run_id"].clone());
        self.check_outcome(case, &report, &mut pattern)?;
        // A run that does not start has no list.
        let item_errors = report["item_errors"].as_array().cloned().unwrap_or_default();
        pattern.check_part(&json!(case.item_errors), &json!(item_errors))?;
        pattern.check_documents(case.documents_after(), self.documents())?;
        if let Some(changes) = &case.changes {
            pattern.check(changes, &report["changes"])?;
        }
        if let Some(expected) = &case.result_refs {
            pattern.check_part(&json!(expected), &self.record()["result_refs"])?;
        }
        self.check_undo(case, &report)
    }

    /// Undoes a recorded run that changed documents, and checks that they are as before.
    fn check_undo(&self, case: &Case, report: &Value) -> Result<bool, String> {
        let counts = ["created", "updated", "deleted"].map(|kind| report["changes"][kind].as_u64());
        let is_changed = counts.into_iter().flatten().sum::<u64>() > 0;
        let (Some(run), Value::Null, true) =
            (report["run_id"].as_str(), &report["dry_run"], is_changed)
        else {
            return Ok(false);
        };
        let undone = self.project.run(&["runs", "undo", run, "--json"]);
        if undone.code != Some(0) {
            return Err(format!("undo: {undone}"));
        }
        let mut pattern = Pattern::default();
        let restored = pattern.check_documents(&case.documents, self.documents());
        restored.map(|()| true).map_err(|difference| format!("after undo: {difference}"))
    }

    fn import(&self, case: &Case) {
        if case.documents.is_empty() {
            return;
        }
        let lines = case.documents.iter().map(|document| format!("{}\n", json!(document)));
        fs::write(self.project.path().join("documents.jsonl"), lines.collect::<String>())
            .expect("a directory");
        let imported = self.project.run(&["documents", "import", "jobs", "documents.jsonl"]);
        assert_eq!(imported.code, Some(0), "{imported}");
    }

    /// Runs the operation and returns the report.
    fn run(&self, case: &Case) -> Value {
        let input = self.project.path().join("input.json");
        fs::write(input, case.input.to_string()).expect("a directory");
        let run = ["run", &self.file.operation, "--input", "@input.json", "--json"];
        let flags = case.flags.arguments();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        self.project.run(&[&run[..], &flags].concat()).json()
    }

    fn check_outcome(
        &self,
        case: &Case,
        report: &Value,
        pattern: &mut Pattern,
    ) -> Result<(), String> {
        match (&case.output, &case.failure) {
            (Some(output), None) => {
                pattern.check(&json!("SUCCESS"), &report["status"])?;
                let is_recorded = self.file.is_recorded() || case.flags.record;
                pattern.check(&json!(is_recorded), &json!(report["run_id"].is_string()))?;
                pattern.check(output, &report["output"])
            }
            (None, Some(failure)) => {
                pattern.check(&Value::Null, &report["output"])?;
                pattern.check_part(failure, &report["error"])
            }
            _ => Err("a case has either `output` or `failure`".to_owned()),
        }
    }

    /// Returns the documents after the run, in the order of their ids.
    fn documents(&self) -> Vec<Value> {
        let found = self.project.run(&["documents", "find", "jobs", "-n", "1000", "--json"]).json();
        found["documents"].as_array().expect("a list").clone()
    }

    /// Returns the record of the run.
    fn record(&self) -> Value {
        self.project.run(&["runs", "show", "latest", "--json"]).json()
    }
}

/// Runs all cases of an operation, and reports all differences at once. At least one run is undone.
fn check_cases(operation: &str) {
    let project = CaseProject::new(operation);
    let metadata = project.check_metadata().err().map(|error| format!("metadata: {error}"));
    let (mut wrong, mut undone): (Vec<_>, _) = (metadata.into_iter().collect(), 0);
    for case in &project.file.cases {
        match project.check(case) {
            Ok(is_undone) => undone += usize::from(is_undone),
            Err(difference) => wrong.push(format!("{}: {difference}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{operation}:\n{}", wrong.join("\n"));
    assert!(undone > 0, "{operation}: no case was undone");
}

#[test]
fn update_job_meets_its_cases() {
    check_cases("update_job");
}

#[test]
fn bulk_delete_jobs_meets_its_cases() {
    check_cases("bulk_delete_jobs");
}

#[test]
fn create_jobs_batch_meets_its_cases() {
    check_cases("create_jobs_batch");
}

#[test]
fn process_jobs_meets_its_cases() {
    check_cases("process_jobs");
}

#[test]
fn every_case_file_has_a_test() {
    let names = fs::read_dir(CASES).expect("the case files").map(|file| {
        let name = file.expect("a file").file_name();
        name.into_string().expect("UTF-8")
    });
    let mut names: Vec<_> = names.filter(|name| name != "README.md").collect();
    names.sort();
    assert_eq!(names, OPERATIONS.map(|operation| format!("{operation}.json")));
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
