//! An example command for an operation, made from its input schema.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use ophost::Operation;
use ophost_document::Budget;
use ophost_schema::Schema;

use super::super::escape::is_safe;
use super::super::field_path::escape;
use super::super::input;
use super::super::output::quoted;
use super::super::timeout::run_with_timeout;
use super::node::Node;

/// The maximum nesting of the example's values.
const MAX_DEPTH: usize = 6;
/// The maximum length of the command, in bytes.
const MAX_COMMAND: usize = 400;

/// How long an example may take to make.
const EXAMPLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns a command that runs the operation.
///
/// The input has the required fields, with values from `examples`, `enum`, `const` or `default`,
/// or else a fixed value of the field's type. If that input is not valid, the command reads
/// `input.json`, which the user has to write.
pub(crate) fn example_command(operation: &Operation) -> String {
    let name = operation.name.as_str();
    let words = words_in_time(operation);
    let command = words.map(|words| format!("ophost run {name} {}", words.join(" ")));
    match command {
        Some(command) if command.len() <= MAX_COMMAND => command.trim_end().to_owned(),
        Some(_) | None => format!("ophost run {name} --input @input.json"),
    }
}

/// Returns whether a valid input can be derived from the input schema.
pub(crate) fn has_example(operation: &Operation) -> bool {
    words_in_time(operation).is_some()
}

fn words_in_time(operation: &Operation) -> Option<Vec<String>> {
    let schema = operation.input_schema.clone();
    // A schema can be written so that validation never ends.
    run_with_timeout(EXAMPLE_TIMEOUT, move || words(&schema)).flatten()
}

/// Returns the shell words of a valid input; `None` if the example is not valid.
fn words(schema: &Value) -> Option<Vec<String>> {
    let root = Node::new(schema);
    let is_object = |kind: &&str| *kind == "object";
    if !root.types().is_empty() && !root.types().iter().any(is_object) {
        return whole_input(&root, schema);
    }
    let example = declared(&root).and_then(Value::as_object).cloned();
    let example = example.or_else(|| required_fields(&root, MAX_DEPTH))?;
    let fields: Vec<_> = example.iter().map(|(name, value)| field(name, value, schema)).collect();
    let arguments: Vec<_> =
        fields.iter().map(|(name, sign, text)| format!("{name}{sign}{text}")).collect();
    if !arguments.iter().all(|argument| is_safe(argument)) {
        return None;
    }
    let input = input::assemble(None, &arguments, schema).ok()?;
    let budget = Budget::until(Instant::now() + EXAMPLE_TIMEOUT, || false);
    Schema::compile(schema.clone()).ok()?.check_input(input, &budget).ok()?;
    // Quoting the value alone is easier to read than quoting the whole argument.
    let word = |(name, sign, text): &Argument| format!("{}{sign}{}", quoted(name), quoted(text));
    Some(fields.iter().map(word).collect())
}

/// Returns the shell words of an input that is no object; `None` if the example is not valid.
fn whole_input(root: &Node<'_>, schema: &Value) -> Option<Vec<String>> {
    let input = value(root, MAX_DEPTH)?;
    let text = input.to_string();
    if !is_safe(&text) {
        return None;
    }
    let budget = Budget::until(Instant::now() + EXAMPLE_TIMEOUT, || false);
    Schema::compile(schema.clone()).ok()?.check_input(input, &budget).ok()?;
    Some(vec!["--input".to_owned(), quoted(&text)])
}

/// A field name, `=` or `:=`, and the text after it.
type Argument = (String, &'static str, String);

/// Returns the argument for a field: with JSON if `name=text` would give another value.
fn field(name: &str, value: &Value, schema: &Value) -> Argument {
    let written = escape(name);
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let argument = format!("{written}={text}");
    // A text that begins with `@` names a file.
    let input = Some(argument).filter(|_| !text.starts_with('@'));
    let input = input.and_then(|argument| input::assemble(None, &[argument], schema).ok());
    if input.is_some_and(|input| input.get(name) == Some(value)) {
        (written, "=", text)
    } else {
        (written, ":=", value.to_string())
    }
}

/// Returns an example of a value; `None` if the schema allows none within `depth` levels.
fn value(node: &Node<'_>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(declared) = declared(node) {
        return Some(declared.clone());
    }
    Some(match node.types().first().copied() {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([value(&node.items(), depth)?]),
        Some("object") => Value::Object(required_fields(node, depth)?),
        None if !node.fields().is_empty() => Value::Object(required_fields(node, depth)?),
        Some("null") => Value::Null,
        Some(_) | None => json!("hello"),
    })
}

/// Returns the first value that the schema itself names, unless it is null.
fn declared<'a>(node: &Node<'a>) -> Option<&'a Value> {
    let example = node.keyword("examples").and_then(|examples| examples.get(0));
    let choice = || node.choices().0.first().copied();
    example.or_else(choice).or_else(|| node.keyword("default")).filter(|value| !value.is_null())
}

/// Returns the required fields of an object, with those of the first of its alternatives.
fn required_fields(node: &Node<'_>, depth: usize) -> Option<Map<String, Value>> {
    let required = node.own_fields().into_iter().filter(|field| field.is_required);
    let fields = required.map(|field| Some((field.name.to_owned(), value(&field.node, depth)?)));
    let mut fields = fields.collect::<Option<Map<_, _>>>()?;
    for union in node.alternatives() {
        if let Some((first, _)) = union.branches.first() {
            fields.extend(required_fields(first, depth.checked_sub(1)?)?);
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example(properties: &Value) -> Option<String> {
        let required: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        let schema = json!({"type": "object", "properties": properties, "required": required});
        words(&schema).map(|words| words.join(" "))
    }

    #[test]
    fn declared_values_are_used_before_values_of_the_type() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(example(&json!({"a": {"type": "string"}})), some("a=hello"));
        let declared = json!({"type": "string", "examples": ["x"], "enum": ["x", "y"]});
        assert_eq!(example(&json!({"a": declared})), some("a=x"));
        assert_eq!(
            example(&json!({"a": {"type": "string", "examples": ["it's"]}})),
            some("a=\"it's\"")
        );
        assert_eq!(example(&json!({"a": {"enum": [5, 6]}})), some("a:=5"));
        assert_eq!(example(&json!({"a": {"const": "@x"}})), some("a:='\"@x\"'"));
        assert_eq!(example(&json!({"a": {"type": "integer", "default": 7}})), some("a=7"));
        let list = json!({"type": "array", "items": {"type": "string"}});
        assert_eq!(example(&json!({"a": list})), some("a='[\"hello\"]'"));
        assert_eq!(example(&json!({"a.b": {"type": "boolean"}})), some("\"a\\\\.b\"=true"));
    }

    #[test]
    fn input_that_is_no_object_is_given_as_a_whole() {
        let whole = |schema: Value| words(&schema).map(|words| words.join(" "));
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(whole(json!({"type": "integer", "minimum": 1})), expected("--input 1"));
        assert_eq!(whole(json!({"type": "string"})), expected("--input '\"hello\"'"));
        assert_eq!(whole(json!({"type": "integer", "minimum": 7})), None);
    }

    #[test]
    fn no_example_is_given_if_it_would_be_invalid_or_unsafe() {
        assert_eq!(example(&json!({"a": {"type": "string", "pattern": "^[0-9]{7}$"}})), None);
        assert_eq!(example(&json!({"a": {"type": "integer", "minimum": 7}})), None);
        assert_eq!(example(&json!({"a": {"$ref": "#"}})), None);
        assert_eq!(example(&json!({"a": {"const": "\u{202e}"}})), None);
        assert_eq!(example(&json!({"a": false})), None);
        assert_eq!(example(&json!({"": {"type": "boolean"}})), None);
    }
}
