//! Truncates untrusted texts before they are shown.
//!
//! [`truncate_bytes`] truncates a text that is shown on its own. [`quote`] and [`single_line`]
//! return a short single line, for a text that is part of a message.

/// Maximum length of a name in a message, in bytes.
const MAX_NAME: usize = 120;
/// Maximum length of a reason in a message, in bytes.
const MAX_REASON: usize = 300;

/// Truncates a text to at most `max` bytes, and then appends its original length.
pub fn truncate_bytes(mut text: String, max: usize) -> String {
    if text.len() > max {
        let original = text.len();
        text.truncate(boundary(&text, max));
        text.push_str(&format!(" [{original} bytes, cut]"));
        text.shrink_to_fit();
    }
    text
}

/// Truncates a text to at most `count` characters, and then appends `...`.
pub fn truncate_chars(text: &str, count: usize) -> String {
    match text.char_indices().nth(count) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns a name as one line of at most 120 bytes, followed by its length if truncated.
pub fn quote(name: &str) -> String {
    truncate_line(name, MAX_NAME)
}

/// Returns a reason as one line of at most 300 bytes, followed by its length if truncated.
pub fn single_line(reason: &str) -> String {
    truncate_line(reason, MAX_REASON)
}

fn truncate_line(text: &str, max: usize) -> String {
    let shown = &text[..boundary(text, max)];
    let mut line = shown.replace(is_line_break, " ");
    if shown.len() < text.len() {
        line.push_str(&format!(" [{} bytes, cut]", text.len()));
    }
    line
}

/// Returns the end of the last character that ends within the first `max` bytes.
pub fn boundary(text: &str, max: usize) -> usize {
    let max = max.min(text.len());
    (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_unchanged() {
        assert_eq!(truncate_bytes("ä".to_owned(), 2), "ä");
        assert_eq!(quote("flow.step"), "flow.step");
    }

    #[test]
    fn long_texts_are_truncated_between_characters() {
        assert_eq!(truncate_bytes("ä".repeat(3), 5), "ää [6 bytes, cut]");
        let long = quote(&"ä".repeat(100_000));
        assert!(long.len() < 150 && long.ends_with("ä [200000 bytes, cut]"), "{long}");
        assert!(single_line(&"x".repeat(1 << 20)).len() < 350);
    }

    #[test]
    fn truncate_chars_marks_a_truncated_text() {
        assert_eq!(
            (truncate_chars("äöü", 3).as_str(), truncate_chars("äöü", 2).as_str()),
            ("äöü", "äö...")
        );
    }

    #[test]
    fn line_breaks_are_replaced_by_spaces() {
        assert_eq!(single_line("a\nb\r\u{2028}c"), "a b  c");
    }
}
