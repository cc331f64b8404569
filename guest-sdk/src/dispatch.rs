//! Calls an operation's function with JSON input and output.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Failure, Result, json};

/// The input of an operation without an input parameter: an empty object.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "No input")]
pub struct NoInput {}

/// Deserialises `json`, calls `function` and serialises the output.
///
/// # Errors
///
/// - Returns a permanent failure with the code `invalid-input` if `json` does not match `I`. The
///   host has validated `json`, so the schema accepts more than the type. A retry cannot succeed.
/// - Returns a permanent failure with the code `invalid-output` if the output cannot be
///   serialised as JSON.
/// - Returns the failure of `function`.
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
