//! Compares JSON with an expectation that has placeholders.

use std::collections::BTreeMap;

use serde_json::Value;

/// Stands for the id of the run record, and for `null` if the run has no record.
const RUN: &str = "<run>";
/// Begins the placeholder `<id:NAME>`, which stands for an id that the host creates.
const ID: &str = "<id:";
/// Stands for one or more characters.
const TEXT: &str = "<text>";

/// The values of the placeholders of one case.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    run_id: Value,
    ids: BTreeMap<String, String>,
}

/// How an object is compared.
#[derive(Clone, Copy)]
enum Extent {
    /// Both objects have the same fields.
    Whole,
    /// The result can have more fields, except below `properties`.
    Part,
}

impl Pattern {
    /// Returns a pattern without known ids, for the run with this id or `null`.
    pub(super) fn with_run(run_id: Value) -> Self {
        Self { run_id, ids: BTreeMap::new() }
    }

    /// Compares a value and returns the first difference.
    pub(super) fn check(&mut self, expected: &Value, actual: &Value) -> Result<(), String> {
        self.compare("", expected, actual, Extent::Whole)
    }

    /// Compares a value that can have more fields than the expectation, except in an object named
    /// `properties`.
    pub(super) fn check_part(&mut self, expected: &Value, actual: &Value) -> Result<(), String> {
        self.compare("", expected, actual, Extent::Part)
    }

    /// Compares documents. Those with a created id have any order.
    pub(super) fn check_documents(
        &mut self,
        expected: &[Value],
        mut actual: Vec<Value>,
    ) -> Result<(), String> {
        for document in expected {
            let id = document["_id"].as_str().unwrap_or_default();
            let id = self.ids.get(id).map_or(id, String::as_str).to_owned();
            let index = actual.iter().position(|found| found["_id"] == *id);
            let index = index.ok_or_else(|| format!("there is no document `{id}`"))?;
            let found = actual.remove(index);
            self.check(document, &found)?;
        }
        match actual.first() {
            Some(document) => Err(format!("unexpected document {document}")),
            None => Ok(()),
        }
    }

    fn compare(
        &mut self,
        path: &str,
        expected: &Value,
        actual: &Value,
        extent: Extent,
    ) -> Result<(), String> {
        let is_equal = match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => {
                let names = actual.keys().filter(|name| !expected.contains_key(*name));
                let is_whole = matches!(extent, Extent::Whole) || path.ends_with("/properties");
                if let Some(name) = names.into_iter().next().filter(|_| is_whole) {
                    return Err(format!("{path}: unexpected field `{name}`"));
                }
                return expected.iter().try_for_each(|(name, value)| {
                    let found = actual.get(name).unwrap_or(&Value::Null);
                    self.compare(&format!("{path}/{name}"), value, found, extent)
                });
            }
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                let items = expected.iter().zip(actual).enumerate();
                return items.into_iter().try_for_each(|(index, (expected, actual))| {
                    self.compare(&format!("{path}/{index}"), expected, actual, extent)
                });
            }
            (Value::String(expected), actual) => self.is_text(expected, actual),
            (expected, actual) => expected == actual,
        };
        match is_equal {
            true => Ok(()),
            false => Err(format!("{path}: expected {expected}, found {actual}")),
        }
    }

    /// Returns whether a value is an expected text. Sets the id of a new placeholder.
    fn is_text(&mut self, expected: &str, actual: &Value) -> bool {
        if expected == RUN {
            return *actual == self.run_id;
        }
        let Some(actual) = actual.as_str() else {
            return false;
        };
        if expected.starts_with(ID) {
            let is_new = !self.ids.contains_key(expected)
                && self.ids.values().all(|known| known != actual)
                && !actual.is_empty();
            if is_new {
                self.ids.insert(expected.to_owned(), actual.to_owned());
            }
            return self.ids.get(expected).is_some_and(|known| known == actual);
        }
        let pieces: Vec<_> = expected.split(TEXT).collect();
        matches_pieces(&pieces, actual)
    }
}

/// Returns whether a text is these pieces with at least one character between two of them.
fn matches_pieces(pieces: &[&str], text: &str) -> bool {
    let [first, rest @ ..] = pieces else {
        return text.is_empty();
    };
    let Some(after) = text.strip_prefix(first) else {
        return false;
    };
    if rest.is_empty() {
        return after.is_empty();
    }
    let starts = after.char_indices().skip(1).map(|(index, _)| index).chain([after.len()]);
    !after.is_empty() && starts.into_iter().any(|start| matches_pieces(rest, &after[start..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(expected: &Value, actual: &Value) -> bool {
        Pattern::with_run(json!("r")).check(expected, actual).is_ok()
    }

    #[test]
    fn an_id_placeholder_stands_for_one_id() {
        assert!(fits(&json!(["<id:a>", "<id:b>", "<id:a>"]), &json!(["1", "2", "1"])));
        assert!(!fits(&json!(["<id:a>", "<id:a>"]), &json!(["1", "2"])));
        assert!(!fits(&json!(["<id:a>", "<id:b>"]), &json!(["1", "1"])));
        assert!(!fits(&json!("<id:a>"), &json!("")));
    }

    #[test]
    fn the_run_placeholder_stands_for_the_id_of_the_record() {
        assert!(fits(&json!("<run>"), &json!("r")) && !fits(&json!("<run>"), &Value::Null));
        assert!(Pattern::default().check(&json!("<run>"), &Value::Null).is_ok());
    }

    #[test]
    fn the_text_placeholder_stands_for_at_least_one_character() {
        assert!(fits(&json!("a: <text>"), &json!("a: b")));
        assert!(fits(&json!("<text>b<text>"), &json!("abbc")));
        assert!(!fits(&json!("a: <text>"), &json!("a: ")));
        assert!(!fits(&json!("<text>b<text>"), &json!("bc")));
        assert!(!fits(&json!("<text>"), &json!(1)));
    }

    #[test]
    fn other_fields_are_accepted_only_in_a_part() {
        let (expected, actual) = (json!({"a": 1}), json!({"a": 1, "b": 2}));
        assert!(!fits(&expected, &actual) && !fits(&actual, &expected));
        assert!(Pattern::default().check_part(&expected, &actual).is_ok());
        let properties = |fields| json!({"properties": fields});
        let check = Pattern::default().check_part(&properties(expected), &properties(actual));
        assert_eq!(check.unwrap_err(), "/properties: unexpected field `b`");
    }

    #[test]
    fn missing_and_additional_documents_are_found() {
        let mut pattern = Pattern::default();
        let document = json!({"_id": "1"});
        let missing = pattern.check_documents(std::slice::from_ref(&document), Vec::new());
        assert_eq!(missing.unwrap_err(), "there is no document `1`");
        let unexpected = pattern.check_documents(&[], vec![document]);
        assert_eq!(unexpected.unwrap_err(), "unexpected document {\"_id\":\"1\"}");
    }
}
