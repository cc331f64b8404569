//! Reads JSON texts as an author's types.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// A JSON text that a type cannot be read from. The text is kept, so that the place is
/// looked for only where somebody asks.
#[derive(Debug)]
pub(crate) struct DeserializeError {
    text: String,
    error: serde_json::Error,
}

/// Reads `text` as a `T`, where a whole number may be written `5.0`: to JSON Schema that is
/// an integer.
pub(crate) fn deserialize<T: DeserializeOwned>(text: &str) -> Result<T, DeserializeError> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // Not before there is an error: a field that takes any JSON keeps its `5.0`.
    match with_integers(text) {
        Some(text) => serde_json::from_str(&text).map_err(|error| DeserializeError { text, error }),
        None => Err(DeserializeError { text: text.to_owned(), error }),
    }
}

impl DeserializeError {
    /// Returns why.
    pub(crate) fn reason(&self) -> String {
        let message = self.error.to_string();
        let place = format!(" at line {} column {}", self.error.line(), self.error.column());
        message.strip_suffix(&place).unwrap_or(&message).to_owned()
    }

    /// Returns where, as names of fields and places in lists joined by dots; empty for the
    /// whole.
    pub(crate) fn path(&self) -> String {
        let lines_before = self.error.line().saturating_sub(1);
        let lines = self.text.split_inclusive('\n').take(lines_before);
        path_at(&self.text, lines.map(str::len).sum::<usize>() + self.error.column())
    }
}

impl fmt::Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Returns `text` with `5` for each `5.0`; none where there is nothing to change.
fn with_integers(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    convert_integral_floats(&mut value).then(|| value.to_string())
}

/// Returns whether something was changed.
fn convert_integral_floats(value: &mut Value) -> bool {
    // No iterator that stops at the first change: all of them are to be made.
    match value {
        Value::Array(items) => {
            items.iter_mut().fold(false, |changed, it| convert_integral_floats(it) | changed)
        }
        Value::Object(fields) => {
            fields.values_mut().fold(false, |changed, it| convert_integral_floats(it) | changed)
        }
        Value::Number(number) if number.is_f64() => {
            let integer = number.as_f64().and_then(as_integer);
            integer.map(|integer| *number = integer).is_some()
        }
        _ => false,
    }
}

/// Returns `number` as an integer, if it is one of at most 64 bits.
fn as_integer(number: f64) -> Option<Number> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    let is_whole = number.fract() == 0.0 && (-TWO_TO_63..2.0 * TWO_TO_63).contains(&number);
    Number::from_i128(number as i128).filter(|_| is_whole)
}

/// A step on the path to a place in a JSON text.
enum Step {
    /// Into an object, whose field's name may not have come yet.
    Field(Option<String>),
    /// Into a list, to the item of this number.
    Item(usize),
}

/// Returns the path to the innermost value that is open, or has just ended, where the first
/// `end` bytes of a JSON text end.
fn path_at(text: &str, end: usize) -> String {
    let mut rest = &text.as_bytes()[..end.min(text.len())];
    let mut path = Vec::new();
    while let Some(first) = rest.first() {
        let length = if *first == b'"' { string_length(rest) } else { 1 };
        let (token, after) = rest.split_at(length);
        walk(&mut path, token);
        rest = after;
    }
    let names = path.into_iter().filter_map(|step| match step {
        Step::Field(name) => name,
        Step::Item(number) => Some(number.to_string()),
    });
    names.collect::<Vec<_>>().join(".")
}

/// Returns how long the string is that `bytes` begin with, quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut length = 1;
    while length < bytes.len() && bytes[length] != b'"' {
        length += if bytes[length] == b'\\' { 2 } else { 1 };
    }
    (length + 1).min(bytes.len())
}

/// Goes on by a string, or a single byte outside of strings.
fn walk(path: &mut Vec<Step>, token: &[u8]) {
    match (token, path.last_mut()) {
        (b"{", _) => path.push(Step::Field(None)),
        (b"[", _) => path.push(Step::Item(0)),
        (b"}" | b"]", _) => drop(path.pop()),
        (b",", Some(Step::Item(number))) => *number += 1,
        (b",", Some(Step::Field(name))) => *name = None,
        ([b'"', ..], Some(Step::Field(name @ None))) => {
            *name = serde_json::from_slice(token).ok();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        count: u8,
        #[serde(default)]
        lines: Vec<Line>,
        #[serde(default)]
        any: Value,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Line {
        price: i64,
        share: f64,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "kind")]
    enum Shape {
        Circle { radius: u32 },
    }

    fn why<T: DeserializeOwned + fmt::Debug>(text: &str) -> String {
        let error = deserialize::<T>(text).unwrap_err();
        format!("`{}`: {}", error.path(), error.reason())
    }

    #[test]
    fn a_float_without_a_fraction_is_accepted_as_an_integer() {
        assert_eq!(deserialize::<u8>("5.0").unwrap(), 5);
        assert_eq!(deserialize::<i8>("-5e0").unwrap(), -5);
        assert_eq!(deserialize::<u64>("1e19").unwrap(), 10_000_000_000_000_000_000);
        assert_eq!(deserialize::<i64>("-9223372036854775808.0").unwrap(), i64::MIN);
        assert_eq!(deserialize::<u32>("-0.0").unwrap(), 0);
        let order: Order =
            deserialize(r#"{"count": 1.0, "lines": [{"price": 2.0, "share": 3.0}]}"#).unwrap();
        assert_eq!((order.count, &order.lines[0]), (1, &Line { price: 2, share: 3.0 }));
    }

    #[test]
    fn a_float_without_a_fraction_is_accepted_in_a_tagged_enum() {
        let shape: Shape = deserialize(r#"{"kind": "Circle", "radius": 2.0}"#).unwrap();
        assert_eq!(shape, Shape::Circle { radius: 2 });
    }

    #[test]
    fn a_field_of_any_json_keeps_its_floats() {
        let order: Order = deserialize(r#"{"count": 1, "any": [5.0]}"#).unwrap();
        assert_eq!(order.any, json!([5.0]));
    }

    #[test]
    fn fractions_and_out_of_range_numbers_are_not_integers() {
        for number in ["5.5", "1e300", "256.0", "-1.0", "18446744073709551616.0"] {
            assert!(deserialize::<u8>(number).is_err(), "{number}");
        }
        assert!(deserialize::<u64>("18446744073709551616.0").is_err());
        assert!(deserialize::<i64>("9223372036854775808.0").is_err());
    }

    #[test]
    fn an_error_names_the_path_of_the_value() {
        let cases = [
            (r#"{"count": "x"}"#, r#"`count`: invalid type: string "x", expected u8"#),
            (r#"{"lines": []}"#, "``: missing field `count`"),
            (
                r#"{"count": 1, "lines": [{"price": 1, "share": 1}, {"price": 1}], "any": 1}"#,
                "`lines.1`: missing field `share`",
            ),
            (
                "{\"any\": {\"a\\\"]\": [[1], {}]},\n \"count\": 1, \"lines\":\n [{\"price\": true}]}",
                "`lines.0.price`: invalid type: boolean `true`, expected i64",
            ),
            (r#"{"count": 300.0}"#, "`count`: invalid value: integer `300`, expected u8"),
            (
                r#"{"count": 1, "lines": 7}"#,
                "`lines`: invalid type: integer `7`, expected a sequence",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(why::<Order>(text), expected, "{text}");
        }
        let text = r#"{"\u0061": [1, "x"]}"#;
        assert!(why::<BTreeMap<String, Vec<u8>>>(text).starts_with("`a.1`: "));
    }
}
