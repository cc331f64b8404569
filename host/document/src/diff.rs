//! The fields that differ between two states of a document.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::text;

/// The differences between two states of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// The first changes, in the order of the fields. In each object, new fields come last.
    pub listed: Vec<FieldChange>,
    /// Number of changes that are not listed.
    pub rest: usize,
}

/// A value that was added, removed or replaced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// The path of the value: names of fields and indices of lists, joined by dots.
    ///
    /// A name that is empty, or has a dot or a quote, is written as a JSON string. A long name is
    /// truncated.
    pub path: String,
    /// The old value; `None` if the value was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The new value; `None` if the value was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Returns the differences between two states of a document.
///
/// Objects are compared field by field, and lists index by index. `None` is a document that does
/// not exist, and counts as one without fields. At most `max` changes are listed, and the others
/// are counted.
pub fn changes(
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    max: usize,
) -> Diff {
    let no_fields = Map::new();
    let mut builder = DiffBuilder { changes: Diff::default(), path: String::new(), max };
    builder.objects(before.unwrap_or(&no_fields), after.unwrap_or(&no_fields));
    builder.changes
}

struct DiffBuilder {
    changes: Diff,
    /// The path of the current value.
    path: String,
    max: usize,
}

impl DiffBuilder {
    /// Compares two objects. The recursion is bounded by the depth of documents.
    fn objects(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, value) in before {
            self.at(&path_part(name), |builder| builder.values(Some(value), after.get(name)));
        }
        for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            self.at(&path_part(name), |builder| builder.values(None, Some(value)));
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) {
        for index in 0..before.len().max(after.len()) {
            let (before, after) = (before.get(index), after.get(index));
            self.at(&index.to_string(), |builder| builder.values(before, after));
        }
    }

    fn values(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                self.objects(before, after);
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.lists(before, after),
            _ if before == after => {}
            _ if self.changes.listed.len() == self.max => self.changes.rest += 1,
            _ => self.changes.listed.push(FieldChange {
                path: self.path.clone(),
                before: before.cloned(),
                after: after.cloned(),
            }),
        }
    }

    /// Calls `compare` while `part` is the last part of the path.
    fn at(&mut self, part: &str, compare: impl FnOnce(&mut Self)) {
        let parent_length = self.path.len();
        if parent_length > 0 {
            self.path.push('.');
        }
        self.path.push_str(part);
        compare(self);
        self.path.truncate(parent_length);
    }
}

fn path_part(name: &str) -> String {
    let plain = !name.is_empty() && !name.contains(['.', '"']);
    let name = text::quote(name);
    if plain { name } else { Value::String(name).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns all changes as JSON.
    fn all_changes(before: &Value, after: &Value) -> Value {
        let changes = changes(before.as_object(), after.as_object(), 9);
        assert_eq!(changes.rest, 0);
        serde_json::to_value(changes.listed).unwrap()
    }

    #[test]
    fn changes_have_the_path_of_the_changed_value() {
        let before = json!({"a": 1, "b": {"c": [1, 2, {"d": 1}], "e": null}, "f": 0, "same": [1]});
        let after = json!({"same": [1], "b": {"c": [1, 3, {"d": "x"}, 4]}, "a": 1, "new": null});
        let expected = json!([
            {"path": "b.c.1", "before": 2, "after": 3},
            {"path": "b.c.2.d", "before": 1, "after": "x"},
            {"path": "b.c.3", "after": 4},
            {"path": "b.e", "before": null},
            {"path": "f", "before": 0},
            {"path": "new", "after": null}
        ]);
        assert_eq!(all_changes(&before, &after), expected);
        assert_eq!(all_changes(&before, &before), json!([]));
    }

    #[test]
    fn value_of_another_type_is_a_single_change() {
        let changes = all_changes(&json!({"a": {"x": 1}, "b": 1}), &json!({"a": [1], "b": 1.0}));
        let expected = json!([
            {"path": "a", "before": {"x": 1}, "after": [1]}, {"path": "b", "before": 1, "after": 1.0}
        ]);
        assert_eq!(changes, expected);
    }

    #[test]
    fn created_document_adds_fields_and_deleted_document_removes_them() {
        let document = json!({"a": {"b": 1}, "c": 2});
        let new = json!([{"path": "a", "after": {"b": 1}}, {"path": "c", "after": 2}]);
        assert_eq!(all_changes(&json!(null), &document), new);
        let removed = json!([{"path": "a", "before": {"b": 1}}, {"path": "c", "before": 2}]);
        assert_eq!(all_changes(&document, &json!(null)), removed);
        assert_eq!(changes(None, None, 9), Diff::default());
    }

    #[test]
    fn names_that_paths_cannot_contain_are_quoted() {
        let changes =
            all_changes(&json!({"a": {"x.y": 1, "": 1, "\"": 1, "ü b": 1}}), &json!({"a": {}}));
        let paths: Vec<_> =
            changes.as_array().unwrap().iter().map(|change| &change["path"]).collect();
        assert_eq!(paths, ["a.\"x.y\"", "a.\"\"", "a.\"\\\"\"", "a.ü b"]);
    }

    #[test]
    fn changes_over_the_maximum_are_counted() {
        let list = |value: u32| json!({"a": vec![json!(value); 1500]});
        let changes = changes(list(0).as_object(), list(1).as_object(), 1000);
        assert_eq!((changes.listed.len(), changes.rest), (1000, 500));
    }

    #[test]
    fn long_name_is_truncated_in_each_path() {
        let long = "n".repeat(1 << 20);
        let list = |value: u32| json!({&long: vec![json!(value); 9]});
        let changes = changes(list(0).as_object(), list(1).as_object(), 9);
        let end = "n [1048576 bytes, cut].8";
        assert!(changes.listed[8].path.ends_with(end), "{}", changes.listed[8].path.len());
        assert_eq!(changes.listed[8].path.len(), 119 + end.len());
    }
}
