//! Bounds on the texts that guests give to be kept.

use serde_json::Value;

/// The longest text that is kept in one place, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;

/// What a JSON value takes in memory besides its text. A list of a thousand zeros is two
/// thousand bytes of text, and sixteen times that once it is read.
const VALUE_COST: usize = size_of::<Value>();

/// Returns what belongs to a message: JSON, or text where it is none. What is too long is
/// left out, since half a JSON says nothing.
pub(super) fn data(text: &str) -> Value {
    if text.len() > MAX_TEXT {
        return Value::String(format!("[{} bytes left out]", text.len()));
    }
    ophost_document::json::parse(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Returns about how many bytes a value takes.
pub(super) fn weight(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| VALUE_COST + key.len() + weight(value)).sum()
        }
    };
    VALUE_COST + inside
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_weighs_what_it_takes_not_what_its_text_is_long() {
        let zeros = format!("[{}0]", "0,".repeat(999));
        assert!(weight(&data(&zeros)) >= 1000 * VALUE_COST);
        assert!(weight(&json!({"key": "text"})) >= "keytext".len() + 2 * VALUE_COST);
        assert!(weight(&data(&"x".repeat(MAX_TEXT + 1))) < 100);
    }
}
