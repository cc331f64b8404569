//! What can be wrong with settings, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use super::Source;
use crate::util::trust::{UnknownWord, Untrusted};

/// Settings that cannot be used. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that is not trusted says which store or which plugins are used.
    #[error("{}", deciding(keys, untrusted))]
    Untrusted {
        /// The settings that depend on it.
        keys: Vec<&'static str>,
        /// The file, or the data directory, that marks the project.
        untrusted: Untrusted,
    },
    /// There is no current directory.
    #[error("cannot find the current directory")]
    NoDirectory(#[source] io::Error),
    /// The file is there and cannot be read.
    #[error("cannot read `{}`", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("`{}`, line {line}: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the reader says.
        problem: String,
    },
    /// One setting is wrong.
    #[error("{}: {problem}", place(source_of))]
    Setting {
        /// Where it stands.
        source_of: Source,
        /// What is wrong.
        problem: Box<SettingError>,
    },
}

impl ConfigError {
    pub(super) fn setting(source_of: Source, problem: SettingError) -> Self {
        Self::Setting { source_of, problem: Box::new(problem) }
    }
}

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// A key that means nothing here.
    #[error("`{key}` is not a setting")]
    UnknownKey {
        /// The key, with what it stands in.
        key: String,
        /// A key that is much like it.
        meant: Option<&'static str>,
        /// The keys that mean something there.
        known: &'static [&'static str],
    },
    /// The name of an operation that TOML takes apart at its dots.
    #[error("`operations.{0}` is not a setting")]
    Unquoted(String),
    /// A value of another type.
    #[error("`{key}` is {got}, not {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// A text that means nothing.
    #[error("`{key}` is `{value}`, which is not {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// The text.
        value: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A limit under which nothing can run.
    #[error("`{key}` of zero lets nothing run")]
    Zero {
        /// The key.
        key: String,
    },
    /// A default above its own maximum.
    #[error("`{key}` is {value}, above the maximum of {maximum} ({from})")]
    AboveMaximum {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// The maximum.
        maximum: String,
        /// Where the maximum came from.
        from: Source,
    },
    /// A path in the home directory of another user.
    #[error("`{key}` is `{value}`, and only `~` and `~/` are expanded")]
    HomeOfOther {
        /// The key.
        key: String,
        /// The path.
        value: String,
    },
    /// A path in the home directory of a user who has none.
    #[error("`{key}` is `{value}`, and this user has no home directory")]
    NoHome {
        /// The key.
        key: String,
        /// The path.
        value: String,
    },
    /// A path with quotes of its own.
    #[error("`{key}` is in quotes: `{value}`")]
    Quoted {
        /// The key.
        key: String,
        /// The path.
        value: String,
    },
    /// A path with a character that nobody types.
    #[error("`{key}` contains the control character U+{character:04X}")]
    ControlCharacter {
        /// The key.
        key: String,
        /// The character.
        character: u32,
    },
    /// A word that is not one of `trust`.
    #[error("`{key}`: {word}")]
    Trust {
        /// The key.
        key: String,
        /// What is wrong with the word.
        word: UnknownWord,
    },
    /// `[operations.NAME]` with a name that no operation can have.
    #[error("`{0}` is not a name for an operation")]
    OperationName(String),
}

fn deciding(keys: &[&str], untrusted: &Untrusted) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    let path =
        untrusted.paths.first().map(|exposed| exposed.path.as_path()).unwrap_or(Path::new(""));
    let (name, reason) = (path.display(), untrusted.reason_for(path));
    format!("`{name}` decides on {} and is not trusted: {reason}", keys.join(" and "))
}

fn place(source: &Source) -> String {
    match source {
        Source::Untrusted { file } => format!("`{}`", file.display()),
        Source::File { file, line } => format!("`{}`, line {line}", file.display()),
        Source::Flag(name) | Source::Variable(name) => format!("`{name}`"),
        Source::Default => "the defaults".to_owned(),
    }
}

impl ConfigError {
    /// Returns what can be done about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Setting { problem, .. } => problem.hint(),
            Self::Syntax { .. } => Some("the file is TOML: https://toml.io".to_owned()),
            // Only a front end knows its flags.
            Self::Untrusted { .. } | Self::NoDirectory(_) | Self::Unreadable { .. } => None,
        }
    }
}

impl SettingError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { meant: Some(meant), .. } => Some(format!("did you mean `{meant}`?")),
            Self::UnknownKey { meant: None, known, .. } => {
                Some(format!("what there is: {}", known.join(", ")))
            }
            Self::Unquoted(name) => {
                Some(format!("a name with dots is quoted: `[operations.\"{name}\"]`"))
            }
            Self::WrongType { expected, .. } => Some(example(expected).to_owned()),
            Self::BadValue { expected, .. } => Some(spelling(expected).to_owned()),
            Self::Zero { .. } => Some("leave it out for the default".to_owned()),
            Self::AboveMaximum { .. } => Some("lower it, or raise the maximum".to_owned()),
            Self::HomeOfOther { value, .. } => {
                Some(format!("write the whole path; a directory of that name is `./{value}`"))
            }
            Self::NoHome { .. } => Some("set `HOME`, or write the whole path".to_owned()),
            Self::Quoted { .. } => Some("leave the quotes out".to_owned()),
            Self::ControlCharacter { character: 0xd, .. } => {
                Some("U+000D is the end of a line in a file from Windows: leave it out".to_owned())
            }
            Self::ControlCharacter { .. } => Some("leave it out".to_owned()),
            Self::Trust { .. } => None,
            Self::OperationName(_) => {
                Some("`ophost list` shows the names that there are".to_owned())
            }
        }
    }
}

/// What a time, a size, a table, a rule and a list of texts are called in errors.
pub(super) const TIME: &str = "a time";
pub(super) const SIZE: &str = "a size";
pub(super) const TABLE: &str = "a table";
pub(super) const PATH: &str = "a path";
pub(super) const RULE: &str = "a rule for records";
pub(super) const PATHS: &str = "a list of paths";
pub(super) const WORDS_OF_TRUST: &str = "a list of words";

/// Returns how a value of the right type looks in the file.
fn example(expected: &str) -> &'static str {
    match expected {
        TIME => "write it as a text, such as `\"30s\"`",
        SIZE => "write it as a text, such as `\"64MiB\"`",
        TABLE => "write a table, such as `[limits]` or `[operations.NAME]`",
        PATHS => "write a list of directories, such as `[\"plugins\"]`",
        RULE => "write it as a text, such as `\"always\"`",
        WORDS_OF_TRUST => "write a list, such as `[\"group-writable\", \"owner:root\"]`",
        _ => "write a directory as a text, such as `\".ophost\"`",
    }
}

/// Returns how a text that means something is spelt.
fn spelling(expected: &str) -> &'static str {
    match expected {
        TIME => "times are written `500ms`, `30s`, `5m`",
        SIZE => "sizes are written `64KiB`, `64MiB`, `2GiB`",
        PATHS => "name a directory, or leave it out",
        WORDS_OF_TRUST => "words are `group-writable`, `world-writable` and `owner:USER`",
        RULE => {
            "`declared` keeps what operations declare, `changes` also what may change documents, `always` all"
        }
        _ => "name it, or leave it out",
    }
}
