//! Splits a text into valid and invalid rows.

use csv_core::{Reader, ReaderBuilder};

use crate::fields::Fields;

/// Written by spreadsheets at the start of a Unicode text.
const BYTE_ORDER_MARK: char = '\u{feff}';
const LINE_ENDS: [char; 2] = ['\r', '\n'];
/// The maximum number of bytes that are read again, in total. Reading them takes one to two
/// seconds. Without a limit, a text of quotes would be read once per line.
const MAX_REREAD_BYTES: usize = 256 << 20;

/// Reads the rows of a text in order.
///
/// The first valid row sets the number of fields. The field of an unclosed quote contains the rest
/// of the text. After a row with invalid quotes, reading therefore continues at the second line of
/// the row.
pub(crate) struct Rows<'a> {
    text: &'a str,
    delimiter: u8,
    parser: Reader,
    /// The number of bytes that have been read.
    position: usize,
    fields: Fields,
    width: Option<usize>,
    /// The number of bytes that may still be read again.
    reread_budget: usize,
    lines: Lines<'a>,
}

/// A valid or an invalid row.
pub(crate) enum Row<'a, 'r> {
    Valid(&'r Fields),
    Invalid(InvalidRow<'a>),
}

/// A row with invalid quotes or another number of fields.
#[derive(Debug, PartialEq)]
pub(crate) struct InvalidRow<'a> {
    /// The number of the first line, from 1.
    pub(crate) line: u64,
    /// The text of the first line.
    pub(crate) text: &'a str,
    /// The reason, for messages.
    pub(crate) problem: String,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(text: &'a str, delimiter: u8) -> Self {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        Self {
            text,
            delimiter,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            position: 0,
            fields: Fields::default(),
            width: None,
            reread_budget: MAX_REREAD_BYTES,
            lines: Lines { text, counted: 0, line: 1 },
        }
    }

    /// Returns the number of bytes that have been read, and of all bytes.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.position as u64, self.text.len() as u64)
    }

    /// Returns the next row, or `None` after the last one.
    pub(crate) fn next(&mut self) -> Option<Row<'a, '_>> {
        let previous_end = self.position;
        let Some(read) = self.fields.read(&mut self.parser, &self.text[previous_end..]) else {
            self.position = self.text.len();
            return None;
        };
        let end = previous_end + read;
        self.position = end;
        // Blank lines can precede the row, and also the line feed of the previous row's `\r\n`.
        let raw = self.text[previous_end..end].trim_start_matches(LINE_ENDS);
        let start = end - raw.len();
        let raw = raw.trim_end_matches(LINE_ENDS);
        let problem = match quote_problem(raw, self.delimiter) {
            Some(problem) if self.resume_after_first_line(start, end) => Some(problem.to_owned()),
            Some(problem) => Some(format!("{problem}, and the lines up to the next row are lost")),
            None => self.width_problem(),
        };
        Some(match problem {
            None => Row::Valid(&self.fields),
            Some(problem) => {
                let text = raw.split(LINE_ENDS).next().unwrap_or(raw);
                Row::Invalid(InvalidRow { line: self.lines.line_at(start), text, problem })
            }
        })
    }

    fn width_problem(&mut self) -> Option<String> {
        let width = *self.width.get_or_insert(self.fields.len());
        let fields =
            |count| if count == 1 { "1 field".to_owned() } else { format!("{count} fields") };
        let found = self.fields.len();
        (found != width).then(|| format!("{}, not {width}", fields(found)))
    }

    /// Continues at the second line of the row from `start` to `end`, if the row has one. Returns
    /// false if the budget for reading again is used up.
    fn resume_after_first_line(&mut self, start: usize, end: usize) -> bool {
        let Some(first_line) = self.text[start..end].find('\n') else { return true };
        let resume = start + first_line + 1;
        let Some(budget) = self.reread_budget.checked_sub(end - resume) else { return false };
        self.reread_budget = budget;
        self.position = resume;
        self.parser.reset();
        true
    }
}

/// Returns the problem with the quotes of a row, because the parser accepts any quotes.
///
/// If a field does not begin with a quote, the quotes in the field are ordinary characters.
fn quote_problem(row: &str, delimiter: u8) -> Option<&'static str> {
    enum State {
        FieldStart,
        Plain,
        Quoted,
        AfterQuote,
    }
    if !row.contains('"') {
        return None;
    }
    let mut state = State::FieldStart;
    for byte in row.bytes() {
        state = match (state, byte) {
            (State::FieldStart | State::AfterQuote, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::AfterQuote,
            (State::Quoted, _) => State::Quoted,
            (_, byte) if byte == delimiter => State::FieldStart,
            (State::AfterQuote, _) => return Some("text after a closing quote"),
            (State::FieldStart | State::Plain, _) => State::Plain,
        }
    }
    matches!(state, State::Quoted).then_some("a quote is not closed")
}

/// Counts lines up to increasing positions.
struct Lines<'a> {
    text: &'a str,
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    /// Returns the number of the line at `position`, which must not decrease between calls.
    fn line_at(&mut self, position: usize) -> u64 {
        let text = &self.text[self.counted..position];
        self.line += text.bytes().filter(|&byte| byte == b'\n').count() as u64;
        self.counted = position;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns valid rows as their fields, invalid rows as line, text and problem.
    fn rows(text: &str) -> Vec<Vec<String>> {
        let mut rows = Rows::new(text, b',');
        let mut all = Vec::new();
        while let Some(row) = rows.next() {
            all.push(match row {
                Row::Valid(fields) => fields.iter().map(str::to_owned).collect(),
                Row::Invalid(row) => vec![format!("{}: {}: {}", row.line, row.text, row.problem)],
            });
        }
        assert_eq!(rows.progress().0, rows.progress().1);
        all
    }

    #[test]
    fn line_ends_byte_order_marks_and_blank_lines_are_skipped() {
        let expected = [["a", "b"], ["1", "2"], ["3", "4"]];
        assert_eq!(rows("\u{feff}a,b\r\n1,2\r\n\r\n3,4\r\n"), expected);
        assert_eq!(rows("a,b\n\n1,2\n3,4"), expected);
        assert_eq!(rows("a,b\r1,2\r3,4"), expected);
        assert_eq!(rows("\n\n").len(), 0);
    }

    #[test]
    fn quoted_fields_can_contain_delimiters_line_ends_and_quotes() {
        let text = "a,b\n\"1,\n2\",\"say \"\"hi\"\"\"\n5\" disk,\"\"\n";
        assert_eq!(rows(text), [["a", "b"], ["1,\n2", "say \"hi\""], ["5\" disk", ""]]);
    }

    #[test]
    fn a_row_with_another_number_of_fields_is_invalid() {
        let found = rows("a,b\r\n1\r\n\r\n\"x\ny\",2,3\r\n4,5");
        assert_eq!(found[1], ["2: 1: 1 field, not 2"]);
        assert_eq!(found[2], ["4: \"x: 3 fields, not 2"]);
        assert_eq!(found[3], ["4", "5"]);
    }

    #[test]
    fn reading_continues_after_an_unclosed_quote() {
        let found = rows("a,b\n1,\"2\n3,4\n5,6\n");
        assert_eq!(found[1], ["2: 1,\"2: a quote is not closed"]);
        assert_eq!(found[2..], [["3", "4"], ["5", "6"]]);
        let found = rows("a,b\n1,\"2\n3,\"4\"\n5,6\n");
        assert_eq!(found[1], ["2: 1,\"2: text after a closing quote"]);
        assert_eq!(found[2..], [["3", "4"], ["5", "6"]]);
        assert_eq!(rows("a,b\n1,\"2")[1], ["2: 1,\"2: a quote is not closed"]);
        assert_eq!(rows("\"a\"b,c")[0], ["1: \"a\"b,c: text after a closing quote"]);
    }

    #[test]
    fn reading_again_is_limited() {
        // Each line closes the quote of the previous line and opens another one.
        let text = format!("a,b\n{}", "x\",\"\n".repeat(1_000));
        let mut rows = Rows::new(&text, b',');
        rows.reread_budget = 10 * text.len();
        let mut problems = Vec::new();
        while let Some(row) = rows.next() {
            let Row::Invalid(row) = row else { continue };
            problems.push(row.problem);
        }
        assert_eq!(problems.len(), 11);
        assert_eq!(problems[0], "a quote is not closed");
        let last = "a quote is not closed, and the lines up to the next row are lost";
        assert_eq!(problems[10], last);
    }

    #[test]
    fn the_delimiter_can_be_set() {
        let mut rows = Rows::new("a;b,c", b';');
        let Some(Row::Valid(fields)) = rows.next() else { panic!("a valid row") };
        assert_eq!(fields.iter().collect::<Vec<_>>(), ["a", "b,c"]);
    }
}
