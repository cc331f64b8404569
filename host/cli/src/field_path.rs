//! Names of fields in arguments: `place.city`, and `a\.b` for a name with a dot.
//!
//! A backslash removes the special meaning of the next character, as in `--set` of Helm.

/// A parsed `field=value` argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment<'a> {
    /// The names of the enclosing objects and of the field.
    pub(super) path: Vec<String>,
    /// Whether the value is JSON: `field:=json`.
    pub(super) is_json: bool,
    pub(super) value: &'a str,
}

/// Parses an argument. Returns `None` if it has no `=` after a name, or if a name is empty.
pub(super) fn parse(text: &str) -> Option<Assignment<'_>> {
    let (path, rest) = split(text)?;
    let (is_json, value) = match rest {
        Rest::Value { is_json, value } => (is_json, value),
        Rest::Nothing => return None,
    };
    let has_names = path.iter().all(|name| !name.is_empty());
    has_names.then_some(Assignment { path, is_json, value })
}

/// Returns the names of an argument that may be incomplete.
pub(super) fn parse_path(text: &str) -> Vec<String> {
    split(text).map(|(path, _)| path).unwrap_or_default()
}

/// The text after the name of a field.
enum Rest<'a> {
    Value { is_json: bool, value: &'a str },
    Nothing,
}

/// Splits an argument at its first `=`. Returns `None` if a backslash is the last character.
fn split(text: &str) -> Option<(Vec<String>, Rest<'_>)> {
    let (mut path, mut name) = (Vec::new(), String::new());
    let mut after_colon = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let is_json = std::mem::replace(&mut after_colon, c == ':');
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' => path.push(std::mem::take(&mut name)),
            '=' => {
                name.truncate(name.len() - usize::from(is_json));
                path.push(name);
                return Some((path, Rest::Value { is_json, value: &text[at + 1..] }));
            }
            c => name.push(c),
        }
    }
    path.push(name);
    Some((path, Rest::Nothing))
}

/// Returns a name with backslashes before special characters.
pub(super) fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        // A colon is special only before `=`, and a hyphen only as the first character.
        let is_last_colon = c == ':' && at + 1 == name.len();
        if matches!(c, '\\' | '.' | '=') || is_last_colon || (c == '-' && at == 0) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Returns the names of a path, escaped and joined by dots.
pub(super) fn join(path: &[String]) -> String {
    path.iter().map(|name| escape(name)).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_name_is_parsed_to_the_same_name() {
        let names = ["a", "a.b", "a=b", "a:", ":a", "-a", r"a\", r"\.", "a.b.c=:", "ä.ö", "@", " "];
        for name in names {
            for end in ["=", ":="] {
                let text = format!("x.{}{end}v=1", escape(name));
                let path = vec!["x".to_owned(), name.to_owned()];
                let is_json = end == ":=";
                let expected = Assignment { path, is_json, value: "v=1" };
                assert_eq!(parse(&text), Some(expected), "{text}");
            }
        }
    }

    #[test]
    fn argument_without_a_name_is_not_an_assignment() {
        for text in ["a", "", "=x", "a..b=x", ".=x", ":=x", r"a\"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse_path(r"a\.b.c"), ["a.b", "c"]);
        assert_eq!(join(&parse_path(r"a\.b.c")), r"a\.b.c");
    }
}
