//! A file that a command makes: it appears whole or not at all, and takes the place of nothing.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use ophost::os_error;

/// There is no such file now; what was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum CreateFileError {
    /// It cannot be where it was wanted. Nothing was written.
    #[error("cannot write `{}`", file.display())]
    Misplaced { file: PathBuf, source: io::Error },
    /// The system failed while it was written.
    #[error("cannot write `{}`", file.display())]
    Unfinished { file: PathBuf, source: io::Error },
}

impl CreateFileError {
    /// Returns whether another name would help.
    pub(super) fn is_usage(&self) -> bool {
        use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound, PermissionDenied};
        let wrong = [AlreadyExists, NotADirectory, NotFound, PermissionDenied];
        matches!(self, Self::Misplaced { source, .. } if wrong.contains(&source.kind()))
    }

    pub(super) fn hint(&self) -> Option<String> {
        let (Self::Misplaced { source, .. } | Self::Unfinished { source, .. }) = self;
        let is_taken = source.kind() == io::ErrorKind::AlreadyExists;
        let taken = is_taken.then_some("what is there is not written over: name another file");
        taken.or_else(|| os_error::hint(source)).map(ToOwned::to_owned)
    }
}

/// Makes sure that there is nothing of that name yet, and a directory for it.
///
/// # Errors
///
/// Returns [`CreateFileError`] where a file cannot be made there.
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

/// A file that is being written, under another name beside its own. One that is not kept is gone.
pub(super) struct AtomicFile {
    file: PathBuf,
    part: PathBuf,
    writer: BufWriter<File>,
}

impl AtomicFile {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// Returns [`CreateFileError`] if there is one of that name, or none can be made there.
    pub(super) fn create(file: &Path) -> Result<Self, CreateFileError> {
        ensure_absent(file)?;
        let part = beside(file);
        let made = remove(&part).and_then(|()| File::create_new(&part));
        let made =
            made.map_err(|source| CreateFileError::Misplaced { file: file.to_owned(), source })?;
        Ok(Self { file: file.to_owned(), part, writer: BufWriter::new(made) })
    }

    /// Forces what was written to the disk and gives the file its name.
    ///
    /// # Errors
    ///
    /// Returns the system's error, also where somebody else made a file of that name meanwhile.
    pub(super) fn persist(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        match renameat_with(CWD, &self.part, CWD, &self.file, RenameFlags::NOREPLACE) {
            // Some file systems, such as those of a network, cannot do that, but link.
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
        // What was kept has another name by now. There is nobody to tell if this fails.
        remove(&self.part).ok();
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(format!(".{}.part", process::id()));
    name.into()
}

/// Removes what may be there: also what a process of the same number left when it was killed.
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
    fn a_file_appears_whole_or_not_at_all_and_replaces_nothing() {
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
        fs::write(&path, "somebody else's").unwrap();
        assert_eq!(file.persist().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        drop(file);
        assert_eq!((fs::read(&path).unwrap(), entries()), (b"somebody else's".to_vec(), 1));
        assert!(AtomicFile::create(&path).is_err_and(|error| error.is_usage()));

        fs::remove_file(&path).unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"mine").unwrap();
        file.persist().unwrap();
        drop(file);
        assert_eq!((fs::read(&path).unwrap(), entries()), (b"mine".to_vec(), 1));
    }
}
