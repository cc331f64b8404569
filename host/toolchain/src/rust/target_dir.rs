//! The target directories of WebAssembly builds.
//!
//! Plugins of one package share a target directory in the user's cache, so that dependencies are
//! compiled once. The name of a module in a target directory is the name of its package. If a
//! project has a package with the name of another project's package, it uses another directory.
//! Otherwise cargo would return the module of the other project.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::build::BuildEvent;
use crate::error::BuildError;
use crate::output::{lock, open_lock};

use super::package::{Package, Workspace};
use super::target::TARGETS;

/// The directory with a file for each module, which contains the path of its manifest.
const OWNERS: &str = ".ophost-owners";

/// A target directory in which each package of a workspace owns the name of its module. No other
/// build uses the directory until the value is dropped.
#[derive(Debug)]
pub(crate) struct LockedTarget {
    path: PathBuf,
    _lock: File,
}

impl LockedTarget {
    /// Locks the target directory for a workspace, and waits for other builds.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError::TargetDirectory`] if the directory cannot be written.
    pub(crate) fn acquire(
        workspace: &Workspace,
        report: &mut dyn FnMut(BuildEvent),
    ) -> Result<Self, BuildError> {
        let base = base(workspace);
        let mut number = 1;
        loop {
            let path = numbered(&base, number);
            let target = Self::lock(&path, report).and_then(|target| {
                let is_own = target.claim(&workspace.packages)?;
                Ok(is_own.then_some(target))
            });
            match target {
                Ok(Some(target)) => return Ok(target),
                Ok(None) => number += 1,
                Err(source) => return Err(BuildError::TargetDirectory { path, source }),
            }
        }
    }

    /// Returns the path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the directory for the modules and components of a workspace.
    ///
    /// It is not in the directory that the plugins of this user share, because plugins of
    /// different projects would replace each other.
    pub(crate) fn output(&self, workspace: &Workspace) -> PathBuf {
        match self.path.starts_with(&workspace.target) {
            true => self.path.clone(),
            false => workspace.target.join("wasm"),
        }
    }

    fn lock(path: &Path, report: &mut dyn FnMut(BuildEvent)) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o755).create(path.join(OWNERS))?;
        Ok(Self { path: path.to_owned(), _lock: lock(path, report)? })
    }

    /// Registers the packages as owners of their names. Returns false if another project owns one
    /// of the names.
    fn claim(&self, packages: &[Package]) -> io::Result<bool> {
        let mut free = Vec::new();
        for package in packages {
            match self.owner(package)? {
                Some(owner) if owner == package.manifest => {}
                Some(owner) if owner.exists() => return Ok(false),
                Some(_) | None => free.push(package),
            }
        }
        for package in free {
            self.remove_modules(package)?;
            let manifest = package.manifest.as_os_str().as_bytes();
            fs::write(self.owner_file(package), manifest)?;
        }
        Ok(true)
    }

    /// Returns the manifest of the package that owns the name of a package's module.
    fn owner(&self, package: &Package) -> io::Result<Option<PathBuf>> {
        match fs::read(self.owner_file(package)) {
            Ok(path) => Ok(Some(OsString::from_vec(path).into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn owner_file(&self, package: &Package) -> PathBuf {
        self.path.join(OWNERS).join(&package.library)
    }

    /// Removes the modules of a previous owner, which cargo would accept as up to date.
    fn remove_modules(&self, package: &Package) -> io::Result<()> {
        let file = format!("{}.wasm", package.library);
        for target in TARGETS {
            let profile = self.path.join(target).join("plugin");
            for path in [profile.join("deps").join(&file), profile.join(&file)] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// Returns the first target directory of a workspace.
///
/// A target directory that the author chose, and that of a workspace with several packages, is
/// respected. A separate directory in it does not wait for the lock of native builds.
fn base(workspace: &Workspace) -> PathBuf {
    let shared = workspace.is_single.then(shared).flatten();
    shared.unwrap_or_else(|| workspace.target.join("wasm"))
}

/// Returns the target directory that all plugins of this user share; `None` if it cannot be
/// created.
fn shared() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).and_then(absolute);
    let cache = cache.or_else(|| Some(env::home_dir().and_then(absolute)?.join(".cache")))?;
    let shared = cache.join("ophost/rust-target");
    // Only this user may change the code that becomes part of a plugin.
    DirBuilder::new().recursive(true).mode(0o700).create(&shared).ok()?;
    open_lock(&shared).ok().map(|_| shared)
}

fn numbered(base: &Path, number: usize) -> PathBuf {
    match number {
        1 => base.to_owned(),
        number => {
            let mut name = base.file_name().unwrap_or_default().to_owned();
            name.push(format!("-{number}"));
            base.with_file_name(name)
        }
    }
}
