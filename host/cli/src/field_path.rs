//! Fields as they are named on a command line: `place.city`, and `a\.b` where a name has a dot.
//!
//! A backslash takes the next character as it stands, as in `--set` of Helm.

/// One `field=value` word, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// The names of the field and of the objects that it is in.
    pub(super) path: Vec<String>,
    /// Whether the value is JSON as it stands: `field:=json`.
    pub(super) is_json: bool,
    pub(super) value: &'a str,
}

/// Takes a word apart; `None` if there is no `=` after a name.
pub(super) fn word(text: &str) -> Option<Word<'_>> {
    let (path, rest) = read(text)?;
    let (is_json, value) = match rest {
        Rest::Value { is_json, value } => (is_json, value),
        Rest::Nothing => return None,
    };
    let has_names = path.iter().all(|name| !name.is_empty());
    has_names.then_some(Word { path, is_json, value })
}

/// Returns the names of a field that may not be written to its end.
pub(super) fn path(text: &str) -> Vec<String> {
    read(text).map(|(path, _)| path).unwrap_or_default()
}

/// What stands behind the name of a field.
enum Rest<'a> {
    Value { is_json: bool, value: &'a str },
    Nothing,
}

/// Reads names up to the first `=`; `None` if a backslash is the last character.
fn read(text: &str) -> Option<(Vec<String>, Rest<'_>)> {
    let (mut path, mut name) = (Vec::new(), String::new());
    let mut after_colon = false;
    let mut chars = text.char_indices();
    while let Some((place, c)) = chars.next() {
        let is_json = std::mem::replace(&mut after_colon, c == ':');
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' => path.push(std::mem::take(&mut name)),
            '=' => {
                name.truncate(name.len() - usize::from(is_json));
                path.push(name);
                return Some((path, Rest::Value { is_json, value: &text[place + 1..] }));
            }
            c => name.push(c),
        }
    }
    path.push(name);
    Some((path, Rest::Nothing))
}

/// Returns one name as it is written.
pub(super) fn escaped(name: &str) -> String {
    let mut written = String::with_capacity(name.len());
    for (place, c) in name.char_indices() {
        // A colon means something before `=` alone, a hyphen at the beginning.
        let is_last_colon = c == ':' && place + 1 == name.len();
        if matches!(c, '\\' | '.' | '=') || is_last_colon || (c == '-' && place == 0) {
            written.push('\\');
        }
        written.push(c);
    }
    written
}

/// Returns a path as it is written.
pub(super) fn written(path: &[String]) -> String {
    path.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_was_written() {
        let names = ["a", "a.b", "a=b", "a:", ":a", "-a", r"a\", r"\.", "a.b.c=:", "ä.ö", "@", " "];
        for name in names {
            for end in ["=", ":="] {
                let text = format!("x.{}{end}v=1", escaped(name));
                let path = vec!["x".to_owned(), name.to_owned()];
                let is_json = end == ":=";
                assert_eq!(word(&text), Some(Word { path, is_json, value: "v=1" }), "{text}");
            }
        }
    }

    #[test]
    fn a_word_without_a_name_is_no_field() {
        for text in ["a", "", "=x", "a..b=x", ".=x", ":=x", r"a\"] {
            assert_eq!(word(text), None, "{text}");
        }
        assert_eq!(path(r"a\.b.c"), ["a.b", "c"]);
        assert_eq!(written(&path(r"a\.b.c")), r"a\.b.c");
    }
}
