//! Cuts texts that guests and files give before people have to read them.
//!
//! A text that is kept for its own sake is [`truncate_bytes`] to a bound of its own. What is said within
//! a sentence of ours is a [`quote`] or a [`single_line`]: one line, and so short that the sentence
//! stays one.

/// The most that is shown of a name within a sentence, in bytes.
const MAX_NAME: usize = 120;
/// The most that is shown of a reason within a sentence, in bytes.
const MAX_REASON: usize = 300;

/// Returns the text, cut to at most `longest` bytes with a mark at the end.
pub fn truncate_bytes(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        let all = text.len();
        text.truncate(boundary(&text, longest));
        text.push_str(&format!(" [{all} bytes, cut]"));
        text.shrink_to_fit();
    }
    text
}

/// Returns the first characters of a text, with a mark where something is missing.
pub fn truncate_chars(text: &str, count: usize) -> String {
    match text.char_indices().nth(count) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns a name as it stands in a sentence.
pub fn quote(name: &str) -> String {
    in_a_line(name, MAX_NAME)
}

/// Returns what someone else says, as it stands at the end of a sentence.
pub fn single_line(reason: &str) -> String {
    in_a_line(reason, MAX_REASON)
}

fn in_a_line(text: &str, longest: usize) -> String {
    let shown = &text[..boundary(text, longest)];
    let mut line = shown.replace(is_line_break, " ");
    if shown.len() < text.len() {
        line.push_str(&format!(" [{} bytes, cut]", text.len()));
    }
    line
}

/// Returns the end of the last character that ends within the first `longest` bytes.
pub(crate) fn boundary(text: &str, longest: usize) -> usize {
    let longest = longest.min(text.len());
    (0..=longest).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_stays_as_it_is() {
        assert_eq!(truncate_bytes("ä".to_owned(), 2), "ä");
        assert_eq!(quote("flow.step"), "flow.step");
    }

    #[test]
    fn what_is_long_is_cut_between_characters_and_says_so() {
        assert_eq!(truncate_bytes("ä".repeat(3), 5), "ää [6 bytes, cut]");
        let long = quote(&"ä".repeat(100_000));
        assert!(long.len() < 150 && long.ends_with("ä [200000 bytes, cut]"), "{long}");
        assert!(single_line(&"x".repeat(1 << 20)).len() < 350);
    }

    #[test]
    fn the_first_characters_are_told_from_the_whole() {
        assert_eq!(
            (truncate_chars("äöü", 3).as_str(), truncate_chars("äöü", 2).as_str()),
            ("äöü", "äö...")
        );
    }

    #[test]
    fn a_sentence_stays_one_line() {
        assert_eq!(single_line("a\nb\r\u{2028}c"), "a b  c");
    }
}
