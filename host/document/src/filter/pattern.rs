//! The regular expressions of a filter.

use regex::{Regex, RegexBuilder};

use super::error::Problem;
use super::{MAX_COMPILED, MAX_PATTERN};

/// What the search with one pattern may keep of its way through a text, in bytes. With less it
/// is slower, and still linear.
const CACHE: usize = 64 << 10;
/// The size that a small pattern is counted as when compiled, in bytes.
const SMALL: usize = 1 << 10;

/// What the patterns of a filter may still need when compiled, in bytes. Looking through a
/// text takes at most that many steps for each byte of it, and most often one.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_COMPILED)
    }
}

impl Room {
    /// Compiles a pattern that matches in linear time.
    pub(super) fn compile(&mut self, pattern: &str, options: &str) -> Result<Regex, Problem> {
        if pattern.len() > MAX_PATTERN {
            return Err(Problem::LongPattern);
        }
        let mut builder = builder(pattern, options)?;
        builder.dfa_size_limit(CACHE);
        let mut size = SMALL;
        loop {
            match builder.size_limit(size.min(self.0)).build() {
                Ok(regex) => {
                    self.0 -= size.min(self.0);
                    return Ok(regex);
                }
                Err(regex::Error::CompiledTooBig(_)) if size < self.0 => size *= 2,
                Err(error) => return Err(why_not(&error)),
            }
        }
    }
}

fn builder(pattern: &str, options: &str) -> Result<RegexBuilder, Problem> {
    let mut builder = RegexBuilder::new(&with_ascii_classes(pattern));
    for option in options.chars() {
        match option {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            'x' => builder.ignore_whitespace(true),
            other => return Err(Problem::Option(other)),
        };
    }
    Ok(builder)
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
                // `\b{start}` and its like have no other form.
                let is_whole = !letters.as_str().starts_with('{');
                let class = |escaped| ascii_class(escaped, is_whole && depth == 0);
                match escaped.and_then(class) {
                    Some(class) => ascii.push_str(class),
                    None => ascii.extend(['\\'].into_iter().chain(escaped)),
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

fn ascii_class(escaped: char, may_be_boundary: bool) -> Option<&'static str> {
    Some(match escaped {
        'w' => "[[:word:]]",
        'W' => "[^[:word:]]",
        'd' => "[[:digit:]]",
        'D' => "[^[:digit:]]",
        's' => "[[:space:]]",
        'S' => "[^[:space:]]",
        'b' if may_be_boundary => r"(?-u:\b)",
        'B' if may_be_boundary => r"(?-u:\B)",
        _ => return None,
    })
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

    fn compile(pattern: &str, options: &str) -> Result<Regex, Problem> {
        Room::default().compile(pattern, options)
    }

    fn matches(pattern: &str, options: &str, text: &str) -> bool {
        compile(pattern, options).unwrap().is_match(text)
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
        let mut room = Room::default();
        for pattern in everyday.iter().cycle().take(15) {
            assert!(room.compile(pattern, "i").is_ok(), "{pattern}, {room:?}");
        }
    }

    #[test]
    fn the_patterns_of_a_filter_share_a_room() {
        let mut room = Room::default();
        assert!(room.compile(r"\p{L}+", "").is_ok());
        assert_eq!(room.compile(r"\p{L}+", "").unwrap_err(), Problem::LargePatterns);
        assert!(Room::default().compile(r"\p{L}+\p{L}+", "").is_err());
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
