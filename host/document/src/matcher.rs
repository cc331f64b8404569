//! Looks for a regular expression in a text, within a budget.
//!
//! A search takes time in proportion to the text, for some expressions also to their size: up to
//! milliseconds for each KiB. [`Regex`] cannot be stopped, so it gets the short texts alone. A long
//! text is fed to a lazy DFA byte by byte, which stops when the budget is used up.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Builder, Cache, Config, DFA};

use crate::budget::{Budget, Interruption};

/// How large a text may be for [`Regex`]: the product of its length and of the size of the compiled
/// expression, both in bytes. A search takes at most some ten milliseconds then.
const SHORT: usize = 64 << 20;
/// How many bytes a DFA is fed between two looks at the budget.
const PART: usize = 16;
/// How many steps of a budget a byte is. One that leads to a new state takes as long as the
/// expression is large, up to a hundred microseconds.
const STEPS_PER_BYTE: usize = 4;

/// A regular expression that can be looked for in a text of any length.
#[derive(Clone, Debug)]
pub struct Matcher {
    regex: Regex,
    /// About how many bytes it has when compiled.
    size: usize,
    /// Made for the first long text; `None` if the expression cannot be searched for so.
    dfa: OnceLock<Option<Box<DFA>>>,
}

/// What is known of a text after a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Whether the expression is in it.
    Done(bool),
    /// Nothing: the expression has word boundaries of Unicode, and the text is long and not ASCII.
    Unsupported,
}

impl Matcher {
    /// Returns a matcher of an expression that needs about `size` bytes when compiled. Its options
    /// have to be in its text, as in `(?i)a`.
    pub fn new(regex: Regex, size: usize) -> Self {
        Self { regex, size, dfa: OnceLock::new() }
    }

    /// Compiles an expression that needs at most `size` bytes.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Regex`] if it is none, or too large.
    pub fn compile(expression: &str, size: usize) -> Result<Self, regex::Error> {
        let regex = RegexBuilder::new(expression).size_limit(size).build()?;
        Ok(Self::new(regex, size))
    }

    /// Looks for the expression in a text.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub fn search(&self, text: &str, budget: &Budget) -> Result<Search, Interruption> {
        if text.len().saturating_mul(self.size) <= SHORT {
            budget.spend(1 + text.len())?;
            return Ok(Search::Done(self.regex.is_match(text)));
        }
        let dfa = self.dfa.get_or_init(|| dfa(self.regex.as_str()).map(Box::new));
        match dfa {
            Some(dfa) => search(dfa, text.as_bytes(), budget),
            None => Ok(Search::Unsupported),
        }
    }
}

fn dfa(expression: &str) -> Option<DFA> {
    // It never gives up: with a full cache it is slower, and the budget ends it.
    let config = Config::new().unicode_word_boundary(true).skip_cache_capacity_check(true);
    Builder::new().configure(config).build(expression).ok()
}

fn search(dfa: &DFA, text: &[u8], budget: &Budget) -> Result<Search, Interruption> {
    let mut cache = dfa.create_cache();
    let Ok(mut state) = dfa.start_state_forward(&mut cache, &Input::new(text)) else {
        return Ok(Search::Unsupported);
    };
    for part in text.chunks(PART) {
        budget.spend(STEPS_PER_BYTE * part.len())?;
        for byte in part {
            match next(dfa.next_state(&mut cache, state, *byte).ok()) {
                Next::Go(next) => state = next,
                Next::End(search) => return Ok(search),
            }
        }
    }
    Ok(at_end(dfa, &mut cache, state))
}

/// What follows a byte.
enum Next {
    Go(LazyStateID),
    End(Search),
}

fn next(state: Option<LazyStateID>) -> Next {
    match state {
        Some(state) if !state.is_tagged() || state.is_start() => Next::Go(state),
        Some(state) if state.is_match() => Next::End(Search::Done(true)),
        Some(state) if state.is_dead() => Next::End(Search::Done(false)),
        Some(_) | None => Next::End(Search::Unsupported),
    }
}

/// A match is known one byte late, also at the end.
fn at_end(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Search {
    match dfa.next_eoi_state(cache, state) {
        Ok(state) => Search::Done(state.is_match()),
        Err(_) => Search::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a text that is short, and as if it were long.
    fn both(expression: &str, text: &str) -> [Search; 2] {
        let regex = Regex::new(expression).unwrap();
        [1, usize::MAX].map(|size| {
            Matcher::new(regex.clone(), size).search(text, &Budget::unlimited()).unwrap()
        })
    }

    #[test]
    fn a_long_text_is_searched_with_the_same_result_as_a_short_one() {
        let expressions = [
            "",
            "a",
            "^a",
            "a$",
            "^a$",
            "(?m)^b$",
            "(?i)AB",
            "(?s)a.b",
            "a.b",
            "[ab]*a[ab]{3}c",
            r"(?-u:\b)a",
            "ä+",
            "[^a]",
            "a|b|cd",
            "^(a|b)+$",
            r"\d{2}",
            "(?x)a b # c",
        ];
        let texts = ["", "a", "b", "ab", "ba", "a\nb", "xaabbacx", "ä", "cd", "12", "AB", "\n"];
        for expression in expressions {
            for text in texts {
                let [short, long] = both(expression, text);
                assert_eq!(short, long, "{expression:?} in {text:?}");
            }
        }
    }

    #[test]
    fn word_boundaries_of_unicode_are_found_in_ascii_alone() {
        assert_eq!(both(r"\bb", "a b"), [Search::Done(true); 2]);
        assert_eq!(both(r"\bc", "ä b")[1], Search::Unsupported);
    }

    #[test]
    fn a_search_ends_when_there_is_no_time_left() {
        let matcher = Matcher::new(Regex::new("[ab]*a[ab]{500}c").unwrap(), 64 << 10);
        let text = "ab".repeat(1 << 19);
        let few = Budget::unlimited().with_steps(10_000);
        assert_eq!(matcher.search(&text, &few), Err(Interruption::Steps));
    }
}
