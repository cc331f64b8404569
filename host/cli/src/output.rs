//! Output of commands.
//!
//! Results go to stdout, everything else to stderr. Text of guests and files is escaped by
//! `escape`. All output is written by `stdio`, which supports non-blocking streams. A terminal
//! gets colours and indented JSON; a pipe gets plain text and one JSON value per line.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;
use shlex::Quoter;

use super::error::CliError;
use super::escape::Json;
pub(super) use super::escape::{EscapedLine, EscapedLogLine, EscapedText};
use super::stdio;

/// Minimum width of a terminal in columns. A smaller reported width is ignored.
const MIN_WIDTH: usize = 20;

pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const HINT: Style = AnsiColor::Cyan.on_default().bold();
pub(super) const OK: Style = AnsiColor::Green.on_default();
pub(super) const HEADING: Style = Style::new().bold().underline();
pub(super) const NAME: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    // The values have no help texts, because clap would print each on a line of its own.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Applies the choice to all later output.
    pub(super) fn apply(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }

    /// Returns the choice for help and usage errors.
    pub(super) fn for_clap(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }
}

/// Prints a value to stdout: indented on a terminal, on one line in a pipe.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = match io::stdout().is_terminal() {
        true => serde_json::to_string_pretty(value),
        false => serde_json::to_string(value),
    };
    print_json(&text.map_err(io::Error::from)?)
}

/// Prints a value to stdout on one line.
pub(super) fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    print_json(&serde_json::to_string(value).map_err(io::Error::from)?)
}

/// Prints JSON: escaped on a terminal, unchanged in a pipe.
fn print_json(text: &str) -> Result<(), CliError> {
    let line = match io::stdout().is_terminal() {
        true => format!("{}\n", Json(text)),
        false => format!("{text}\n"),
    };
    ignore_broken_pipe(stdio::stdout().write_all(line.as_bytes()))
}

/// Ignores a closed pipe, because its reader does not need more output.
fn ignore_broken_pipe(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(CliError::Output),
    }
}

/// Prints text to stdout, with styles if colours are used. The caller escapes foreign text.
pub(super) fn stdout(text: &str) -> Result<(), CliError> {
    let text = styled(text, AutoStream::choice(&io::stdout()));
    ignore_broken_pipe(stdio::stdout().write_all(text.as_bytes()))
}

/// Prints the content of a file to stdout: unchanged in a pipe, escaped on a terminal.
pub(super) fn file(content: &str) -> Result<(), CliError> {
    if io::stdout().is_terminal() {
        return stdout(&EscapedText(content).to_string());
    }
    ignore_broken_pipe(stdio::stdout().write_all(content.as_bytes()))
}

/// Prints text to stderr, with styles if colours are used. The caller escapes foreign text. Errors
/// are ignored, because they cannot be reported.
pub(super) fn stderr(text: &str) {
    let text = styled(text, AutoStream::choice(&io::stderr()));
    stdio::stderr().write_all(text.as_bytes()).ok();
}

/// Removes the styles of a text, unless colours are used.
fn styled(text: &str, choice: ColorChoice) -> Cow<'_, str> {
    match choice {
        ColorChoice::Never => Cow::Owned(strip_str(text).to_string()),
        ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => Cow::Borrowed(text),
    }
}

/// Prints a warning to stderr.
pub(super) fn warn(text: &str) {
    stderr(&format!("{WARNING}warning{WARNING:#}: {}\n", EscapedLine(text)));
}

/// Returns the width of the terminal on stdout; `None` in a pipe.
pub(super) fn width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(columns, _)| usize::from(columns.0)).filter(|width| *width >= MIN_WIDTH)
}

/// Returns a text as one word for a POSIX shell.
pub(super) fn quoted(text: &str) -> String {
    // An argument of a process cannot contain NUL, so such a text is only shown.
    let quoted = Quoter::new().allow_nul(true).quote(text);
    quoted.map_or_else(|_| text.to_owned(), Cow::into_owned)
}

/// Returns the first paragraph of a text in one line.
pub(super) fn first_paragraph(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_paragraph_becomes_one_line() {
        let text = "\n Counts the words\r\n  of a text.\n \nSlowly.";
        assert_eq!(first_paragraph(text), "Counts the words of a text.");
        assert_eq!(first_paragraph(" \n"), "");
    }

    #[test]
    fn text_with_shell_syntax_is_quoted() {
        let quoted = ["a/b.c", "", "it's", "$HOME", "a b", "~"].map(quoted);
        assert_eq!(quoted, ["a/b.c", "''", "\"it's\"", "'$HOME'", "'a b'", "'~'"]);
    }
}
