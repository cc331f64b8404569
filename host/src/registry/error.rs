//! Why a directory or a file is not used.

use std::io;
use std::path::PathBuf;

use super::files::{MAX_FILE, MAX_FILES};
use crate::model::operation::OperationName;
use crate::sandbox::{DescribeError, LoadError};
use crate::util::os_error::Shortage;
use crate::util::trust::Untrusted;
use ophost_schema::SchemaError;

/// The plugin directories cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The system's answer for one directory.
    #[error("cannot read the plugin directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Other users could put a plugin there, or change one.
    #[error("the plugins are not trusted: {0}")]
    Untrusted(Untrusted),
    /// More files than a host looks at.
    #[error("the plugin directory `{}` has more than {MAX_FILES} plugins", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// The host ran out of something while it loaded a file. That says nothing about the file.
    #[error("cannot load the plugin `{}`", path.display())]
    Shortage {
        /// The file.
        path: PathBuf,
        /// What it ran out of.
        source: Shortage,
    },
    /// The host ran out of something while it looked for its index of the plugins.
    #[error("cannot read the index of plugins")]
    Index(#[source] Shortage),
    /// The system does not tell of changes.
    #[error("cannot watch the plugin directories: {0}")]
    Watch(String),
}

/// Why something in a plugin directory is not read, and the way out, in one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IgnoredReason {
    #[error("the extension has to be `.wasm` in lower case: rename the file")]
    Extension,
    #[error(
        "subdirectories are not read: move its `.wasm` files ({plugins}) up, or add it to `plugins`"
    )]
    Directory { plugins: usize },
}

impl FileError {
    /// Returns the paths of a file that other users can change, if that is the reason.
    pub(crate) fn untrusted(&self) -> Option<&Untrusted> {
        match self {
            Self::Untrusted { untrusted, .. } => Some(untrusted),
            _ => None,
        }
    }

    /// Returns what the host ran out of, if that is why: then the file may be as good as any.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        match self {
            Self::Unreadable(error) => Shortage::of(error),
            Self::Load(LoadError::Shortage(shortage))
            | Self::Describe(DescribeError::Shortage(shortage)) => Some(*shortage),
            Self::Schema { source, .. } => source.thread.map(Shortage::from),
            _ => None,
        }
    }
}

/// Why a file is not used, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("not a regular file")]
    NotAFile,
    #[error("larger than {}", bytesize::ByteSize(MAX_FILE))]
    TooLarge,
    #[error("it goes on changing while it is read")]
    Changing,
    #[error("it changed since it was described")]
    Changed,
    #[error("a link that leaves the plugin directory, to `{}`", target.display())]
    Outside { target: PathBuf },
    #[error("{}", untrusted.reason_for(path))]
    Untrusted { path: PathBuf, untrusted: Untrusted },
    #[error("the same file as `{}`", of.display())]
    Duplicate { of: PathBuf },
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Describe(#[from] DescribeError),
    #[error("the {which} schema of `{name}` is {source}")]
    Schema { which: &'static str, name: OperationName, source: SchemaError },
    #[error("the name `{name}` is held by `{}`", holder.display())]
    NameHeld { name: OperationName, holder: PathBuf },
    #[error("the name `{name}` is also in `{}`, and none of them was here first", other.display())]
    NameTied { name: OperationName, other: PathBuf },
    /// What was found out before about the same content.
    #[error("{0}")]
    Remembered(String),
}
