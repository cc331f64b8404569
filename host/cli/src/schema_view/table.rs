//! The fields of a schema as rows of a table.

use serde_json::Value;

use ophost_document::text;

use super::field_path::escaped;
use super::shape::{Alternatives, Field, Node, is_of_bits};
use ophost_schema::{Branch, Tagging};

/// How many rows are shown of one schema.
const MAX_ROWS: usize = 100;
/// How many objects deep, and how many alternatives within alternatives.
const MAX_DEPTH: usize = 3;
const MAX_NESTED: usize = 4;
/// How far the fields of an alternative are indented.
const INDENT: &str = "  ";
/// How many of the values that are allowed are shown, and how much of one.
const MAX_CHOICES: usize = 8;
const MAX_SHOWN: usize = 32;

/// A field: its name with those that it is in, its type, whether it has to be there, and what
/// else there is to say.
pub(super) type Row = [String; 4];

/// Which way a schema's values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// To the operation.
    Input,
    /// From it.
    Output,
}

/// Returns the rows of a schema, and whether there are more.
pub(super) fn rows(schema: &Value, side: Side) -> (Vec<Row>, bool) {
    let mut rows = Rows { rows: Vec::new(), is_cut: false, side };
    rows.add(&Node::whole(schema), Place { above: "", indent: "", tag: None, nested: 0 }, 0);
    (rows.rows, rows.is_cut)
}

struct Rows {
    rows: Vec<Row>,
    is_cut: bool,
    side: Side,
}

/// Where an object is.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The names that lead to it, with a dot behind each.
    above: &'a str,
    indent: &'a str,
    /// The field that told the alternative: what it has to be was said above.
    tag: Option<&'a str>,
    /// In how many alternatives the place itself is.
    nested: usize,
}

impl Rows {
    fn push(&mut self, row: Row) {
        if self.rows.len() < MAX_ROWS {
            self.rows.push(row);
        } else {
            self.is_cut = true;
        }
    }

    /// Adds the fields of an object: those that it always has, then those of its alternatives.
    fn add(&mut self, object: &Node<'_>, place: Place<'_>, depth: usize) {
        let Place { above, indent, tag, nested } = place;
        for field in object.own_fields() {
            if self.is_cut {
                return;
            }
            let name = format!("{above}{}", escaped(field.name));
            if tag != Some(field.name) {
                self.push(self.row(&format!("{indent}{name}"), &field));
            }
            if depth < MAX_DEPTH {
                let (inner, items) = (format!("{name}."), format!("{name}[]."));
                let place = Place { above: &inner, indent, tag: None, nested: 0 };
                self.add(&field.node, place, depth + 1);
                self.add(&field.node.items(), Place { above: &items, ..place }, depth + 1);
            }
        }
        if nested < MAX_NESTED {
            let place = Place { nested: nested + 1, ..place };
            for all in object.alternatives() {
                self.add_alternatives(&all, place, depth);
            }
        }
    }

    fn add_alternatives(&mut self, all: &Alternatives<'_>, place: Place<'_>, depth: usize) {
        // A union with one alternative, such as an optional value, is shown as that alternative.
        if let [(node, _)] = all.branches.as_slice() {
            return self.add(node, place, depth);
        }
        for (number, (node, branch)) in all.branches.iter().enumerate() {
            if self.is_cut {
                return;
            }
            let heading = heading(all.tagging, branch, place.above, number + 1);
            let heading = format!("{}{heading}", place.indent);
            // The heading has the title already.
            let description = Some(node.description()).filter(|text| branch.title() != Some(text));
            let notes = in_a_line(description.unwrap_or_default());
            self.push([heading, String::new(), String::new(), notes]);
            let tag = match all.tagging {
                Tagging::Property(name) => Some(name),
                Tagging::Key | Tagging::None => None,
            };
            let indent = format!("{}{INDENT}", place.indent);
            self.add(node, Place { indent: &indent, tag, ..place }, depth);
        }
    }

    fn row(&self, name: &str, field: &Field<'_>) -> Row {
        let mut notes = in_a_line(field.node.description());
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

/// Returns what stands above the fields of one of several alternatives.
fn heading(tagging: Tagging<'_>, branch: &Branch<'_>, above: &str, number: usize) -> String {
    match (tagging, branch.key, branch.title()) {
        (Tagging::Property(name), ..) => {
            format!("when {above}{}={}", escaped(name), choices_text(&branch.tags))
        }
        (Tagging::Key, Some(key), _) => format!("when {above}{} is given", escaped(key)),
        (_, _, title) => {
            let of = above.strip_suffix('.').map(|name| format!(" of {name}")).unwrap_or_default();
            let title = title.map(|title| format!(": {}", text::truncate_chars(title, MAX_SHOWN)));
            format!("alternative {number}{of}{}", title.unwrap_or_default())
        }
    }
}

fn in_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the type of a field in words: `list of text`, `a | b or null`.
pub(super) fn type_text(node: &Node<'_>, depth: usize) -> String {
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
    let mut texts: Vec<_> = choices.iter().take(MAX_CHOICES).map(|value| bare(value)).collect();
    if choices.len() > MAX_CHOICES {
        texts.push("...".to_owned());
    }
    texts.join(" | ")
}

fn bare(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text::truncate_chars(&text, MAX_SHOWN)
}

fn shown(value: &Value) -> String {
    text::truncate_chars(&value.to_string(), MAX_SHOWN)
}

/// Returns what a value has to be beyond its type.
fn constraints(node: &Node<'_>) -> Vec<String> {
    let number = |key| node.certain(key).filter(|it| it.is_number() && !is_of_bits(it));
    let mut all = Vec::new();
    all.extend(range(number("minimum"), number("maximum"), ""));
    all.extend(number("exclusiveMinimum").map(|it| format!("more than {}", shown(it))));
    all.extend(number("exclusiveMaximum").map(|it| format!("less than {}", shown(it))));
    all.extend(number("multipleOf").map(|it| format!("a multiple of {}", shown(it))));
    all.extend(range(number("minLength"), number("maxLength"), " characters"));
    all.extend(range(number("minItems"), number("maxItems"), " items"));
    if node.certain("uniqueItems") == Some(&Value::Bool(true)) {
        all.push("no two alike".to_owned());
    }
    let word = |key| node.certain(key).and_then(Value::as_str);
    let first = |it| text::truncate_chars(it, MAX_SHOWN);
    all.extend(word("pattern").map(|it| format!("matches `{}`", first(it))));
    all.extend(word("format").filter(|it| !is_of_numbers(it)).map(first));
    let is_set = |key| node.keyword(key) == Some(&Value::Bool(true));
    if is_set("writeOnly") || is_set("x-secret") {
        all.push("secret".to_owned());
    }
    all
}

fn range(least: Option<&Value>, most: Option<&Value>, what: &str) -> Option<String> {
    match (least.map(shown), most.map(shown)) {
        (Some(one), Some(most)) if one == most && one == "1" => {
            Some(format!("exactly 1{}", singular(what)))
        }
        (Some(least), Some(most)) if least == most => Some(format!("exactly {least}{what}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{what}")),
        (Some(one), None) if one == "1" => Some(format!("at least 1{}", singular(what))),
        (Some(least), None) => Some(format!("at least {least}{what}")),
        (None, Some(one)) if one == "1" => Some(format!("at most 1{}", singular(what))),
        (None, Some(most)) => Some(format!("at most {most}{what}")),
        (None, None) => None,
    }
}

fn singular(what: &str) -> &str {
    what.strip_suffix('s').unwrap_or(what)
}

/// Returns whether a format only says how many bits a number has: that is the author's.
fn is_of_numbers(format: &str) -> bool {
    let bits = format.trim_start_matches('u');
    bits.starts_with("int") || matches!(format, "float" | "double")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bound_of_one_alternative_is_not_told_as_one_of_all() {
        let schema = json!({"properties": {
            "either": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]},
            "maybe": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        }});
        let (rows, _) = rows(&schema, Side::Input);
        let told: Vec<_> = rows.iter().map(|row| row.join(" ").contains("at least 0")).collect();
        assert_eq!(told, [false, true]);
    }

    #[test]
    fn types_constraints_and_nested_fields_are_told() {
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
                "sizes; list of integer; ; (at least 1 item, no two alike)",
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
    fn a_schema_made_of_itself_ends() {
        let fields: serde_json::Map<_, _> =
            (0..40).map(|n| (format!("f{n}"), json!({"$ref": "#"}))).collect();
        let (rows, is_cut) = rows(&json!({"properties": fields}), Side::Output);
        assert_eq!((rows.len(), is_cut), (MAX_ROWS, true));
        let nested = json!({"type": "array", "items": {"$ref": "#"}});
        assert_eq!(type_text(&Node::whole(&nested), MAX_DEPTH), "list of list of list of list");
    }
}
