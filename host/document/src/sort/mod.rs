//! Sort orders of documents.

mod key;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::key::SortKey;
pub(crate) use self::key::{
    MAX_KEY, MAX_VALUE, NULL, encode, encode_empty_list, encode_text_prefix, encoded_len,
};
use crate::budget::{Budget, Interruption};
use crate::name::DocumentId;
use crate::order;
use crate::path::{Leaf, Path};
use crate::projection::Fields;

/// Maximum number of fields of a sort order.
pub const MAX_KEYS: usize = 8;

/// A sort order of documents: by the values at up to 8 paths, and then by id.
///
/// If the values at a path are equal, the next path decides. Without a path, documents are sorted by
/// id.
///
/// Values have the order of [`order::compare`], up to the length that a [`SortKey`] contains. A
/// missing value counts as null. For a list, the least item counts, or the greatest item in
/// descending order. An empty list comes before null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<SortBy>", try_from = "Vec<SortBy>")]
pub struct Sort(Vec<SortBy>);

/// A field that documents are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortBy {
    /// The path of the field; `_id` for the id of the document.
    pub path: Path,
    /// Whether the order is descending, with the greatest value first.
    #[serde(default)]
    pub descending: bool,
}

impl Sort {
    /// Returns a sort order.
    ///
    /// # Errors
    ///
    /// Returns [`SortError`] if there are more than 8 paths.
    pub fn new(keys: Vec<SortBy>) -> Result<Self, SortError> {
        if keys.len() > MAX_KEYS {
            return Err(SortError(keys.len()));
        }
        Ok(Self(keys))
    }

    /// Returns whether this is the ascending order of the ids, in which documents are stored.
    pub fn is_by_id(&self) -> bool {
        self.0.first().is_none_or(|first| first.path.is_id_itself() && !first.descending)
    }

    /// Returns the first field and the other fields; `None` for the order by id.
    pub(crate) fn split_first(&self) -> Option<(&SortBy, &[SortBy])> {
        self.0.split_first().filter(|_| !self.is_by_id())
    }

    /// Returns the names of the document fields that the sort order reads.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|by| by.path.first())
    }

    /// Returns the sort key of a document.
    pub fn key_of(&self, id: &DocumentId, fields: &dyn Fields) -> SortKey {
        let mut key = SortKey::default();
        // A budget without a limit is never used up.
        self.write_key(&mut key, id, fields, &Budget::unlimited()).ok();
        key
    }

    /// Writes the sort key of a document, within a budget. Reuses the memory of `key`.
    pub(crate) fn write_key(
        &self,
        key: &mut SortKey,
        id: &DocumentId,
        fields: &dyn Fields,
        budget: &Budget,
    ) -> Result<(), Interruption> {
        key.clear();
        // The id is unique, so fields after it have no effect.
        let deciding = if self.is_by_id() { &[] } else { &*self.0 };
        for by in deciding {
            if by.path.is_id_itself() {
                key.push_text(id.as_str(), by.descending);
                break;
            }
            budget.check()?;
            match by.sort_value(fields, budget)? {
                SortValue::EmptyList => key.push_empty_list(by.descending),
                SortValue::Value(value) => key.push(value, by.descending),
            }
        }
        key.push_id(id);
        Ok(())
    }
}

/// The value of a document that counts for the order at one path.
#[derive(Clone, Copy)]
enum SortValue<'v> {
    EmptyList,
    Value(&'v Value),
}

impl SortBy {
    /// Returns whether this is the ascending order of the ids.
    pub(crate) fn is_ascending_id(&self) -> bool {
        self.path.is_id_itself() && !self.descending
    }

    fn sort_value<'v>(
        &self,
        fields: &'v dyn Fields,
        budget: &Budget,
    ) -> Result<SortValue<'v>, Interruption> {
        let mut first = None;
        let mut update = |value| self.update(&mut first, value, budget);
        self.path.visit(fields, budget, |leaf| {
            match leaf {
                Leaf::Missing => update(SortValue::Value(&Value::Null))?,
                Leaf::Value(Value::Array(items)) | Leaf::Inner(Value::Array(items)) => {
                    if items.is_empty() {
                        update(SortValue::EmptyList)?;
                    }
                    items.iter().try_for_each(|item| update(SortValue::Value(item)))?;
                }
                Leaf::Value(value) | Leaf::Inner(value) => update(SortValue::Value(value))?,
            }
            Ok(false)
        })?;
        Ok(first.unwrap_or(SortValue::Value(&Value::Null)))
    }

    /// Replaces the first value so far with `value`, if `value` comes before it.
    fn update<'v>(
        &self,
        first: &mut Option<SortValue<'v>>,
        value: SortValue<'v>,
        budget: &Budget,
    ) -> Result<(), Interruption> {
        match value {
            // The time of a comparison is bounded by the smaller of the two values.
            SortValue::Value(Value::Array(_) | Value::Object(_)) => budget.check()?,
            _ => budget.step()?,
        }
        let comes_first = first.is_none_or(|first| {
            let order = value.cmp(first);
            if self.descending { order.is_gt() } else { order.is_lt() }
        });
        if comes_first {
            *first = Some(value);
        }
        Ok(())
    }
}

impl SortValue<'_> {
    fn cmp(self, other: SortValue<'_>) -> Ordering {
        match (self, other) {
            (Self::Value(value), SortValue::Value(other)) => order::compare(value, other),
            (Self::EmptyList, SortValue::EmptyList) => Ordering::Equal,
            (Self::EmptyList, SortValue::Value(_)) => Ordering::Less,
            (Self::Value(_), SortValue::EmptyList) => Ordering::Greater,
        }
    }
}

impl TryFrom<Vec<SortBy>> for Sort {
    type Error = SortError;

    fn try_from(keys: Vec<SortBy>) -> Result<Self, SortError> {
        Self::new(keys)
    }
}

impl From<Sort> for Vec<SortBy> {
    fn from(sort: Sort) -> Self {
        sort.0
    }
}

/// A sort order with too many fields; the value is their number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot sort by {0} fields: the maximum is {MAX_KEYS}")]
pub struct SortError(usize);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sort(keys: &[&str]) -> Sort {
        let by = |key: &&str| SortBy {
            path: Path::parse(key.trim_start_matches('-')).unwrap(),
            descending: key.starts_with('-'),
        };
        Sort::new(keys.iter().map(by).collect()).unwrap()
    }

    /// Returns the sorted ids of documents. The id of a document is its index.
    fn sorted(keys: &[&str], documents: &Value) -> String {
        let sort = sort(keys);
        let documents = documents.as_array().unwrap().iter().enumerate();
        let mut keys: Vec<_> = documents
            .map(|(number, body)| {
                let id = DocumentId::new(number.to_string()).unwrap();
                (sort.key_of(&id, body.as_object().unwrap()), number.to_string())
            })
            .collect();
        keys.sort();
        keys.into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn first_key_decides_then_the_next_then_the_id() {
        let documents = json!([
            {"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}
        ]);
        assert_eq!(sorted(&[], &documents), "0123");
        assert_eq!(sorted(&["a", "b"], &documents), "1320");
        assert_eq!(sorted(&["a", "-b"], &documents), "2130");
        assert_eq!(sorted(&["-a", "b"], &documents), "0132");
        assert_eq!(sorted(&["-_id"], &documents), "3210");
        assert_eq!(sorted(&["b", "-_id", "a"], &documents), "3102");
    }

    #[test]
    fn missing_value_counts_as_null() {
        let documents = json!([{"a": 1}, {}, {"a": null}, {"a": false}, {"a": {}}]);
        assert_eq!(sorted(&["a"], &documents), "12043");
        assert_eq!(sorted(&["-a"], &documents), "34012");
        assert_eq!(sorted(&["a.b", "_id"], &documents), "01234");
    }

    #[test]
    fn first_item_of_a_list_in_sort_order_counts() {
        let documents = json!([
            {"a": [5, 1]}, {"a": 2}, {"a": [3]}, {"a": []}, {"a": null}, {"a": [[0]]}, {"a": [[]]}
        ]);
        assert_eq!(sorted(&["a"], &documents), "3401265");
        assert_eq!(sorted(&["-a"], &documents), "5602143");
    }

    #[test]
    fn first_of_all_values_at_a_path_through_lists_counts() {
        let documents = json!([
            {"a": [{"b": 3}, {"b": [9, 4]}]}, {"a": [{"b": 5}, {}]}, {"a": {"b": 4}}, {"a": []}
        ]);
        assert_eq!(sorted(&["a.b"], &documents), "1302");
        assert_eq!(sorted(&["-a.b"], &documents), "0123");
        assert_eq!(sorted(&["a.0.b"], &documents), "2301");
    }

    #[test]
    fn order_is_by_id_if_the_id_is_the_first_key() {
        assert!(sort(&[]).is_by_id() && sort(&["_id", "-a"]).is_by_id());
        assert!(!sort(&["-_id"]).is_by_id() && !sort(&["a", "_id"]).is_by_id());
        assert!(!sort(&["_id.x"]).is_by_id());
    }

    #[test]
    fn sort_order_has_at_most_eight_fields() {
        let by = || SortBy { path: Path::parse("a").unwrap(), descending: false };
        assert!(Sort::new(vec![by(); 8]).is_ok());
        let message = Sort::new(vec![by(); 9]).unwrap_err().to_string();
        assert_eq!(message, "cannot sort by 9 fields: the maximum is 8");
        let read: Sort = serde_json::from_str(r#"[{"path": "a.b"}]"#).unwrap();
        assert_eq!(read, sort(&["a.b"]));
    }
}
