//! Which project a command is in: found upward from the current directory, like git does.

use std::fs;
use std::path::{Path, PathBuf};

use super::trust::is_own;

/// The file of settings; it marks the top of a project too.
pub(crate) const FILE_NAME: &str = "ophost.toml";
/// The directory of data; it marks the top of a project too.
pub(super) const DATA_NAME: &str = ".ophost";

/// The top of a project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) directory: PathBuf,
    /// The file of settings, if that is there.
    pub(super) file: Option<PathBuf>,
}

/// Returns the nearest top of a project at or above `here`.
///
/// A data directory of another user marks nothing: in a directory that everybody can write,
/// such as `/tmp`, anybody could make one.
pub(super) fn top(here: &Path) -> Option<Top> {
    here.ancestors().find_map(|directory| {
        let file = directory.join(FILE_NAME);
        let data = directory.join(DATA_NAME);
        let has_data = || fs::metadata(&data).is_ok_and(|it| it.is_dir() && is_own(&it));
        if fs::symlink_metadata(&file).is_ok() {
            Some(Top { directory: directory.to_owned(), file: Some(file) })
        } else if has_data() {
            Some(Top { directory: directory.to_owned(), file: None })
        } else {
            None
        }
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
