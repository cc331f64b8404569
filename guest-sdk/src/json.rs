//! Deserialises JSON texts into the types of plugin authors.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use serde_path_to_error::{Path, Segment, Track};

/// The error of a JSON text that does not match a type.
#[derive(Debug)]
pub(crate) struct DeserializeError {
    path: Path,
    error: serde_json::Error,
}

/// Deserialises `text` as a `T`.
///
/// An integer may be written as `5.0`, because JSON Schema accepts this number as an integer.
pub(crate) fn deserialize<T: DeserializeOwned>(text: &str) -> Result<T, DeserializeError> {
    // Integers are converted only after an error: a field of any JSON keeps its `5.0`.
    from_str(text).or_else(|error| match with_integers(text) {
        Some(text) => from_str(&text),
        None => Err(error),
    })
}

/// Deserialises `text` and tracks the path of the current value.
///
/// Tracking is always on, although only a failed call needs the path. Repeating failed calls with
/// tracking would compile every type twice: plugins would grow by 5 to 14 % instead of 2 to 7 %.
fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, DeserializeError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let value = T::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let value = value.and_then(|value| json.end().map(|()| value));
    value.map_err(|error| DeserializeError { path: track.path(), error })
}

impl DeserializeError {
    /// Returns the message of the error, without its position in the text.
    pub(crate) fn reason(&self) -> String {
        let message = self.error.to_string();
        let position = format!(" at line {} column {}", self.error.line(), self.error.column());
        message.strip_suffix(&position).unwrap_or(&message).to_owned()
    }

    /// Returns the path of the value: field names and array indices, joined by dots.
    ///
    /// The path of the whole text is empty. It ends at a value whose type serde buffers: an enum
    /// that is tagged internally or untagged, or flattened fields.
    pub(crate) fn path(&self) -> String {
        let names = self.path.iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        });
        names.collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Returns `text` with `5` instead of `5.0`, or `None` if there is no such number.
fn with_integers(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    convert_integral_floats(&mut value).then(|| value.to_string())
}

/// Converts all integral floats in `value` and returns whether there were any.
fn convert_integral_floats(value: &mut Value) -> bool {
    // `any` would stop at the first change.
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

/// Returns `number` as an integer of at most 64 bits, or `None` if it has a fraction or is larger.
fn as_integer(number: f64) -> Option<Number> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    let is_integral = number.fract() == 0.0 && (-TWO_TO_63..2.0 * TWO_TO_63).contains(&number);
    Number::from_i128(number as i128).filter(|_| is_integral)
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

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only the error is used")]
    enum Answer {
        Number(u8),
        Text(String),
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
        assert!(why::<u8>("1 2").starts_with("``: trailing characters"));
    }

    #[test]
    fn the_path_of_an_error_in_a_tagged_or_untagged_enum_ends_at_the_element() {
        let circle = |radius| format!(r#"{{"kind": "Circle", "radius": {radius}}}"#);
        let text = format!("[{}, {}, {}]", circle("1"), circle("true"), circle("1"));
        let expected = "`1`: invalid type: boolean `true`, expected u32";
        assert_eq!(why::<Vec<Shape>>(&text), expected);
        let text = r#"{"before": ["yes"], "odd": [1, [], 2], "after": [3]}"#;
        let expected = "`odd.1`: data did not match any variant of untagged enum Answer";
        assert_eq!(why::<BTreeMap<String, Vec<Answer>>>(text), expected);
    }
}
