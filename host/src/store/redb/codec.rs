//! How a value stands in the store: short, and so that what is not what was written is noticed.
//!
//! ```text
//! version   1 byte
//! check     8 bytes: XXH3 of what follows, its seed that of the key, whose seed the version is
//! length    4 bytes: that of the JSON in its short form
//! room      1 byte, and so many more bytes of nothing
//! JSON in its short form, packed as a block of LZ4
//! ```
//!
//! A value that is to become longer is given room: pages of such values are not split when they
//! do, which would leave each of them half empty for ever.
//!
//! The check is against decay and mistakes: who writes to the file can write a check, too. So it
//! is the fast one, and a scan of many documents is not slowed down much by it.
//!
//! The key is part of the check: a value that got under another key does not fit there. What
//! most records have in common is in the dictionary that the packer begins with, so that a
//! small value is packed well too.

use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::Value;
use twox_hash::XxHash3_64;

use super::{id_packing, keys};
use crate::store::StoreError;

/// The format of the store. It grows when an older version could misread what a newer wrote.
pub(super) const FORMAT: u32 = 1;

/// The format of one value. The dictionary is a part of it: another one is another version.
const VERSION: u8 = 1;
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");
static SHORT_DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| id_packing::shorten(DICTIONARY));
/// The bytes before what is checked.
const HEAD: usize = 9;
/// How many bytes longer most runs are when they have ended.
const SLACK: u8 = 64;
/// The most levels that a value may have within another: the reader goes down 127 in all.
const MAX_EMBEDDED_DEPTH: usize = 100;

/// Returns a value as it stands under a key.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if the value cannot be written as JSON.
pub(super) fn encode<T: Serialize>(key: &[u8], value: &T) -> Result<Vec<u8>, StoreError> {
    seal_json(key, &json_of(key, value)?)
}

/// Returns a value that is to become longer as it stands under a key.
///
/// # Errors
///
/// As [`encode`].
pub(super) fn encode_with_slack<T: Serialize>(
    key: &[u8],
    value: &T,
) -> Result<Vec<u8>, StoreError> {
    pack(key, &json_of(key, value)?, SLACK)
}

/// Returns a JSON text as it stands under a key.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if it has 4 GiB or more.
pub(super) fn seal_json(key: &[u8], json: &[u8]) -> Result<Vec<u8>, StoreError> {
    pack(key, json, 0)
}

fn json_of<T: Serialize>(key: &[u8], value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| corrupted(key, error.to_string()))
}

fn pack(key: &[u8], json: &[u8], room: u8) -> Result<Vec<u8>, StoreError> {
    let short = id_packing::shorten(json);
    let length = u32::try_from(short.len()).map_err(|error| corrupted(key, error.to_string()))?;
    let packed = lz4_flex::block::compress_with_dict(&short, &SHORT_DICTIONARY);
    let room = [&[room][..], &vec![0; usize::from(room)]].concat();
    let content = [&length.to_be_bytes()[..], &room, &packed].concat();
    Ok([&[VERSION][..], &check(VERSION, key, &content), &content].concat())
}

/// Returns the value that stands under a key.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if it is not what was written there, and
/// [`StoreError::Newer`] if a newer version wrote it.
pub(super) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    read(key, &verify(key, bytes)?, PhantomData)
}

/// Reads the JSON that stands under a key, or a part of it.
///
/// # Errors
///
/// Returns [`StoreError::Corrupted`] if it is something else.
pub(super) fn read<'j, S: DeserializeSeed<'j>>(
    key: &[u8],
    json: &'j [u8],
    seed: S,
) -> Result<S::Value, StoreError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = seed.deserialize(&mut reader);
    value.map_err(|error| corrupted(key, error.to_string()))
}

/// Returns the JSON that stands under a key, having checked that it was written there.
///
/// # Errors
///
/// As [`decode`].
pub(super) fn verify(key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (Some(version), Some(given), Some(content)) =
        (bytes.first(), bytes.get(1..HEAD), bytes.get(HEAD..))
    else {
        return Err(corrupted(key, format!("{} bytes are no value", bytes.len())));
    };
    if check(*version, key, content) != given {
        return Err(corrupted(key, "the check does not fit"));
    }
    if *version > VERSION {
        return Err(StoreError::Newer { found: u32::from(*version), known: u32::from(VERSION) });
    }
    unpack(content).ok_or_else(|| corrupted(key, "it cannot be unpacked"))
}

fn unpack(content: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = content.split_first_chunk()?;
    let (room, rest) = rest.split_first()?;
    let (length, packed) = (u32::from_be_bytes(*length) as usize, rest.get(usize::from(*room)..)?);
    let short = lz4_flex::block::decompress_with_dict(packed, length, &SHORT_DICTIONARY).ok()?;
    if short.len() == length { id_packing::lengthen(short) } else { None }
}

/// Returns the error that says what is wrong under a key.
pub(super) fn corrupted(key: &[u8], what: impl Into<String>) -> StoreError {
    StoreError::Corrupted { key: keys::name(key), what: what.into() }
}

fn check(version: u8, key: &[u8], content: &[u8]) -> [u8; 8] {
    let of_key = XxHash3_64::oneshot_with_seed(u64::from(version), key);
    XxHash3_64::oneshot_with_seed(of_key, content).to_be_bytes()
}

/// Returns whether a value has too many levels to stand within another.
pub(super) fn is_deep(value: &Value) -> bool {
    deeper_than(value, MAX_EMBEDDED_DEPTH)
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
    fn f5_no_flipped_bit_is_read_as_a_value() {
        let key = keys::meta("x");
        let value = json!({"a": [1, "two", null]});
        let sealed = encode_with_slack(&key, &value).unwrap();
        assert_eq!(decode::<Value>(&key, &sealed).unwrap(), value);
        for place in 0..sealed.len() * 8 {
            let mut bytes = sealed.clone();
            bytes[place / 8] ^= 1 << (place % 8);
            assert!(decode::<Value>(&key, &bytes).is_err(), "{place}");
        }
        for length in 0..sealed.len() {
            assert!(decode::<Value>(&key, &sealed[..length]).is_err(), "{length}");
        }
        let error = decode::<Value>(&keys::meta("y"), &sealed).unwrap_err();
        assert_eq!(error.to_string(), "the store is damaged at `meta y`: the check does not fit");
    }

    #[test]
    fn f9_a_value_of_a_newer_version_is_not_called_damaged() {
        let key = keys::meta("x");
        let content = b"of another kind";
        let mut bytes = vec![VERSION + 1];
        bytes.extend(check(VERSION + 1, &key, content));
        bytes.extend(content);
        assert!(matches!(decode::<Value>(&key, &bytes), Err(StoreError::Newer { .. })));
    }

    #[test]
    fn f9_the_dictionary_of_a_version_never_changes() {
        let known = "f3b0b41818c46857b1d62f10e33b29c7cde867977af46b0265bebc5bfff6d73f";
        assert_eq!(
            (VERSION, crate::model::digest::Digest::sha256(DICTIONARY).to_string()),
            (1, known.into())
        );
    }

    #[test]
    fn what_is_packed_is_unpacked_whatever_it_is() {
        let mut random = fastrand::Rng::with_seed(3);
        for length in [0, 1, 12, 13, 100, 5_000, 70_000] {
            let noise: Vec<u8> = (0..length).map(|_| random.u64(..224) as u8 + 32).collect();
            for json in [noise, vec![b'x'; length], DICTIONARY.repeat(2)] {
                let sealed = seal_json(b"k", &json).unwrap();
                assert_eq!(verify(b"k", &sealed).unwrap(), json);
            }
        }
    }

    #[test]
    fn what_is_deep_becomes_text() {
        let deep = |levels| (0..levels).fold(json!(1), |inside, _| json!([inside]));
        let mut value = deep(MAX_EMBEDDED_DEPTH);
        stringify_if_deep(&mut value);
        assert_eq!(value, deep(MAX_EMBEDDED_DEPTH));
        value = deep(MAX_EMBEDDED_DEPTH + 1);
        stringify_if_deep(&mut value);
        assert!(value.is_string());
    }
}
