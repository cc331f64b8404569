//! What a column holds.

use ophost_sdk::model;

use crate::extremes::Extremes;
use crate::frequencies::{Budget, Frequencies};
use crate::mean::Mean;
use crate::time::Moment;
use crate::value::{Kind, Value};

/// The most characters of a value that are shown.
const MAX_SHOWN: usize = 100;

/// What a column holds.
#[model]
pub(crate) struct Column {
    /// Its name in the header; `column_1` for the first where there is none.
    name: String,
    /// What all its values can be read as.
    #[serde(rename = "type")]
    kind: Kind,
    /// How many values it has that are not null.
    count: u64,
    /// How many of its values are null.
    nulls: u64,
    /// How many different values it has.
    distinct: usize,
    /// False where there were too many different values to keep, more than 100,000 or than
    /// 32 MiB in all columns together: then `distinct` is the least it can be, and values
    /// that came late are missing in `most_frequent`.
    distinct_exact: bool,
    /// The least value: the smallest number, the earliest time (without an offset it is taken
    /// as UTC), or the first text by the code points of its characters. Not for booleans.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Extreme>,
    /// The greatest value, by the same order.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Extreme>,
    /// The mean of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    /// The most frequent values; of equally frequent ones the first by alphabet.
    most_frequent: Vec<Frequency>,
}

/// The least or the greatest value: a number for numbers, else its text, cut after 100
/// characters.
#[model]
#[derive(PartialEq)]
#[serde(untagged)]
pub(crate) enum Extreme {
    /// An integer that is not negative.
    Unsigned(u64),
    /// A negative integer.
    Signed(i64),
    /// A number.
    Number(f64),
    /// A date, a time or a text.
    Text(String),
}

/// How often a value occurs.
#[model]
#[derive(PartialEq)]
pub(crate) struct Frequency {
    /// The value, cut after 100 characters.
    value: String,
    /// How often it occurs.
    count: u64,
}

/// A point in time and how it was written.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
struct Written(Moment, String);

/// What is kept of a column while its values pass by.
#[derive(Debug)]
pub(crate) struct Statistics {
    kind: Kind,
    count: u64,
    nulls: u64,
    integers: Extremes<i128>,
    numbers: Extremes<f64>,
    times: Extremes<Written>,
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

    /// Adds a value that is not null, without white space around it.
    pub(crate) fn add(&mut self, text: &str, budget: &mut Budget) {
        self.count += 1;
        self.texts.add(text);
        self.frequencies.add(text, budget);
        // A column with one text is a column of texts, whatever else there is.
        if self.kind == Kind::Text {
            return;
        }
        let value = Value::of(text);
        self.kind = self.kind.join(value.kind());
        match value {
            Value::Integer(integer) => {
                self.integers.add(&integer);
                self.add_number(integer as f64);
            }
            Value::Number(number) => self.add_number(number),
            Value::Date(at) | Value::Datetime(at) => self.times.add(&Written(at, text.to_owned())),
            Value::Boolean | Value::Text => {}
        }
    }

    fn add_number(&mut self, number: f64) {
        self.numbers.add(&number);
        self.mean.add(number);
    }

    /// Returns what the column called `name` holds, with its `top` most frequent values.
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
                .map(|(value, count)| Frequency { value: cut(value, MAX_SHOWN), count })
                .collect(),
        }
    }

    fn extremes(&self) -> (Option<Extreme>, Option<Extreme>) {
        match self.kind {
            Kind::Empty | Kind::Boolean => (None, None),
            Kind::Integer => self.integers.map(|integer| Extreme::integer(*integer)),
            Kind::Number => self.numbers.map(|number| Extreme::Number(*number)),
            Kind::Date | Kind::Datetime => {
                self.times.map(|Written(_, text)| Extreme::Text(text.clone()))
            }
            Kind::Text => self.texts.map(|text| Extreme::Text(cut(text, MAX_SHOWN))),
        }
    }
}

impl Extreme {
    /// `integer` is what [`Value::Integer`] holds.
    fn integer(integer: i128) -> Self {
        match (u64::try_from(integer), i64::try_from(integer)) {
            (Ok(unsigned), _) => Self::Unsigned(unsigned),
            (_, Ok(signed)) => Self::Signed(signed),
            _ => Self::Number(integer as f64),
        }
    }
}

/// Returns the first `most` characters of a text, and a mark where there are more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
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
    fn integers_stay_exact_up_to_64_bits() {
        let column = profile(&["18446744073709551615", "-9223372036854775808"]);
        assert_eq!(column["type"], "integer");
        assert_eq!((&column["min"], &column["max"]), (&json!(i64::MIN), &json!(u64::MAX)));
    }

    #[test]
    fn integers_beside_numbers_are_numbers() {
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
    fn one_text_makes_a_column_of_texts() {
        let column = profile(&["3", "10", "n", "2"]);
        assert_eq!(column["type"], "text");
        assert_eq!((&column["min"], &column["max"]), (&json!("10"), &json!("n")));
        assert_eq!(column.get("mean"), None);
    }

    #[test]
    fn booleans_and_nothing_have_no_extremes() {
        let column = profile(&["yes", "no", "yes"]);
        assert_eq!((&column["type"], column.get("min")), (&json!("boolean"), None));
        assert_eq!(column["most_frequent"], json!([{"value": "yes", "count": 2}]));
        assert_eq!(profile(&[])["type"], "empty");
    }

    #[test]
    fn long_values_are_cut_where_they_are_shown() {
        let long = "\u{e9}".repeat(MAX_SHOWN + 1);
        let shown = format!("{}\u{2026}", "\u{e9}".repeat(MAX_SHOWN));
        let column = profile(&[&long]);
        assert_eq!((&column["max"], &column["distinct"]), (&json!(shown), &json!(1)));
        assert_eq!(column["most_frequent"][0]["value"], json!(shown));
        assert_eq!(cut("abc", 3), "abc");
    }
}
