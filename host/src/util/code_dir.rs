//! Where compiled code is kept.
//!
//! What is loaded from there is executed outside of any sandbox, so no [`TrustPolicy`] covers it:
//! a directory that another user has access to is not used. Another one, which is private, is
//! used in its place.
//!
//! [`TrustPolicy`]: crate::util::trust::TrustPolicy

use std::env;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::util::os_error::Shortage;
use crate::util::private_dir::{DataDir, PrivateDir, PrivateDirError, exposure_at};
use crate::util::trust::{Judge, Purpose, TrustPolicy, Untrusted};

/// The directory in a data directory.
const NAME: &str = "cache";
/// The file that holds the key by which code is sealed.
pub(crate) const KEY: &str = "key";

/// Where compiled code is kept: in a directory of its own; if another user has access to that, or
/// it cannot be made, in a directory of this user among the temporary files.
#[derive(Clone, Debug)]
pub(crate) struct CodeDir {
    path: PathBuf,
    /// The data directory that it is in, unless it was named.
    data: Option<DataDir>,
    temporary: PathBuf,
}

impl CodeDir {
    /// Returns the directory of that name; without one, that of a data directory. Nothing is
    /// opened or made.
    pub(crate) fn new(named: Option<PathBuf>, data: Option<DataDir>) -> Option<Self> {
        let (path, data) = match (named, data) {
            (Some(path), _) => (path, None),
            (None, Some(data)) => (data.path().join(NAME), Some(data)),
            (None, None) => return None,
        };
        let user = rustix::process::geteuid().as_raw();
        let temporary = env::temp_dir().join(format!("ophost-cache-{user}"));
        Some(Self { path, data, temporary })
    }

    /// Opens the directory that is used; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if the host ran out of something, so that it is unknown which
    /// directory is used.
    pub(crate) fn open(&self) -> Result<Option<PrivateDir>, PrivateDirError> {
        match open(&self.path) {
            Ok(Some(own)) => Ok(Some(own)),
            // There is nothing yet, and what comes next is kept there.
            Ok(None) if self.can_be_made() => Ok(None),
            Err(error) if is_shortage(&error) => Err(error),
            Ok(None) | Err(_) => match open(&self.temporary) {
                Err(error) if is_shortage(&error) => Err(error),
                opened => Ok(opened.ok().flatten()),
            },
        }
    }

    /// Opens the directory that is used, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if neither place can be used.
    pub(crate) fn create(&self) -> Result<PrivateDir, PrivateDirError> {
        // The first error says what is wrong with the place that was meant.
        self.create_own().or_else(|error| match is_shortage(&error) {
            true => Err(error),
            false => create(&self.temporary).map_err(|_| error),
        })
    }

    /// Returns why the directory is not used, and which one is used instead.
    pub(crate) fn problem(&self) -> Option<String> {
        let problem = open(&self.path).err()?;
        Some(match create(&self.temporary) {
            Ok(_) => {
                format!("compiled plugins are kept in `{}`: {problem}", self.temporary.display())
            }
            Err(_) => format!("compiled plugins are not kept: {problem}"),
        })
    }

    fn can_be_made(&self) -> bool {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let above = path.ancestors().find(|above| above.exists());
        above.is_some_and(|above| access(above, Access::WRITE_OK | Access::EXEC_OK).is_ok())
    }

    fn create_own(&self) -> Result<PrivateDir, PrivateDirError> {
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
    checked(&directory)?;
    Ok(directory)
}

fn open(path: &Path) -> Result<Option<PrivateDir>, PrivateDirError> {
    let directory = PrivateDir::open(path)?;
    directory.as_ref().map_or(Ok(()), checked)?;
    Ok(directory)
}

/// Refuses a directory whose key others could read: they could seal code of their own with it.
fn checked(directory: &PrivateDir) -> Result<(), PrivateDirError> {
    let nobody = TrustPolicy::default();
    let key = directory.path().join(KEY);
    match exposure_at(&Judge::new(&nobody), &key, Purpose::PrivateKey) {
        Some(exposed) => Err(Untrusted::from(exposed).into()),
        None => Ok(()),
    }
}
