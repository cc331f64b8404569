//! Numbers that fit into 64 bits exactly.

use serde_json::Value;

use crate::json;

/// Parses a JSON number, if a 64-bit integer or float represents it exactly.
///
/// Returns `None` for any other text, for example with more digits than fit into 64 bits, with
/// leading zeros, with white space around the number or with a decimal comma.
pub fn exact(text: &str) -> Option<Value> {
    // The first character rules out most texts that are not numbers.
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(())?;
    let value = json::parse(text).ok().filter(Value::is_number)?;
    (Decimal::of(text)? == Decimal::of(&value.to_string())?).then_some(value)
}

/// The exact value of a number, independent of its notation.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// The digits without leading and trailing zeros. Zero has no digits.
    digits: String,
    /// Number of zeros after the digits. If negative, the number of digits after the point.
    zeros: i64,
}

impl Decimal {
    /// Parses a JSON number without white space around it.
    fn of(text: &str) -> Option<Self> {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (is_negative, number) =
            number.strip_prefix('-').map_or((false, number), |number| (true, number));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all = format!("{whole}{fraction}");
        all.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        let digits = all.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), zeros: 0 });
        }
        let fraction_length = i64::try_from(fraction.len()).ok()?;
        let zeros = i64::try_from(all.len() - digits.len()).ok()? - fraction_length;
        let zeros = exponent.parse::<i64>().ok()?.checked_add(zeros)?;
        Some(Self { is_negative, digits: digits.trim_start_matches('0').to_owned(), zeros })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_json_numbers_are_parsed() {
        let numbers = [
            "7",
            "-5",
            "2.5",
            "10.00",
            "0.10",
            "-0",
            "-0.0",
            "0.000",
            "1e5",
            "1e-05",
            "-2.50E+3",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "1e300",
        ];
        for cell in numbers {
            assert!(exact(cell).is_some(), "{cell}");
        }
        let texts = [
            "",
            " 7",
            "7 ",
            "01234",
            "-01",
            "+1",
            ".5",
            "1.",
            "1e",
            "0x10",
            "1,5",
            "1_000",
            "NaN",
            "-",
            "18446744073709551616",
            "9007199254740993.0",
            "0.1000000000000000055",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "True",
            "null",
            "[1]",
            "\u{661}",
        ];
        for cell in texts {
            assert_eq!(exact(cell), None, "{cell}");
        }
    }
}
