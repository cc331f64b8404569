//! Masks secrets in records.
//!
//! A mask has a keyed digest of the secret and its length in bytes (of the text, else of the JSON).
//! Records of one data directory have equal masks for equal secrets. Without the key of the data
//! directory, a guess cannot be verified.

use std::borrow::Cow;

use ophost_document::{Budget, Interruption, json};
use serde_json::{Value, json};

use crate::util::private_dir::{DataDir, PrivateDirError};
use ophost_schema::Schema;

/// Private directory of the key, and its file.
const DIRECTORY: &str = "keys";
const KEY: &str = "mask";
/// Number of hexadecimal digits of the digest in a mask.
const DIGITS: usize = 32;

/// Replaces the secrets of a schema.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    key: [u8; 32],
}

impl Mask {
    /// Returns the mask of a data directory. Creates its key if it is missing.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if the key can neither be read nor created.
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

/// Returns a value with masked secrets: [`Cow::Owned`] if a secret was masked. Without a mask, the
/// schema has no secrets.
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
    fn equal_secrets_have_equal_masks_in_one_data_directory_only() {
        let scratch = tempfile::tempdir().unwrap();
        let mask = |name: &str| Mask::of(&DataDir::new(scratch.path().join(name))).unwrap();
        let (a, same_directory, b) = (mask("a"), mask("a"), mask("b"));
        let masked =
            |mask: &Mask, secret: &Value| mask.mask_secret(secret, &Budget::unlimited()).unwrap();
        let secret = json!({"user": "ann", "word": "hunter2"});
        let same = json!({"word": "hunter2", "user": "ann"});
        assert_eq!(masked(&a, &secret), masked(&same_directory, &same));
        assert_ne!(masked(&a, &secret), masked(&b, &secret));
        assert_ne!(masked(&a, &secret), masked(&a, &json!("hunter2")));
        assert_eq!(masked(&a, &json!([1, 2]))["length"], 5);
        let masked = masked(&a, &json!("hunter2"));
        assert_eq!((&masked["masked"], &masked["length"]), (&json!(true), &json!(7)));
        assert_eq!(masked["digest"].as_str().map(str::len), Some(DIGITS));
        assert!(!masked.to_string().contains("hunter2"));
    }
}
