//! Documents whose fields differ from those of a model.

use std::fs;

use crate::harness::{Output, Project};

/// Returns a project with imported stocks, whose id is the column `sku`.
fn imported(flags: &[&str]) -> Project {
    let project = Project::with_rust(&["ledger"]);
    let csv = "sku,title,quantity,colour\na,Ale,30,red\nb,Bun,4,\n";
    fs::write(project.path().join("s.csv"), csv).expect("a writable directory");
    let import = ["documents", "import", "stocks", "s.csv", "--id", "sku"];
    let import = project.run(&[&import[..], flags].concat());
    assert_eq!(import.code, Some(0), "{import}");
    project
}

fn stocks(project: &Project) -> Output {
    project.run(&["documents", "find", "stocks"])
}

#[test]
fn imported_id_field_stays_in_the_document_and_does_not_prevent_reads() {
    let project = imported(&[]);
    insta::assert_snapshot!(project.run(&["run", "ledger.take_stock"]), @r#"{"titles":["Ale","Bun"]}"#);
    insta::assert_snapshot!(stocks(&project), @r#"
    {"_id":"a","sku":"a","title":"Ale","quantity":29,"colour":"red"}
    {"_id":"b","sku":"b","title":"Bun","quantity":3}
    "#);
    insta::assert_snapshot!(project.run(&["runs", "changes", "latest"]), @"
    ~ stocks/a
        ~ quantity: 30 -> 29
    ~ stocks/b
        ~ quantity: 4 -> 3
    ");
}

#[test]
fn strict_model_rejects_unknown_fields_and_names_the_solution() {
    let project = imported(&["--drop", "colour"]);
    insta::assert_snapshot!(project.run(&["run", "ledger.take_strict_stock"]), @"
    ---- stderr
    error: operation `ledger.take_strict_stock` failed (does-not-fit): document `a` in `stocks` does not match model `StrictStock`: `sku`: unknown field `sku`, expected `title` or `quantity`; a model that is not strict ignores unknown fields
    ---- exit 1
    ");
    let project = imported(&["--drop", "colour", "--drop", "sku"]);
    insta::assert_snapshot!(project.run(&["run", "ledger.take_strict_stock"]), @r#"{"titles":["Ale","Bun"]}"#);
}

#[test]
fn added_replaced_and_removed_fields_have_signs() {
    let project = imported(&[]);
    let patch = r#"{"colour": null, "quantity": 1, "place": {"shelf": 2}}"#;
    let set = ["documents", "set", "stocks", "a", "--merge", patch];
    insta::assert_snapshot!(project.run(&[&set[..], &["--dry-run"]].concat()), @r#"
    {"collection":"stocks","document_id":"a"}
    ---- stderr
    DRY RUN: no change was committed; would have updated 1 document
    ~ stocks/a
        ~ quantity: 30 -> 1
        - colour: "red"
        + place: {"shelf":2}
    "#);
    project.run(&set);
    insta::assert_snapshot!(project.run(&["runs", "changes", "latest"]), @r#"
    ~ stocks/a
        ~ quantity: 30 -> 1
        - colour: "red"
        + place: {"shelf":2}
    "#);
    let coloured = project.run(&["--color", "always", "runs", "changes", "latest"]).stdout;
    for field in ["\u{1b}[31m-\u{1b}[0m colour: ", "\u{1b}[32m+\u{1b}[0m place: "] {
        assert!(coloured.contains(field), "{coloured:?}");
    }
    let changes = project.run(&["runs", "changes", "latest", "--json"]).json();
    let change = &changes["change_set"][0];
    assert_eq!(change["before"]["colour"], "red");
    assert_eq!(change["after"].get("colour"), None, "{changes}");
}
