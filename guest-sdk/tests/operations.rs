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
fn invalid_input_is_a_permanent_failure() {
    let cases = [
        (double::OPERATION, json!({"number": -1}), "invalid value: integer `-1`"),
        (double::OPERATION, json!({}), "missing field `number`"),
        (r#loop::OPERATION, json!({"a": 1}), "unknown field `a`"),
    ];
    for (operation, input, message) in cases {
        let failure = failure(operation, &input);
        assert_eq!(failure.kind, FailureKind::Permanent);
        assert_eq!(failure.code.as_deref(), Some("invalid-input"));
        assert!(failure.message.contains(message), "{failure}");
    }
}

#[test]
fn output_that_is_not_json_is_a_permanent_failure() {
    let failure = failure(not_json::OPERATION, &json!({}));
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert_eq!(failure.code.as_deref(), Some("invalid-output"));
}

#[test]
fn an_operation_without_input_takes_an_empty_object() {
    let schema = (r#loop::OPERATION.input_schema)();
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema.get("properties"), None);
}
