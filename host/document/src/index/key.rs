//! The keys of a document in an index.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::field::IndexField;
use crate::budget::Budget;
use crate::order;
use crate::path::Leaf;
use crate::projection::Fields;
use crate::sort::{MAX_VALUE, encode, encode_empty_list};

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

/// Returns a value of a document that equals a value, other than null, of another document at the
/// field. `None` if a filter for equality never matches both documents.
pub(super) fn common_value(
    field: &IndexField,
    document: &dyn Fields,
    other: &dyn Fields,
) -> Option<Value> {
    let values = |fields: &dyn Fields, of: &mut dyn FnMut(&Value)| {
        each_value(field, fields, |value| match value {
            Indexed::Value(value) if !value.is_null() => of(value),
            Indexed::Value(_) | Indexed::Missing | Indexed::EmptyList => {}
        });
    };
    let mut others = Vec::new();
    values(other, &mut |value| others.push(value.clone()));
    others.sort_unstable_by(order::compare);
    let mut common = None;
    values(document, &mut |value| {
        if common.is_none() && others.binary_search_by(|it| order::compare(it, value)).is_ok() {
            common = Some(value.clone());
        }
    });
    common
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
