//! Which documents come first.

mod key;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::key::MAX_KEY;
pub use self::key::SortKey;
use crate::budget::{Budget, Interruption};
use crate::name::DocumentId;
use crate::order;
use crate::path::{Leaf, Path};
use crate::projection::Fields;

/// The most paths that documents are sorted by.
pub const MAX_KEYS: usize = 8;

/// In which order documents come: that of the first path, where that is equal of the next, at
/// last of the id. Without a path it is the order of the ids.
///
/// Values are in the order of [`order::compare`], as far as a key
/// holds them: see [`SortKey`]. What is missing counts as null. Of a list its least item counts, or its greatest where
/// the greatest comes first; an empty list comes before null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<SortBy>", try_from = "Vec<SortBy>")]
pub struct Sort(Vec<SortBy>);

/// One field that documents are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortBy {
    /// Which; `_id` for the document's id.
    pub path: Path,
    /// Whether the greatest comes first.
    #[serde(default)]
    pub descending: bool,
}

impl Sort {
    /// Returns an order.
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

    /// Returns whether this is the order of the ids, in which documents are kept.
    pub fn is_by_id(&self) -> bool {
        self.0.first().is_none_or(|first| first.path.is_id_itself() && !first.descending)
    }

    /// Returns the fields of a document that this looks at.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|by| by.path.first())
    }

    /// Returns the place of a document in this order.
    pub fn key_of(&self, id: &DocumentId, fields: &dyn Fields) -> SortKey {
        let mut key = SortKey::default();
        // A budget without a limit is never used up.
        self.write_key(&mut key, id, fields, &Budget::unlimited()).ok();
        key
    }

    /// As [`Sort::key_of`], in place of a key that is needed no more, and within a budget.
    pub(crate) fn write_key(
        &self,
        key: &mut SortKey,
        id: &DocumentId,
        fields: &dyn Fields,
        budget: &Budget,
    ) -> Result<(), Interruption> {
        key.clear();
        // No two documents have one id: what follows it decides nothing.
        let deciding = if self.is_by_id() { &[] } else { &*self.0 };
        for by in deciding {
            if by.path.is_id_itself() {
                key.push_text(id.as_str(), by.descending);
                break;
            }
            budget.check()?;
            match by.counting(fields, budget)? {
                Counting::EmptyList => key.push_empty_list(by.descending),
                Counting::Value(value) => key.push(value, by.descending),
            }
        }
        key.push_id(id);
        Ok(())
    }
}

/// What of a document counts at one path.
#[derive(Clone, Copy)]
enum Counting<'v> {
    EmptyList,
    Value(&'v Value),
}

impl SortBy {
    fn counting<'v>(
        &self,
        fields: &'v dyn Fields,
        budget: &Budget,
    ) -> Result<Counting<'v>, Interruption> {
        let mut counting = None;
        let mut count = |value| self.count(&mut counting, value, budget);
        self.path.visit(fields, budget, |leaf| {
            match leaf {
                Leaf::Missing => count(Counting::Value(&Value::Null))?,
                Leaf::Value(Value::Array(items)) | Leaf::Inner(Value::Array(items)) => {
                    if items.is_empty() {
                        count(Counting::EmptyList)?;
                    }
                    items.iter().try_for_each(|item| count(Counting::Value(item)))?;
                }
                Leaf::Value(value) | Leaf::Inner(value) => count(Counting::Value(value))?,
            }
            Ok(false)
        })?;
        Ok(counting.unwrap_or(Counting::Value(&Value::Null)))
    }

    /// Puts a value in place of what counted so far, if it comes first.
    fn count<'v>(
        &self,
        counting: &mut Option<Counting<'v>>,
        value: Counting<'v>,
        budget: &Budget,
    ) -> Result<(), Interruption> {
        match value {
            // Comparing takes as long as both are large.
            Counting::Value(Value::Array(_) | Value::Object(_)) => budget.check()?,
            _ => budget.step()?,
        }
        let comes_first = counting.is_none_or(|so_far| {
            let order = value.cmp(so_far);
            if self.descending { order.is_gt() } else { order.is_lt() }
        });
        if comes_first {
            *counting = Some(value);
        }
        Ok(())
    }
}

impl Counting<'_> {
    fn cmp(self, other: Counting<'_>) -> Ordering {
        match (self, other) {
            (Self::Value(value), Counting::Value(other)) => order::compare(value, other),
            (Self::EmptyList, Counting::EmptyList) => Ordering::Equal,
            (Self::EmptyList, Counting::Value(_)) => Ordering::Less,
            (Self::Value(_), Counting::EmptyList) => Ordering::Greater,
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

/// More paths than documents can be sorted by; how many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("documents are sorted by at most {MAX_KEYS} fields, not by {0}")]
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

    /// Returns the ids of documents in an order; ids are the numbers of the documents.
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
    fn the_first_key_decides_then_the_next_then_the_id() {
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
    fn what_is_missing_counts_as_null() {
        let documents = json!([{"a": 1}, {}, {"a": null}, {"a": false}, {"a": {}}]);
        assert_eq!(sorted(&["a"], &documents), "12043");
        assert_eq!(sorted(&["-a"], &documents), "34012");
        assert_eq!(sorted(&["a.b", "_id"], &documents), "01234");
    }

    #[test]
    fn of_a_list_the_item_that_comes_first_counts() {
        let documents = json!([
            {"a": [5, 1]}, {"a": 2}, {"a": [3]}, {"a": []}, {"a": null}, {"a": [[0]]}, {"a": [[]]}
        ]);
        assert_eq!(sorted(&["a"], &documents), "3401265");
        assert_eq!(sorted(&["-a"], &documents), "5602143");
    }

    #[test]
    fn a_path_through_lists_counts_what_comes_first_of_all() {
        let documents = json!([
            {"a": [{"b": 3}, {"b": [9, 4]}]}, {"a": [{"b": 5}, {}]}, {"a": {"b": 4}}, {"a": []}
        ]);
        assert_eq!(sorted(&["a.b"], &documents), "1302");
        assert_eq!(sorted(&["-a.b"], &documents), "0123");
        assert_eq!(sorted(&["a.0.b"], &documents), "2301");
    }

    #[test]
    fn an_order_of_the_ids_is_one_that_begins_with_them() {
        assert!(sort(&[]).is_by_id() && sort(&["_id", "-a"]).is_by_id());
        assert!(!sort(&["-_id"]).is_by_id() && !sort(&["a", "_id"]).is_by_id());
        assert!(!sort(&["_id.x"]).is_by_id());
    }

    #[test]
    fn at_most_eight_fields_are_sorted_by() {
        let by = || SortBy { path: Path::parse("a").unwrap(), descending: false };
        assert!(Sort::new(vec![by(); 8]).is_ok());
        let told = Sort::new(vec![by(); 9]).unwrap_err().to_string();
        assert_eq!(told, "documents are sorted by at most 8 fields, not by 9");
        let read: Sort = serde_json::from_str(r#"[{"path": "a.b"}]"#).unwrap();
        assert_eq!(read, sort(&["a.b"]));
    }
}
