//! A document's content, checked.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json;
use crate::text;

/// The longest text of a body, in bytes.
pub const MAX_BODY: usize = 1 << 20;
/// The most levels of a body; the object itself is the first.
pub const MAX_LEVELS: usize = 64;
/// The field that no body has: a document's id is not part of what it holds.
pub const ID: &str = "_id";

/// What a document holds: a JSON object without a field `_id`, of at most 64 levels and, as
/// compact text, at most 1 MiB.
///
/// The order of fields is kept and means nothing: bodies with the same fields are equal.
///
/// `Deserialize` is for what was kept: it is believed. What comes from outside is read by
/// [`Body::parse`].
///
/// Clones share the content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body(Arc<Map<String, Value>>);

impl Body {
    /// Reads a body from JSON text of at most 1 MiB, as strictly as [`json::parse`].
    ///
    /// # Errors
    ///
    /// Returns [`BodyError`] if the text is not JSON or not a body.
    pub fn parse(text: &str) -> Result<Self, BodyError> {
        if text.len() > MAX_BODY {
            return Err(BodyError::TooLarge);
        }
        json::parse(text).map_err(BodyError::NotJson)?.try_into()
    }

    /// Returns the compact JSON text.
    pub fn text(&self) -> String {
        serde_json::to_string(&*self.0).expect("an object with text as keys is JSON")
    }

    /// Returns how long the compact JSON text is, in bytes.
    pub fn size(&self) -> usize {
        let mut room = ByteBudget(usize::MAX);
        serde_json::to_writer(&mut room, &*self.0).expect("an object with text as keys is JSON");
        usize::MAX - room.0
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Map::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(|fields| Self(Arc::new(fields)))
    }
}

impl Deref for Body {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl TryFrom<Value> for Body {
    type Error = BodyError;

    fn try_from(value: Value) -> Result<Self, BodyError> {
        match value {
            Value::Object(fields) => fields.try_into(),
            other => Err(BodyError::NotAnObject(type_name(&other))),
        }
    }
}

impl TryFrom<Map<String, Value>> for Body {
    type Error = BodyError;

    fn try_from(fields: Map<String, Value>) -> Result<Self, BodyError> {
        if fields.contains_key(ID) {
            return Err(BodyError::Id);
        }
        if !fields.values().all(|value| is_within(value, MAX_LEVELS - 1)) {
            return Err(BodyError::TooDeep);
        }
        if serde_json::to_writer(ByteBudget(MAX_BODY), &fields).is_err() {
            return Err(BodyError::TooLarge);
        }
        Ok(Self(Arc::new(fields)))
    }
}

/// Returns whether a value has at most `levels` lists and objects within each other.
pub(crate) fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Object(fields) => {
            levels > 0 && fields.values().all(|value| is_within(value, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A place for so many bytes, which keeps none of them and fails when it is full.
pub(crate) struct ByteBudget(pub(crate) usize);

impl io::Write for ByteBudget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::WriteZero)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns what a value is, in words.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Why something is not the body of a document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The text is not JSON, or not strictly.
    #[error("it is not JSON: {}", text::single_line(&.0.to_string()))]
    NotJson(serde_json::Error),
    /// It is JSON of another kind.
    #[error("it is {0}, not an object")]
    NotAnObject(&'static str),
    /// It has a field that stands for the id.
    #[error("it has a field `_id`: a document's id is not part of what it holds")]
    Id,
    /// Lists and objects within each other.
    #[error("it has more than {MAX_LEVELS} levels")]
    TooDeep,
    /// Its text is too long.
    #[error("it is larger than 1 MiB")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(text: &str) -> String {
        Body::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_body_is_an_object_read_strictly() {
        let body = Body::parse(r#" {"b": [1, 0.1], "a": null} "#).unwrap();
        assert_eq!(body.text(), r#"{"b":[1,0.1],"a":null}"#, "the order is kept");
        assert_eq!(body.size(), body.text().len());
        assert_eq!(body["b"], json!([1, 0.1]));
        assert_eq!(body, Body::try_from(json!({"a": null, "b": [1, 0.1]})).unwrap());
        assert_eq!(problem("[1]"), "it is a list, not an object");
        assert_eq!(problem("null"), "it is null, not an object");
        assert!(problem(r#"{"a": 1, "a": 2}"#).starts_with("it is not JSON: the key \"a\""));
        assert!(problem(r#"{"a": 1e400}"#).contains("number out of range"));
        assert!(problem(r#"{"a": 18446744073709551616}"#).contains("more than 64 bits"));
    }

    #[test]
    fn the_id_is_not_part_of_a_body() {
        let told = "it has a field `_id`: a document's id is not part of what it holds";
        assert_eq!(problem(r#"{"_id": "a"}"#), told);
        assert!(Body::parse(r#"{"a": {"_id": 1}}"#).is_ok());
    }

    #[test]
    fn a_body_has_at_most_64_levels() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(Body::parse(&nested(64)).is_ok());
        assert_eq!(problem(&nested(65)), "it has more than 64 levels");
        let deep = (0..1_000).fold(json!(1), |inner, _| json!([inner]));
        assert!(matches!(Body::try_from(json!({"a": deep})), Err(BodyError::TooDeep)));
    }

    #[test]
    fn a_body_has_at_most_1_mib_as_it_comes_and_as_it_is_kept() {
        let of = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8));
        assert_eq!(Body::parse(&of(MAX_BODY)).unwrap().size(), MAX_BODY);
        assert_eq!(problem(&of(MAX_BODY + 1)), "it is larger than 1 MiB");
        assert_eq!(problem(&format!("{{}}{}", " ".repeat(MAX_BODY))), "it is larger than 1 MiB");
        // Kept as 1000000000000000.0.
        let grows = format!("{{\"a\":[{}1e15]}}", "1e15,".repeat(100_000));
        assert_eq!(problem(&grows), "it is larger than 1 MiB");
    }

    #[test]
    fn floats_stay_what_they_are() {
        // The first are sums such as 0.1 + 0.2, the others have all exponents.
        let sums = (1..2_000).map(|n| f64::from(n) * 0.1 + 0.2);
        let others = (1..2_000_u64).map(|n| f64::from_bits((n * 0x001f_f37b_90a4_e865) >> 1));
        for float in sums.chain(others.filter(|float| float.is_finite())) {
            let text = json!({"a": float}).to_string();
            assert_eq!(Body::parse(&text).unwrap().text(), text);
        }
    }
}
