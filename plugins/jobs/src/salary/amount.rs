//! Amounts of money in hundredths of the currency.

use ophost_sdk::serde_json::Number;

use super::SalaryError;

/// Hundredths of one unit of the currency.
pub(super) const UNIT: u64 = 100;
/// Maximum number of digits of an amount. Any such amount fits into 64 bits in hundredths.
const MAX_DIGITS: usize = 12;

/// Returns whether a character separates groups of digits or decimals.
pub(super) fn is_separator(c: char) -> bool {
    matches!(c, '.' | ',') || is_group_separator(c)
}

/// Returns whether a character separates only groups of digits.
fn is_group_separator(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// Parses a number such as `45.000`, `8'500`, `12,00,000` or `25.50`.
///
/// The last point or comma separates decimals if one or two digits follow it and the separator
/// occurs once. All other separators are equal and separate groups.
///
/// # Errors
///
/// Returns [`SalaryError::InvalidAmount`] if the groups have wrong sizes, and for zero and more
/// than 12 digits.
pub(super) fn parse(text: &str) -> Result<u64, SalaryError> {
    let (whole, decimals) = split_decimals(text);
    let cents = digits_of_groups(whole).and_then(|digits| {
        let decimals: u64 = format!("{decimals:0<2}").parse().ok()?;
        Some(digits.parse::<u64>().ok()? * UNIT + decimals)
    });
    let invalid = || SalaryError::InvalidAmount(text.to_owned());
    cents.filter(|cents| *cents > 0).ok_or_else(invalid)
}

/// Returns the text before the decimals, and the decimals.
fn split_decimals(text: &str) -> (&str, &str) {
    match text.rsplit_once(['.', ',']) {
        Some((whole, decimals))
            if decimals.len() <= 2
                && decimals.bytes().all(|byte| byte.is_ascii_digit())
                && !whole.contains(&text[whole.len()..=whole.len()]) =>
        {
            (whole, decimals)
        }
        _ => (text, ""),
    }
}

/// Returns the digits without separators, or `None` if the groups are not groups of a number.
fn digits_of_groups(text: &str) -> Option<String> {
    let groups: Vec<_> = text.split(is_separator).collect();
    let mut separators = text.chars().filter(|c| is_separator(*c));
    let first = separators.next();
    let is_uniform = separators.all(|separator| Some(separator) == first);
    let is_number = match groups.as_slice() {
        [_] => true,
        // Groups of two digits before the last one are Indian.
        [first, middle @ .., last] => {
            (1..=3).contains(&first.len())
                && (middle.iter().all(|group| group.len() == 3)
                    || middle.iter().all(|group| group.len() == 2))
                && last.len() == 3
        }
        [] => false,
    };
    let digits = groups.concat();
    (is_uniform && is_number && digits.len() <= MAX_DIGITS).then_some(digits)
}

/// Returns an amount in units of the currency, as an integer if it has no decimals.
pub(super) fn number(cents: u64) -> Number {
    let whole = Number::from(cents / UNIT);
    if cents.is_multiple_of(UNIT) {
        return whole;
    }
    Number::from_f64(cents as f64 / UNIT as f64).unwrap_or(whole)
}
