//! Errors of private directories.

use std::io;
use std::path::{Path, PathBuf};

use crate::util::trust::Untrusted;

/// The error of a symbolic link in a private directory. Links are not followed.
#[derive(Debug, thiserror::Error)]
#[error("`{}` must not be a symbolic link", .0.display())]
pub(crate) struct NoLink(pub(super) PathBuf);

/// An error of opening or creating a private directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PrivateDirError {
    /// Other users own paths of the directory or have access to them.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The error of the operating system.
    #[error("cannot use `{}`: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
}

impl PrivateDirError {
    pub(super) fn system(path: &Path, error: rustix::io::Errno) -> Self {
        Self::System { path: path.to_owned(), source: error.into() }
    }
}
