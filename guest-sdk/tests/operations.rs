//! Functions with `#[operation]`: their descriptions, and the results of calls.

#![forbid(unsafe_code)]

use std::num::ParseIntError;

use ophost_sdk::serde_json::{Value, json};
use ophost_sdk::{Failure, FailureKind, Operation, model, operation, plugin};

#[model]
struct Text {
    text: String,
}

#[model]
struct Number {
    number: u32,
}

mod numbers {
    use super::{Number, Text, operation};

    /// Parses a number.
    ///
    /// Decimal numbers only.
    #[operation(
        name = "numbers.parse",
        category = "numbers",
        tags = ["a", "b"],
        permissions = ["numbers:read"],
        models_in = ["Text"],
        models_out = ["Number"],
        stage = "extract",
        async_enabled = true,
        create_taskrun = false,
        annotations(
            "my.flag" = true,
            "my.limit" = -1,
            "my.words" = ["a", "b"],
        ),
    )]
    pub(crate) fn parse(input: Text) -> anyhow::Result<Number> {
        let number = input.text.parse()?;
        Ok(Number { number })
    }
}

/// Adds one. The parameter and the function have the names of variables in the expansion.
#[operation(category = "numbers")]
fn input(json: Number) -> Result<Number, Failure> {
    let number = json.number.checked_add(1);
    let number = number.ok_or_else(|| Failure::permanent("too large").code("overflow"))?;
    Ok(Number { number })
}

#[operation(category = "numbers", description = "Doubles a number.")]
fn double(Number { number }: Number) -> std::result::Result<u32, ParseIntError> {
    Ok(number * 2)
}

/// Returns a map that cannot be serialised as JSON.
#[operation(category = "numbers")]
fn not_json() -> std::collections::HashMap<(u8, u8), u8> {
    [((1, 2), 3)].into()
}

/// A text to repeat.
#[model]
struct Repeated {
    text: String,
    #[serde(default = "twice")]
    #[schemars(range(min = 1, max = 3))]
    times: usize,
}

fn twice() -> usize {
    2
}

/// A text of at most two characters.
#[model]
struct Short {
    #[schemars(length(max = 2))]
    text: String,
}

/// Repeats a text.
#[operation(category = "texts")]
fn repeat(input: Repeated) -> Short {
    Short { text: input.text.repeat(input.times) }
}

/// A text whose default is too long.
#[model]
struct WrongDefault {
    #[serde(default = "abc")]
    #[schemars(length(max = 2))]
    text: String,
}

fn abc() -> String {
    "abc".to_owned()
}

/// Returns its input.
#[operation(category = "texts")]
fn wrong_default(input: WrongDefault) -> WrongDefault {
    input
}

/// Has no input.
#[operation(category = "numbers")]
fn r#loop() -> ophost_sdk::Result<()> {
    Ok(())
}

plugin!(numbers::parse, input, double, not_json, r#loop; annotations("my.team" = "sdk"));

fn failure(operation: Operation, input: &Value) -> Failure {
    let result = operation.invoke(&input.to_string());
    result.expect_err("the operation fails")
}

#[test]
fn every_setting_reaches_the_operation() {
    let operation = numbers::parse::OPERATION;
    assert_eq!(operation.name, "numbers.parse");
    assert_eq!(operation.description, "Parses a number.\n\nDecimal numbers only.");
    assert_eq!(operation.category, "numbers");
    assert_eq!(operation.tags, ["a", "b"]);
    assert_eq!(operation.permissions, ["numbers:read"]);
    assert_eq!(operation.models_in, ["Text"]);
    assert_eq!(operation.models_out, ["Number"]);
    assert_eq!(operation.stage, Some("extract"));
    assert!(operation.async_enabled && !operation.create_taskrun);
    let annotations = operation.annotations.iter();
    let annotations: Vec<_> = annotations.map(|a| (a.key, (a.value)())).collect();
    assert_eq!(
        annotations,
        [("my.flag", json!(true)), ("my.limit", json!(-1)), ("my.words", json!(["a", "b"])),]
    );
}

#[test]
fn name_and_description_default_to_those_of_the_function() {
    assert_eq!(r#loop::OPERATION.name, "loop");
    assert_eq!(double::OPERATION.description, "Doubles a number.");
    let double = double::OPERATION;
    assert!(!double.async_enabled && double.create_taskrun);
}

#[test]
fn operations_are_invoked_with_json() {
    let cases = [
        (numbers::parse::OPERATION, r#"{"text":"7"}"#, r#"{"number":7}"#),
        (input::OPERATION, r#"{"number":7}"#, r#"{"number":8}"#),
        (double::OPERATION, r#"{"number":7}"#, "14"),
        (double::OPERATION, r#"{"number":7.0}"#, "14"),
        (r#loop::OPERATION, "{}", "null"),
    ];
    for (operation, input, output) in cases {
        assert_eq!(operation.invoke(input).unwrap(), output);
    }
}

#[test]
fn a_failure_of_the_function_is_returned_unchanged() {
    let parse = failure(numbers::parse::OPERATION, &json!({"text": "x"}));
    assert_eq!(parse, Failure::error("invalid digit found in string"));
    let overflow = failure(input::OPERATION, &json!({"number": u32::MAX}));
    assert_eq!(overflow, Failure::permanent("too large").code("overflow"));
}

#[test]
fn defaults_of_the_input_schema_are_filled_in() {
    let output = repeat::OPERATION.invoke(r#"{"text": "a"}"#).unwrap();
    assert_eq!(output, r#"{"text":"aa"}"#);
}

#[test]
fn invalid_input_is_a_permanent_failure_with_the_violations_of_the_host() {
    let cases = [
        (
            double::OPERATION,
            "{}",
            "breaks its schema in 1 place",
            "/number",
            "missing, but required",
        ),
        (
            double::OPERATION,
            r#"{"number": -1}"#,
            "breaks its schema in 1 place",
            "/number",
            "expected at least 0, got -1",
        ),
        (
            repeat::OPERATION,
            r#"{"text": "a", "times": 4, "tims": 1}"#,
            "breaks its schema in 2 places",
            "/times",
            "expected at most 3, got 4",
        ),
        (
            r#loop::OPERATION,
            r#"{"a": 1}"#,
            "breaks its schema in 1 place",
            "",
            "no field is allowed here",
        ),
    ];
    for (operation, input, message, pointer, problem) in cases {
        let failure = operation.invoke(input).unwrap_err();
        assert_eq!(failure.message, format!("the input of `{}` {message}", operation.name));
        assert_eq!(failure.kind, FailureKind::Permanent);
        assert_eq!(failure.code.as_deref(), Some("invalid-input"));
        let details = failure.details.unwrap();
        assert_eq!(details[0], json!({"pointer": pointer, "problem": problem}));
    }
    let failure = double::OPERATION.invoke(r#"{"number": 1"#).unwrap_err();
    assert!(failure.message.starts_with("the input of `double` is not JSON: EOF"), "{failure}");
}

#[test]
fn invalid_output_is_a_permanent_failure_with_the_violations_of_the_host() {
    let failure = failure(repeat::OPERATION, &json!({"text": "a", "times": 3}));
    assert_eq!(
        failure,
        Failure::permanent("the output breaks its schema in 1 place")
            .code("invalid-output")
            .details(json!([
                {"pointer": "/text", "problem": "expected at most 2 characters, got \"aaa\""}
            ]))
    );
    let repeated = repeat(Repeated { text: "a".into(), times: 3 });
    assert_eq!(repeated.text, "aaa", "a direct call is not checked");
}

#[test]
fn output_that_is_not_json_is_a_permanent_failure() {
    let failure = failure(not_json::OPERATION, &json!({}));
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert_eq!(failure.code.as_deref(), Some("invalid-output"));
}

#[test]
fn a_schema_that_the_host_would_reject_is_a_permanent_failure() {
    let failure = failure(wrong_default::OPERATION, &json!({}));
    assert_eq!(failure.code.as_deref(), Some("invalid-schema"));
    assert_eq!(
        failure.message,
        "the input schema of `wrong_default` is not a valid schema at `/properties/text`: the \
         default violates its own schema: \"abc\" is longer than 2 characters"
    );
}

#[test]
fn an_operation_without_input_takes_an_empty_object() {
    let schema = (r#loop::OPERATION.input_schema)();
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema.get("properties"), None);
}
