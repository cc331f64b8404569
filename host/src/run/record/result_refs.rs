//! The documents that an output names.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::entry;
use ophost_document::{Budget, Interruption};

use crate::model::document::{Address, ChangeKind, ChangeSet, type_name};
use crate::model::outcome::{LogEntry, LogLevel};
use crate::model::run_record::{ResultRef, RunId};

/// The most changed documents that are named; the change set has them all.
const MAX_CHANGES: usize = 1_000;
/// The most documents that are named as the output names them; the output has them all.
const MAX_NAMED: usize = 10_000;

/// Returns the documents that belong to a run: those that its output names, then those that it
/// changed and the output does not name.
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

/// The output fields that name documents whatever their schema says, and the collections.
const KNOWN: [(&str, &str); 2] = [("job_ids", "jobs"), ("query_index_id", "queryindexes")];
/// The keyword by which a schema says that a field names documents of a collection.
const KEYWORD: &str = "x-result-ref";

/// Returns what `job_ids` and then `query_index_id` of an output name, then what the fields
/// name whose schema says so, in their order, doubles kept. What is absent or null names
/// nothing; what is of another type names nothing either, and a warning for each field says so.
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
            let message = format!("`{field}` of the output names more documents than are kept");
            warnings.push(entry(LogLevel::Warn, message, None));
        }
    }
    (refs, warnings)
}

/// Returns the fields of an output whose schema says that they name documents.
fn declared(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let named = properties
        .into_iter()
        .flatten()
        .filter_map(|(field, property)| Some((field.as_str(), property.get(KEYWORD)?.as_str()?)));
    named.filter(|(field, _)| KNOWN.iter().all(|(known, _)| known != field))
}

fn warning(field: &str, value: &Value) -> LogEntry {
    let message =
        format!("`{field}` of the output names no document: it holds {}", type_name(value));
    entry(LogLevel::Warn, message, None)
}

/// Returns an output with the run's id, if its schema has a field for that.
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
    fn o2_a_field_whose_schema_says_so_names_documents() {
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
    fn o2_ids_of_the_output_become_references_in_order_with_doubles() {
        let output = json!({"job_ids": ["b", "a", "b"], "query_index_id": "q"});
        let expected = ["jobs/b", "jobs/a", "jobs/b", "queryindexes/q"].map(str::to_owned);
        assert_eq!(refs(&output), (expected.to_vec(), 0));
    }

    #[test]
    fn o2_what_is_absent_names_nothing_and_what_is_wrong_is_warned_of() {
        assert_eq!(refs(&json!({"job_ids": null})), (vec![], 0));
        assert_eq!(refs(&json!([1])), (vec![], 0));
        assert_eq!(refs(&json!({"job_ids": "x", "query_index_id": 3})), (vec![], 2));
        assert_eq!(refs(&json!({"job_ids": ["a", 1]})), (vec!["jobs/a".to_owned()], 1));
        let (_, warnings) = of_output(&json!({"job_ids": "x"}), &json!({}));
        let told = "`job_ids` of the output names no document: it holds a text";
        assert_eq!(warnings[0].message, told);
    }

    #[test]
    fn o2_many_documents_are_named_in_part_and_many_wrong_ids_are_one_warning() {
        let many: Vec<_> = (0..MAX_NAMED + 5).map(|n| n.to_string()).collect();
        let (named, warnings) = refs(&json!({"job_ids": many, "query_index_id": "q"}));
        assert_eq!((named.len(), warnings), (MAX_NAMED, 2));
        assert_eq!(refs(&json!({"job_ids": vec![1; 100]})), (vec![], 1));
    }

    #[test]
    fn o3_the_run_s_id_is_set_where_the_schema_has_a_field_for_it() {
        let id = RunId::new();
        let with = json!({"properties": {"task_run_id": {}}});
        let output = json!({"a": 1, "task_run_id": "old"});
        let set = with_task_run_id(output.clone(), &with, id);
        assert_eq!(set, json!({"a": 1, "task_run_id": id}));
        assert_eq!(with_task_run_id(output.clone(), &json!({}), id), output);
    }
}
