//! Builds the JSON input of an operation from the arguments of a command.
//!
//! `field=value` has the type that the schema requires, and `field:=json` is JSON. `field=@file`
//! and `field:=@file` read files. `a.b=c` sets a field of an object, and `a\.b=c` sets a field with
//! a dot in its name. An argument for a list field appends to the list. `--input` is the whole
//! input, and fields override its values.

use std::fs::File;
use std::io::{self, Read};

use ophost_document::json;
use serde_json::{Map, Value};

use super::field_path::{self, Assignment};
use super::output::quoted;
use super::schema_view::Node;
use super::stdio;
use ophost::text_encoding::{self, DecodeError};

/// Maximum size of a file or of stdin, in bytes.
const MAX_INPUT: u64 = 64 << 20;
/// Maximum nesting of lists when a value is typed, because a schema can be recursive.
const MAX_LISTS: usize = 8;

/// Builds the input. The input is not validated against the schema.
///
/// # Errors
///
/// Returns [`InputError`] for the first invalid argument or unreadable file.
pub(super) fn assemble(
    whole: Option<&str>,
    fields: &[String],
    schema: &Value,
) -> Result<Value, InputError> {
    let from_stdin = fields.iter().filter(|field| field.ends_with("=@-")).count();
    if from_stdin + usize::from(whole == Some("-")) > 1 {
        return Err(InputError::StdinTwice);
    }
    let input = match whole {
        None => Value::Object(Map::new()),
        Some("-") => json_of("-")?,
        Some(text) => match text.strip_prefix('@') {
            Some(file) => json_of(file)?,
            None => parse("--input", text, JsonSource::Argument)?,
        },
    };
    edited(input, fields, schema)
}

/// Returns the input with changed fields.
///
/// # Errors
///
/// Like [`assemble`].
pub(super) fn edited(
    mut input: Value,
    fields: &[String],
    schema: &Value,
) -> Result<Value, InputError> {
    for field in fields {
        let assignment =
            field_path::parse(field).ok_or_else(|| InputError::NotAField(field.clone()))?;
        assignment.set(&mut input, schema)?;
    }
    Ok(input)
}

/// Returns the names and the value of a `field=text` or `field:=json` argument without a schema.
///
/// # Errors
///
/// Like [`assemble`].
pub(super) fn field(text: &str) -> Result<(Vec<String>, Value), InputError> {
    let not_a_field = || InputError::NotAField(text.to_owned());
    let assignment = field_path::parse(text).ok_or_else(not_a_field)?;
    let value = match assignment.is_json {
        true => assignment.json()?,
        false => Value::String(assignment.text()?),
    };
    Ok((assignment.path, value))
}

/// Source of JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonSource {
    Argument,
    /// `field:=json`.
    Field,
    File,
}

fn parse(label: &str, text: &str, from: JsonSource) -> Result<Value, InputError> {
    json::parse(text).map_err(|error| InputError::NotJson {
        label: label.to_owned(),
        problem: error.to_string(),
        from,
    })
}

/// Reads a JSON file, or stdin if the name is `-`.
fn json_of(file: &str) -> Result<Value, InputError> {
    let text = read(file)?;
    parse(name(file), &text, JsonSource::File).map_err(|error| {
        let encoding = text_encoding::encoding_of_json(&text).map(DecodeError::Encoding);
        encoding.map_or(error, |problem| InputError::NotText { file: file.to_owned(), problem })
    })
}

/// Reads a text file, or stdin if the name is `-`.
fn read(file: &str) -> Result<String, InputError> {
    let failed = |source| InputError::Unreadable { file: file.to_owned(), source };
    let reader: Box<dyn Read> = match file {
        "-" => Box::new(stdio::stdin()),
        file => Box::new(File::open(file).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    reader.take(MAX_INPUT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(InputError::TooLarge(file.to_owned()));
    }
    text_encoding::decode(bytes)
        .map_err(|problem| InputError::NotText { file: file.to_owned(), problem })
}

/// Returns the name of a file for messages.
fn name(file: &str) -> &str {
    if file == "-" { "stdin" } else { file }
}

impl Assignment<'_> {
    fn name(&self) -> String {
        field_path::join(&self.path)
    }

    /// Returns the value as JSON, from a file if it begins with `@`.
    fn json(&self) -> Result<Value, InputError> {
        match self.value.strip_prefix('@') {
            Some(file) => json_of(file),
            None => parse(&self.name(), self.value, JsonSource::Field),
        }
    }

    /// Returns the value as text, from a file if it begins with `@`.
    fn text(&self) -> Result<String, InputError> {
        self.value.strip_prefix('@').map_or_else(|| Ok(self.value.to_owned()), read)
    }

    fn set(&self, input: &mut Value, schema: &Value) -> Result<(), InputError> {
        if self.is_json {
            let value = self.json()?;
            *self.target(input)? = value;
            return Ok(());
        }
        let text = self.text()?;
        let target = self.target(input)?;
        let schema = Node::new(schema).field(&self.path);
        let value = schema.typed(&text, MAX_LISTS).ok_or_else(|| InputError::WrongType {
            field: self.name(),
            wants: schema.types().join(" or "),
        })?;
        match (target, value) {
            (Value::Array(list), Value::Array(more)) => list.extend(more),
            (target, value) => *target = value,
        }
        Ok(())
    }

    /// Returns the value at the path, and creates missing objects.
    fn target<'v>(&self, input: &'v mut Value) -> Result<&'v mut Value, InputError> {
        let mut target = input;
        for (index, part) in self.path.iter().enumerate() {
            let object =
                target.as_object_mut().ok_or_else(|| InputError::NotAnObject(self.name()))?;
            let inner = index + 1 < self.path.len();
            target = object.entry(part).or_insert(Value::Null);
            if inner && target.is_null() {
                *target = Value::Object(Map::new());
            }
        }
        Ok(target)
    }
}

impl Node<'_> {
    /// Converts a text to the first fitting type of the schema. Strings come last but one, before
    /// null: `5` is a number if the schema allows numbers and strings.
    fn typed(&self, text: &str, lists_left: usize) -> Option<Value> {
        let types = self.types();
        let takes = |name| types.contains(&name);
        let read = |wanted: fn(&Value) -> bool| json::parse(text).ok().filter(wanted);
        let number = || read(Value::is_number).filter(|_| takes("number") || takes("integer"));
        let boolean = || read(Value::is_boolean).filter(|_| takes("boolean"));
        let object = || read(Value::is_object).filter(|_| takes("object"));
        let array = || takes("array").then(|| self.list(text, lists_left)).flatten();
        let string = || (types.is_empty() || takes("string")).then(|| Value::from(text));
        let null = || read(Value::is_null).filter(|_| takes("null"));
        number().or_else(boolean).or_else(object).or_else(array).or_else(string).or_else(null)
    }

    /// Converts a text to a list: a JSON list, or a list with one item.
    fn list(&self, text: &str, lists_left: usize) -> Option<Value> {
        if let Some(list) = json::parse(text).ok().filter(Value::is_array) {
            return Some(list);
        }
        let item = self.items().typed(text, lists_left.checked_sub(1)?)?;
        Some(Value::Array(vec![item]))
    }
}

/// Invalid arguments for an input.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    /// Two arguments read stdin.
    #[error("stdin can be used only once")]
    StdinTwice,
    #[error("`{0}` is not a field: expected `=` after a name")]
    NotAField(String),
    #[error("`{field}` must be {wants}")]
    WrongType { field: String, wants: String },
    #[error("cannot set `{0}`: its parent is not an object")]
    NotAnObject(String),
    #[error("`{label}` is not JSON: {problem}")]
    NotJson { label: String, problem: String, from: JsonSource },
    #[error("cannot read `{}`", name(file))]
    Unreadable { file: String, source: io::Error },
    #[error("`{}` is larger than {}", name(.0), bytesize::ByteSize(MAX_INPUT))]
    TooLarge(String),
    #[error("`{}` is {problem}", name(file))]
    NotText { file: String, problem: DecodeError },
}

impl InputError {
    /// Returns the hint.
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotAField(_) => {
                "use `field=value`, `field:=json` or `field=@file`, or `--input` for the whole input"
            }
            Self::NotJson { problem, from, .. } => return json_hint(problem, *from),
            Self::WrongType { .. } => "run `ophost describe NAME` to show the type of each field",
            Self::NotText { file, problem } => return Some(conversion(file, problem)),
            Self::Unreadable { file, .. } if file != "-" => {
                "to pass a text that begins with `@`, use JSON: `field:='\"@text\"'`"
            }
            Self::StdinTwice => "write stdin to a file, and use the file",
            Self::NotAnObject(_) | Self::Unreadable { .. } | Self::TooLarge(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// Returns the hint for a syntax error in JSON.
fn json_hint(problem: &str, from: JsonSource) -> Option<String> {
    let unexpected = problem.strip_prefix("unexpected `").and_then(|rest| rest.split_once('`'));
    let word = unexpected.map(|(word, _)| word.trim_start_matches(['+', '-']).to_ascii_lowercase());
    let hint = match word.as_deref() {
        Some("nan" | "inf" | "infinity") => {
            "use `null`, or omit the field; JSON has no NaN and no Infinity"
        }
        Some("none" | "nil" | "undefined") => "use `null` for a missing value",
        Some("true" | "false") => "use lower case: `true` or `false`",
        Some("'") => "put text and keys in double quotes",
        _ if problem.starts_with("key must be a string") => "put text and keys in double quotes",
        _ if from == JsonSource::Field => "use `field=value` for text; `field:=json` requires JSON",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Returns the hint for converting a file to UTF-8.
fn conversion(file: &str, problem: &DecodeError) -> String {
    let file = if file == "-" { String::new() } else { format!(" {}", quoted(file)) };
    match problem.encoding() {
        Some(encoding) => format!("run `iconv -f {encoding} -t UTF-8{file}` to convert the text"),
        None => format!(
            "run `iconv -f ENCODING -t UTF-8{file}` with the encoding of the text, such as WINDOWS-1252"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "properties": {
                "text": {"type": "string"},
                "count": {"type": ["integer", "null"]},
                "ratio": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                "exact": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "sizes": {"type": "array", "items": {"type": "integer"}},
                "place": {"$ref": "#/$defs/Place"},
                "either": {"type": ["integer", "string"]},
                "anything": {},
            },
            "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}}}},
        })
    }

    fn input(fields: &[&str]) -> Result<Value, String> {
        let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
        assemble(None, &fields, &schema()).map_err(|error| error.to_string())
    }

    #[test]
    fn map_entries_are_typed_by_the_schema() {
        let schema = json!({"properties": {
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        }});
        let input = assemble(None, &["map.x=5".to_owned()], &schema).unwrap();
        assert_eq!(input, json!({"map": {"x": 5}}));
    }

    #[test]
    fn values_are_typed_by_the_schema() {
        assert_eq!(input(&["text=5", "count=5"]), Ok(json!({"text": "5", "count": 5})));
        assert_eq!(input(&["count=null", "ratio=0.5"]), Ok(json!({"count": null, "ratio": 0.5})));
        assert_eq!(input(&["exact=true", "text="]), Ok(json!({"exact": true, "text": ""})));
        assert_eq!(input(&["either=5"]), Ok(json!({"either": 5})));
        assert_eq!(input(&["either=five"]), Ok(json!({"either": "five"})));
        assert_eq!(
            input(&["anything=5", "unknown=5"]),
            Ok(json!({"anything": "5", "unknown": "5"}))
        );
        assert_eq!(input(&["text=a=b"]), Ok(json!({"text": "a=b"})));
    }

    #[test]
    fn repeated_fields_extend_lists_and_dots_set_nested_fields() {
        assert_eq!(input(&["tags=a", "tags=b c"]), Ok(json!({"tags": ["a", "b c"]})));
        assert_eq!(input(&["sizes=[1,2]", "sizes=3"]), Ok(json!({"sizes": [1, 2, 3]})));
        let place = input(&["place.city=Rome", "place.zip=118"]);
        assert_eq!(place, Ok(json!({"place": {"city": "Rome", "zip": 118}})));
        assert_eq!(input(&["x.x.x=1"]), Ok(json!({"x": {"x": {"x": "1"}}})));
        assert_eq!(input(&[r#"place={"zip":1}"#]), Ok(json!({"place": {"zip": 1}})));
    }

    #[test]
    fn backslash_escapes_a_dot_in_a_name() {
        let schema = json!({"properties": {
            "a.b": {"type": "integer"},
            "o": {"type": "object", "properties": {"c=d": {"type": "integer"}}},
        }});
        let fields = [r"a\.b=1", r"o.c\=d=2", r"x\:=3", r"\-v:=4"].map(str::to_owned);
        let input = assemble(None, &fields, &schema).unwrap();
        assert_eq!(input, json!({"a.b": 1, "o": {"c=d": 2}, "x:": "3", "-v": 4}));
        let error = assemble(None, &[r"a\.b=x".to_owned()], &schema).unwrap_err();
        assert_eq!(error.to_string(), r"`a\.b` must be integer");
    }

    #[test]
    fn field_accepts_the_types_of_all_alternatives() {
        let schema = json!({"oneOf": [
            {"properties": {"kind": {"const": "number"}, "value": {"type": "integer"}}},
            {"properties": {"kind": {"const": "text"}, "value": {"type": "string"}}},
        ]});
        let value =
            |field: &str| assemble(None, &[field.to_owned()], &schema).unwrap()["value"].clone();
        assert_eq!((value("value=5"), value("value=five")), (json!(5), json!("five")));
    }

    #[test]
    fn recursive_schema_is_read_to_a_bounded_depth() {
        let schema = json!({"allOf": vec![json!({"$ref": "#"}); 20]});
        let fields = ["a=1".to_owned()];
        assert_eq!(assemble(None, &fields, &schema).unwrap(), json!({"a": "1"}));
        let schema =
            json!({"properties": {"a": {"type": "array", "items": {"$ref": "#/properties/a"}}}});
        assert!(assemble(None, &fields, &schema).is_err());
    }

    #[test]
    fn json_values_are_not_converted() {
        assert_eq!(input(&["text:=5", "new:=[null]"]), Ok(json!({"text": 5, "new": [null]})));
        let problem = "`text` is not JSON: unexpected `hello` at line 1 column 1";
        assert_eq!(input(&["text:=hello"]), Err(problem.to_owned()));
    }

    #[test]
    fn error_names_the_invalid_argument() {
        assert_eq!(
            input(&["text"]),
            Err("`text` is not a field: expected `=` after a name".into())
        );
        assert!(input(&["=x"]).is_err() && input(&["a..b=x"]).is_err());
        assert_eq!(input(&["count=many"]), Err("`count` must be integer or null".into()));
        assert_eq!(input(&["exact=yes"]), Err("`exact` must be boolean".into()));
        let problem = "cannot set `text.x`: its parent is not an object";
        assert_eq!(input(&["text=a", "text.x=b"]), Err(problem.into()));
    }

    #[test]
    fn fields_override_the_whole_input() {
        let fields = ["text=new".to_owned()];
        let input = assemble(Some(r#"{"text": "old", "count": 1}"#), &fields, &schema()).unwrap();
        assert_eq!(input, json!({"text": "new", "count": 1}));
    }
}
