//! Validation of plugin descriptions.

use e2e::guest::{Described, Operation, describing};
use ophost::{Host, Outcome, Request};
use serde_json::json;

use crate::harness::Project;

async fn reasons(project: &Project) -> Vec<String> {
    let host = Host::builder().plugins(project.plugins()).build().await.expect("a host");
    host.catalog().rejected().map(|(_, reason)| reason).collect()
}

async fn reason(described: Described) -> String {
    let project = Project::new();
    project.add("it", &describing(&described).expect("a guest"));
    reasons(&project).await.pop().expect("a rejected file")
}

fn operation(name: &str) -> Operation {
    Operation::new(name)
}

#[tokio::test]
async fn description_that_breaks_a_rule_is_rejected_with_the_reason() {
    let one = |operation| Described::new("it").with(operation);
    insta::assert_snapshot!(reason(Described::new("it")).await, @"invalid description: the plugin declares no operation");
    insta::assert_snapshot!(reason(one(operation("Shout"))).await, @"invalid description: `Shout` is not an operation name: lower case letters, digits and `_`, in parts joined by dots");
    insta::assert_snapshot!(reason(one(operation("a")).with(operation("a"))).await, @"invalid description: the plugin declares the operation `a` twice");
    insta::assert_snapshot!(reason(one(operation("a").annotated("ophost.magic", "1"))).await, @"invalid description: unknown annotation `ophost.magic`");
    insta::assert_snapshot!(reason(one(operation("a").annotated("ophost.timeout-ms", "\"x\""))).await, @"invalid description: the annotation `ophost.timeout-ms` is not a positive integer");
    insta::assert_snapshot!(reason(one(operation("a")).annotated("ophost.idempotent", "true")).await, @"invalid description: unknown annotation `ophost.idempotent` of a plugin; it is an annotation of operations");
    insta::assert_snapshot!(reason(one(operation("a").annotated("ophost.timeout", "1"))).await, @"invalid description: unknown annotation `ophost.timeout`; did you mean `ophost.timeout-ms`?");
    let category = Operation { category: String::new(), ..operation("a") };
    insta::assert_snapshot!(reason(one(category)).await, @"invalid description: the category of `a` is empty");
    let not_json = Operation { input_schema: "{".to_owned(), ..operation("a") };
    insta::assert_snapshot!(reason(one(not_json)).await, @"invalid description: the input schema of `a` is not JSON: EOF while parsing an object at line 1 column 1");
    let not_a_schema =
        Operation { output_schema: r#"{"type": "strnig"}"#.to_owned(), ..operation("a") };
    insta::assert_snapshot!(reason(one(not_a_schema)).await, @r#"the output schema of `a` is not a valid schema at `/type`: "strnig" is not valid under any of the schemas listed in the 'anyOf' keyword"#);
    let remote = r#"{"$ref": "https://example.com/schema.json"}"#.to_owned();
    insta::assert_snapshot!(reason(one(Operation { input_schema: remote, ..operation("a") })).await, @"the input schema of `a` is not a valid schema at `/`: refers to `https://example.com/schema.json`, which is outside the schema; nothing is fetched");
}

#[tokio::test]
async fn custom_annotations_are_shown_and_hints_are_parsed() {
    let project = Project::new();
    let annotated = operation("a")
        .annotated("team", r#""data""#)
        .annotated("ophost.timeout-ms", "1500")
        .annotated("ophost.destructive", "true");
    project.add("it", &describing(&Described::new("it").with(annotated)).expect("a guest"));
    let shown = project.run(&["describe", "a", "--json"]).json();
    assert_eq!(shown["annotations"], json!({"team": "data"}));
    assert_eq!((&shown["timeout_ms"], &shown["destructive"]), (&json!(1500), &json!(true)));
}

#[tokio::test]
async fn each_run_is_a_fresh_instance() {
    let project = Project::with_rust(&["misbehave"]);
    let host = Host::builder().plugins(project.plugins()).build().await.expect("a host");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        let report =
            host.run(Request::new("misbehave.context", json!({}))).await.expect("the run starts");
        let Outcome::Success(output) = report.outcome else { panic!("{report:?}") };
        assert!(seen.insert(output["random"].to_string()), "the random bits repeat");
    }
}
