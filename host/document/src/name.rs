//! Document ids and collection names.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text;

/// Maximum length of a document id, in bytes.
pub const MAX_ID: usize = 255;
/// Maximum length of a collection name, in bytes.
pub const MAX_COLLECTION: usize = 64;

/// Id of a document in its collection: 1 to 255 bytes, no control characters.
///
/// Ids are ordered by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DocumentId(String);

impl DocumentId {
    /// Returns the id, if it is valid.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidId`] if the text is empty, is too long or has a control character.
    pub fn new(id: impl Into<String>) -> Result<Self, InvalidId> {
        let id = id.into();
        let valid = (1..=MAX_ID).contains(&id.len()) && !id.contains(char::is_control);
        if valid { Ok(Self(id)) } else { Err(InvalidId(id)) }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not a valid document id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a document id: 1 to {MAX_ID} bytes, no control characters",
    text::quote(.0)
)]
pub struct InvalidId(String);

/// The name of a collection.
///
/// A name has 1 to 64 bytes. It consists of lower case letters, digits and `_`, in parts joined by
/// single dots or dashes, and begins with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CollectionName(String);

impl CollectionName {
    /// Returns the name, if it is valid.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidName`] if the text does not follow the grammar.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        let valid = name.len() <= MAX_COLLECTION
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.split(['.', '-']).all(is_part);
        if valid { Ok(Self(name)) } else { Err(InvalidName(name)) }
    }

    /// Returns the default collection of a model: the plural of the model's name, in lower case.
    ///
    /// The plural ends in `es` after s, x, z, ch and sh, and otherwise in `s`: `Job` has the
    /// collection `jobs`, and `QueryIndex` has `queryindexes`. No other rules of English apply.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidName`] if the result is not a valid collection name.
    pub fn of_model(model: &str) -> Result<Self, InvalidName> {
        if model.is_empty() {
            return Err(InvalidName(String::new()));
        }
        let mut name = model.to_lowercase();
        let ends_with_sibilant = ["s", "x", "z", "ch", "sh"].iter().any(|end| name.ends_with(end));
        name.push_str(if ends_with_sibilant { "es" } else { "s" });
        Self::new(name)
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_part(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A text that is not a valid collection name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or \
     dashes, a letter first, at most {MAX_COLLECTION} bytes",
    text::quote(.0)
)]
pub struct InvalidName(String);

/// Implements the conversions from and to text that ids and names share.
macro_rules! text_like {
    ($name:ident, $error:ident) => {
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(name: String) -> Result<Self, $error> {
                Self::new(name)
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(name: &str) -> Result<Self, $error> {
                Self::new(name)
            }
        }

        /// `Ord` and `Hash` are those of the text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_like!(DocumentId, InvalidId);
text_like!(CollectionName, InvalidName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_has_1_to_255_bytes_without_control_characters() {
        let longest = "ä".repeat(127) + "a";
        for good in ["a", " ", "a/b\\c", "..", "名", "\u{200b}", longest.as_str()] {
            assert_eq!(DocumentId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a\0", "a\n", "\u{7f}", "\u{85}", &"ä".repeat(128)] {
            assert!(DocumentId::new(bad).is_err(), "{bad:?}");
        }
        let message = "`a b` is not a document id: 1 to 255 bytes, no control characters";
        assert_eq!("a\nb".parse::<DocumentId>().unwrap_err().to_string(), message);
    }

    #[test]
    fn id_is_a_json_string_and_is_validated_when_deserialized() {
        let id: DocumentId = serde_json::from_str("\"a\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"a\"");
        assert!(serde_json::from_str::<DocumentId>("\"\"").is_err());
        assert!(serde_json::from_str::<CollectionName>("\"A\"").is_err());
    }

    #[test]
    fn collection_names_follow_the_grammar() {
        let longest = "a".repeat(64);
        for good in ["a", "jobs", "crm.jobs_2", "agent-instances", "a.1", longest.as_str()] {
            assert_eq!(CollectionName::new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(65);
        for bad in ["", "A", "1a", "_a", "a/b", "a..b", "a.", "-a", "a-", "a b", "ä", &long] {
            assert!(CollectionName::new(bad).is_err(), "{bad:?}");
        }
        let message = CollectionName::new("Jobs").unwrap_err().to_string();
        assert_eq!(
            message,
            "`Jobs` is not a collection name: lower case letters, digits and `_`, in parts joined \
             by dots or dashes, a letter first, at most 64 bytes"
        );
    }

    #[test]
    fn default_collection_of_a_model_is_its_plural_in_lower_case() {
        let plurals = [
            ("Job", "jobs"),
            ("QueryIndex", "queryindexes"),
            ("Address", "addresses"),
            ("Quiz", "quizes"),
            ("Branch", "branches"),
            ("Wish", "wishes"),
            ("Category", "categorys"),
            ("crm.Lead", "crm.leads"),
        ];
        for (model, collection) in plurals {
            assert_eq!(CollectionName::of_model(model).unwrap().as_str(), collection);
        }
        for bad in ["", "Job Posting", "Größe", &"A".repeat(64)] {
            assert!(CollectionName::of_model(bad).is_err(), "{bad}");
        }
    }
}
