//! A command that works, made from an operation's schema.

use std::time::{Duration, Instant};

use ophost_document::Budget;
use serde_json::{Map, Value};

use super::escape::is_safe;
use super::field_path::escaped;
use super::input;
use super::output::quoted;
use super::shape::{Node, is_of_bits};
use super::timeout::run_with_timeout;
use ophost::Operation;
use ophost_schema::Schema;

/// How deep an example is made, and the most items of a list.
const MAX_DEPTH: usize = 6;
const MAX_ITEMS: u64 = 10;
/// The longest text in an example, in characters, and the longest command, in bytes.
const MAX_TEXT: u64 = 80;
const MAX_COMMAND: usize = 400;

/// How long somebody is kept waiting for an example.
const EXAMPLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns a command that runs the operation: with fields where an input could be made that
/// the operation takes, else with the input left to the user.
pub(super) fn command(operation: &Operation) -> String {
    let name = operation.name.as_str();
    let schema = operation.input_schema.clone();
    // Checking a value against a schema that was made to be slow can take for ever.
    let words = run_with_timeout(EXAMPLE_TIMEOUT, move || words(&schema)).flatten();
    let command = words.map(|words| format!("ophost run {name} {}", words.join(" ")));
    match command {
        Some(command) if command.len() <= MAX_COMMAND => command.trim_end().to_owned(),
        Some(_) | None => format!("ophost run {name} --input @input.json"),
    }
}

/// Returns the words that make a valid input, if one can be found.
fn words(schema: &Value) -> Option<Vec<String>> {
    let example = Maker { depth_left: MAX_DEPTH, seed: 0 }.object(&Node::whole(schema))?;
    let validator = Schema::compile(schema.clone()).ok()?;
    let budget = Budget::until(Instant::now() + EXAMPLE_TIMEOUT, || false);
    validator.check_input(example.clone(), &budget).ok()?;
    let fields: Option<Vec<_>> =
        example.as_object()?.iter().map(|(name, value)| field(name, value, schema)).collect();
    let Some(fields) = fields else {
        return Some(vec!["--input".to_owned(), safe_word(&example.to_string())?]);
    };
    let given = input::assemble(None, &fields, schema).ok()?;
    validator.check_input(given, &budget).ok()?;
    fields.iter().map(|field| safe_word(field)).collect()
}

/// Returns a field as it is written on a command line, if its name can be.
fn field(name: &str, value: &Value, schema: &Value) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let written = escaped(name);
    let means = |word: &String| {
        let made = input::assemble(None, std::slice::from_ref(word), schema).ok();
        made.is_some_and(|made| made.get(name) == Some(value))
    };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // Anything that begins with `@` names a file.
    let typed = Some(format!("{written}={text}")).filter(|_| !text.starts_with('@')).filter(means);
    typed.or_else(|| Some(format!("{written}:={value}")))
}

/// Returns a word for a shell, unless a terminal would show something else than it is.
fn safe_word(word: &str) -> Option<String> {
    is_safe(word).then(|| quoted(word))
}

/// Makes values; whether they fit is for the validator to say.
#[derive(Clone, Copy)]
struct Maker {
    depth_left: usize,
    /// Differs from item to item of a list.
    seed: u64,
}

impl Maker {
    fn value(self, node: &Node<'_>) -> Option<Value> {
        let maker = Self { depth_left: self.depth_left.checked_sub(1)?, ..self };
        if let Some(given) = maker.given(node) {
            return Some(given);
        }
        let types = node.types();
        let order = ["string", "integer", "number", "boolean", "array", "object", "null"];
        match order.into_iter().find(|name| types.contains(name)) {
            Some("string") => Some(maker.text(node)),
            Some("integer") => maker.number(node, true),
            Some("number") => maker.number(node, false),
            Some("boolean") => Some(Value::Bool(true)),
            Some("array") => maker.list(node),
            Some("object") => maker.object(node),
            Some(_) => Some(Value::Null),
            None if node.fields().is_empty() => Some(maker.text(node)),
            None => maker.object(node),
        }
    }

    /// Returns what the schema itself names.
    fn given(self, node: &Node<'_>) -> Option<Value> {
        let place = usize::try_from(self.seed).ok()?;
        let examples = node.keyword("examples").and_then(Value::as_array);
        let (choices, _) = node.choices();
        let named = examples.and_then(|all| all.get(place));
        let named = named.or_else(|| choices.get(place).copied());
        named.or_else(|| node.keyword("default").filter(|it| !it.is_null())).cloned()
    }

    /// Makes an object of what is required, and of the first of several alternatives.
    fn object(self, node: &Node<'_>) -> Option<Value> {
        let required = node.own_fields().into_iter().filter(|field| field.is_required);
        let made = required.map(|field| Some((field.name.to_owned(), self.value(&field.node)?)));
        let mut made = made.collect::<Option<Map<_, _>>>()?;
        for all in node.alternatives() {
            let Some((first, _)) = all.branches.first() else { continue };
            let inner = Self { depth_left: self.depth_left.checked_sub(1)?, ..self };
            if let Value::Object(fields) = inner.object(first)? {
                made.extend(fields);
            }
        }
        Some(Value::Object(made))
    }

    fn list(self, node: &Node<'_>) -> Option<Value> {
        let bound = |key| node.keyword(key).and_then(Value::as_u64);
        let most = bound("maxItems").unwrap_or(MAX_ITEMS).min(MAX_ITEMS);
        let count = bound("minItems").unwrap_or(1).clamp(0, MAX_ITEMS).max(1).min(most);
        let item = |seed| Self { seed, ..self }.value(&node.items());
        (0..count).map(item).collect::<Option<Vec<_>>>().map(Value::Array)
    }

    fn text(self, node: &Node<'_>) -> Value {
        let word = match node.keyword("format").and_then(Value::as_str) {
            Some("date") => "2026-01-31",
            Some("date-time") => "2026-01-31T12:00:00Z",
            Some("time") => "12:00:00Z",
            Some("duration") => "PT1H",
            Some("email") => "ann@example.com",
            Some("hostname") => "example.com",
            Some("ipv4") => "192.0.2.1",
            Some("ipv6") => "2001:db8::1",
            Some("uri" | "uri-reference" | "iri") => "https://example.com/",
            Some("uuid") => "123e4567-e89b-42d3-a456-426614174000",
            _ => return Value::from(self.plain_text(node)),
        };
        Value::from(word)
    }

    fn plain_text(self, node: &Node<'_>) -> String {
        let bound = |key| node.keyword(key).and_then(Value::as_u64);
        let least = bound("minLength").unwrap_or(0).min(MAX_TEXT);
        let most = bound("maxLength").unwrap_or(MAX_TEXT).min(MAX_TEXT);
        let start = if self.seed == 0 { "hello".to_owned() } else { format!("hello{}", self.seed) };
        let endless = start.chars().chain(" world".chars().cycle());
        let length = (start.len() as u64).max(least).min(most);
        endless.take(usize::try_from(length).unwrap_or(0)).collect()
    }

    fn number(self, node: &Node<'_>, is_whole: bool) -> Option<Value> {
        let chosen = |key| node.keyword(key).filter(|bound| !is_of_bits(bound));
        let bound = |key| chosen(key).and_then(Value::as_f64);
        let above = |it: f64| if is_whole { it.floor() + 1.0 } else { it + 0.5 };
        let below = |it: f64| if is_whole { it.ceil() - 1.0 } else { it - 0.5 };
        let least = bound("minimum").or(bound("exclusiveMinimum").map(above));
        let most = bound("maximum").or(bound("exclusiveMaximum").map(below));
        let step = bound("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);
        let start = least.unwrap_or(1.0).min(most.unwrap_or(f64::MAX)).max(least.unwrap_or(1.0));
        let wanted = if least.is_none() { start.min(most.unwrap_or(start)) } else { start };
        #[expect(clippy::cast_precision_loss, reason = "at most ten")]
        let number = (wanted / step).ceil() * step + self.seed as f64 * step;
        if is_whole {
            whole(number)
        } else {
            serde_json::Number::from_f64(number).map(Value::Number)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
fn whole(number: f64) -> Option<Value> {
    (number.abs() < 9e15).then(|| Value::from(number as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(properties: &Value) -> Option<String> {
        let required: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        let schema = json!({"type": "object", "properties": properties, "required": required});
        words(&schema).map(|words| words.join(" "))
    }

    #[test]
    fn an_example_is_made_of_what_the_schema_names_or_bounds() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(made(&json!({"a": {"type": "string"}})), some("a=hello"));
        assert_eq!(
            made(&json!({"a": {"type": "string", "examples": ["it's"]}})),
            some(r"'a=it'\''s'")
        );
        assert_eq!(made(&json!({"a": {"type": "string", "maxLength": 2}})), some("a=he"));
        assert_eq!(made(&json!({"a": {"type": "string", "minLength": 8}})), some("'a=hello wo'"));
        assert_eq!(made(&json!({"a": {"enum": [5, 6]}})), some("a:=5"));
        assert_eq!(made(&json!({"a": {"const": "@x"}})), some("'a:=\"@x\"'"));
        assert_eq!(
            made(&json!({"a": {"type": "integer", "minimum": 7, "multipleOf": 5}})),
            some("a=10")
        );
        assert_eq!(made(&json!({"a": {"type": "integer", "maximum": -3}})), some("a=-3"));
        let int = json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX});
        assert_eq!(made(&json!({"a": int})), some("a=1"));
        assert_eq!(made(&json!({"a": {"type": "number", "exclusiveMinimum": 2}})), some("a=3.0"));
        assert_eq!(
            made(
                &json!({"a": {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": true}})
            ),
            some("'a=[\"hello\",\"hello1\"]'")
        );
        assert_eq!(made(&json!({"a.b": {"type": "boolean"}})), some(r"'a\.b=true'"));
        assert_eq!(made(&json!({"": {"type": "boolean"}})), some(r#"--input '{"":true}'"#));
    }

    #[test]
    fn what_cannot_be_made_is_left_to_the_user() {
        assert_eq!(made(&json!({"a": {"type": "string", "pattern": "^[0-9]{7}$"}})), None);
        assert_eq!(made(&json!({"a": {"$ref": "#"}})), None);
        assert_eq!(made(&json!({"a": {"const": "\u{202e}"}})), None);
        assert_eq!(made(&json!({"a": false})), None);
    }
}
