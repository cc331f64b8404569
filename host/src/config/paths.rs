//! Paths in settings: expands `~`, and removes the quotes and line ends of env files.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::error::SettingError;
use super::file::truncated;

/// Returns the value of a variable without line ends and without one pair of quotes.
///
/// `docker --env-file` and files with Windows line ends leave them in the value.
pub(super) fn unquote(value: &OsStr) -> OsString {
    let bytes = value.as_bytes();
    let end = bytes.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
    let bytes = &bytes[..end];
    let inner = quoted(bytes.trim_ascii()).filter(|(quote, inner)| !inner.contains(quote));
    OsString::from_vec(inner.map_or(bytes, |(_, inner)| inner).to_vec())
}

/// Returns the quote and the text between two equal quotes; `None` without quotes.
fn quoted(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match bytes {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last => Some((*first, inner)),
        _ => None,
    }
}

/// Returns the path of a value. A leading `~` is replaced by the home directory.
///
/// # Errors
///
/// - Returns [`SettingError::ControlCharacter`] if the value contains a control character.
/// - Returns [`SettingError::Quoted`] if the value is in quotes.
/// - Returns [`SettingError::HomeOfOther`] if the value begins with `~NAME`.
/// - Returns [`SettingError::NoHome`] if this user has no home directory.
pub(super) fn path(key: &str, value: &Path) -> Result<PathBuf, SettingError> {
    let bytes = value.as_os_str().as_bytes();
    let key = || key.to_owned();
    let text = || truncated(&value.to_string_lossy());
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
    fn quotes_and_line_ends_of_a_variable_are_removed() {
        let unquote = |text: &str| unquote(OsStr::new(text)).into_string().unwrap();
        for text in ["./x", "./x\r", "./x\r\n", "\"./x\"", "\"./x\"\r", "'./x'\r\n", " './x' \r"] {
            assert_eq!(unquote(text), "./x", "{text:?}");
        }
        for text in ["", "\"", "\"a", "a\"b", "\"a\":\"b\"", " a b ", "'a\""] {
            assert_eq!(unquote(text), text);
        }
    }

    #[test]
    fn leading_tilde_is_the_home_directory() {
        let home = env::home_dir().unwrap();
        let path = |text: &str| path("data", Path::new(text));
        assert_eq!(path("~").unwrap(), home);
        assert_eq!(path("~/").unwrap(), home);
        assert_eq!(path("~//a b").unwrap(), home.join("a b"));
        for text in ["a/~", "./~", "a~", "\u{e9}"] {
            assert_eq!(path(text).unwrap(), Path::new(text));
        }
        let error = |text: &str| path(text).unwrap_err().to_string();
        assert_eq!(error("~ann/x"), "`data` is `~ann/x`, and only `~` and `~/` are expanded");
        assert_eq!(error("x\r"), "`data` contains the control character U+000D");
        assert_eq!(error("'x'"), "`data` is in quotes: `'x'`");
    }
}
