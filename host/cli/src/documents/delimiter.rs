//! The delimiter of a CSV file.

use super::csv::{Content, Rows};

/// The delimiters that are detected. The first is the default.
const CANDIDATES: [u8; 4] = *b",;\t|";
/// The maximum number of rows that are read to detect the delimiter.
const MAX_ROWS: usize = 50;

/// Parses the value of `--delimiter`: an ASCII character or its name.
///
/// # Errors
///
/// Returns an error if the text is neither.
pub(super) fn parse(text: &str) -> Result<u8, String> {
    let delimiter = match text {
        "comma" => b',',
        "semicolon" => b';',
        "tab" | "\\t" => b'\t',
        "pipe" => b'|',
        _ => match text.as_bytes() {
            [one] => *one,
            _ => return Err("expected one ASCII character or `tab`".to_owned()),
        },
    };
    let is_usable = delimiter.is_ascii() && !matches!(delimiter, b'"' | b'\r' | b'\n' | b'\0');
    is_usable.then_some(delimiter).ok_or_else(|| "this character cannot be a delimiter".to_owned())
}

/// Returns the value of `--delimiter` for a delimiter.
pub(super) fn name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tab".to_owned(),
        other => char::from(other).to_string(),
    }
}

/// Returns the delimiter in a first line such as `sep=;`, and the length of the line. Excel writes
/// and reads such lines.
pub(super) fn declared_in(head: &str) -> Option<(u8, usize)> {
    let (line, length) = match head.find('\n') {
        Some(end) => (&head[..end], end + 1),
        None => (head, head.len()),
    };
    let line = line.trim_end_matches('\r').trim_matches('"');
    let delimiter = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
    parse(delimiter).ok().map(|delimiter| (delimiter, length))
}

/// Detects the delimiter from the start of a text.
///
/// Delimiters that give all rows the same number of cells are preferred, and then delimiters that
/// give the first row more cells.
///
/// # Errors
///
/// Returns two delimiters that fit equally well.
pub(super) fn detect(head: &str, is_whole: bool) -> Result<u8, [u8; 2]> {
    let mut best: Vec<(Fit, u8)> = CANDIDATES
        .into_iter()
        .map(|delimiter| (fit(head, delimiter, is_whole), delimiter))
        .collect();
    best.sort_by(|(one, _), (other, _)| other.cmp(one));
    match best[..] {
        [(first, one), (second, other), ..] if first == second && first.is_table => {
            Err([one, other])
        }
        [(_, delimiter), ..] => Ok(delimiter),
        [] => Ok(CANDIDATES[0]),
    }
}

/// How well a delimiter fits the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// Whether all rows have the same number of cells, and more than one.
    is_table: bool,
    /// The number of cells in the first row.
    cells: usize,
}

fn fit(head: &str, delimiter: u8, is_whole: bool) -> Fit {
    let rows = Rows::new(head.as_bytes(), delimiter, 1).map_while(Result::ok).take(MAX_ROWS);
    let mut counts: Vec<_> = rows
        .map(|row| match row.content {
            Content::Cells(cells) => cells.len(),
            Content::Unterminated | Content::TooLong => 0,
        })
        .collect();
    // The last row may continue after this part of the text.
    if !is_whole && (2..MAX_ROWS).contains(&counts.len()) {
        counts.pop();
    }
    let cells = counts.first().copied().unwrap_or_default();
    Fit { is_table: cells > 1 && counts.iter().all(|count| *count == cells), cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiter_is_detected_from_the_first_rows() {
        for (text, delimiter) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2\n", b';'),
            ("a;b\n1,5;2,5\n", b';'),
            ("a\tb\n1\t2\n", b'\t'),
            ("a|b|c\n1|2|3", b'|'),
            ("name,notes\nx,\"a;b\"\ny,c;d\n", b','),
            ("name,notes\nx,a;b\ny,c;d\n", b','),
            ("text\nhello; world\nmore\n", b','),
            ("text\nhello, world\n", b','),
            ("a;b\n1\n2;3\n", b';'),
            ("a,b,c;d\n1,2,3;4\n", b','),
            ("", b','),
            ("a\n", b','),
        ] {
            assert_eq!(detect(text, true), Ok(delimiter), "{text:?}");
        }
        assert_eq!(detect("a;b\n1;2\n3", false), Ok(b';'), "the last row is cut");
        assert_eq!(detect("a,b;c\n1,2;3\n", true), Err([b',', b';']));
    }

    #[test]
    fn sep_line_of_a_spreadsheet_declares_the_delimiter() {
        assert_eq!(declared_in("sep=;\r\na;b\r\n"), Some((b';', 7)));
        assert_eq!(declared_in("\"sep=\t\"\na\tb\n"), Some((b'\t', 8)));
        assert_eq!(declared_in("SEP=|"), Some((b'|', 5)));
        for other in ["sep=", "sep=ab\n", "separator;b\n", "a,b\nsep=;\n", ""] {
            assert_eq!(declared_in(other), None, "{other:?}");
        }
    }

    #[test]
    fn delimiter_is_one_character_or_a_name() {
        assert_eq!(
            ["tab", "\\t", "\t", ";", "pipe"].map(parse),
            [Ok(b'\t'), Ok(b'\t'), Ok(b'\t'), Ok(b';'), Ok(b'|')]
        );
        assert!(["", "ab", "ä", "\"", "\n"].into_iter().all(|text| parse(text).is_err()));
    }
}
