//! The validated content of a document.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json;
use crate::text;

/// Maximum length of the compact JSON text of a body, in bytes.
pub const MAX_BODY: usize = 1 << 20;
/// Maximum number of nesting levels of a body. The object itself is the first level.
pub const MAX_LEVELS: usize = 64;
/// Name of the id in filters and sort orders. A body has no field with this name.
pub const ID: &str = "_id";

/// The content of a document: a JSON object without a field `_id`.
///
/// A body has at most 64 levels, and its compact JSON text has at most 1 MiB. The order of the
/// fields is preserved, but bodies with the same fields in different orders are equal.
///
/// `Deserialize` does not validate, so use it only for stored bodies. [`Body::parse`] reads
/// untrusted text.
///
/// Clones share the content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body(Arc<Map<String, Value>>);

impl Body {
    /// Parses a body from JSON text of at most 1 MiB, as strictly as [`json::parse`].
    ///
    /// # Errors
    ///
    /// Returns [`BodyError`] if the text is not JSON or not a valid body.
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

    /// Returns the length of the compact JSON text, in bytes.
    pub fn size(&self) -> usize {
        let mut budget = ByteBudget(usize::MAX);
        serde_json::to_writer(&mut budget, &*self.0).expect("an object with text as keys is JSON");
        usize::MAX - budget.0
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

/// Returns whether lists and objects in a value are nested at most `levels` deep.
pub(crate) fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Object(fields) => {
            levels > 0 && fields.values().all(|value| is_within(value, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A writer that discards its input, and fails after this number of bytes.
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

/// Returns the type of a value for messages, such as `a list`.
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

/// The reason why a value is not a valid body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The text is not strict JSON.
    #[error("not JSON: {}", text::single_line(&.0.to_string()))]
    NotJson(serde_json::Error),
    /// The value is not an object; the field is its type.
    #[error("expected an object, found {0}")]
    NotAnObject(&'static str),
    /// The object has a field `_id`.
    #[error("the field `_id` is not allowed, because the id is not part of the body")]
    Id,
    /// More than [`MAX_LEVELS`] levels.
    #[error("the body has more than {MAX_LEVELS} levels")]
    TooDeep,
    /// A text over [`MAX_BODY`].
    #[error("the body is larger than 1 MiB")]
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
    fn body_is_a_strictly_parsed_object() {
        let body = Body::parse(r#" {"b": [1, 0.1], "a": null} "#).unwrap();
        assert_eq!(body.text(), r#"{"b":[1,0.1],"a":null}"#, "the order is preserved");
        assert_eq!(body.size(), body.text().len());
        assert_eq!(body["b"], json!([1, 0.1]));
        assert_eq!(body, Body::try_from(json!({"a": null, "b": [1, 0.1]})).unwrap());
        assert_eq!(problem("[1]"), "expected an object, found a list");
        assert_eq!(problem("null"), "expected an object, found null");
        assert!(problem(r#"{"a": 1, "a": 2}"#).starts_with("not JSON: duplicate field `a`"));
        assert!(problem(r#"{"a": 1e400}"#).contains("number out of range"));
        assert!(problem(r#"{"a": 18446744073709551616}"#).contains("more than 64 bits"));
    }

    #[test]
    fn id_is_not_part_of_a_body() {
        let message = "the field `_id` is not allowed, because the id is not part of the body";
        assert_eq!(problem(r#"{"_id": "a"}"#), message);
        assert!(Body::parse(r#"{"a": {"_id": 1}}"#).is_ok());
    }

    #[test]
    fn body_has_at_most_64_levels() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(Body::parse(&nested(64)).is_ok());
        assert_eq!(problem(&nested(65)), "the body has more than 64 levels");
        let deep = (0..1_000).fold(json!(1), |inner, _| json!([inner]));
        assert!(matches!(Body::try_from(json!({"a": deep})), Err(BodyError::TooDeep)));
    }

    #[test]
    fn body_has_at_most_1_mib_as_given_and_as_compact_text() {
        let of = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8));
        assert_eq!(Body::parse(&of(MAX_BODY)).unwrap().size(), MAX_BODY);
        assert_eq!(problem(&of(MAX_BODY + 1)), "the body is larger than 1 MiB");
        assert_eq!(
            problem(&format!("{{}}{}", " ".repeat(MAX_BODY))),
            "the body is larger than 1 MiB"
        );
        // The compact text of 1e15 is 1000000000000000.0.
        let grows = format!("{{\"a\":[{}1e15]}}", "1e15,".repeat(100_000));
        assert_eq!(problem(&grows), "the body is larger than 1 MiB");
    }

    #[test]
    fn floats_survive_a_round_trip() {
        // Sums such as 0.1 + 0.2, and floats with all exponents.
        let sums = (1..2_000).map(|n| f64::from(n) * 0.1 + 0.2);
        let others = (1..2_000_u64).map(|n| f64::from_bits((n * 0x001f_f37b_90a4_e865) >> 1));
        for float in sums.chain(others.filter(|float| float.is_finite())) {
            let text = json!({"a": float}).to_string();
            assert_eq!(Body::parse(&text).unwrap().text(), text);
        }
    }
}
