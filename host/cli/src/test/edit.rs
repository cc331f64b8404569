//! Edits of a JSON text that keep everything else of the text.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

/// Maximum width of a line with an object or a list, in characters.
const WIDTH: usize = 100;

/// A member of an object in a JSON text.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// The position of the name.
    pub(super) start: usize,
    pub(super) value: Range<usize>,
}

/// Returns the members of the object that begins at `start`. The text is valid JSON.
pub(super) fn members(text: &str, start: usize) -> Vec<Member> {
    let mut scanner = Scanner { text: text.as_bytes(), position: start + 1 };
    let mut members = Vec::new();
    while scanner.next_is(b'"') {
        let start = scanner.position;
        let name = &text[scanner.value()];
        scanner.skip_separators();
        let value = scanner.value();
        members.push(Member { name: serde_json::from_str(name).unwrap_or_default(), start, value });
    }
    members
}

/// Returns the items of the list that begins at `start`. The text is valid JSON.
pub(super) fn items(text: &str, start: usize) -> Vec<Range<usize>> {
    let mut scanner = Scanner { text: text.as_bytes(), position: start + 1 };
    let mut items = Vec::new();
    while !scanner.next_is(b']') && scanner.position < text.len() {
        items.push(scanner.value());
    }
    items
}

/// Returns the position of the first value of a text.
pub(super) fn root(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len()
}

/// Reads the structure of valid JSON.
struct Scanner<'t> {
    text: &'t [u8],
    position: usize,
}

impl Scanner<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn skip_separators(&mut self) {
        while self.byte().is_some_and(|byte| b" \t\r\n,:".contains(&byte)) {
            self.position += 1;
        }
    }

    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_separators();
        self.byte() == Some(byte)
    }

    fn value(&mut self) -> Range<usize> {
        let (start, mut depth) = (self.position, 0_usize);
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => self.skip_string(),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.position += 1;
            let is_end = self.byte().is_none_or(|next| b" \t\r\n,}]".contains(&next));
            if depth == 0 && (is_end || byte == b'"' || byte == b'}' || byte == b']') {
                break;
            }
        }
        start..self.position
    }

    /// Moves from the first to the last quote of a text.
    fn skip_string(&mut self) {
        self.position += 1;
        while let Some(byte) = self.byte().filter(|byte| *byte != b'"') {
            self.position += if byte == b'\\' { 2 } else { 1 };
        }
    }
}

/// Replaces a part of a text.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Applies edits of parts that do not overlap.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.range.start);
    let mut edited = text.to_owned();
    for Edit { range, text } in edits.into_iter().rev() {
        edited.replace_range(range, &text);
    }
    edited
}

/// The beginning of the line of a position.
pub(super) struct Line {
    /// The indentation, in spaces.
    pub(super) indent: usize,
    /// The number of characters before the position.
    pub(super) column: usize,
    /// Whether there is only white space before the position.
    pub(super) is_blank: bool,
}

/// Returns the beginning of the line of a position.
pub(super) fn line_of(text: &str, position: usize) -> Line {
    let start = text[..position].rfind('\n').map_or(0, |end| end + 1);
    let before = &text[start..position];
    let indent = before.len() - before.trim_start().len();
    Line { indent, column: before.chars().count(), is_blank: before.trim().is_empty() }
}

/// Returns a value as JSON: on one line if it fits, or else with one member or item on each line.
/// `indent` is the indentation of the line, and `column` the number of characters before the value.
pub(super) fn pretty(value: &Value, indent: usize, column: usize) -> String {
    let line = one_line(value);
    // One character remains for the comma.
    if column + line.chars().count() < WIDTH {
        return line;
    }
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let field = |(name, value): (&String, &Value)| {
                let name = format!("{}: ", Value::from(name.as_str()));
                let column = indent + 2 + name.chars().count();
                format!("{name}{}", pretty(value, indent + 2, column))
            };
            block(('{', '}'), fields.iter().map(field), indent)
        }
        Value::Array(items) if !items.is_empty() => {
            block(('[', ']'), items.iter().map(|item| pretty(item, indent + 2, indent + 2)), indent)
        }
        _ => line,
    }
}

/// Returns the members of an object, or the items of a list, each on a line.
pub(super) fn block(
    (open, close): (char, char),
    lines: impl Iterator<Item = String>,
    indent: usize,
) -> String {
    let mut text = String::from(open);
    for (index, line) in lines.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n{:width$}{line}", "", width = indent + 2);
    }
    let _ = write!(text, "\n{:indent$}{close}", "");
    text
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), one_line(value))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "\n{\"a\": [1, {\"b]\": \"\\\"}\"}, \"c\"] , \"d\" :-1.5e3,\"e\":{}}\n";

    #[test]
    fn members_and_items_have_their_text() {
        let members = members(TEXT, root(TEXT));
        let parts: Vec<_> =
            members.iter().map(|it| (it.name.as_str(), &TEXT[it.value.clone()])).collect();
        assert_eq!(parts, [("a", "[1, {\"b]\": \"\\\"}\"}, \"c\"]"), ("d", "-1.5e3"), ("e", "{}")]);
        let items: Vec<_> = items(TEXT, members[0].value.start);
        let items: Vec<_> = items.into_iter().map(|range| &TEXT[range]).collect();
        assert_eq!(items, ["1", "{\"b]\": \"\\\"}\"}", "\"c\""]);
        assert!(super::items("[ ]", 0).is_empty());
        assert!(super::members("{ }", 0).is_empty());
    }

    #[test]
    fn edits_keep_the_rest_of_the_text() {
        let members = members(TEXT, root(TEXT));
        let edit = |index: usize, text: &str| Edit {
            range: members[index].value.clone(),
            text: text.to_owned(),
        };
        let edited = apply(TEXT, vec![edit(2, "null"), edit(0, "0")]);
        assert_eq!(edited, "\n{\"a\": 0 , \"d\" :-1.5e3,\"e\":null}\n");
    }

    #[test]
    fn long_values_have_several_lines() {
        let value = json!({"a": "x".repeat(90), "b": [1, {"c": null}], "d": {}});
        let line = format!("{{\n  \"a\": \"{}\",\n", "x".repeat(90));
        assert_eq!(
            pretty(&value, 0, 0),
            format!("{line}  \"b\": [1, {{\"c\": null}}],\n  \"d\": {{}}\n}}")
        );
        assert_eq!(pretty(&json!([]), 0, 200), "[]");
    }
}
