//! The fields of one row.

use csv_core::{ReadRecordResult, Reader};

/// The fields of one row, without the quotes around them. Each row reuses the memory of the
/// previous one.
pub(crate) struct Fields {
    /// The concatenated fields, followed by unused bytes.
    bytes: Vec<u8>,
    /// The end of each field in `bytes`, followed by unused elements.
    ends: Vec<usize>,
    len: usize,
}

impl Default for Fields {
    /// Allocates the buffers for a row of usual size. The parser can only fill buffers that are
    /// not empty.
    fn default() -> Self {
        Self { bytes: vec![0; 1024], ends: vec![0; 32], len: 0 }
    }
}

impl Fields {
    /// Reads the first row of `text`. Returns the number of bytes of the row and of the blank lines
    /// before it, or `None` if there is no row.
    pub(crate) fn read(&mut self, parser: &mut Reader, text: &str) -> Option<usize> {
        let (mut read, mut written) = (0, 0);
        self.len = 0;
        loop {
            let rest = &text.as_bytes()[read..];
            let (free_bytes, free_ends) = (&mut self.bytes[written..], &mut self.ends[self.len..]);
            let (result, more_read, more_written, more_ends) =
                parser.read_record(rest, free_bytes, free_ends);
            read += more_read;
            written += more_written;
            self.len += more_ends;
            match result {
                ReadRecordResult::Record => return Some(read),
                ReadRecordResult::End => return None,
                // The next call passes an empty text, which marks the end for the parser.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.bytes.resize(2 * self.bytes.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
            }
        }
    }

    /// Returns the number of fields.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the field with the index `index`, or an empty text if there is no such field.
    pub(crate) fn get(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(Some(0), |previous| self.end(previous));
        let bytes = start.zip(self.end(index)).map(|(start, end)| &self.bytes[start..end]);
        // A part of a text between ASCII characters is valid UTF-8.
        bytes.and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Returns all fields in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len).map(|index| self.get(index))
    }

    fn end(&self, index: usize) -> Option<usize> {
        self.ends[..self.len].get(index).copied()
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
    fn buffers_grow_for_large_rows() {
        let (mut fields, mut parser) = (Fields::default(), Reader::new());
        let long = "\u{e9}".repeat(5_000);
        let text = format!("\"{long}\"{}x\n", ",".repeat(300));
        assert_eq!(fields.read(&mut parser, &text), Some(text.len()));
        assert_eq!((fields.len(), fields.get(0), fields.get(300)), (301, long.as_str(), "x"));
    }
}
