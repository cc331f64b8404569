//! Checking inputs and outputs against JSON Schemas.
//!
//! [`ValidInput`] is the proof that an input was checked: only [`Schema::check_input`]
//! makes one, and the sandbox takes nothing else.

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde::Serialize;
use serde_json::Value;

/// How many violations are listed before the rest is only counted.
const MAX_VIOLATIONS: usize = 100;

/// A schema that was compiled once and checks any number of values.
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator,
}

impl Schema {
    /// Compiles a schema: draft 2020-12 unless its `$schema` says otherwise.
    ///
    /// Nothing is ever fetched: a reference has to point into the schema itself. Patterns
    /// run in linear time, so they have no look-around and no back references.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if the value is not a schema, or refers to something outside.
    pub(crate) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map(|validator| Self { validator })
            .map_err(|error| SchemaError {
                pointer: error.instance_path().to_string(),
                problem: error.to_string(),
            })
    }

    /// Returns the input together with the proof that it conforms.
    ///
    /// # Errors
    ///
    /// Returns all violations.
    pub(crate) fn check_input(&self, input: &Value) -> Result<ValidInput, Violations> {
        self.check(input)?;
        Ok(ValidInput { text: input.to_string() })
    }

    /// Checks that a value conforms.
    ///
    /// # Errors
    ///
    /// Returns all violations.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Violations> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let mut errors = self.validator.iter_errors(value);
        let list: Vec<_> = errors.by_ref().take(MAX_VIOLATIONS).map(Violation::from).collect();
        Err(Violations { list, more: errors.count() })
    }
}

/// An input that conforms to its operation's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValidInput {
    text: String,
}

impl ValidInput {
    /// Returns the input as JSON text: a `String`, as the generated bindings want it.
    pub(crate) fn text(&self) -> &String {
        &self.text
    }
}

/// One place where a value breaks its schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON pointer to the place in the value; empty for the value as a whole.
    pub pointer: String,
    /// What is wrong there. Holds text of the value: escape it before a terminal sees it.
    pub problem: String,
}

impl From<jsonschema::ValidationError<'_>> for Violation {
    fn from(error: jsonschema::ValidationError<'_>) -> Self {
        // The value itself can be megabytes; the pointer says where it stands.
        let masked = error.masked_with("the value");
        Self { pointer: error.instance_path().to_string(), problem: masked.to_string() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{place}: {}", self.problem)
    }
}

/// Every place where a value breaks its schema; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("breaks its schema in {}", self.places())]
pub struct Violations {
    /// The first hundred.
    pub list: Vec<Violation>,
    /// How many there are besides.
    pub more: usize,
}

impl Violations {
    fn places(&self) -> String {
        match self.list.len() + self.more {
            1 => "1 place".to_owned(),
            count => format!("{count} places"),
        }
    }
}

/// A value that is not a usable schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid schema at `{}`: {problem}", if pointer.is_empty() { "/" } else { pointer })]
pub(crate) struct SchemaError {
    /// JSON pointer to the place in the schema; empty for the schema as a whole.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) problem: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::compile(&json!({
            "type": "object",
            "properties": {"n": {"type": "integer", "minimum": 1}, "s": {"type": "string"}},
            "required": ["s"],
            "additionalProperties": false,
        }))
        .unwrap()
    }

    #[test]
    fn a_conforming_input_becomes_a_valid_input() {
        let input = schema().check_input(&json!({"s": "x", "n": 2})).unwrap();
        assert_eq!(input.text(), r#"{"s":"x","n":2}"#);
    }

    #[test]
    fn all_violations_are_told_at_once() {
        let violations = schema().check_input(&json!({"n": 0, "x": 1})).unwrap_err();
        let told: Vec<_> = violations.list.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "/n: the value is less than the minimum of 1",
                "/: Additional properties are not allowed ('x' was unexpected)",
                "/: \"s\" is a required property",
            ]
        );
        assert_eq!(violations.to_string(), "breaks its schema in 3 places");
    }

    #[test]
    fn a_schema_that_reaches_outside_is_refused() {
        for reference in ["https://example.com/x.json", "file:///etc/hostname", "other.json"] {
            assert!(Schema::compile(&json!({"$ref": reference})).is_err(), "{reference}");
        }
    }

    #[test]
    fn what_is_not_a_schema_is_refused_with_its_place() {
        let error = Schema::compile(&json!({"properties": {"a": {"type": "strnig"}}})).unwrap_err();
        assert_eq!(error.pointer, "/properties/a/type");
    }
}
