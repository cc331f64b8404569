//! Faults of a plugin that a host accepts.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use ophost::{Operation, OperationName, Plugin, Violation};
use ophost_document::Budget;
use ophost_schema::{CheckError, Schema};

use super::super::schema_view;
use super::super::timeout::run_with_timeout;

/// Maximum nesting of the subschemas whose examples are checked.
const MAX_DEPTH: usize = 16;
/// Time for checking the examples of one schema.
const EXAMPLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Keywords whose value is an object of subschemas.
const MAPS: [&str; 3] = ["properties", "patternProperties", "$defs"];
/// Keywords whose value is a list of subschemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is a subschema.
const SINGLE: [&str; 2] = ["items", "additionalProperties"];

/// Returns the warnings about all operations of a plugin.
pub(super) fn of(plugin: &Plugin) -> Vec<String> {
    plugin.operations.iter().flat_map(of_operation).collect()
}

fn of_operation(operation: &Operation) -> Vec<String> {
    let name = &operation.name;
    let sides = [("input", &operation.input_schema), ("output", &operation.output_schema)];
    let mut warnings: Vec<_> =
        sides.into_iter().flat_map(|(side, schema)| of_schema(name, side, schema)).collect();
    if !schema_view::has_example(operation) {
        warnings.push(format!(
            "operation `{name}` has no example command, because no valid input can be derived from \
             its schema; add `examples` to the input schema"
        ));
    }
    warnings
}

/// Returns a warning for each example that its schema does not accept.
fn of_schema(name: &OperationName, side: &str, schema: &Value) -> Vec<String> {
    let document = schema.clone();
    let examples = run_with_timeout(EXAMPLE_TIMEOUT, move || invalid_examples(&document));
    let warning = |(pointer, problem): (String, String)| {
        let place = if pointer.is_empty() { String::new() } else { format!(" at `{pointer}`") };
        format!("an example in the {side} schema of `{name}`{place} is not valid: {problem}")
    };
    examples.unwrap_or_default().into_iter().map(warning).collect()
}

/// Returns the pointer of each subschema with an invalid example, and the reason.
fn invalid_examples(schema: &Value) -> Vec<(String, String)> {
    let mut places = Vec::new();
    find_examples(schema, "", MAX_DEPTH, &mut places);
    let problem = |(pointer, example): (String, &Value)| {
        Some((pointer.clone(), problem(schema, &pointer, example)?))
    };
    places.into_iter().filter_map(problem).collect()
}

/// Adds the examples of a schema and its subschemas, each with the pointer of its subschema.
fn find_examples<'a>(
    schema: &'a Value,
    pointer: &str,
    depth: usize,
    found: &mut Vec<(String, &'a Value)>,
) {
    let (Some(depth), Some(keywords)) = (depth.checked_sub(1), schema.as_object()) else { return };
    if let Some(Value::Array(examples)) = keywords.get("examples") {
        found.extend(examples.iter().map(|example| (pointer.to_owned(), example)));
    }
    for (key, subschema) in subschemas(keywords) {
        find_examples(subschema, &format!("{pointer}{key}"), depth, found);
    }
}

/// Returns the subschemas of a schema, each with its relative pointer.
fn subschemas(keywords: &Map<String, Value>) -> impl Iterator<Item = (String, &Value)> {
    let maps = MAPS.iter().flat_map(|keyword| {
        let entries = keywords.get(*keyword).and_then(Value::as_object).into_iter().flatten();
        entries.map(move |(name, schema)| (format!("/{keyword}/{}", escaped(name)), schema))
    });
    let lists = LISTS.iter().flat_map(|keyword| {
        let items = keywords.get(*keyword).and_then(Value::as_array).into_iter().flatten();
        items.enumerate().map(move |(index, schema)| (format!("/{keyword}/{index}"), schema))
    });
    let single =
        SINGLE.iter().filter_map(|keyword| Some((format!("/{keyword}"), keywords.get(*keyword)?)));
    maps.chain(lists).chain(single)
}

/// Escapes a name for a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Returns why the subschema at `pointer` does not accept a value.
fn problem(schema: &Value, pointer: &str, value: &Value) -> Option<String> {
    let schema = Schema::compile(subschema(schema, pointer)).ok()?;
    let budget = Budget::until(Instant::now() + EXAMPLE_TIMEOUT, || false);
    match schema.check(value, &budget) {
        Err(CheckError::Violations(violations)) => {
            violations.list.first().map(|Violation { pointer, problem, .. }| {
                match pointer.as_str() {
                    "" => problem.clone(),
                    pointer => format!("`{pointer}`: {problem}"),
                }
            })
        }
        Ok(()) | Err(CheckError::Interrupted(_) | CheckError::Thread(_)) => None,
    }
}

/// Returns a schema that accepts what the subschema at `pointer` accepts. The references of the
/// subschema to the definitions of the whole schema are valid in it.
fn subschema(schema: &Value, pointer: &str) -> Value {
    /// Name of the definition with the whole schema.
    const WHOLE: &str = "ophost.whole";
    if pointer.is_empty() {
        return schema.clone();
    }
    let mut definitions = schema.get("$defs").cloned().unwrap_or_else(|| json!({}));
    definitions[WHOLE] = schema.clone();
    let mut result = json!({"$defs": definitions, "$ref": format!("#/$defs/{WHOLE}{pointer}")});
    if let Some(draft) = schema.get("$schema") {
        result["$schema"] = draft.clone();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(schema: &Value) -> Vec<String> {
        Schema::compile(schema.clone()).unwrap();
        invalid_examples(schema).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn examples_of_all_subschemas_are_checked() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a/b": {"type": "integer", "examples": [1, "two"]},
                "list": {"type": "array", "items": {"$ref": "#/$defs/word", "examples": ["w", 5]}},
            },
            "examples": [{"a/b": 1}, {"a/b": "x"}],
            "$defs": {"word": {"type": "string", "maxLength": 3, "examples": ["word", "it"]}},
        });
        let expected = ["", "/properties/a~1b", "/properties/list/items", "/$defs/word"];
        assert_eq!(pointers(&schema), expected);
    }

    #[test]
    fn value_named_examples_is_not_an_example() {
        let schema = json!({"properties": {"examples": {"type": "string"}}});
        assert_eq!(pointers(&schema), [""; 0]);
    }
}
