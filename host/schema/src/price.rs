//! What the keywords of one subschema cost, without those of others.
//!
//! The unit is a few nanoseconds: what a simple keyword takes. Measured on the validator, and
//! rounded up.

use serde_json::Value;

/// What comparing with one part of an `enum` or `const` costs.
const COMPARING: u64 = 2;

/// Returns what the own keywords of a subschema cost for one value.
pub(super) fn of(schema: &Value) -> u64 {
    let keywords = schema.as_object().into_iter().flatten();
    1 + keywords.map(|(key, keyword)| of_keyword(key, keyword)).sum::<u64>()
}

fn of_keyword(key: &str, keyword: &Value) -> u64 {
    match key {
        "enum" | "const" if looked_up(keyword) => 4,
        "enum" | "const" => COMPARING * parts(keyword),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => 2,
        "required" | "dependentRequired" | "dependencies" => parts(keyword),
        _ => 1,
    }
}

/// Whether the validator looks a value up among these instead of comparing it with each.
fn looked_up(options: &Value) -> bool {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    let all = |is: fn(&Value) -> bool| options.iter().all(|option| option.is_null() || is(option));
    all(Value::is_string) || all(Value::is_i64)
}

/// Returns how many values a value consists of, itself among them.
fn parts(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(parts).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(parts).sum::<u64>(),
        _ => 1,
    }
}
