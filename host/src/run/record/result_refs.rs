//! Result references: documents that an output names or that a run changed.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::entries::entry;
use ophost_document::{Budget, Interruption};

use crate::model::document::{Address, ChangeKind, ChangeSet, type_name};
use crate::model::outcome::{LogEntry, LogLevel};
use crate::model::run_record::{ResultRef, RunId};

/// Maximum number of references to changed documents. The change set has all of them.
const MAX_CHANGES: usize = 1_000;
/// Maximum number of references from the output. The output has all of them.
const MAX_NAMED: usize = 10_000;

/// Returns the references of a run: documents that its output names, then other changed documents.
///
/// # Errors
///
/// Returns [`Interruption`] if the budget is used up.
pub(super) fn of_run(
    output: &Value,
    schema: &Value,
    changes: &ChangeSet,
    budget: &Budget,
) -> Result<(Vec<ResultRef>, Vec<LogEntry>), Interruption> {
    let (mut refs, warnings) = of_output(output, schema);
    for named in &mut refs {
        budget.step()?;
        named.change = change_of(named, changes);
    }
    let named: HashSet<_> =
        refs.iter().map(|it| (it.collection.as_str(), it.document_id.as_str())).collect();
    let is_named = |it: &Address| named.contains(&(it.collection.as_str(), it.id.as_str()));
    let others: Vec<_> = changes
        .iter()
        .filter(|(address, _)| !is_named(address))
        .take(MAX_CHANGES)
        .map(|(address, change)| ResultRef {
            collection: address.collection.to_string(),
            document_id: address.id.to_string(),
            change: change.kind(),
        })
        .collect();
    refs.extend(others);
    Ok((refs, warnings))
}

fn change_of(named: &ResultRef, changes: &ChangeSet) -> Option<ChangeKind> {
    let collection = named.collection.parse().ok()?;
    let address = Address { collection, id: named.document_id.parse().ok()? };
    changes.get(&address)?.kind()
}

/// Output fields that always name documents, and their collections.
const KNOWN: [(&str, &str); 2] = [("job_ids", "jobs"), ("query_index_id", "queryindexes")];
/// Schema keyword of a field that names documents; its value is the collection.
const KEYWORD: &str = "x-result-ref";

/// Returns the documents of `job_ids`, of `query_index_id`, and of the fields with the keyword, in
/// this order and with duplicates. A missing field and null name nothing. A field with a value of
/// another type names nothing and gives one warning.
fn of_output(output: &Value, schema: &Value) -> (Vec<ResultRef>, Vec<LogEntry>) {
    let (mut refs, mut warnings) = (Vec::new(), Vec::new());
    for (field, collection) in KNOWN.into_iter().chain(declared(schema)) {
        let ids = match (field, output.get(field)) {
            (_, None | Some(Value::Null)) => continue,
            (_, Some(Value::Array(ids))) if field != KNOWN[1].0 => ids.as_slice(),
            ("job_ids", Some(other)) => {
                warnings.push(warning(field, other));
                continue;
            }
            (_, Some(one)) => std::slice::from_ref(one),
        };
        let texts = ids.iter().filter_map(Value::as_str);
        let named = texts.map(|id| ResultRef {
            collection: collection.to_owned(),
            document_id: id.to_owned(),
            change: None,
        });
        let room = MAX_NAMED - refs.len();
        refs.extend(named.take(room));
        warnings.extend(ids.iter().find(|id| !id.is_string()).map(|id| warning(field, id)));
        if ids.len() > room {
            let message = format!("`{field}` of the output names more than {MAX_NAMED} documents");
            warnings.push(entry(LogLevel::Warn, message, None));
        }
    }
    (refs, warnings)
}

/// Returns the fields with the keyword, and their collections.
fn declared(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let named = properties
        .into_iter()
        .flatten()
        .filter_map(|(field, property)| Some((field.as_str(), property.get(KEYWORD)?.as_str()?)));
    named.filter(|(field, _)| KNOWN.iter().all(|(known, _)| known != field))
}

fn warning(field: &str, value: &Value) -> LogEntry {
    let message = format!("`{field}` of the output names no document: it is {}", type_name(value));
    entry(LogLevel::Warn, message, None)
}

/// Returns the output with the id of the run in `task_run_id`, if its schema has this field.
pub(crate) fn with_task_run_id(mut output: Value, schema: &Value, id: RunId) -> Value {
    if schema.pointer("/properties/task_run_id").is_some()
        && let Some(object) = output.as_object_mut()
    {
        object.insert("task_run_id".to_owned(), json!(id));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(output: &Value) -> (Vec<String>, usize) {
        let (refs, warnings) = of_output(output, &json!({}));
        let shown = |it: &ResultRef| format!("{}/{}", it.collection, it.document_id);
        (refs.iter().map(shown).collect(), warnings.len())
    }

    #[test]
    fn a_field_with_the_keyword_names_documents() {
        let schema = json!({"properties": {
            "owner": {"x-result-ref": "people"},
            "papers": {"x-result-ref": "papers"},
            "other": {"type": "string"},
        }});
        let output = json!({"owner": "ann", "papers": ["b", "a", 1], "other": "x"});
        let budget = Budget::unlimited();
        let (refs, warnings) = of_run(&output, &schema, &ChangeSet::new(), &budget).unwrap();
        let shown = refs.iter().map(|it| format!("{}/{}", it.collection, it.document_id));
        assert_eq!(shown.collect::<Vec<_>>(), ["people/ann", "papers/b", "papers/a"]);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn ids_of_the_output_become_references_in_order_with_duplicates() {
        let output = json!({"job_ids": ["b", "a", "b"], "query_index_id": "q"});
        let expected = ["jobs/b", "jobs/a", "jobs/b", "queryindexes/q"].map(str::to_owned);
        assert_eq!(refs(&output), (expected.to_vec(), 0));
    }

    #[test]
    fn a_missing_field_names_nothing_and_a_wrong_type_gives_a_warning() {
        assert_eq!(refs(&json!({"job_ids": null})), (vec![], 0));
        assert_eq!(refs(&json!([1])), (vec![], 0));
        assert_eq!(refs(&json!({"job_ids": "x", "query_index_id": 3})), (vec![], 2));
        assert_eq!(refs(&json!({"job_ids": ["a", 1]})), (vec!["jobs/a".to_owned()], 1));
        let (_, warnings) = of_output(&json!({"job_ids": "x"}), &json!({}));
        let message = "`job_ids` of the output names no document: it is a text";
        assert_eq!(warnings[0].message, message);
    }

    #[test]
    fn references_are_limited_and_many_wrong_ids_give_one_warning() {
        let many: Vec<_> = (0..MAX_NAMED + 5).map(|n| n.to_string()).collect();
        let (named, warnings) = refs(&json!({"job_ids": many, "query_index_id": "q"}));
        assert_eq!((named.len(), warnings), (MAX_NAMED, 2));
        assert_eq!(refs(&json!({"job_ids": vec![1; 100]})), (vec![], 1));
    }

    #[test]
    fn the_run_id_is_set_if_the_schema_has_a_field_for_it() {
        let id = RunId::new();
        let with = json!({"properties": {"task_run_id": {}}});
        let output = json!({"a": 1, "task_run_id": "old"});
        let set = with_task_run_id(output.clone(), &with, id);
        assert_eq!(set, json!({"a": 1, "task_run_id": id}));
        assert_eq!(with_task_run_id(output.clone(), &json!({}), id), output);
    }
}
