//! From JSON to an operation's function and back; the schemas of both sides.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Failure, Result};

/// The input of an operation without parameters: an object without fields.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "No input")]
pub struct NoInput {}

/// Reads `json`, calls `function` and writes what it returns.
///
/// The host has checked `json` against the schema, so what does not fit the type is a
/// schema that promises too much: the same input will never fit.
pub fn handle<I, O>(json: &str, function: fn(I) -> Result<O>) -> Result<String>
where
    I: DeserializeOwned + JsonSchema,
    O: Serialize + JsonSchema,
{
    let input = serde_json::from_str(json).map_err(|error| {
        Failure::permanent(format!("invalid input: {error}")).code("invalid-input")
    })?;
    serde_json::to_string(&function(input)?).map_err(|error| {
        Failure::permanent(format!("invalid output: {error}")).code("invalid-output")
    })
}

/// Returns the schema of what deserializes as `T`.
pub fn input_schema<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// Returns the schema of what `T` serializes to.
pub fn output_schema<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
