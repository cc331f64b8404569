//! Decodes UTF-8 text with or without a byte order mark, and recognises UTF-16 and UTF-32.

/// The byte order mark, which some editors and spreadsheets write before UTF-8 text.
const MARK: &str = "\u{feff}";

/// An error of [`decode`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The byte order mark is that of this encoding.
    #[error("{0} text, not UTF-8")]
    Encoding(&'static str),
    /// A byte is not part of UTF-8 text.
    #[error("not UTF-8 text: byte 0x{byte:02x} in line {line}")]
    Byte {
        /// The first invalid byte.
        byte: u8,
        /// The line of the byte, counted from 1.
        line: usize,
    },
}

impl DecodeError {
    /// Returns the name of the encoding for `iconv`, if the encoding is known.
    pub fn encoding(&self) -> Option<&'static str> {
        match self {
            Self::Encoding(encoding) => Some(encoding),
            Self::Byte { .. } => None,
        }
    }
}

/// Returns the text of a file without its byte order mark.
///
/// # Errors
///
/// Returns [`DecodeError`] if the bytes are not UTF-8 text.
pub fn decode(bytes: Vec<u8>) -> Result<String, DecodeError> {
    if let Some(encoding) = marked_encoding(&bytes) {
        return Err(DecodeError::Encoding(encoding));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        DecodeError::Byte { byte: rest[0], line }
    })?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len());
    }
    Ok(text)
}

/// Returns the encoding of a byte order mark, unless it is UTF-8.
pub fn marked_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// Returns the encoding of JSON text, recognised by its first character, which is ASCII.
pub fn encoding_of_json(text: &str) -> Option<&'static str> {
    match text.as_bytes() {
        [0, 0, ..] | [_, 0, 0, 0, ..] => Some("UTF-32"),
        [0, 1..=255, ..] => Some("UTF-16BE"),
        [1..=255, 0, ..] => Some("UTF-16LE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn first_byte_order_mark_is_removed() {
        let text = |text: &str| decode(text.as_bytes().to_vec()).unwrap();
        assert_eq!((text("\u{feff}a"), text("a\u{feff}")), ("a".into(), "a\u{feff}".into()));
        assert_eq!((text(""), text("\u{feff}\u{feff}")), (String::new(), "\u{feff}".into()));
    }

    #[test]
    fn error_names_the_encoding_or_the_line_of_the_invalid_byte() {
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let marked = decode(utf16("\u{feff}{}", unit));
            assert_eq!(marked, Err(DecodeError::Encoding("UTF-16")));
        }
        let utf32: Vec<_> = "\u{feff}{}".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(decode(utf32), Err(DecodeError::Encoding("UTF-32")));
        let latin = decode(b"a\nb\ncaf\xe9\n".to_vec());
        assert_eq!(latin, Err(DecodeError::Byte { byte: 0xe9, line: 3 }));
    }

    #[test]
    fn encoding_of_json_is_recognised_without_a_mark() {
        let encoding = |bytes| encoding_of_json(&decode(bytes).unwrap());
        assert_eq!(encoding(utf16("{}", u16::to_le_bytes)), Some("UTF-16LE"));
        assert_eq!(encoding(utf16("{}", u16::to_be_bytes)), Some("UTF-16BE"));
        assert_eq!((encoding(b"{}".to_vec()), encoding(b"5".to_vec())), (None, None));
    }
}
