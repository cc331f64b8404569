//! The history of documents, changes by hand, and exports as CSV.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Output, Project};

/// Runs a command that must succeed, and returns its JSON.
pub(crate) fn json_of(project: &Project, arguments: &[&str]) -> Value {
    let output = project.run(&[arguments, &["--json"]].concat());
    assert_eq!(output.code, Some(0), "{output}");
    output.json()
}

/// Returns a project with these documents in the collection `people`, one per line.
pub(crate) fn with_people(lines: &str) -> Project {
    let project = Project::new();
    import(&project, lines, &[]);
    project
}

/// Imports documents into `people`, and returns the id of the run.
pub(crate) fn import(project: &Project, lines: &str, more: &[&str]) -> String {
    fs::write(project.path().join("people.jsonl"), lines).expect("a writable directory");
    let arguments = [&["documents", "import", "people", "people.jsonl"], more].concat();
    run_id(&json_of(project, &arguments))
}

/// Sets fields of a document in `people`, and returns the id of the run.
pub(crate) fn set(project: &Project, id: &str, more: &[&str]) -> String {
    run_id(&json_of(project, &[&["documents", "set", "people", id], more].concat()))
}

/// Returns the id of the run of a report.
pub(crate) fn run_id(report: &Value) -> String {
    report["run_id"].as_str().expect("a recorded run").to_owned()
}

/// Returns the documents of `people`, one per line.
pub(crate) fn people(project: &Project) -> String {
    project.run(&["documents", "export", "people"]).stdout
}

/// Replaces times in the format of tables.
fn without_times(output: &Output) -> String {
    let text = output.to_string();
    let is_time =
        |word: &str| word.len() == 19 && word.as_bytes()[4] == b'-' && word.as_bytes()[13] == b':';
    let mut hidden = String::new();
    for line in text.lines() {
        match line.get(2..21).filter(|word| is_time(word)) {
            Some(_) => hidden.push_str(&format!("{}[TIME]{}\n", &line[..2], &line[21..])),
            None => hidden.push_str(&format!("{line}\n")),
        }
    }
    hidden
}

#[test]
fn history_lists_the_changes_of_a_document_newest_first() {
    let project = with_people("{\"_id\": \"ann\", \"age\": 1}\n{\"_id\": \"bob\", \"age\": 2}\n");
    set(&project, "ann", &["age:=2", "city=Rome", "--user", "eve"]);
    set(&project, "ann", &["--merge", "{\"city\": null}"]);
    set(&project, "bob", &["age:=3"]);
    let deleted = json_of(&project, &["documents", "delete", "people", "ann"]);
    assert_eq!(deleted["output"], json!({"deleted": 1}));
    let history = ["documents", "history", "people", "ann"];
    insta::assert_snapshot!(without_times(&project.run(&history)), @r#"
    - [TIME] deleted by ophost.delete, run [RUN]
        - age: 2
    ~ [TIME] updated by ophost.set, run [RUN]
        - city: "Rome"
    ~ [TIME] updated by ophost.set, run [RUN] for eve
        ~ age: 1 -> 2
        + city: "Rome"
    + [TIME] created by ophost.import, run [RUN]
        + age: 1
    "#);
    let first = json_of(&project, &[&history[..], &["-n", "1"]].concat());
    let entry = &first["history"][0];
    assert_eq!(entry["run_id"], deleted["run_id"]);
    assert_eq!(entry["before"], json!({"age": 2}));
    assert_eq!((&entry["after"], &entry["content_removed"]), (&json!(null), &json!(false)));
    let cursor = first["next"].to_string();
    let rest = json_of(&project, &[&history[..], &["--after", &cursor]].concat());
    let kinds: Vec<_> =
        rest["history"].as_array().unwrap().iter().map(|entry| &entry["change"]).collect();
    assert_eq!(json!([kinds, rest["next"]]), json!([["updated", "updated", "created"], null]));
    insta::assert_snapshot!(project.run(&["documents", "history", "people", "carl"]), @"
    ---- stderr
    error: document `carl` does not exist in `people`
    hint: run `ophost documents find people` to list the documents
    ---- exit 3
    ");
}

#[test]
fn change_of_a_run_without_a_record_is_in_the_history() {
    let project = Project::with_rust(&["ledger"]);
    let opened = project.run(&["run", "ledger.open_account", "id=a", "balance=5", "--no-record"]);
    assert_eq!(opened.code, Some(0), "{opened}");
    let history = json_of(&project, &["documents", "history", "accounts", "a"]);
    let entry = &history["history"][0];
    assert_eq!(
        (&entry["operation"], &entry["run_id"]),
        (&json!("ledger.open_account"), &json!(null))
    );
    assert_eq!(entry["component_digest"], "[DIGEST]");
}

#[test]
fn document_is_shown_as_it_was_after_a_run_or_at_a_time() {
    let project = Project::new();
    let created = import(&project, "{\"_id\": \"ann\", \"age\": 1}\n", &[]);
    let updated = set(&project, "ann", &["age:=2"]);
    let dry = set(&project, "ann", &["age:=9", "--dry-run"]);
    json_of(&project, &["documents", "delete", "people", "ann"]);
    let get = ["documents", "get", "people", "ann", "--at"];
    let at = |moment: &str| project.run(&[&get[..], &[moment]].concat());
    for (moment, age) in [(&created, 1), (&updated, 2), (&dry, 2)] {
        assert_eq!(at(moment).stdout, format!("{{\"_id\":\"ann\",\"age\":{age}}}\n"), "{moment}");
    }
    let time = json_of(&project, &["runs", "show", &updated])["finished_at"].clone();
    let known = json_of(&project, &[&get[..], &[time.as_str().unwrap()]].concat());
    let expected = json!({"collection": "people", "id": "ann", "revision": 2, "body": {"age": 2}});
    assert_eq!(known, expected);
    insta::assert_snapshot!(at("latest"), @"
    ---- stderr
    error: document `ann` did not exist in `people` at `latest`
    hint: run `ophost documents history people ann` to list its changes
    ---- exit 3
    ");
    assert_eq!(at("1h").code, Some(3));
    insta::assert_snapshot!(at("then"), @"
    ---- stderr
    error: no run has this id, and `then` is not a time; expected 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00Z, or 2h for an age
    hint: run `ophost runs list` to list the runs
    ---- exit 2
    ");
}

#[test]
fn set_changes_fields_of_one_document() {
    let project = with_people("{\"_id\": \"ann\", \"pay\": {\"min\": 1}, \"note\": \"x\"}\n");
    let changes = ["pay.max:=9", "name=Ann", "--merge", r#"{"note": null}"#];
    let run = set(&project, "ann", &changes);
    let record = json_of(&project, &["runs", "show", &run]);
    assert_eq!(record["operation_name"], "ophost.set");
    let input = json!({
        "collection": "people",
        "document_id": "ann",
        "fields": {"pay.max": 9, "name": "Ann"},
        "patch": {"note": null},
    });
    assert_eq!(record["input_dump"], input);
    assert_eq!(
        people(&project),
        "{\"_id\":\"ann\",\"pay\":{\"min\":1,\"max\":9},\"name\":\"Ann\"}\n"
    );
    insta::assert_snapshot!(project.run(&["documents", "set", "people", "bob", "age:=1"]), @"
    ---- stderr
    error: operation `ophost.set` failed (not-found): document `bob` of `people`: the document does not exist
    hint: use `--create` to create the document
    ---- exit 3
    ");
    set(&project, "bob", &["age:=1", "--create"]);
    set(&project, "bob", &["age:=2", "--create"]);
    assert!(people(&project).ends_with("{\"_id\":\"bob\",\"age\":2}\n"));
    let wrong: [&[&str]; 8] = [
        &["_id=x"],
        &["age"],
        &["pay=1", "pay.max=2"],
        &["age:={"],
        &["a\\.b=1"],
        &["$a=1"],
        &["--merge", "[1]"],
        &[],
    ];
    for wrong in wrong {
        let output = project.run(&[&["documents", "set", "people", "ann"], wrong].concat());
        assert_eq!(output.code, Some(2), "{output}");
    }
    assert_eq!(project.run(&["documents", "count", "people"]).stdout, "2\n");
}

#[test]
fn delete_removes_all_selected_documents_or_none() {
    let lines: String =
        (0..2500).map(|n| format!("{{\"_id\": \"{n:04}\", \"n\": {n}}}\n")).collect();
    let project = with_people(&lines);
    let delete = |more: &[&str]| project.run(&[&["documents", "delete", "people"], more].concat());
    insta::assert_snapshot!(delete(&["0001", "none"]), @"
    ---- stderr
    error: operation `ophost.delete` failed (not-found): document `none` of `people`: the document does not exist
    hint: no document was deleted; leave this id out
    ---- exit 3
    ");
    assert_eq!(delete(&["0001", "0002", "0001"]).stdout, "{\"deleted\":2}\n");
    let many = delete(&["--filter", r#"{"n": {"$lt": 2400}}"#]);
    assert_eq!(many.stdout, "{\"deleted\":2398}\n");
    let dry = delete(&["--filter", "{}", "--dry-run"]);
    assert!(dry.stderr.starts_with("DRY RUN: no change was committed; would have deleted 100"));
    assert_eq!(project.run(&["documents", "count", "people"]).stdout, "100\n");
    assert_eq!(delete(&[]).code, Some(2));
    assert_eq!(delete(&["0003", "--filter", "{}"]).code, Some(2));
}

#[test]
fn csv_export_has_the_same_columns_in_any_order_of_fields() {
    let lines = "\
        {\"_id\": \"2\", \"zip\": \"01234\", \"name\": \"Ann, \\\"A\\\"\", \"tags\": [\"x\", 1]}\n\
        {\"_id\": \"1\", \"name\": \"Bob\", \"pay\": {\"max\": 1.50}, \"zip\": null}\n";
    let project = with_people(lines);
    let export = |more: &[&str]| project.run(&[&["documents", "export", "people"], more].concat());
    insta::assert_snapshot!(export(&["--format", "csv"]), @r#"
    _id,name,pay,tags,zip
    1,Bob,"{""max"":1.5}",,
    2,"Ann, ""A""",,"[""x"",1]",01234
    "#);
    let columns = export(&["--columns", "pay.max,_id", "--delimiter", "tab"]);
    assert_eq!(columns.stdout, "pay.max\t_id\n1.5\t1\n\t2\n");
    let file = export(&["--output", "people.tsv"]);
    assert_eq!(file.stderr, "2 documents in `people.tsv`\n", "{file}");
    let written = fs::read_to_string(project.path().join("people.tsv")).expect("a file");
    assert!(written.starts_with("_id\tname\tpay\ttags\tzip\n1\tBob\t"), "{written}");
    let none = export(&[r#"{"name": "Carl"}"#, "--format", "csv"]);
    assert_eq!(none.stdout, "_id\n");
    insta::assert_snapshot!(export(&["--format", "jsonl", "--columns", "name"]), @"
    ---- stderr
    error: `--columns` and `--delimiter` need `--format csv`
    hint: run `ophost help` to list the commands
    ---- exit 2
    ");
}
