//! What stands for a secret in a record.
//!
//! A digest under a key of this data directory, and how many bytes it has, as a text or else as
//! JSON: whoever looks at records can tell whether two secrets are the same, and whoever has the
//! records alone cannot try guesses.

use std::borrow::Cow;

use ophost_document::json;
use serde_json::{Value, json};

use crate::private_dir::{DataDir, PrivateDirError};
use crate::schema::Schema;

/// The private directory of the key, and the file in it.
const DIRECTORY: &str = "keys";
const KEY: &str = "mask";
/// How many hexadecimal digits of the digest are kept.
const DIGITS: usize = 32;

/// Replaces what a schema calls secret.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    key: [u8; 32],
}

impl Mask {
    /// Returns the mask of a data directory. Its key is made where there is none.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if the key can neither be read nor made.
    pub(super) fn of(data: &DataDir) -> Result<Self, PrivateDirError> {
        let directory = data.create(DIRECTORY)?;
        let key = directory.key(KEY).map_err(|source| directory.failed(source))?;
        Ok(Self { key })
    }

    fn stand_in(&self, secret: &Value) -> Value {
        let text = json::canonical(secret);
        let digest = blake3::keyed_hash(&self.key, text.as_bytes()).to_hex();
        let length = secret.as_str().unwrap_or(&text).len();
        json!({"masked": true, "digest": digest[..DIGITS], "length": length})
    }
}

/// Returns a value as it is kept; its owned form if something in it is masked. Without a mask
/// the schema has no secrets.
pub(super) fn kept<'a>(mask: Option<Mask>, schema: &Schema, value: &'a Value) -> Cow<'a, Value> {
    let masked = mask.and_then(|mask| schema.masked(value, &|secret| mask.stand_in(secret)));
    masked.map_or(Cow::Borrowed(value), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i4_equal_secrets_look_equal_in_one_data_directory_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let mask = |name: &str| Mask::of(&DataDir::new(scratch.path().join(name))).unwrap();
        let (a, again, b) = (mask("a"), mask("a"), mask("b"));
        let secret = json!({"user": "ann", "word": "hunter2"});
        let same = json!({"word": "hunter2", "user": "ann"});
        assert_eq!(a.stand_in(&secret), again.stand_in(&same));
        assert_ne!(a.stand_in(&secret), b.stand_in(&secret));
        assert_ne!(a.stand_in(&secret), a.stand_in(&json!("hunter2")));
        let stand_in = a.stand_in(&json!("hunter2"));
        assert_eq!((&stand_in["masked"], &stand_in["length"]), (&json!(true), &json!(7)));
        assert_eq!(a.stand_in(&json!([1, 2]))["length"], 5);
        assert_eq!(stand_in["digest"].as_str().map(str::len), Some(DIGITS));
        assert!(!stand_in.to_string().contains("hunter2"));
    }
}
