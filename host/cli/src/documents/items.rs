//! The documents of a JSON file, one after the other: the items of an array, or objects in a row.

use std::io::{self, BufRead};

/// The longest document in a file, in bytes of its text there.
pub(super) const MAX_TEXT: usize = 16 << 20;

/// The documents of a text in UTF-8.
///
/// Finds only where each begins and ends; whether it is JSON is the caller's to find out.
pub(super) struct Items<R> {
    reader: R,
    /// Where the reader is, from 1.
    line: usize,
    column: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begins,
    /// In an array: before its first item, or behind one.
    Array {
        is_first: bool,
    },
    /// Behind an object that is in no array. `mongoexport` writes one below the other.
    Objects,
    Ended,
}

/// The text of one document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) text: String,
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Item {
    /// Returns the place in the file for a place in the text.
    pub(super) fn place(&self, line: usize, column: usize) -> (usize, usize) {
        let column = if line <= 1 { self.column + column.max(1) - 1 } else { column };
        (self.line + line.max(1) - 1, column)
    }
}

/// Why there are no more documents.
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
        Self { reader, line: 1, column: 1, state: State::Begins }
    }

    fn wrong(&self, problem: &'static str) -> ItemError {
        ItemError::NotJson { problem, line: self.line, column: self.column }
    }

    /// Returns the next byte that is no white space.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf()?.first().copied() {
                Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) => self.pass(byte),
                other => return Ok(other),
            }
        }
    }

    fn pass(&mut self, byte: u8) {
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
                (State::Begins, Some(b'[')) => {
                    self.pass(b'[');
                    self.state = State::Array { is_first: true };
                }
                (State::Begins, None) => return Err(self.wrong("EOF while parsing a value")),
                (State::Begins, Some(_)) | (State::Objects, Some(b'{')) => {
                    self.state = State::Objects;
                    return self.value().map(Some);
                }
                (State::Objects | State::Ended, None) => return Ok(None),
                (State::Objects | State::Ended, Some(_)) => {
                    return Err(self.wrong("trailing characters"));
                }
                (State::Array { .. }, None) => return Err(self.wrong("EOF while parsing a list")),
                (State::Array { .. }, Some(b']')) => {
                    self.pass(b']');
                    self.state = State::Ended;
                }
                (State::Array { is_first: true }, Some(_)) => {
                    self.state = State::Array { is_first: false };
                    return self.value().map(Some);
                }
                (State::Array { is_first: false }, Some(b',')) => {
                    self.pass(b',');
                    if matches!(self.peek()?, Some(b']')) {
                        return Err(self.wrong("trailing comma"));
                    }
                    self.state = State::Array { is_first: true };
                }
                (State::Array { is_first: false }, Some(_)) => {
                    return Err(self.wrong("expected `,` or `]`"));
                }
            }
        }
    }

    /// Reads up to the end of a value.
    fn value(&mut self) -> Result<Item, ItemError> {
        let (line, column) = (self.line, self.column);
        let (mut text, mut end) = (Vec::new(), End::default());
        loop {
            let input = self.reader.fill_buf()?;
            if input.is_empty() {
                break;
            }
            let length = input.iter().position(|byte| end.is_before(*byte));
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
        // Cut out of a text at ASCII characters, it is a text.
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Item { text, line, column })
    }
}

/// Finds the end of a value.
#[derive(Default)]
struct End {
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
    /// The value's last byte was seen.
    is_over: bool,
}

impl End {
    /// Returns whether the value ends before this byte.
    fn is_before(&mut self, byte: u8) -> bool {
        if self.is_over {
            return true;
        }
        if self.is_in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.is_in_text = false;
                    self.is_over = self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.is_in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                self.is_over = self.depth == 0;
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
            self.state = State::Ended;
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
    fn documents_are_found_with_their_places() {
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
        assert_eq!((item.place(1, 3), item.place(2, 3)), ((2, 7), (3, 3)));
    }

    #[test]
    fn what_is_between_documents_is_checked() {
        for (text, told) in [
            ("", "not JSON: EOF while parsing a value at line 1 column 1"),
            ("[{}", "not JSON: EOF while parsing a list at line 1 column 4"),
            ("[{},]", "not JSON: trailing comma at line 1 column 5"),
            ("[{} {}]", "not JSON: expected `,` or `]` at line 1 column 5"),
            ("[]\n[]", "not JSON: trailing characters at line 2 column 1"),
            ("{}\n,", "not JSON: trailing characters at line 2 column 1"),
        ] {
            assert_eq!(items(text), Err(told.to_owned()), "{text:?}");
        }
        // The content of a document is checked by the caller that parses it.
        assert_eq!(items("[{\"a\": ]]").unwrap().len(), 1);
    }

    #[test]
    fn a_document_without_end_does_not_fill_the_memory() {
        let endless = BufReader::new(io::Read::chain(&b"[\n{\"a\": \""[..], io::repeat(b'x')));
        let told = Items::new(endless).next().unwrap().unwrap_err().to_string();
        assert_eq!(told, "the document at line 2 column 1 is longer than 16 MiB");
    }
}
