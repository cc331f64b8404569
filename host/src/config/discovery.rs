//! Finds the project root: the nearest directory at or above the current one with a marker.

use std::fs;
use std::path::{Path, PathBuf};

/// Name of the settings file, which also marks a project root.
pub const FILE_NAME: &str = "ophost.toml";
/// Name of the default data directory, which also marks a project root.
pub(super) const DATA_NAME: &str = ".ophost";

/// A project root.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProjectRoot {
    pub(super) directory: PathBuf,
    pub(super) marker: Marker,
}

/// The file or directory that marks a project root.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// The settings file.
    File(PathBuf),
    /// The data directory.
    Data(PathBuf),
}

/// Returns the nearest project root at or above `here`, independent of the owner of the marker.
pub(super) fn project_root(here: &Path) -> Option<ProjectRoot> {
    here.ancestors().find_map(|directory| {
        let file = directory.join(FILE_NAME);
        let data = directory.join(DATA_NAME);
        let marker = if fs::symlink_metadata(&file).is_ok() {
            Marker::File(file)
        } else if data.is_dir() {
            Marker::Data(data)
        } else {
            return None;
        };
        Some(ProjectRoot { directory: directory.to_owned(), marker })
    })
}

/// Returns a path relative to `here` if it is below `here`, or else the path itself.
pub(super) fn shortened(path: &Path, here: &Path) -> PathBuf {
    match path.strip_prefix(here) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => path.to_owned(),
    }
}
