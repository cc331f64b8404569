//! Splits the text of a salary into tokens.

use std::iter::Peekable;
use std::str::CharIndices;

use super::amount::{self, is_separator};
use super::{Period, SalaryError, words};

/// A part of the text of a salary.
#[derive(Clone, Debug)]
pub(super) enum Token {
    /// An amount in hundredths.
    Amount {
        /// The amount, without the factor of `k`.
        cents: u64,
        /// Whether `k` follows, the factor 1,000.
        thousands: bool,
    },
    /// The code of a currency.
    Currency(&'static str),
    /// The code of a currency, unless the text names another one.
    LikelyCurrency(&'static str),
    /// A period.
    Period(Period),
    /// A period, unless the text names another one.
    LikelyPeriod(Period),
    /// A word of a period that salaries do not have.
    UnsupportedPeriod(String),
    /// A dash or word between the amounts of a range.
    Range,
    /// A word between the amounts of a range or before the highest amount.
    RangeOrAtMost,
    /// A word before the highest amount.
    AtMost,
    /// A word before the lowest amount, or `+` directly after it.
    AtLeast,
    /// A word of an open salary.
    Open,
    /// Any other word or symbol.
    Other,
}

/// Returns the tokens of a text.
///
/// # Errors
///
/// Returns [`SalaryError::InvalidAmount`] for a malformed number.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SalaryError> {
    let text = text.to_lowercase();
    let mut lexer = Lexer { text: &text, chars: text.char_indices().peekable(), amount_end: 0 };
    let mut tokens = Vec::new();
    while let Some((start, c)) = lexer.chars.next() {
        match c {
            c if c.is_whitespace() => {}
            c if c.is_ascii_digit() => tokens.extend(lexer.amount(start)?),
            c if c.is_alphabetic() => tokens.push(lexer.word(start)),
            '+' if start > 0 && start == lexer.amount_end => tokens.push(Token::AtLeast),
            c => tokens.push(words::symbol(c)),
        }
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    /// The index after the last amount.
    amount_end: usize,
}

impl Lexer<'_> {
    /// Returns the amount that starts at `start`, or `None` for a percentage.
    fn amount(&mut self, start: usize) -> Result<Option<Token>, SalaryError> {
        self.skip_while(|c, next| {
            c.is_ascii_digit() || is_separator(c) && next.is_some_and(|it| it.is_ascii_digit())
        });
        let text = &self.text[start..self.position()];
        let rest = self.text[self.position()..].trim_start();
        if rest.starts_with('%') {
            return Ok(None);
        }
        let thousands =
            rest.strip_prefix('k').is_some_and(|rest| !rest.starts_with(char::is_alphabetic));
        if thousands {
            self.skip_while(|c, _| c.is_whitespace());
            self.chars.next();
        }
        self.amount_end = self.position();
        Ok(Some(Token::Amount { cents: amount::parse(text)?, thousands }))
    }

    /// Returns the token of the word that starts at `start`. Abbreviations such as `p.a.` are words.
    fn word(&mut self, start: usize) -> Token {
        self.skip_while(|c, next| {
            c.is_alphabetic() || c == '.' && next.is_some_and(char::is_alphabetic)
        });
        let word = self.text[start..self.position()].replace('.', "");
        let has_dollar = self.chars.peek().is_some_and(|(_, c)| *c == '$');
        match words::dollar(&word).filter(|_| has_dollar) {
            Some(code) => {
                self.chars.next();
                Token::Currency(code)
            }
            None => words::word(&word),
        }
    }

    /// Skips characters as long as `is_part` accepts them, given the next character.
    fn skip_while(&mut self, is_part: impl Fn(char, Option<char>) -> bool) {
        while let Some((index, c)) = self.chars.peek().copied() {
            let next = self.text[index + c.len_utf8()..].chars().next();
            if !is_part(c, next) {
                return;
            }
            self.chars.next();
        }
    }

    /// Returns the index of the next character.
    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(index, _)| *index)
    }
}
