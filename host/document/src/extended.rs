//! Converts MongoDB Extended JSON, such as `{"$date": ..}`, to plain JSON.
//!
//! Documents contain plain JSON. Imports and filters use the same conversion, so that a filter can
//! find imported documents by the values in the `mongoexport` file.
//!
//! | Extended JSON                       | plain JSON                                      |
//! |-------------------------------------|-------------------------------------------------|
//! | `$oid`                              | text of 24 hexadecimal digits, in lower case    |
//! | `$date`                             | text, UTC: `2024-01-31T12:00:00.000Z`           |
//! | `$numberInt`, `$numberLong`         | integer                                         |
//! | `$numberDouble`, `$numberDecimal`   | number                                          |
//! | `$uuid`, `$binary` of subtype 4     | text, in lower case, with hyphens               |
//! | other `$binary`                     | text in base64                                  |
//! | `$timestamp`                        | integer: the seconds times 2^32, plus the count |
//! | `$symbol`                           | text                                            |
//! | `$undefined`                        | null                                            |
//! | `{"$ref": .., "$id": ..}`           | the same object, its values converted           |

use std::fmt;

use chrono::{DateTime, Datelike as _};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::{Map, Value, json};

use crate::number;
use crate::text;

/// The Extended JSON types, by the name of their field.
const TYPES: [(&str, Type); 16] = [
    ("$oid", Type::ObjectId),
    ("$date", Type::Date),
    ("$numberInt", Type::Int32),
    ("$numberLong", Type::Int64),
    ("$numberDouble", Type::Double),
    ("$numberDecimal", Type::Decimal),
    ("$binary", Type::Binary),
    ("$uuid", Type::Uuid),
    ("$timestamp", Type::Timestamp),
    ("$symbol", Type::Symbol),
    ("$undefined", Type::Undefined),
    ("$regularExpression", Type::NotPlain),
    ("$minKey", Type::NotPlain),
    ("$maxKey", Type::NotPlain),
    ("$code", Type::NotPlain),
    ("$dbPointer", Type::NotPlain),
];

/// The fields of a reference to another document. A reference stays an object.
const REFERENCE: [&str; 3] = ["$ref", "$id", "$db"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    ObjectId,
    Date,
    Int32,
    Int64,
    Double,
    Decimal,
    Binary,
    Uuid,
    Timestamp,
    Symbol,
    Undefined,
    /// A type for which plain JSON has no value.
    NotPlain,
}

/// Returns whether an object is Extended JSON, well formed or not.
pub fn is_extended(object: &Map<String, Value>) -> bool {
    is_reference(object) || object.keys().any(|name| named(name).is_some())
}

/// Replaces each Extended JSON object in a value by its plain JSON value.
///
/// Recurses as deep as the value is nested.
///
/// # Errors
///
/// Returns [`ExtendedError`] if an object is malformed Extended JSON, or has a field that begins
/// with `$` and is not Extended JSON. The value is then partly converted.
pub fn convert(value: &mut Value) -> Result<(), ExtendedError> {
    match value {
        Value::Array(items) => convert_items(items),
        Value::Object(fields) if !fields.keys().any(|name| name.starts_with('$')) => {
            convert_fields(fields)
        }
        Value::Object(fields) if is_reference(fields) => convert_reference(fields),
        Value::Object(fields) => {
            *value = single(fields)?;
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Converts the value of each field of an object, without checking the names of the fields.
///
/// For a document, whose own fields can begin with `$`.
///
/// # Errors
///
/// As [`convert`].
pub fn convert_fields(fields: &mut Map<String, Value>) -> Result<(), ExtendedError> {
    fields.iter_mut().try_for_each(|(name, value)| {
        convert(value).map_err(|error| error.within(Step::name(name)))
    })
}

fn convert_items(items: &mut [Value]) -> Result<(), ExtendedError> {
    items.iter_mut().enumerate().try_for_each(|(index, item)| {
        convert(item).map_err(|error| error.within(Step::Item(index)))
    })
}

fn is_reference(object: &Map<String, Value>) -> bool {
    object.contains_key("$ref") && object.contains_key("$id")
}

fn convert_reference(fields: &mut Map<String, Value>) -> Result<(), ExtendedError> {
    let is_other = |name: &&String| name.starts_with('$') && !REFERENCE.contains(&name.as_str());
    if let Some(name) = fields.keys().find(is_other) {
        return Err(ExtendedError::new(name, ExtendedProblem::Unknown));
    }
    convert_fields(fields)
}

fn named(name: &str) -> Option<(&'static str, Type)> {
    TYPES.into_iter().find(|(known, _)| *known == name)
}

/// Returns the plain value of an object with a field that begins with `$`.
fn single(object: &Map<String, Value>) -> Result<Value, ExtendedError> {
    let Some((name, of_type)) = object.keys().find_map(|name| named(name)) else {
        let first = object.keys().find(|name| name.starts_with('$'));
        let first = first.map(String::as_str).unwrap_or_default();
        return Err(ExtendedError::new(first, ExtendedProblem::Unknown));
    };
    let error = |problem| ExtendedError::new(name, problem);
    if of_type == Type::NotPlain {
        return Err(error(ExtendedProblem::NotPlain));
    }
    // The legacy form of binary data has its subtype in a second field.
    let legacy = object.get("$type").filter(|_| of_type == Type::Binary);
    if object.len() > 1 + usize::from(legacy.is_some()) {
        return Err(error(ExtendedProblem::OtherFields));
    }
    plain(of_type, &object[name], legacy).map_err(|needs| error(ExtendedProblem::Malformed(needs)))
}

/// Returns the plain value for the argument of a type. The error describes the required argument.
fn plain(of_type: Type, value: &Value, subtype: Option<&Value>) -> Result<Value, &'static str> {
    match of_type {
        Type::ObjectId => object_id(value).ok_or("24 hexadecimal digits"),
        Type::Date => {
            date(value).ok_or("a time such as 2024-01-31T12:00:00Z, of the years 0 to 9999")
        }
        Type::Int32 => integer::<i32>(value).ok_or("an integer of 32 bits, as text"),
        Type::Int64 => integer::<i64>(value).ok_or("an integer of 64 bits, as text"),
        Type::Double => double(value).ok_or("a finite number, as text"),
        Type::Decimal => value
            .as_str()
            .and_then(number::exact)
            .ok_or("a number that 64 bits hold exactly, as text"),
        Type::Binary => {
            binary(value, subtype).ok_or("base64 and a subtype of two hexadecimal digits")
        }
        Type::Uuid => value.as_str().and_then(uuid).ok_or("a UUID with hyphens"),
        Type::Timestamp => timestamp(value).ok_or("`t` and `i`, integers of 32 bits"),
        Type::Symbol => value.as_str().map(Value::from).ok_or("a text"),
        Type::Undefined => (*value == true).then_some(Value::Null).ok_or("true"),
        Type::NotPlain => Err("nothing"),
    }
}

fn object_id(value: &Value) -> Option<Value> {
    let id = value.as_str()?.to_ascii_lowercase();
    (id.len() == 24 && HEXLOWER.decode(id.as_bytes()).is_ok()).then(|| id.into())
}

/// Parses a time from text or from milliseconds since 1970.
///
/// All results have the same format, so that their order as texts is the order of the times.
fn date(value: &Value) -> Option<Value> {
    let milliseconds = match value {
        Value::String(text) => {
            let legacy = |_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z");
            DateTime::parse_from_rfc3339(text).or_else(legacy).ok()?.timestamp_millis()
        }
        Value::Object(object) if object.len() == 1 => {
            integer::<i64>(object.get("$numberLong")?)?.as_i64()?
        }
        other => other.as_i64()?,
    };
    let time = DateTime::from_timestamp_millis(milliseconds)?;
    let format = "%Y-%m-%dT%H:%M:%S%.3fZ";
    (0..=9999).contains(&time.year()).then(|| time.format(format).to_string().into())
}

fn integer<T: std::str::FromStr + Into<Value>>(value: &Value) -> Option<Value> {
    value.as_str()?.parse::<T>().ok().map(Into::into)
}

fn double(value: &Value) -> Option<Value> {
    let number: f64 = value.as_str()?.parse().ok()?;
    number.is_finite().then(|| number.into())
}

fn binary(value: &Value, legacy: Option<&Value>) -> Option<Value> {
    let (data, subtype) = match value {
        Value::Object(object) if object.len() == 2 && legacy.is_none() => {
            (object.get("base64")?, object.get("subType")?)
        }
        data => (data, legacy?),
    };
    let subtype = u8::from_str_radix(subtype.as_str()?, 16).ok()?;
    let data = data.as_str()?;
    let bytes = BASE64.decode(data.as_bytes()).ok()?;
    match (subtype, bytes.len()) {
        (4, 16) => uuid(&hyphenated(&HEXLOWER.encode(&bytes))),
        _ => Some(data.into()),
    }
}

fn hyphenated(digits: &str) -> String {
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

fn uuid(text: &str) -> Option<Value> {
    let digits = text.replace('-', "");
    let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
    let uuid = (bytes.len() == 16).then(|| hyphenated(&HEXLOWER.encode(&bytes)))?;
    uuid.eq_ignore_ascii_case(text).then(|| uuid.into())
}

fn timestamp(value: &Value) -> Option<Value> {
    let part = |name| u32::try_from(value.get(name)?.as_u64()?).ok();
    let has_no_other_field = value.as_object()?.len() == 2;
    let (seconds, count) = (part("t")?, part("i")?);
    has_no_other_field.then(|| json!((u64::from(seconds) << 32) | u64::from(count)))
}

/// The reason why a value is not valid Extended JSON, and its location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at ${}: {problem}", self.location())]
pub struct ExtendedError {
    /// The path to the location, last step first.
    steps: Vec<Step>,
    /// The problem at the location.
    pub problem: ExtendedProblem,
}

/// A problem of an object with a field that begins with `$`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtendedProblem {
    /// No type has this name.
    #[error("unknown Extended JSON type")]
    Unknown,
    /// Plain JSON has no equivalent of this type.
    #[error("this Extended JSON type has no plain JSON value")]
    NotPlain,
    /// The object has other fields.
    #[error("an Extended JSON object cannot have other fields")]
    OtherFields,
    /// The argument is not valid for the type; the field describes a valid one.
    #[error("this Extended JSON type requires {0}")]
    Malformed(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Item(usize),
}

impl Step {
    fn name(name: &str) -> Self {
        Self::Name(text::quote(name))
    }
}

impl ExtendedError {
    fn new(name: &str, problem: ExtendedProblem) -> Self {
        Self { steps: vec![Step::name(name)], problem }
    }

    fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Returns the location relative to the converted value, such as `.a[0].$date`.
    pub fn location(&self) -> impl fmt::Display {
        let steps = self.steps.iter().rev().map(|step| match step {
            Step::Name(name) => format!(".{name}"),
            Step::Item(index) => format!("[{index}]"),
        });
        steps.collect::<String>()
    }

    /// Returns the name of the field that begins with `$`.
    pub(crate) fn name(&self) -> &str {
        match self.steps.first() {
            Some(Step::Name(name)) => name,
            Some(Step::Item(_)) | None => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(value: Value) -> Result<Value, String> {
        let mut value = value;
        convert(&mut value).map(|()| value).map_err(|error| error.to_string())
    }

    #[test]
    fn each_type_is_converted_to_a_plain_value() {
        let uuid = "73ffd264-44b3-4c69-90e8-e7d1dfc035d4";
        for (extended, plain) in [
            (json!({"$oid": "65F0C0FFEE0123456789abcd"}), json!("65f0c0ffee0123456789abcd")),
            (json!({"$date": "2024-01-31T12:00:00Z"}), json!("2024-01-31T12:00:00.000Z")),
            (json!({"$date": "2024-01-31T12:00:00.12+01:00"}), json!("2024-01-31T11:00:00.120Z")),
            (json!({"$date": "2024-01-31T12:00:00.000-0130"}), json!("2024-01-31T13:30:00.000Z")),
            (json!({"$date": {"$numberLong": "-1"}}), json!("1969-12-31T23:59:59.999Z")),
            (json!({"$date": -62_135_596_800_000_i64}), json!("0001-01-01T00:00:00.000Z")),
            (json!({"$numberInt": "-5"}), json!(-5)),
            (json!({"$numberLong": "9007199254740993"}), json!(9_007_199_254_740_993_i64)),
            (json!({"$numberDouble": "5.0"}), json!(5.0)),
            (json!({"$numberDouble": "1E+20"}), json!(1e20)),
            (json!({"$numberDecimal": "19.99"}), json!(19.99)),
            (json!({"$binary": {"base64": "AQID", "subType": "00"}}), json!("AQID")),
            (json!({"$binary": "AQID", "$type": "00"}), json!("AQID")),
            (
                json!({"$binary": {"base64": "c//SZESzTGmQ6OfR38A11A==", "subType": "04"}}),
                json!(uuid),
            ),
            (json!({"$uuid": uuid.to_uppercase()}), json!(uuid)),
            (json!({"$timestamp": {"t": 1, "i": 2}}), json!(4_294_967_298_u64)),
            (json!({"$symbol": "x"}), json!("x")),
            (json!({"$undefined": true}), json!(null)),
            (
                json!({"$ref": "people", "$id": {"$numberInt": "1"}, "$db": "d", "x": 1}),
                json!({"$ref": "people", "$id": 1, "$db": "d", "x": 1}),
            ),
        ] {
            assert!(is_extended(extended.as_object().unwrap()));
            let nested = json!({"a": [1, {"b": extended.clone()}]});
            assert_eq!(converted(nested), Ok(json!({"a": [1, {"b": plain}]})), "{extended}");
        }
        let other = json!({"a": [null, {"b$": 1}], "$5 note": 1});
        let mut fields = other.as_object().unwrap().clone();
        convert_fields(&mut fields).unwrap();
        assert_eq!(
            Value::Object(fields),
            other,
            "the field names of a document itself are not converted"
        );
    }

    #[test]
    fn times_have_the_order_of_their_texts() {
        let times = [
            json!({"$date": {"$numberLong": "-62135596800000"}}),
            json!({"$date": "1969-12-31T23:59:59Z"}),
            json!({"$date": 999}),
            json!({"$date": "2024-01-31T12:00:00Z"}),
            json!({"$date": "2024-01-31T12:00:00.5Z"}),
            json!({"$date": "2024-01-31T12:00:01+00:00"}),
            json!({"$date": {"$numberLong": "253402300799999"}}),
        ];
        let times: Vec<_> = times.into_iter().map(|time| converted(time).unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a.as_str() < b.as_str()), "{times:?}");
    }

    #[test]
    fn malformed_and_unknown_types_are_reported_with_their_location() {
        for (value, expected) in [
            (
                json!({"a": [{"$oid": "65f0"}]}),
                "at $.a[0].$oid: this Extended JSON type requires 24",
            ),
            (json!({"$oid": 1}), "at $.$oid: this Extended JSON type requires 24"),
            (json!({"$oid": "ä".repeat(12)}), "at $.$oid: this Extended JSON type requires 24"),
            (json!({"$date": "yesterday"}), "at $.$date: this Extended JSON type requires a time"),
            (json!({"$date": 253_402_300_800_000_i64}), "at $.$date: this Extended JSON type"),
            (json!({"$date": {"$numberInt": "1"}}), "at $.$date: this Extended JSON type"),
            (json!({"$numberInt": "2147483648"}), "at $.$numberInt: this Extended JSON type"),
            (json!({"$numberLong": 5}), "at $.$numberLong: this Extended JSON type"),
            (json!({"$numberDouble": "NaN"}), "at $.$numberDouble: this Extended JSON type"),
            (
                json!({"$numberDecimal": "0.1000000000000000055"}),
                "at $.$numberDecimal: this Extended",
            ),
            (json!({"$binary": {"base64": "?", "subType": "00"}}), "at $.$binary: this Extended"),
            (json!({"$binary": "AQID"}), "at $.$binary: this Extended JSON type requires base64"),
            (json!({"$uuid": "73ffd26444b34c6990e8e7d1dfc035d4"}), "at $.$uuid: this Extended"),
            (json!({"$timestamp": {"t": 1}}), "at $.$timestamp: this Extended JSON type requires"),
            (json!({"$undefined": 1}), "at $.$undefined: this Extended JSON type requires true"),
            (json!({"$date": 1, "x": 1}), "at $.$date: an Extended JSON object cannot have"),
            (json!({"$minKey": 1}), "at $.$minKey: this Extended JSON type has no plain JSON"),
            (json!({"b": {"x": 1, "$gt": 1}}), "at $.b.$gt: unknown Extended JSON type"),
            (json!({"$ref": "a"}), "at $.$ref: unknown Extended JSON type"),
            (json!({"$ref": "a", "$id": 1, "$x": 1}), "at $.$x: unknown Extended JSON type"),
            (json!({"$ref": "a", "$id": {"$x": 1}}), "at $.$id.$x: unknown Extended JSON type"),
        ] {
            let error = converted(value.clone()).unwrap_err();
            assert!(error.starts_with(expected), "{value}: {error}");
        }
    }
}
