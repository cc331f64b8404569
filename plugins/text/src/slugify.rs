//! Converts a text to a slug, a part of a URL.

use ophost_sdk::{model, operation};

use crate::latin;

/// The text to convert, and the format of the slug.
#[model]
pub(crate) struct Title {
    /// The text, such as a title.
    text: String,
    /// The separator of two words.
    #[serde(default = "hyphen")]
    #[schemars(length(max = 8))]
    separator: String,
    /// The maximum number of characters of the slug. Words that do not fit are dropped, and the
    /// first word is truncated.
    #[serde(default)]
    #[schemars(range(min = 1))]
    max_length: Option<usize>,
}

/// A text for a part of a URL.
#[model]
pub(crate) struct Slug {
    /// Letters and digits in lower case, with a separator between two words.
    slug: String,
}

fn hyphen() -> String {
    "-".to_owned()
}

/// Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.
///
/// Latin letters lose their accents. Letters of other scripts are kept.
#[operation(category = "text", tags = ["text", "web"], async_enabled = true)]
pub(crate) fn slugify(title: Title) -> Slug {
    let max_length = title.max_length.unwrap_or(usize::MAX);
    let folded = latin::fold(&title.text);
    Slug { slug: join(words(&folded), &title.separator, max_length) }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Joins words up to `max_length` characters.
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
    fn all_other_characters_separate_words() {
        assert_eq!(slug("  Salt & Pepper, 2nd ed. ", None), "salt-pepper-2nd-ed");
        assert_eq!(slug("!?", None), "");
    }

    #[test]
    fn accents_are_dropped() {
        assert_eq!(slug("Cr\u{e8}me Br\u{fb}l\u{e9}e", None), "creme-brulee");
    }

    #[test]
    fn other_scripts_are_kept() {
        let moscow = "\u{41c}\u{43e}\u{441}\u{43a}\u{432}\u{430}";
        assert_eq!(slug(moscow, None), moscow.to_lowercase());
    }

    #[test]
    fn words_that_do_not_fit_are_dropped() {
        assert_eq!(slug("one two three", Some(8)), "one-two");
        assert_eq!(slug("one two three", Some(7)), "one-two");
        assert_eq!(slug("one two three", Some(6)), "one");
    }

    #[test]
    fn the_first_word_is_truncated() {
        assert_eq!(slug("unbelievable story", Some(6)), "unbeli");
    }

    #[test]
    fn the_default_separator_is_a_hyphen() {
        let output = slugify::OPERATION.invoke(r#"{"text": "a b"}"#).unwrap();
        assert_eq!(output, r#"{"slug":"a-b"}"#);
        let output = slugify::OPERATION.invoke(r#"{"text": "a b", "separator": "_"}"#).unwrap();
        assert_eq!(output, r#"{"slug":"a_b"}"#);
    }
}
