//! Guarantees of the Rust SDK, tested in a host.

use std::collections::BTreeMap;

use crate::harness::Project;

#[test]
fn integer_fields_are_range_checked_and_accept_a_zero_fraction() {
    let project = Project::with_rust(&["text"]);
    let slug = |length: &str| {
        let field = format!("max_length:={length}");
        project.run(&["run", "slugify", "text=Salt and pepper", &field])
    };
    insta::assert_snapshot!(slug("4.0"), @r#"{"slug":"salt"}"#);
    insta::assert_snapshot!(slug("4294967296"), @"
    ---- stderr
    error: the input of `slugify` breaks its schema in 1 place
      /max_length: expected at most 4294967295, got 4294967296
    hint: run `ophost describe slugify` to show the input schema
    ---- exit 2
    ");
}

#[test]
fn floats_pass_through_a_guest_unchanged() {
    let project = Project::with_rust(&["misbehave"]);
    let value = "[31.245270191439438,0.30000000000000004,5e-324,1.7976931348623157e+308,5.0]";
    let echo = project.run(&["run", "misbehave.echo", &format!("value:={value}")]);
    assert_eq!(echo.stdout.trim(), format!(r#"{{"value":{value}}}"#), "{echo}");
}

#[test]
fn invalid_calls_fail_as_in_a_unit_test() {
    let project = Project::with_rust(&["ledger"]);
    let output = project.run(&["run", "ledger.invalid_calls"]).json();
    let answers: BTreeMap<String, String> =
        serde_json::from_value(output["answers"].clone()).expect("texts");
    let kind = |answer: &str| answer.split(':').next().unwrap_or_default().to_owned();
    let others = answers.iter().map(|(what, answer)| format!("{what} -> {}", kind(answer)));
    let others: Vec<_> = others.filter(|line| !line.ends_with("-> invalid")).collect();
    insta::assert_snapshot!(others.join("\n"), @"
    body: 4 mebibytes -> too large
    body: a byte too long -> too large
    body: deleted -> ok
    body: maximum depth -> ok
    body: maximum size -> ok
    collection: counted, not declared -> denied
    collection: deleted, for reading -> denied
    collection: found, not declared -> denied
    collection: merged, for reading -> denied
    collection: not declared -> denied
    collection: of the host -> denied
    collection: put, for reading -> denied
    collection: read, for reading -> ok
    collection: set, for reading -> denied
    collection: written, not declared -> denied
    condition: a revision, no document -> stale
    condition: absent -> ok
    condition: absent, existing document -> exists
    condition: another revision -> stale
    condition: present, no document -> not found
    condition: revision 0 of an uncommitted document -> ok
    edits: result -> ok
    filter: all -> ok
    id: 255 bytes -> ok
    id: deleted, missing -> ok
    merge: no document -> not found
    merge: too large -> too large
    query: a valid cursor -> ok
    query: sorted by 8 fields -> ok
    set: no document -> not found
    set: too large -> too large
    ");
    assert!(answers.values().all(|answer| answer.len() < 400), "{answers:?}");
}
