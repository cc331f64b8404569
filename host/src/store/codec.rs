//! How a value stands in the store: so that what is not what was written is noticed.
//!
//! ```text
//! version   1 byte
//! check     8 bytes: BLAKE3 of the version, the key's length, the key and the JSON, cut
//! JSON
//! ```
//!
//! The key is part of the check: a value that got under another key does not fit there.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::StoreError;
use super::keys;

/// The format of the store. It grows when an older version could misread what a newer wrote.
pub(super) const FORMAT: u32 = 1;

/// The format of one value.
const VERSION: u8 = 1;
const HEAD: usize = 9;
/// The most levels that a value may have within another: the reader goes down 127 in all.
const DEEPEST: usize = 100;

/// Returns a value as it stands under a key.
///
/// # Errors
///
/// Returns [`StoreError::Damaged`] if the value cannot be written as JSON.
pub(super) fn seal<T: Serialize>(key: &[u8], value: &T) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(value).map_err(|error| damaged(key, error.to_string()))?;
    Ok(seal_json(key, &json))
}

/// Returns a JSON text as it stands under a key.
pub(super) fn seal_json(key: &[u8], json: &[u8]) -> Vec<u8> {
    [&[VERSION][..], &check(VERSION, key, json), json].concat()
}

/// Returns the value that stands under a key.
///
/// # Errors
///
/// Returns [`StoreError::Damaged`] if it is not what was written there, and
/// [`StoreError::Newer`] if a newer version wrote it.
pub(super) fn open<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    let json = verify(key, bytes)?;
    serde_json::from_slice(json).map_err(|error| damaged(key, error.to_string()))
}

/// Returns the JSON that stands under a key, having checked that it was written there.
///
/// # Errors
///
/// As [`open`].
pub(super) fn verify<'a>(key: &[u8], bytes: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let (Some(version), Some(given), Some(json)) =
        (bytes.first(), bytes.get(1..HEAD), bytes.get(HEAD..))
    else {
        return Err(damaged(key, format!("{} bytes are no value", bytes.len())));
    };
    if check(*version, key, json) != given {
        return Err(damaged(key, "the check does not fit"));
    }
    if *version > VERSION {
        return Err(StoreError::Newer { found: u32::from(*version), known: u32::from(VERSION) });
    }
    Ok(json)
}

/// Returns the error that says what is wrong under a key.
pub(super) fn damaged(key: &[u8], what: impl Into<String>) -> StoreError {
    StoreError::Damaged { key: keys::name(key), what: what.into() }
}

fn check(version: u8, key: &[u8], json: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[version]).update(&(key.len() as u64).to_be_bytes()).update(key).update(json);
    let mut check = [0; 8];
    hasher.finalize_xof().fill(&mut check);
    check
}

/// Returns whether a value has too many levels to stand within another.
pub(super) fn is_deep(value: &Value) -> bool {
    deeper_than(value, DEEPEST)
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| deeper_than(item, levels - 1)),
        Value::Object(fields) => fields.values().any(|field| deeper_than(field, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Makes a text of a value that has too many levels to stand within another.
pub(super) fn flatten(value: &mut Value) {
    if is_deep(value) {
        *value = Value::String(value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn f5_no_flipped_bit_is_read_as_a_value() {
        let key = keys::meta("x");
        let value = json!({"a": [1, "two", null]});
        let sealed = seal(&key, &value).unwrap();
        assert_eq!(open::<Value>(&key, &sealed).unwrap(), value);
        for place in 0..sealed.len() * 8 {
            let mut bytes = sealed.clone();
            bytes[place / 8] ^= 1 << (place % 8);
            assert!(open::<Value>(&key, &bytes).is_err(), "{place}");
        }
        for length in 0..sealed.len() {
            assert!(open::<Value>(&key, &sealed[..length]).is_err(), "{length}");
        }
        let error = open::<Value>(&keys::meta("y"), &sealed).unwrap_err();
        assert_eq!(error.to_string(), "the store is damaged at `meta y`: the check does not fit");
    }

    #[test]
    fn f9_a_value_of_a_newer_version_is_not_called_damaged() {
        let key = keys::meta("x");
        let json = b"{}";
        let mut bytes = vec![VERSION + 1];
        bytes.extend(check(VERSION + 1, &key, json));
        bytes.extend(json);
        assert!(matches!(open::<Value>(&key, &bytes), Err(StoreError::Newer { .. })));
    }

    #[test]
    fn what_is_deep_becomes_text() {
        let deep = |levels| (0..levels).fold(json!(1), |inside, _| json!([inside]));
        let mut value = deep(DEEPEST);
        flatten(&mut value);
        assert_eq!(value, deep(DEEPEST));
        value = deep(DEEPEST + 1);
        flatten(&mut value);
        assert!(value.is_string());
    }
}
