//! Writes files atomically: under a temporary name in the same directory, then renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tempfile::TempPath;

use ophost::os_error;

/// The mode of a new file, from which the system subtracts the umask.
const DEFAULT_MODE: u32 = 0o666;

/// An error while a file is created. An existing file is unchanged.
#[derive(Debug, thiserror::Error)]
pub(super) enum CreateFileError {
    /// The file cannot be created at this path. Nothing was written.
    #[error("cannot write `{}`", file.display())]
    Misplaced { file: PathBuf, source: io::Error },
    /// The system failed while the file was written or synced.
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
            fs::metadata(directory_of(file)).map(drop)
        }
        Err(error) => Err(error),
    }
}

/// A file that is written under a temporary name in the same directory.
///
/// Dropping it before [`AtomicFile::persist`] or [`AtomicFile::persist_noclobber`] removes the
/// temporary file.
pub(super) struct AtomicFile {
    file: PathBuf,
    temporary: TempPath,
    writer: BufWriter<File>,
}

impl AtomicFile {
    /// Creates the temporary file for a new file with the default permissions.
    ///
    /// # Errors
    ///
    /// Returns [`CreateFileError`] if the path exists, or a file cannot be created there.
    pub(super) fn create(file: &Path) -> Result<Self, CreateFileError> {
        ensure_absent(file)?;
        Self::with_mode(file, DEFAULT_MODE)
            .map_err(|source| CreateFileError::Misplaced { file: file.to_owned(), source })
    }

    /// Creates the temporary file for a new or existing file. The file gets this mode minus the
    /// umask.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(super) fn with_mode(file: &Path, mode: u32) -> io::Result<Self> {
        let mut options = File::options();
        options.write(true).create_new(true).mode(mode);
        // The suffix keeps a host that watches the directory from loading the file as a plugin.
        // `make_in` and `TempPath` are used because other errors of `tempfile` lose the error
        // number, from which the hint is derived.
        let (writer, temporary) = tempfile::Builder::new()
            .prefix(".ophost-")
            .suffix(".part")
            .make_in(directory_of(file), |path| options.open(path))?
            .into_parts();
        Ok(Self { file: file.to_owned(), temporary, writer: BufWriter::new(writer) })
    }

    /// Syncs the file to disk and renames it to its path, replacing an existing file.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(super) fn persist(self) -> io::Result<()> {
        self.rename(|temporary, file| temporary.persist(file).map_err(|error| error.error))
    }

    /// Syncs the file to disk and renames it to its path, unless a file exists there.
    ///
    /// # Errors
    ///
    /// Returns the system's error, also if a file was created at the path in the meantime.
    pub(super) fn persist_noclobber(self) -> io::Result<()> {
        self.rename(|temporary, file| {
            temporary.persist_noclobber(file).map_err(|error| error.error)
        })
    }

    fn rename(mut self, rename: impl FnOnce(TempPath, &Path) -> io::Result<()>) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        rename(self.temporary, &self.file)?;
        sync_directory(directory_of(&self.file))
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

fn directory_of(file: &Path) -> &Path {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// Syncs a directory, so that a renamed file survives a crash of the system.
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // The directory is not readable, or its file system does not sync directories. The file
        // itself has been synced and renamed.
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt as _;

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    fn entry_count(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn dropped_file_is_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("it");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        assert_eq!(entry_count(scratch.path()), 1);
        drop(file);
        assert_eq!(entry_count(scratch.path()), 0);
    }

    #[test]
    fn existing_file_is_not_overwritten() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("it");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"mine").unwrap();
        fs::write(&path, "other").unwrap();
        let error = file.persist_noclobber().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"other");
        assert_eq!(entry_count(scratch.path()), 1);
        assert!(AtomicFile::create(&path).is_err_and(|error| error.is_usage()));
    }

    #[test]
    fn new_file_has_the_default_permissions() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, plain) = (scratch.path().join("it"), scratch.path().join("plain"));
        fs::write(&plain, "").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"mine").unwrap();
        file.persist_noclobber().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(mode(&path), mode(&plain));
        assert_eq!(entry_count(scratch.path()), 2);
    }

    #[test]
    fn existing_file_is_replaced() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a.wasm");
        for content in ["old", "new"] {
            let mut file = AtomicFile::with_mode(&path, 0o644).unwrap();
            assert_eq!(file.temporary.extension(), Some("part".as_ref()));
            file.write_all(content.as_bytes()).unwrap();
            file.persist().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(mode(&path) & !0o644, 0);
        assert_eq!(entry_count(scratch.path()), 1);
    }

    #[test]
    fn error_of_a_missing_directory_has_its_number() {
        let error = AtomicFile::with_mode(Path::new("/missing/it"), DEFAULT_MODE).err().unwrap();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::NOENT));
    }
}
