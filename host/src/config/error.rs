//! Errors of settings, and hints to fix them.

use std::io;
use std::path::{Path, PathBuf};

use ophost_document::IndexFieldError;

use super::Source;
use crate::util::trust::{UnknownWord, Untrusted};

/// An error of the settings. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An untrusted file or data directory determines the data or plugin directories.
    #[error("{}", untrusted_message(keys, untrusted))]
    Untrusted {
        /// The settings that it determines.
        keys: Vec<&'static str>,
        /// The file or data directory that marks the project root.
        untrusted: Untrusted,
    },
    /// The current directory does not exist or is not accessible.
    #[error("cannot find the current directory")]
    NoDirectory(#[source] io::Error),
    /// The file exists but cannot be read.
    #[error("cannot read `{}`", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("`{}`, line {line}: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The error of the TOML parser.
        problem: String,
    },
    /// A setting is invalid.
    #[error("{}: {problem}", location(source_of))]
    Setting {
        /// The source of the setting.
        source_of: Source,
        /// The error of the setting.
        problem: Box<SettingError>,
    },
}

impl ConfigError {
    pub(super) fn setting(source_of: Source, problem: SettingError) -> Self {
        Self::Setting { source_of, problem: Box::new(problem) }
    }
}

/// An error of one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// An unknown key.
    #[error("`{key}` is not a setting")]
    UnknownKey {
        /// The full key.
        key: String,
        /// A valid key with a similar name.
        suggestion: Option<&'static str>,
        /// The valid keys of the table.
        known: &'static [&'static str],
    },
    /// An operation name that TOML splits at its dots, because it is not quoted.
    #[error("`operations.{0}` is not a setting")]
    Unquoted(String),
    /// A value of the wrong type.
    #[error("`{key}` is {got}, not {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// The expected type.
        expected: &'static str,
        /// The actual type.
        got: &'static str,
    },
    /// A string that cannot be parsed.
    #[error("`{key}` is `{value}`, which is not {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// The string.
        value: String,
        /// The expected kind of value.
        expected: &'static str,
    },
    /// A limit of zero.
    #[error("`{key}` must be greater than zero")]
    Zero {
        /// The key.
        key: String,
    },
    /// A default limit above its maximum.
    #[error("`{key}` is {value}, above the maximum of {maximum} ({from})")]
    AboveMaximum {
        /// The key.
        key: String,
        /// The value of the default limit.
        value: String,
        /// The maximum.
        maximum: String,
        /// The source of the maximum.
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
    /// A path in the home directory of this user, who has no home directory.
    #[error("`{key}` is `{value}`, and this user has no home directory")]
    NoHome {
        /// The key.
        key: String,
        /// The path.
        value: String,
    },
    /// A path in quotes.
    #[error("`{key}` is in quotes: `{value}`")]
    Quoted {
        /// The key.
        key: String,
        /// The path.
        value: String,
    },
    /// A path with a control character.
    #[error("`{key}` contains the control character U+{character:04X}")]
    ControlCharacter {
        /// The key.
        key: String,
        /// The character.
        character: u32,
    },
    /// An invalid word in `trust`.
    #[error("`{key}`: {word}")]
    Trust {
        /// The key.
        key: String,
        /// The error of the word.
        word: UnknownWord,
    },
    /// `[operations.NAME]` with an invalid operation name.
    #[error("`{0}` is not a valid operation name")]
    OperationName(String),
    /// `[collections.NAME]` with an invalid collection name.
    #[error("`{0}` is not a valid collection name")]
    CollectionName(String),
    /// An index of a field that cannot have one.
    #[error("`{key}`: {problem}")]
    Index {
        /// The key.
        key: String,
        /// The error of the field.
        problem: IndexFieldError,
    },
}

fn untrusted_message(keys: &[&str], untrusted: &Untrusted) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    let path =
        untrusted.paths.first().map(|exposed| exposed.path.as_path()).unwrap_or(Path::new(""));
    let (name, reason) = (path.display(), untrusted.reason_for(path));
    format!("`{name}` determines {} and is not trusted: {reason}", keys.join(" and "))
}

fn location(source: &Source) -> String {
    match source {
        Source::Untrusted { file } => format!("`{}`", file.display()),
        Source::File { file, line } => format!("`{}`, line {line}", file.display()),
        Source::Flag(name) | Source::Variable(name) => format!("`{name}`"),
        Source::Default => "the defaults".to_owned(),
    }
}

impl ConfigError {
    /// Returns a hint to fix the error, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Setting { problem, .. } => problem.hint(),
            Self::Syntax { .. } => Some("write the file as TOML: https://toml.io".to_owned()),
            // The hints of a front end depend on its flags.
            Self::Untrusted { .. } | Self::NoDirectory(_) | Self::Unreadable { .. } => None,
        }
    }
}

impl SettingError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { suggestion: Some(key), .. } => {
                Some(format!("did you mean `{key}`?"))
            }
            Self::UnknownKey { suggestion: None, known, .. } => {
                Some(format!("use one of: {}", known.join(", ")))
            }
            Self::Unquoted(name) => {
                Some(format!("quote a name with dots: `[operations.\"{name}\"]`"))
            }
            Self::WrongType { expected, .. } => Some(type_hint(expected).to_owned()),
            Self::BadValue { expected, .. } => Some(value_hint(expected).to_owned()),
            Self::Zero { .. } => Some("remove the setting to use the default".to_owned()),
            Self::AboveMaximum { .. } => Some("lower the limit, or raise the maximum".to_owned()),
            Self::HomeOfOther { value, .. } => {
                Some(format!("write the full path, or `./{value}` for a directory with this name"))
            }
            Self::NoHome { .. } => Some("set `HOME`, or write the full path".to_owned()),
            Self::Quoted { .. } => Some("remove the quotes".to_owned()),
            Self::ControlCharacter { character: 0xd, .. } => Some(
                "remove the carriage return (U+000D), which ends the lines of Windows files"
                    .to_owned(),
            ),
            Self::ControlCharacter { .. } => Some("remove the character".to_owned()),
            Self::Trust { .. } | Self::Index { .. } => None,
            Self::CollectionName(_) => {
                Some("use lower-case letters, digits, `_`, `-` and `.`, such as `jobs`".to_owned())
            }
            Self::OperationName(_) => Some("run `ophost list` to see the names".to_owned()),
        }
    }
}

/// The kinds of values, as they are called in errors.
pub(super) const DURATION: &str = "a duration";
pub(super) const SIZE: &str = "a size";
pub(super) const RUN_COUNT: &str = "a number of runs";
pub(super) const TABLE: &str = "a table";
pub(super) const PATH: &str = "a path";
pub(super) const RECORD_POLICY: &str = "a record policy";
pub(super) const COMPILER: &str = "a compiler";
pub(super) const PATHS: &str = "a list of paths";
pub(super) const TRUST_WORDS: &str = "a list of words";
pub(super) const INDEXES: &str = "a list of fields";

/// Returns the hint for a value of the wrong type.
fn type_hint(expected: &str) -> &'static str {
    match expected {
        DURATION => "write a string, such as `\"30s\"`",
        SIZE => "write a string, such as `\"64MiB\"`",
        RUN_COUNT => "write a number, such as `100000`",
        TABLE => "write a table, such as `[limits]` or `[operations.NAME]`",
        PATHS => "write a list of directories, such as `[\"plugins\"]`",
        RECORD_POLICY => "write a string, such as `\"always\"`",
        COMPILER => "write a string, such as `\"cranelift\"`",
        INDEXES => "write a list, such as `[\"status\", {field = \"email\", unique = true}]`",
        TRUST_WORDS => "write a list, such as `[\"group-writable\", \"owner:root\"]`",
        _ => "write a directory as a string, such as `\".ophost\"`",
    }
}

/// Returns the hint for a string that cannot be parsed.
fn value_hint(expected: &str) -> &'static str {
    match expected {
        DURATION => "write a duration such as `500ms`, `30s` or `5m`",
        SIZE => "write a size such as `64KiB`, `64MiB` or `2GiB`",
        RUN_COUNT => "write a number such as `100000`",
        PATHS => "name a directory, or remove the setting",
        TRUST_WORDS => "use `group-writable`, `world-writable` or `owner:USER`",
        RECORD_POLICY => {
            "use `declared` (calls that operations declare), `changes` (also calls that may change \
             documents) or `always` (all calls)"
        }
        COMPILER => "use `cranelift` (fast code) or `winch` (compiles fast)",
        _ => "write a path, or remove the setting",
    }
}
