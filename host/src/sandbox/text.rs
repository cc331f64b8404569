//! Bounds on the texts that guests give.

use serde_json::Value;

pub(super) use crate::text::cut;

/// The longest text that is kept in one place, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;

/// Returns what belongs to a message: JSON, or text where it is none. What is too long is
/// left out, since half a JSON says nothing.
pub(super) fn data(text: &str) -> Value {
    if text.len() > MAX_TEXT {
        return Value::String(format!("[{} bytes left out]", text.len()));
    }
    crate::json::parse(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
