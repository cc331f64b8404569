//! What stands for a secret in a record.
//!
//! A digest under a key of this data directory, and how many bytes it has, as a text or else as
//! JSON: whoever looks at records can tell whether two secrets are the same, and whoever has the
//! records alone cannot try guesses.

use std::borrow::Cow;

use ophost_document::{Budget, Interruption, json};
use serde_json::{Value, json};

use crate::util::private_dir::{DataDir, PrivateDirError};
use ophost_schema::Schema;

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

    fn mask_secret(&self, secret: &Value, budget: &Budget) -> Result<Value, Interruption> {
        let (mut hasher, mut length) = (blake3::Hasher::new_keyed(&self.key), 0);
        let mut add = |part: &str| {
            hasher.update(part.as_bytes());
            length += part.len();
        };
        json::write_canonical(secret, &mut add, budget)?;
        let digest = hasher.finalize().to_hex();
        let length = secret.as_str().map_or(length, str::len);
        Ok(json!({"masked": true, "digest": digest[..DIGITS], "length": length}))
    }
}

/// Returns a value as it is kept; its owned form if something in it is masked. Without a mask
/// the schema has no secrets.
///
/// # Errors
///
/// Returns [`Interruption`] if the budget is used up.
pub(super) fn masked<'a>(
    mask: Option<Mask>,
    schema: &Schema,
    value: &'a Value,
    budget: &Budget,
) -> Result<Cow<'a, Value>, Interruption> {
    let Some(mask) = mask else { return Ok(Cow::Borrowed(value)) };
    let masked = schema.masked(value, &|secret| mask.mask_secret(secret, budget), budget)?;
    Ok(masked.map_or(Cow::Borrowed(value), Cow::Owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i4_equal_secrets_look_equal_in_one_data_directory_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let mask = |name: &str| Mask::of(&DataDir::new(scratch.path().join(name))).unwrap();
        let (a, again, b) = (mask("a"), mask("a"), mask("b"));
        let stand_in =
            |mask: &Mask, secret: &Value| mask.mask_secret(secret, &Budget::unlimited()).unwrap();
        let secret = json!({"user": "ann", "word": "hunter2"});
        let same = json!({"word": "hunter2", "user": "ann"});
        assert_eq!(stand_in(&a, &secret), stand_in(&again, &same));
        assert_ne!(stand_in(&a, &secret), stand_in(&b, &secret));
        assert_ne!(stand_in(&a, &secret), stand_in(&a, &json!("hunter2")));
        assert_eq!(stand_in(&a, &json!([1, 2]))["length"], 5);
        let stand_in = stand_in(&a, &json!("hunter2"));
        assert_eq!((&stand_in["masked"], &stand_in["length"]), (&json!(true), &json!(7)));
        assert_eq!(stand_in["digest"].as_str().map(str::len), Some(DIGITS));
        assert!(!stand_in.to_string().contains("hunter2"));
    }
}
