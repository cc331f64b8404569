//! `ophost test`: results, invalid case files, `--update`, `--from-run` and reports.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Output, Project, rust_guest};

/// A project with the component `jobs` and the case files of a test.
struct Cases {
    project: Project,
}

impl Cases {
    /// Returns a project with one case file, which has these cases.
    fn new(operation: &str, cases: &Value) -> Self {
        let this = Self { project: Project::with_rust(&["jobs"]) };
        this.write(&format!("{operation}.json"), &file(operation, cases));
        this
    }

    fn write(&self, name: &str, text: &str) {
        let directory = self.project.path().join("cases");
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join(name), text).expect("a directory");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.project.path().join("cases").join(name)).expect("a case file")
    }

    fn test(&self, arguments: &[&str]) -> Output {
        let component = rust_guest("jobs");
        let component = component.to_str().expect("UTF-8");
        let command = ["test", component, "--cases", "cases"];
        let mut output = self.project.run(&[&command[..], arguments].concat());
        // The time of a run differs between executions.
        if let Some(end) = output.stdout.rfind("; finished in ") {
            output.stdout.replace_range(end.., "\n");
        }
        output
    }
}

fn file(operation: &str, cases: &Value) -> String {
    format!("{:#}\n", json!({"operation": operation, "cases": cases}))
}

/// Returns a case of `update_job` that passes if `title` is `Cook`.
fn case(name: &str, title: &str) -> Value {
    json!({
        "name": name,
        "documents": {"jobs": [{"_id": "1", "title": "Baker", "company": "ACME"}]},
        "input": {"job_id": "1", "updates": {"title": "Cook"}},
        "output": {
            "success": true,
            "job_id": "1",
            "updated_fields": ["title"],
            "message": "Successfully <text>",
        },
        "documents_after": {"jobs": [{"_id": "1", "title": title, "company": "ACME"}]},
    })
}

#[test]
fn failed_case_shows_its_differences() {
    let mut wrong = case("wrong", "Chef");
    wrong["output"]["updated_fields"] = json!(["title", "company"]);
    let cases = Cases::new("update_job", &json!([case("right", "Cook"), wrong]));
    insta::assert_snapshot!(cases.test(&[]), @r#"
    test update_job: right ... ok
    test update_job: wrong ... FAILED

    failures:

    ---- update_job: wrong (cases/update_job.json)
    output:
      - updated_fields.1: "company"
    documents:
      - jobs/1.title: "Chef"
      + jobs/1.title: "Cook"

    test result: FAILED. 1 passed; 1 failed
    ---- exit 1
    "#);
    insta::assert_snapshot!(cases.test(&["right"]), @"
    test update_job: right ... ok

    test result: ok. 1 passed; 0 failed; 1 filtered out
    ");
}

#[test]
fn unexpected_failure_shows_its_message_and_log() {
    let mut failing = case("fails", "Cook");
    failing["input"] = json!({"job_id": 1});
    let mut succeeding = case("succeeds", "Cook");
    succeeding.as_object_mut().expect("an object").remove("output");
    succeeding["failure"] = json!({"kind": "error"});
    let cases = Cases::new("update_job", &json!([failing, succeeding]));
    insta::assert_snapshot!(cases.test(&[]), @r#"
    test update_job: fails ... FAILED
    test update_job: succeeds ... FAILED

    failures:

    ---- update_job: fails (cases/update_job.json)
    output:
      - {"success":true,"job_id":"1","updated_fields":["title"],"message":"Successfully <text>"}
    failure:
      + invalid_input: the input of `update_job` breaks its schema in 2 places
        {"pointer":"/updates","problem":"missing, but required"}
        {"pointer":"/job_id","problem":"expected string, got 1"}
    documents:
      - jobs/1.title: "Cook"
      + jobs/1.title: "Baker"

    ---- update_job: succeeds (cases/update_job.json)
    output:
      + {"success":true,"job_id":"1","updated_fields":["title"],"message":"Successfully updated 1 field(s)"}
    failure:
      - {"kind":"error"}

    test result: FAILED. 0 passed; 2 failed
    ---- exit 1
    "#);
}

#[test]
fn fail_fast_leaves_the_other_cases_out() {
    let many: Vec<_> = (0..40).map(|number| case(&format!("case {number}"), "Chef")).collect();
    let cases = Cases::new("update_job", &json!(many));
    let report = cases.test(&["--fail-fast", "--json"]);
    let json = report.json();
    assert_eq!((report.code, json["passed"].as_u64()), (Some(1), Some(0)), "{report}");
    assert!(json["not_run"].as_u64().expect("a number") > 20, "{report}");
}

#[test]
fn invalid_case_files_are_reported() {
    let cases = Cases::new("update_job", &json!([case("a", "Cook"), case("a", "Cook")]));
    insta::assert_snapshot!(cases.test(&[]), @"
    ---- stderr
    error: case `a` in `cases/update_job.json` is not valid: another case of the file has the same name
    hint: give each case a name of its own
    ---- exit 2
    ");
    cases.write("update_job.json", "{\n  \"operation\": \"update_job\",\n  \"cases\": [,]\n}");
    insta::assert_snapshot!(cases.test(&[]), @"
    ---- stderr
    error: `cases/update_job.json` is not a case file: not JSON: unexpected `,` at line 3 column 13
    hint: run `ophost test --help` to show the format
    ---- exit 2
    ");
    cases.write("update_job.json", &file("update_job", &json!([{"name": "a", "inptu": {}}])));
    insta::assert_snapshot!(cases.test(&[]), @"
    ---- stderr
    error: `cases/update_job.json` is not a case file: unknown field `inptu` at line 6 column 13
    hint: did you mean `input`?
    ---- exit 2
    ");
    cases.write("update_job.json", &file("updte_job", &json!([case("a", "Cook")])));
    insta::assert_snapshot!(cases.test(&[]), @"
    ---- stderr
    error: the plugin has no operation `updte_job`, which `cases/update_job.json` names
    hint: did you mean `update_job`?
    ---- exit 2
    ");
    cases.write("update_job.json", &file("update_job", &json!([])));
    insta::assert_snapshot!(cases.test(&[]), @"
    ---- stderr
    error: no cases in `cases/update_job.json`
    hint: write `cases/OPERATION.json`, which `ophost test --help` describes, or use `--from-run ID` to add a recorded run
    ---- exit 2
    ");
    fs::remove_dir_all(cases.project.path().join("cases")).expect("a directory");
    insta::assert_snapshot!(cases.test(&[]), @"
    ---- stderr
    error: no cases in `cases`
    hint: write `cases/OPERATION.json`, which `ophost test --help` describes, or use `--from-run ID` to add a recorded run
    ---- exit 2
    ");
}

#[test]
fn filter_without_a_match_is_an_error() {
    let cases = Cases::new("update_job", &json!([case("right", "Cook")]));
    insta::assert_snapshot!(cases.test(&["rihgt"]), @"
    ---- stderr
    error: no case has `rihgt` in its name
    hint: did you mean `right`?
    ---- exit 2
    ");
}

#[test]
fn update_rewrites_only_the_expectations_that_differ() {
    let added = json!({
        "name": "new jobs get ids",
        "input": {"jobs_data": [{"title": "Cook", "company": "ACME"}]},
    });
    let cases = Cases::new("create_jobs_batch", &json!([added]));
    let output = cases.test(&["--update"]);
    assert_eq!(output.code, Some(0), "{output}");
    let updated: Value = serde_json::from_str(&cases.read("create_jobs_batch.json")).expect("JSON");
    let actual = &updated["cases"][0];
    assert_eq!(actual["documents_after"]["jobs"][0]["_id"], "<id:1>", "{actual:#}");
    assert_eq!(actual["output"]["job_ids"], json!(["<id:1>"]), "{actual:#}");
    let output = cases.test(&[]);
    assert_eq!(output.code, Some(0), "{output}");

    let text = file("update_job", &json!([case("right", "Cook"), case("wrong", "Chef")]));
    cases.write("update_job.json", &text);
    insta::assert_snapshot!(cases.test(&["update_job", "--update"]), @"
    test update_job: right ... ok
    test update_job: wrong ... updated

    updated update_job: wrong (cases/update_job.json): documents_after
    test result: ok. 1 passed; 0 failed; 1 updated; 1 filtered out
    ");
    let updated = cases.read("update_job.json");
    let (first, second) = updated.split_at(updated.find("\"wrong\"").expect("the second case"));
    assert!(text.starts_with(first), "{updated}");
    assert!(second.contains("\"Cook\", \"company\": \"ACME\"}]}"), "{updated}");
    assert!(second.contains("Successfully <text>"), "{updated}");
    assert_eq!(cases.test(&[]).code, Some(0));
}

#[test]
fn recorded_run_becomes_a_case() {
    let cases = Cases::new("update_job", &json!([case("right", "Cook")]));
    let project = &cases.project;
    let create = "jobs_data:=[{\"title\": \"Cook\", \"company\": \"ACME\"}, {\"title\": 1}]";
    let created = project.run(&["run", "create_jobs_batch", create, "--user", "ann", "--record"]);
    assert_eq!(created.code, Some(0), "{created}");
    let id = created.json()["job_ids"][0].as_str().expect("an id").to_owned();
    let output = cases.test(&["--from-run", "latest"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stderr.contains("added the case `run "), "{output}");
    let file = cases.read("create_jobs_batch.json");
    assert!(file.contains("\"<id:1>\"") && !file.contains(&id), "{file}");

    let update = ["run", "update_job", &format!("job_id={id}"), "updates:={\"title\": \"Chef\"}"];
    let updated = project.run(&[&update[..], &["--record"]].concat());
    assert_eq!(updated.code, Some(0), "{updated}");
    let output = cases.test(&["--from-run", "latest", "--name", "a cook becomes a chef"]);
    assert_eq!(output.code, Some(0), "{output}");
    let file: Value = serde_json::from_str(&cases.read("update_job.json")).expect("JSON");
    let added = &file["cases"][1];
    assert_eq!(added["documents"]["jobs"][0]["title"], "Cook");
    assert_eq!(added["documents_after"]["jobs"][0]["title"], "Chef");
    assert_eq!(
        (&added["name"], &added["documents"]["jobs"][0]["_id"]),
        (&json!("a cook becomes a chef"), &json!(id))
    );
    let again = cases.test(&["--from-run", "latest", "--name", "a cook becomes a chef"]);
    insta::assert_snapshot!(again, @"
    ---- stderr
    error: `cases/update_job.json` already has a case with the name `a cook becomes a chef`
    hint: use `--name` with another name
    ---- exit 2
    ");
    assert_eq!(cases.test(&[]).code, Some(0));

    let run = project.run(&["runs", "show", "latest", "--json"]).json();
    let erased = project.run(&["runs", "erase", run["id"].as_str().expect("an id")]);
    assert_eq!(erased.code, Some(0), "{erased}");
    insta::assert_snapshot!(cases.test(&["--from-run", "latest"]), @"
    ---- stderr
    error: run [RUN] cannot become a case: its input and output were erased
    hint: write the case of `update_job` by hand, with a test value as secret
    ---- exit 2
    ");
}

#[test]
fn junit_report_has_a_suite_for_each_operation() {
    let cases =
        Cases::new("update_job", &json!([case("right <&>", "Cook"), case("wrong", "Chef")]));
    let output = cases.test(&["--junit", "report.xml"]);
    assert_eq!(output.code, Some(1), "{output}");
    let report = fs::read_to_string(cases.project.path().join("report.xml")).expect("a report");
    let times = report.split("time=\"").skip(1).map(|rest| rest.split('"').next().expect("a time"));
    let report = times.fold(report.clone(), |text, time| text.replace(time, "0"));
    insta::assert_snapshot!(report.replace(&cases.project.path().display().to_string(), "[DIR]"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="ophost" tests="2" failures="1" errors="0" time="0">
      <testsuite name="update_job" tests="2" failures="1" errors="0" time="0">
        <testcase name="right &lt;&amp;&gt;" classname="update_job" file="cases/update_job.json" time="0"/>
        <testcase name="wrong" classname="update_job" file="cases/update_job.json" time="0">
          <failure message="different: documents">---- update_job: wrong (cases/update_job.json)
    documents:
      - jobs/1.title: &quot;Chef&quot;
      + jobs/1.title: &quot;Cook&quot;

    </failure>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn json_report_has_differences_and_log() {
    let cases = Cases::new("update_job", &json!([case("wrong", "Chef")]));
    let report = cases.test(&["--json"]).json();
    let difference = &report["cases"][0]["differences"][0];
    assert_eq!(
        difference,
        &json!({"part": "documents", "path": "jobs/1.title", "expected": "Chef", "actual": "Cook"})
    );
    assert!(report["cases"][0]["log"].is_array());
    assert_eq!((&report["failed"], &report["passed"]), (&json!(1), &json!(0)));
}
