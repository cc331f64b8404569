//! The files of plugin directories: which ones there are, and reading one safely.
//!
//! A directory is a place where people drop things: links, pipes, halves of files. What is
//! not a plain file that only its owner can write is refused with a reason, and nothing
//! here waits for anything but the disk.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::error::{FileError, RegistryError};
use crate::clock;

/// The largest file that is looked at, in bytes. A Python component has 20 MB.
pub(super) const MAX_FILE: u64 = 64 << 20;
/// The most plugin files in one directory.
pub(super) const MAX_FILES: usize = 10_000;
/// A file that was changed this shortly before it was read may change again without a
/// change of its times: clocks of file systems are coarse.
const RACY: Duration = Duration::from_secs(2);
/// How often a file that changes while it is read is read again, and after how long.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// The permission of everybody to write.
const WORLD_WRITABLE: u32 = 0o002;

/// What the system says of a file: another content has another identity, unless it was
/// written within the clock's resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970, as are all times here.
    modified: i64,
    changed: i64,
}

impl Identity {
    fn of(status: &Metadata) -> Self {
        // A file may have any time, also one of which 64 bits cannot hold the nanoseconds.
        let nanoseconds =
            |seconds: i64, more: i64| seconds.saturating_mul(1_000_000_000).saturating_add(more);
        Self {
            device: status.dev(),
            inode: status.ino(),
            size: status.size(),
            modified: nanoseconds(status.mtime(), status.mtime_nsec()),
            changed: nanoseconds(status.ctime(), status.ctime_nsec()),
        }
    }

    /// Returns whether a content that was read at that time is sure to be the content of all
    /// files of this identity.
    pub(super) fn is_settled_at(&self, read_at: i64) -> bool {
        let racy = i64::try_from(RACY.as_nanos()).unwrap_or(i64::MAX);
        self.modified.max(self.changed).saturating_add(racy) < read_at
    }
}

/// Returns the time in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    i64::try_from(clock::since_1970(SystemTime::now()).as_nanos()).unwrap_or(i64::MAX)
}

/// A file that may be a plugin.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Where it is in the plugin directory.
    pub(super) path: PathBuf,
    /// What is to be read: where a link leads to, else `path`.
    pub(super) target: PathBuf,
    pub(super) identity: Identity,
}

/// A file that was found: a candidate, or why it is none.
pub(super) type Found = Result<Candidate, (PathBuf, FileError)>;

/// Where plugins may be.
#[derive(Clone, Debug)]
pub(super) struct Directories {
    pub(super) paths: Vec<PathBuf>,
    /// Whether directories and files that everybody can write are used all the same.
    pub(super) trust_world_writable: bool,
}

impl Directories {
    /// Returns every `*.wasm` file, in the order of the directories and of their names. A
    /// directory that does not exist holds nothing, one that is named twice is read once.
    ///
    /// # Errors
    ///
    /// Returns [`RegistryError`] if a directory cannot be read or is not to be trusted.
    pub(super) fn files(&self) -> Result<Vec<Found>, RegistryError> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for directory in &self.paths {
            let Some(status) = self.check(directory)? else { continue };
            if seen.insert((status.dev(), status.ino())) {
                let paths = wasm_files(directory)?;
                found.extend(paths.into_iter().map(|path| self.look(directory, path)));
            }
        }
        refuse_doubles(&mut found);
        Ok(found)
    }

    /// Returns a file's path in the same words for whoever names these directories otherwise:
    /// the number of the directory, and the name.
    pub(super) fn portable(&self, path: &Path) -> Option<PathBuf> {
        let number = self.paths.iter().position(|directory| path.parent() == Some(directory))?;
        Some(Path::new(&number.to_string()).join(path.file_name()?))
    }

    /// Returns the path that [`Self::portable`] was made of.
    pub(super) fn local(&self, portable: &Path) -> Option<PathBuf> {
        let number: usize = portable.parent()?.to_str()?.parse().ok()?;
        Some(self.paths.get(number)?.join(portable.file_name()?))
    }

    /// Looks at one file again that an index speaks of.
    pub(super) fn file(&self, path: &Path) -> Option<Candidate> {
        let directory = self.paths.iter().find(|directory| path.parent() == Some(directory))?;
        self.check(directory).ok()??;
        self.look(directory, path.to_owned()).ok()
    }

    fn check(&self, path: &Path) -> Result<Option<Metadata>, RegistryError> {
        let failed = |source| RegistryError::Directory { path: path.to_owned(), source };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(status) if self.is_open_to_all(&status) => {
                Err(RegistryError::WorldWritable { path: path.to_owned() })
            }
            status => status.map(Some).map_err(failed),
        }
    }

    fn is_open_to_all(&self, status: &Metadata) -> bool {
        !self.trust_world_writable && status.mode() & WORLD_WRITABLE != 0
    }

    fn look(&self, directory: &Path, path: PathBuf) -> Found {
        match self.resolve(directory, &path) {
            Ok((target, identity)) => Ok(Candidate { path, target, identity }),
            Err(reason) => Err((path, reason)),
        }
    }

    fn resolve(&self, directory: &Path, path: &Path) -> Result<(PathBuf, Identity), FileError> {
        let link = fs::symlink_metadata(path)?;
        let (target, status) = if link.is_symlink() {
            let target = fs::canonicalize(path)?;
            if !target.starts_with(fs::canonicalize(directory)?) {
                return Err(FileError::Outside { target });
            }
            let status = fs::metadata(&target)?;
            (target, status)
        } else {
            (path.to_owned(), link)
        };
        if !status.is_file() {
            return Err(FileError::NotAFile);
        }
        if status.len() > MAX_FILE {
            return Err(FileError::TooLarge);
        }
        if self.is_open_to_all(&status) {
            return Err(FileError::WorldWritable);
        }
        Ok((target, Identity::of(&status)))
    }
}

fn wasm_files(directory: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let failed = |source| RegistryError::Directory { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(RegistryError::TooMany { path: directory.to_owned() });
        }
    }
    files.sort();
    Ok(files)
}

/// Leaves one of several names of one file: a plain one before a link, then the first.
fn refuse_doubles(found: &mut [Found]) {
    let mut first = HashMap::new();
    for candidate in found.iter().flatten() {
        let Identity { device, inode, .. } = candidate.identity;
        let is_link = candidate.target != candidate.path;
        let kept = first.entry((device, inode)).or_insert((is_link, candidate.path.clone()));
        if kept.0 && !is_link {
            *kept = (is_link, candidate.path.clone());
        }
    }
    for place in found {
        let Ok(Candidate { path, identity, .. }) = place else { continue };
        let (_, kept) = &first[&(identity.device, identity.inode)];
        if kept != path {
            *place = Err((path.clone(), FileError::Double { of: kept.clone() }));
        }
    }
}

/// Reads a file: the bytes are one content that it had, whole, at the time of its identity.
///
/// # Errors
///
/// Returns [`FileError`] if it is no regular file, too large, cannot be read, or goes on
/// changing.
pub(crate) async fn read_plugin(path: &Path) -> Result<(Vec<u8>, Identity), FileError> {
    for _ in 0..TRIES {
        if let Some(read) = read_once(path)? {
            return Ok(read);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(FileError::Changing)
}

fn read_once(path: &Path) -> Result<Option<(Vec<u8>, Identity)>, FileError> {
    // Opening a pipe must not wait for a writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let status = file.metadata()?;
    if !status.is_file() {
        return Err(FileError::NotAFile);
    }
    let bytes = read_bounded(&file, status.len())?;
    let (before, after) = (Identity::of(&status), Identity::of(&file.metadata()?));
    Ok((before == after && bytes.len() as u64 == before.size).then_some((bytes, before)))
}

fn read_bounded(file: &File, size: u64) -> Result<Vec<u8>, FileError> {
    if size > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    Ok(bytes)
}
