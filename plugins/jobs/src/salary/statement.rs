//! Collects the tokens of a salary.

use super::token::Token;
use super::{Period, SalaryError};

/// The factor of `k`.
const THOUSAND: u64 = 1_000;

/// A value that a text states, and a value that it likely means.
#[derive(Debug)]
pub(super) struct Stated<T> {
    stated: Option<T>,
    likely: Option<T>,
}

impl<T> Default for Stated<T> {
    fn default() -> Self {
        Self { stated: None, likely: None }
    }
}

impl<T: Copy + PartialEq> Stated<T> {
    /// Returns the stated value, or else the likely value.
    pub(super) fn get(&self) -> Option<T> {
        self.stated.or(self.likely)
    }

    /// Sets the stated value. Returns `error` if another value is stated.
    fn state(&mut self, value: T, error: SalaryError) -> Result<(), SalaryError> {
        match self.stated.replace(value) {
            Some(other) if other != value => Err(error),
            _ => Ok(()),
        }
    }
}

/// An amount in hundredths, without the factor of `k`.
#[derive(Clone, Copy, Debug)]
struct Amount {
    cents: u64,
    thousands: bool,
}

/// The amounts of a text.
#[derive(Clone, Copy, Debug, Default)]
enum Amounts {
    #[default]
    None,
    One(Amount),
    /// One amount, and a word or dash of a range after it.
    Start(Amount),
    Range(Amount, Amount),
}

/// Which bound one amount is.
#[derive(Clone, Copy, Debug, Default)]
enum Bound {
    #[default]
    Both,
    Lowest,
    Highest,
}

/// The parts of a text about a salary.
#[derive(Debug, Default)]
pub(super) struct Statement {
    amounts: Amounts,
    bound: Bound,
    has_open_word: bool,
    /// The currency.
    pub(super) currency: Stated<&'static str>,
    /// The period.
    pub(super) period: Stated<Period>,
}

impl Statement {
    /// Collects tokens.
    ///
    /// # Errors
    ///
    /// - Returns [`SalaryError::TooManyAmounts`] for several amounts that are not a range.
    /// - Returns [`SalaryError::TwoCurrencies`] and [`SalaryError::TwoPeriods`] for different ones.
    /// - Returns [`SalaryError::UnsupportedPeriod`] for a period such as a week.
    pub(super) fn read(tokens: Vec<Token>) -> Result<Self, SalaryError> {
        let mut statement = Self::default();
        for token in tokens {
            statement.add(token)?;
        }
        Ok(statement)
    }

    /// Returns whether the text says that the salary is open.
    pub(super) fn is_open(&self) -> bool {
        self.has_open_word && matches!(self.amounts, Amounts::None)
    }

    /// Returns the lowest and the highest amount in hundredths.
    ///
    /// # Errors
    ///
    /// - Returns [`SalaryError::NoAmount`] if there is none.
    /// - Returns [`SalaryError::ReversedRange`] if the first amount is above the second.
    pub(super) fn bounds(&self) -> Result<(Option<u64>, Option<u64>), SalaryError> {
        match self.amounts {
            Amounts::None => Err(SalaryError::NoAmount),
            Amounts::One(amount) | Amounts::Start(amount) => {
                let amount = Some(amount.value(amount.thousands));
                Ok(match self.bound {
                    Bound::Both => (amount, amount),
                    Bound::Lowest => (amount, None),
                    Bound::Highest => (None, amount),
                })
            }
            Amounts::Range(low, high) => {
                // In `120-150k`, the factor is that of both amounts.
                let is_shared = high.thousands && low.cents < high.cents;
                let low = low.value(low.thousands || is_shared);
                let high = high.value(high.thousands);
                if low > high {
                    return Err(SalaryError::ReversedRange);
                }
                Ok((Some(low), Some(high)))
            }
        }
    }

    fn add(&mut self, token: Token) -> Result<(), SalaryError> {
        match token {
            Token::Amount { cents, thousands } => self.add_amount(Amount { cents, thousands })?,
            Token::Currency(code) => self.currency.state(code, SalaryError::TwoCurrencies)?,
            Token::LikelyCurrency(code) => self.currency.likely = Some(code),
            Token::Period(period) => self.period.state(period, SalaryError::TwoPeriods)?,
            Token::LikelyPeriod(period) => self.period.likely = Some(period),
            Token::UnsupportedPeriod(word) => return Err(SalaryError::UnsupportedPeriod(word)),
            Token::Range => self.start_range(),
            Token::RangeOrAtMost if matches!(self.amounts, Amounts::None) => {
                self.bound = Bound::Highest;
            }
            Token::RangeOrAtMost => self.start_range(),
            Token::AtMost => self.bound = Bound::Highest,
            Token::AtLeast => self.bound = Bound::Lowest,
            Token::Open => self.has_open_word = true,
            Token::Other => {}
        }
        Ok(())
    }

    fn add_amount(&mut self, amount: Amount) -> Result<(), SalaryError> {
        self.amounts = match self.amounts {
            Amounts::None => Amounts::One(amount),
            Amounts::Start(first) => Amounts::Range(first, amount),
            Amounts::One(_) | Amounts::Range(..) => return Err(SalaryError::TooManyAmounts),
        };
        Ok(())
    }

    fn start_range(&mut self) {
        if let Amounts::One(amount) = self.amounts {
            self.amounts = Amounts::Start(amount);
        }
    }
}

impl Amount {
    fn value(self, thousands: bool) -> u64 {
        if thousands { self.cents * THOUSAND } else { self.cents }
    }
}
