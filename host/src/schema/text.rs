//! Showing text that comes from outside.

/// How much of a text is shown, in characters.
const MAX_SHOWN: usize = 60;

/// Returns the text, or its beginning where it is long.
pub(super) fn beginning(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(beginning("short"), "short");
        assert_eq!(beginning(&"ä".repeat(61)), format!("{}...", "ä".repeat(60)));
    }
}
