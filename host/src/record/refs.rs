//! The documents that an output names.

use serde_json::{Value, json};

use super::entry;
use crate::run::{LogEntry, LogLevel};
use crate::task_run::{ResultRef, RunId};

/// Returns what `job_ids` and then `query_index_id` of an output name, in their order,
/// doubles kept. What is absent or null names nothing; what is of another type names nothing
/// either, and a warning says so.
pub(super) fn of_output(output: &Value) -> (Vec<ResultRef>, Vec<LogEntry>) {
    let (mut refs, mut warnings) = (Vec::new(), Vec::new());
    let jobs = match output.get("job_ids") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(ids)) => ids,
        Some(other) => {
            warnings.push(warning("job_ids", other));
            &[]
        }
    };
    let index = output.get("query_index_id").filter(|id| !id.is_null());
    let named = jobs.iter().map(|id| ("job_ids", "jobs", id));
    for (field, collection, id) in
        named.chain(index.map(|id| ("query_index_id", "queryindexes", id)))
    {
        match id {
            Value::String(id) => {
                refs.push(ResultRef { collection: collection.to_owned(), document_id: id.clone() })
            }
            other => warnings.push(warning(field, other)),
        }
    }
    (refs, warnings)
}

fn warning(field: &str, value: &Value) -> LogEntry {
    let message = format!("`{field}` of the output names no document: it holds {}", kind(value));
    entry(LogLevel::Warn, message, None)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
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
        let (refs, warnings) = of_output(output);
        let shown = |it: &ResultRef| format!("{}/{}", it.collection, it.document_id);
        (refs.iter().map(shown).collect(), warnings.len())
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
        let (_, warnings) = of_output(&json!({"job_ids": "x"}));
        let told = "`job_ids` of the output names no document: it holds a text";
        assert_eq!(warnings[0].message, told);
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
