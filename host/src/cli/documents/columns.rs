//! What the cells of a CSV column are.

use ophost_document::json;
use serde_json::Value;

/// What all cells of a column are, so that a filter finds all of them or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Column {
    /// No cell says it.
    #[default]
    Empty,
    Numbers,
    Truths,
    Text,
}

impl Column {
    /// Returns what the column is with one more cell. Where two differ, all are text.
    pub(super) fn with(self, cell: &str) -> Self {
        match self {
            Self::Text => Self::Text,
            _ if cell.is_empty() => self,
            Self::Empty => Self::of(cell),
            Self::Numbers | Self::Truths if self == Self::of(cell) => self,
            Self::Numbers | Self::Truths => Self::Text,
        }
    }

    fn of(cell: &str) -> Self {
        match cell {
            "true" | "false" => Self::Truths,
            _ if number(cell).is_some() => Self::Numbers,
            _ => Self::Text,
        }
    }

    /// Returns what a cell of the column stands for.
    pub(super) fn value(self, cell: String) -> Value {
        match self {
            Self::Truths => (cell == "true").into(),
            Self::Numbers => number(&cell).unwrap_or_else(|| cell.into()),
            Self::Empty | Self::Text => cell.into(),
        }
    }
}

/// Reads a number as JSON writes them, if that is exact: a code of many digits is none, nor is
/// one with zeros before it.
fn number(cell: &str) -> Option<Value> {
    // Most cells that are none say so at once.
    cell.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(())?;
    let value = json::parse(cell).ok().filter(Value::is_number)?;
    (Decimal::of(cell)? == Decimal::of(&value.to_string())?).then_some(value)
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

    fn column(cells: &[&str]) -> Column {
        cells.iter().fold(Column::default(), |column, cell| column.with(cell))
    }

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
            assert_eq!(Column::of(cell), Column::Numbers, "{cell}");
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
            assert_eq!(Column::of(cell), Column::Text, "{cell}");
        }
    }

    #[test]
    fn a_column_is_one_thing_altogether() {
        assert_eq!(column(&["10.00", "", "9.99"]), Column::Numbers);
        assert_eq!(column(&["", "true", "false"]), Column::Truths);
        assert_eq!(column(&["", ""]), Column::Empty);
        for cells in [["1234", "01234"], ["01234", "1234"], ["true", "1"], ["1", "true"]] {
            assert_eq!(column(&cells), Column::Text, "{cells:?}");
        }
        assert_eq!(Column::Numbers.value("10.00".into()), 10.0);
        assert_eq!(Column::Text.value("10.00".into()), "10.00");
        assert_eq!(Column::Truths.value("false".into()), false);
    }
}
