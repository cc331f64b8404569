//! Tables that fit the width of the terminal.

use std::fmt::Write as _;

use ophost_document::text;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output::{EscapedLine, NAME};

/// Maximum width of a cell that is not the last, in columns of the terminal.
const MAX_CELL: usize = 48;
/// Maximum length of a last cell without a terminal, in characters.
const MAX_LAST: usize = 1_000;
/// Minimum width of the last column. A wrapped cell that has less is printed below the others.
const MIN_LAST: usize = 28;
/// Width of the gap between two columns.
const GAP: usize = 2;

/// Treatment of a last cell that is too wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The cell is truncated.
    Truncate,
    /// The cell is wrapped.
    Wrap,
}

/// Returns rows as a table, with escaped cells. Each column is as wide as its widest cell. The first
/// column is bold, and the last column ends at the width of the terminal.
pub(super) fn table<const N: usize>(
    rows: &[[String; N]],
    indent: usize,
    last: Overflow,
    width: Option<usize>,
) -> String {
    let cell = |(column, cell): (usize, &String)| {
        let line = EscapedLine(&text::truncate_chars(cell, MAX_LAST)).to_string();
        if column + 1 < N { truncate(&line, MAX_CELL) } else { line }
    };
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().enumerate().map(cell).collect()).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    // An empty column has no gap.
    let widths: Vec<_> = (0..N.saturating_sub(1)).map(widest).collect();
    let layout = Layout { indent, widths, last, width };
    rows.iter().map(|row| layout.row(row)).collect()
}

/// Widths of the columns before the last, and the treatment of the last.
struct Layout {
    indent: usize,
    widths: Vec<usize>,
    last: Overflow,
    width: Option<usize>,
}

impl Layout {
    fn row(&self, row: &[String]) -> String {
        let mut text = " ".repeat(self.indent);
        for (column, (cell, width)) in row.iter().zip(&self.widths).enumerate() {
            let style = if column == 0 { NAME } else { anstyle::Style::new() };
            let used = cell.width();
            if *width > 0 {
                let _ = write!(text, "{style}{cell}{style:#}{}", " ".repeat(width + GAP - used));
            }
        }
        let last = row.last().map_or("", String::as_str);
        if last.is_empty() {
            text.truncate(text.trim_end().len());
        } else {
            self.add_last(&mut text, last);
        }
        text.push('\n');
        text
    }

    fn add_last(&self, text: &mut String, cell: &str) {
        let columns = self.widths.iter().filter(|width| **width > 0);
        let start = self.indent + columns.map(|width| width + GAP).sum::<usize>();
        let Some(width) = self.width else { return text.push_str(cell) };
        let available = width.saturating_sub(start);
        match self.last {
            Overflow::Truncate => text.push_str(&truncate(cell, available.max(MIN_LAST))),
            Overflow::Wrap if available >= MIN_LAST => {
                text.push_str(&wrap_indented(cell, available, start));
            }
            Overflow::Wrap => {
                let start = self.indent + 2 * GAP;
                text.truncate(text.trim_end().len());
                text.push('\n');
                text.push_str(&" ".repeat(start));
                let available = width.saturating_sub(start).max(MIN_LAST);
                text.push_str(&wrap_indented(cell, available, start));
            }
        }
    }
}

/// Wraps a cell to `width` columns, and indents all lines but the first by `start` columns.
fn wrap_indented(cell: &str, width: usize, start: usize) -> String {
    wrapped(cell, width).join(&format!("\n{}", " ".repeat(start)))
}

/// Wraps a text between words into lines of at most `width` columns. A longer word gets its own
/// line.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let wide = word.width();
        if used > 0 && used + 1 + wide > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += wide;
        }
    }
    lines
}

/// Truncates a text to `width` columns, and marks the truncation with `...`.
fn truncate(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut available = width.saturating_sub(3);
    let fitting = text.chars().take_while(|c| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= available;
        available = available.saturating_sub(wide);
        fits
    });
    format!("{}...", fitting.collect::<String>().trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(rows: &[[&str; 3]], last: Overflow, width: Option<usize>) -> String {
        let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
        let text = table(&rows, 1, last, width);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn columns_are_aligned_and_an_empty_column_has_no_width() {
        assert_eq!(
            plain(&[["a", "", "x y"], ["long", "", ""], ["日本", "", "z"]], Overflow::Wrap, None),
            " a     x y\n long\n 日本  z\n"
        );
    }

    #[test]
    fn last_column_is_truncated_or_wrapped_at_the_terminal_width() {
        let rows = [["name", "type", "one two three four five six seven eight nine ten"]];
        let truncated = " name  type  one two three four five si...\n";
        assert_eq!(plain(&rows, Overflow::Truncate, Some(42)), truncated);
        assert_eq!(
            plain(&rows, Overflow::Wrap, Some(42)),
            " name  type  one two three four five six\n             seven eight nine ten\n"
        );
        assert_eq!(
            plain(&rows, Overflow::Wrap, Some(36)),
            " name  type\n     one two three four five six\n     seven eight nine ten\n"
        );
    }

    #[test]
    fn length_of_each_cell_is_limited() {
        let long = "x".repeat(100_000);
        let text = plain(&[[&long, &long, &long]], Overflow::Wrap, None);
        assert!(text.len() < 2 * MAX_CELL + MAX_LAST + 20, "{}", text.len());
    }
}
