//! Errors of plugin directories, and rejection reasons of plugin files.

use std::io;
use std::path::PathBuf;

use super::files::{MAX_FILE, MAX_FILES};
use crate::model::limits::CompileLimit;
use crate::model::operation::OperationName;
use crate::sandbox::{DescribeError, LoadError};
use crate::util::os_error::Shortage;
use crate::util::trust::Untrusted;
use ophost_schema::SchemaError;

/// Error of loading or watching the plugin directories.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A directory cannot be read.
    #[error("cannot read the plugin directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Other users can add or modify plugins.
    #[error("the plugins are not trusted: {0}")]
    Untrusted(Untrusted),
    /// A directory has more plugin files than a host reads (10,000).
    #[error("the plugin directory `{}` has more than {MAX_FILES} plugins", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// The host ran out of a resource while it loaded a file. The file may be valid.
    #[error("cannot load the plugin `{}`", path.display())]
    Shortage {
        /// The file.
        path: PathBuf,
        /// The resource.
        source: Shortage,
    },
    /// The host ran out of a resource while it read the plugin index.
    #[error("cannot read the plugin index")]
    Index(#[source] Shortage),
    /// The operating system cannot report changes.
    #[error("cannot watch the plugin directories: {0}")]
    Watch(String),
}

/// Reason why an entry of a plugin directory is ignored, with a fix, in one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IgnoredReason {
    #[error("the extension must be `.wasm` in lower case: rename the file")]
    Extension,
    #[error(
        "subdirectories are not read: move its `.wasm` files ({plugins}) up, or add it to `plugins`"
    )]
    Directory { plugins: usize },
}

impl FileError {
    /// Returns the paths that other users can modify, if that is the reason.
    pub(crate) fn untrusted(&self) -> Option<&Untrusted> {
        match self {
            Self::Untrusted { untrusted, .. } => Some(untrusted),
            _ => None,
        }
    }

    /// Returns the limit that compilation exceeded, if that is the reason. The file may be valid.
    pub(crate) fn compile_limit(&self) -> Option<CompileLimit> {
        match self {
            Self::Load(LoadError::Budget(exceeded)) => Some(exceeded.limit),
            _ => None,
        }
    }

    /// Returns the resource that the host is out of, if that is the reason. The file may be valid.
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

/// Reason why a plugin file is rejected, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("not a regular file")]
    NotAFile,
    #[error("larger than {}", bytesize::ByteSize(MAX_FILE))]
    TooLarge,
    #[error("the file changes while it is being read")]
    Changing,
    #[error("the file has changed since it was described")]
    Changed,
    #[error("symbolic link points outside the plugin directory: `{}`", target.display())]
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
    #[error("the name `{name}` belongs to `{}`", owner.display())]
    NameTaken { name: OperationName, owner: PathBuf },
    #[error(
        "`{name}` is also declared by `{}`, and neither file registered it before",
        other.display()
    )]
    NameConflict { name: OperationName, other: PathBuf },
    /// The content was rejected, now or by an earlier inspection.
    #[error("{0}")]
    Content(String),
}
