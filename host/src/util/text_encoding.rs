//! Text of files and of standard input: UTF-8, with or without a byte order mark.

/// The byte order mark, which some editors and spreadsheets put before UTF-8 text.
const MARK: &str = "\u{feff}";

/// Why bytes are no text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotUtf8 {
    /// The file begins as text of this encoding.
    #[error("is {0} text, not UTF-8")]
    Encoding(&'static str),
    #[error("is not UTF-8 text: byte 0x{byte:02x} in line {line}")]
    Byte { byte: u8, line: usize },
}

impl NotUtf8 {
    /// Returns the encoding as `iconv` calls it, if it is known.
    pub(super) fn encoding(&self) -> Option<&'static str> {
        match self {
            Self::Encoding(encoding) => Some(encoding),
            Self::Byte { .. } => None,
        }
    }
}

/// Returns the text of a file. A byte order mark is not part of it.
///
/// # Errors
///
/// Returns [`NotUtf8`] if the bytes are text of another encoding, or none.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    if let Some(encoding) = marked_encoding(&bytes) {
        return Err(NotUtf8::Encoding(encoding));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        NotUtf8::Byte { byte: rest[0], line }
    })?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len());
    }
    Ok(text)
}

/// Returns the encoding that a byte order mark names, if it is not UTF-8.
pub(super) fn marked_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// Returns the encoding that a file of JSON shows by its first character, which is ASCII.
pub(super) fn encoding_of_json(text: &str) -> Option<&'static str> {
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
    fn one_mark_at_the_start_is_no_part_of_a_text() {
        let text = |text: &str| decode(text.as_bytes().to_vec()).unwrap();
        assert_eq!((text("\u{feff}a"), text("a\u{feff}")), ("a".into(), "a\u{feff}".into()));
        assert_eq!((text(""), text("\u{feff}\u{feff}")), (String::new(), "\u{feff}".into()));
    }

    #[test]
    fn another_encoding_is_named_and_a_wrong_byte_has_its_line() {
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let marked = decode(utf16("\u{feff}{}", unit));
            assert_eq!(marked, Err(NotUtf8::Encoding("UTF-16")));
        }
        let utf32: Vec<_> = "\u{feff}{}".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(decode(utf32), Err(NotUtf8::Encoding("UTF-32")));
        let latin = decode(b"a\nb\ncaf\xe9\n".to_vec());
        assert_eq!(latin, Err(NotUtf8::Byte { byte: 0xe9, line: 3 }));
    }

    #[test]
    fn json_of_another_encoding_is_known_without_a_mark() {
        let encoding = |bytes| encoding_of_json(&decode(bytes).unwrap());
        assert_eq!(encoding(utf16("{}", u16::to_le_bytes)), Some("UTF-16LE"));
        assert_eq!(encoding(utf16("{}", u16::to_be_bytes)), Some("UTF-16BE"));
        assert_eq!((encoding(b"{}".to_vec()), encoding(b"5".to_vec())), (None, None));
    }
}
