//! Compares results with expectations that have placeholders.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::case::Documents;

/// Stands for the id of the run record, and for `null` if the run has no record.
const RUN: &str = "<run>";
/// Begins the placeholder `<id:NAME>`, which stands for an id that the host creates.
const ID: &str = "<id:";
/// Stands for one or more characters.
const TEXT: &str = "<text>";

/// A value that differs from the expectation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The path of the value: names of fields and indices of lists, joined by dots. Empty for the
    /// whole value.
    pub(crate) path: String,
    /// The expected value; `None` for an unexpected one.
    pub(crate) expected: Option<Value>,
    /// The actual value; `None` for a missing one.
    pub(crate) actual: Option<Value>,
}

/// The values of the placeholders of one case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    run_id: Value,
    ids: BTreeMap<String, String>,
}

/// An expected document and the actual one with the same id. One of them can be missing.
type DocumentPair = (Option<Value>, Option<Value>);

/// How an object is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Both objects have the same fields.
    Whole,
    /// The result can have more fields, except below `properties`.
    Part,
}

impl Extent {
    /// Returns whether the object at this path must not have more fields.
    fn is_whole(self, path: &str) -> bool {
        let last = path.rsplit('.').next();
        self == Self::Whole || last == Some("properties")
    }
}

impl Pattern {
    /// Returns a pattern without known ids, for the run with this id or `null`.
    pub(crate) fn with_run(run_id: Value) -> Self {
        Self { run_id, ids: BTreeMap::new() }
    }

    /// Compares a value and returns all differences.
    pub(crate) fn check(&mut self, expected: &Value, actual: &Value) -> Vec<Difference> {
        self.differences(expected, actual, Extent::Whole)
    }

    /// Compares a value that can have more fields than the expectation, except in an object named
    /// `properties`.
    pub(super) fn check_part(&mut self, expected: &Value, actual: &Value) -> Vec<Difference> {
        self.differences(expected, actual, Extent::Part)
    }

    fn differences(&mut self, expected: &Value, actual: &Value, extent: Extent) -> Vec<Difference> {
        let mut comparison = Comparison { pattern: self, extent, found: Vec::new() };
        comparison.values("", Some(expected), Some(actual));
        comparison.found
    }

    /// Compares all documents of a store. The documents of a collection have any order.
    pub(crate) fn check_documents(
        &mut self,
        expected: &Documents,
        actual: &Documents,
    ) -> Vec<Difference> {
        let mut found = Vec::new();
        for (collection, pairs) in self.pairs(expected, actual) {
            for (expected, actual) in pairs {
                let id = actual.as_ref().or(expected.as_ref()).map(|it| id_of(it).to_owned());
                let path = format!("{collection}/{}", id.unwrap_or_default());
                let mut comparison =
                    Comparison { pattern: self, extent: Extent::Whole, found: Vec::new() };
                comparison.values(&path, expected.as_ref(), actual.as_ref());
                found.append(&mut comparison.found);
            }
        }
        found
    }

    /// Returns the expected documents with the actual ones of the same ids, by collection. A
    /// document without a partner has `None`.
    fn pairs(
        &self,
        expected: &Documents,
        actual: &Documents,
    ) -> BTreeMap<String, Vec<DocumentPair>> {
        let names = expected.keys().chain(actual.keys());
        let pairs = |name: &String| {
            let (expected, actual) = (expected.get(name), actual.get(name));
            let expected = expected.map(Vec::as_slice).unwrap_or_default();
            self.pairs_of(expected, actual.cloned().unwrap_or_default())
        };
        names.map(|name| (name.clone(), pairs(name))).collect()
    }

    fn pairs_of(&self, expected: &[Value], mut remaining: Vec<Value>) -> Vec<DocumentPair> {
        let mut partners: Vec<Option<Value>> = Vec::new();
        for document in expected {
            let id = id_of(document);
            let id = self.ids.get(id).map_or(id, String::as_str);
            let index = remaining.iter().position(|found| id_of(found) == id);
            partners.push(index.map(|index| remaining.remove(index)));
        }
        // The output has not set these placeholders, so the content decides. Without an equal
        // document, the differences to any other one are shown.
        let is_equal =
            |document: &Value, found: &Value| self.clone().check(document, found).is_empty();
        for is_partner in [&is_equal as &dyn Fn(&Value, &Value) -> bool, &|_, _| true] {
            for (document, partner) in expected.iter().zip(&mut partners) {
                if partner.is_none() && self.is_unset(id_of(document)) {
                    let index = remaining.iter().position(|found| is_partner(document, found));
                    *partner = index.map(|index| remaining.remove(index));
                }
            }
        }
        let pairs = expected.iter().cloned().map(Some).zip(partners);
        pairs.chain(remaining.into_iter().map(|found| (None, Some(found)))).collect()
    }

    /// Returns whether an id is a placeholder without a value.
    fn is_unset(&self, id: &str) -> bool {
        id.starts_with(ID) && !self.ids.contains_key(id)
    }

    /// Returns the new expectation for an actual value. Parts that match the old expectation are
    /// kept, with their placeholders.
    pub(super) fn updated(&mut self, expected: &Value, actual: &Value, extent: Extent) -> Value {
        self.updated_at("", expected, actual, extent)
    }

    fn updated_at(
        &mut self,
        path: &str,
        expected: &Value,
        actual: &Value,
        extent: Extent,
    ) -> Value {
        let mut matched = self.clone();
        if matched.differences(expected, actual, extent).is_empty() {
            *self = matched;
            return expected.clone();
        }
        match (expected, actual) {
            (Value::Object(old), Value::Object(new)) => {
                let mut fields = Map::new();
                for (name, value) in old {
                    if let Some(actual) = new.get(name) {
                        let path = format!("{path}.{name}");
                        let value = self.updated_at(&path, value, actual, extent);
                        fields.insert(name.clone(), value);
                    }
                }
                let added = new.iter().filter(|(name, _)| !old.contains_key(*name));
                for (name, value) in added.filter(|_| extent.is_whole(path)) {
                    fields.insert(name.clone(), self.with_placeholders(value));
                }
                Value::Object(fields)
            }
            (Value::Array(old), Value::Array(new)) => {
                let item = |(index, actual): (usize, &Value)| match old.get(index) {
                    Some(expected) => self.updated_at(path, expected, actual, extent),
                    None => self.with_placeholders(actual),
                };
                new.iter().enumerate().map(item).collect()
            }
            _ => self.with_placeholders(actual),
        }
    }

    /// Returns the new expectation for the documents of one collection.
    pub(super) fn updated_documents(&mut self, expected: &[Value], actual: &[Value]) -> Vec<Value> {
        let pairs = self.pairs_of(expected, actual.to_vec());
        let document = |(expected, actual): DocumentPair| {
            let actual = actual?;
            Some(match expected {
                Some(expected) => self.updated(&expected, &actual, Extent::Whole),
                None => self.with_placeholders(&actual),
            })
        };
        pairs.into_iter().filter_map(document).collect()
    }

    /// Gives an id a placeholder, unless it has one.
    pub(super) fn name_id(&mut self, id: &str) {
        if self.ids.values().all(|known| known != id) {
            let name = |number| format!("{ID}{number}>");
            let free = (1..).map(name).find(|name| !self.ids.contains_key(name));
            self.ids.extend(free.map(|name| (name, id.to_owned())));
        }
    }

    /// Returns a value whose known ids are replaced by their placeholders.
    pub(super) fn with_placeholders(&self, value: &Value) -> Value {
        match value {
            Value::String(_) if *value == self.run_id => Value::from(RUN),
            Value::String(text) => {
                let known = self.ids.iter().find(|(_, id)| *id == text);
                known.map_or_else(|| value.clone(), |(name, _)| Value::from(name.as_str()))
            }
            Value::Array(items) => items.iter().map(|item| self.with_placeholders(item)).collect(),
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| {
                    (name.clone(), self.with_placeholders(value))
                };
                Value::Object(fields.iter().map(field).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
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

/// Returns the id of a document.
fn id_of(document: &Value) -> &str {
    document["_id"].as_str().unwrap_or_default()
}

/// One comparison of two values.
struct Comparison<'p> {
    pattern: &'p mut Pattern,
    extent: Extent,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn values(&mut self, path: &str, expected: Option<&Value>, actual: Option<&Value>) {
        let is_equal = match (expected, actual) {
            (Some(Value::Object(expected)), Some(Value::Object(actual))) => {
                return self.objects(path, expected, actual);
            }
            (Some(Value::Array(expected)), Some(Value::Array(actual))) => {
                for index in 0..expected.len().max(actual.len()) {
                    let path = join(path, &index.to_string());
                    self.values(&path, expected.get(index), actual.get(index));
                }
                return;
            }
            (Some(Value::String(expected)), Some(actual)) => self.pattern.is_text(expected, actual),
            // A part can leave out a field, so a missing field counts as null.
            (Some(Value::Null), None) => self.extent == Extent::Part,
            (expected, actual) => expected == actual,
        };
        if !is_equal {
            let (expected, actual) = (expected.cloned(), actual.cloned());
            self.found.push(Difference { path: path.to_owned(), expected, actual });
        }
    }

    fn objects(&mut self, path: &str, expected: &Map<String, Value>, actual: &Map<String, Value>) {
        for (name, value) in expected {
            self.values(&join(path, name), Some(value), actual.get(name));
        }
        if self.extent.is_whole(path) {
            for (name, value) in actual.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                self.values(&join(path, name), None, Some(value));
            }
        }
    }
}

fn join(path: &str, part: &str) -> String {
    if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") }
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
        Pattern::with_run(json!("r")).check(expected, actual).is_empty()
    }

    fn paths(found: &[Difference]) -> Vec<&str> {
        found.iter().map(|difference| difference.path.as_str()).collect()
    }

    fn documents(documents: &Value) -> Documents {
        serde_json::from_value(documents.clone()).unwrap()
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
        assert!(Pattern::default().check(&json!("<run>"), &Value::Null).is_empty());
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
        assert!(Pattern::default().check_part(&expected, &actual).is_empty());
        let properties = |fields| json!({"properties": fields});
        let found = Pattern::default().check_part(&properties(expected), &properties(actual));
        assert_eq!(paths(&found), ["properties.b"]);
    }

    #[test]
    fn all_differences_are_found() {
        let (expected, actual) = (json!({"a": [1, 2], "b": {"c": "x"}}), json!({"a": [1], "d": 0}));
        let found = Pattern::default().check(&expected, &actual);
        assert_eq!(paths(&found), ["a.1", "b", "d"]);
        assert_eq!((&found[0].expected, &found[0].actual), (&Some(json!(2)), &None));
        assert_eq!((&found[2].expected, &found[2].actual), (&None, &Some(json!(0))));
    }

    #[test]
    fn missing_and_additional_documents_are_found() {
        let one = documents(&json!({"jobs": [{"_id": "1"}]}));
        let none = documents(&json!({"jobs": []}));
        let mut pattern = Pattern::default();
        assert_eq!(paths(&pattern.check_documents(&one, &none)), ["jobs/1"]);
        assert_eq!(paths(&pattern.check_documents(&Documents::new(), &one)), ["jobs/1"]);
        assert!(pattern.check_documents(&none, &Documents::new()).is_empty());
    }

    #[test]
    fn documents_with_created_ids_are_found_by_id_or_content() {
        let actual = documents(&json!({"jobs": [{"_id": "x", "n": 1}, {"_id": "y", "n": 2}]}));
        let expected =
            documents(&json!({"jobs": [{"_id": "<id:b>", "n": 2}, {"_id": "<id:a>", "n": 1}]}));
        assert!(Pattern::default().check_documents(&expected, &actual).is_empty());
        let mut pattern = Pattern::default();
        assert!(pattern.check(&json!("<id:a>"), &json!("y")).is_empty());
        assert_eq!(paths(&pattern.check_documents(&expected, &actual)), ["jobs/x.n", "jobs/y.n"]);
    }

    #[test]
    fn update_keeps_placeholders_that_match() {
        let mut pattern = Pattern::with_run(json!("r"));
        let expected = json!({"b": "x: <text>", "id": "<id:a>", "gone": 1, "run": "<run>", "n": 1});
        let actual = json!({"n": 2, "run": "r", "id": "7", "b": "x: y", "new": ["r", "7"]});
        let updated = pattern.updated(&expected, &actual, Extent::Whole);
        let wanted = json!({"b": "x: <text>", "id": "<id:a>", "run": "<run>", "n": 2,
                            "new": ["<run>", "<id:a>"]});
        assert_eq!(updated.to_string(), wanted.to_string());
        let part = pattern.updated(&json!({"n": 1}), &actual, Extent::Part);
        assert_eq!(part, json!({"n": 2}));
    }
}
