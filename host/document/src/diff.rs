//! Tells two states of a document apart.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::text;

/// What differs between two states of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// The first ones, in the order of the fields, those that are new at last.
    pub listed: Vec<FieldChange>,
    /// How many more there are.
    pub rest: usize,
}

/// One place that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// The place: names of fields and places in lists, joined by dots. A name that is empty or
    /// holds a dot or a quote stands as a JSON text; a long one is cut.
    pub path: String,
    /// What was there; `None` if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now; `None` if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Returns what differs, as deep within objects and lists as it is. Lists are compared place by
/// place. A document that is not there has no fields. Lists at most `most`, and counts the rest.
pub fn changes(
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    most: usize,
) -> Diff {
    let nothing = Map::new();
    let mut seen = Seen { changes: Diff::default(), path: String::new(), most };
    seen.objects(before.unwrap_or(&nothing), after.unwrap_or(&nothing));
    seen.changes
}

struct Seen {
    changes: Diff,
    /// The place that is looked at.
    path: String,
    most: usize,
}

impl Seen {
    /// Compares two objects; their depth is that of documents.
    fn objects(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, value) in before {
            self.at(&shown(name), |seen| seen.either(Some(value), after.get(name)));
        }
        for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            self.at(&shown(name), |seen| seen.either(None, Some(value)));
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) {
        for place in 0..before.len().max(after.len()) {
            let either = (before.get(place), after.get(place));
            self.at(&place.to_string(), |seen| seen.either(either.0, either.1));
        }
    }

    fn either(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                self.objects(before, after);
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.lists(before, after),
            _ if before == after => {}
            _ if self.changes.listed.len() == self.most => self.changes.rest += 1,
            _ => self.changes.listed.push(FieldChange {
                path: self.path.clone(),
                before: before.cloned(),
                after: after.cloned(),
            }),
        }
    }

    /// Looks at a place within the one that is looked at.
    fn at(&mut self, part: &str, look: impl FnOnce(&mut Self)) {
        let outside = self.path.len();
        if outside > 0 {
            self.path.push('.');
        }
        self.path.push_str(part);
        look(self);
        self.path.truncate(outside);
    }
}

fn shown(name: &str) -> String {
    let plain = !name.is_empty() && !name.contains(['.', '"']);
    let name = text::quote(name);
    if plain { name } else { Value::String(name).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns what differs as JSON: of each place what was and what is.
    fn told(before: &Value, after: &Value) -> Value {
        let changes = changes(before.as_object(), after.as_object(), 9);
        assert_eq!(changes.rest, 0);
        serde_json::to_value(changes.listed).unwrap()
    }

    #[test]
    fn what_differs_is_told_where_it_is() {
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
        assert_eq!(told(&before, &after), expected);
        assert_eq!(told(&before, &before), json!([]));
    }

    #[test]
    fn another_type_and_another_number_are_changes_as_a_whole() {
        let told = told(&json!({"a": {"x": 1}, "b": 1}), &json!({"a": [1], "b": 1.0}));
        let expected = json!([
            {"path": "a", "before": {"x": 1}, "after": [1]}, {"path": "b", "before": 1, "after": 1.0}
        ]);
        assert_eq!(told, expected);
    }

    #[test]
    fn a_new_document_has_new_fields_and_a_removed_one_none() {
        let document = json!({"a": {"b": 1}, "c": 2});
        let new = json!([{"path": "a", "after": {"b": 1}}, {"path": "c", "after": 2}]);
        assert_eq!(told(&json!(null), &document), new);
        let gone = json!([{"path": "a", "before": {"b": 1}}, {"path": "c", "before": 2}]);
        assert_eq!(told(&document, &json!(null)), gone);
        assert_eq!(changes(None, None, 9), Diff::default());
    }

    #[test]
    fn names_that_paths_cannot_hold_stand_as_texts() {
        let told = told(&json!({"a": {"x.y": 1, "": 1, "\"": 1, "ü b": 1}}), &json!({"a": {}}));
        let paths: Vec<_> = told.as_array().unwrap().iter().map(|change| &change["path"]).collect();
        assert_eq!(paths, ["a.\"x.y\"", "a.\"\"", "a.\"\\\"\"", "a.ü b"]);
    }

    #[test]
    fn so_many_changes_are_listed_and_the_others_counted() {
        let list = |value: u32| json!({"a": vec![json!(value); 1500]});
        let changes = changes(list(0).as_object(), list(1).as_object(), 1000);
        assert_eq!((changes.listed.len(), changes.rest), (1000, 500));
    }

    #[test]
    fn a_long_name_is_cut_in_each_path_that_it_is_in() {
        let long = "n".repeat(1 << 20);
        let list = |value: u32| json!({&long: vec![json!(value); 9]});
        let changes = changes(list(0).as_object(), list(1).as_object(), 9);
        let end = "n [1048576 bytes, cut].8";
        assert!(changes.listed[8].path.ends_with(end), "{}", changes.listed[8].path.len());
        assert_eq!(changes.listed[8].path.len(), 119 + end.len());
    }
}
