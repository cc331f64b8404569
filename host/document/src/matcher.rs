//! Searches a text for a regular expression, within a budget.
//!
//! The time of a search is proportional to the length of the text, and for some expressions also
//! to their size: up to milliseconds for each KiB. [`Regex`] cannot be interrupted, so it searches
//! only short texts. For a long text, a lazy DFA runs byte by byte until the budget is used up.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Builder, Cache, Config, DFA};

use crate::budget::{Budget, Interruption};

/// Maximum product of the length of a short text and the size of the compiled expression, both in
/// bytes. The search of a short text takes at most some ten milliseconds.
const SHORT: usize = 64 << 20;
/// Number of bytes that the DFA processes between two budget checks.
const PART: usize = 16;
/// Number of budget steps for each byte. A byte that leads to a new DFA state takes time
/// proportional to the size of the expression, up to a hundred microseconds.
const STEPS_PER_BYTE: usize = 4;

/// A regular expression that can search texts of any length.
#[derive(Clone, Debug)]
pub struct Matcher {
    regex: Regex,
    /// Approximate size of the compiled expression, in bytes.
    size: usize,
    /// Built for the first long text; `None` if a DFA cannot be built for the expression.
    dfa: OnceLock<Option<Box<DFA>>>,
}

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Whether the expression matches.
    Done(bool),
    /// Unknown: the expression has Unicode word boundaries, and the text is long and not ASCII.
    Unsupported,
}

impl Matcher {
    /// Returns a matcher for an expression that has about `size` bytes when compiled.
    ///
    /// Options must be in the text of the expression, as in `(?i)a`, because the DFA is built from
    /// that text.
    pub fn new(regex: Regex, size: usize) -> Self {
        Self { regex, size, dfa: OnceLock::new() }
    }

    /// Compiles an expression that has at most `size` bytes when compiled.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Regex`] if the expression is invalid or too large.
    pub fn compile(expression: &str, size: usize) -> Result<Self, regex::Error> {
        let regex = RegexBuilder::new(expression).size_limit(size).build()?;
        Ok(Self::new(regex, size))
    }

    /// Searches a text for the expression.
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
    // Without this check, the search never fails because of a full cache. It only becomes slower,
    // and the budget limits its time.
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

/// How the search continues after a byte.
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

/// Returns the result at the end of the text. The DFA reports a match one byte late, so the end of
/// the text needs a transition of its own.
fn at_end(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Search {
    match dfa.next_eoi_state(cache, state) {
        Ok(state) => Search::Done(state.is_match()),
        Err(_) => Search::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a short text, as a short text and as a long text.
    fn both(expression: &str, text: &str) -> [Search; 2] {
        let regex = Regex::new(expression).unwrap();
        [1, usize::MAX].map(|size| {
            Matcher::new(regex.clone(), size).search(text, &Budget::unlimited()).unwrap()
        })
    }

    #[test]
    fn long_and_short_texts_have_the_same_result() {
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
    fn unicode_word_boundaries_are_unsupported_in_long_non_ascii_texts() {
        assert_eq!(both(r"\bb", "a b"), [Search::Done(true); 2]);
        assert_eq!(both(r"\bc", "ä b")[1], Search::Unsupported);
    }

    #[test]
    fn search_stops_when_the_budget_is_used_up() {
        let matcher = Matcher::new(Regex::new("[ab]*a[ab]{500}c").unwrap(), 64 << 10);
        let text = "ab".repeat(1 << 19);
        let few = Budget::unlimited().with_steps(10_000);
        assert_eq!(matcher.search(&text, &few), Err(Interruption::Steps));
    }
}
