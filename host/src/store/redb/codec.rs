//! Encoding of stored values: compressed JSON with a checksum.
//!
//! ```text
//! version   1 byte
//! checksum  8 bytes: XXH3 of the rest, seeded by XXH3 of the key, seeded by the version
//! length    4 bytes: length of the packed JSON before compression
//! slack     1 byte: number of zero bytes that follow
//! LZ4 block of the JSON with packed ids
//! ```
//!
//! A value that will grow has slack bytes. Without them its page would be split when the value
//! grows, and both halves would stay half empty.
//!
//! The checksum detects accidental corruption only: a user who can write to the file can also
//! write a checksum. XXH3 is fast enough not to slow down scans of many documents.
//!
//! The checksum covers the key, so a value stored under a wrong key is detected. LZ4 starts with
//! a dictionary of the text that most records share, so that small values compress well too.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::Value;
use twox_hash::XxHash3_64;

use super::{id_packing, keys};
use crate::store::StoreError;

/// The format of the store. Increased when an older version could misread a newer store.
///
/// Stores of an older format are rejected.
pub(super) const FORMAT: u32 = 4;

/// The format of a value. Increased when the dictionary changes.
const VERSION: u8 = 2;
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");
static PACKED_DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| id_packing::pack(DICTIONARY));
/// Bytes before the checksummed content.
const HEAD: usize = 9;
/// Bytes by which the row of a typical run grows until it has finished.
const SLACK: u8 = 64;
/// Maximum depth of a value embedded in another. The JSON parser allows 127 levels in total.
const MAX_EMBEDDED_DEPTH: usize = 100;

/// Encodes a value for a key.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if the value cannot be written as JSON.
pub(super) fn encode<T: Serialize>(key: &[u8], value: &T) -> Result<Vec<u8>, StoreError> {
    encode_json(key, &json_of(key, value)?)
}

/// Encodes a value that will grow.
///
/// # Errors
///
/// As [`encode`].
pub(super) fn encode_with_slack<T: Serialize>(
    key: &[u8],
    value: &T,
) -> Result<Vec<u8>, StoreError> {
    compress(key, &json_of(key, value)?, SLACK)
}

/// Encodes a JSON text for a key.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if the text has 4 GiB or more.
pub(super) fn encode_json(key: &[u8], json: &[u8]) -> Result<Vec<u8>, StoreError> {
    compress(key, json, 0)
}

fn json_of<T: Serialize>(key: &[u8], value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| corrupted(key, error.to_string()))
}

fn compress(key: &[u8], json: &[u8], slack: u8) -> Result<Vec<u8>, StoreError> {
    let packed = id_packing::pack(json);
    let length = u32::try_from(packed.len()).map_err(|error| corrupted(key, error.to_string()))?;
    let block = lz4_flex::block::compress_with_dict(&packed, &PACKED_DICTIONARY);
    let slack = [&[slack][..], &vec![0; usize::from(slack)]].concat();
    let content = [&length.to_be_bytes()[..], &slack, &block].concat();
    Ok([&[VERSION][..], &checksum(VERSION, key, &content), &content].concat())
}

/// Decodes the value of a key.
///
/// # Errors
///
/// Returns
///
/// - [`StoreError::Corrupted`] if the checksum does not match or the value is malformed.
/// - [`StoreError::Newer`] if a newer version wrote the value.
/// - [`StoreError::Older`] if an older version wrote it.
pub(super) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    read(key, &verify(key, bytes)?, PhantomData)
}

/// Deserialises the JSON of a key, or a part of it.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if the JSON does not match the type.
pub(super) fn read<'j, S: DeserializeSeed<'j>>(
    key: &[u8],
    json: &'j [u8],
    seed: S,
) -> Result<S::Value, StoreError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = seed.deserialize(&mut reader);
    value.map_err(|error| corrupted(key, error.to_string()))
}

/// Verifies the checksum of a value and returns its JSON.
///
/// # Errors
///
/// As [`decode`].
pub(super) fn verify(key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (Some(version), Some(given), Some(content)) =
        (bytes.first(), bytes.get(1..HEAD), bytes.get(HEAD..))
    else {
        return Err(corrupted(key, format!("value of {} bytes is too short", bytes.len())));
    };
    if checksum(*version, key, content) != given {
        return Err(corrupted(key, "checksum mismatch"));
    }
    let (found, known) = (u32::from(*version), u32::from(VERSION));
    match found.cmp(&known) {
        Ordering::Less => Err(StoreError::Older { found, known }),
        Ordering::Greater => Err(StoreError::Newer { found, known }),
        Ordering::Equal => {
            decompress(content).ok_or_else(|| corrupted(key, "cannot decompress the value"))
        }
    }
}

fn decompress(content: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = content.split_first_chunk()?;
    let (slack, rest) = rest.split_first()?;
    let (length, block) = (u32::from_be_bytes(*length) as usize, rest.get(usize::from(*slack)..)?);
    let packed = lz4_flex::block::decompress_with_dict(block, length, &PACKED_DICTIONARY).ok()?;
    if packed.len() == length { id_packing::unpack(packed) } else { None }
}

/// Returns the error of a corrupted value.
pub(super) fn corrupted(key: &[u8], what: impl Into<String>) -> StoreError {
    StoreError::Corrupted { key: keys::name(key), what: what.into() }
}

fn checksum(version: u8, key: &[u8], content: &[u8]) -> [u8; 8] {
    let of_key = XxHash3_64::oneshot_with_seed(u64::from(version), key);
    XxHash3_64::oneshot_with_seed(of_key, content).to_be_bytes()
}

/// Returns whether a value is too deep to be embedded in another.
pub(super) fn is_deep(value: &Value) -> bool {
    is_deeper_than(value, MAX_EMBEDDED_DEPTH)
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper_than(item, levels - 1)),
        Value::Object(fields) => fields.values().any(|field| is_deeper_than(field, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Replaces a value that is too deep to be embedded by its JSON text.
pub(super) fn stringify_if_deep(value: &mut Value) {
    if is_deep(value) {
        *value = Value::String(value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flipped_bit_is_never_decoded_as_a_value() {
        let key = keys::meta("x");
        let value = json!({"a": [1, "two", null]});
        let encoded = encode_with_slack(&key, &value).unwrap();
        assert_eq!(decode::<Value>(&key, &encoded).unwrap(), value);
        for bit in 0..encoded.len() * 8 {
            let mut bytes = encoded.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<Value>(&key, &bytes).is_err(), "{bit}");
        }
        for length in 0..encoded.len() {
            assert!(decode::<Value>(&key, &encoded[..length]).is_err(), "{length}");
        }
        let error = decode::<Value>(&keys::meta("y"), &encoded).unwrap_err();
        assert_eq!(error.to_string(), "the store is corrupted at `meta y`: checksum mismatch");
    }

    fn value_of_version(version: u8, key: &[u8]) -> Vec<u8> {
        let content = b"unknown";
        [&[version][..], &checksum(version, key, content), content].concat()
    }

    #[test]
    fn value_of_another_version_is_not_reported_as_corrupted() {
        let key = keys::meta("x");
        let decode = |version| decode::<Value>(&key, &value_of_version(version, &key));
        assert!(matches!(decode(VERSION + 1), Err(StoreError::Newer { .. })));
        assert!(matches!(decode(VERSION - 1), Err(StoreError::Older { found: 1, known: 2 })));
    }

    #[test]
    fn dictionary_of_a_version_never_changes() {
        let known = "433ca0d7da53577a9e07cdf18e4fffb4d80560b368b7fe0a1c93beea7aa7e66f";
        assert_eq!(
            (VERSION, crate::model::digest::Digest::sha256(DICTIONARY).to_string()),
            (2, known.into())
        );
    }

    #[test]
    fn any_json_is_decoded_to_the_same_bytes() {
        let mut random = fastrand::Rng::with_seed(3);
        for length in [0, 1, 12, 13, 100, 5_000, 70_000] {
            let noise: Vec<u8> = (0..length).map(|_| random.u64(..224) as u8 + 32).collect();
            for json in [noise, vec![b'x'; length], DICTIONARY.repeat(2)] {
                let encoded = encode_json(b"k", &json).unwrap();
                assert_eq!(verify(b"k", &encoded).unwrap(), json);
            }
        }
    }

    #[test]
    fn deep_value_is_replaced_by_its_text() {
        let deep = |levels| (0..levels).fold(json!(1), |inside, _| json!([inside]));
        let mut value = deep(MAX_EMBEDDED_DEPTH);
        stringify_if_deep(&mut value);
        assert_eq!(value, deep(MAX_EMBEDDED_DEPTH));
        value = deep(MAX_EMBEDDED_DEPTH + 1);
        stringify_if_deep(&mut value);
        assert!(value.is_string());
    }
}
