//! The rows of CSV text.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// The initial size of the buffers for a row, in bytes and in cells.
const INITIAL_BYTES: usize = 4 << 10;
const INITIAL_CELLS: usize = 64;
/// The maximum length of a row, in bytes.
const MAX_ROW: usize = 16 << 20;

/// An iterator over the rows of CSV text.
pub(super) struct Rows<R> {
    parser: Reader,
    reader: R,
    delimiter: u8,
    /// The current line, counted from 1.
    line: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line in which the row begins.
    pub(super) line: usize,
    pub(super) content: Content,
}

/// The content of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Cells(Vec<String>),
    /// The text ends within quotes of the row.
    Unterminated,
    /// The row is longer than 16 MiB.
    TooLong,
}

impl<R: BufRead> Rows<R> {
    /// Returns the rows of UTF-8 text whose first line has the number `line`.
    pub(super) fn new(reader: R, delimiter: u8, line: usize) -> Self {
        let (bytes, ends) = (vec![0; INITIAL_BYTES], vec![0; INITIAL_CELLS]);
        Self { parser: parser(delimiter), reader, delimiter, line, bytes, ends }
    }

    fn advance(&mut self, count: usize) -> io::Result<()> {
        self.line += memchr::memchr_iter(b'\n', &self.reader.fill_buf()?[..count]).count();
        self.reader.consume(count);
        Ok(())
    }

    /// Skips empty lines, which are no rows for the parser either.
    fn skip_empty(&mut self) -> io::Result<()> {
        loop {
            let input = self.reader.fill_buf()?;
            let empty = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if empty == 0 {
                return Ok(());
            }
            self.advance(empty)?;
        }
    }

    fn row(&mut self) -> io::Result<Option<Row>> {
        self.skip_empty()?;
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        let content = self.content()?;
        if !matches!(content, Content::Cells(_)) {
            self.parser = parser(self.delimiter);
        }
        Ok(Some(Row { line, content }))
    }

    fn content(&mut self) -> io::Result<Content> {
        let (mut written, mut count) = (0, 0);
        loop {
            let input = self.reader.fill_buf()?;
            // A missing end of the last line is added. Within quotes it does not end the row.
            let is_end = input.is_empty();
            let input = if is_end { b"\n" } else { input };
            let buffers = (&mut self.bytes[written..], &mut self.ends[count..]);
            let (result, read, more_written, more) =
                self.parser.read_record(input, buffers.0, buffers.1);
            if !is_end {
                self.advance(read)?;
            }
            written += more_written;
            count += more;
            match result {
                ReadRecordResult::Record => return Ok(Content::Cells(self.cells(count))),
                ReadRecordResult::InputEmpty if !is_end => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    return Ok(Content::Unterminated);
                }
                ReadRecordResult::OutputFull if self.bytes.len() >= MAX_ROW => {
                    return Ok(Content::TooLong);
                }
                ReadRecordResult::OutputFull => self.bytes.resize(2 * self.bytes.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
            }
        }
    }

    fn cells(&self, count: usize) -> Vec<String> {
        let starts = std::iter::once(0).chain(self.ends[..count].iter().copied());
        let fields = starts.zip(&self.ends[..count]).map(|(start, end)| &self.bytes[start..*end]);
        // The text is split at ASCII characters, so each field is valid UTF-8.
        fields.map(|field| String::from_utf8_lossy(field).into_owned()).collect()
    }
}

fn parser(delimiter: u8) -> Reader {
    ReaderBuilder::new().delimiter(delimiter).build()
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<io::Result<Row>> {
        self.row().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Reads few bytes at a time.
    fn rows(text: &str) -> Vec<(usize, Content)> {
        let reader = BufReader::with_capacity(3, text.as_bytes());
        let rows = Rows::new(reader, b',', 1).map(Result::unwrap);
        rows.map(|row| (row.line, row.content)).collect()
    }

    fn cells(content: &Content) -> &[String] {
        match content {
            Content::Cells(cells) => cells,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn quotes_line_ends_and_long_rows_are_read() {
        let long = "x".repeat(3 * INITIAL_BYTES);
        let text = format!("a,\"b\"\"\nc\"\r\n\n{long},\n{}", ",".repeat(2 * INITIAL_CELLS));
        let rows = rows(&text);
        assert_eq!(cells(&rows[0].1), ["a", "b\"\nc"]);
        assert_eq!(cells(&rows[1].1), [long.as_str(), ""]);
        assert_eq!(cells(&rows[2].1).len(), 2 * INITIAL_CELLS + 1);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn row_has_the_number_of_its_first_line() {
        for end in ["\n", "\r\n"] {
            let text = ["a", "", "\"b", "\"", "c", ""].join(end);
            let lines: Vec<_> = rows(&text).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, [1, 3, 5], "{text:?}");
        }
    }

    #[test]
    fn text_that_ends_within_quotes_is_unterminated() {
        let is_unterminated =
            |text: &str| rows(text).pop().is_some_and(|(_, last)| last == Content::Unterminated);
        for text in ["\"", "a\n\"b", "a,\"b\n", "\"b\"\""] {
            assert!(is_unterminated(text), "{text:?}");
        }
        for text in ["a", "a\n", "\"a\"", "\"a\"\n", "a\"", "a,\n\n", "\"a\"\"\""] {
            assert!(!is_unterminated(text), "{text:?}");
        }
    }

    #[test]
    fn memory_for_an_unclosed_quote_is_limited() {
        let endless = BufReader::new(io::Read::chain(&b"a\n\"b"[..], io::repeat(b'x')));
        let mut rows = Rows::new(endless, b',', 1);
        assert_eq!(rows.next().unwrap().unwrap().line, 1);
        assert_eq!(rows.next().unwrap().unwrap(), Row { line: 2, content: Content::TooLong });
    }
}
