//! Size limits of texts and JSON values from a guest.

use serde_json::Value;

/// Maximum size of one stored text, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;

/// Memory that a JSON value needs besides its text, in bytes. An array of 1,000 zeros is 2,000
/// bytes of text, and 16 times as much in memory.
const VALUE_OVERHEAD: usize = size_of::<Value>();

/// Parses the data of a message: JSON, or a string if it is not JSON. A text over [`MAX_TEXT`] is
/// replaced by a note, because truncated JSON cannot be parsed.
pub(super) fn parse_data(text: &str) -> Value {
    if text.len() > MAX_TEXT {
        return Value::String(format!("[{} bytes left out]", text.len()));
    }
    ophost_document::json::parse(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Returns the approximate size of a value in memory, in bytes.
pub(super) fn memory_size(value: &Value) -> usize {
    let content = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(memory_size).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| VALUE_OVERHEAD + key.len() + memory_size(value)).sum()
        }
    };
    VALUE_OVERHEAD + content
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn memory_size_counts_values_and_not_only_text() {
        let zeros = format!("[{}0]", "0,".repeat(999));
        assert!(memory_size(&parse_data(&zeros)) >= 1000 * VALUE_OVERHEAD);
        assert!(memory_size(&json!({"key": "text"})) >= "keytext".len() + 2 * VALUE_OVERHEAD);
        assert!(memory_size(&parse_data(&"x".repeat(MAX_TEXT + 1))) < 100);
    }
}
