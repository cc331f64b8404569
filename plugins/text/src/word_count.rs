//! Counts the words, lines and characters of a text.

use std::cmp::Reverse;
use std::collections::HashMap;

use ophost_sdk::{model, operation};

/// The text to count.
#[model]
pub(crate) struct Text {
    /// The text.
    text: String,
    /// The number of most frequent words to list.
    #[serde(default)]
    #[schemars(range(max = 50))]
    top: usize,
}

/// The counts of a text.
#[model]
#[derive(PartialEq)]
pub(crate) struct Counts {
    /// The number of words. A word is a sequence of characters between white space.
    words: usize,
    /// The number of lines. A line break after the last line is optional.
    lines: usize,
    /// The number of Unicode code points. A letter can consist of several.
    characters: usize,
    /// The most frequent words, in lower case and without the punctuation around them.
    most_frequent: Vec<Frequency>,
}

/// The frequency of a word.
#[model]
#[derive(PartialEq)]
pub(crate) struct Frequency {
    /// The word.
    word: String,
    /// The number of occurrences.
    count: usize,
}

/// Counts the words, lines and characters of a text.
#[operation(category = "text", tags = ["text", "statistics"], async_enabled = true)]
pub(crate) fn word_count(input: Text) -> Counts {
    let text = &input.text;
    Counts {
        words: text.split_whitespace().count(),
        lines: text.lines().count(),
        characters: text.chars().count(),
        most_frequent: most_frequent(text, input.top),
    }
}

/// Returns the `top` most frequent words. Words of equal frequency are in alphabetical order.
fn most_frequent(text: &str, top: usize) -> Vec<Frequency> {
    let mut frequencies: Vec<Frequency> =
        counts_by_word(text).into_iter().map(|(word, count)| Frequency { word, count }).collect();
    frequencies.sort_unstable_by(|a, b| {
        let by_count = Reverse(a.count).cmp(&Reverse(b.count));
        by_count.then_with(|| a.word.cmp(&b.word))
    });
    frequencies.truncate(top);
    frequencies
}

fn counts_by_word(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str, top: usize) -> Counts {
        let text = text.to_owned();
        word_count(Text { text, top })
    }

    #[test]
    fn words_lines_and_characters_are_counted() {
        let counts = count("one two\nthree \u{fc}\n", 0);
        assert_eq!((counts.words, counts.lines, counts.characters), (4, 2, 16));
        assert_eq!(counts.most_frequent, []);
    }

    #[test]
    fn all_counts_of_an_empty_text_are_zero() {
        let counts = count("", 5);
        assert_eq!((counts.words, counts.lines, counts.characters), (0, 0, 0));
        assert_eq!(counts.most_frequent, []);
    }

    #[test]
    fn words_are_sorted_by_frequency_then_alphabet() {
        let counts = count("The cat, the dog - \"the\" bird; cat!", 3);
        let words: Vec<_> = counts
            .most_frequent
            .iter()
            .map(|frequency| (frequency.word.as_str(), frequency.count))
            .collect();
        assert_eq!(words, [("the", 3), ("cat", 2), ("bird", 1)]);
    }

    #[test]
    fn the_default_of_top_is_zero() {
        let output = word_count::OPERATION.invoke(r#"{"text": "hi"}"#).unwrap();
        assert_eq!(output, r#"{"words":1,"lines":1,"characters":2,"most_frequent":[]}"#);
    }
}
