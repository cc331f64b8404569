//! Numbers that 64 bits hold exactly.

use serde_json::Value;

use crate::json;

/// Reads a number as JSON writes it, if a 64-bit integer or float holds it exactly.
///
/// Returns `None` for any other text: more digits than 64 bits hold, zeros before the number, white
/// space around it, a decimal comma.
pub fn exact(text: &str) -> Option<Value> {
    // Most texts that are no number say so at once.
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(())?;
    let value = json::parse(text).ok().filter(Value::is_number)?;
    (Decimal::of(text)? == Decimal::of(&value.to_string())?).then_some(value)
}

/// What a number means, however it is written.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Neither the first nor the last is zero; none for zero itself.
    digits: String,
    /// How many zeros follow; if negative, how many of the digits stand behind the point.
    zeros: i64,
}

impl Decimal {
    /// Reads a number of JSON, and nothing around it.
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
        let behind = i64::try_from(fraction.len()).ok()?;
        let zeros = i64::try_from(all.len() - digits.len()).ok()? - behind;
        let zeros = exponent.parse::<i64>().ok()?.checked_add(zeros)?;
        Some(Self { is_negative, digits: digits.trim_start_matches('0').to_owned(), zeros })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_where_nothing_of_it_is_lost() {
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
