//! What a terminal may see.
//!
//! Results go to stdout, everything else to stderr. Text that comes from a guest or a file
//! is escaped: it could move the cursor, change colours, or turn the direction of writing.
//! Colours and indented JSON are for terminals; a pipe gets plain text, one JSON a line.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::error::CliError;

/// The longest cell of a table, in characters.
const MAX_CELL: usize = 200;

pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const HINT: Style = AnsiColor::Cyan.on_default().bold();
pub(super) const NAME: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// Text on one line: every control and direction character is escaped.
pub(super) struct Line<'a>(pub(super) &'a str);

/// Text of several lines: line ends and tabs stay.
pub(super) struct Block<'a>(pub(super) &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| escape(f, c))
    }
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' | '\t' => f.write_char(c),
            _ => escape(f, c),
        })
    }
}

fn escape(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    if is_unsafe(c) { write!(f, "\\u{{{:x}}}", u32::from(c)) } else { f.write_char(c) }
}

/// Returns whether a terminal could act on a character: C0, C1, and Unicode's marks that
/// change the direction of writing or break lines.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Prints a value to stdout: indented on a terminal, on one line in a pipe.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let stdout = io::stdout();
    let text = if stdout.is_terminal() {
        escape_in_json(&serde_json::to_string_pretty(value).map_err(io::Error::from)?)
    } else {
        serde_json::to_string(value).map_err(io::Error::from)?
    };
    writeln!(stdout.lock(), "{text}").map_err(CliError::Output)
}

/// Escapes what JSON itself leaves as it is. Such characters can only stand in strings, so
/// that the result is the same JSON.
fn escape_in_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && c != '\n' {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Prints text to stdout; the caller escapes what is not its own.
pub(super) fn stdout(text: &str) -> Result<(), CliError> {
    anstream::stdout().lock().write_all(text.as_bytes()).map_err(CliError::Output)
}

/// Prints text to stderr; the caller escapes what is not its own. There is nobody to tell
/// if that fails.
pub(super) fn stderr(text: &str) {
    anstream::stderr().lock().write_all(text.as_bytes()).ok();
}

/// Prints a warning to stderr.
pub(super) fn warn(text: &str) {
    stderr(&format!("{WARNING}warning{WARNING:#}: {}\n", Line(text)));
}

/// Returns rows as a table: columns as wide as their widest cell, the last one free. The
/// cells are escaped here, and cut where they are too long for a table.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let safe: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| shown(cell))).collect();
    let width =
        |column: usize| safe.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &safe {
        let line: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn shown(cell: &str) -> String {
    match cell.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}...", Line(&cell[..end])),
        None => Line(cell).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_text_cannot_reach_the_terminal_raw() {
        let hostile = "a\x1b[31m\u{9b}1m\u{202e}b\r\n\tc\u{7f}";
        assert_eq!(
            Line(hostile).to_string(),
            "a\\u{1b}[31m\\u{9b}1m\\u{202e}b\\u{d}\\u{a}\\u{9}c\\u{7f}"
        );
        assert_eq!(Block(hostile).to_string(), "a\\u{1b}[31m\\u{9b}1m\\u{202e}b\\u{d}\n\tc\\u{7f}");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let value = serde_json::json!({"a": "\u{202e}\u{9b}\u{7f}\n"});
        let text = escape_in_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.contains(['\u{202e}', '\u{9b}', '\u{7f}']));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_table_lines_up() {
        let rows = [["a".to_owned(), "x y".to_owned()], ["long".to_owned(), "z".to_owned()]];
        assert_eq!(table(&rows), "a     x y\nlong  z\n");
        let long = [["x".repeat(100_000)]];
        assert_eq!(table(&long), format!("{}...\n", "x".repeat(MAX_CELL)));
    }
}
