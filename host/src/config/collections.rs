//! `[collections.NAME]` of `ophost.toml`.

use std::collections::BTreeMap;

use ophost_document::IndexField;

use super::Sourced;
use super::error::{ConfigError, INDEXES, SettingError};
use super::file::{Entry, Key, Parser, truncated};
use crate::model::document::CollectionName;

const COLLECTION_KEYS: [&str; 1] = ["indexes"];
const INDEX_KEYS: [&str; 2] = ["field", "unique"];

/// The settings of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionSettings {
    /// The requested indexes. `ophost documents index sync` adds those that do not exist.
    pub indexes: Sourced<Vec<RequestedIndex>>,
}

/// An index that the settings request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedIndex {
    /// The field.
    pub field: IndexField,
    /// Whether two documents cannot have the same value.
    pub unique: bool,
}

impl Parser<'_> {
    /// Returns the settings of each collection.
    pub(super) fn collections(
        &self,
        value: &Entry<'_>,
    ) -> Result<BTreeMap<CollectionName, CollectionSettings>, ConfigError> {
        let mut collections = BTreeMap::new();
        for (key, value) in self.table("collections", value)? {
            let name = CollectionName::new(key.get_ref().as_ref()).map_err(|_| {
                self.invalid(key, SettingError::CollectionName(truncated(key.get_ref())))
            })?;
            let table = format!("collections.{name}");
            for (key, value) in self.table(&table, value)? {
                if key.get_ref() != COLLECTION_KEYS[0] {
                    return Err(self.unknown(&table, key, &COLLECTION_KEYS));
                }
                let indexes = self.indexes(&format!("{table}.indexes"), value)?;
                collections.insert(name.clone(), CollectionSettings { indexes });
            }
        }
        Ok(collections)
    }

    fn indexes(
        &self,
        key: &str,
        value: &Entry<'_>,
    ) -> Result<Sourced<Vec<RequestedIndex>>, ConfigError> {
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.wrong_type(key, value, INDEXES))?;
        let indexes = list.iter().map(|item| self.index(key, item)).collect::<Result<_, _>>()?;
        Ok(Sourced { value: indexes, source: self.source(value) })
    }

    /// Returns an index: the path of its field, or a table.
    fn index(&self, key: &str, item: &Entry<'_>) -> Result<RequestedIndex, ConfigError> {
        let Some(table) = item.get_ref().as_table() else {
            return Ok(RequestedIndex { field: self.field(key, item)?, unique: false });
        };
        let (mut field, mut unique) = (None, false);
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "field" => field = Some(self.field(key, value)?),
                "unique" => unique = self.boolean(key, value)?,
                _ => return Err(self.unknown_of_index(key, name)),
            }
        }
        let field = field.ok_or_else(|| self.wrong_type(key, item, INDEXES))?;
        Ok(RequestedIndex { field, unique })
    }

    fn field(&self, key: &str, value: &Entry<'_>) -> Result<IndexField, ConfigError> {
        let text = self.text(key, value, INDEXES)?;
        text.parse().map_err(|error: ophost_document::IndexFieldError| {
            let problem = SettingError::Index { key: key.to_owned(), problem: error };
            self.invalid(value, problem)
        })
    }

    fn boolean(&self, key: &str, value: &Entry<'_>) -> Result<bool, ConfigError> {
        value.get_ref().as_bool().ok_or_else(|| self.wrong_type(key, value, INDEXES))
    }

    fn unknown_of_index(&self, key: &str, name: &Key<'_>) -> ConfigError {
        self.unknown(key, name, &INDEX_KEYS)
    }
}
