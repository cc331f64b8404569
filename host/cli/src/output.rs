//! What a terminal may see.
//!
//! Results go to stdout, everything else to stderr. Text that comes from a guest or a file
//! is escaped: see `escape`. Every byte is written by `stdio`, which waits where others give up.
//! Colours and indented JSON are for terminals; a pipe gets plain text, one JSON a line.

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
pub(super) use super::escape::{EscapedLine, EscapedText};
use super::stdio;

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

/// Prints JSON: on a terminal with what it must not get escaped, in a pipe as it is.
fn print_json(text: &str) -> Result<(), CliError> {
    let line = match io::stdout().is_terminal() {
        true => format!("{}\n", Json(text)),
        false => format!("{text}\n"),
    };
    written(stdio::stdout().write_all(line.as_bytes()))
}

/// Whoever reads from us and goes away has seen enough: that is no failure.
fn written(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(CliError::Output),
    }
}

/// Prints text to stdout, with its styles where colours are used; the caller escapes what is not
/// its own.
pub(super) fn stdout(text: &str) -> Result<(), CliError> {
    let text = styled(text, AutoStream::choice(&io::stdout()));
    written(stdio::stdout().write_all(text.as_bytes()))
}

/// Prints the content of a file to stdout: as it is in a pipe, escaped on a terminal.
pub(super) fn file(content: &str) -> Result<(), CliError> {
    if io::stdout().is_terminal() {
        return stdout(&EscapedText(content).to_string());
    }
    written(stdio::stdout().write_all(content.as_bytes()))
}

/// Prints text to stderr, with its styles where colours are used; the caller escapes what is not
/// its own. There is nobody to tell if that fails.
pub(super) fn stderr(text: &str) {
    let text = styled(text, AutoStream::choice(&io::stderr()));
    stdio::stderr().write_all(text.as_bytes()).ok();
}

/// Returns a text without its styles, unless colours are used.
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

/// Returns how wide the terminal on stdout is; `None` in a pipe, which has no width.
pub(super) fn width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(columns, _)| usize::from(columns.0)).filter(|width| *width >= MIN_WIDTH)
}

/// Returns a text as one word for a POSIX shell.
pub(super) fn quoted(text: &str) -> String {
    // A NUL character cannot be in an argument of a process, so it only appears in output.
    let quoted = Quoter::new().allow_nul(true).quote(text);
    quoted.map_or_else(|_| text.to_owned(), Cow::into_owned)
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
    fn words_with_shell_syntax_are_quoted() {
        let words = ["a/b.c", "", "it's", "$HOME", "a b", "~"].map(quoted);
        assert_eq!(words, ["a/b.c", "''", "\"it's\"", "'$HOME'", "'a b'", "'~'"]);
    }
}
