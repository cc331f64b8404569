//! Violations: messages for errors of the validator.

use std::fmt;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::alternatives::{self, Nearest};
use ophost_document::suggest;
use ophost_document::{Budget, Interruption, text};

/// Maximum number of listed violations. The others are counted.
const MAX_VIOLATIONS: usize = 100;
/// Maximum length of a pointer, in bytes, because its names come from the value.
const MAX_POINTER: usize = 1 << 10;
/// Maximum number of listed allowed values.
const MAX_OPTIONS: usize = 20;
/// Maximum number of names that are compared for a suggestion.
const MAX_NAMES: usize = 200;
/// Text before the actual value.
pub(super) const GOT: &str = ", got ";
/// Message for a missing field.
pub(super) const MISSING: &str = "missing, but required";
/// Maximum depth of nested alternatives.
const MAX_NESTED: usize = 8;
/// Maximum number of characters of a value in a message.
const MAX_SHOWN: usize = 60;

/// A violation of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// JSON pointer into the value, also of a missing field; empty for the whole value.
    pub pointer: String,
    /// The expected and the actual value. Contains text of the value: escape it for a terminal.
    pub problem: String,
    /// A similar valid name or value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{place}: {}", self.problem)?;
        match &self.did_you_mean {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

impl Violation {
    /// Removes the value from the message if it contains a secret or is part of one.
    fn redact(&mut self, value: &Value, masked: &Value) {
        let found = value.pointer(&self.pointer);
        if found.is_some() && found == masked.pointer(&self.pointer) {
            return;
        }
        let end = public_length(&self.pointer, value, masked);
        let is_inside = end < self.pointer.len();
        // The message of a missing field contains no value, unless its pointer is truncated.
        let expected = self.problem.find(GOT).map(|end| self.problem[..end].to_owned());
        match expected.filter(|_| !is_inside) {
            Some(expected) => self.problem = format!("{expected}{GOT}a secret"),
            None if found.is_none() && !is_inside => return,
            None => self.problem = "does not match its schema".to_owned(),
        }
        self.pointer.truncate(end);
        self.did_you_mean = None;
    }
}

/// Returns the length of a pointer up to a secret. Names within a secret are part of it.
fn public_length(pointer: &str, value: &Value, masked: &Value) -> usize {
    let ends = pointer.match_indices('/').map(|(end, _)| end).chain([pointer.len()]);
    let is_secret = |end: &usize| {
        let pointer = &pointer[..*end];
        masked.pointer(pointer).is_some_and(Value::is_null)
            && value.pointer(pointer).is_some_and(|value| !value.is_null())
    };
    ends.into_iter().find(is_secret).unwrap_or(pointer.len())
}

/// The violations of a value; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Violations {
    /// The first 100 violations.
    pub list: Vec<Violation>,
    /// Number of violations that are not listed.
    pub more: usize,
    /// Whether there can be more violations, because collecting all would take too long.
    pub at_least: bool,
    /// Whether the value could not be checked. The list has the reason.
    pub unchecked: bool,
}

impl Violations {
    /// Converts the errors of the validator.
    pub(super) fn read<'a>(
        schema: &Value,
        errors: impl Iterator<Item = ValidationError<'a>>,
    ) -> Self {
        let mut reader = Reader {
            alternatives: alternatives::Reader::new(schema),
            schema,
            list: Vec::new(),
            more: 0,
        };
        errors.for_each(|error| reader.add(&error, MAX_NESTED));
        Self { list: reader.list, more: reader.more, at_least: false, unchecked: false }
    }

    /// Marks the list as incomplete.
    pub(super) fn at_least(self) -> Self {
        Self { at_least: true, ..self }
    }

    /// Removes secrets from the messages. `masked` is the value with a null for each secret.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub(super) fn without_secrets(
        mut self,
        value: &Value,
        masked: &Value,
        budget: &Budget,
    ) -> Result<Self, Interruption> {
        for violation in &mut self.list {
            // Each violation can compare a large part of the value.
            budget.check()?;
            violation.redact(value, masked);
        }
        Ok(self)
    }

    /// Returns a violation of the whole value, without details.
    pub(super) fn somewhere() -> Self {
        let problem = "does not match its schema; finding the location would take too long";
        Self { at_least: true, ..Self::whole(problem.to_owned()) }
    }

    /// Returns the reason why a value cannot be checked.
    pub(super) fn unchecked(problem: String) -> Self {
        Self { unchecked: true, ..Self::whole(problem) }
    }

    fn whole(problem: String) -> Self {
        let whole = Violation { pointer: String::new(), problem, did_you_mean: None };
        Self { list: vec![whole], more: 0, at_least: false, unchecked: false }
    }

    fn summary(&self) -> String {
        if self.unchecked {
            return "cannot be checked against its schema".to_owned();
        }
        let least = if self.at_least { "at least " } else { "" };
        match self.list.len() + self.more {
            1 => format!("breaks its schema in {least}1 place"),
            count => format!("breaks its schema in {least}{count} places"),
        }
    }
}

/// Converts errors of the validator to violations.
struct Reader<'a> {
    schema: &'a Value,
    alternatives: alternatives::Reader<'a>,
    list: Vec<Violation>,
    more: usize,
}

impl Reader<'_> {
    /// Adds an error. For alternatives, adds the violations of the nearest one.
    fn add(&mut self, error: &ValidationError<'_>, nested_left: usize) {
        let room = MAX_VIOLATIONS - self.list.len();
        self.more += count_of(error).saturating_sub(room);
        // An error can contain a million fields with pointers of megabytes.
        if room == 0 {
            return;
        }
        let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else {
            return read(self.schema, error, room).into_iter().for_each(|it| self.push(it));
        };
        match self.alternatives.nearest(error, context) {
            Nearest::Branch(errors) if nested_left > 0 && !errors.is_empty() => {
                errors.iter().for_each(|error| self.add(error, nested_left - 1));
            }
            Nearest::Branch(_) | Nearest::Unknown => {
                let pointer = cut(error.instance_path().to_string());
                let problem =
                    format!("expected one of several alternatives{GOT}{}", shown(error.instance()));
                self.list.push(Violation { pointer, problem, did_you_mean: None });
            }
            Nearest::None(violation) => self.push(violation),
        }
    }

    /// Adds a violation. If both the object and its alternatives require a missing tag, only the
    /// longer message is kept.
    fn push(&mut self, violation: Violation) {
        let is_missing = |it: &Violation| it.problem.starts_with(MISSING);
        let same = |it: &&mut Violation| it.pointer == violation.pointer && is_missing(it);
        match self.list.iter_mut().filter(|_| is_missing(&violation)).find(same) {
            Some(known) if known.problem.len() < violation.problem.len() => *known = violation,
            Some(_) => {}
            None => self.list.push(violation),
        }
    }
}

/// Returns the number of violations of an error.
fn count_of(error: &ValidationError<'_>) -> usize {
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected.len()
        }
        _ => 1,
    }
}

/// Truncates a long pointer.
pub(super) fn cut(mut pointer: String) -> String {
    if pointer.len() > MAX_POINTER {
        pointer.truncate(text::boundary(&pointer, MAX_POINTER));
        pointer.push_str("...");
        pointer.shrink_to_fit();
    }
    pointer
}

/// Converts an error of the validator. An error for several unknown fields gives a violation for
/// each.
fn read(schema: &Value, error: &ValidationError<'_>, room: usize) -> Vec<Violation> {
    let pointer = cut(error.instance_path().to_string());
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_fields(schema, &error.schema_path().to_string());
            let read = |name: &String| unknown_field(&pointer, name, &known);
            unexpected.iter().take(room).map(read).collect()
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let problem = MISSING.to_owned();
            vec![Violation { pointer: below(&pointer, name), problem, did_you_mean: None }]
        }
        Kind::Enum { options } => {
            let options: Vec<_> = options.as_array().into_iter().flatten().collect();
            vec![not_an_option(pointer, &options, &[], error.instance())]
        }
        _ => vec![Violation { pointer, problem: problem(error), did_you_mean: None }],
    }
}

pub(super) fn below(pointer: &str, name: &str) -> String {
    cut(format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")))
}

/// Returns the known fields of the subschema with the keyword at `path`.
fn known_fields<'a>(schema: &'a Value, path: &str) -> Vec<&'a str> {
    let object = path.rsplit_once('/').and_then(|(object, _)| schema.pointer(object));
    let properties = object.and_then(|object| object.get("properties")?.as_object());
    properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

fn unknown_field(pointer: &str, name: &str, known: &[&str]) -> Violation {
    Violation {
        pointer: below(pointer, name),
        problem: "unknown field".to_owned(),
        did_you_mean: nearest(name, known.iter().copied()),
    }
}

/// Returns the violation of a value that is not an allowed one. `others` describes further allowed
/// kinds of values.
pub(super) fn not_an_option(
    pointer: String,
    options: &[&Value],
    others: &[String],
    got: &Value,
) -> Violation {
    let texts = options.iter().filter_map(|option| option.as_str());
    let of = if options.is_empty() && others.len() == 1 { "" } else { "one of " };
    Violation {
        pointer,
        problem: format!("expected {of}{}{GOT}{}", listed(options, others), shown(got)),
        did_you_mean: got.as_str().and_then(|got| nearest(got, texts)),
    }
}

/// Returns the first allowed values as a list.
pub(super) fn listed(options: &[&Value], others: &[String]) -> String {
    let all = options.iter().map(|option| shown(option)).chain(others.iter().cloned());
    let mut list: Vec<_> = all.take(MAX_OPTIONS).collect();
    if options.len() + others.len() > MAX_OPTIONS {
        list.push("...".to_owned());
    }
    list.join(", ")
}

/// Returns the known name that is most similar to an unknown one.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    suggest::closest_match(wrong, known.take(MAX_NAMES)).map(str::to_owned)
}

fn problem(error: &ValidationError<'_>) -> String {
    let got = shown(error.instance());
    let expected = match error.kind() {
        Kind::Type { kind: TypeKind::Single(kind) } => kind.to_string(),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
        }
        Kind::Constant { expected_value } => shown(expected_value),
        Kind::Minimum { limit } => format!("at least {limit}"),
        Kind::Maximum { limit } => format!("at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        Kind::MinLength { limit } => format!("at least {}", count(*limit, "character")),
        Kind::MaxLength { limit } => format!("at most {}", count(*limit, "character")),
        Kind::MinItems { limit } => format!("at least {}", count(*limit, "item")),
        Kind::MaxItems { limit } => format!("at most {}", count(*limit, "item")),
        // The only custom keyword; see `Pattern`.
        Kind::Custom { message, .. } => format!("text that matches `{}`", text::quote(message)),
        Kind::Format { format } => format!("text in the format `{format}`"),
        // The validator does not name the fields if the schema has none.
        Kind::FalseSchema if is_of_additional_fields(error) => {
            return "no field is allowed here".to_owned();
        }
        Kind::FalseSchema => return "nothing is allowed here".to_owned(),
        _ => return text::single_line(&error.masked_with("the value").to_string()),
    };
    format!("expected {expected}{GOT}{got}")
}

fn is_of_additional_fields(error: &ValidationError<'_>) -> bool {
    error.schema_path().as_str().ends_with("/additionalProperties")
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Returns a value as JSON, truncated.
pub(super) fn shown(value: &Value) -> String {
    let mut text = Beginning(String::new());
    // An error means that the text was truncated.
    match fmt::write(&mut text, format_args!("{value}")) {
        Ok(()) => text.0,
        Err(fmt::Error) => text.0 + "...",
    }
}

/// Accepts the first characters of a text and rejects the rest.
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_SHOWN.saturating_sub(self.0.chars().count());
        let fits = text.char_indices().nth(room).map_or(text.len(), |(end, _)| end);
        self.0.push_str(&text[..fits]);
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Schema;
    use super::*;
    use crate::tests::adversarial::check;

    fn messages(schema: Value, value: &Value) -> Vec<String> {
        let violations = check(&Schema::compile(schema).unwrap(), value).unwrap_err();
        violations.list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn messages_contain_no_secret() {
        let schema = json!({
            "properties": {
                "pin": {"type": "string", "maxLength": 4, "writeOnly": true},
                "kind": {"enum": ["alpha", "omega"], "x-secret": true},
                "keys": {"additionalProperties": false, "properties": {"a": true}, "x-secret": true},
                "size": {"type": "integer"},
            },
            "required": ["pin"],
            "maxProperties": 4,
        });
        let value = json!({"pin": "hunter2", "kind": "omeag", "keys": {"hunter2": 1}, "size": "x"});
        assert_eq!(
            messages(schema.clone(), &value),
            [
                "/pin: expected at most 4 characters, got a secret",
                "/kind: expected one of \"alpha\", \"omega\", got a secret",
                "/keys: does not match its schema",
                "/size: expected integer, got \"x\"",
            ]
        );
        assert_eq!(messages(schema.clone(), &json!({})), ["/pin: missing, but required"]);
        let inner = json!({"properties": {"s": {
            "x-secret": true, "additionalProperties": {"required": ["x"], "maxProperties": 0}
        }}});
        for value in [json!({"s": {"hunter2": {}}}), json!({"s": {"hunter2": {"x": "y"}}})] {
            assert_eq!(messages(inner.clone(), &value), ["/s: does not match its schema"]);
        }
        let whole = json!({"anyOf": [{"type": "integer"}, {"type": "null"}], "allOf": [schema]});
        let text = messages(whole, &json!({"pin": "hunter2"})).join(" ");
        assert!(text.contains("null, got a secret") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn each_violation_has_the_expected_and_the_actual_value() {
        let schema = json!({
            "properties": {
                "n": {"type": "integer", "minimum": 1},
                "s": {"type": ["string", "null"], "maxLength": 2},
                "kind": {"enum": ["small", "large"]},
                "list": {"items": {"type": "boolean"}},
            },
            "required": ["s"],
            "additionalProperties": false,
        });
        assert_eq!(
            messages(schema.clone(), &json!({"n": "x", "s": "abc"})),
            ["/n: expected integer, got \"x\"", "/s: expected at most 2 characters, got \"abc\"",]
        );
        assert_eq!(
            messages(schema.clone(), &json!({"n": 0, "s": 1, "list": [true, 2]})),
            [
                "/n: expected at least 1, got 0",
                "/s: expected null or string, got 1",
                "/list/1: expected boolean, got 2",
            ]
        );
        assert_eq!(
            messages(schema, &json!({"kinds": 1, "kind": "smal", "x/y": 1})),
            [
                "/kind: expected one of \"small\", \"large\", got \"smal\"; did you mean `small`?",
                "/kinds: unknown field; did you mean `kind`?",
                "/x~1y: unknown field",
                "/s: missing, but required",
            ]
        );
    }

    #[test]
    fn fields_of_an_empty_object_are_not_allowed() {
        let schema = json!({"type": "object", "additionalProperties": false});
        assert_eq!(messages(schema, &json!({"a": 1})), ["/: no field is allowed here"]);
        let schema = json!({"properties": {"a": false}});
        assert_eq!(messages(schema, &json!({"a": 1})), ["/a: nothing is allowed here"]);
    }

    #[test]
    fn a_large_value_is_truncated() {
        let [message] =
            messages(json!({"type": "null"}), &json!("x".repeat(1 << 20))).try_into().unwrap();
        assert_eq!(message, format!("/: expected null, got \"{}...", "x".repeat(MAX_SHOWN - 1)));
    }

    #[test]
    fn many_fields_with_long_names_are_truncated_and_counted() {
        let schema = json!({"properties": {"k".repeat(1 << 15): {"properties": {"a": {}}, "additionalProperties": false}}});
        let fields: serde_json::Map<_, _> = (0..5_000).map(|n| (n.to_string(), json!(1))).collect();
        let value = json!({"k".repeat(1 << 15): fields});
        let violations = check(&Schema::compile(schema).unwrap(), &value).unwrap_err();
        assert_eq!((violations.list.len(), violations.more), (MAX_VIOLATIONS, 4_900));
        assert!(violations.list.iter().all(|violation| violation.pointer.len() < 2 * MAX_POINTER));
    }

    #[test]
    fn violations_beyond_the_list_are_counted() {
        let schema = Schema::compile(json!({"items": {"type": "null"}})).unwrap();
        let violations = check(&schema, &json!(vec![1; 150])).unwrap_err();
        assert_eq!((violations.list.len(), violations.more), (MAX_VIOLATIONS, 50));
        assert_eq!(violations.to_string(), "breaks its schema in 150 places");
    }
    #[test]
    fn too_many_violations_to_collect_are_reported_as_at_least_one() {
        let schema = Schema::compile(json!({"items": {"type": "null"}})).unwrap();
        let violations = check(&schema, &json!(vec![1; 300_000])).unwrap_err();
        assert_eq!(violations.to_string(), "breaks its schema in at least 1 place");
        assert_eq!(violations.list[0].to_string(), "/0: expected null, got 1");
        assert!(violations.at_least && !violations.unchecked);
    }

    #[test]
    fn a_violation_without_a_location_is_one_of_the_whole_value() {
        let part = json!({"items": {"type": "null"}});
        let schema = Schema::compile(json!({"anyOf": [part, part]})).unwrap();
        let violations = check(&schema, &json!(vec![1; 300_000])).unwrap_err();
        assert_eq!(
            violations.list[0].to_string(),
            "/: does not match its schema; finding the location would take too long"
        );
    }
}
