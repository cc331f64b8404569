//! A place in a document.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::budget::{Budget, Interruption, any};
use crate::projection::Fields;
use crate::text;

/// The most parts of a path.
pub const MAX_PARTS: usize = 64;

/// A place in a document: names of fields, and places in lists from 0, joined by dots, such
/// as `address.lines.0`. At most 64 parts, none of them empty.
///
/// A field whose name holds a dot, or is empty, cannot be named so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Path {
    parts: Box<[Part]>,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Part {
    /// The name of a field.
    pub(crate) name: Box<str>,
    /// The place in a list, if it is the number of one.
    pub(crate) index: Option<usize>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// Returns [`PathError`] if a part is empty or there are too many.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let mut parts = Vec::new();
        for name in path.split('.') {
            if name.is_empty() {
                return Err(PathError::Empty(path.to_owned()));
            }
            if parts.len() == MAX_PARTS {
                return Err(PathError::TooLong(path.to_owned()));
            }
            parts.push(Part { name: name.into(), index: place(name) });
        }
        Ok(Self { parts: parts.into() })
    }

    /// Returns whether this is the place of the document's id, or within that.
    pub fn is_id(&self) -> bool {
        self.first() == crate::body::ID
    }

    /// Returns whether this is the place of the document's id.
    pub(crate) fn is_id_itself(&self) -> bool {
        self.is_id() && self.parts.len() == 1
    }

    /// Returns the field of a document in which this place is.
    pub(crate) fn first(&self) -> &str {
        &self.parts[0].name
    }

    /// Returns the first part, and those after it.
    pub(crate) fn split_first(&self) -> (&Part, &[Part]) {
        (&self.parts[0], &self.parts[1..])
    }

    /// Returns the first parts, as text.
    pub(crate) fn beginning(&self, parts: usize) -> String {
        let names: Vec<_> = self.parts.iter().take(parts).map(|part| &*part.name).collect();
        names.join(".")
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Shows what is there, until something says that it saw enough by returning true; returns
    /// whether it did. Where the path leads nowhere, it shows [`Leaf::Missing`] once.
    ///
    /// A list on the way is looked into: at the place that the next part is the number of, or
    /// else in each item that is an object. So one path leads to no field twice.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up, and the error of `see`.
    pub(crate) fn visit<'v>(
        &self,
        fields: &'v dyn Fields,
        budget: &Budget,
        mut see: impl FnMut(Leaf<'v>) -> Result<bool, Interruption>,
    ) -> Result<bool, Interruption> {
        let mut seen = false;
        let mut see_leaf = |leaf| {
            seen = true;
            see(leaf)
        };
        let mut visit = Visit { budget, see: &mut see_leaf };
        let done = visit.object(fields, &self.parts)?;
        Ok(done || (!seen && see(Leaf::Missing)?))
    }
}

/// What is where a path leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf<'v> {
    /// Nothing.
    Missing,
    /// A value.
    Value(&'v Value),
    /// A list that is an item of a list, named by its place there: its own items are not meant.
    Inner(&'v Value),
}

/// A walk along a path.
struct Visit<'a, F> {
    budget: &'a Budget,
    see: &'a mut F,
}

impl<'v, F: FnMut(Leaf<'v>) -> Result<bool, Interruption>> Visit<'_, F> {
    fn object(&mut self, fields: &'v dyn Fields, parts: &[Part]) -> Result<bool, Interruption> {
        self.budget.step()?;
        let Some((first, rest)) = parts.split_first() else { return Ok(false) };
        match fields.field(&first.name) {
            None => (self.see)(Leaf::Missing),
            Some(value) if rest.is_empty() => (self.see)(Leaf::Value(value)),
            Some(value) => self.value(value, rest),
        }
    }

    /// Goes on in a value with what is left of a path, at least one part.
    fn value(&mut self, value: &'v Value, parts: &[Part]) -> Result<bool, Interruption> {
        match value {
            Value::Object(fields) => self.object(fields, parts),
            Value::Array(items) => self.list(items, parts),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                (self.see)(Leaf::Missing)
            }
        }
    }

    fn list(&mut self, items: &'v [Value], parts: &[Part]) -> Result<bool, Interruption> {
        let Some((first, rest)) = parts.split_first() else { return Ok(false) };
        let Some(place) = first.index else {
            self.budget.spend(items.len())?;
            let objects = items.iter().filter_map(Value::as_object);
            return any(objects, |fields| self.object(fields, parts));
        };
        match items.get(place) {
            None => Ok(false),
            Some(item @ Value::Array(_)) if rest.is_empty() => (self.see)(Leaf::Inner(item)),
            Some(item) if rest.is_empty() => (self.see)(Leaf::Value(item)),
            Some(item) => self.value(item, rest),
        }
    }
}

/// Returns whether a filter can name a field of a document by this name: it is not empty, has no
/// dot and does not begin with `$`.
pub fn is_field(name: &str) -> bool {
    !name.is_empty() && !name.contains('.') && !name.starts_with('$')
}

/// Returns the place in a list that a part names; `01` names none.
fn place(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    let plain = digits && (name == "0" || !name.starts_with('0'));
    plain.then(|| name.parse().ok()).flatten()
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.beginning(self.parts.len()))
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        Self::parse(path)
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;

    fn try_from(path: String) -> Result<Self, PathError> {
        Self::parse(&path)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A part without a name.
    #[error("the path `{}` has an empty part", text::quote(.0))]
    Empty(String),
    /// More parts than any document has levels.
    #[error("the path `{}` has more than {MAX_PARTS} parts", text::quote(.0))]
    TooLong(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns what a path leads to, as text.
    fn leaves(path: &str, document: &Value) -> Vec<String> {
        let mut leaves = Vec::new();
        let fields = document.as_object().unwrap();
        let stopped = Path::parse(path).unwrap().visit(fields, &Budget::unlimited(), |leaf| {
            leaves.push(match leaf {
                Leaf::Missing => "-".to_owned(),
                Leaf::Value(value) => value.to_string(),
                Leaf::Inner(list) => format!("inner {list}"),
            });
            Ok(false)
        });
        assert_eq!(stopped, Ok(false));
        leaves
    }

    #[test]
    fn a_path_is_parts_joined_by_dots() {
        let path = Path::parse("address.lines.0.01").unwrap();
        assert_eq!(path.to_string(), "address.lines.0.01");
        let places: Vec<_> = path.parts().iter().map(|part| part.index).collect();
        assert_eq!(places, [None, None, Some(0), None], "a place has one name");
        assert!(Path::parse(&vec!["a"; 64].join(".")).is_ok());
        let large = Path::parse("99999999999999999999999").unwrap();
        assert_eq!(large.parts()[0].index, None);
    }

    #[test]
    fn a_path_has_no_empty_part_and_an_end() {
        for bad in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(Path::parse(bad), Err(PathError::Empty(bad.to_owned())));
        }
        let long = vec!["a"; 65].join(".");
        assert_eq!(Path::parse(&long), Err(PathError::TooLong(long.clone())));
        assert!(Path::parse(&"a.".repeat(1 << 20)).unwrap_err().to_string().len() < 250);
    }

    #[test]
    fn a_path_leads_through_objects() {
        let document = json!({"a": {"b": {"c": 1}}, "x": null});
        assert_eq!(leaves("a.b.c", &document), ["1"]);
        assert_eq!(leaves("a.b", &document), [r#"{"c":1}"#]);
        for nowhere in ["b", "a.c", "a.b.c.d", "x.y"] {
            assert_eq!(leaves(nowhere, &document), ["-"]);
        }
    }

    #[test]
    fn a_path_leads_through_each_object_of_a_list() {
        let document = json!({"a": [{"b": 5}, 3, {}, {"b": [9, 11]}, [{"b": 1}], {"b": 7}]});
        assert_eq!(leaves("a.b", &document), ["5", "-", "[9,11]", "7"]);
        let document = json!({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": {"c": 3}}]});
        assert_eq!(leaves("a.b.c", &document), ["1", "2", "3"]);
    }

    #[test]
    fn a_number_at_a_list_is_a_place_in_it() {
        assert_eq!(leaves("a.1", &json!({"a": [5, 7, 3]})), ["7"]);
        assert_eq!(leaves("a.1", &json!({"a": [5, [2, 4], 3]})), ["inner [2,4]"]);
        assert_eq!(leaves("a.1", &json!({"a": [5, {"1": 4}, 3]})), [r#"{"1":4}"#]);
        assert_eq!(leaves("a.1.b", &json!({"a": [5, {"b": [4]}, 3]})), ["[4]"]);
        assert_eq!(leaves("a.1.b", &json!({"a": [5, [{"b": 4}], 3]})), ["4"]);
        assert_eq!(leaves("a.1.0", &json!({"a": [5, [6]]})), ["6"]);
        assert_eq!(leaves("a.1", &json!({"a": {"1": 2}})), ["2"], "or a name in an object");
    }

    #[test]
    fn a_path_that_leads_nowhere_is_missing_once() {
        for value in [json!([]), json!([1, null]), json!([[]]), json!([[{"b": 1}]])] {
            assert_eq!(leaves("a.b", &json!({"a": value})), ["-"], "{value}");
        }
        assert_eq!(leaves("a.5", &json!({"a": [1]})), ["-"]);
        assert_eq!(leaves("a.0.b", &json!({"a": [5]})), ["-"]);
        assert_eq!(leaves("a.b.c", &json!({"a": [{"b": []}, {"b": []}]})), ["-"]);
    }

    #[test]
    fn looking_ends_where_enough_was_seen() {
        let document = json!({"a": [{"b": 1}, {"b": 2}, {"b": 3}]});
        let mut seen = 0;
        let path = Path::parse("a.b").unwrap();
        let stopped = path.visit(document.as_object().unwrap(), &Budget::unlimited(), |leaf| {
            seen += 1;
            Ok(leaf == Leaf::Value(&json!(2)))
        });
        assert_eq!(stopped, Ok(true));
        assert_eq!(seen, 2);
    }
}
