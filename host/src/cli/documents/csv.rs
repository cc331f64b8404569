//! The rows of a CSV text.

use csv_core::{ReadRecordResult, Reader};

/// How much room a row has at first: it grows.
const BYTES: usize = 4 << 10;
const FIELDS: usize = 64;

/// The rows of a text, one after the other.
pub(super) struct Rows<'a> {
    parser: Reader,
    rest: &'a [u8],
    /// Which line it is in, from 1.
    line: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// In which line it begins.
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
    /// Whether the text ends within quotes of it: then there are no cells.
    pub(super) is_cut: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let (bytes, ends) = (vec![0; BYTES], vec![0; FIELDS]);
        Self { parser: Reader::new(), rest: text.as_bytes(), line: 1, bytes, ends }
    }

    fn go_on(&mut self, bytes: usize) {
        let (seen, rest) = self.rest.split_at(bytes);
        self.line += seen.iter().filter(|byte| **byte == b'\n').count();
        self.rest = rest;
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        // The parser takes empty lines for none, too.
        let empty = self.rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.go_on(empty);
        let (line, mut is_over) = (self.line, false);
        let (mut written, mut count) = (0, 0);
        loop {
            let room = (&mut self.bytes[written..], &mut self.ends[count..]);
            let (result, read, more_written, more) =
                self.parser.read_record(self.rest, room.0, room.1);
            self.go_on(read);
            written += more_written;
            count += more;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
                // The last line may have no end. Within quotes one more is none.
                ReadRecordResult::InputEmpty if !is_over => (self.rest, is_over) = (b"\n", true),
                ReadRecordResult::InputEmpty => {
                    self.parser = Reader::new();
                    return Some(Row { line, cells: Vec::new(), is_cut: true });
                }
                ReadRecordResult::OutputFull => self.bytes.resize(2 * self.bytes.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
            }
        }
        let starts = std::iter::once(0).chain(self.ends[..count].iter().copied());
        let fields = starts.zip(&self.ends[..count]).map(|(start, end)| &self.bytes[start..*end]);
        // Cut out of a text at ASCII characters, each is a text.
        let cells = fields.map(|field| String::from_utf8_lossy(field).into_owned()).collect();
        Some(Row { line, cells, is_cut: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
        Rows::new(text).map(|row| (row.line, row.cells)).collect()
    }

    #[test]
    fn quotes_line_ends_and_long_rows_are_read() {
        let long = "x".repeat(3 * BYTES);
        let text = format!("a,\"b\"\"\nc\"\r\n\n{long},\n{}", ",".repeat(2 * FIELDS));
        let rows = rows(&text);
        assert_eq!(rows[0].1, ["a", "b\"\nc"]);
        assert_eq!(rows[1].1, [long.as_str(), ""]);
        assert_eq!(rows[2].1.len(), 2 * FIELDS + 1);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn a_row_is_named_by_the_line_that_it_begins_in() {
        for end in ["\n", "\r\n"] {
            let text = ["a", "", "\"b", "\"", "c", ""].join(end);
            let lines: Vec<_> = rows(&text).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, [1, 3, 5], "{text:?}");
        }
    }

    #[test]
    fn a_text_that_ends_within_quotes_is_cut() {
        let is_cut = |text: &str| Rows::new(text).last().is_some_and(|row| row.is_cut);
        for text in ["\"", "a\n\"b", "a,\"b\n", "\"b\"\""] {
            assert!(is_cut(text), "{text:?}");
        }
        for text in ["a", "a\n", "\"a\"", "\"a\"\n", "a\"", "a,\n\n", "\"a\"\"\""] {
            assert!(!is_cut(text), "{text:?}");
        }
    }
}
