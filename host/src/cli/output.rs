//! What a terminal may see.
//!
//! Results go to stdout, everything else to stderr. Text that comes from a guest or a file
//! is escaped: it could move the cursor, change colours, or turn the direction of writing.
//! Colours and indented JSON are for terminals; a pipe gets plain text, one JSON a line.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

use super::error::CliError;

/// A terminal that says it is narrower than this does not know.
const MIN_WIDTH: usize = 20;

pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const HINT: Style = AnsiColor::Cyan.on_default().bold();
pub(super) const OK: Style = AnsiColor::Green.on_default();
pub(super) const HEADING: Style = Style::new().bold().underline();
pub(super) const NAME: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    // Without words of their own: help would show each on a line.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Makes this the choice for all that is printed from here on.
    pub(super) fn choose(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }

    /// Returns the same for help and usage errors.
    pub(super) fn of_help(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }
}

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
    written(writeln!(stdout.lock(), "{text}"))
}

/// Prints a value to stdout on one line.
pub(super) fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    let stdout = io::stdout();
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    let text = if stdout.is_terminal() { escape_in_json(&text) } else { text };
    written(writeln!(stdout.lock(), "{text}"))
}

/// Whoever reads from us and goes away has seen enough: that is no failure.
fn written(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(CliError::Output),
    }
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
    written(anstream::stdout().lock().write_all(text.as_bytes()))
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

/// Returns how wide the terminal on stdout is; `None` in a pipe, which has no width.
pub(super) fn width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(columns, _)| usize::from(columns.0)).filter(|width| *width >= MIN_WIDTH)
}

/// Returns a text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Returns what a text says first, up to an empty line, as one line: lines of sources end where
/// there is no more room.
pub(super) fn first_paragraph(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_a_line() {
        let text = "\n Counts the words\r\n  of a text.\n \nSlowly.";
        assert_eq!(first_paragraph(text), "Counts the words of a text.");
        assert_eq!(first_paragraph(" \n"), "");
    }

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
    fn a_word_is_quoted_where_a_shell_would_read_more() {
        let words = ["a=b", "", "it's", "$HOME", "a b", "~"].map(quoted);
        assert_eq!(words, ["a=b", "''", r"'it'\''s'", "'$HOME'", "'a b'", "'~'"]);
    }
}
