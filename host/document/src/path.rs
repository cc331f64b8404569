//! Paths of fields in a document.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::budget::{Budget, Interruption, any};
use crate::projection::Fields;
use crate::text;

/// Maximum number of parts of a path.
pub const MAX_PARTS: usize = 64;

/// The path of a value in a document, such as `address.lines.0`.
///
/// The parts of a path are names of fields and indices of lists, which begin at 0. They are joined
/// by dots. A path has at most 64 parts, and no part is empty.
///
/// A path cannot contain a field whose name is empty or has a dot.
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
    /// The index in a list, if the name is an index.
    pub(crate) index: Option<usize>,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    ///
    /// Returns [`PathError`] if a part is empty or the path has too many parts.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let mut parts = Vec::new();
        for name in path.split('.') {
            if name.is_empty() {
                return Err(PathError::Empty(path.to_owned()));
            }
            if parts.len() == MAX_PARTS {
                return Err(PathError::TooLong(path.to_owned()));
            }
            parts.push(Part { name: name.into(), index: index(name) });
        }
        Ok(Self { parts: parts.into() })
    }

    /// Returns whether the first part is `_id`.
    pub fn is_id(&self) -> bool {
        self.first() == crate::body::ID
    }

    /// Returns whether the path is `_id`, the path of the document's id.
    pub(crate) fn is_id_itself(&self) -> bool {
        self.is_id() && self.parts.len() == 1
    }

    /// Returns the first part, the name of a field of the document.
    pub(crate) fn first(&self) -> &str {
        &self.parts[0].name
    }

    /// Returns the first part and the other parts.
    pub(crate) fn split_first(&self) -> (&Part, &[Part]) {
        (&self.parts[0], &self.parts[1..])
    }

    /// Returns the given number of parts from the start, as text.
    pub(crate) fn prefix(&self, parts: usize) -> String {
        let names: Vec<_> = self.parts.iter().take(parts).map(|part| &*part.name).collect();
        names.join(".")
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Calls `visitor` with each value at the path, until the visitor returns true. Returns
    /// whether the visitor did. If the path resolves to no value, the visitor is called once, with
    /// [`Leaf::Missing`].
    ///
    /// If a value along the path is a list, the next part selects an item by its index. A part that
    /// is not an index selects its field in each item that is an object. No value is visited twice.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up, and the error of `visitor`.
    pub(crate) fn visit<'v>(
        &self,
        fields: &'v dyn Fields,
        budget: &Budget,
        mut visitor: impl FnMut(Leaf<'v>) -> Result<bool, Interruption>,
    ) -> Result<bool, Interruption> {
        let mut was_called = false;
        let mut visit_leaf = |leaf| {
            was_called = true;
            visitor(leaf)
        };
        let mut visit = Visit { budget, visitor: &mut visit_leaf };
        let is_done = visit.object(fields, &self.parts)?;
        Ok(is_done || (!was_called && visitor(Leaf::Missing)?))
    }
}

/// A value at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf<'v> {
    /// No value.
    Missing,
    /// A value. If it is a list, its items count as values too.
    Value(&'v Value),
    /// A list that the path selects by its index in another list. Its items do not count.
    Inner(&'v Value),
}

/// A traversal of the values at a path.
struct Visit<'a, F> {
    budget: &'a Budget,
    visitor: &'a mut F,
}

impl<'v, F: FnMut(Leaf<'v>) -> Result<bool, Interruption>> Visit<'_, F> {
    fn object(&mut self, fields: &'v dyn Fields, parts: &[Part]) -> Result<bool, Interruption> {
        self.budget.step()?;
        let Some((first, rest)) = parts.split_first() else { return Ok(false) };
        match fields.field(&first.name) {
            None => (self.visitor)(Leaf::Missing),
            Some(value) if rest.is_empty() => (self.visitor)(Leaf::Value(value)),
            Some(value) => self.value(value, rest),
        }
    }

    /// Continues in a value with the remaining parts of the path, at least one.
    fn value(&mut self, value: &'v Value, parts: &[Part]) -> Result<bool, Interruption> {
        match value {
            Value::Object(fields) => self.object(fields, parts),
            Value::Array(items) => self.list(items, parts),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                (self.visitor)(Leaf::Missing)
            }
        }
    }

    fn list(&mut self, items: &'v [Value], parts: &[Part]) -> Result<bool, Interruption> {
        let Some((first, rest)) = parts.split_first() else { return Ok(false) };
        let Some(index) = first.index else {
            self.budget.spend(items.len())?;
            let objects = items.iter().filter_map(Value::as_object);
            return any(objects, |fields| self.object(fields, parts));
        };
        match items.get(index) {
            None => Ok(false),
            Some(item @ Value::Array(_)) if rest.is_empty() => (self.visitor)(Leaf::Inner(item)),
            Some(item) if rest.is_empty() => (self.visitor)(Leaf::Value(item)),
            Some(item) => self.value(item, rest),
        }
    }
}

/// Returns whether a filter can use this name of a field.
///
/// Such a name is not empty, has no dot and does not begin with `$`.
pub fn is_field(name: &str) -> bool {
    !name.is_empty() && !name.contains('.') && !name.starts_with('$')
}

/// Returns the index in a list that a part stands for. `01` is a name, not an index.
fn index(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    let plain = digits && (name == "0" || !name.starts_with('0'));
    plain.then(|| name.parse().ok()).flatten()
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix(self.parts.len()))
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

/// The reason why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A part is empty.
    #[error("the path `{}` has an empty part", text::quote(.0))]
    Empty(String),
    /// The path has more parts than a document can have levels.
    #[error("the path `{}` has more than {MAX_PARTS} parts", text::quote(.0))]
    TooLong(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the leaves at a path, as text.
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
    fn path_is_parts_joined_by_dots() {
        let path = Path::parse("address.lines.0.01").unwrap();
        assert_eq!(path.to_string(), "address.lines.0.01");
        let indices: Vec<_> = path.parts().iter().map(|part| part.index).collect();
        assert_eq!(indices, [None, None, Some(0), None], "an index has no leading zero");
        assert!(Path::parse(&vec!["a"; 64].join(".")).is_ok());
        let large = Path::parse("99999999999999999999999").unwrap();
        assert_eq!(large.parts()[0].index, None);
    }

    #[test]
    fn path_with_an_empty_part_or_too_many_parts_is_rejected() {
        for bad in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(Path::parse(bad), Err(PathError::Empty(bad.to_owned())));
        }
        let long = vec!["a"; 65].join(".");
        assert_eq!(Path::parse(&long), Err(PathError::TooLong(long.clone())));
        assert!(Path::parse(&"a.".repeat(1 << 20)).unwrap_err().to_string().len() < 250);
    }

    #[test]
    fn path_resolves_through_objects() {
        let document = json!({"a": {"b": {"c": 1}}, "x": null});
        assert_eq!(leaves("a.b.c", &document), ["1"]);
        assert_eq!(leaves("a.b", &document), [r#"{"c":1}"#]);
        for missing in ["b", "a.c", "a.b.c.d", "x.y"] {
            assert_eq!(leaves(missing, &document), ["-"]);
        }
    }

    #[test]
    fn path_resolves_through_each_object_of_a_list() {
        let document = json!({"a": [{"b": 5}, 3, {}, {"b": [9, 11]}, [{"b": 1}], {"b": 7}]});
        assert_eq!(leaves("a.b", &document), ["5", "-", "[9,11]", "7"]);
        let document = json!({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": {"c": 3}}]});
        assert_eq!(leaves("a.b.c", &document), ["1", "2", "3"]);
    }

    #[test]
    fn number_selects_an_item_of_a_list() {
        assert_eq!(leaves("a.1", &json!({"a": [5, 7, 3]})), ["7"]);
        assert_eq!(leaves("a.1", &json!({"a": [5, [2, 4], 3]})), ["inner [2,4]"]);
        assert_eq!(leaves("a.1", &json!({"a": [5, {"1": 4}, 3]})), [r#"{"1":4}"#]);
        assert_eq!(leaves("a.1.b", &json!({"a": [5, {"b": [4]}, 3]})), ["[4]"]);
        assert_eq!(leaves("a.1.b", &json!({"a": [5, [{"b": 4}], 3]})), ["4"]);
        assert_eq!(leaves("a.1.0", &json!({"a": [5, [6]]})), ["6"]);
        assert_eq!(
            leaves("a.1", &json!({"a": {"1": 2}})),
            ["2"],
            "a number is a name in an object"
        );
    }

    #[test]
    fn unresolvable_path_yields_missing_once() {
        for value in [json!([]), json!([1, null]), json!([[]]), json!([[{"b": 1}]])] {
            assert_eq!(leaves("a.b", &json!({"a": value})), ["-"], "{value}");
        }
        assert_eq!(leaves("a.5", &json!({"a": [1]})), ["-"]);
        assert_eq!(leaves("a.0.b", &json!({"a": [5]})), ["-"]);
        assert_eq!(leaves("a.b.c", &json!({"a": [{"b": []}, {"b": []}]})), ["-"]);
    }

    #[test]
    fn visit_stops_when_the_visitor_returns_true() {
        let document = json!({"a": [{"b": 1}, {"b": 2}, {"b": 3}]});
        let mut visited = 0;
        let path = Path::parse("a.b").unwrap();
        let stopped = path.visit(document.as_object().unwrap(), &Budget::unlimited(), |leaf| {
            visited += 1;
            Ok(leaf == Leaf::Value(&json!(2)))
        });
        assert_eq!(stopped, Ok(true));
        assert_eq!(visited, 2);
    }
}
