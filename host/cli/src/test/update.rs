//! Rewrites the expectations of failed cases.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::case::{Case, Documents};
use super::edit::{self, Edit, Member};
use super::error::TestError;
use super::pattern::{Extent, Pattern};
use super::runner::Actual;
use crate::atomic_file::AtomicFile;

/// Mode of a new case file, from which the system subtracts the umask.
const NEW_MODE: u32 = 0o666;

/// New expectations of the cases of one file.
pub(super) struct FileUpdate<'f> {
    text: &'f str,
    edits: Vec<Edit>,
}

impl<'f> FileUpdate<'f> {
    pub(super) fn new(text: &'f str) -> Self {
        Self { text, edits: Vec::new() }
    }

    /// Adds the new expectations of a case, and returns the names of its changed parts.
    pub(super) fn add(&mut self, index: usize, case: &Case, actual: &Actual) -> Vec<&'static str> {
        let object = case_object(self.text, index);
        let members = object.map(|start| edit::members(self.text, start)).unwrap_or_default();
        let mut changed = Vec::new();
        for NewPart { name, replaces, value } in new_parts(case, actual) {
            let old = members.iter().find(|member| member.name == name || member.name == replaces);
            self.edits.extend(match old {
                Some(member) => Some(self.replaced(member, name, &value)),
                None => members.last().map(|last| self.inserted(last, name, &value)),
            });
            changed.push(name);
        }
        changed
    }

    fn replaced(&self, member: &Member, name: &str, value: &Value) -> Edit {
        let line = edit::line_of(self.text, member.start);
        let head = format!("{}: ", json!(name));
        let column = line.column + head.chars().count();
        let text = format!("{head}{}", edit::pretty(value, line.indent, column));
        Edit { range: member.start..member.value.end, text }
    }

    fn inserted(&self, last: &Member, name: &str, value: &Value) -> Edit {
        let line = edit::line_of(self.text, last.start);
        let (indent, head) = (line.indent, format!("{}: ", json!(name)));
        let gap = match line.is_blank {
            true => format!("\n{:indent$}", ""),
            false => " ".to_owned(),
        };
        let column = indent + head.chars().count();
        let text = format!(",{gap}{head}{}", edit::pretty(value, indent, column));
        Edit { range: last.value.end..last.value.end, text }
    }

    /// Returns the new text of the file; `None` if nothing changes.
    pub(super) fn text(self) -> Option<String> {
        (!self.edits.is_empty()).then(|| edit::apply(self.text, self.edits))
    }
}

/// Returns the position of a case in the text of its file.
fn case_object(text: &str, index: usize) -> Option<usize> {
    let members = edit::members(text, edit::root(text));
    let cases = members.into_iter().find(|member| member.name == "cases")?;
    Some(edit::items(text, cases.value.start).get(index)?.start)
}

/// A part of a case with its new value.
struct NewPart {
    name: &'static str,
    /// The name of the old part that this part replaces.
    replaces: &'static str,
    value: Value,
}

/// Returns the parts of a case that differ from the result.
fn new_parts(case: &Case, actual: &Actual) -> Vec<NewPart> {
    let mut pattern = Pattern::with_run(actual.run_id.clone());
    name_ids(&mut pattern, case, actual);
    let mut parts = Vec::new();
    let mut add = |name, replaces, old: Option<Value>, new: Value| {
        if old.as_ref() != Some(&new) {
            parts.push(NewPart { name, replaces, value: new });
        }
    };
    match &actual.outcome {
        Ok(output) => {
            let old = case.output.as_ref();
            let new = match old {
                Some(expected) => pattern.updated(expected, output, Extent::Whole),
                None => pattern.with_placeholders(output),
            };
            add("output", "failure", old.cloned(), new);
        }
        Err(error) => {
            let old = case.failure.as_ref();
            let new = match old {
                Some(expected) => pattern.updated(expected, error, Extent::Part),
                None => pattern.with_placeholders(&failure_part(error)),
            };
            add("failure", "output", old.cloned(), new);
        }
    }
    let item_errors = case.expected_item_errors();
    let new = pattern.updated(&item_errors, &without_tracebacks(&actual.item_errors), Extent::Part);
    add("item_errors", "", Some(item_errors), new);
    if let Some(documents) = updated_documents(&mut pattern, case, &actual.documents) {
        let old = case.documents_after.as_ref().map(|documents| json!(documents));
        add("documents_after", "", old, documents);
    }
    if let Some(changes) = &case.changes {
        let new = pattern.updated(changes, &actual.changes, Extent::Whole);
        add("changes", "", Some(changes.clone()), new);
    }
    if let Some(refs) = &case.result_refs {
        let refs = json!(refs);
        let new = pattern.updated(&refs, &actual.result_refs, Extent::Part);
        add("result_refs", "", Some(refs), new);
    }
    parts
}

/// Sets the placeholders of the case, and gives the other ids that the host created a placeholder.
fn name_ids(pattern: &mut Pattern, case: &Case, actual: &Actual) {
    if let (Some(expected), Ok(output)) = (&case.output, &actual.outcome) {
        pattern.check(expected, output);
    }
    pattern.check_documents(&case.expected_documents(), &actual.documents);
    let input = case.input.to_string();
    name_created_ids(pattern, &case.documents, &actual.documents, &input);
}

/// Gives the ids of created documents a placeholder, unless the input contains them.
pub(super) fn name_created_ids(
    pattern: &mut Pattern,
    before: &Documents,
    after: &Documents,
    input: &str,
) {
    for (collection, documents) in after {
        let before = before.get(collection).map(Vec::as_slice).unwrap_or_default();
        for id in documents.iter().filter_map(|document| document["_id"].as_str()) {
            let is_old = before.iter().any(|document| document["_id"] == id);
            if !is_old && is_created_by_host(id) && !input.contains(id) {
                pattern.name_id(id);
            }
        }
    }
}

/// Returns whether an id has the format of the ids that the host creates.
fn is_created_by_host(id: &str) -> bool {
    Uuid::try_parse(id).is_ok_and(|id| id.get_version_num() == 7)
}

/// Returns the new `documents_after`; `None` if no document differs from the expectation.
fn updated_documents(pattern: &mut Pattern, case: &Case, actual: &Documents) -> Option<Value> {
    let expected = case.expected_documents();
    let mut updated = case.documents_after.clone().unwrap_or_default();
    let mut is_changed = false;
    let names: BTreeMap<_, ()> = expected.keys().chain(actual.keys()).map(|it| (it, ())).collect();
    for name in names.into_keys() {
        let of = |documents: &Documents| documents.get(name).cloned().unwrap_or_default();
        let (old, new) = (of(&expected), of(actual));
        let one = |documents: &[Value]| Documents::from([(name.clone(), documents.to_vec())]);
        if !pattern.clone().check_documents(&one(&old), &one(&new)).is_empty() {
            updated.insert(name.clone(), pattern.updated_documents(&old, &new));
            is_changed = true;
        }
    }
    is_changed.then(|| json!(updated))
}

/// Returns the parts of an error that a new case compares.
pub(super) fn failure_part(error: &Value) -> Value {
    let names = ["kind", "code", "message"].into_iter();
    let fields = names.filter_map(|name| Some((name.to_owned(), error.get(name)?.clone())));
    Value::Object(fields.collect())
}

/// Returns item errors without the stacks, which change with the source.
pub(super) fn without_tracebacks(item_errors: &Value) -> Value {
    let without = |error: &Value| {
        let fields = error.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, _)| *name != "traceback");
        Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    item_errors.as_array().into_iter().flatten().map(without).collect()
}

/// Replaces a case file atomically, with the same permissions.
///
/// # Errors
///
/// Returns [`TestError::Unwritable`] with the error of the operating system.
pub(super) fn write(path: &Path, text: &str) -> Result<(), TestError> {
    let replace = || -> io::Result<()> {
        let mode = fs::metadata(path).map_or(NEW_MODE, |it| it.permissions().mode() & 0o777);
        let mut file = AtomicFile::with_mode(path, mode)?;
        file.write_all(text.as_bytes())?;
        file.persist()
    };
    replace().map_err(|source| TestError::Unwritable { file: PathBuf::from(path), source })
}

/// Returns the text of a file with one more case at the end.
pub(super) fn with_case(text: &str, case: &Map<String, Value>) -> Option<String> {
    let members = edit::members(text, edit::root(text));
    let cases = members.into_iter().find(|member| member.name == "cases")?;
    let items = edit::items(text, cases.value.start);
    let end = match items.last() {
        Some(last) => last.end,
        None => cases.value.start + 1,
    };
    let outer = edit::line_of(text, cases.start).indent;
    let (indent, comma) = (outer + 2, if items.is_empty() { "" } else { "," });
    let case = case_text(case, indent);
    let text_of_case = format!("{comma}\n{:indent$}{case}\n{:outer$}", "", "");
    let range = end..cases.value.end - 1;
    Some(edit::apply(text, vec![Edit { range, text: text_of_case }]))
}

/// Returns the text of a new file with one case.
pub(super) fn new_file(operation: &str, case: &Map<String, Value>) -> String {
    let case = case_text(case, 4);
    format!("{{\n  \"operation\": {},\n  \"cases\": [\n    {case}\n  ]\n}}\n", json!(operation))
}

/// Returns a case with one member on each line.
fn case_text(case: &Map<String, Value>, indent: usize) -> String {
    let member = |(name, value): (&String, &Value)| {
        let head = format!("{}: ", json!(name));
        let column = indent + 2 + head.chars().count();
        format!("{head}{}", edit::pretty(value, indent + 2, column))
    };
    edit::block(('{', '}'), case.iter().map(member), indent)
}

#[cfg(test)]
mod tests {
    use super::super::case::CaseFile;
    use super::*;

    const FILE: &str = r#"{
  "operation": "a",
  "cases": [
    {"name": "one", "input": {}, "output": {"n": 1}},
    {
      "name":  "two",
      "output": {"message": "a: <text>", "n": 1},
      "input": {},
      "documents": {"jobs": [{"_id": "1"}]}
    }
  ]
}
"#;

    fn actual(outcome: Result<Value, Value>, documents: &Value) -> Actual {
        Actual {
            outcome,
            run_id: Value::Null,
            item_errors: json!([]),
            changes: Value::Null,
            result_refs: json!([]),
            documents: serde_json::from_value(documents.clone()).unwrap(),
            log: Vec::new(),
        }
    }

    #[test]
    fn only_the_changed_parts_of_a_file_are_rewritten() {
        let file = CaseFile::parse(FILE).unwrap();
        let mut update = FileUpdate::new(FILE);
        let failure = json!({"kind": "error", "message": "no", "traceback": "x"});
        assert_eq!(update.add(0, &file.cases[0], &actual(Err(failure), &json!({}))), ["failure"]);
        let output = json!({"message": "a: b", "n": 2});
        let id = "01a22bde-14de-7511-86e4-3bd644da5efa";
        let documents = json!({"jobs": [{"_id": "1"}], "new": [{"_id": id, "self": id}]});
        let changed = update.add(1, &file.cases[1], &actual(Ok(output), &documents));
        assert_eq!(changed, ["output", "documents_after"]);
        let expected = r#"{
  "operation": "a",
  "cases": [
    {"name": "one", "input": {}, "failure": {"kind": "error", "message": "no"}},
    {
      "name":  "two",
      "output": {"message": "a: <text>", "n": 2},
      "input": {},
      "documents": {"jobs": [{"_id": "1"}]},
      "documents_after": {"new": [{"_id": "<id:1>", "self": "<id:1>"}]}
    }
  ]
}
"#;
        assert_eq!(update.text().unwrap(), expected);
    }

    #[test]
    fn case_is_added_at_the_end_of_a_file() {
        let case =
            Map::from_iter([("name".to_owned(), json!("c")), ("input".to_owned(), json!(1))]);
        let new = new_file("a", &case);
        let added = "    {\n      \"name\": \"c\",\n      \"input\": 1\n    }";
        let start = "{\n  \"operation\": \"a\",\n  \"cases\": [\n";
        assert_eq!(new, format!("{start}{added}\n  ]\n}}\n"));
        assert_eq!(with_case(&new, &case).unwrap(), format!("{start}{added},\n{added}\n  ]\n}}\n"));
        let empty = "{\n  \"operation\": \"a\",\n  \"cases\": []\n}\n";
        assert_eq!(with_case(empty, &case).unwrap(), new);
    }
}
