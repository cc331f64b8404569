//! An iterator over the documents of a JSON file: the items of an array, or a sequence of objects.

use std::io::{self, BufRead};

/// The maximum length of the text of a document in a file, in bytes.
pub(super) const MAX_TEXT: usize = 16 << 20;

/// An iterator over the documents of UTF-8 text.
///
/// The iterator finds only the start and end of each document. The caller parses them.
pub(super) struct Items<R> {
    reader: R,
    /// The position of the reader, counted from 1.
    line: usize,
    column: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// In an array, before its first item or after an item.
    Array {
        is_first: bool,
    },
    /// After an object outside of an array. `mongoexport` writes such sequences.
    Sequence,
    Finished,
}

/// The text of one document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) text: String,
    /// The position of the first character, counted from 1.
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Item {
    /// Converts a position in the text to a position in the file.
    pub(super) fn position_in_file(&self, line: usize, column: usize) -> (usize, usize) {
        let column = if line <= 1 { self.column + column.max(1) - 1 } else { column };
        (self.line + line.max(1) - 1, column)
    }
}

/// An error that ends the iterator.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not JSON: {problem} at line {line} column {column}")]
    NotJson { problem: &'static str, line: usize, column: usize },
    #[error("the document at line {line} column {column} is longer than 16 MiB")]
    TooLong { line: usize, column: usize },
}

impl<R: BufRead> Items<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: 1, column: 1, state: State::Start }
    }

    fn not_json(&self, problem: &'static str) -> ItemError {
        ItemError::NotJson { problem, line: self.line, column: self.column }
    }

    /// Returns the next byte after white space.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf()?.first().copied() {
                Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) => self.consume(byte),
                other => return Ok(other),
            }
        }
    }

    fn consume(&mut self, byte: u8) {
        self.reader.consume(1);
        match byte {
            b'\n' => (self.line, self.column) = (self.line + 1, 1),
            _ => self.column += 1,
        }
    }

    fn item(&mut self) -> Result<Option<Item>, ItemError> {
        loop {
            let next = self.peek()?;
            match (self.state, next) {
                (State::Start, Some(b'[')) => {
                    self.consume(b'[');
                    self.state = State::Array { is_first: true };
                }
                (State::Start, None) => return Err(self.not_json("EOF while parsing a value")),
                (State::Start, Some(_)) | (State::Sequence, Some(b'{')) => {
                    self.state = State::Sequence;
                    return self.value().map(Some);
                }
                (State::Sequence | State::Finished, None) => return Ok(None),
                (State::Sequence | State::Finished, Some(_)) => {
                    return Err(self.not_json("trailing characters"));
                }
                (State::Array { .. }, None) => {
                    return Err(self.not_json("EOF while parsing a list"));
                }
                (State::Array { .. }, Some(b']')) => {
                    self.consume(b']');
                    self.state = State::Finished;
                }
                (State::Array { is_first: true }, Some(_)) => {
                    self.state = State::Array { is_first: false };
                    return self.value().map(Some);
                }
                (State::Array { is_first: false }, Some(b',')) => {
                    self.consume(b',');
                    if matches!(self.peek()?, Some(b']')) {
                        return Err(self.not_json("trailing comma"));
                    }
                    self.state = State::Array { is_first: true };
                }
                (State::Array { is_first: false }, Some(_)) => {
                    return Err(self.not_json("expected `,` or `]`"));
                }
            }
        }
    }

    /// Reads a value to its end.
    fn value(&mut self) -> Result<Item, ItemError> {
        let (line, column) = (self.line, self.column);
        let (mut text, mut scanner) = (Vec::new(), ValueScanner::default());
        loop {
            let input = self.reader.fill_buf()?;
            if input.is_empty() {
                break;
            }
            let length = input.iter().position(|byte| scanner.ends_before(*byte));
            let part = &input[..length.unwrap_or(input.len())];
            text.extend(part);
            let count = part.len();
            self.line += memchr::memchr_iter(b'\n', part).count();
            self.column = match memchr::memrchr(b'\n', part) {
                Some(last) => count - last,
                None => self.column + count,
            };
            self.reader.consume(count);
            if text.len() > MAX_TEXT {
                return Err(ItemError::TooLong { line, column });
            }
            if length.is_some() {
                break;
            }
        }
        // The text is split at ASCII characters, so the value is valid UTF-8.
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Item { text, line, column })
    }
}

/// Finds the end of a value.
#[derive(Default)]
struct ValueScanner {
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// Whether the last byte of the value has been read.
    is_complete: bool,
}

impl ValueScanner {
    /// Returns whether the value ends before this byte.
    fn ends_before(&mut self, byte: u8) -> bool {
        if self.is_complete {
            return true;
        }
        if self.is_in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.is_in_string = false;
                    self.is_complete = self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.is_in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                self.is_complete = self.depth == 0;
            }
            b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return true,
            _ => {}
        }
        false
    }
}

impl<R: BufRead> Iterator for Items<R> {
    type Item = Result<Item, ItemError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.item().transpose();
        if matches!(item, Some(Err(_))) {
            self.state = State::Finished;
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn items(text: &str) -> Result<Vec<(String, usize, usize)>, String> {
        let items = Items::new(BufReader::with_capacity(3, text.as_bytes()));
        let items = items.map(|item| item.map(|item| (item.text, item.line, item.column)));
        items.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    #[test]
    fn documents_are_found_with_their_positions() {
        let of = |items: &[(&str, usize, usize)]| {
            Ok(items
                .iter()
                .map(|(text, line, column)| ((*text).to_owned(), *line, *column))
                .collect())
        };
        assert_eq!(items("[]"), of(&[]));
        assert_eq!(items(" { } "), of(&[("{ }", 1, 2)]));
        assert_eq!(items("{}\n{}{}"), of(&[("{}", 1, 1), ("{}", 2, 1), ("{}", 2, 3)]));
        let text = "[\n {\"a\": [1, {\"b\": \"]}\\\"\"}]},\n\n  2 ,\"x\",[\n],null]\n";
        let found = [
            ("{\"a\": [1, {\"b\": \"]}\\\"\"}]}", 2, 2),
            ("2", 4, 3),
            ("\"x\"", 4, 6),
            ("[\n]", 4, 10),
            ("null", 5, 3),
        ];
        assert_eq!(items(text), of(&found));
        let item = Item { text: String::new(), line: 2, column: 5 };
        assert_eq!((item.position_in_file(1, 3), item.position_in_file(2, 3)), ((2, 7), (3, 3)));
    }

    #[test]
    fn syntax_between_documents_is_checked() {
        for (text, message) in [
            ("", "not JSON: EOF while parsing a value at line 1 column 1"),
            ("[{}", "not JSON: EOF while parsing a list at line 1 column 4"),
            ("[{},]", "not JSON: trailing comma at line 1 column 5"),
            ("[{} {}]", "not JSON: expected `,` or `]` at line 1 column 5"),
            ("[]\n[]", "not JSON: trailing characters at line 2 column 1"),
            ("{}\n,", "not JSON: trailing characters at line 2 column 1"),
        ] {
            assert_eq!(items(text), Err(message.to_owned()), "{text:?}");
        }
        // The content of a document is checked by the caller that parses it.
        assert_eq!(items("[{\"a\": ]]").unwrap().len(), 1);
    }

    #[test]
    fn memory_for_an_unclosed_document_is_limited() {
        let endless = BufReader::new(io::Read::chain(&b"[\n{\"a\": \""[..], io::repeat(b'x')));
        let message = Items::new(endless).next().unwrap().unwrap_err().to_string();
        assert_eq!(message, "the document at line 2 column 1 is longer than 16 MiB");
    }
}
