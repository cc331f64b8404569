//! Metadata of plugins and operations, validated against the rules of the contract.
//!
//! A [`Plugin`] is the validated result of `describe`. The sandbox obtains the result.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use ophost_document::{suggest, text};

use crate::model::document::CollectionName;

/// Maximum length of a name, category or version, in bytes.
const MAX_NAME: usize = 128;
/// First part of the names of built-in operations.
const HOST: &str = "ophost";
/// Maximum length of a description, in bytes.
const MAX_DESCRIPTION: usize = 8 << 10;
/// Maximum number of operations of a plugin.
const MAX_OPERATIONS: usize = 256;
/// Maximum number of aliases of an operation.
const MAX_ALIASES: usize = 16;
/// Maximum length of an annotation key, in bytes.
const MAX_KEY: usize = 255;
/// The annotations of the host, for suggestions.
const HOST_KEYS: [&str; 6] = [
    "ophost.aliases",
    COLLECTIONS,
    "ophost.destructive",
    "ophost.idempotent",
    "ophost.memory-mib",
    "ophost.timeout-ms",
];
/// The annotation that maps models to collections.
const COLLECTIONS: &str = "ophost.collections";

/// Name of an operation, unique in a host.
///
/// A name has parts of the form `[a-z][a-z0-9_]*`, joined by dots, and at most 128 bytes. The
/// first part `ophost` is reserved for built-in operations.
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

    /// Accepts reserved names too, because records of built-in operations contain them.
    fn try_from(name: String) -> Result<Self, MetadataError> {
        Self::any(name)
    }
}

/// The order and the hash of a name are those of its text.
impl Borrow<str> for OperationName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl OperationName {
    /// Parses a name.
    ///
    /// # Errors
    ///
    /// Returns [`MetadataError::Name`] if the text is not a name, or is a reserved name.
    pub fn new(name: impl Into<String>) -> Result<Self, MetadataError> {
        let name = Self::any(name)?;
        match name.0.split('.').next() {
            Some(HOST) => Err(MetadataError::Name(name.0)),
            Some(_) | None => Ok(name),
        }
    }

    /// Parses a name, and accepts reserved names.
    ///
    /// # Errors
    ///
    /// Returns [`MetadataError::Name`] if the text is not a name.
    pub fn any(name: impl Into<String>) -> Result<Self, MetadataError> {
        let name = name.into();
        if name.len() > MAX_NAME || !name.split('.').all(is_part) {
            return Err(MetadataError::Name(name));
        }
        Ok(Self(name))
    }

    /// Returns the name of a built-in operation, such as `ophost.import`.
    pub(crate) fn builtin(name: &'static str) -> Self {
        Self(format!("{HOST}.{name}"))
    }

    /// Returns whether the name is one of the host's own operations, such as `ophost.import`.
    pub fn is_builtin(&self) -> bool {
        self.0.strip_prefix(HOST).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Returns the text of the name.
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

/// Metadata of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// Name of the plugin, for display.
    pub name: String,
    /// Version of the plugin, for display.
    pub version: String,
    /// Annotations of the author.
    pub annotations: BTreeMap<String, Value>,
    /// The operations: at least one, with unique names.
    pub operations: Vec<Operation>,
}

/// Metadata of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Name, unique in a host.
    pub name: OperationName,
    /// Description; not empty.
    pub description: String,
    /// Category; not empty.
    pub category: String,
    /// JSON Schema of the input, as declared. The registry compiles it.
    pub input_schema: Value,
    /// JSON Schema of the output, as declared. The registry compiles it.
    pub output_schema: Value,
    /// Tags, for filters.
    pub tags: Vec<String>,
    /// Permissions that a caller needs.
    pub permissions: Vec<String>,
    /// Models that the operation reads.
    pub models_in: Vec<String>,
    /// Models that the operation creates, updates or deletes.
    pub models_out: Vec<String>,
    /// Stage of a pipeline.
    pub stage: Option<String>,
    /// Whether direct calls are recorded by default.
    pub async_enabled: bool,
    /// Whether runs can have a record.
    pub create_taskrun: bool,
    /// Hints for the host.
    #[serde(flatten)]
    pub hints: Hints,
    /// Annotations of the author: keys outside `ophost.`.
    pub annotations: BTreeMap<String, Value>,
}

/// Values of the annotations under `ophost.`.
///
/// `wit/README.md` lists the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    /// `ophost.timeout-ms`: default of the time limit, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// `ophost.memory-mib`: default of the memory limit, in MiB.
    pub memory_mib: Option<u64>,
    /// `ophost.idempotent`: whether two runs have the same effect as one.
    pub idempotent: bool,
    /// `ophost.destructive`: whether the operation deletes or overwrites data that cannot be
    /// restored.
    pub destructive: bool,
    /// `ophost.aliases`: other names of the operation, at most 16.
    pub aliases: Vec<OperationName>,
    /// `ophost.collections`: collections of models, where they differ from the default collection
    /// of the model name.
    #[serde(default)]
    pub collections: BTreeMap<String, CollectionName>,
}

impl Hints {
    /// Returns the default of the time limit.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// Returns the default of the memory limit, in bytes.
    pub fn memory(&self) -> Option<u64> {
        self.memory_mib.map(|mib| mib.saturating_mul(1 << 20))
    }

    fn read(&mut self, key: &str, value: &Value) -> Result<(), MetadataError> {
        let error = |expected| MetadataError::AnnotationValue { key: key.to_owned(), expected };
        let positive =
            || value.as_u64().filter(|number| *number > 0).ok_or(error("a positive integer"));
        let boolean = || value.as_bool().ok_or(error("true or false"));
        match key {
            "ophost.timeout-ms" => self.timeout_ms = Some(positive()?),
            "ophost.memory-mib" => self.memory_mib = Some(positive()?),
            "ophost.idempotent" => self.idempotent = boolean()?,
            "ophost.destructive" => self.destructive = boolean()?,
            "ophost.aliases" => self.aliases = aliases(value)?,
            COLLECTIONS => self.collections = collections(value)?,
            _ => return Err(MetadataError::UnknownAnnotation(key.to_owned())),
        }
        Ok(())
    }
}

/// Returns the annotation that the author may have meant, as the end of a message.
fn similar_annotation(key: &str) -> String {
    if HOST_KEYS.contains(&key) {
        return " of a plugin; it is an annotation of operations".to_owned();
    }
    let similar = suggest::closest_match(key, HOST_KEYS.into_iter());
    similar.map_or_else(String::new, |similar| format!("; did you mean `{similar}`?"))
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
    let error = || MetadataError::AnnotationValue { key: COLLECTIONS.to_owned(), expected };
    let named = |(model, name): (&String, &Value)| {
        let name = name.as_str().and_then(|name| name.parse().ok());
        Ok((model.clone(), name.ok_or_else(error)?))
    };
    value.as_object().ok_or_else(error)?.iter().map(named).collect()
}

impl Plugin {
    /// Validates the fields of the plugin and the uniqueness of its operation names.
    ///
    /// # Errors
    ///
    /// Returns the first violated rule of the contract.
    pub(crate) fn checked(self) -> Result<Self, MetadataError> {
        check_text("plugin name", &self.name, MAX_NAME)?;
        check_text("plugin version", &self.version, MAX_NAME)?;
        match self.operations.len() {
            0 => return Err(MetadataError::NoOperations),
            1..=MAX_OPERATIONS => {}
            count => return Err(MetadataError::TooManyOperations(count)),
        }
        let duplicate = {
            let mut seen = std::collections::HashSet::new();
            self.names().find(|name| !seen.insert(*name)).cloned()
        };
        match duplicate {
            Some(name) => Err(MetadataError::Duplicate(name)),
            None => Ok(self),
        }
    }

    /// Returns the names and aliases of all operations.
    pub(crate) fn names(&self) -> impl Iterator<Item = &OperationName> {
        self.operations.iter().flat_map(Operation::names)
    }
}

impl Operation {
    /// Returns whether direct calls are recorded by default.
    pub fn is_recorded(&self) -> bool {
        self.create_taskrun && self.async_enabled
    }

    /// Returns the name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &OperationName> {
        std::iter::once(&self.name).chain(&self.hints.aliases)
    }

    /// Returns the collection of a model; `None` if the model name gives no collection name.
    pub fn collection(&self, model: &str) -> Option<CollectionName> {
        let mapped = self.hints.collections.get(model).cloned();
        mapped.or_else(|| CollectionName::of_model(model).ok())
    }

    /// Validates the texts of the operation and the models of `ophost.collections`. The
    /// constructors of the name and the hints have validated these.
    ///
    /// # Errors
    ///
    /// Returns the first violated rule of the contract.
    pub(crate) fn checked(self) -> Result<Self, MetadataError> {
        let what = |text: &str| format!("{text} of `{}`", self.name);
        check_text(&what("description"), &self.description, MAX_DESCRIPTION)?;
        check_text(&what("category"), &self.category, MAX_NAME)?;
        let is_own =
            |model: &&String| self.models_in.contains(model) || self.models_out.contains(model);
        match self.hints.collections.keys().find(|model| !is_own(model)) {
            Some(model) => Err(MetadataError::UnknownModel(model.clone())),
            None => Ok(self),
        }
    }
}

fn check_text(what: &str, text: &str, max: usize) -> Result<(), MetadataError> {
    if text.trim().is_empty() {
        return Err(MetadataError::Empty(what.to_owned()));
    }
    if text.len() > max {
        return Err(MetadataError::TooLong { what: what.to_owned(), max });
    }
    Ok(())
}

/// Splits annotations into hints for the host and annotations of the author.
///
/// # Errors
///
/// Returns the first key that is too long, is a duplicate, is an unknown key under `ophost.`, or
/// has a value of the wrong type.
pub(crate) fn read_annotations(
    annotations: Vec<(String, Value)>,
) -> Result<(Hints, BTreeMap<String, Value>), MetadataError> {
    let mut hints = Hints::default();
    let mut own = BTreeMap::new();
    let mut seen = std::collections::HashSet::new();
    for (key, value) in annotations {
        if key.len() > MAX_KEY {
            return Err(MetadataError::TooLong { what: "annotation key".to_owned(), max: MAX_KEY });
        }
        if !seen.insert(key.clone()) {
            return Err(MetadataError::DuplicateAnnotation(key));
        }
        if key.starts_with("ophost.") {
            hints.read(&key, &value)?;
        } else {
            own.insert(key, value);
        }
    }
    Ok((hints, own))
}

/// A violated rule of the contract in the metadata of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A text that is not an operation name.
    #[error(
        "`{}` is not an operation name: lower case letters, digits and `_`, in parts joined by dots",
        text::quote(.0)
    )]
    Name(String),
    /// A required text is empty.
    #[error("the {0} is empty")]
    Empty(String),
    /// A text is too long.
    #[error("the {what} is longer than {max} bytes")]
    TooLong {
        /// Name of the text.
        what: String,
        /// Maximum length in bytes.
        max: usize,
    },
    /// The plugin has no operation.
    #[error("the plugin declares no operation")]
    NoOperations,
    /// The plugin has too many operations.
    #[error("the plugin declares {0} operations; the maximum is {MAX_OPERATIONS}")]
    TooManyOperations(usize),
    /// Two operations of the plugin have the same name.
    #[error("the plugin declares the operation `{0}` twice")]
    Duplicate(OperationName),
    /// A schema or an annotation is not JSON.
    #[error("the {what} is not JSON: {}", text::single_line(problem))]
    NotJson {
        /// Name of the text.
        what: String,
        /// Message of the JSON parser.
        problem: String,
    },
    /// An unknown key under `ophost.`.
    #[error("unknown annotation `{}`{}", text::quote(.0), similar_annotation(.0))]
    UnknownAnnotation(String),
    /// A collection for a model that the operation does not declare.
    #[error("the annotation `{COLLECTIONS}` names `{}`, which is not a model of the operation", text::quote(.0))]
    UnknownModel(String),
    /// A duplicate annotation.
    #[error("the annotation `{}` is declared twice", text::quote(.0))]
    DuplicateAnnotation(String),
    /// A value of the wrong type under `ophost.`.
    #[error("the annotation `{}` is not {expected}", text::quote(key))]
    AnnotationValue {
        /// The key.
        key: String,
        /// The expected value.
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
    fn known_annotations_become_hints_and_others_are_preserved() {
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
    fn unknown_and_duplicate_annotations_are_rejected() {
        let read = |key: &str, value| read_annotations(vec![(key.into(), value)]).unwrap_err();
        assert_eq!(read("ophost.magic", json!(1)).to_string(), "unknown annotation `ophost.magic`");
        assert_eq!(
            read("ophost.timeout-ms", json!(0)).to_string(),
            "the annotation `ophost.timeout-ms` is not a positive integer"
        );
        let twice = read_annotations(vec![("a".into(), json!(1)), ("a".into(), json!(1))]);
        assert_eq!(twice.unwrap_err(), MetadataError::DuplicateAnnotation("a".into()));
    }
}
