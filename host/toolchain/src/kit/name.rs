//! The rules for names of projects.

use super::Language;
use super::reserved::use_of;

/// Maximum length of a name, in bytes.
const MAX_LENGTH: usize = 64;

/// The name of a project, which is a package name and, with `_` for `-`, a module name.
///
/// The name consists of lower case letters, digits, `_` and `-`, and begins with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName(String);

impl ProjectName {
    /// Checks a name for a project in `language`.
    ///
    /// # Errors
    ///
    /// Returns [`NameError`] if the text is not a package name, or the language or its tools use
    /// the name themselves.
    pub fn new(name: &str, language: Language) -> Result<Self, NameError> {
        if !has_valid_characters(name) {
            return Err(NameError::Characters {
                name: name.to_owned(),
                suggestion: suggestion(name, language),
            });
        }
        if name.len() > MAX_LENGTH {
            return Err(NameError::TooLong { length: name.len() });
        }
        match use_of(&module(name), language) {
            Some(reason) => Err(NameError::Reserved {
                name: name.to_owned(),
                reason,
                suggestion: suggestion(name, language),
            }),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// Returns the text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the module and of the first operation.
    pub fn module(&self) -> String {
        module(&self.0)
    }
}

/// The reason why a text is not the name of a project.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// The text has other characters than those of a name.
    #[error(
        "`{name}` is not a project name: use lower case letters, digits, `_` and `-`, with a \
         letter first"
    )]
    Characters {
        /// The text.
        name: String,
        /// A similar valid name.
        suggestion: String,
    },
    /// The name is too long.
    #[error("the project name has {length} bytes, but the maximum is {MAX_LENGTH}")]
    TooLong {
        /// The length of the name, in bytes.
        length: usize,
    },
    /// The language or its tools use the name.
    #[error("`{name}` cannot be a project name: it is {reason}")]
    Reserved {
        /// The name.
        name: String,
        /// The use of the name.
        reason: &'static str,
        /// A similar valid name.
        suggestion: String,
    },
}

impl NameError {
    /// Returns a hint with a valid name.
    pub fn hint(&self) -> String {
        match self {
            Self::Characters { suggestion, .. } | Self::Reserved { suggestion, .. } => {
                format!("use for example `{suggestion}`")
            }
            Self::TooLong { .. } => "use a shorter name".to_owned(),
        }
    }
}

fn has_valid_characters(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_valid)
}

fn module(name: &str) -> String {
    name.replace('-', "_")
}

/// Returns a valid name that is similar to `name`.
fn suggestion(name: &str, language: Language) -> String {
    let mut words = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => words.push(c),
            '-' if !words.ends_with(['-', '_']) => words.push(c),
            _ if !words.ends_with(['-', '_']) => words.push('_'),
            _ => {}
        }
    }
    let words = words.trim_matches(['-', '_']);
    let words = words.get(..MAX_LENGTH / 2).unwrap_or(words);
    let name = match words.chars().next() {
        None => "my_plugin".to_owned(),
        Some('a'..='z') => words.to_owned(),
        Some(_) => format!("plugin_{words}"),
    };
    match use_of(&module(&name), language) {
        Some(_) => format!("{name}_plugin"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, language: Language) -> NameError {
        ProjectName::new(name, language).unwrap_err()
    }

    #[test]
    fn package_name_is_a_project_name() {
        for name in ["greeter", "my-plugin", "a", "x9_y", &"a".repeat(64)] {
            assert_eq!(ProjectName::new(name, Language::Rust).unwrap().as_str(), name);
        }
        let name = ProjectName::new("my-plugin", Language::Python).unwrap();
        assert_eq!(name.module(), "my_plugin");
    }

    #[test]
    fn other_characters_are_rejected_with_a_similar_name() {
        for (name, suggested) in [
            ("my-plugin!", "my-plugin"),
            ("My Plugin", "my_plugin"),
            ("7zip", "plugin_7zip"),
            ("a/b", "a_b"),
            ("..", "my_plugin"),
            ("", "my_plugin"),
            ("\u{e9}tude", "tude"),
            ("-x", "x"),
            ("Match", "match_plugin"),
        ] {
            let error = error(name, Language::Rust);
            assert!(matches!(error, NameError::Characters { .. }), "{name}: {error}");
            assert_eq!(error.hint(), format!("use for example `{suggested}`"));
        }
        let long = error(&"a".repeat(65), Language::Rust);
        assert_eq!(long.to_string(), "the project name has 65 bytes, but the maximum is 64");
    }

    #[test]
    fn names_that_the_language_uses_are_rejected() {
        use Language::{Go, JavaScript, Python, Rust, TypeScript};
        for (name, language, reason) in [
            ("match", Rust, "a keyword of Rust"),
            ("u8", Rust, "a primitive type of Rust"),
            ("test", Rust, "reserved by cargo and the compiler"),
            ("proc-macro", Rust, "reserved by cargo and the compiler"),
            ("serde", Rust, "a dependency of the SDK"),
            ("ophost-sdk", Rust, "a dependency of the SDK"),
            ("lambda", Python, "a keyword of Python"),
            ("json", Python, "a module of Python's standard library"),
            ("test", Python, "a module of Python's standard library"),
            ("ophost-sdk", Python, "reserved by the SDK and its tools"),
            ("delete", TypeScript, "a keyword of JavaScript"),
            ("zod", JavaScript, "reserved by the SDK and its tools"),
            ("text", Go, "a package of Go's standard library"),
            ("main", Go, "reserved by the SDK and its tools"),
        ] {
            let error = error(name, language);
            let expected = format!("`{name}` cannot be a project name: it is {reason}");
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.hint(), format!("use for example `{name}_plugin`"));
        }
        assert!(ProjectName::new("json", Rust).is_ok());
        assert!(ProjectName::new("serde", Python).is_ok());
    }
}
