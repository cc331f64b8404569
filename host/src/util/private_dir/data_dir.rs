//! The data directory of a project.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::{PrivateDir, PrivateDirError, exposure_at};
use crate::util::trust::{Judge, Purpose, TrustPolicy, Untrusted};

/// The private directories of a data directory to which a [`TrustPolicy`] applies.
const CHECKED_DIRECTORIES: [&str; 5] = ["keys", "logs", "owners", "store", "wake"];

/// The data directory of a project, which holds the private directories of the host.
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

    /// Accepts the owners and modes of a policy, except for compiled code.
    pub(crate) fn trusting(self, policy: TrustPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Returns the path of the data directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a private directory of the data directory; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// - Returns [`PrivateDirError::Untrusted`] with every untrusted path of the data directory if
    ///   the private directory is not trusted, or another user owns the data directory.
    /// - Returns [`PrivateDirError::System`] if the private directory cannot be opened.
    pub(crate) fn open(&self, name: &str) -> Result<Option<PrivateDir>, PrivateDirError> {
        self.check_owner()?;
        self.with_all(PrivateDir::open_by(&self.path.join(name), &self.policy))
    }

    /// Opens a private directory of the data directory, and creates it if it does not exist.
    ///
    /// A new data directory contains a `.gitignore` that ignores all its files.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::open`], and [`PrivateDirError::System`] if a directory cannot
    /// be created.
    pub(crate) fn create(&self, name: &str) -> Result<PrivateDir, PrivateDirError> {
        self.make()?;
        self.check_owner()?;
        self.with_all(PrivateDir::create_by(&self.path.join(name), &self.policy))
    }

    /// Creates the data directory if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError::System`] if the directory cannot be created.
    pub(crate) fn make(&self) -> Result<(), PrivateDirError> {
        if !self.path.exists() {
            let system = |source| PrivateDirError::System { path: self.path.clone(), source };
            // Independent of the umask, only this user can create files in the directory.
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o755).create(&self.path).map_err(system)?;
            fs::write(self.path.join(".gitignore"), "*\n").map_err(system)?;
        }
        Ok(())
    }

    /// Checks the owner of the data directory, because the owner can replace the directories in it.
    /// Users with write permission can only add directories, which are checked when they are used.
    fn check_owner(&self) -> Result<(), PrivateDirError> {
        let judge = Judge::new(&self.policy);
        let exposed = exposure_at(&judge, &self.path, Purpose::DataDirectory);
        match exposed.filter(|exposed| exposed.owner.is_some()) {
            Some(exposed) => Err(self.untrusted().unwrap_or_else(|| exposed.into()).into()),
            None => Ok(()),
        }
    }

    /// Replaces the error of one untrusted path by the error of all of them.
    fn with_all<T>(&self, opened: Result<T, PrivateDirError>) -> Result<T, PrivateDirError> {
        opened.map_err(|error| match error {
            PrivateDirError::Untrusted(first) => self.untrusted().unwrap_or(first).into(),
            // The cause may be that the data directory belongs to another user.
            PrivateDirError::System { path, source }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                let wrong_owner = self.untrusted().filter(|all| all.paths[0].owner.is_some());
                wrong_owner.map_or(PrivateDirError::System { path, source }, Into::into)
            }
            error @ PrivateDirError::System { .. } => error,
        })
    }

    /// Returns every path of the data directory whose owner or mode the policy does not accept.
    /// Compiled code is not checked.
    pub(crate) fn untrusted(&self) -> Option<Untrusted> {
        let judge = Judge::new(&self.policy);
        let mut exposed = Vec::new();
        exposed.extend(exposure_at(&judge, &self.path, Purpose::DataDirectory));
        for directory in CHECKED_DIRECTORIES.map(|name| self.path.join(name)) {
            exposed.extend(exposure_at(&judge, &directory, Purpose::PrivateDirectory));
            let files = fs::read_dir(&directory).into_iter().flatten().flatten();
            exposed.extend(
                files.filter_map(|it| exposure_at(&judge, &it.path(), Purpose::PrivateFile)),
            );
        }
        Untrusted::of(exposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_directory_is_created_on_first_use_and_ignored_by_git() {
        let scratch = tempfile::tempdir().unwrap();
        let data = DataDir::new(scratch.path().join(".ophost"));
        assert!(data.open("cache").unwrap().is_none());
        assert!(!scratch.path().join(".ophost").exists());
        data.create("cache").unwrap();
        assert!(data.open("cache").unwrap().is_some());
        let ignored = fs::read_to_string(scratch.path().join(".ophost/.gitignore")).unwrap();
        assert_eq!(ignored, "*\n");
    }
}
