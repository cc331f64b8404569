//! Cost of the keywords of one subschema, without the subschemas that it applies.
//!
//! The unit is the time of a simple keyword, a few nanoseconds. The costs were measured with the
//! validator and rounded up.

use serde_json::Value;

/// Cost of comparing with one part of an `enum` or `const`.
const COMPARING: u64 = 2;

/// Returns the cost of the keywords of a subschema for one value.
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

/// Returns whether the validator uses a hash lookup instead of comparing with each value.
fn looked_up(options: &Value) -> bool {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    let all = |is: fn(&Value) -> bool| options.iter().all(|option| option.is_null() || is(option));
    all(Value::is_string) || all(Value::is_i64)
}

/// Returns the number of values in a value, including itself.
fn parts(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(parts).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(parts).sum::<u64>(),
        _ => 1,
    }
}
