//! The keys of a document in an index.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::field::IndexField;
use crate::budget::Budget;
use crate::path::Leaf;
use crate::projection::Fields;
use crate::sort::{MAX_VALUE, NULL, encode, encode_empty_list};

/// The key of a value in an index, of at most 512 bytes.
///
/// Keys have the order of the values, as in [`SortKey`](crate::SortKey). No key is a prefix of
/// another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexKey(Box<[u8]>);

impl IndexKey {
    /// Returns the key of a value.
    pub fn of(value: &Value) -> Self {
        Self(encode(value).into())
    }

    /// Returns the key as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether the key is that of null, or the second key of an empty list.
    pub fn is_null(&self) -> bool {
        self.0.first().is_some_and(|first| *first <= NULL)
    }

    /// Returns whether different values can have this key, because it contains only the start of a
    /// value.
    pub fn is_truncated(&self) -> bool {
        self.0.len() == MAX_VALUE
    }
}

impl Borrow<[u8]> for IndexKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// Returns the keys of a document in the index of a field, at least one.
///
/// A list has its own key, and the keys of its items. An empty list has a second key, which comes
/// before null as in a sort order. A missing value has the key of null.
pub fn keys_of(field: &IndexField, fields: &dyn Fields) -> BTreeSet<IndexKey> {
    let mut keys = BTreeSet::new();
    each_value(field, fields, |value| match value {
        Indexed::Missing => drop(keys.insert(IndexKey::of(&Value::Null))),
        Indexed::EmptyList => drop(keys.insert(IndexKey(encode_empty_list().into()))),
        Indexed::Value(value) => drop(keys.insert(IndexKey::of(value))),
    });
    keys
}

/// Returns the values, other than null, of a document at a field: those that a filter for equality
/// can match. A list is followed by its items.
pub(super) fn values_of<'v>(field: &IndexField, fields: &'v dyn Fields) -> Vec<&'v Value> {
    let mut values = Vec::new();
    each_value(field, fields, |value| match value {
        Indexed::Value(value) if !value.is_null() => values.push(value),
        Indexed::Value(_) | Indexed::Missing | Indexed::EmptyList => {}
    });
    values
}

/// A value with an entry in an index.
enum Indexed<'v> {
    Missing,
    /// An empty list, in addition to its entry as a value.
    EmptyList,
    Value(&'v Value),
}

fn each_value<'v>(field: &IndexField, fields: &'v dyn Fields, mut visit: impl FnMut(Indexed<'v>)) {
    let visited = field.path().visit(fields, &Budget::unlimited(), |leaf| {
        match leaf {
            Leaf::Missing => visit(Indexed::Missing),
            Leaf::Value(list @ Value::Array(items)) | Leaf::Inner(list @ Value::Array(items)) => {
                items.iter().for_each(|item| visit(Indexed::Value(item)));
                if items.is_empty() {
                    visit(Indexed::EmptyList);
                }
                visit(Indexed::Value(list));
            }
            Leaf::Value(value) | Leaf::Inner(value) => visit(Indexed::Value(value)),
        }
        Ok(false)
    });
    // A budget without a limit is never used up.
    visited.ok();
}
