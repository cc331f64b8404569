//! Creates a file atomically and never overwrites an existing one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use ophost::os_error;

/// An error while a file is created. An existing file is unchanged, and no new file exists.
#[derive(Debug, thiserror::Error)]
pub(super) enum CreateFileError {
    /// The file cannot be created at this path. Nothing was written.
    #[error("cannot write `{}`", file.display())]
    Misplaced { file: PathBuf, source: io::Error },
    /// The system failed while the file was written.
    #[error("cannot write `{}`", file.display())]
    Unfinished { file: PathBuf, source: io::Error },
}

impl CreateFileError {
    /// Returns whether another path would work.
    pub(super) fn is_usage(&self) -> bool {
        use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound, PermissionDenied};
        let wrong = [AlreadyExists, NotADirectory, NotFound, PermissionDenied];
        matches!(self, Self::Misplaced { source, .. } if wrong.contains(&source.kind()))
    }

    pub(super) fn hint(&self) -> Option<String> {
        let (Self::Misplaced { source, .. } | Self::Unfinished { source, .. }) = self;
        let is_taken = source.kind() == io::ErrorKind::AlreadyExists;
        let taken =
            is_taken.then_some("the file exists and is not overwritten; choose another name");
        taken.or_else(|| os_error::hint(source)).map(ToOwned::to_owned)
    }
}

/// Checks that the path does not exist and that its directory exists.
///
/// # Errors
///
/// Returns [`CreateFileError`] if a file cannot be created at the path.
pub(super) fn ensure_absent(file: &Path) -> Result<(), CreateFileError> {
    is_vacant(file).map_err(|source| CreateFileError::Misplaced { file: file.to_owned(), source })
}

fn is_vacant(file: &Path) -> io::Result<()> {
    match fs::symlink_metadata(file) {
        Ok(_) => Err(io::Error::from_raw_os_error(Errno::EXIST.raw_os_error())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
            directory.map_or(Ok(()), |directory| fs::metadata(directory).map(drop))
        }
        Err(error) => Err(error),
    }
}

/// A file that is written under a temporary name in the same directory.
///
/// Dropping it without [`AtomicFile::persist`] removes the temporary file.
pub(super) struct AtomicFile {
    file: PathBuf,
    part: PathBuf,
    writer: BufWriter<File>,
}

impl AtomicFile {
    /// Creates the temporary file.
    ///
    /// # Errors
    ///
    /// Returns [`CreateFileError`] if the path exists, or a file cannot be created there.
    pub(super) fn create(file: &Path) -> Result<Self, CreateFileError> {
        ensure_absent(file)?;
        let part = beside(file);
        let made = remove(&part).and_then(|()| File::create_new(&part));
        let made =
            made.map_err(|source| CreateFileError::Misplaced { file: file.to_owned(), source })?;
        Ok(Self { file: file.to_owned(), part, writer: BufWriter::new(made) })
    }

    /// Syncs the file to disk and renames it to its path.
    ///
    /// # Errors
    ///
    /// Returns the system's error, also if a file was created at the path in the meantime.
    pub(super) fn persist(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        match renameat_with(CWD, &self.part, CWD, &self.file, RenameFlags::NOREPLACE) {
            // Some file systems, such as network file systems, support only hard links here.
            Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(&self.part, &self.file),
            renamed => Ok(renamed?),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // A persisted file no longer has this name. `drop` cannot report an error.
        remove(&self.part).ok();
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(format!(".{}.part", process::id()));
    name.into()
}

/// Removes a file if it exists, such as one left by a killed process with the same id.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_created_atomically_and_never_overwrites() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("it");
        let entries = || fs::read_dir(scratch.path()).unwrap().count();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(entries(), 0);

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"mine").unwrap();
        fs::write(&path, "other").unwrap();
        assert_eq!(file.persist().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        drop(file);
        assert_eq!((fs::read(&path).unwrap(), entries()), (b"other".to_vec(), 1));
        assert!(AtomicFile::create(&path).is_err_and(|error| error.is_usage()));

        fs::remove_file(&path).unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"mine").unwrap();
        file.persist().unwrap();
        drop(file);
        assert_eq!((fs::read(&path).unwrap(), entries()), (b"mine".to_vec(), 1));
    }
}
