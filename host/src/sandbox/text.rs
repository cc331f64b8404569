//! Bounds on the texts that guests give.

use serde_json::Value;

/// The longest text that is kept in one place, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;

/// Returns the text, cut to at most `longest` bytes with a mark at the end.
pub(super) fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        let all = text.len();
        text.truncate(text.floor_char_boundary(longest));
        text.push_str(&format!(" [{all} bytes, cut]"));
        text.shrink_to_fit();
    }
    text
}

/// Returns what belongs to a message: JSON, or text where it is none. What is too long is
/// left out, since half a JSON says nothing.
pub(super) fn data(text: &str) -> Value {
    if text.len() > MAX_TEXT {
        return Value::String(format!("[{} bytes left out]", text.len()));
    }
    crate::json::parse(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
