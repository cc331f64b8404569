//! The public test suite of JSON Schema: what we add to the validator makes it no worse.
//!
//! Each test runs through the validator as it comes and through [`Schema`]. Ours may be wrong
//! only where the validator is wrong too, or where [`EXCEPTIONS`] says why.

use std::collections::BTreeMap;

use jsonschema::Draft;
use serde::Deserialize;
use serde_json::{Value, json};

use super::adversarial::check;
use crate::Schema;
use crate::simple::{self, Verdict as Simple};

const DRAFTS: [(Draft, &str, &str); 5] = [
    (
        Draft::Draft4,
        "http://json-schema.org/draft-04/schema#",
        include_str!("../../../../tests/json-schema-suite/draft4.json"),
    ),
    (
        Draft::Draft6,
        "http://json-schema.org/draft-06/schema#",
        include_str!("../../../../tests/json-schema-suite/draft6.json"),
    ),
    (
        Draft::Draft7,
        "http://json-schema.org/draft-07/schema#",
        include_str!("../../../../tests/json-schema-suite/draft7.json"),
    ),
    (
        Draft::Draft201909,
        "https://json-schema.org/draft/2019-09/schema",
        include_str!("../../../../tests/json-schema-suite/draft2019-09.json"),
    ),
    (
        Draft::Draft202012,
        "https://json-schema.org/draft/2020-12/schema",
        include_str!("../../../../tests/json-schema-suite/draft2020-12.json"),
    ),
];

/// File, group, and the intended rejection of its schema.
const EXCEPTIONS: [(&str, &str, &str); 7] = [
    ("default.json", "invalid type for default", WRONG_DEFAULT),
    ("default.json", "invalid string value for default", WRONG_DEFAULT),
    (
        "default.json",
        "the default keyword does not do anything if the property is missing",
        WRONG_DEFAULT,
    ),
    (
        "vocabulary.json",
        "schema that uses custom metaschema with with no validation vocabulary",
        UNKNOWN_DIALECT,
    ),
    ("vocabulary.json", "ignore unrecognized optional vocabulary", UNKNOWN_DIALECT),
    (
        "optional/format-assertion.json",
        "schema that uses custom metaschema with format-assertion: false",
        UNKNOWN_DIALECT,
    ),
    (
        "optional/format-assertion.json",
        "schema that uses custom metaschema with format-assertion: true",
        UNKNOWN_DIALECT,
    ),
];
const WRONG_DEFAULT: &str = "the default violates its own schema";
const UNKNOWN_DIALECT: &str = "is not a supported draft";

/// Tests of one schema.
#[derive(Deserialize)]
struct Group {
    file: String,
    description: String,
    schema: Value,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    description: String,
    data: Value,
    valid: bool,
}

/// Result of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    BothRight,
    BothWrong,
    OnlyOursRight,
    OnlyOursWrong,
    NeedsRemote,
    Excepted,
}

#[test]
fn the_official_suite_gives_the_results_of_the_validator() {
    let mut worse = Vec::new();
    for (draft, dialect, groups) in DRAFTS {
        let groups: Vec<Group> = serde_json::from_str(groups).unwrap();
        let mut counts = BTreeMap::new();
        for group in &groups {
            for (test, verdict, problem) in run(draft, dialect, group) {
                *counts.entry(verdict).or_insert(0) += 1;
                if verdict == Verdict::OnlyOursWrong {
                    worse.push(format!(
                        "{draft:?} {}: {}: {test}: {problem}",
                        group.file, group.description
                    ));
                }
            }
        }
        println!("{draft:?}: {counts:?}");
        assert!(counts[&Verdict::BothRight] > 500, "the suite was read");
    }
    assert!(worse.is_empty(), "{}", worse.join("\n"));
}

/// Calls `test` with each schema of the suite that is accepted, and its values.
fn each_schema(mut test: impl FnMut(&Value, &Value)) {
    for (_, dialect, groups) in DRAFTS {
        let groups: Vec<Group> = serde_json::from_str(groups).unwrap();
        for mut group in groups {
            if let Some(members) = group.schema.as_object_mut() {
                members.entry("$schema").or_insert_with(|| json!(dialect));
            }
            if Schema::compile(group.schema.clone()).is_ok() {
                group.tests.iter().for_each(|it| test(&group.schema, &it.data));
            }
        }
    }
}

#[test]
fn a_schema_that_was_checked_before_gives_the_same_violations() {
    let mut rejected = 0;
    each_schema(|document, value| {
        let first = Schema::compile(document.clone()).unwrap();
        let again = Schema::compile_checked(document.clone()).unwrap();
        let result = check(&first, value);
        assert_eq!(check(&again, value), result, "{value} of {document}");
        rejected += usize::from(result.is_err());
    });
    assert!(rejected > 1_000, "{rejected}");
}

#[test]
fn the_check_by_common_keywords_gives_the_verdict_of_the_validator() {
    let mut counts = [0; 3];
    each_schema(|document, value| {
        let verdict = simple::check(document, value);
        counts[verdict as usize] += 1;
        if verdict != Simple::Unknown {
            let is_valid = jsonschema::options().build(document).unwrap().is_valid(value);
            assert_eq!(verdict == Simple::Valid, is_valid, "{value} of {document}");
        }
    });
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}

fn run<'a>(draft: Draft, dialect: &str, group: &'a Group) -> Vec<(&'a str, Verdict, String)> {
    let plain = jsonschema::options().with_draft(draft).build(&group.schema);
    let mut schema = group.schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.entry("$schema").or_insert_with(|| json!(dialect));
    }
    let ours = Schema::compile(schema);
    let remote = plain.as_ref().is_err_and(|error| error.to_string().contains("retriev"));
    let rejection = ours.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let excepted = EXCEPTIONS.iter().any(|(file, name, why)| {
        group.file == *file && group.description == *name && rejection.contains(why)
    });
    let judge = |test: &'a Test| {
        let plainly = plain.as_ref().ok().map(|validator| validator.is_valid(&test.data));
        let ourselves = ours.as_ref().ok().map(|schema| check(schema, &test.data).is_ok());
        let verdict = match (plainly == Some(test.valid), ourselves == Some(test.valid)) {
            _ if remote => Verdict::NeedsRemote,
            (true, true) => Verdict::BothRight,
            (true, false) if excepted => Verdict::Excepted,
            (true, false) => Verdict::OnlyOursWrong,
            (false, true) => Verdict::OnlyOursRight,
            (false, false) => Verdict::BothWrong,
        };
        (test.description.as_str(), verdict, rejection.clone())
    };
    group.tests.iter().map(judge).collect()
}
