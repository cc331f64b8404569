//! From a text to rows, good and bad ones.

use csv_core::{Reader, ReaderBuilder};

use crate::fields::Fields;

/// What spreadsheets put in front of a text to say that it is Unicode.
const BYTE_ORDER_MARK: char = '\u{feff}';
const LINE_ENDS: [char; 2] = ['\r', '\n'];
/// How many bytes may be read again, all in all: a second or two. Without a bound, a text made
/// of quotes would be read as often as it has lines.
const MAX_REREADS: usize = 256 << 20;

/// Goes through the rows of a text, one after the other.
///
/// The first good row decides how many fields a row has. A quote that is not closed takes
/// everything after it into its field; so after a row of broken quotes, reading goes on at the
/// line that follows its first.
pub(crate) struct Rows<'a> {
    text: &'a str,
    delimiter: u8,
    parser: Reader,
    /// How far the text is read.
    position: usize,
    fields: Fields,
    width: Option<usize>,
    /// How many bytes may still be read again.
    rereads: usize,
    lines: Lines<'a>,
}

/// What the next row is.
pub(crate) enum Row<'a, 'r> {
    Good(&'r Fields),
    Bad(BadRow<'a>),
}

/// A row that cannot be used.
#[derive(Debug, PartialEq)]
pub(crate) struct BadRow<'a> {
    /// The line that it begins in, from 1.
    pub(crate) line: u64,
    /// Its first line.
    pub(crate) text: &'a str,
    /// What is wrong with it.
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
            rereads: MAX_REREADS,
            lines: Lines { text, counted: 0, line: 1 },
        }
    }

    /// How many bytes are done, and how many there are.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.position as u64, self.text.len() as u64)
    }

    /// Returns the next row; nothing after the last.
    pub(crate) fn next(&mut self) -> Option<Row<'a, '_>> {
        let before = self.position;
        let Some(read) = self.fields.read(&mut self.parser, &self.text[before..]) else {
            self.position = self.text.len();
            return None;
        };
        let end = before + read;
        self.position = end;
        // The ends of blank lines, and the second half of the last row's own, come first.
        let raw = self.text[before..end].trim_start_matches(LINE_ENDS);
        let start = end - raw.len();
        let raw = raw.trim_end_matches(LINE_ENDS);
        let problem = match broken_quotes(raw, self.delimiter) {
            Some(problem) if self.resume_after_first_line(start, end) => Some(problem.to_owned()),
            Some(problem) => Some(format!("{problem}, and the lines up to the next row are lost")),
            None => self.wrong_width(),
        };
        Some(match problem {
            None => Row::Good(&self.fields),
            Some(problem) => {
                let text = raw.split(LINE_ENDS).next().unwrap_or(raw);
                Row::Bad(BadRow { line: self.lines.at(start), text, problem })
            }
        })
    }

    fn wrong_width(&mut self) -> Option<String> {
        let width = *self.width.get_or_insert(self.fields.len());
        let fields =
            |count| if count == 1 { "1 field".to_owned() } else { format!("{count} fields") };
        let found = self.fields.len();
        (found != width).then(|| format!("{}, not {width}", fields(found)))
    }

    /// Reads on at the second line of the row from `start` to `end`, where it has one. Returns
    /// false where too much was read again already.
    fn resume_after_first_line(&mut self, start: usize, end: usize) -> bool {
        let Some(first_line) = self.text[start..end].find('\n') else { return true };
        let resume = start + first_line + 1;
        let Some(rereads) = self.rereads.checked_sub(end - resume) else { return false };
        self.rereads = rereads;
        self.position = resume;
        self.parser.reset();
        true
    }
}

/// Says what is wrong with the quotes of a row; the parser makes something of any.
///
/// A quote inside a field that does not begin with one is a character like any other.
fn broken_quotes(row: &str, delimiter: u8) -> Option<&'static str> {
    enum Place {
        FieldStart,
        Plain,
        Quoted,
        AfterQuote,
    }
    if !row.contains('"') {
        return None;
    }
    let mut place = Place::FieldStart;
    for byte in row.bytes() {
        place = match (place, byte) {
            (Place::FieldStart | Place::AfterQuote, b'"') => Place::Quoted,
            (Place::Quoted, b'"') => Place::AfterQuote,
            (Place::Quoted, _) => Place::Quoted,
            (_, byte) if byte == delimiter => Place::FieldStart,
            (Place::AfterQuote, _) => return Some("text after a closing quote"),
            (Place::FieldStart | Place::Plain, _) => Place::Plain,
        }
    }
    matches!(place, Place::Quoted).then_some("a quote is not closed")
}

/// Counts lines up to places that come one after the other.
struct Lines<'a> {
    text: &'a str,
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    fn at(&mut self, place: usize) -> u64 {
        let passed = self.text[self.counted..place].bytes().filter(|&byte| byte == b'\n').count();
        self.line += passed as u64;
        self.counted = place;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns good rows as their fields, bad ones as line, text and problem.
    fn rows(text: &str) -> Vec<Vec<String>> {
        let mut rows = Rows::new(text, b',');
        let mut all = Vec::new();
        while let Some(row) = rows.next() {
            all.push(match row {
                Row::Good(fields) => fields.iter().map(str::to_owned).collect(),
                Row::Bad(bad) => vec![format!("{}: {}: {}", bad.line, bad.text, bad.problem)],
            });
        }
        assert_eq!(rows.progress().0, rows.progress().1);
        all
    }

    #[test]
    fn line_ends_marks_and_blank_lines_are_no_content() {
        let expected = [["a", "b"], ["1", "2"], ["3", "4"]];
        assert_eq!(rows("\u{feff}a,b\r\n1,2\r\n\r\n3,4\r\n"), expected);
        assert_eq!(rows("a,b\n\n1,2\n3,4"), expected);
        assert_eq!(rows("a,b\r1,2\r3,4"), expected);
        assert_eq!(rows("\n\n").len(), 0);
    }

    #[test]
    fn quotes_hold_delimiters_line_ends_and_quotes() {
        let text = "a,b\n\"1,\n2\",\"say \"\"hi\"\"\"\n5\" disk,\"\"\n";
        assert_eq!(rows(text), [["a", "b"], ["1,\n2", "say \"hi\""], ["5\" disk", ""]]);
    }

    #[test]
    fn a_row_with_another_number_of_fields_is_bad() {
        let found = rows("a,b\r\n1\r\n\r\n\"x\ny\",2,3\r\n4,5");
        assert_eq!(found[1], ["2: 1: 1 field, not 2"]);
        assert_eq!(found[2], ["4: \"x: 3 fields, not 2"]);
        assert_eq!(found[3], ["4", "5"]);
    }

    #[test]
    fn reading_goes_on_after_a_quote_that_is_not_closed() {
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
    fn a_text_made_of_quotes_is_not_read_again_and_again() {
        // The quote that each line opens is closed and opened again by the next.
        let text = format!("a,b\n{}", "x\",\"\n".repeat(1_000));
        let mut rows = Rows::new(&text, b',');
        rows.rereads = 10 * text.len();
        let mut problems = Vec::new();
        while let Some(row) = rows.next() {
            let Row::Bad(bad) = row else { continue };
            problems.push(bad.problem);
        }
        assert_eq!(problems.len(), 11);
        assert_eq!(problems[0], "a quote is not closed");
        let last = "a quote is not closed, and the lines up to the next row are lost";
        assert_eq!(problems[10], last);
    }

    #[test]
    fn the_delimiter_may_be_another() {
        let mut rows = Rows::new("a;b,c", b';');
        let Some(Row::Good(fields)) = rows.next() else { panic!("a good row") };
        assert_eq!(fields.iter().collect::<Vec<_>>(), ["a", "b,c"]);
    }
}
