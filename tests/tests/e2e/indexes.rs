//! `ophost documents index`, and queries and writes with an index.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Output, Project};

/// Imports documents into `things`.
fn import(project: &Project, lines: &str) -> Output {
    fs::write(project.path().join("things.jsonl"), lines).expect("a writable directory");
    project.run(&["documents", "import", "things", "things.jsonl"])
}

/// Returns a project with the documents of `things`.
fn with_things(lines: &str) -> Project {
    let project = Project::new();
    let imported = import(&project, lines);
    assert_eq!(imported.code, Some(0), "{imported}");
    project
}

/// Returns a project with 40 documents whose `n` and `third` are numbers.
fn with_numbers() -> Project {
    let lines: String = (0..40)
        .map(|n| format!("{}\n", json!({"_id": format!("{n:02}"), "n": n, "third": n % 3})))
        .collect();
    with_things(&lines)
}

fn index(project: &Project, arguments: &[&str]) -> Output {
    project.run(&[&["documents", "index"], arguments].concat())
}

/// Returns the ids of printed documents.
fn ids(output: &Output) -> Vec<String> {
    let id = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["_id"].clone();
    output.stdout.lines().map(|line| id(line).as_str().expect("a text").to_owned()).collect()
}

fn explain(project: &Project, filter: &str) -> Output {
    project.run(&["documents", "find", "things", filter, "--explain"])
}

#[test]
fn index_is_added_used_and_removed() {
    let project = with_numbers();
    insta::assert_snapshot!(index(&project, &["list"]), @"
    ---- stderr
    No indexes. Add one with `ophost documents index add`.
    ");
    insta::assert_snapshot!(explain(&project, r#"{"n": 7}"#), @"
    plan            full scan
    reason          the collection has no index
    documents read  40
    matches         1
    ");
    insta::assert_snapshot!(index(&project, &["add", "things", "n"]), @"
    ---- stderr
    built the index `n` of `things`
    ");
    insta::assert_snapshot!(index(&project, &["add", "things", "third"]), @"
    ---- stderr
    built the index `third` of `things`
    ");
    insta::assert_snapshot!(index(&project, &["list"]), @"
    things  n      ready
    things  third  ready
    ");
    insta::assert_snapshot!(explain(&project, r#"{"n": {"$gte": 7, "$lt": 9}, "third": 1}"#), @"
    plan            index n
    conditions      >= 7 and < 9
    candidates      2
    documents read  2
    matches         1
    ");
    let found = project.run(&["documents", "find", "things", r#"{"n": {"$gte": 7, "$lt": 9}}"#]);
    insta::assert_snapshot!(found, @r#"
    {"_id":"07","n":7,"third":1}
    {"_id":"08","n":8,"third":2}
    "#);
    insta::assert_snapshot!(index(&project, &["remove", "things", "n"]), @"
    ---- stderr
    removed the index `n` of `things`
    ");
    insta::assert_snapshot!(explain(&project, r#"{"n": 7}"#), @"
    plan            full scan
    reason          no complete index can evaluate a condition of the filter
    documents read  40
    matches         1
    ");
    insta::assert_snapshot!(project.run(&["store", "check"]), @"no problems found");
}

#[test]
fn sorted_page_is_read_in_the_order_of_an_index() {
    let project = with_numbers();
    for field in ["n", "third"] {
        assert_eq!(index(&project, &["add", "things", field]).code, Some(0));
    }
    let find = |more: &[&str]| {
        let arguments = ["documents", "find", "things", "{}", "-n", "3", "--sort"];
        project.run(&[&arguments[..], more].concat())
    };
    for (sort, field) in [("-third,n", "third"), ("-n", "n"), ("n", "n")] {
        let explained = find(&[sort, "--explain", "--json"]).json();
        assert_eq!(explained["plan"], "order", "{explained}");
        assert_eq!(explained["index"], field);
        let read = explained["documents_read"].as_u64().expect("a number");
        assert!((4..30).contains(&read), "{explained}");
    }
    let first = find(&["-n"]);
    assert_eq!(ids(&first), ["39", "38", "37"]);
    let cursor = first.stderr.split('`').nth(1).and_then(|it| it.strip_prefix("--after "));
    assert_eq!(ids(&find(&["-n", "--after", cursor.expect("a cursor")])), ["36", "35", "34"]);
    // The filter has few matches, which are found by the other index.
    let few = r#"{"n": {"$in": [5, 7, 2]}}"#;
    let few = project.run(&["documents", "find", "things", few, "--sort", "third", "--explain"]);
    assert!(few.stdout.contains("index n\n"), "{few}");
}

#[test]
fn sorted_page_with_few_matches_is_found_by_a_full_scan() {
    let lines: String = (0..2_500)
        .map(|n| format!("{}\n", json!({"_id": format!("{n:04}"), "n": n, "x": n == 2_400})))
        .collect();
    let project = with_things(&lines);
    index(&project, &["add", "things", "n"]);
    let found = project.run(&["documents", "find", "things", r#"{"x": true}"#, "--sort", "n"]);
    assert_eq!(ids(&found), ["2400"]);
    let explained =
        project.run(&["documents", "find", "things", r#"{"x": true}"#, "--sort", "n", "--explain"]);
    assert!(explained.stdout.contains("full scan"), "{explained}");
}

#[test]
fn killed_build_is_continued() {
    let lines: String = (0..20_000).map(|n| format!("{{\"_id\":\"{n}\",\"n\":{n}}}\n")).collect();
    let project = with_things(&lines);
    for milliseconds in [20, 40, 60, 80] {
        let mut build = project.command(&["documents", "index", "add", "things", "n"]);
        let mut build = build.stderr(Stdio::null()).spawn().expect("the command starts");
        std::thread::sleep(Duration::from_millis(milliseconds));
        build.kill().expect("a child process");
        build.wait().expect("a child process");
        insta::allow_duplicates!(
            insta::assert_snapshot!(project.run(&["store", "check"]), @"no problems found")
        );
        assert_eq!(ids(&project.run(&["documents", "find", "things", r#"{"n": 7}"#])), ["7"]);
    }
    assert_eq!(index(&project, &["add", "things", "n"]).code, Some(0));
    insta::assert_snapshot!(explain(&project, r#"{"n": 7}"#), @"
    plan            index n
    conditions      = 7
    candidates      1
    documents read  1
    matches         1
    ");
}

#[test]
fn explanation_of_a_count_is_json_on_request() {
    let project = with_numbers();
    index(&project, &["add", "things", "third"]);
    let count =
        project.run(&["documents", "count", "things", r#"{"third": 1}"#, "--explain", "--json"]);
    let expected = json!({
        "plan": "index", "index": "third", "conditions": ["= 1"], "candidates": 13,
        "more_candidates": false, "documents_read": 13, "matches": 13,
    });
    assert_eq!(count.json(), expected);
    let by_id = project.run(&["documents", "find", "things", r#"{"_id": "07"}"#, "--explain"]);
    insta::assert_snapshot!(by_id, @"
    plan            by id
    candidates      1
    documents read  1
    matches         1
    ");
    let listed = index(&project, &["list", "things", "--json"]).json();
    let third = json!(
        {"collection": "things", "field": "third", "unique": false, "state": "ready"}
    );
    assert_eq!(listed, json!({"indexes": [third]}));
    assert_eq!(index(&project, &["list", "other", "--json"]).json(), json!({"indexes": []}));
}

#[test]
fn unique_index_rejects_a_run_with_a_duplicate() {
    let project = Project::with_rust(&["ledger"]);
    let imported = import(&project, "{\"_id\": \"ann\", \"email\": \"a@x\"}\n");
    assert_eq!(imported.code, Some(0), "{imported}");
    assert_eq!(index(&project, &["add", "things", "email", "--unique"]).code, Some(0));
    let duplicate =
        import(&project, "{\"_id\": \"bob\", \"email\": \"a@x\"}\n{\"_id\": \"eve\"}\n");
    insta::assert_snapshot!(duplicate, @r#"
    ---- stderr
    error: operation `ophost.import` failed (duplicate): `email` of `things` must be unique, but `bob` and `ann` both have "a@x"
      {"collection":"things","field":"email","document_id":"bob","holder_id":"ann"}
    hint: change the value or the other document; `documents index list` shows the indexes
    ---- exit 1
    "#);
    insta::assert_snapshot!(project.run(&["documents", "count", "things"]), @"1");
    index(&project, &["add", "entries", "name", "--unique"]);
    let one = project.run(&["run", "ledger.bulk_insert", "name=x", "count=1"]);
    assert_eq!(one.code, Some(0), "{one}");
    let two = project.run(&["run", "ledger.bulk_insert", "name=y", "count=2", "--json"]);
    let error = &two.json()["error"];
    assert_eq!(error["kind"], "conflict", "{error}");
    assert_eq!(error["details"]["field"], "name");
    let run = project.run(&["runs", "show", "latest", "--json"]).json();
    assert_eq!(run["status"], "FAILED");
    assert_eq!(run["usage"].get("conflict_retries"), None, "a retry cannot succeed");
    insta::assert_snapshot!(project.run(&["documents", "count", "entries"]), @"1");
}

#[test]
fn unique_index_over_duplicates_is_rejected() {
    let project = with_things(
        "{\"_id\": \"a\", \"n\": 1}\n{\"_id\": \"b\", \"n\": [2, 3]}\n{\"_id\": \"c\", \"n\": 3}\n",
    );
    insta::assert_snapshot!(index(&project, &["add", "things", "n", "--unique"]), @"
    ---- stderr
    error: `n` of `things` must be unique, but `c` and `b` both have 3
    hint: change one of the documents, or add an index that is not unique
    ---- exit 2
    ");
    assert_eq!(index(&project, &["list", "--json"]).json(), json!({"indexes": []}));
    let error = index(&project, &["add", "things", "n", "--unique", "--json"]).json();
    assert_ne!(error["error"], Value::Null);
}

#[test]
fn field_that_cannot_have_an_index_is_rejected() {
    let project = with_things("{\"_id\": \"a\", \"rows\": [[{\"n\": 1}]]}\n");
    insta::assert_snapshot!(index(&project, &["add", "things", "rows.n"]), @"
    ---- stderr
    error: cannot index `rows.n` of `things`: `rows` is a list of lists in the document `a`
    hint: a path goes through the objects of a list only; index `rows` itself
    ---- exit 2
    ");
    insta::assert_snapshot!(index(&project, &["add", "things", "rows.0.0"]), @"
    ---- stderr
    error: invalid value 'rows.0.0' for '<FIELD>': cannot index `rows.0.0`: `0` is a position in a list

    For more information, try '--help'.
    ---- exit 2
    ");
    insta::assert_snapshot!(index(&project, &["add", "things", "_id"]), @"
    ---- stderr
    error: invalid value '_id' for '<FIELD>': documents are stored in the order of `_id`, which needs no index

    For more information, try '--help'.
    ---- exit 2
    ");
    assert_eq!(index(&project, &["list", "--json"]).json(), json!({"indexes": []}));
}

#[test]
fn index_can_be_added_only_once() {
    let project = with_numbers();
    index(&project, &["add", "things", "n"]);
    insta::assert_snapshot!(index(&project, &["add", "things", "n"]), @"
    ---- stderr
    nothing to do; there is an index `n` of `things`
    ");
    insta::assert_snapshot!(index(&project, &["add", "things", "n", "--unique"]), @"
    ---- stderr
    error: `n` of `things` already has an index that is not unique
    hint: remove it first: `ophost documents index remove things n`
    ---- exit 2
    ");
    insta::assert_snapshot!(index(&project, &["remove", "things", "third"]), @"
    ---- stderr
    error: `things` has no index `third`
    hint: run `ophost documents index list` to list the indexes
    ---- exit 2
    ");
}

#[test]
fn requested_indexes_are_built_by_sync() {
    let project = with_numbers();
    project
        .settings("[collections.things]\nindexes = [\"third\", {field = \"n\", unique = true}]\n");
    index(&project, &["add", "things", "third"]);
    insta::assert_snapshot!(index(&project, &["list"]), @"
    things  third          ready
    things  n      unique  requested, not built
    ---- stderr
    Build the requested indexes with `ophost documents index sync`.
    ");
    let doctor = project.run(&["doctor"]);
    let warning = "requested, but not built: `n` of `things`";
    assert!(doctor.stdout.contains(warning), "{doctor}");
    let shown = project.run(&["config", "show"]).stdout;
    let line = shown.lines().find(|line| line.starts_with("collections.")).expect("a row");
    assert!(line.contains("third, n (unique)") && line.ends_with("ophost.toml:2"), "{line}");
    insta::assert_snapshot!(index(&project, &["sync"]), @"
    ---- stderr
    built the index `n` of `things`
    ");
    insta::assert_snapshot!(index(&project, &["sync"]), @"
    ---- stderr
    nothing to do; all requested indexes exist
    ");
    assert!(!project.run(&["doctor"]).stdout.contains("requested"));
    insta::assert_snapshot!(index(&project, &["list"]), @"
    things  n      unique  ready
    things  third          ready
    ");
    // An index that cannot be built does not keep the others from being built.
    project.settings("[collections.things]\nindexes = [\"n\", \"other\", \"other\"]\n");
    let synced = index(&project, &["sync"]);
    assert_eq!(synced.code, Some(2), "{synced}");
    assert!(synced.stderr.starts_with("error: ") && synced.stderr.contains("unique"), "{synced}");
    assert!(synced.stderr.ends_with("built the index `other` of `things`\n"), "{synced}");
}

#[test]
fn requested_indexes_of_an_untrusted_file_are_ignored() {
    let project = with_numbers();
    project.settings_of_mode("[collections.things]\nindexes = [\"n\"]\n", 0o666);
    let shown = project.run(&["config", "show", "--json"]).json();
    assert_eq!(shown["file"]["ignored"], json!(["collections.things.indexes"]));
    assert_eq!(index(&project, &["sync", "--json"]).json(), json!({"indexes": []}));
}
