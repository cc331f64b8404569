//! Sort keys, whose order as bytes is the sort order of the documents.

use serde_json::Value;

use crate::name::DocumentId;
use crate::order::{by_name, exact};

/// Maximum length of a value in a key, in bytes.
pub(crate) const MAX_VALUE: usize = 512;
/// Maximum length of a key, in bytes.
pub(crate) const MAX_KEY: usize = super::MAX_KEYS * MAX_VALUE + crate::name::MAX_ID;

// The first byte of a value, in the order of the types. `END` ends texts, objects and lists.
const END: u8 = 0;
const EMPTY_LIST: u8 = 1;
pub(crate) const NULL: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const OBJECT: u8 = 5;
const LIST: u8 = 6;
const FALSE: u8 = 7;
const TRUE: u8 = 8;
/// The byte before each field of an object.
const FIELD: u8 = 1;

/// The sort key of a document, of at most 5 KiB.
///
/// Keys of the same [`super::Sort`] have the order of the documents. A key contains at most 512
/// bytes of each value, which are the first 511 bytes of a text. Values that differ only after that
/// count as equal, and the next field decides.
// The encoding is prefix-free: no encoded value is a prefix of another one. So keys can be compared
// as bytes, and all bytes of a value can be inverted for descending order. A truncated value has the
// maximum length, so it is not a prefix of another one either.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(Vec<u8>);

impl SortKey {
    /// Returns a key from bytes. Bytes that are not a valid key have an arbitrary position in the
    /// order.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the id, for a key of a sort order by id.
    pub(crate) fn as_id(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends a value.
    pub(super) fn push(&mut self, value: &Value, descending: bool) {
        self.push_with(descending, |writer| writer.value(value));
    }

    pub(super) fn push_text(&mut self, text: &str, descending: bool) {
        self.push_with(descending, |writer| writer.text(TEXT, text));
    }

    pub(super) fn push_empty_list(&mut self, descending: bool) {
        self.push_with(descending, |writer| writer.byte(EMPTY_LIST));
    }

    /// Appends the id, which is the last part of a key.
    pub(super) fn push_id(&mut self, id: &DocumentId) {
        self.0.extend_from_slice(id.as_str().as_bytes());
    }

    fn push_with(&mut self, descending: bool, write: impl FnOnce(&mut Writer<'_>)) {
        let start = self.0.len();
        write(&mut Writer { end: start + MAX_VALUE, bytes: &mut self.0 });
        if descending {
            self.0[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
}

/// Returns a value in the encoding of an ascending key, of at most [`MAX_VALUE`] bytes.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    encode_with(|writer| writer.value(value))
}

/// Returns an empty list in the encoding of an ascending key, in which it comes before null.
pub(crate) fn encode_empty_list() -> Vec<u8> {
    encode_with(|writer| writer.byte(EMPTY_LIST))
}

/// Returns the common prefix of the encodings of all texts that begin with `prefix`.
pub(crate) fn encode_text_prefix(prefix: &str) -> Vec<u8> {
    let mut bytes = encode_with(|writer| writer.text(TEXT, prefix));
    bytes.truncate(MAX_VALUE.min(1 + prefix.len()));
    bytes
}

/// Returns the length of the first value of an ascending key; `None` if the key is malformed.
pub(crate) fn encoded_len(key: &[u8]) -> Option<usize> {
    let key = &key[..key.len().min(MAX_VALUE)];
    // A value of the maximum length may be truncated anywhere.
    let truncated = (key.len() == MAX_VALUE).then_some(MAX_VALUE);
    Reader { key }.value_end(0).or(truncated)
}

/// Reads the values of a key.
struct Reader<'k> {
    key: &'k [u8],
}

impl Reader<'_> {
    /// Returns the end of the value that begins at a position; `None` if the value is truncated or
    /// malformed.
    fn value_end(&self, start: usize) -> Option<usize> {
        let inner = start + 1;
        match *self.key.get(start)? {
            EMPTY_LIST | NULL | FALSE | TRUE => Some(inner),
            NUMBER => Some(inner + 10).filter(|end| *end <= self.key.len()),
            TEXT => self.text_end(inner),
            OBJECT => self.items_end(inner, |reader, at| {
                let name_end = reader.text_end(at + 1)?;
                reader.value_end(name_end)
            }),
            LIST => self.items_end(inner, Self::value_end),
            _ => None,
        }
    }

    fn text_end(&self, start: usize) -> Option<usize> {
        let length = self.key.get(start..)?.iter().position(|byte| *byte == END)?;
        Some(start + length + 1)
    }

    fn items_end(
        &self,
        mut at: usize,
        item_end: impl Fn(&Self, usize) -> Option<usize>,
    ) -> Option<usize> {
        while *self.key.get(at)? != END {
            at = item_end(self, at)?;
        }
        Some(at + 1)
    }
}

fn encode_with(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Writer { end: MAX_VALUE, bytes: &mut bytes });
    bytes
}

/// Writes one value, and drops bytes over the maximum length.
struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    /// The maximum length of the key after this value.
    end: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(NULL),
            Value::Bool(false) => self.byte(FALSE),
            Value::Bool(true) => self.byte(TRUE),
            Value::Number(number) => {
                self.byte(NUMBER);
                let (below, above) = exact(number);
                self.all(&ordered(below).to_be_bytes());
                self.all(&above.to_be_bytes());
            }
            Value::String(text) => self.text(TEXT, text),
            Value::Object(fields) => {
                self.byte(OBJECT);
                for (name, value) in by_name(fields) {
                    if self.is_full() {
                        return;
                    }
                    self.text(FIELD, name);
                    self.value(value);
                }
                self.byte(END);
            }
            Value::Array(items) => {
                self.byte(LIST);
                for item in items {
                    if self.is_full() {
                        return;
                    }
                    self.value(item);
                }
                self.byte(END);
            }
        }
    }

    /// Writes a text. Each byte is incremented, so that none is equal to [`END`]. The increment does
    /// not overflow, because UTF-8 has no byte 255.
    fn text(&mut self, kind: u8, text: &str) {
        self.byte(kind);
        let space = self.end - self.bytes.len();
        self.bytes.extend(text.bytes().take(space).map(|byte| byte + 1));
        self.byte(END);
    }

    fn byte(&mut self, byte: u8) {
        self.all(&[byte]);
    }

    fn all(&mut self, bytes: &[u8]) {
        let space = self.end - self.bytes.len();
        self.bytes.extend(bytes.iter().take(space));
    }

    fn is_full(&self) -> bool {
        self.bytes.len() == self.end
    }
}

/// Maps a float to an integer, and preserves the order.
fn ordered(float: f64) -> u64 {
    let bits = float.to_bits();
    if float.is_sign_negative() { !bits } else { bits | (1 << 63) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::order;

    fn key(value: &Value, descending: bool) -> SortKey {
        let mut key = SortKey::default();
        key.push(value, descending);
        key
    }

    #[test]
    fn keys_have_the_order_of_the_values_or_the_reverse() {
        let values = order::tests::ladder();
        let values: Vec<_> = values.iter().flatten().collect();
        for a in &values {
            for b in &values {
                let expected = order::compare(a, b);
                assert_eq!(key(a, false).cmp(&key(b, false)), expected, "{a} and {b}");
                assert_eq!(key(a, true).cmp(&key(b, true)), expected.reverse(), "{a} and {b}");
            }
        }
    }

    #[test]
    fn length_of_the_first_value_is_known() {
        let long = json!([{"a": "x".repeat(600)}]);
        let values = order::tests::ladder().into_iter().flatten();
        for value in values.chain([long, json!("x".repeat(511)), json!("x".repeat(510))]) {
            let encoded = encode(&value);
            let key = [&encoded[..], b"id"].concat();
            assert_eq!(encoded_len(&key), Some(encoded.len()), "{value}");
            let malformed = encoded_len(&encoded[..encoded.len() - 1]);
            assert!(malformed.is_none() || encoded.len() == MAX_VALUE, "{value}");
        }
        assert_eq!(encoded_len(&encode_empty_list()), Some(1));
        assert_eq!(encoded_len(&[99, 1, 2]), None);
    }

    #[test]
    fn no_key_is_a_prefix_of_another() {
        let values = order::tests::ladder();
        let keys: Vec<_> = values.iter().map(|equal| key(&equal[0], false)).collect();
        for (number, key) in keys.iter().enumerate() {
            let others = keys.iter().enumerate().filter(|(other, _)| *other != number);
            assert!(others.into_iter().all(|(_, other)| !other.0.starts_with(&key.0)));
        }
    }

    #[test]
    fn long_values_are_truncated_and_stay_in_order() {
        let text = |end: &str| json!(format!("{}{end}", "x".repeat(509)));
        assert_eq!(key(&text("aa"), false).cmp(&key(&text("ba"), false)), std::cmp::Ordering::Less);
        assert_eq!(key(&text("aab"), false), key(&text("aaa"), false));
        assert!(key(&text(""), false) < key(&text("a"), false));
        assert!(key(&text(""), true) > key(&text("aaa"), true));
        assert!(key(&text("a"), false) < key(&text("aa"), false));
        let endless = json!({"a": vec![json!({"b": [[[]]]}); 10_000], "b": 1});
        assert_eq!(key(&endless, false).0.len(), MAX_VALUE);
        assert!(key(&endless, false) < key(&json!({"b": 0}), false));
    }
}
