//! The directory of compiled code.
//!
//! Compiled code is executed outside the sandbox, so [`TrustPolicy`] never applies to the
//! directory. If another user has access to it, a private temporary directory is used instead.
//!
//! [`TrustPolicy`]: crate::util::trust::TrustPolicy

use std::env;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::util::os_error::Shortage;
use crate::util::private_dir::{DataDir, PrivateDir, PrivateDirError, exposure_at};
use crate::util::trust::{Judge, Purpose, TrustPolicy, Untrusted};

/// Name of the directory in a data directory.
const NAME: &str = "cache";
/// Name of the file with the key that authenticates compiled code.
pub(crate) const KEY: &str = "key";

/// The configured directory of compiled code, and the temporary directory that replaces it.
///
/// The temporary directory is used if another user has access to the configured directory, or if
/// the configured directory cannot be created.
#[derive(Clone, Debug)]
pub(crate) struct CodeDir {
    path: PathBuf,
    /// The data directory that contains `path`; `None` if `path` was configured explicitly.
    data: Option<DataDir>,
    temporary: PathBuf,
}

impl CodeDir {
    /// Returns the configured directory, or else the one in the data directory. Opens and creates
    /// nothing.
    pub(crate) fn new(configured: Option<PathBuf>, data: Option<DataDir>) -> Option<Self> {
        let (path, data) = match (configured, data) {
            (Some(path), _) => (path, None),
            (None, Some(data)) => (data.path().join(NAME), Some(data)),
            (None, None) => return None,
        };
        let user = rustix::process::geteuid().as_raw();
        let temporary = env::temp_dir().join(format!("ophost-cache-{user}"));
        Some(Self { path, data, temporary })
    }

    /// Opens the directory in use; `None` if it does not exist yet.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if the process or the machine ran out of a resource. The
    /// directory in use is unknown then.
    pub(crate) fn open(&self) -> Result<Option<PrivateDir>, PrivateDirError> {
        match open(&self.path) {
            Ok(Some(directory)) => Ok(Some(directory)),
            // The directory will be created for the first compiled code.
            Ok(None) if self.is_creatable() => Ok(None),
            Err(error) if is_shortage(&error) => Err(error),
            Ok(None) | Err(_) => match open(&self.temporary) {
                Err(error) if is_shortage(&error) => Err(error),
                opened => Ok(opened.ok().flatten()),
            },
        }
    }

    /// Opens the directory in use, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if neither directory can be used.
    pub(crate) fn create(&self) -> Result<PrivateDir, PrivateDirError> {
        // The error of the configured directory is returned, because users know that directory.
        self.create_configured().or_else(|error| match is_shortage(&error) {
            true => Err(error),
            false => create(&self.temporary).map_err(|_| error),
        })
    }

    /// Returns why the configured directory is not used, and the directory that is used instead.
    pub(crate) fn problem(&self) -> Option<String> {
        let problem = open(&self.path).err()?;
        Some(match create(&self.temporary) {
            Ok(_) => {
                format!("compiled plugins are cached in `{}`: {problem}", self.temporary.display())
            }
            Err(_) => format!("compiled plugins are not cached: {problem}"),
        })
    }

    fn is_creatable(&self) -> bool {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let ancestor = path.ancestors().find(|ancestor| ancestor.exists());
        ancestor.is_some_and(|path| access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok())
    }

    fn create_configured(&self) -> Result<PrivateDir, PrivateDirError> {
        if let Some(data) = &self.data {
            data.make()?;
        }
        create(&self.path)
    }
}

fn is_shortage(error: &PrivateDirError) -> bool {
    Shortage::in_chain(error).is_some()
}

fn create(path: &Path) -> Result<PrivateDir, PrivateDirError> {
    let directory = PrivateDir::create(path)?;
    check_key(&directory)?;
    Ok(directory)
}

fn open(path: &Path) -> Result<Option<PrivateDir>, PrivateDirError> {
    let directory = PrivateDir::open(path)?;
    directory.as_ref().map_or(Ok(()), check_key)?;
    Ok(directory)
}

/// Rejects a directory with a key that other users can read, because the key would let them
/// authenticate their own code.
fn check_key(directory: &PrivateDir) -> Result<(), PrivateDirError> {
    let policy = TrustPolicy::default();
    let key = directory.path().join(KEY);
    match exposure_at(&Judge::new(&policy), &key, Purpose::PrivateKey) {
        Some(exposed) => Err(Untrusted::from(exposed).into()),
        None => Ok(()),
    }
}
