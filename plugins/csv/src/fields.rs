//! The fields of one row.

use csv_core::{ReadRecordResult, Reader};

/// The fields of one row, without the quotes around them. Reading the next row into it uses
/// the same memory.
pub(crate) struct Fields {
    /// The fields, one behind the other, and room for more.
    bytes: Vec<u8>,
    /// Where each field ends, and room for more.
    ends: Vec<usize>,
    len: usize,
}

impl Default for Fields {
    /// Has room for a row of usual size: the parser asks for more only where there is some.
    fn default() -> Self {
        Self { bytes: vec![0; 1024], ends: vec![0; 32], len: 0 }
    }
}

impl Fields {
    /// Reads the first row of `text`, and returns how many bytes it takes, with the blank lines
    /// before it; nothing where there is no row.
    pub(crate) fn read(&mut self, parser: &mut Reader, text: &str) -> Option<usize> {
        let (mut read, mut written) = (0, 0);
        self.len = 0;
        loop {
            let rest = &text.as_bytes()[read..];
            let room = (&mut self.bytes[written..], &mut self.ends[self.len..]);
            let (result, more_read, more_written, more_ends) =
                parser.read_record(rest, room.0, room.1);
            read += more_read;
            written += more_written;
            self.len += more_ends;
            match result {
                ReadRecordResult::Record => return Some(read),
                ReadRecordResult::End => return None,
                // The next call, with no text left, tells the parser that there is no more.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.bytes.resize(2 * self.bytes.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the field in a place, from 0; an empty one behind the last.
    pub(crate) fn get(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(Some(0), |before| self.end(before));
        let bytes = start.zip(self.end(place)).map(|(start, end)| &self.bytes[start..end]);
        // Cut out of a text at ASCII characters, it is a text.
        bytes.and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Returns all of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len).map(|place| self.get(place))
    }

    fn end(&self, place: usize) -> Option<usize> {
        self.ends[..self.len].get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_row_by_row() {
        let (mut fields, mut parser) = (Fields::default(), Reader::new());
        let text = "a,\"b \"\"c\"\"\",\n\nd";
        assert_eq!(fields.read(&mut parser, text), Some(13));
        assert_eq!(fields.iter().collect::<Vec<_>>(), ["a", "b \"c\"", ""]);
        assert_eq!(fields.read(&mut parser, &text[13..]), Some(2));
        assert_eq!((fields.len(), fields.get(0), fields.get(1)), (1, "d", ""));
        assert_eq!(fields.read(&mut parser, ""), None);
    }

    #[test]
    fn rows_larger_than_usual_get_the_room_they_need() {
        let (mut fields, mut parser) = (Fields::default(), Reader::new());
        let long = "\u{e9}".repeat(5_000);
        let text = format!("\"{long}\"{}x\n", ",".repeat(300));
        assert_eq!(fields.read(&mut parser, &text), Some(text.len()));
        assert_eq!((fields.len(), fields.get(0), fields.get(300)), (301, long.as_str(), "x"));
    }
}
