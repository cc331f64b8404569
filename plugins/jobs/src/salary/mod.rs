//! Parses the salary of a posting.
//!
//! - `token`: splits a text into tokens, with `words` as the dictionary.
//! - `amount`: parses numbers with digit groups, decimals and `k`.
//! - `statement`: collects the tokens of a text.
//!
//! The languages are English, German and French. Unknown words are ignored.

mod amount;
mod statement;
mod token;
mod words;

use std::error::Error;
use std::fmt;

use ophost_sdk::model;
use ophost_sdk::serde_json::Number;

use self::statement::Statement;

/// The smallest amount without a period that is an amount per year.
const MIN_YEARLY: u64 = 10_000 * amount::UNIT;

/// A salary. Both bounds are equal if the posting states one amount.
#[model]
#[derive(PartialEq)]
pub(crate) struct Salary {
    /// The lowest amount, or `null` if the posting states only the highest amount.
    pub(crate) min: Option<Number>,
    /// The highest amount, or `null` if the posting states only the lowest amount.
    pub(crate) max: Option<Number>,
    /// The currency, a code of ISO 4217.
    pub(crate) currency: String,
    /// The period that the amounts are paid for.
    pub(crate) period: Period,
}

/// The period of a salary.
#[model]
#[serde(rename_all = "lowercase")]
#[derive(Copy, Eq, PartialEq)]
pub(crate) enum Period {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// Reason why a text is not a salary.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum SalaryError {
    /// The text has no amount, and does not say that the salary is open.
    NoAmount,
    /// A number is malformed, zero or too large.
    InvalidAmount(String),
    /// The text has several amounts that are not a range.
    TooManyAmounts,
    /// The lowest amount is above the highest amount.
    ReversedRange,
    /// The text names no currency.
    NoCurrency,
    /// The text names two currencies.
    TwoCurrencies,
    /// The text names no period, and the amount is too small for a year.
    NoPeriod,
    /// The text names two periods.
    TwoPeriods,
    /// The period is not one of [`Period`].
    UnsupportedPeriod(String),
}

impl fmt::Display for SalaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAmount => f.write_str("no amount"),
            Self::InvalidAmount(text) => write!(f, "`{text}` is not a valid amount"),
            Self::TooManyAmounts => f.write_str("several amounts that are not a range"),
            Self::ReversedRange => f.write_str("the lowest amount is above the highest amount"),
            Self::NoCurrency => f.write_str("no currency"),
            Self::TwoCurrencies => f.write_str("two currencies"),
            Self::NoPeriod => f.write_str("no period"),
            Self::TwoPeriods => f.write_str("two periods"),
            Self::UnsupportedPeriod(word) => write!(f, "unsupported period `{word}`"),
        }
    }
}

impl Error for SalaryError {}

/// Parses a salary. Returns `None` for an empty text and for an open salary such as `competitive`.
///
/// # Errors
///
/// Returns [`SalaryError`] if the text is anything else than an open salary, an amount or a range.
pub(crate) fn parse(text: &str) -> Result<Option<Salary>, SalaryError> {
    let statement = Statement::read(token::tokens(text)?)?;
    if statement.is_open() || is_unstated(text) {
        return Ok(None);
    }
    let (min, max) = statement.bounds()?;
    let currency = statement.currency.get().ok_or(SalaryError::NoCurrency)?;
    let largest = max.or(min).unwrap_or_default();
    let yearly = (largest >= MIN_YEARLY).then_some(Period::Year);
    let period = statement.period.get().or(yearly).ok_or(SalaryError::NoPeriod)?;
    let (min, max) = (min.map(amount::number), max.map(amount::number));
    Ok(Some(Salary { min, max, currency: currency.to_owned(), period }))
}

/// Returns whether a text says that there is no salary, such as `-` and `n/a`.
fn is_unstated(text: &str) -> bool {
    !text.contains(char::is_alphanumeric) || text.trim().eq_ignore_ascii_case("n/a")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a salary as one line: bounds, currency and period.
    fn line(text: &str) -> String {
        let bound = |bound: Option<Number>| bound.map_or("?".to_owned(), |it| it.to_string());
        match parse(text) {
            Ok(None) => "open".to_owned(),
            Ok(Some(Salary { min, max, currency, period })) => {
                format!("{}..{} {currency} {period:?}", bound(min), bound(max))
            }
            Err(error) => format!("error: {error}"),
        }
    }

    fn check(cases: &[(&str, &str)]) {
        let wrong = cases.iter().map(|(text, expected)| (*text, line(text), *expected));
        let wrong: Vec<_> = wrong.filter(|(_, found, expected)| found != expected).collect();
        assert!(wrong.is_empty(), "(text, found, expected): {wrong:#?}");
    }

    #[test]
    fn ranges_are_parsed_in_many_notations() {
        check(&[
            ("$120k - $150k / yr", "120000..150000 USD Year"),
            ("$120-150k per year", "120000..150000 USD Year"),
            ("USD 120,000 to 150,000 annually", "120000..150000 USD Year"),
            ("between $95,000 and $110,000", "95000..110000 USD Year"),
            ("€ 45.000\u{2013}55.000 pro Jahr", "45000..55000 EUR Year"),
            ("45.000 bis 55.000 EUR brutto p.a.", "45000..55000 EUR Year"),
            ("45-55 k€ / an", "45000..55000 EUR Year"),
            ("38 000 € à 42 000 € brut par an", "38000..42000 EUR Year"),
            ("\u{20b9}12,00,000 - \u{20b9}18,00,000 p.a.", "1200000..1800000 INR Year"),
            ("CHF 95'000\u{2013}110'000", "95000..110000 CHF Year"),
            ("£40-45/h", "40..45 GBP Hour"),
        ]);
    }

    #[test]
    fn single_amounts_are_parsed_in_many_notations() {
        check(&[
            ("£25.50 per hour", "25.5..25.5 GBP Hour"),
            ("CHF 8'500 monthly", "8500..8500 CHF Month"),
            ("Fr. 8\u{2019}500 pro Monat", "8500..8500 CHF Month"),
            ("3.200,50 € monatlich", "3200.5..3200.5 EUR Month"),
            ("€ 45.000,- brutto", "45000..45000 EUR Year"),
            ("C$85K a year + bonus", "85000..85000 CAD Year"),
            ("$85,000 CAD per annum", "85000..85000 CAD Year"),
            ("Tagessatz 650 EUR", "650..650 EUR Day"),
            ("$25 an hour", "25..25 USD Hour"),
            ("1.5k EUR/mois", "1500..1500 EUR Month"),
            ("14 000 zł / month", "14000..14000 PLN Month"),
            ("$90k base, 10% bonus", "90000..90000 USD Year"),
        ]);
    }

    #[test]
    fn one_bound_can_be_open() {
        check(&[
            ("up to $90k", "?..90000 USD Year"),
            ("bis zu 60.000 €", "?..60000 EUR Year"),
            ("bis 60.000 €", "?..60000 EUR Year"),
            ("from £30,000 p.a.", "30000..? GBP Year"),
            ("ab 3.800 € monatlich", "3800..? EUR Month"),
            ("£30k+", "30000..? GBP Year"),
        ]);
    }

    #[test]
    fn salaries_without_amount_are_open() {
        check(&[
            ("competitive", "open"),
            ("Competitive salary + 10% bonus", "open"),
            ("DOE", "open"),
            ("n/a", "open"),
            ("nach Vereinbarung", "open"),
            ("à négocier", "open"),
            (" - ", "open"),
            ("", "open"),
        ]);
    }

    #[test]
    fn other_texts_are_errors() {
        check(&[
            ("see website", "error: no amount"),
            ("$12,34", "error: no period"),
            ("$1,23,4 per hour", "error: `1,23,4` is not a valid amount"),
            ("$0 per hour", "error: `0` is not a valid amount"),
            ("$99999999999999999999", "error: `99999999999999999999` is not a valid amount"),
            ("$50k, 40 hours", "error: several amounts that are not a range"),
            ("$1k - $2k - $3k", "error: several amounts that are not a range"),
            ("$150k - $120k", "error: the lowest amount is above the highest amount"),
            ("50000 per year", "error: no currency"),
            ("50k EUR or GBP", "error: two currencies"),
            ("$5,000", "error: no period"),
            ("$5,000 per month or year", "error: two periods"),
            ("$900 per week", "error: unsupported period `week`"),
        ]);
    }
}
