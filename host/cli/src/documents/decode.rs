//! Decodes text of any encoding to UTF-8.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use ophost::text_encoding;

/// The size of the two buffers, in bytes.
const BUFFER: usize = 64 << 10;
/// The maximum length of a byte order mark, in bytes.
const MAX_MARK: usize = 4;

/// A reader that decodes text to UTF-8.
///
/// A byte order mark is not part of the text, and overrides the encoding.
pub(super) struct DecodingReader<R> {
    inner: R,
    decoder: Decoder,
    /// Whether the caller chose the encoding.
    is_chosen: bool,
    input: Box<[u8]>,
    /// The part of the input that is not decoded yet.
    undecoded: std::ops::Range<usize>,
    output: Box<[u8]>,
    /// The part of the output that is not consumed yet.
    unread: std::ops::Range<usize>,
    /// The line and column after the consumed text, counted from 1.
    position: (u64, u64),
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has been read.
    Start,
    Reading,
    /// The input has ended, but decoded text may follow.
    InputEnded,
    /// The input and the text have ended.
    Finished,
    /// The next bytes are not text.
    Malformed,
}

/// An error in the encoding of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TextError {
    #[error("line {line}, column {column}: these bytes are not {encoding} text")]
    Malformed { line: u64, column: u64, encoding: &'static str },
    #[error("the file has NUL bytes, as in UTF-16 text")]
    Nul,
    #[error("line {line}, column {column}: unexpected NUL character")]
    NulAt { line: u64, column: u64 },
    #[error("UTF-32 text is not supported")]
    Utf32,
}

impl From<TextError> for io::Error {
    fn from(error: TextError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl<R: Read> DecodingReader<R> {
    /// Returns a reader of text in an encoding, or UTF-8 for `None`.
    pub(super) fn new(inner: R, encoding: Option<&'static Encoding>) -> Self {
        Self {
            inner,
            decoder: encoding.unwrap_or(UTF_8).new_decoder(),
            is_chosen: encoding.is_some(),
            input: vec![0; BUFFER].into(),
            undecoded: 0..0,
            output: vec![0; BUFFER].into(),
            unread: 0..0,
            position: (1, 1),
            state: State::Start,
        }
    }

    fn read_input(&mut self) -> io::Result<()> {
        self.undecoded = 0..self.read_more(0)?;
        if self.undecoded.is_empty() {
            self.state = State::InputEnded;
        }
        Ok(())
    }

    /// Reads the bytes that may be a byte order mark. The decoder takes the mark of UTF-32 for that
    /// of UTF-16, so it is recognised here.
    fn begin(&mut self) -> io::Result<()> {
        let mut length = 0;
        while length < MAX_MARK {
            match self.read_more(length)? {
                0 => break,
                count => length += count,
            }
        }
        self.undecoded = 0..length;
        if text_encoding::marked_encoding(&self.input[..length]) == Some("UTF-32") {
            return Err(TextError::Utf32.into());
        }
        if length == 0 {
            self.state = State::InputEnded;
        }
        Ok(())
    }

    /// Reads into the input buffer after its first `length` bytes.
    fn read_more(&mut self, length: usize) -> io::Result<usize> {
        loop {
            match self.inner.read(&mut self.input[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn decode(&mut self) -> Result<(), TextError> {
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.input[self.undecoded.clone()],
            &mut self.output,
            self.state == State::InputEnded,
        );
        if let Some(at) = memchr::memchr(0, &self.output[..written]) {
            return Err(self.nul_error(&self.output[..written], at));
        }
        self.undecoded.start += read;
        self.unread = 0..written;
        self.state = match (result, self.state) {
            (DecoderResult::Malformed(..), _) => State::Malformed,
            (DecoderResult::InputEmpty, State::InputEnded) => State::Finished,
            (_, State::Start) => State::Reading,
            (_, state) => state,
        };
        Ok(())
    }

    /// Returns the error for a NUL character at an offset of decoded text.
    fn nul_error(&self, text: &[u8], at: usize) -> TextError {
        let is_first = self.state == State::Start && !self.is_chosen;
        if is_first && self.decoder.encoding() == UTF_8 {
            let begins = std::str::from_utf8(&text[..text.len().min(4)]).unwrap_or_default();
            return match text_encoding::encoding_of_json(begins) {
                Some("UTF-32") => TextError::Utf32,
                _ => TextError::Nul,
            };
        }
        let (line, column) = position_after(self.position, &text[..at]);
        TextError::NulAt { line, column }
    }

    fn malformed_error(&self) -> TextError {
        let (line, column) = self.position;
        TextError::Malformed { line, column, encoding: self.decoder.encoding().name() }
    }
}

/// Returns the position after a text that begins at a position.
fn position_after((line, column): (u64, u64), text: &[u8]) -> (u64, u64) {
    let count = |bytes: &[u8]| bytes.iter().filter(|byte| (**byte as i8) >= -0x40).count() as u64;
    match memchr::memrchr(b'\n', text) {
        Some(last) => {
            let lines = memchr::memchr_iter(b'\n', text).count() as u64;
            (line + lines, 1 + count(&text[last + 1..]))
        }
        None => (line, column + count(text)),
    }
}

impl<R: Read> BufRead for DecodingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.unread.is_empty() {
            match self.state {
                State::Finished => break,
                State::Malformed => return Err(self.malformed_error().into()),
                State::Start if self.undecoded.is_empty() => self.begin()?,
                State::Reading if self.undecoded.is_empty() => self.read_input()?,
                State::Start | State::Reading | State::InputEnded => self.decode()?,
            }
        }
        Ok(&self.output[self.unread.clone()])
    }

    fn consume(&mut self, count: usize) {
        let start = self.unread.start;
        self.position = position_after(self.position, &self.output[start..start + count]);
        self.unread.start += count;
    }
}

impl<R: Read> Read for DecodingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns at most 3 bytes at a time.
    struct SlowReader<'a>(&'a [u8]);

    impl Read for SlowReader<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(3);
            self.0.read(&mut buffer[..count])
        }
    }

    fn read(bytes: &[u8], encoding: Option<&str>) -> Result<String, String> {
        let encoding = encoding.map(|name| Encoding::for_label(name.as_bytes()).unwrap());
        let mut text = String::new();
        let read = DecodingReader::new(SlowReader(bytes), encoding).read_to_string(&mut text);
        read.map(|_| text).map_err(|error| error.to_string())
    }

    #[test]
    fn text_is_decoded_from_its_encoding() {
        let text = "a,ä€\n\u{1f600}\n".repeat(10_000);
        let utf_16: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<_> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(text.as_bytes(), None), Ok(text.clone()));
        assert_eq!(read(&utf_16, Some("utf-16")), Ok(text.clone()));
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        assert_eq!(read(&marked(b"\xef\xbb\xbf", text.as_bytes()), None), Ok(text.clone()));
        assert_eq!(read(&marked(b"\xff\xfe", &utf_16), None), Ok(text.clone()));
        assert_eq!(read(&marked(b"\xfe\xff", &big), None), Ok(text.clone()));
        assert_eq!(read(&marked(b"\xfe\xff", &big), Some("utf-16")), Ok(text));
        assert_eq!(read(b"M\xfcller 5\x80", Some("latin1")), Ok("Müller 5€".to_owned()));
        assert_eq!(read(b"", None), Ok(String::new()));
    }

    #[test]
    fn malformed_text_is_reported_with_line_and_column() {
        let malformed = |line, column, name| {
            Err(format!("line {line}, column {column}: these bytes are not {name} text"))
        };
        assert_eq!(read(b"a\n\xc3\xa4b\xfcc\n", None), malformed(2, 3, "UTF-8"));
        assert_eq!(read(b"\xff", None), malformed(1, 1, "UTF-8"));
        assert_eq!(read(b"a\nb\xc3", None), malformed(2, 2, "UTF-8"), "cut within a character");
        assert_eq!(read(b"a\0\n\0\x00\xd8b\0", Some("utf-16")), malformed(2, 1, "UTF-16LE"));
        let late = ["x\n".repeat(100_000).as_bytes(), b"y\xff"].concat();
        assert_eq!(read(&late, None), malformed(100_001, 2, "UTF-8"));
        let nul = "the file has NUL bytes, as in UTF-16 text";
        assert_eq!(read(b"a\0,\0b\0", None), Err(nul.to_owned()));
        let late = ["x\n".repeat(100_000).as_bytes(), b"y\0"].concat();
        let nul =
            |line, column| Err(format!("line {line}, column {column}: unexpected NUL character"));
        assert_eq!(read(&late, None), nul(100_001, 2));
        assert_eq!(read(b"a\0\0\0", Some("utf-16")), nul(1, 2));
    }

    #[test]
    fn utf_32_is_rejected() {
        let units = |text: &str, unit: fn(u32) -> [u8; 4]| -> Vec<u8> {
            text.chars().flat_map(|c| unit(c.into())).collect()
        };
        for unit in [u32::to_le_bytes, u32::to_be_bytes] {
            for encoding in [None, Some("utf-16"), Some("latin1")] {
                let result = read(&units("\u{feff}a,b\n", unit), encoding);
                assert_eq!(result, Err("UTF-32 text is not supported".to_owned()));
            }
            assert_eq!(
                read(&units("a,b\n", unit), None),
                Err("UTF-32 text is not supported".to_owned())
            );
        }
    }
}
