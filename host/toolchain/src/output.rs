//! The directory of the modules and components of a project.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::build::{Artifact, BuildEvent};
use crate::error::BuildError;

/// The file that is locked during a build.
const LOCK: &str = ".ophost-lock";

/// A directory with the compiled modules and, by default, the components of a project.
pub(crate) struct OutputDirectory {
    path: PathBuf,
}

impl OutputDirectory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Locks the directory, and waits for other builds.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError::TargetDirectory`] if the directory cannot be written.
    pub(crate) fn lock(&self, report: &mut dyn FnMut(BuildEvent)) -> Result<File, BuildError> {
        let locked = fs::create_dir_all(&self.path).and_then(|()| lock(&self.path, report));
        locked.map_err(|source| BuildError::TargetDirectory { path: self.path.clone(), source })
    }

    /// Copies the module of a package into the directory, atomically.
    pub(crate) fn artifact(&self, package: &str, module: &Path) -> Result<Artifact, BuildError> {
        let wasm = self.path.join("modules").join(format!("{package}.wasm"));
        match copy(module, &wasm) {
            Ok(()) => {
                let directory = self.path.join("plugins");
                Ok(Artifact { package: package.to_owned(), wasm, directory })
            }
            Err(source) => Err(BuildError::Copy { from: module.to_owned(), to: wasm, source }),
        }
    }
}

/// Locks an existing directory, and waits for other builds.
pub(crate) fn lock(directory: &Path, report: &mut dyn FnMut(BuildEvent)) -> io::Result<File> {
    let file = open_lock(directory)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            report(BuildEvent::Waiting);
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// Opens the lock file of a directory, which must be writable.
pub(crate) fn open_lock(directory: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(directory.join(LOCK))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let directory = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut copy = NamedTempFile::new_in(directory)?;
    io::copy(&mut fs::File::open(from)?, &mut copy)?;
    copy.persist(to)?;
    Ok(())
}
