//! Types with `#[model]`, and their schemas.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use ophost_sdk::macro_support::{input_schema, output_schema};
use ophost_sdk::model;
use ophost_sdk::schemars::JsonSchema;
use ophost_sdk::serde::{Serialize, de::DeserializeOwned};
use ophost_sdk::serde_json::{self, Value, json};

/// A job.
#[model]
#[derive(Default, PartialEq)]
struct Job {
    /// The title.
    title: String,
    #[serde(default)]
    #[schemars(range(max = 5))]
    priority: u8,
    note: Option<String>,
}

#[model]
#[serde(rename_all = "kebab-case")]
enum State {
    InProgress,
    Failed { reason: String },
    Moved(String),
}

#[model]
struct Page<T> {
    items: Vec<T>,
}

#[model]
struct Id(u64);

#[model]
#[serde(transparent)]
struct Title {
    text: String,
}

#[model]
struct Nothing;

#[model]
#[serde(untagged)]
enum Either {
    Left { left: u8 },
    Right { right: u8 },
}

#[model(allow_unknown_fields)]
struct Open {
    known: u8,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[model]
struct Flat {
    known: u8,
    #[serde(flatten)]
    job: Job,
}

#[model(strict)]
struct Strict {
    field: u8,
}

#[model(strict)]
#[derive(Clone, Debug)]
#[serde(deny_unknown_fields)]
struct Redundant {
    field: u8,
}

#[model]
struct Numbers {
    byte: u8,
    int: i32,
    #[schemars(range(min = 1))]
    count: Option<u32>,
    #[schemars(range(max = 300))]
    odd: i8,
    long: i64,
    #[serde(default)]
    longest: Vec<u64>,
    share: f64,
}

#[test]
fn doc_comments_and_attributes_reach_the_schema() {
    let schema = input_schema::<Job>();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["description"], "A job.");
    assert_eq!(schema["properties"]["title"]["description"], "The title.");
    assert_eq!(schema["properties"]["priority"]["maximum"], 5);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn fields_with_defaults_are_required_in_outputs_only() {
    assert_eq!(input_schema::<Job>()["required"], json!(["title"]));
    assert_eq!(output_schema::<Job>()["required"], json!(["title", "priority", "note"]));
}

#[test]
fn integer_schemas_have_the_bounds_of_their_types() {
    let schema = input_schema::<Numbers>();
    let bounds = |pointer: &str| {
        let schema = schema.pointer(pointer).expect("a schema");
        (schema["minimum"].clone(), schema["maximum"].clone())
    };
    assert_eq!(bounds("/properties/byte"), (json!(0), json!(u8::MAX)));
    assert_eq!(bounds("/properties/int"), (json!(i32::MIN), json!(i32::MAX)));
    assert_eq!(bounds("/properties/count"), (json!(1), json!(u32::MAX)));
    assert_eq!(bounds("/properties/odd"), (json!(i8::MIN), json!(i8::MAX)));
    assert_eq!(bounds("/properties/long"), (json!(i64::MIN), json!(i64::MAX)));
    assert_eq!(bounds("/properties/longest/items"), (json!(0), json!(u64::MAX)));
    assert_eq!(bounds("/properties/share"), (json!(null), json!(null)));
}

#[test]
fn unknown_fields_are_rejected_by_schemas_and_ignored_by_models() {
    let job: Job = serde_json::from_str(r#"{"title": "a", "urgent": true}"#).unwrap();
    assert_eq!(job.title, "a");
    let flat: Flat = serde_json::from_str(r#"{"known": 1, "title": "a", "other": 2}"#).unwrap();
    assert_eq!((flat.known, flat.job.title.as_str()), (1, "a"));
    let schema = input_schema::<Flat>();
    let denied = [&schema["additionalProperties"], &schema["unevaluatedProperties"]];
    assert!(denied.contains(&&json!(false)), "{schema}");
}

#[test]
fn unknown_fields_are_rejected_by_strict_models() {
    let error = serde_json::from_str::<Strict>(r#"{"field": 1, "other": 2}"#).unwrap_err();
    assert!(error.to_string().starts_with("unknown field `other`"));
    let error = serde_json::from_str::<Redundant>(r#"{"field": 1, "other": 2}"#).unwrap_err();
    assert!(error.to_string().starts_with("unknown field `other`"));
}

#[test]
fn unknown_fields_are_accepted_if_allowed() {
    let open: Open = serde_json::from_str(r#"{"known": 1, "other": 2}"#).unwrap();
    assert_eq!((open.known, &open.rest["other"]), (1, &json!(2)));
    assert_ne!(input_schema::<Open>()["additionalProperties"], false);
}

#[test]
fn models_of_every_kind_survive_a_round_trip() {
    round_trip::<Job>(&json!({"title": "a", "priority": 1, "note": null}));
    round_trip::<State>(&json!("in-progress"));
    round_trip::<State>(&json!({"failed": {"reason": "none"}}));
    round_trip::<State>(&json!({"moved": "there"}));
    round_trip::<Page<Job>>(&json!({"items": []}));
    round_trip::<Id>(&json!(7));
    round_trip::<Title>(&json!("a title"));
    round_trip::<Nothing>(&json!(null));
    round_trip::<Either>(&json!({"right": 1}));
}

fn round_trip<T: Serialize + DeserializeOwned + JsonSchema>(value: &Value) {
    let model: T = serde_json::from_str(&value.to_string()).expect("the value matches the model");
    let written = serde_json::to_value(model).expect("the model serialises to JSON");
    assert_eq!(&written, value);
    assert!(input_schema::<T>().is_object());
}
