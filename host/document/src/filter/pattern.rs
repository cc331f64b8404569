//! The regular expressions of a filter.

use regex::RegexBuilder;

use super::error::Problem;
use super::{MAX_COMPILED, MAX_PATTERN};
use crate::budget::{Budget, Interruption};
use crate::matcher::{Matcher, Search};

/// Maximum size of the DFA cache of the regex crate for one pattern, in bytes. A smaller cache makes
/// searches slower, but they stay linear.
const CACHE: usize = 64 << 10;
/// Minimum size that a compiled pattern counts as, in bytes.
const SMALL: usize = 1 << 10;

/// A regular expression of a filter, in the syntax of the crate `regex`.
///
/// `\w`, `\d`, `\s` and `\b` match only ASCII.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Box<str>,
    options: Box<str>,
    matcher: Matcher,
}

impl Pattern {
    /// Returns the expression, as in the filter.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the options, as in the filter: any of `i`, `m`, `s` and `x`.
    pub fn options(&self) -> &str {
        &self.options
    }

    /// Returns a text with which every matching text begins; `None` if no such text is known.
    ///
    /// Recognises only patterns such as `^abc.*`: an anchor, then literal characters.
    pub fn literal_prefix(&self) -> Option<&str> {
        // `s` has no effect on literal characters. Alternatives can begin with other texts.
        if self.options.bytes().any(|option| option != b's') || self.source.contains('|') {
            return None;
        }
        let rest = self.source.strip_prefix('^')?;
        let end = rest.find(is_special).unwrap_or(rest.len());
        let (literal, next) = rest.split_at(end);
        let literal = match next.starts_with(['*', '?', '{']) {
            // The last character can be missing.
            true => literal.char_indices().next_back().map_or("", |(last, _)| &literal[..last]),
            false => literal,
        };
        Some(literal).filter(|literal| !literal.is_empty())
    }

    pub(super) fn search(&self, text: &str, budget: &Budget) -> Result<Search, Interruption> {
        self.matcher.search(text, budget)
    }
}

/// Returns whether a character has a meaning of its own in a pattern.
fn is_special(c: char) -> bool {
    r"\.+*?()|[]{}^$".contains(c)
}

/// The size that the remaining patterns of a filter can have when compiled, in bytes.
///
/// A search takes at most this number of steps for each byte of the text, and usually one.
#[derive(Debug)]
pub(super) struct PatternBudget(usize);

impl Default for PatternBudget {
    fn default() -> Self {
        Self(MAX_COMPILED)
    }
}

impl PatternBudget {
    /// Compiles a pattern that matches in linear time.
    pub(super) fn compile(&mut self, pattern: &str, options: &str) -> Result<Pattern, Problem> {
        if pattern.len() > MAX_PATTERN {
            return Err(Problem::LongPattern);
        }
        let mut builder = RegexBuilder::new(&with_options(&with_ascii_classes(pattern), options)?);
        builder.dfa_size_limit(CACHE);
        let mut size = SMALL;
        loop {
            match builder.size_limit(size.min(self.0)).build() {
                Ok(regex) => {
                    let size = size.min(self.0);
                    self.0 -= size;
                    let (source, options) = (pattern.into(), options.into());
                    return Ok(Pattern { source, options, matcher: Matcher::new(regex, size) });
                }
                Err(regex::Error::CompiledTooBig(_)) if size < self.0 => size *= 2,
                Err(error) => return Err(pattern_problem(&error)),
            }
        }
    }
}

/// Returns a pattern with its options as a prefix, such as `(?i)`.
fn with_options(pattern: &str, options: &str) -> Result<String, Problem> {
    let mut flags = String::new();
    for option in options.chars() {
        match option {
            'i' | 'm' | 's' | 'x' if flags.contains(option) => {}
            'i' | 'm' | 's' | 'x' => flags.push(option),
            other => return Err(Problem::Option(other)),
        }
    }
    Ok(if flags.is_empty() { pattern.to_owned() } else { format!("(?{flags}){pattern}") })
}

/// Returns a pattern in which `\w`, `\d`, `\s` and `\b` match only ASCII, as in MongoDB.
///
/// Compiled Unicode classes would be a hundred times as large.
fn with_ascii_classes(pattern: &str) -> String {
    let mut ascii = String::with_capacity(pattern.len());
    let mut depth = 0_usize;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '[' => {
                depth += 1;
                ascii.push('[');
                let caret = chars.as_str().starts_with('^');
                // A closing bracket at the start of a class is a literal.
                let literal = chars.as_str()[usize::from(caret)..].starts_with(']');
                ascii.extend(chars.by_ref().take(usize::from(caret) + usize::from(literal)));
            }
            '\\' => {
                let escaped = chars.next();
                let boundary = escaped
                    .filter(|_| depth == 0)
                    .and_then(|escaped| boundary(escaped, chars.as_str()));
                match (boundary, escaped.and_then(ascii_class)) {
                    (Some(boundary), _) => {
                        ascii.push_str(&format!("(?-u:\\{boundary})"));
                        chars = chars.as_str()[boundary.len() - 1..].chars();
                    }
                    (None, Some(class)) => ascii.push_str(class),
                    (None, None) => ascii.extend(['\\'].into_iter().chain(escaped)),
                }
            }
            other => {
                depth = depth.saturating_sub(usize::from(other == ']'));
                ascii.push(other);
            }
        }
    }
    ascii
}

fn ascii_class(escaped: char) -> Option<&'static str> {
    Some(match escaped {
        'w' => "[[:word:]]",
        'W' => "[^[:word:]]",
        'd' => "[[:digit:]]",
        'D' => "[^[:digit:]]",
        's' => "[[:space:]]",
        'S' => "[^[:space:]]",
        _ => return None,
    })
}

/// The word boundaries, without the backslash. A longer one comes before its prefix.
const BOUNDARIES: [&str; 8] =
    ["b{start-half}", "b{end-half}", "b{start}", "b{end}", "b", "B", "<", ">"];

/// Returns the word boundary that begins with an escaped character and continues in the rest.
fn boundary(escaped: char, rest: &str) -> Option<&'static str> {
    BOUNDARIES
        .into_iter()
        .find(|known| known.strip_prefix(escaped).is_some_and(|tail| rest.starts_with(tail)))
}

fn pattern_problem(error: &regex::Error) -> Problem {
    match error {
        regex::Error::CompiledTooBig(_) => Problem::LargePatterns,
        // The first lines of the message show the pattern with an arrow. The last line is the
        // reason.
        other => {
            let message = other.to_string();
            let last = message.lines().last().unwrap_or_default();
            Problem::Pattern(last.strip_prefix("error: ").unwrap_or(last).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(pattern: &str, options: &str) -> Result<Pattern, Problem> {
        PatternBudget::default().compile(pattern, options)
    }

    fn matches(pattern: &str, options: &str, text: &str) -> bool {
        let budget = crate::budget::Budget::unlimited();
        let found = compile(pattern, options).unwrap().search(text, &budget).unwrap();
        found == crate::matcher::Search::Done(true)
    }

    #[test]
    fn pattern_matches_anywhere_in_the_text() {
        assert!(matches("ob", "", "Job") && !matches("^ob", "", "Job") && matches("", "", ""));
        assert!(matches("^.$", "", "ä"), "a dot matches a character, not a byte");
    }

    #[test]
    fn options_change_the_matches() {
        assert!(!matches("ADÄ", "", "adä") && matches("ADÄ", "i", "adä"));
        assert!(!matches("^b$", "", "a\nb") && matches("^b$", "m", "a\nb"));
        assert!(!matches("a.b", "", "a\nb") && matches("a.b", "s", "a\nb"));
        assert!(!matches("a b", "x", "a b") && matches("a b # so", "xi", "AB"));
    }

    #[test]
    fn classes_and_boundaries_match_only_ascii() {
        for (pattern, matching, other) in [
            (r"^\w+$", "aZ_9", "ä"),
            (r"^[\w.-]+$", "a.b-c", "ä"),
            (r"^[^\W\d]$", "a", "1"),
            (r"^\d\D$", "1٣", "٣1"),
            (r"^\s\S$", " \u{a0}", "\u{a0} "),
            (r"jos\b", "josé", "joseph"),
            (r"jos\B", "jose", "jos"),
            (r"\b{start}jo", "a jo", "ajo"),
            (r"\b{start}jo", "ä jo", "ajo"),
            (r"jo\>", "joä", "job"),
            (r"\<jo", "äjo", "ajo"),
            (r"^[]\d]+$", "]1", "\\d"),
            (r"^[^]\d]+$", "a\\", "1"),
            (r"^\\w$", r"\w", "a"),
            (r"^[\[\]]\w$", "]a", "]ä"),
        ] {
            assert!(matches(pattern, "", matching), "{pattern}: {}", with_ascii_classes(pattern));
            assert!(!matches(pattern, "", other), "{pattern}: {}", with_ascii_classes(pattern));
        }
    }

    #[test]
    fn budget_is_large_enough_for_many_common_patterns() {
        let common = [
            r"^\w+@\w+\.\w+$",
            r"^jos[eé]\b",
            r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}",
            "^(open|closed|draft)$",
            ".*remote.*|.*home office.*",
        ];
        let mut budget = PatternBudget::default();
        for pattern in common.iter().cycle().take(15) {
            assert!(budget.compile(pattern, "i").is_ok(), "{pattern}, {budget:?}");
        }
    }

    #[test]
    fn patterns_of_a_filter_share_a_budget() {
        let mut budget = PatternBudget::default();
        assert!(budget.compile(r"\p{L}+", "").is_ok());
        assert_eq!(budget.compile(r"\p{L}+", "").unwrap_err(), Problem::LargePatterns);
        assert!(PatternBudget::default().compile(r"\p{L}+\p{L}+", "").is_err());
    }

    #[test]
    fn large_and_invalid_patterns_are_rejected_with_a_reason() {
        let why = |pattern: &str| compile(pattern, "").unwrap_err().to_string();
        let large = "the compiled patterns of the filter are larger than 64 KiB";
        assert_eq!(why("((a{100}){100}){100}"), large);
        assert_eq!(why(&"a".repeat(1001)), "the pattern is longer than 1000 bytes");
        let look = "look-around, including look-ahead and look-behind, is not supported";
        assert_eq!(why("(?=a)"), format!("invalid pattern: {look}"));
        assert_eq!(why(r"(a)\1"), "invalid pattern: backreferences are not supported");
        assert_eq!(why("("), "invalid pattern: unclosed group");
        for broken in ["[", "[^", "[]", "\\", "[\\", "a{9999999999}", "(?x", "[[:word:]"] {
            assert!(why(broken).starts_with("invalid pattern: "), "{broken}");
        }
        let unknown = compile("a", "iu").unwrap_err().to_string();
        assert_eq!(unknown, "unknown pattern option 'u'; expected i, m, s or x");
    }
}
