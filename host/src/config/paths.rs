//! Paths in settings: `~`, and what env files leave around a value.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::error::SettingError;
use super::file::shown;

/// Returns the value of a variable without what `docker --env-file` and files with Windows line
/// ends leave around it: a carriage return, and a pair of quotes.
pub(super) fn bare(value: &OsStr) -> OsString {
    let bytes = value.as_bytes();
    let end = bytes.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
    let bytes = &bytes[..end];
    let inner = quoted(bytes.trim_ascii()).filter(|(quote, inner)| !inner.contains(quote));
    OsString::from_vec(inner.map_or(bytes, |(_, inner)| inner).to_vec())
}

/// Returns a text that stands between two quotes of the same kind, and the quote.
fn quoted(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match bytes {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last => Some((*first, inner)),
        _ => None,
    }
}

/// Returns the path that a value names: `~` is the home directory.
///
/// # Errors
///
/// Returns [`SettingError`] if no tool means such a path: `~NAME`, quotes, control characters.
pub(super) fn path(key: &str, value: &Path) -> Result<PathBuf, SettingError> {
    let bytes = value.as_os_str().as_bytes();
    let key = || key.to_owned();
    let text = || shown(&value.to_string_lossy());
    if let Some(control) = value.to_string_lossy().chars().find(|c| c.is_control()) {
        return Err(SettingError::ControlCharacter { key: key(), character: u32::from(control) });
    }
    if quoted(bytes).is_some() {
        return Err(SettingError::Quoted { key: key(), value: text() });
    }
    match bytes {
        [b'~'] | [b'~', b'/', ..] => {
            let home = env::home_dir().filter(|home| home.is_absolute());
            let home = home.ok_or_else(|| SettingError::NoHome { key: key(), value: text() })?;
            let below = bytes[1..].iter().position(|byte| *byte != b'/').map(|start| start + 1);
            Ok(below.map_or(home.clone(), |start| home.join(OsStr::from_bytes(&bytes[start..]))))
        }
        [b'~', ..] => Err(SettingError::HomeOfOther { key: key(), value: text() }),
        _ => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_line_ends_around_a_variable_are_left_out() {
        let bare = |text: &str| bare(OsStr::new(text)).into_string().unwrap();
        for text in ["./x", "./x\r", "./x\r\n", "\"./x\"", "\"./x\"\r", "'./x'\r\n", " './x' \r"] {
            assert_eq!(bare(text), "./x", "{text:?}");
        }
        for text in ["", "\"", "\"a", "a\"b", "\"a\":\"b\"", " a b ", "'a\""] {
            assert_eq!(bare(text), text);
        }
    }

    #[test]
    fn a_path_begins_at_home_or_is_as_it_stands() {
        let home = env::home_dir().unwrap();
        let path = |text: &str| path("data", Path::new(text));
        assert_eq!(path("~").unwrap(), home);
        assert_eq!(path("~/").unwrap(), home);
        assert_eq!(path("~//a b").unwrap(), home.join("a b"));
        for text in ["a/~", "./~", "a~", "\u{e9}"] {
            assert_eq!(path(text).unwrap(), Path::new(text));
        }
        let odd = |text: &str| path(text).unwrap_err().to_string();
        assert_eq!(odd("~ann/x"), "`data` is `~ann/x`, and only `~` and `~/` are expanded");
        assert_eq!(odd("x\r"), "`data` contains the control character U+000D");
        assert_eq!(odd("'x'"), "`data` is in quotes: `'x'`");
    }
}
