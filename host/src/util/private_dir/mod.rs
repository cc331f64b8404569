//! Directories for host state that are owned by the current user and closed to others.
//!
//! The [`DataDir`] of a project contains several [`PrivateDir`]s and is created on first use. A
//! [`PrivateDir`] is an open directory, so files are opened relative to its file descriptor and not
//! by a path that another user could redirect. Files are written atomically.

mod data_dir;
mod error;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};

pub(crate) use self::data_dir::DataDir;
pub(crate) use self::error::{NoLink, PrivateDirError};
use crate::util::trust::{Exposed, Judge, Purpose, TrustPolicy, Untrusted};

/// Size of a key, in bytes.
const KEY_BYTES: usize = 32;

/// The identity of a file, which is independent of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Returns the id of an open file.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let status = file.metadata()?;
        Ok(Self { device: status.dev(), inode: status.ino() })
    }

    /// Returns whether this file is at the path.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        fs::symlink_metadata(path)
            .is_ok_and(|found| self == Self { device: found.dev(), inode: found.ino() })
    }
}

/// Returns why the file at a path is not trusted; `None` if it is trusted, is missing, or has
/// another type than the purpose requires. Symbolic links are not followed.
pub(crate) fn exposure_at(judge: &Judge<'_>, path: &Path, purpose: Purpose) -> Option<Exposed> {
    let status = fs::symlink_metadata(path).ok()?;
    let has_type = match purpose {
        Purpose::Input | Purpose::PrivateFile | Purpose::PrivateKey => status.is_file(),
        Purpose::DataDirectory | Purpose::PrivateDirectory => status.is_dir(),
    };
    if has_type { judge.exposure(path, &status, purpose) } else { None }
}

/// An open directory that belongs to this user and is closed to other users, except those that a
/// policy accepts.
///
/// All methods work on the file descriptor of the directory. A path could be redirected by another
/// user, which is why the crate `tempfile` is not used here: it works with paths.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    directory: OwnedFd,
    path: PathBuf,
    policy: TrustPolicy,
}

impl PrivateDir {
    /// Opens a directory that no other user has access to; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// - Returns [`PrivateDirError::Untrusted`] if another user owns the directory or has access.
    /// - Returns [`PrivateDirError::System`] if the directory cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, PrivateDirError> {
        Self::open_by(path, &TrustPolicy::default())
    }

    fn open_by(path: &Path, policy: &TrustPolicy) -> Result<Option<Self>, PrivateDirError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let judge = Judge::new(policy);
        let directory = match rustix::fs::open(path, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => {
                // The cause may be that the directory belongs to another user.
                let exposed = exposure_at(&judge, path, Purpose::PrivateDirectory);
                return Err(exposed.map_or_else(
                    || PrivateDirError::system(path, error),
                    |exposed| Untrusted::from(exposed).into(),
                ));
            }
            Ok(directory) => directory,
        };
        let status =
            rustix::fs::fstat(&directory).map_err(|error| PrivateDirError::system(path, error))?;
        match judge.exposure(path, &status, Purpose::PrivateDirectory) {
            Some(exposed) => Err(Untrusted::from(exposed).into()),
            None => Ok(Some(Self { directory, path: path.to_owned(), policy: policy.clone() })),
        }
    }

    /// Opens a directory that no other user has access to. If the directory does not exist, creates
    /// the directory and its parents.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::open`], and [`PrivateDirError::System`] if a directory cannot
    /// be created.
    pub(crate) fn create(path: &Path) -> Result<Self, PrivateDirError> {
        Self::create_by(path, &TrustPolicy::default())
    }

    fn create_by(path: &Path, policy: &TrustPolicy) -> Result<Self, PrivateDirError> {
        let system = |source| PrivateDirError::System { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(system)?;
        let missing = || system(io::ErrorKind::NotFound.into());
        Self::open_by(path, policy)?.ok_or_else(missing)
    }

    /// Opens a file for reading; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// - Returns the system's error if the file cannot be opened.
    /// - Returns an error of the kind `PermissionDenied` if the file is not a regular file, or an
    ///   error with [`Untrusted`] inside if another user owns the file or can write to it.
    /// - Returns an error with [`NoLink`] inside if the file is a symbolic link.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            opened => File::from(opened.map_err(|error| self.denied(name, error))?),
        };
        self.check(name, &file)?;
        Ok(Some(file))
    }

    fn check(&self, name: &str, file: &File) -> io::Result<()> {
        let (path, status) = (self.path.join(name), file.metadata()?);
        if !status.is_file() {
            let text = format!("`{}` is not a regular file", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        match Judge::new(&self.policy).exposure(&path, &status, Purpose::PrivateFile) {
            Some(exposed) => Err(not_private(exposed)),
            None => Ok(()),
        }
    }

    /// Returns the error of a file that cannot be opened. The cause may be its owner.
    fn denied(&self, name: &str, error: rustix::io::Errno) -> io::Error {
        let judge = Judge::new(&self.policy);
        if error == rustix::io::Errno::LOOP {
            return io::Error::other(NoLink(self.path.join(name)));
        }
        let exposed = match error {
            rustix::io::Errno::ACCESS => {
                exposure_at(&judge, &self.path.join(name), Purpose::PrivateFile)
            }
            _ => None,
        };
        exposed.map_or_else(|| error.into(), not_private)
    }

    /// Opens a file for reading and writing; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::open_file`].
    pub(crate) fn writable_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            opened => File::from(opened.map_err(|error| self.denied(name, error))?),
        };
        self.check(name, &file)?;
        Ok(Some(file))
    }

    /// Creates a file with a temporary name, for [`Self::persist_noclobber`], and returns the name.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn create_temporary(&self, name: &str) -> io::Result<(String, File)> {
        let temporary = self.temporary_name(name)?;
        let file = File::from(self.open_temporary(&temporary, OFlags::RDWR)?);
        Ok((temporary, file))
    }

    /// Renames a temporary file, and returns `false` if a file with the new name exists.
    ///
    /// An existing file is not overwritten. The temporary name is removed in every case.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn persist_noclobber(&self, temporary: &str, name: &str) -> io::Result<bool> {
        let (from, to) = (&self.directory, &self.directory);
        let linked = match rustix::fs::linkat(from, temporary, to, name, AtFlags::empty()) {
            Err(rustix::io::Errno::EXIST) => Ok(false),
            linked => linked.map(|()| true),
        };
        self.remove(temporary)?;
        Ok(linked?)
    }

    /// Opens a file that several processes share for reading and writing, and creates it if it does
    /// not exist.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::open_file`].
    pub(crate) fn open_or_create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let opened = rustix::fs::openat(&self.directory, name, flags, mode);
        let file = File::from(opened.map_err(|error| self.denied(name, error))?);
        self.check(name, &file)?;
        Ok(file)
    }

    /// Returns the open directory.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Returns the path with which the directory was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file atomically, replacing an existing one. The file is not synced to disk.
    ///
    /// If writing fails, the existing file is unchanged.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn replace(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let temporary = self.write_temporary(name, parts)?;
        let renamed = self.rename(&temporary, name);
        if renamed.is_err() {
            // The first error is returned, and an error of the cleanup is ignored.
            self.remove(&temporary).ok();
        }
        renamed
    }

    /// Renames a temporary file. Replaces an existing file.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn rename(&self, temporary: &str, name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.directory, temporary, &self.directory, name)?)
    }

    /// Writes a file atomically, unless it exists. The file is not synced to disk.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn write_new(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let temporary = self.write_temporary(name, parts)?;
        self.persist_noclobber(&temporary, name).map(drop)
    }

    /// Returns the random key in a file, and creates the file if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn key(&self, name: &str) -> io::Result<[u8; KEY_BYTES]> {
        if let Some(key) = self.read_key(name)? {
            return Ok(key);
        }
        let mut fresh = [0; KEY_BYTES];
        getrandom::fill(&mut fresh).map_err(io::Error::other)?;
        self.write_new(name, &[&fresh])?;
        // Another process may have created the file first.
        self.read_key(name)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Returns the key in a file; `None` if the file does not exist. A file that is too short is
    /// removed.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn read_key(&self, name: &str) -> io::Result<Option<[u8; KEY_BYTES]>> {
        let Some(mut file) = self.open_file(name)? else { return Ok(None) };
        let mut key = [0; KEY_BYTES];
        match file.read_exact(&mut key) {
            Ok(()) => Ok(Some(key)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.remove(name)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes a file if it exists.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.directory, name, AtFlags::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Returns the names of the files, except temporary files, in no particular order.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if !name.starts_with('.') {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    /// Removes temporary files that are older than `age`. Processes that are killed leave them.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn remove_stale_temp(&self, age: Duration) -> io::Result<()> {
        for entry in Dir::read_from(&self.directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') || [".", ".."].contains(&name.as_str()) {
                continue;
            }
            let Ok(Some(file)) = self.open_file(&name) else { continue };
            if file.metadata()?.modified()?.elapsed().is_ok_and(|elapsed| elapsed > age) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Returns the error of the directory for an error of the system.
    pub(crate) fn failed(&self, source: io::Error) -> PrivateDirError {
        PrivateDirError::System { path: self.path.clone(), source }
    }

    fn write_temporary(&self, name: &str, parts: &[&[u8]]) -> io::Result<String> {
        let temporary = self.temporary_name(name)?;
        let mut file = File::from(self.open_temporary(&temporary, OFlags::WRONLY)?);
        let written = parts.iter().try_for_each(|part| file.write_all(part));
        match written {
            Ok(()) => Ok(temporary),
            Err(error) => {
                // The first error is returned, and an error of the cleanup is ignored.
                self.remove(&temporary).ok();
                Err(error)
            }
        }
    }

    /// Returns a temporary name that no file has.
    fn temporary_name(&self, name: &str) -> io::Result<String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{name}.{}.{number}", std::process::id());
        // A killed process with the same id may have left a file with this name.
        self.remove(&temporary)?;
        Ok(temporary)
    }

    fn open_temporary(&self, temporary: &str, access: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::openat(&self.directory, temporary, flags, Mode::RUSR | Mode::WUSR)
    }
}

fn not_private(exposed: Exposed) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, Untrusted::from(exposed))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn content(directory: &PrivateDir, name: &str) -> Option<String> {
        let mut text = String::new();
        directory.open_file(name).unwrap()?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn created_directory_is_private_and_its_files_are_replaced_atomically() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a/b");
        assert!(PrivateDir::open(&path).unwrap().is_none());
        let directory = PrivateDir::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        directory.replace("x", &[b"old"]).unwrap();
        directory.replace("x", &[b"n", b"ew"]).unwrap();
        directory.write_new("x", &[b"other"]).unwrap();
        directory.write_new("y", &[b"first"]).unwrap();
        assert_eq!(content(&directory, "x").as_deref(), Some("new"));
        assert_eq!(content(&directory, "y").as_deref(), Some("first"));
        assert_eq!(content(&directory, "z"), None);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
        directory.remove("x").unwrap();
        directory.remove("x").unwrap();
        assert_eq!(directory.names().unwrap(), ["y"]);
    }

    #[test]
    fn key_is_created_once_and_again_if_it_is_too_short() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = PrivateDir::create(&scratch.path().join("a")).unwrap();
        assert_eq!(directory.read_key("key").unwrap(), None);
        let key = directory.key("key").unwrap();
        assert_eq!(directory.key("key").unwrap(), key);
        directory.replace("key", &[b"short"]).unwrap();
        assert_ne!(directory.key("key").unwrap(), key);
    }

    #[test]
    fn directory_that_other_users_can_enter_is_rejected() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("open");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o705)).unwrap();
        assert!(matches!(PrivateDir::create(&path), Err(PrivateDirError::Untrusted(_))));
        let link = scratch.path().join("link");
        symlink(scratch.path(), &link).unwrap();
        assert!(matches!(PrivateDir::open(&link), Err(PrivateDirError::System { .. })));
    }

    #[test]
    fn file_that_is_not_private_is_not_opened() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("d");
        let directory = PrivateDir::create(&path).unwrap();
        directory.replace("writable", &[b"x"]).unwrap();
        fs::set_permissions(path.join("writable"), fs::Permissions::from_mode(0o666)).unwrap();
        fs::create_dir(path.join("folder")).unwrap();
        symlink("writable", path.join("link")).unwrap();
        for name in ["writable", "folder", "link"] {
            assert!(directory.open_file(name).is_err(), "{name}");
            assert!(directory.open_or_create(name).is_err(), "{name}");
        }
        drop(directory.open_or_create("new").unwrap());
        assert!(directory.open_file("new").unwrap().is_some());
    }
}
