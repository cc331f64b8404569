//! Which project a command is in: found upward from the current directory, like git does.

use std::fs;
use std::path::{Path, PathBuf};

/// The file of settings; it marks the top of a project too.
pub const FILE_NAME: &str = "ophost.toml";
/// The directory of data; it marks the top of a project too.
pub(super) const DATA_NAME: &str = ".ophost";

/// The top of a project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) directory: PathBuf,
    pub(super) mark: Mark,
}

/// What marks the top of a project.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The file of settings.
    File(PathBuf),
    /// The data directory.
    Data(PathBuf),
}

/// Returns the nearest top of a project at or above `here`, whoever made the mark.
pub(super) fn top(here: &Path) -> Option<Top> {
    here.ancestors().find_map(|directory| {
        let file = directory.join(FILE_NAME);
        let data = directory.join(DATA_NAME);
        let mark = if fs::symlink_metadata(&file).is_ok() {
            Mark::File(file)
        } else if data.is_dir() {
            Mark::Data(data)
        } else {
            return None;
        };
        Some(Top { directory: directory.to_owned(), mark })
    })
}

/// Returns a path as short as it can be written from `here`.
pub(super) fn shortened(path: &Path, here: &Path) -> PathBuf {
    match path.strip_prefix(here) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => path.to_owned(),
    }
}
