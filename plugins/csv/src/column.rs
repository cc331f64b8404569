//! The statistics of a column.

use ophost_sdk::model;

use crate::extremes::Extremes;
use crate::frequencies::{Budget, Frequencies};
use crate::mean::Mean;
use crate::time::Moment;
use crate::value::{Kind, Value};

/// The maximum number of characters of a value in the output.
const MAX_SHOWN: usize = 100;

/// The statistics of a column.
#[model]
pub(crate) struct Column {
    /// The name in the header. Without a header, the first column is `column_1`.
    name: String,
    /// The common type of all values.
    #[serde(rename = "type")]
    kind: Kind,
    /// The number of values that are not null.
    count: u64,
    /// The number of nulls.
    nulls: u64,
    /// The number of distinct values.
    distinct: usize,
    /// Whether `distinct` is exact. False if the column has more than 100,000 distinct values, or
    /// if the distinct values of all columns exceed 32 MiB. Then `distinct` is a lower bound, and
    /// later values are missing in `most_frequent`.
    distinct_exact: bool,
    /// The minimum: the smallest number, the earliest time, or the first text in code point order.
    /// A time without an offset is in UTC. Booleans have no minimum.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Extreme>,
    /// The maximum, in the same order.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Extreme>,
    /// The mean, for numbers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    /// The most frequent values. Values of equal frequency are in alphabetical order.
    most_frequent: Vec<Frequency>,
}

/// A minimum or maximum: a number, or else the text of the value, truncated to 100 characters.
#[model]
#[derive(PartialEq)]
#[serde(untagged)]
pub(crate) enum Extreme {
    /// A non-negative integer.
    Unsigned(u64),
    /// A negative integer.
    Signed(i64),
    /// A number.
    Number(f64),
    /// A date, a time or a text.
    Text(String),
}

/// The frequency of a value.
#[model]
#[derive(PartialEq)]
pub(crate) struct Frequency {
    /// The value, truncated to 100 characters.
    value: String,
    /// The number of occurrences.
    count: u64,
}

/// A point in time and its text in the table.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
struct TextTime(Moment, String);

/// Collects the statistics of a column, value by value.
#[derive(Debug)]
pub(crate) struct Statistics {
    kind: Kind,
    count: u64,
    nulls: u64,
    integers: Extremes<i128>,
    numbers: Extremes<f64>,
    times: Extremes<TextTime>,
    texts: Extremes<String>,
    mean: Mean,
    frequencies: Frequencies,
}

impl Statistics {
    pub(crate) fn new() -> Self {
        Self {
            kind: Kind::Empty,
            count: 0,
            nulls: 0,
            integers: Extremes::default(),
            numbers: Extremes::default(),
            times: Extremes::default(),
            texts: Extremes::default(),
            mean: Mean::default(),
            frequencies: Frequencies::default(),
        }
    }

    pub(crate) fn add_null(&mut self) {
        self.nulls += 1;
    }

    /// Adds a value that is not null. `text` has no surrounding white space.
    pub(crate) fn add(&mut self, text: &str, budget: &mut Budget) {
        self.count += 1;
        self.texts.add(text);
        self.frequencies.add(text, budget);
        // One text makes the type of the column `text`, so the other statistics are not needed.
        if self.kind == Kind::Text {
            return;
        }
        let value = Value::parse(text);
        self.kind = self.kind.join(value.kind());
        match value {
            Value::Integer(integer) => {
                self.integers.add(&integer);
                self.add_number(integer as f64);
            }
            Value::Number(number) => self.add_number(number),
            Value::Date(at) | Value::Datetime(at) => self.times.add(&TextTime(at, text.to_owned())),
            Value::Boolean | Value::Text => {}
        }
    }

    fn add_number(&mut self, number: f64) {
        self.numbers.add(&number);
        self.mean.add(number);
    }

    /// Returns the statistics of the column `name`, with the `top` most frequent values.
    pub(crate) fn column(&self, name: &str, top: usize) -> Column {
        let (min, max) = self.extremes();
        let is_numeric = matches!(self.kind, Kind::Integer | Kind::Number);
        let frequencies = self.frequencies.most_frequent(top).into_iter();
        Column {
            name: name.to_owned(),
            kind: self.kind,
            count: self.count,
            nulls: self.nulls,
            distinct: self.frequencies.distinct(),
            distinct_exact: self.frequencies.is_exact(),
            min,
            max,
            mean: self.mean.get().filter(|_| is_numeric),
            most_frequent: frequencies
                .map(|(value, count)| Frequency { value: truncate(value, MAX_SHOWN), count })
                .collect(),
        }
    }

    fn extremes(&self) -> (Option<Extreme>, Option<Extreme>) {
        match self.kind {
            Kind::Empty | Kind::Boolean => (None, None),
            Kind::Integer => self.integers.map(|integer| Extreme::integer(*integer)),
            Kind::Number => self.numbers.map(|number| Extreme::Number(*number)),
            Kind::Date | Kind::Datetime => {
                self.times.map(|TextTime(_, text)| Extreme::Text(text.clone()))
            }
            Kind::Text => self.texts.map(|text| Extreme::Text(truncate(text, MAX_SHOWN))),
        }
    }
}

impl Extreme {
    /// Converts the integer of a [`Value::Integer`].
    fn integer(integer: i128) -> Self {
        match (u64::try_from(integer), i64::try_from(integer)) {
            (Ok(unsigned), _) => Self::Unsigned(unsigned),
            (_, Ok(signed)) => Self::Signed(signed),
            _ => Self::Number(integer as f64),
        }
    }
}

/// Returns the first `max` characters of a text, followed by `…` if the text is longer.
pub(crate) fn truncate(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ophost_sdk::serde_json::{Value as Json, json, to_value};

    use super::*;

    fn profile(values: &[&str]) -> Json {
        let (mut statistics, mut budget) = (Statistics::new(), Budget::new(1 << 20));
        values.iter().for_each(|value| statistics.add(value, &mut budget));
        to_value(statistics.column("c", 1)).unwrap()
    }

    #[test]
    fn integers_are_exact_up_to_64_bits() {
        let column = profile(&["18446744073709551615", "-9223372036854775808"]);
        assert_eq!(column["type"], "integer");
        assert_eq!((&column["min"], &column["max"]), (&json!(i64::MIN), &json!(u64::MAX)));
    }

    #[test]
    fn integers_and_numbers_have_the_type_number() {
        let column = profile(&["1", "2", "1.5"]);
        assert_eq!(column["type"], "number");
        assert_eq!((&column["min"], &column["max"]), (&json!(1.0), &json!(2.0)));
        assert_eq!(column["mean"], json!(1.5));
    }

    #[test]
    fn times_are_compared_as_times() {
        let column = profile(&["2024-01-02", "2024-01-02T01:00+03:00", "2024/01/01 23:00:00"]);
        assert_eq!(column["type"], "datetime");
        assert_eq!(column["min"], "2024-01-02T01:00+03:00");
        assert_eq!(column["max"], "2024-01-02");
        assert_eq!(column.get("mean"), None);
    }

    #[test]
    fn one_text_makes_the_type_text() {
        let column = profile(&["3", "10", "n", "2"]);
        assert_eq!(column["type"], "text");
        assert_eq!((&column["min"], &column["max"]), (&json!("10"), &json!("n")));
        assert_eq!(column.get("mean"), None);
    }

    #[test]
    fn booleans_and_empty_columns_have_no_extremes() {
        let column = profile(&["yes", "no", "yes"]);
        assert_eq!((&column["type"], column.get("min")), (&json!("boolean"), None));
        assert_eq!(column["most_frequent"], json!([{"value": "yes", "count": 2}]));
        assert_eq!(profile(&[])["type"], "empty");
    }

    #[test]
    fn long_values_are_truncated_in_the_output() {
        let long = "\u{e9}".repeat(MAX_SHOWN + 1);
        let shown = format!("{}\u{2026}", "\u{e9}".repeat(MAX_SHOWN));
        let column = profile(&[&long]);
        assert_eq!((&column["max"], &column["distinct"]), (&json!(shown), &json!(1)));
        assert_eq!(column["most_frequent"][0]["value"], json!(shown));
        assert_eq!(truncate("abc", 3), "abc");
    }
}
