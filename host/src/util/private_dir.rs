//! Where the host keeps what it knows: directories that nobody else can write.
//!
//! A [`DataDir`] is a project's; it need not exist before something is kept. A
//! [`PrivateDir`] in it belongs to the user, nobody else can enter it, and it is held open:
//! files are opened below it, not by a path that somebody could redirect. Files appear in
//! it whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};

use crate::util::trust::{Exposed, Judge, Purpose, TrustPolicy, Untrusted};

/// The bytes of a key.
const KEY: usize = 32;
/// The private directories of a data directory that a [`TrustPolicy`] is for.
const COVERED: [&str; 5] = ["keys", "logs", "owners", "store", "wake"];

/// The directory of a project in which the host keeps what it knows.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    policy: TrustPolicy,
}

impl DataDir {
    /// Returns the directory at `path`, which need not exist.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), policy: TrustPolicy::default() }
    }

    /// Accepts the owners and modes of a policy, but for compiled code.
    pub(crate) fn trusting(self, policy: TrustPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a private directory in it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if it is not private, with every path of the data directory
    /// that is not, or if it cannot be opened.
    pub(crate) fn open(&self, name: &str) -> Result<Option<PrivateDir>, PrivateDirError> {
        self.check_owner()?;
        self.with_all(PrivateDir::open_by(&self.path.join(name), &self.policy))
    }

    /// Opens a private directory in it, which is made where it is missing. A data directory
    /// that is made here tells git to leave it alone.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub(crate) fn create(&self, name: &str) -> Result<PrivateDir, PrivateDirError> {
        self.make()?;
        self.check_owner()?;
        self.with_all(PrivateDir::create_by(&self.path.join(name), &self.policy))
    }

    /// Makes the data directory, if it is missing.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] with the system's error.
    pub(crate) fn make(&self) -> Result<(), PrivateDirError> {
        if !self.path.exists() {
            let system = |source| PrivateDirError::System { path: self.path.clone(), source };
            // Whatever the umask is: nobody else is to put anything there.
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o755).create(&self.path).map_err(system)?;
            fs::write(self.path.join(".gitignore"), "*\n").map_err(system)?;
        }
        Ok(())
    }

    /// Says whether the directory is of another user, who can put other directories in place of
    /// those in it. Others who can write to it can add some, and each is judged when it is used.
    fn check_owner(&self) -> Result<(), PrivateDirError> {
        let exposed = look(&Judge::new(&self.policy), &self.path, Purpose::DataDirectory);
        match exposed.filter(|exposed| exposed.owner.is_some()) {
            Some(exposed) => Err(self.untrusted().unwrap_or_else(|| exposed.into()).into()),
            None => Ok(()),
        }
    }

    /// Names every path of the data directory that is not private, if one is not.
    fn with_all<T>(&self, opened: Result<T, PrivateDirError>) -> Result<T, PrivateDirError> {
        opened.map_err(|error| match error {
            PrivateDirError::Untrusted(one) => self.untrusted().unwrap_or(one).into(),
            // What is missing cannot be made in a directory of another user.
            PrivateDirError::System { path, source }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                let foreign = self.untrusted().filter(|all| all.paths[0].owner.is_some());
                foreign.map_or(PrivateDirError::System { path, source }, Into::into)
            }
            error @ PrivateDirError::System { .. } => error,
        })
    }

    /// Returns every path of the data directory that other users own or have access to, as far
    /// as the policy does not accept it; compiled code is not looked at.
    pub(crate) fn untrusted(&self) -> Option<Untrusted> {
        let judge = Judge::new(&self.policy);
        let mut exposed = Vec::new();
        exposed.extend(look(&judge, &self.path, Purpose::DataDirectory));
        for directory in COVERED.map(|name| self.path.join(name)) {
            exposed.extend(look(&judge, &directory, Purpose::PrivateDirectory));
            let files = fs::read_dir(&directory).into_iter().flatten().flatten();
            exposed.extend(files.filter_map(|it| look(&judge, &it.path(), Purpose::PrivateFile)));
        }
        Untrusted::of(exposed)
    }
}

/// Which file it is, whatever its path: another one may take its place there.
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

    /// Returns whether a path leads to this file.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        fs::symlink_metadata(path)
            .is_ok_and(|found| self == Self { device: found.dev(), inode: found.ino() })
    }
}

/// Judges a path as it stands, if it is what the purpose needs: a link is not followed.
pub(crate) fn look(judge: &Judge<'_>, path: &Path, purpose: Purpose) -> Option<Exposed> {
    let status = fs::symlink_metadata(path).ok()?;
    let fits = match purpose {
        Purpose::Input | Purpose::PrivateFile | Purpose::PrivateKey => status.is_file(),
        Purpose::DataDirectory | Purpose::PrivateDirectory => status.is_dir(),
    };
    if fits { judge.exposure(path, &status, purpose) } else { None }
}

/// An open directory that only its owner can enter, and its owner is this user; or others too, as
/// far as a policy accepts them.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    directory: OwnedFd,
    path: PathBuf,
    policy: TrustPolicy,
}

impl PrivateDir {
    /// Opens a directory that no other user has access to; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if it is not private, or cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, PrivateDirError> {
        Self::open_by(path, &TrustPolicy::default())
    }

    fn open_by(path: &Path, policy: &TrustPolicy) -> Result<Option<Self>, PrivateDirError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let judge = Judge::new(policy);
        let directory = match rustix::fs::open(path, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => {
                // It may be closed to this user because it is another user's.
                let exposed = look(&judge, path, Purpose::PrivateDirectory);
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

    /// Opens a directory that no other user has access to, which is made where it is missing,
    /// with all above it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub(crate) fn create(path: &Path) -> Result<Self, PrivateDirError> {
        Self::create_by(path, &TrustPolicy::default())
    }

    fn create_by(path: &Path, policy: &TrustPolicy) -> Result<Self, PrivateDirError> {
        let system = |source| PrivateDirError::System { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(system)?;
        let missing = || system(io::ErrorKind::NotFound.into());
        Self::open_by(path, policy)?.ok_or_else(missing)
    }

    /// Opens a file for reading; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns the system's error; one that is made here if it is no regular file, or
    /// [`Untrusted`] within one if it is another user's or others can write to it.
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
            let text = format!("`{}` is no regular file", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        match Judge::new(&self.policy).exposure(&path, &status, Purpose::PrivateFile) {
            Some(exposed) => Err(not_private(exposed)),
            None => Ok(()),
        }
    }

    /// Returns the error of a file that cannot be opened: it may be another user's.
    fn denied(&self, name: &str, error: rustix::io::Errno) -> io::Error {
        let judge = Judge::new(&self.policy);
        if error == rustix::io::Errno::LOOP {
            return io::Error::other(NoLink(self.path.join(name)));
        }
        let exposed = match error {
            rustix::io::Errno::ACCESS => look(&judge, &self.path.join(name), Purpose::PrivateFile),
            _ => None,
        };
        exposed.map_or_else(|| error.into(), not_private)
    }

    /// Opens a file for reading and writing; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Self::open_file`].
    pub(crate) fn writable_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            opened => File::from(opened.map_err(|error| self.denied(name, error))?),
        };
        self.check(name, &file)?;
        Ok(Some(file))
    }

    /// Makes a file that has no lasting name yet, and returns the name that it has until
    /// [`Self::name`].
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn nameless(&self, name: &str) -> io::Result<(String, File)> {
        let temporary = self.temporary(name)?;
        let file = File::from(self.open_temporary(&temporary, OFlags::RDWR)?);
        Ok((temporary, file))
    }

    /// Gives a file of [`Self::nameless`] its name, and returns whether no file had it before.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn name(&self, temporary: &str, name: &str) -> io::Result<bool> {
        let (from, to) = (&self.directory, &self.directory);
        let linked = match rustix::fs::linkat(from, temporary, to, name, AtFlags::empty()) {
            Err(rustix::io::Errno::EXIST) => Ok(false),
            linked => linked.map(|()| true),
        };
        self.remove(temporary)?;
        Ok(linked?)
    }

    /// Opens a file for reading and writing, which is made where it is missing: one that
    /// processes write to together.
    ///
    /// # Errors
    ///
    /// As [`Self::open_file`].
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

    /// Returns the path that the directory was opened by.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file in place of an older one, in one step: no reader sees a part of it.
    /// After a failure the older one is still there. It is not forced to the disk.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn replace(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let temporary = self.write_temporary(name, parts)?;
        let renamed = rustix::fs::renameat(&self.directory, &temporary, &self.directory, name);
        self.done_with(&temporary, renamed)
    }

    /// Writes a file where there is none; leaves one that there is.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn write_new(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let temporary = self.write_temporary(name, parts)?;
        let (from, to) = (&self.directory, &self.directory);
        let linked = match rustix::fs::linkat(from, &temporary, to, name, AtFlags::empty()) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            linked => linked,
        };
        self.remove(&temporary)?;
        Ok(linked?)
    }

    /// Returns the random key in a file, which is made where there is none.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn key(&self, name: &str) -> io::Result<[u8; KEY]> {
        if let Some(key) = self.read_key(name)? {
            return Ok(key);
        }
        let mut fresh = [0; KEY];
        getrandom::fill(&mut fresh).map_err(io::Error::other)?;
        self.write_new(name, &[&fresh])?;
        // Another process may have been first.
        self.read_key(name)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Returns the key in a file; `None` if there is none. One that is too short is removed.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub(crate) fn read_key(&self, name: &str) -> io::Result<Option<[u8; KEY]>> {
        let Some(mut file) = self.open_file(name)? else { return Ok(None) };
        let mut key = [0; KEY];
        match file.read_exact(&mut key) {
            Ok(()) => Ok(Some(key)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.remove(name)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes a file, if there is one.
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

    /// Returns the files' names, without those that are being written, in no order.
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

    /// Removes what processes left that were killed while they wrote, if it is this old.
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
            if file.metadata()?.modified()?.elapsed().is_ok_and(|found| found > age) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Returns the error that says what the system answered for a file here.
    pub(crate) fn failed(&self, source: io::Error) -> PrivateDirError {
        PrivateDirError::System { path: self.path.clone(), source }
    }

    fn write_temporary(&self, name: &str, parts: &[&[u8]]) -> io::Result<String> {
        let temporary = self.temporary(name)?;
        let mut file = File::from(self.open_temporary(&temporary, OFlags::WRONLY)?);
        let written = parts.iter().try_for_each(|part| file.write_all(part));
        match written {
            Ok(()) => Ok(temporary),
            Err(error) => {
                // The first error says more than one from cleaning up.
                self.remove(&temporary).ok();
                Err(error)
            }
        }
    }

    /// Returns a name that no file has.
    fn temporary(&self, name: &str) -> io::Result<String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{name}.{}.{number}", std::process::id());
        // A process of the same number that was killed may have left one.
        self.remove(&temporary)?;
        Ok(temporary)
    }

    fn open_temporary(&self, temporary: &str, access: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::openat(&self.directory, temporary, flags, Mode::RUSR | Mode::WUSR)
    }

    fn done_with(&self, temporary: &str, result: rustix::io::Result<()>) -> io::Result<()> {
        if result.is_err() {
            // As above.
            self.remove(temporary).ok();
        }
        Ok(result?)
    }
}

fn not_private(exposed: Exposed) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, Untrusted::from(exposed))
}

/// A file of the data directory is reached by a link, and would not be a private one there.
#[derive(Debug, thiserror::Error)]
#[error("`{}` may not be a symbolic link", .0.display())]
pub(crate) struct NoLink(PathBuf);

/// A directory that cannot be used for what the host trusts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PrivateDirError {
    /// Others own it, or have access to it.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The system's answer.
    #[error("cannot use `{}`: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
}

impl PrivateDirError {
    fn system(path: &Path, error: rustix::io::Errno) -> Self {
        Self::System { path: path.to_owned(), source: error.into() }
    }
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
    fn a_directory_is_made_private_and_files_in_it_are_replaced_whole() {
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
    fn a_key_is_made_once_and_anew_where_it_is_cut() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = PrivateDir::create(&scratch.path().join("a")).unwrap();
        assert_eq!(directory.read_key("key").unwrap(), None);
        let key = directory.key("key").unwrap();
        assert_eq!(directory.key("key").unwrap(), key);
        directory.replace("key", &[b"short"]).unwrap();
        assert_ne!(directory.key("key").unwrap(), key);
    }

    #[test]
    fn a_data_directory_is_made_when_something_is_kept_and_git_leaves_it_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let data = DataDir::new(scratch.path().join(".ophost"));
        assert!(data.open("cache").unwrap().is_none());
        assert!(!scratch.path().join(".ophost").exists());
        data.create("cache").unwrap();
        assert!(data.open("cache").unwrap().is_some());
        let ignored = fs::read_to_string(scratch.path().join(".ophost/.gitignore")).unwrap();
        assert_eq!(ignored, "*\n");
    }

    #[test]
    fn a_directory_that_others_can_enter_is_refused() {
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
    fn what_is_no_private_file_is_not_opened() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("d");
        let directory = PrivateDir::create(&path).unwrap();
        directory.replace("loose", &[b"x"]).unwrap();
        fs::set_permissions(path.join("loose"), fs::Permissions::from_mode(0o666)).unwrap();
        fs::create_dir(path.join("folder")).unwrap();
        symlink("loose", path.join("link")).unwrap();
        for name in ["loose", "folder", "link"] {
            assert!(directory.open_file(name).is_err(), "{name}");
            assert!(directory.open_or_create(name).is_err(), "{name}");
        }
        drop(directory.open_or_create("new").unwrap());
        assert!(directory.open_file("new").unwrap().is_some());
    }
}
