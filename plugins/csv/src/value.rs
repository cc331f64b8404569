//! Detects the type of a value.

use ophost_sdk::model;

use crate::time::{self, Moment};

/// The type of a value, or the common type of all values of a column.
#[model]
#[derive(Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The column has no values.
    Empty,
    /// An integer of at most 64 bits, signed or unsigned. A number with leading zeros, such as a
    /// postal code, is text.
    Integer,
    /// A number with a decimal point or an exponent, or an integer of more than 64 bits.
    Number,
    /// `true`, `false`, `yes` or `no`, in any case.
    Boolean,
    /// A date such as `2024-02-29` or `2024/02/29`.
    Date,
    /// A date with a time, such as `2024-02-29T12:30:00Z` or `2024-02-29 12:30`.
    Datetime,
    /// Any other value.
    Text,
}

impl Kind {
    /// Returns the common type of two types.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Empty, kind) | (kind, Self::Empty) => kind,
            (one, same) if one == same => one,
            (Self::Integer | Self::Number, Self::Integer | Self::Number) => Self::Number,
            (Self::Date | Self::Datetime, Self::Date | Self::Datetime) => Self::Datetime,
            _ => Self::Text,
        }
    }
}

/// A parsed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    /// An integer from `i64::MIN` to `u64::MAX`.
    Integer(i128),
    /// A finite number.
    Number(f64),
    Boolean,
    Date(Moment),
    Datetime(Moment),
    Text,
}

impl Value {
    /// Parses a text without surrounding white space.
    pub(crate) fn parse(text: &str) -> Self {
        numeric(text)
            .or_else(|| time::date(text).map(Self::Date))
            .or_else(|| time::datetime(text).map(Self::Datetime))
            .or_else(|| is_boolean(text).then_some(Self::Boolean))
            .unwrap_or(Self::Text)
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Integer(_) => Kind::Integer,
            Self::Number(_) => Kind::Number,
            Self::Boolean => Kind::Boolean,
            Self::Date(_) => Kind::Date,
            Self::Datetime(_) => Kind::Datetime,
            Self::Text => Kind::Text,
        }
    }
}

fn is_boolean(text: &str) -> bool {
    ["true", "false", "yes", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn numeric(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).as_bytes();
    // `parse` also accepts `inf`, `nan` and the leading zeros of codes.
    if !matches!(unsigned, [b'0'..=b'9' | b'.', ..]) || matches!(unsigned, [b'0', b'0'..=b'9', ..])
    {
        return None;
    }
    let fits = |number: &i128| (i64::MIN.into()..=u64::MAX.into()).contains(number);
    if let Some(integer) = text.parse().ok().filter(fits) {
        return Some(Value::Integer(integer));
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_at_most_64_bits() {
        let integers = ["0", "-7", "+7", "18446744073709551615", "-9223372036854775808"];
        for (text, expected) in
            integers.into_iter().zip([0, -7, 7, u64::MAX.into(), i64::MIN.into()])
        {
            assert_eq!(Value::parse(text), Value::Integer(expected), "{text}");
        }
        assert_eq!(
            Value::parse("18446744073709551616"),
            Value::Number(18_446_744_073_709_551_616.0)
        );
    }

    #[test]
    fn numbers_have_a_point_or_an_exponent() {
        for (text, expected) in [("1.5", 1.5), ("-.5", -0.5), ("2e3", 2000.0), ("0.10", 0.1)] {
            assert_eq!(Value::parse(text), Value::Number(expected), "{text}");
        }
    }

    #[test]
    fn codes_and_words_are_text() {
        for text in [
            "00501", "-01", "1,5", "1_000", "inf", "NaN", "1e999", "0x1f", "+", ".", "e5", "t",
            "12:30", "1 2",
        ] {
            assert_eq!(Value::parse(text), Value::Text, "{text}");
        }
    }

    #[test]
    fn booleans_dates_and_times_are_detected() {
        for (text, kind) in [
            ("TRUE", Kind::Boolean),
            ("no", Kind::Boolean),
            ("2024-02-29", Kind::Date),
            ("2015/01/01 01:00:00", Kind::Datetime),
            ("2024-02-30", Kind::Text),
        ] {
            assert_eq!(Value::parse(text).kind(), kind, "{text}");
        }
    }

    #[test]
    fn join_returns_the_common_type() {
        assert_eq!(Kind::Empty.join(Kind::Date), Kind::Date);
        assert_eq!(Kind::Integer.join(Kind::Empty), Kind::Integer);
        assert_eq!(Kind::Integer.join(Kind::Number), Kind::Number);
        assert_eq!(Kind::Datetime.join(Kind::Date), Kind::Datetime);
        assert_eq!(Kind::Boolean.join(Kind::Boolean), Kind::Boolean);
        assert_eq!(Kind::Boolean.join(Kind::Integer), Kind::Text);
        assert_eq!(Kind::Date.join(Kind::Number), Kind::Text);
    }
}
