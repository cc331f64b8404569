//! Validates inputs and outputs as the host does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ophost_document::{Budget, json};
use ophost_schema::{CheckError, Schema, Violations};
use serde_json::Value;

use crate::{Failure, Operation, Result};

type MakeSchema = fn() -> Value;

thread_local! {
    /// The compiled schemas by the functions that return them. Compiling takes longer than most
    /// operations of a test.
    static COMPILED: RefCell<HashMap<MakeSchema, Rc<Schema>>> = RefCell::default();
}

/// Returns an input with the defaults of the input schema.
///
/// # Errors
///
/// Returns a permanent failure with the code `invalid-input` if the input is not JSON or violates
/// the schema, and with `invalid-schema` if the host would reject the schema.
pub(super) fn valid_input(operation: &Operation, input: &str) -> Result<String> {
    let name = operation.name;
    let schema = compiled(operation.input_schema, "input", name)?;
    let invalid = |message| Failure::permanent(message).code("invalid-input");
    let value = json::parse(input)
        .map_err(|error| invalid(format!("the input of `{name}` is not JSON: {error}")))?;
    let (_, input) = schema.check_input(value, &Budget::unlimited()).map_err(|error| {
        violation(error, |text| invalid(format!("the input of `{name}` {text}")))
    })?;
    Ok(input.text().clone())
}

/// Checks an output against the output schema.
///
/// # Errors
///
/// Returns a permanent failure with the code `invalid-output` if the output is not JSON or violates
/// the schema, and with `invalid-schema` if the host would reject the schema.
pub(super) fn check_output(operation: &Operation, output: &str) -> Result<()> {
    let schema = compiled(operation.output_schema, "output", operation.name)?;
    let invalid = |message| Failure::permanent(message).code("invalid-output");
    let value =
        json::parse(output).map_err(|error| invalid(format!("the output is not JSON: {error}")))?;
    schema
        .check(&value, &Budget::unlimited())
        .map_err(|error| violation(error, |text| invalid(format!("the output {text}"))))
}

/// Returns the failure for violations. Their list is in the details, as in the host.
fn violation(error: CheckError, invalid: impl Fn(&Violations) -> Failure) -> Failure {
    match error {
        CheckError::Violations(violations) => invalid(&violations).details(&violations.list),
        CheckError::Interrupted(why) => Failure::from(why),
        CheckError::Thread(error) => Failure::from(error),
    }
}

fn compiled(make: MakeSchema, which: &str, operation: &str) -> Result<Rc<Schema>> {
    if let Some(schema) = COMPILED.with_borrow(|compiled| compiled.get(&make).cloned()) {
        return Ok(schema);
    }
    let schema = Schema::compile(make()).map_err(|error| {
        let message = format!("the {which} schema of `{operation}` is {error}");
        Failure::permanent(message).code("invalid-schema")
    })?;
    let schema = Rc::new(schema);
    COMPILED.with_borrow_mut(|compiled| compiled.insert(make, schema.clone()));
    Ok(schema)
}
