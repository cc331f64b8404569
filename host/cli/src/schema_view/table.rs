//! A table of the fields of a schema.

use serde_json::Value;

use ophost_document::text;
use ophost_schema::{Branch, Tagging};

use super::super::field_path::escape;
use super::node::{Alternatives, Field, Node, is_integer_limit};

/// The maximum number of rows.
const MAX_ROWS: usize = 100;
/// The maximum nesting of objects, and of unions within unions.
const MAX_DEPTH: usize = 3;
const MAX_UNIONS: usize = 4;
/// The indentation of the fields of an alternative.
const INDENT: &str = "  ";
/// The maximum number of allowed values that are shown, and the maximum characters of each.
const MAX_CHOICES: usize = 8;
const MAX_SHOWN: usize = 32;

/// The row of a field: its path, its type, its presence or default, and its description with its
/// constraints.
pub(crate) type Row = [String; 4];

/// The side of an operation that a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The values that the operation takes.
    Input,
    /// The values that the operation returns.
    Output,
}

/// Returns the rows of a schema, and whether rows were left out.
pub(crate) fn rows(schema: &Value, side: Side) -> (Vec<Row>, bool) {
    let mut rows = Rows { rows: Vec::new(), is_cut: false, side };
    rows.add(&Node::new(schema), Position { prefix: "", indent: "", tag: None, unions: 0 }, 0);
    (rows.rows, rows.is_cut)
}

struct Rows {
    rows: Vec<Row>,
    is_cut: bool,
    side: Side,
}

/// The position of an object in the table.
#[derive(Clone, Copy)]
struct Position<'a> {
    /// The path of the object, with a dot after each name.
    prefix: &'a str,
    indent: &'a str,
    /// The tag field of the alternative, whose value the heading shows.
    tag: Option<&'a str>,
    /// The number of unions around the object at the same path.
    unions: usize,
}

impl Rows {
    fn push(&mut self, row: Row) {
        if self.rows.len() < MAX_ROWS {
            self.rows.push(row);
        } else {
            self.is_cut = true;
        }
    }

    /// Adds the fields of an object: first its own, then those of its alternatives.
    fn add(&mut self, object: &Node<'_>, position: Position<'_>, depth: usize) {
        let Position { prefix, indent, tag, unions } = position;
        for field in object.own_fields() {
            if self.is_cut {
                return;
            }
            let name = format!("{prefix}{}", escape(field.name));
            if tag != Some(field.name) {
                self.push(self.row(&format!("{indent}{name}"), &field));
            }
            if depth < MAX_DEPTH {
                let (inner, items) = (format!("{name}."), format!("{name}[]."));
                let position = Position { prefix: &inner, indent, tag: None, unions: 0 };
                self.add(&field.node, position, depth + 1);
                self.add(&field.node.items(), Position { prefix: &items, ..position }, depth + 1);
            }
        }
        if unions < MAX_UNIONS {
            let position = Position { unions: unions + 1, ..position };
            for union in object.alternatives() {
                self.add_alternatives(&union, position, depth);
            }
        }
    }

    fn add_alternatives(&mut self, union: &Alternatives<'_>, position: Position<'_>, depth: usize) {
        // A union with one alternative, such as an optional value, is shown as that alternative.
        if let [(node, _)] = union.branches.as_slice() {
            return self.add(node, position, depth);
        }
        for (number, (node, branch)) in union.branches.iter().enumerate() {
            if self.is_cut {
                return;
            }
            let heading = heading(union.tagging, branch, position.prefix, number + 1);
            let heading = format!("{}{heading}", position.indent);
            // The heading already shows the title.
            let description = Some(node.description()).filter(|text| branch.title() != Some(text));
            let notes = single_line(description.unwrap_or_default());
            self.push([heading, String::new(), String::new(), notes]);
            let tag = match union.tagging {
                Tagging::Property(name) => Some(name),
                Tagging::Key | Tagging::None => None,
            };
            let indent = format!("{}{INDENT}", position.indent);
            self.add(node, Position { indent: &indent, tag, ..position }, depth);
        }
    }

    fn row(&self, name: &str, field: &Field<'_>) -> Row {
        let mut notes = single_line(field.node.description());
        let constraints = constraints(&field.node);
        if !constraints.is_empty() {
            let gap = if notes.is_empty() { "" } else { " " };
            notes = format!("{notes}{gap}({})", constraints.join(", "));
        }
        [name.to_owned(), type_text(&field.node, MAX_DEPTH), self.presence(field), notes]
    }

    fn presence(&self, field: &Field<'_>) -> String {
        match (self.side, field.node.keyword("default")) {
            (Side::Input, _) if field.is_required => "required".to_owned(),
            (Side::Input, Some(default)) => format!("default {}", shown(default)),
            (Side::Output, _) if !field.is_required => "may be missing".to_owned(),
            (Side::Input | Side::Output, _) => String::new(),
        }
    }
}

/// Returns the heading of an alternative.
fn heading(tagging: Tagging<'_>, branch: &Branch<'_>, prefix: &str, number: usize) -> String {
    match (tagging, branch.key, branch.title()) {
        (Tagging::Property(name), ..) => {
            format!("when {prefix}{}={}", escape(name), choices_text(&branch.tags))
        }
        (Tagging::Key, Some(key), _) => format!("when {prefix}{} is given", escape(key)),
        (_, _, title) => {
            let of = prefix.strip_suffix('.').map(|name| format!(" of {name}")).unwrap_or_default();
            let title = title.map(|title| format!(": {}", text::truncate_chars(title, MAX_SHOWN)));
            format!("alternative {number}{of}{}", title.unwrap_or_default())
        }
    }
}

fn single_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the type of a field as text: `list of text`, `a | b or null`.
fn type_text(node: &Node<'_>, depth: usize) -> String {
    let (choices, types) = node.choices();
    let mut words: Vec<String> = Vec::new();
    if !choices.is_empty() {
        words.push(choices_text(&choices));
    }
    for name in types {
        words.push(match name {
            "string" => "text".to_owned(),
            "array" => list_text(node, depth),
            "boolean" => "true or false".to_owned(),
            name => name.to_owned(),
        });
    }
    if words.is_empty() { "any".to_owned() } else { words.join(" or ") }
}

fn list_text(node: &Node<'_>, depth: usize) -> String {
    match depth.checked_sub(1) {
        Some(depth) => match type_text(&node.items(), depth).as_str() {
            "any" => "list".to_owned(),
            items => format!("list of {items}"),
        },
        None => "list".to_owned(),
    }
}

fn choices_text(choices: &[&Value]) -> String {
    let mut texts: Vec<_> =
        choices.iter().take(MAX_CHOICES).map(|value| value_text(value)).collect();
    if choices.len() > MAX_CHOICES {
        texts.push("...".to_owned());
    }
    texts.join(" | ")
}

fn value_text(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text::truncate_chars(&text, MAX_SHOWN)
}

fn shown(value: &Value) -> String {
    text::truncate_chars(&value.to_string(), MAX_SHOWN)
}

/// Returns the constraints of a field beyond its type.
fn constraints(node: &Node<'_>) -> Vec<String> {
    let number = |key| node.unconditional(key).filter(|it| it.is_number() && !is_integer_limit(it));
    let mut all = Vec::new();
    all.extend(range(number("minimum"), number("maximum"), ""));
    all.extend(number("exclusiveMinimum").map(|it| format!("more than {}", shown(it))));
    all.extend(number("exclusiveMaximum").map(|it| format!("less than {}", shown(it))));
    all.extend(number("multipleOf").map(|it| format!("a multiple of {}", shown(it))));
    all.extend(range(number("minLength"), number("maxLength"), " characters"));
    all.extend(range(number("minItems"), number("maxItems"), " items"));
    if node.unconditional("uniqueItems") == Some(&Value::Bool(true)) {
        all.push("unique items".to_owned());
    }
    let text = |key| node.unconditional(key).and_then(Value::as_str);
    let shortened = |it| text::truncate_chars(it, MAX_SHOWN);
    all.extend(text("pattern").map(|it| format!("matches `{}`", shortened(it))));
    all.extend(text("format").filter(|it| !is_number_format(it)).map(shortened));
    let is_set = |key| node.keyword(key) == Some(&Value::Bool(true));
    if is_set("writeOnly") || is_set("x-secret") {
        all.push("secret".to_owned());
    }
    all
}

fn range(minimum: Option<&Value>, maximum: Option<&Value>, unit: &str) -> Option<String> {
    match (minimum.map(shown), maximum.map(shown)) {
        (Some(one), Some(high)) if one == high && one == "1" => {
            Some(format!("exactly 1{}", singular(unit)))
        }
        (Some(low), Some(high)) if low == high => Some(format!("exactly {low}{unit}")),
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}")),
        (Some(one), None) if one == "1" => Some(format!("at least 1{}", singular(unit))),
        (Some(low), None) => Some(format!("at least {low}{unit}")),
        (None, Some(one)) if one == "1" => Some(format!("at most 1{}", singular(unit))),
        (None, Some(high)) => Some(format!("at most {high}{unit}")),
        (None, None) => None,
    }
}

fn singular(unit: &str) -> &str {
    unit.strip_suffix('s').unwrap_or(unit)
}

/// Returns whether a format only gives the width of a number. Schema generators write these
/// formats.
fn is_number_format(format: &str) -> bool {
    let bits = format.trim_start_matches('u');
    bits.starts_with("int") || matches!(format, "float" | "double")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bound_of_one_alternative_is_not_shown_for_all_values() {
        let schema = json!({"properties": {
            "either": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]},
            "maybe": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        }});
        let (rows, _) = rows(&schema, Side::Input);
        let shown: Vec<_> = rows.iter().map(|row| row.join(" ").contains("at least 0")).collect();
        assert_eq!(shown, [false, true]);
    }

    #[test]
    fn types_constraints_and_nested_fields_are_shown() {
        let schema = json!({
            "properties": {
                "sizes": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": true},
                "place": {"$ref": "#/$defs/place", "description": "Where."},
                "kind": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}], "default": null},
                "code": {"type": "string", "minLength": 2, "maxLength": 2, "pattern": "^[A-Z]+$"},
                "count": {"type": "integer", "format": "uint64", "minimum": 0, "maximum": u64::MAX},
                "offset": {"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX},
            },
            "required": ["code"],
            "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
        });
        let (rows, is_cut) = rows(&schema, Side::Input);
        let rows: Vec<_> = rows.iter().map(|row| row.join("; ")).collect();
        assert_eq!(
            rows,
            [
                "code; text; required; (exactly 2 characters, matches `^[A-Z]+$`)",
                "sizes; list of integer; ; (at least 1 item, unique items)",
                "place; object; ; Where.",
                "place.city; text; ; ",
                "kind; a | b or null; default null; ",
                "count; integer; ; (at least 0)",
                "offset; integer; ; ",
            ]
        );
        assert!(!is_cut);
    }

    #[test]
    fn table_of_a_recursive_schema_is_bounded() {
        let fields: serde_json::Map<_, _> =
            (0..40).map(|n| (format!("f{n}"), json!({"$ref": "#"}))).collect();
        let (rows, is_cut) = rows(&json!({"properties": fields}), Side::Output);
        assert_eq!((rows.len(), is_cut), (MAX_ROWS, true));
        let nested = json!({"type": "array", "items": {"$ref": "#"}});
        assert_eq!(type_text(&Node::new(&nested), MAX_DEPTH), "list of list of list of list");
    }
}
