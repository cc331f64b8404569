//! `ophost runs undo`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Output, Project};
use crate::history::{import, json_of, people, run_id, set, with_people};

const ANN: &str = "{\"_id\": \"ann\", \"age\": 1}\n";

fn undo(project: &Project, run: &str, more: &[&str]) -> Output {
    project.run(&[&["runs", "undo", run], more].concat())
}

/// Undoes a run, and returns the id of the undo.
fn undone(project: &Project, run: &str, more: &[&str]) -> String {
    run_id(&json_of(project, &[&["runs", "undo", run], more].concat()))
}

fn record(project: &Project, run: &str) -> Value {
    json_of(project, &["runs", "show", run])
}

#[test]
fn undo_restores_all_documents_of_a_run_and_can_be_undone() {
    let project = with_people(&format!("{ANN}{{\"_id\": \"bob\"}}\n"));
    let before = people(&project);
    let replaced = "{\"_id\": \"ann\", \"age\": 2}\n{\"_id\": \"carl\"}\n";
    let run = import(&project, replaced, &["--existing", "replace"]);
    let after = people(&project);
    let undo = undone(&project, &run, &["--user", "eve"]);
    assert_eq!(people(&project), before);
    assert_eq!(record(&project, &run)["undone_by"], undo.as_str());
    let record = record(&project, &undo);
    assert_eq!(
        (&record["undo_of"], &record["operation_name"]),
        (&json!(run), &json!("ophost.undo"))
    );
    assert_eq!(record["actor"]["user_id"], "eve");
    assert_eq!(record["output"], json!({"run_id": run, "documents": 2, "overwritten": 0}));
    let redo = undone(&project, &undo, &[]);
    assert_eq!(people(&project), after);
    let second = undone(&project, &run, &[]);
    assert_eq!(people(&project), before);
    let other = undone(&project, "latest", &[]);
    assert_eq!(people(&project), after);
    let records =
        [&redo, &second, &other].map(|run| self::record(&project, run)["undo_of"].clone());
    assert_eq!(records, [json!(undo), json!(run), json!(second)]);
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn undo_of_changed_documents_is_refused_and_force_overwrites_them() {
    let project = with_people(ANN);
    let run = import(
        &project,
        "{\"_id\": \"ann\", \"age\": 2}\n{\"_id\": \"bob\"}\n",
        &["--existing", "replace"],
    );
    set(&project, "ann", &["age:=3"]);
    let last = set(&project, "ann", &["age:=4"]);
    set(&project, "eve", &["age:=5", "--create"]);
    let before = people(&project);
    insta::assert_snapshot!(undo(&project, &run, &[]), @"
    ---- stderr
    error: operation `ophost.undo` failed (changed-since): 1 document has changed since: `people/ann` by `ophost.set` (run [RUN])
      people/ann: updated by ophost.set, run [RUN], and 1 earlier change
    hint: undo the later runs first, or use `--force` to overwrite these documents
    ---- exit 1
    ");
    assert_eq!(people(&project), before);
    let failed = record(&project, "latest");
    assert_eq!((&failed["failure_kind"], &failed["undo_of"]), (&json!("conflict"), &json!(run)));
    let details = &project.run(&["runs", "undo", &run, "--json"]).json()["error"]["details"];
    assert_eq!(details[0]["changes"][0]["run_id"], last);
    assert_eq!(record(&project, &run)["undone_by"], json!(null));
    undone(&project, &run, &["--force"]);
    assert_eq!(people(&project), "{\"_id\":\"ann\",\"age\":1}\n{\"_id\":\"eve\",\"age\":5}\n");
    undone(&project, "latest", &[]);
    assert_eq!(people(&project), before);
}

#[test]
fn a_document_with_its_earlier_content_counts_as_unchanged() {
    let project = with_people(ANN);
    let run = set(&project, "ann", &["age:=2"]);
    set(&project, "ann", &["age:=3"]);
    set(&project, "ann", &["age:=2"]);
    undone(&project, &run, &[]);
    assert_eq!(people(&project), "{\"_id\":\"ann\",\"age\":1}\n");
}

#[test]
fn dry_run_of_an_undo_shows_the_changes() {
    let project = with_people(ANN);
    let run = set(&project, "ann", &["age:=2"]);
    insta::assert_snapshot!(undo(&project, "latest", &["--dry-run"]), @r#"
    {"run_id":"[RUN]","documents":1,"overwritten":0}
    ---- stderr
    DRY RUN: no change was committed; would have updated 1 document
    ~ people/ann
        ~ age: 2 -> 1
    "#);
    assert_eq!(record(&project, &run)["undone_by"], json!(null));
    // The latest run that changed documents is still the same.
    assert_eq!(undone(&project, "latest", &[]), record(&project, &run)["undone_by"]);
}

#[test]
fn run_without_committed_changes_cannot_be_undone() {
    let project = with_people(ANN);
    let dry = set(&project, "ann", &["age:=2", "--dry-run"]);
    let failed = run_id(&project.run(&["documents", "set", "people", "x", "a=b", "--json"]).json());
    let empty = set(&project, "ann", &["age:=1"]);
    let run = set(&project, "ann", &["age:=2"]);
    let first = undone(&project, &run, &[]);
    let second = undone(&project, &first, &[]);
    let problems = [
        (&dry, "was a dry run, so it committed no document changes".to_owned()),
        (&failed, "ended with FAILED, so it committed no document changes".to_owned()),
        (&empty, "changed no document".to_owned()),
        (&first, format!("was already undone by run {second}")),
    ];
    let count = || json_of(&project, &["runs", "list"])["runs"].as_array().unwrap().len();
    let (before, known) = (people(&project), count());
    for (run, problem) in &problems {
        for more in [&[][..], &["--force"]] {
            let output = undo(&project, run, more);
            let message = format!("error: run {run} {problem}\n");
            assert!(output.stderr.starts_with(&message), "{problem}: {output}");
            assert_eq!(output.code, Some(2), "{output}");
        }
    }
    assert_eq!((people(&project), count()), (before, known), "nothing changed");
    let parent = import(&project, "{\"_id\": \"1\"}\n{\"_id\": \"2\"}\n", &["--batch", "1"]);
    insta::assert_snapshot!(undo(&project, &parent, &[]), @"
    ---- stderr
    error: run [RUN] changed no document itself; its child runs did
    hint: run `ophost runs list --parent [RUN]` and undo its runs, the newest first
    ---- exit 2
    ");
    assert_eq!(undo(&project, "ffff", &[]).code, Some(3));
}

#[test]
fn large_run_is_undone_in_one_commit_beyond_the_limit_of_effects() {
    let project = Project::new();
    let lines: String =
        (0..10_000).map(|n| format!("{{\"_id\": \"{n}\", \"n\": {n}}}\n")).collect();
    let run = import(&project, &lines, &[]);
    project.settings("[limits.max]\neffects = \"1MiB\"\n");
    let undo = undone(&project, &run, &[]);
    assert_eq!(project.run(&["documents", "count", "people"]).stdout, "0\n");
    let changes = &record(&project, &undo)["changes"];
    assert_eq!((&changes["deleted"], &changes["revision"]), (&json!(10_000), &json!(2)));
    undone(&project, &undo, &[]);
    assert_eq!(project.run(&["documents", "count", "people"]).stdout, "10000\n");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn undo_that_a_unique_index_rejects_names_the_holder() {
    let project = with_people("{\"_id\": \"ann\", \"mail\": \"a@b.c\"}\n");
    let index = project.run(&["documents", "index", "add", "people", "mail", "--unique"]);
    assert_eq!(index.code, Some(0), "{index}");
    let run = run_id(&json_of(&project, &["documents", "delete", "people", "ann"]));
    set(&project, "bob", &["mail=a@b.c", "--create"]);
    let before = people(&project);
    for more in [&[][..], &["--force"]] {
        let output = undo(&project, &run, more);
        assert_eq!(output.code, Some(1), "{output}");
        assert!(output.stderr.contains("failed (duplicate)"), "{output}");
        assert!(output.stderr.contains("`bob`"), "{output}");
        assert_eq!(people(&project), before);
    }
    assert_eq!(record(&project, &run)["undone_by"], json!(null));
    set(&project, "bob", &["mail=b@b.c"]);
    undone(&project, &run, &[]);
    let find = ["documents", "find", "people", "{\"mail\": \"a@b.c\"}"];
    assert_eq!(project.run(&find).stdout, "{\"_id\":\"ann\",\"mail\":\"a@b.c\"}\n");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn undone_run_is_not_the_result_of_its_idempotency_key() {
    let project = Project::with_rust(&["jobs"]);
    let create = ["run", "create_job", "title=Baker", "company=ACME", "--idempotency-key", "one"];
    let run = run_id(&json_of(&project, &create));
    let undo = undone(&project, &run, &[]);
    insta::assert_snapshot!(project.run(&create), @"
    ---- stderr
    error: run [RUN] with the same idempotency key succeeded, but was undone by run [RUN]
    hint: use another key, or `ophost runs undo [RUN]` to restore its changes
    ---- exit 6
    ");
    assert_eq!(project.run(&["documents", "count", "jobs"]).stdout, "0\n");
    undone(&project, &undo, &[]);
    assert_eq!(json_of(&project, &create)["from_record"], true);
    assert_eq!(project.run(&["documents", "count", "jobs"]).stdout, "1\n");
}

#[test]
fn undo_whose_record_was_removed_does_not_block_another_undo() {
    let project = with_people(ANN);
    let run = set(&project, "ann", &["age:=2"]);
    let first = undone(&project, &run, &[]);
    let second = undone(&project, &first, &[]);
    let pruned = project.run(&["runs", "prune", &first, &second]);
    insta::assert_snapshot!(pruned, @"
    ---- stderr
    removed run [RUN]; its changes were undone; its document changes cannot be undone
    removed run [RUN]; 1 run is linked to it, such as [RUN]; its document changes cannot be undone
    ");
    undone(&project, &run, &[]);
    assert_eq!(people(&project), "{\"_id\":\"ann\",\"age\":1}\n");
    let at = ["documents", "get", "people", "ann", "--at", &second];
    assert_eq!(project.run(&at).stdout, "{\"_id\":\"ann\",\"age\":2}\n");
}

#[test]
fn run_is_undone_once_by_concurrent_commands() {
    let project = with_people(ANN);
    for _ in 0..5 {
        let run = set(&project, "ann", &["age:=2"]);
        let start = |_| {
            let mut command = project.command(&["runs", "undo", &run, "--force"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts")
        };
        let undos: Vec<_> = (0..4).map(start).collect();
        let codes: Vec<_> =
            undos.into_iter().map(|mut undo| undo.wait().expect("an exit code").code()).collect();
        assert!(codes.contains(&Some(0)), "{codes:?}");
        let by = record(&project, &run)["undone_by"].as_str().expect("an undo").to_owned();
        assert_eq!(record(&project, &by)["changes"]["updated"], 1);
        assert_eq!(people(&project), "{\"_id\":\"ann\",\"age\":1}\n");
    }
}
