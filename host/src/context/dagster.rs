//! Dagster Pipes: one variable with base64 of zlib-compressed JSON.
//!
//! Clients of Dagster often pass only the location of the JSON, `{"path": ..}`. The file is not
//! read, so the run is detected without its ids.

use data_encoding::BASE64;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde_json::Value;

use super::Orchestration;
use super::environment::{Environment, InvalidValue, Label};
use super::systems::SystemBuilder;
use ophost_document::json;

const VARIABLE: &str = "DAGSTER_PIPES_CONTEXT";
/// Maximum length of the value, in bytes. Linux limits a variable to 128 KiB.
const MAX_ENCODED: usize = 128 << 10;
/// Maximum decompressed size in bytes, because a few kilobytes can decompress to gigabytes.
const MAX_DECODED: usize = 1 << 20;
/// Copied fields, and their names in the record.
const IDS: [(&str, &str); 3] =
    [("run_id", "run_id"), ("job_name", "job_name"), ("retry_number", "retry_number")];

pub(super) fn detect(environment: &Environment<'_>) -> Option<Orchestration> {
    let context = environment.parsed(VARIABLE, |text| decode(&text))?;
    let mut system = SystemBuilder::new(environment);
    system.sign(VARIABLE);
    let mut system = system.into_system("dagster", None);
    // Dagster passes the context, or an object with the context in `data`.
    let context = context.get("data").unwrap_or(&context);
    for (field, id) in IDS {
        if let Some(value) = context.get(field).and_then(word) {
            system.ids.insert(id.to_owned(), value);
        }
    }
    if !system.ids.contains_key("run_id") {
        environment.ignore(VARIABLE, InvalidValue::NoRunId);
    }
    Some(system)
}

fn decode(text: &str) -> Result<Value, InvalidValue> {
    if text.len() > MAX_ENCODED {
        return Err(InvalidValue::TooLong(MAX_ENCODED));
    }
    let packed = BASE64.decode(text.as_bytes()).map_err(|_| InvalidValue::NotPipes)?;
    let bytes = decompress_to_vec_zlib_with_limit(&packed, MAX_DECODED);
    let bytes = bytes.map_err(|_| InvalidValue::NotPipes)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| InvalidValue::NotPipes)?;
    json::parse(text).ok().filter(Value::is_object).ok_or(InvalidValue::NotPipes)
}

fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let word: Label = text.parse().ok()?;
    Some(word.as_str().to_owned())
}
