//! From JSON to an operation's function and back.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Failure, Result, json};

/// The input of an operation without parameters: an object without fields.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "No input")]
pub struct NoInput {}

/// Reads `json`, calls `function` and writes what it returns.
///
/// The host has checked `json` against the schema, so what does not fit the type is a
/// schema that promises too much: the same input will never fit.
pub fn dispatch<I, O>(json: &str, function: fn(I) -> Result<O>) -> Result<String>
where
    I: DeserializeOwned + JsonSchema,
    O: Serialize + JsonSchema,
{
    let input = json::deserialize(json).map_err(|error| {
        Failure::permanent(format!("invalid input: {error}")).code("invalid-input")
    })?;
    serde_json::to_string(&function(input)?).map_err(|error| {
        Failure::permanent(format!("invalid output: {error}")).code("invalid-output")
    })
}
