//! A schema, ready to check values.

use jsonschema::{PatternOptions, ValidationOptions, Validator};
use serde_json::{Value, json};

use super::defaults::{self, Endless};
use super::violation::{Violation, Violations};

/// The largest pattern when compiled, in bytes: a few words can make one of many megabytes.
const MAX_PATTERN: usize = 256 << 10;

/// A schema that was compiled once and checks any number of values.
#[derive(Debug)]
pub(crate) struct Schema {
    document: Value,
    validator: Validator,
    has_defaults: bool,
}

impl Schema {
    /// Compiles a schema: draft 2020-12 unless its `$schema` says otherwise.
    ///
    /// Nothing is ever fetched: a reference has to point into the schema itself. Patterns
    /// run in linear time, so they have no look-around and no back references.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if the value is not a schema, refers to something outside, or
    /// declares a default that breaks its own schema or holds itself.
    pub(crate) fn compile(document: Value) -> Result<Self, SchemaError> {
        let validator = options().build(&document)?;
        let has_defaults = check_defaults(&document)?;
        Ok(Self { document, validator, has_defaults })
    }

    /// Returns the input, with the defaults of its schema filled in, and with it the proof
    /// that it conforms.
    ///
    /// # Errors
    ///
    /// Returns all violations.
    pub(crate) fn check_input(&self, input: Value) -> Result<ValidInput, Violations> {
        let input = if self.has_defaults { self.fill(input)? } else { input };
        self.check(&input)?;
        Ok(ValidInput { text: input.to_string() })
    }

    fn fill(&self, input: Value) -> Result<Value, Violations> {
        defaults::fill(&self.document, input).map_err(|endless| {
            let problem = format!("not to be filled in: {endless}");
            let whole = Violation { pointer: String::new(), problem, did_you_mean: None };
            Violations { list: vec![whole], more: 0 }
        })
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
        Err(Violations::read(&self.document, self.validator.iter_errors(value)))
    }
}

fn options<'a>() -> ValidationOptions<'a> {
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN))
}

/// Checks each default against the schema that declares it, and returns whether there are any.
fn check_defaults(document: &Value) -> Result<bool, SchemaError> {
    let mut all = Vec::new();
    defaults::each(document, &mut |pointer, default| all.push((pointer.to_owned(), default)));
    if all.is_empty() {
        return Ok(false);
    }
    let validators = options().build_map(document)?;
    for (pointer, default) in all {
        let validator = validators.get(&format!("#{pointer}"));
        if let Some(error) = validator.and_then(|validator| validator.validate(default).err()) {
            let problem = format!("the default breaks its own schema: {error}");
            return Err(SchemaError { pointer, problem });
        }
    }
    defaults::fill(document, json!({}))?;
    Ok(true)
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

/// A value that is not a usable schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid schema at `{}`: {problem}", if pointer.is_empty() { "/" } else { pointer })]
pub(crate) struct SchemaError {
    /// JSON pointer to the place in the schema; empty for the schema as a whole.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) problem: String,
}

impl From<jsonschema::ValidationError<'_>> for SchemaError {
    fn from(error: jsonschema::ValidationError<'_>) -> Self {
        Self { pointer: error.instance_path().to_string(), problem: error.to_string() }
    }
}

impl From<Endless> for SchemaError {
    fn from(endless: Endless) -> Self {
        Self { pointer: String::new(), problem: endless.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conforming_input_becomes_a_valid_input_with_its_defaults() {
        let document = json!({"properties": {"n": {"type": "integer", "default": 3}, "s": {}}});
        let input = Schema::compile(document).unwrap().check_input(json!({"s": "x"})).unwrap();
        assert_eq!(input.text(), r#"{"s":"x","n":3}"#);
    }

    #[test]
    fn a_schema_that_reaches_outside_is_refused() {
        for reference in ["https://example.com/x.json", "file:///etc/hostname", "other.json"] {
            assert!(Schema::compile(json!({"$ref": reference})).is_err(), "{reference}");
        }
    }

    #[test]
    fn what_is_not_a_schema_is_refused_with_its_place() {
        let error = Schema::compile(json!({"properties": {"a": {"type": "strnig"}}})).unwrap_err();
        assert_eq!(error.pointer, "/properties/a/type");
    }

    #[test]
    fn i1_a_default_that_breaks_its_own_schema_is_refused_with_its_place() {
        let document = json!({
            "properties": {"a": {"$ref": "#/$defs/small", "default": 12}},
            "$defs": {"small": {"maximum": 9}},
        });
        let error = Schema::compile(document).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a valid schema at `/properties/a`: the default breaks its own schema: \
             12 is greater than the maximum of 9"
        );
        let endless = json!({"properties": {"a": {"$ref": "#", "default": {}}}});
        let error = Schema::compile(endless).unwrap_err();
        assert_eq!(error.problem, "its defaults hold each other without end");
    }
}
