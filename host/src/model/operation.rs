//! What an operation declares about itself, checked.
//!
//! [`Plugin`] is a component's answer to "what are you?" after every rule of the
//! contract held; it cannot be made in any other way. Nothing here knows how the
//! answer was obtained.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use ophost_document::text;

use crate::model::document::CollectionName;

/// The longest name, category or version, in bytes.
const MAX_NAME: usize = 128;
/// The first part of the names of the host's own operations.
const HOST: &str = "ophost";
/// The longest description, in bytes.
const MAX_DESCRIPTION: usize = 8 << 10;
/// The most operations that one plugin may hold.
const MAX_OPERATIONS: usize = 256;
/// The most aliases of one operation.
const MAX_ALIASES: usize = 16;
/// The longest annotation key, in bytes.
const MAX_KEY: usize = 255;
/// The annotation that says where documents are.
const COLLECTIONS: &str = "ophost.collections";

/// The name of an operation: unique in a host.
///
/// Parts of `[a-z][a-z0-9_]*` joined by dots, at most 128 bytes; the first part is not
/// `ophost`, which is reserved for the host itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OperationName(String);

impl From<OperationName> for String {
    fn from(name: OperationName) -> Self {
        name.0
    }
}

impl TryFrom<String> for OperationName {
    type Error = MetadataError;

    /// Takes the host's own names, too: records have them.
    fn try_from(name: String) -> Result<Self, MetadataError> {
        Self::any(name)
    }
}

/// Names are ordered and hashed as their text is.
impl Borrow<str> for OperationName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl OperationName {
    /// Returns the name if it follows the grammar.
    ///
    /// # Errors
    ///
    /// Returns [`MetadataError::Name`] if it does not.
    pub fn new(name: impl Into<String>) -> Result<Self, MetadataError> {
        let name = Self::any(name)?;
        match name.0.split('.').next() {
            Some(HOST) => Err(MetadataError::Name(name.0)),
            Some(_) | None => Ok(name),
        }
    }

    /// Returns the name if it follows the grammar, also one that is reserved for the host.
    ///
    /// # Errors
    ///
    /// Returns [`MetadataError::Name`] if it does not.
    pub fn any(name: impl Into<String>) -> Result<Self, MetadataError> {
        let name = name.into();
        if name.len() > MAX_NAME || !name.split('.').all(is_part) {
            return Err(MetadataError::Name(name));
        }
        Ok(Self(name))
    }

    /// Returns the name of the operation by which documents are imported.
    pub fn import() -> Self {
        Self(format!("{HOST}.import"))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_part(part: &str) -> bool {
    let mut characters = part.chars();
    characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A plugin: who made the operations, and the operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// The plugin's own name, for people.
    pub name: String,
    /// The plugin's version, for people.
    pub version: String,
    /// The author's own annotations.
    pub annotations: BTreeMap<String, Value>,
    /// The operations, at least one, no two of one name.
    pub operations: Vec<Operation>,
}

/// One operation, as it declared itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Unique in a host.
    pub name: OperationName,
    /// What it does, for people; not empty.
    pub description: String,
    /// The group it is listed under; not empty.
    pub category: String,
    /// JSON Schema of the input, as declared. Whether it is a schema is not checked here.
    pub input_schema: Value,
    /// JSON Schema of the output, as declared.
    pub output_schema: Value,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// What a caller must be allowed to do.
    pub permissions: Vec<String>,
    /// The models that are read.
    pub models_in: Vec<String>,
    /// The models that are created, changed or deleted.
    pub models_out: Vec<String>,
    /// The step of a pipeline that it belongs to.
    pub stage: Option<String>,
    /// Whether a direct call keeps a record.
    pub async_enabled: bool,
    /// Whether a record may be kept at all.
    pub create_taskrun: bool,
    /// What the operation asks of the host beyond the fields above.
    #[serde(flatten)]
    pub hints: Hints,
    /// The author's own annotations, those outside `ophost.`.
    pub annotations: BTreeMap<String, Value>,
}

/// What the annotations under `ophost.` say, read.
///
/// The registry of these keys is in `wit/README.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    /// `ophost.timeout-ms`: how long a run may take unless the caller says otherwise.
    pub timeout_ms: Option<u64>,
    /// `ophost.memory-mib`: how much memory a run may use unless the caller says otherwise.
    pub memory_mib: Option<u64>,
    /// `ophost.idempotent`: whether running it twice is the same as once.
    pub idempotent: bool,
    /// `ophost.destructive`: whether it deletes or overwrites what cannot be made again.
    pub destructive: bool,
    /// `ophost.aliases`: other names that it can be called by, at most sixteen.
    pub aliases: Vec<OperationName>,
    /// `ophost.collections`: where the documents of a model are, if not where its name says.
    #[serde(default)]
    pub collections: BTreeMap<String, CollectionName>,
}

impl Hints {
    /// Returns how long a run may take unless the caller says otherwise.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// Returns how many bytes of memory a run may use unless the caller says otherwise.
    pub fn memory(&self) -> Option<u64> {
        self.memory_mib.map(|mib| mib.saturating_mul(1 << 20))
    }

    fn read(&mut self, key: &str, value: &Value) -> Result<(), MetadataError> {
        let wrong = |expected| MetadataError::AnnotationValue { key: key.to_owned(), expected };
        let positive =
            || value.as_u64().filter(|number| *number > 0).ok_or(wrong("a positive integer"));
        let truth = || value.as_bool().ok_or(wrong("true or false"));
        match key {
            "ophost.timeout-ms" => self.timeout_ms = Some(positive()?),
            "ophost.memory-mib" => self.memory_mib = Some(positive()?),
            "ophost.idempotent" => self.idempotent = truth()?,
            "ophost.destructive" => self.destructive = truth()?,
            "ophost.aliases" => self.aliases = aliases(value)?,
            COLLECTIONS => self.collections = collections(value)?,
            _ => return Err(MetadataError::UnknownAnnotation(key.to_owned())),
        }
        Ok(())
    }
}

fn aliases(value: &Value) -> Result<Vec<OperationName>, MetadataError> {
    let names = value.as_array().filter(|names| names.len() <= MAX_ALIASES);
    let texts = names.and_then(|names| names.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let texts = texts.ok_or(MetadataError::AnnotationValue {
        key: "ophost.aliases".to_owned(),
        expected: "a list of at most 16 names",
    })?;
    texts.into_iter().map(OperationName::new).collect()
}

fn collections(value: &Value) -> Result<BTreeMap<String, CollectionName>, MetadataError> {
    let expected = "an object of model names and collection names";
    let wrong = || MetadataError::AnnotationValue { key: COLLECTIONS.to_owned(), expected };
    let named = |(model, name): (&String, &Value)| {
        let name = name.as_str().and_then(|name| name.parse().ok());
        Ok((model.clone(), name.ok_or_else(wrong)?))
    };
    value.as_object().ok_or_else(wrong)?.iter().map(named).collect()
}

impl Plugin {
    /// Checks what holds for a plugin as a whole.
    ///
    /// # Errors
    ///
    /// Returns the first rule of the contract that is broken.
    pub(crate) fn checked(self) -> Result<Self, MetadataError> {
        check_text("plugin name", &self.name, MAX_NAME)?;
        check_text("plugin version", &self.version, MAX_NAME)?;
        match self.operations.len() {
            0 => return Err(MetadataError::NoOperations),
            1..=MAX_OPERATIONS => {}
            count => return Err(MetadataError::TooManyOperations(count)),
        }
        let twice = {
            let mut seen = std::collections::HashSet::new();
            self.names().find(|name| !seen.insert(*name)).cloned()
        };
        match twice {
            Some(twice) => Err(MetadataError::Twice(twice)),
            None => Ok(self),
        }
    }

    /// Returns the names that the operations can be called by, aliases too.
    pub(crate) fn names(&self) -> impl Iterator<Item = &OperationName> {
        self.operations.iter().flat_map(Operation::names)
    }
}

impl Operation {
    /// Returns whether a direct call keeps a record where nobody says otherwise.
    pub fn is_recorded(&self) -> bool {
        self.create_taskrun && self.async_enabled
    }

    /// Returns the names that it can be called by: its own, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &OperationName> {
        std::iter::once(&self.name).chain(&self.hints.aliases)
    }

    /// Returns where the documents of a model are; `None` for what names no collection.
    pub fn collection(&self, model: &str) -> Option<CollectionName> {
        let said = self.hints.collections.get(model).cloned();
        said.or_else(|| CollectionName::of_model(model).ok())
    }

    /// Checks the texts of an operation, and that what is said of models is said of its own;
    /// its name and hints were checked when they were made.
    ///
    /// # Errors
    ///
    /// Returns the first rule of the contract that is broken.
    pub(crate) fn checked(self) -> Result<Self, MetadataError> {
        check_text("description", &self.description, MAX_DESCRIPTION)?;
        check_text("category", &self.category, MAX_NAME)?;
        let is_own =
            |model: &&String| self.models_in.contains(model) || self.models_out.contains(model);
        match self.hints.collections.keys().find(|model| !is_own(model)) {
            Some(model) => Err(MetadataError::UnknownModel(model.clone())),
            None => Ok(self),
        }
    }
}

fn check_text(what: &'static str, text: &str, longest: usize) -> Result<(), MetadataError> {
    if text.trim().is_empty() {
        return Err(MetadataError::Empty(what));
    }
    if text.len() > longest {
        return Err(MetadataError::TooLong { what, longest });
    }
    Ok(())
}

/// Splits annotations into what the host reads and what is the author's own.
///
/// # Errors
///
/// Returns the first key that is too long, stands twice, is under `ophost.` without being
/// known, or has a value of the wrong type.
pub(crate) fn read_annotations(
    annotations: Vec<(String, Value)>,
) -> Result<(Hints, BTreeMap<String, Value>), MetadataError> {
    let mut hints = Hints::default();
    let mut own = BTreeMap::new();
    let mut seen = std::collections::HashSet::new();
    for (key, value) in annotations {
        if key.len() > MAX_KEY {
            return Err(MetadataError::TooLong { what: "annotation key", longest: MAX_KEY });
        }
        if !seen.insert(key.clone()) {
            return Err(MetadataError::AnnotationTwice(key));
        }
        if key.starts_with("ophost.") {
            hints.read(&key, &value)?;
        } else {
            own.insert(key, value);
        }
    }
    Ok((hints, own))
}

/// A rule of the contract that a plugin's description breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A name outside the grammar.
    #[error(
        "`{}` is not a name for an operation: lower case letters, digits and `_`, in parts joined by dots",
        text::quote(.0)
    )]
    Name(String),
    /// A text that has to say something says nothing.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A text over its bound, in bytes.
    #[error("the {what} is longer than {longest} bytes")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// The bound in bytes.
        longest: usize,
    },
    /// A plugin without operations.
    #[error("it declares no operation")]
    NoOperations,
    /// A plugin with too many operations.
    #[error("it declares {0} operations, the most is {MAX_OPERATIONS}")]
    TooManyOperations(usize),
    /// Two operations of one name in one plugin.
    #[error("it declares the operation `{0}` twice")]
    Twice(OperationName),
    /// A schema or annotation that is not JSON.
    #[error("the {what} is not JSON: {}", text::single_line(problem))]
    NotJson {
        /// Which text.
        what: String,
        /// What the JSON reader says.
        problem: String,
    },
    /// A key under `ophost.` that this host does not know.
    #[error("unknown annotation `{}`", text::quote(.0))]
    UnknownAnnotation(String),
    /// A collection for a model that the operation does not name.
    #[error("the annotation `{COLLECTIONS}` names `{}`, which is none of the operation's models", text::quote(.0))]
    UnknownModel(String),
    /// One key twice in one list.
    #[error("the annotation `{}` stands twice", text::quote(.0))]
    AnnotationTwice(String),
    /// A key under `ophost.` with a value of the wrong type.
    #[error("the annotation `{}` is not {expected}", text::quote(key))]
    AnnotationValue {
        /// The key.
        key: String,
        /// What its value has to be.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "word_count", "flow.step_2", "ophosts.x"] {
            assert_eq!(OperationName::new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(MAX_NAME + 1);
        for bad in ["", ".", "a.", "A", "1a", "a-b", "a b", "ophost", "ophost.x", "ä", &long] {
            assert_eq!(OperationName::new(bad), Err(MetadataError::Name(bad.to_owned())));
        }
    }

    #[test]
    fn known_annotations_become_hints_and_others_stay() {
        let (hints, own) = read_annotations(vec![
            ("ophost.timeout-ms".into(), json!(1500)),
            ("ophost.idempotent".into(), json!(true)),
            ("team".into(), json!({"name": "data"})),
        ])
        .unwrap();
        assert_eq!(hints.timeout(), Some(Duration::from_millis(1500)));
        assert!(hints.idempotent && !hints.destructive);
        assert_eq!(own, BTreeMap::from([("team".to_owned(), json!({"name": "data"}))]));
    }

    #[test]
    fn annotations_that_the_host_does_not_know_are_refused() {
        let read = |key: &str, value| read_annotations(vec![(key.into(), value)]).unwrap_err();
        assert_eq!(read("ophost.magic", json!(1)).to_string(), "unknown annotation `ophost.magic`");
        assert_eq!(
            read("ophost.timeout-ms", json!(0)).to_string(),
            "the annotation `ophost.timeout-ms` is not a positive integer"
        );
        let twice = read_annotations(vec![("a".into(), json!(1)), ("a".into(), json!(1))]);
        assert_eq!(twice.unwrap_err(), MetadataError::AnnotationTwice("a".into()));
    }
}
