//! Turns a text into a part of an address.

use ophost_sdk::{model, operation};

use crate::latin;

/// What to turn into a slug.
#[model]
pub(crate) struct Title {
    /// The text, such as a title.
    text: String,
    /// What stands between two words.
    #[serde(default = "hyphen")]
    #[schemars(length(max = 8))]
    separator: String,
    /// How many characters the slug may have. Words that do not fit are left out; the
    /// first is cut.
    #[serde(default)]
    #[schemars(range(min = 1))]
    max_length: Option<usize>,
}

/// A text that fits into an address.
#[model]
pub(crate) struct Slug {
    /// Letters and digits in lower case, with separators between words.
    slug: String,
}

fn hyphen() -> String {
    "-".to_owned()
}

/// Turns a text into a part of an address: `Salt & Pepper` becomes `salt-pepper`.
///
/// Latin letters lose their accents; letters of other scripts stay as they are.
#[operation(category = "text", tags = ["text", "web"], async_enabled = true)]
pub(crate) fn slugify(title: Title) -> Slug {
    let max_length = title.max_length.unwrap_or(usize::MAX);
    let folded = latin::fold(&title.text);
    Slug { slug: join(words(&folded), &title.separator, max_length) }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Joins as many words as fit into `max_length` characters.
fn join<'a>(
    mut words: impl Iterator<Item = &'a str>,
    separator: &str,
    max_length: usize,
) -> String {
    let first = words.next().unwrap_or_default();
    let mut joined: String = first.chars().take(max_length).collect();
    let mut length = joined.chars().count();
    for word in words {
        length += separator.chars().count() + word.chars().count();
        if length > max_length {
            break;
        }
        joined.push_str(separator);
        joined.push_str(word);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str, max_length: Option<usize>) -> String {
        let title = Title { text: text.to_owned(), separator: hyphen(), max_length };
        slugify(title).slug
    }

    #[test]
    fn what_is_no_letter_or_digit_separates() {
        assert_eq!(slug("  Salt & Pepper, 2nd ed. ", None), "salt-pepper-2nd-ed");
        assert_eq!(slug("!?", None), "");
    }

    #[test]
    fn accents_are_dropped() {
        assert_eq!(slug("Cr\u{e8}me Br\u{fb}l\u{e9}e", None), "creme-brulee");
    }

    #[test]
    fn other_scripts_stay() {
        let moscow = "\u{41c}\u{43e}\u{441}\u{43a}\u{432}\u{430}";
        assert_eq!(slug(moscow, None), moscow.to_lowercase());
    }

    #[test]
    fn words_that_do_not_fit_are_left_out() {
        assert_eq!(slug("one two three", Some(8)), "one-two");
        assert_eq!(slug("one two three", Some(7)), "one-two");
        assert_eq!(slug("one two three", Some(6)), "one");
    }

    #[test]
    fn the_first_word_is_cut() {
        assert_eq!(slug("unbelievable story", Some(6)), "unbeli");
    }

    #[test]
    fn the_separator_is_a_hyphen_unless_given() {
        let output = slugify::OPERATION.invoke(r#"{"text": "a b"}"#).unwrap();
        assert_eq!(output, r#"{"slug":"a-b"}"#);
        let output = slugify::OPERATION.invoke(r#"{"text": "a b", "separator": "_"}"#).unwrap();
        assert_eq!(output, r#"{"slug":"a_b"}"#);
    }
}
