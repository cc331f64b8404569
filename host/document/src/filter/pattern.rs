//! The regular expressions of a filter.

use regex::RegexBuilder;

use super::error::Problem;
use super::{MAX_COMPILED, MAX_PATTERN};
use crate::matcher::Matcher;

/// What the search with one pattern may keep of its way through a text, in bytes. With less it
/// is slower, and still linear.
const CACHE: usize = 64 << 10;
/// The size that a small pattern is counted as when compiled, in bytes.
const SMALL: usize = 1 << 10;

/// What the patterns of a filter may still need when compiled, in bytes. Looking through a
/// text takes at most that many steps for each byte of it, and most often one.
#[derive(Debug)]
pub(super) struct ByteBudget(usize);

impl Default for ByteBudget {
    fn default() -> Self {
        Self(MAX_COMPILED)
    }
}

impl ByteBudget {
    /// Compiles a pattern that matches in linear time.
    pub(super) fn compile(&mut self, pattern: &str, options: &str) -> Result<Matcher, Problem> {
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
                    return Ok(Matcher::new(regex, size));
                }
                Err(regex::Error::CompiledTooBig(_)) if size < self.0 => size *= 2,
                Err(error) => return Err(why_not(&error)),
            }
        }
    }
}

/// Returns a pattern with its options in it.
fn with_options(pattern: &str, options: &str) -> Result<String, Problem> {
    let mut given = String::new();
    for option in options.chars() {
        match option {
            'i' | 'm' | 's' | 'x' if given.contains(option) => {}
            'i' | 'm' | 's' | 'x' => given.push(option),
            other => return Err(Problem::Option(other)),
        }
    }
    Ok(if given.is_empty() { pattern.to_owned() } else { format!("(?{given}){pattern}") })
}

/// Returns a pattern whose `\w`, `\d`, `\s` and `\b` are about ASCII, as MongoDB's are. Those
/// about all languages are a hundred times as large when compiled.
fn with_ascii_classes(pattern: &str) -> String {
    let mut ascii = String::with_capacity(pattern.len());
    let mut depth = 0_usize;
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '[' => {
                depth += 1;
                ascii.push('[');
                let caret = letters.as_str().starts_with('^');
                // A bracket that comes first is one of the letters that are meant.
                let literal = letters.as_str()[usize::from(caret)..].starts_with(']');
                ascii.extend(letters.by_ref().take(usize::from(caret) + usize::from(literal)));
            }
            '\\' => {
                let escaped = letters.next();
                let boundary = escaped
                    .filter(|_| depth == 0)
                    .and_then(|escaped| boundary(escaped, letters.as_str()));
                match (boundary, escaped.and_then(ascii_class)) {
                    (Some(boundary), _) => {
                        ascii.push_str(&format!("(?-u:\\{boundary})"));
                        letters = letters.as_str()[boundary.len() - 1..].chars();
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

/// The boundaries of words, as they stand behind a backslash; a longer one before its beginning.
const BOUNDARIES: [&str; 8] =
    ["b{start-half}", "b{end-half}", "b{start}", "b{end}", "b", "B", "<", ">"];

/// Returns the boundary of a word that a letter behind a backslash begins, with what follows it.
fn boundary(escaped: char, rest: &str) -> Option<&'static str> {
    BOUNDARIES
        .into_iter()
        .find(|known| known.strip_prefix(escaped).is_some_and(|more| rest.starts_with(more)))
}

fn why_not(error: &regex::Error) -> Problem {
    match error {
        regex::Error::CompiledTooBig(_) => Problem::LargePatterns,
        // The first lines draw the pattern with an arrow; the last says what is wrong.
        other => {
            let told = other.to_string();
            let last = told.lines().last().unwrap_or_default();
            Problem::Pattern(last.strip_prefix("error: ").unwrap_or(last).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(pattern: &str, options: &str) -> Result<Matcher, Problem> {
        ByteBudget::default().compile(pattern, options)
    }

    fn matches(pattern: &str, options: &str, text: &str) -> bool {
        let budget = crate::budget::Budget::unlimited();
        let found = compile(pattern, options).unwrap().search(text, &budget).unwrap();
        found == crate::matcher::Search::Done(true)
    }

    #[test]
    fn a_pattern_is_looked_for_anywhere_in_the_text() {
        assert!(matches("ob", "", "Job") && !matches("^ob", "", "Job") && matches("", "", ""));
        assert!(matches("^.$", "", "ä"), "a dot is a character, not a byte");
    }

    #[test]
    fn options_change_what_a_pattern_matches() {
        assert!(!matches("ADÄ", "", "adä") && matches("ADÄ", "i", "adä"));
        assert!(!matches("^b$", "", "a\nb") && matches("^b$", "m", "a\nb"));
        assert!(!matches("a.b", "", "a\nb") && matches("a.b", "s", "a\nb"));
        assert!(!matches("a b", "x", "a b") && matches("a b # so", "xi", "AB"));
    }

    #[test]
    fn classes_are_about_ascii() {
        for (pattern, fits, other) in [
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
            assert!(matches(pattern, "", fits), "{pattern}: {}", with_ascii_classes(pattern));
            assert!(!matches(pattern, "", other), "{pattern}: {}", with_ascii_classes(pattern));
        }
    }

    #[test]
    fn everyday_patterns_fit_many_times() {
        let everyday = [
            r"^\w+@\w+\.\w+$",
            r"^jos[eé]\b",
            r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}",
            "^(open|closed|draft)$",
            ".*remote.*|.*home office.*",
        ];
        let mut room = ByteBudget::default();
        for pattern in everyday.iter().cycle().take(15) {
            assert!(room.compile(pattern, "i").is_ok(), "{pattern}, {room:?}");
        }
    }

    #[test]
    fn the_patterns_of_a_filter_share_a_room() {
        let mut room = ByteBudget::default();
        assert!(room.compile(r"\p{L}+", "").is_ok());
        assert_eq!(room.compile(r"\p{L}+", "").unwrap_err(), Problem::LargePatterns);
        assert!(ByteBudget::default().compile(r"\p{L}+\p{L}+", "").is_err());
    }

    #[test]
    fn patterns_that_cost_too_much_or_are_none_are_refused_with_a_reason() {
        let why = |pattern: &str| compile(pattern, "").unwrap_err().to_string();
        let large = "the patterns of a filter need at most 64 KiB when compiled, these need more";
        assert_eq!(why("((a{100}){100}){100}"), large);
        assert_eq!(why(&"a".repeat(1001)), "a pattern has at most 1000 bytes");
        let look = "look-around, including look-ahead and look-behind, is not supported";
        assert_eq!(why("(?=a)"), format!("not a pattern: {look}"));
        assert_eq!(why(r"(a)\1"), "not a pattern: backreferences are not supported");
        assert_eq!(why("("), "not a pattern: unclosed group");
        for broken in ["[", "[^", "[]", "\\", "[\\", "a{9999999999}", "(?x", "[[:word:]"] {
            assert!(why(broken).starts_with("not a pattern: "), "{broken}");
        }
        let told = compile("a", "iu").unwrap_err().to_string();
        assert_eq!(told, "the options of a pattern are i, m, s and x, not 'u'");
    }
}
