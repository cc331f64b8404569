//! The directory of the contract for a compiler that reads WIT files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::kit;

/// Returns the directory of the contract that belongs to the SDK of the project in `root`. If the
/// project has no contract, writes the one of this version to `wit` in `output`.
///
/// # Errors
///
/// Returns the error of the operating system if the contract cannot be written.
pub(crate) fn directory(root: &Path, output: &Path) -> io::Result<PathBuf> {
    let contract = root.join("sdk/wit");
    match contract.join("world.wit").is_file() {
        true => Ok(contract),
        false => write(output.join("wit")),
    }
}

/// Writes the contract of this version into an empty directory.
fn write(directory: PathBuf) -> io::Result<PathBuf> {
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::create_dir(&directory)?;
    for (name, text) in kit::contract() {
        fs::write(directory.join(name), text)?;
    }
    Ok(directory)
}
