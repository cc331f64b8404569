//! Finds the files of the plugin directories, and reads one safely.
//!
//! A plugin directory can contain anything: links, pipes, partly copied files. An entry that is
//! not a regular file, or that other users can write, is rejected with a reason. The trust policy
//! can allow files that other users can write.
//!
//! # Blocking
//!
//! Functions block only on disk I/O. Pipes are opened with `O_NONBLOCK`.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirEntry, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::error::{FileError, IgnoredReason, RegistryError};
use crate::util::clock;
use crate::util::trust::{Exposed, Judge, Purpose, TrustPolicy, Untrusted};

/// Maximum size of a plugin file, in bytes. A Python component has 20 MB.
pub(super) const MAX_FILE: u64 = 64 << 20;
/// Maximum number of plugin files in one directory.
pub(super) const MAX_FILES: usize = 10_000;
/// A file that was modified less than this time before it was read is racy: a later modification
/// may have the same timestamp, because file systems have coarse clocks.
const MTIME_GRANULARITY: Duration = Duration::from_secs(2);
/// Number of attempts to read a file that changes while it is being read.
const MAX_READS: usize = 3;
/// Delay between two attempts.
const READ_DELAY: Duration = Duration::from_millis(50);
/// Maximum number of entries of a directory that are searched for ignored plugins.
const MAX_SEARCHED: usize = 1_000;

/// Metadata of a file that change with its content, unless the change is within the resolution of
/// the file system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Time of the last modification, in nanoseconds since 1970.
    mtime: i64,
    /// Time of the last status change, in nanoseconds since 1970.
    ctime: i64,
}

impl FileStamp {
    fn of(status: &Metadata) -> Self {
        // The times of a file are arbitrary, so the nanoseconds may not fit into 64 bits.
        let nanoseconds =
            |seconds: i64, more: i64| seconds.saturating_mul(1_000_000_000).saturating_add(more);
        Self {
            device: status.dev(),
            inode: status.ino(),
            size: status.size(),
            mtime: nanoseconds(status.mtime(), status.mtime_nsec()),
            ctime: nanoseconds(status.ctime(), status.ctime_nsec()),
        }
    }

    /// Returns whether a content that was read at this time is the content of every file with this
    /// stamp. If not, the stamp is "racy", as in git.
    pub(super) fn is_not_racy_at(&self, read_at: i64) -> bool {
        let granularity = i64::try_from(MTIME_GRANULARITY.as_nanos()).unwrap_or(i64::MAX);
        self.mtime.max(self.ctime).saturating_add(granularity) < read_at
    }
}

/// Returns the current time, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    i64::try_from(clock::since_1970(SystemTime::now()).as_nanos()).unwrap_or(i64::MAX)
}

/// A file that may be a plugin.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Path in the plugin directory.
    pub(super) path: PathBuf,
    /// Path to read: the target of a symbolic link, or else `path`.
    pub(super) target: PathBuf,
    pub(super) stamp: FileStamp,
}

/// A file that was found: a candidate, or a path with the reason of its rejection.
pub(super) type Found = Result<Candidate, (PathBuf, FileError)>;

/// An entry of a plugin directory that is ignored but looks like a plugin.
pub(crate) struct Ignored {
    pub(crate) path: PathBuf,
    pub(crate) reason: IgnoredReason,
}

/// The plugin directories.
#[derive(Clone, Debug)]
pub(super) struct Directories {
    pub(super) paths: Vec<PathBuf>,
    /// Directories and files that are trusted although other users can write them.
    pub(super) policy: TrustPolicy,
}

impl Directories {
    /// Returns every `*.wasm` file, sorted by directory and name. A missing directory counts as
    /// empty. A directory that is listed twice is read once.
    ///
    /// # Errors
    ///
    /// Returns [`RegistryError`] if a directory cannot be read or is not trusted. If a directory is
    /// not trusted, the error also names the files that are not trusted.
    pub(super) fn files(&self) -> Result<Vec<Found>, RegistryError> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut exposed = Vec::new();
        let judge = Judge::new(&self.policy);
        for directory in &self.paths {
            let Some(status) = directory_status(directory)? else { continue };
            if seen.insert((status.dev(), status.ino())) {
                exposed.extend(judge.exposure(directory, &status, Purpose::Input));
                let paths = wasm_files(directory)?;
                found.extend(paths.into_iter().map(|path| candidate(&judge, directory, path)));
            }
        }
        if !exposed.is_empty() {
            exposed.extend(found.into_iter().flat_map(exposures));
            return Err(RegistryError::Untrusted(Untrusted { paths: exposed }));
        }
        reject_duplicates(&mut found);
        Ok(found)
    }

    /// Returns the ignored entries that look like plugins: files whose extension is not in lower
    /// case, and subdirectories with plugins. Searches the first 1,000 entries of each directory,
    /// and skips entries that cannot be read.
    pub(super) fn ignored(&self) -> Vec<Ignored> {
        let file_id = |path: &Path| {
            let status = fs::metadata(path).ok()?;
            Some((status.dev(), status.ino()))
        };
        let own: HashSet<_> = self.paths.iter().filter_map(|path| file_id(path)).collect();
        let mut seen = HashSet::new();
        let directories =
            self.paths.iter().filter(|path| file_id(path).is_some_and(|id| seen.insert(id)));
        let mut ignored: Vec<_> = directories.flat_map(|path| ignored_in(path)).collect();
        ignored.retain(|it| file_id(&it.path).is_none_or(|id| !own.contains(&id)));
        ignored.sort_by(|a, b| a.path.cmp(&b.path));
        ignored
    }

    /// Returns a path that is the same for every spelling of the directories: the number of the
    /// directory and the file name.
    pub(super) fn portable(&self, path: &Path) -> Option<PathBuf> {
        let number = self.paths.iter().position(|directory| path.parent() == Some(directory))?;
        Some(Path::new(&number.to_string()).join(path.file_name()?))
    }

    /// Returns the path for a result of [`Self::portable`].
    pub(super) fn local(&self, portable: &Path) -> Option<PathBuf> {
        let number: usize = portable.parent()?.to_str()?.parse().ok()?;
        Some(self.paths.get(number)?.join(portable.file_name()?))
    }

    /// Returns the candidate for a path, or `None` if the file is missing, rejected or not trusted.
    pub(super) fn file(&self, path: &Path) -> Option<Candidate> {
        let directory = self.paths.iter().find(|directory| path.parent() == Some(directory))?;
        let judge = Judge::new(&self.policy);
        let status = directory_status(directory).ok()??;
        if judge.exposure(directory, &status, Purpose::Input).is_some() {
            return None;
        }
        candidate(&judge, directory, path.to_owned()).ok()
    }
}

/// Returns the metadata of a directory, or `None` if it does not exist.
fn directory_status(directory: &Path) -> Result<Option<Metadata>, RegistryError> {
    let failed = |source| RegistryError::Directory { path: directory.to_owned(), source };
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        status => status.map(Some).map_err(failed),
    }
}

fn candidate(judge: &Judge<'_>, directory: &Path, path: PathBuf) -> Found {
    match resolve(judge, directory, &path) {
        Ok((target, stamp)) => Ok(Candidate { path, target, stamp }),
        Err(reason) => Err((path, reason)),
    }
}

/// Checks a file and returns its target and stamp.
fn resolve(
    judge: &Judge<'_>,
    directory: &Path,
    path: &Path,
) -> Result<(PathBuf, FileStamp), FileError> {
    let link = fs::symlink_metadata(path)?;
    let (target, parents) = match link.is_symlink() {
        true => follow(directory, path)?,
        false => (path.to_owned(), Vec::new()),
    };
    let status = if link.is_symlink() { fs::metadata(&target)? } else { link };
    if !status.is_file() {
        return Err(FileError::NotAFile);
    }
    if status.len() > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    // A user with write access to a parent directory can replace the file.
    let mut exposed = Vec::new();
    for parent in &parents {
        exposed.extend(judge.exposure(parent, &fs::metadata(parent)?, Purpose::Input));
    }
    exposed.extend(judge.exposure(&target, &status, Purpose::Input));
    match Untrusted::of(exposed) {
        Some(untrusted) => Err(FileError::Untrusted { path: path.to_owned(), untrusted }),
        None => Ok((target, FileStamp::of(&status))),
    }
}

/// Returns the target of a link, and the directories between it and the plugin directory.
fn follow(directory: &Path, path: &Path) -> Result<(PathBuf, Vec<PathBuf>), FileError> {
    let (target, top) = (fs::canonicalize(path)?, fs::canonicalize(directory)?);
    if !target.starts_with(&top) {
        return Err(FileError::Outside { target });
    }
    let parents = target.ancestors().skip(1).take_while(|parent| *parent != top);
    let parents = parents.map(Path::to_owned).collect();
    Ok((target, parents))
}

/// Returns the paths because of which a file is not trusted.
fn exposures(found: Found) -> Vec<Exposed> {
    match found {
        Err((_, FileError::Untrusted { untrusted, .. })) => untrusted.paths,
        Ok(_) | Err(_) => Vec::new(),
    }
}

fn wasm_files(directory: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let failed = |source| RegistryError::Directory { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if has_extension(&path, "wasm") {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(RegistryError::TooMany { path: directory.to_owned() });
        }
    }
    files.sort();
    Ok(files)
}

fn ignored_in(directory: &Path) -> Vec<Ignored> {
    let ignored = |entry: DirEntry| {
        let path = entry.path();
        let reason = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let plugins = entries(&path).filter(|entry| has_extension(&entry.path(), "wasm"));
            let plugins = plugins.count();
            (plugins > 0).then_some(IgnoredReason::Directory { plugins })
        } else {
            let is_other_case = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("wasm"));
            (is_other_case && !has_extension(&path, "wasm")).then_some(IgnoredReason::Extension)
        };
        reason.map(|reason| Ignored { path, reason })
    };
    entries(directory).filter_map(ignored).collect()
}

fn entries(directory: &Path) -> impl Iterator<Item = DirEntry> {
    fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_SEARCHED)
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

/// Rejects all but one path of each file. A regular path has priority over a link, then the first
/// path over later ones.
fn reject_duplicates(found: &mut [Found]) {
    let mut preferred = HashMap::new();
    for candidate in found.iter().flatten() {
        let FileStamp { device, inode, .. } = candidate.stamp;
        let is_link = candidate.target != candidate.path;
        let first = preferred.entry((device, inode)).or_insert((is_link, candidate.path.clone()));
        if first.0 && !is_link {
            *first = (is_link, candidate.path.clone());
        }
    }
    for result in found {
        let Ok(Candidate { path, stamp, .. }) = result else { continue };
        let (_, first) = &preferred[&(stamp.device, stamp.inode)];
        if first != path {
            *result = Err((path.clone(), FileError::Duplicate { of: first.clone() }));
        }
    }
}

/// Reads a plugin file and its stamp. The bytes are a consistent content of the file.
///
/// # Errors
///
/// Returns [`FileError`] if the file is not a regular file, is too large, cannot be read, or
/// changes during each of three attempts.
pub(crate) async fn read_plugin(path: &Path) -> Result<(Vec<u8>, FileStamp), FileError> {
    for _ in 0..MAX_READS {
        if let Some(read) = read_once(path)? {
            return Ok(read);
        }
        tokio::time::sleep(READ_DELAY).await;
    }
    Err(FileError::Changing)
}

/// Reads a file once. Returns `None` if the file has changed during the read.
fn read_once(path: &Path) -> Result<Option<(Vec<u8>, FileStamp)>, FileError> {
    // Without `O_NONBLOCK`, opening a pipe blocks until it has a writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let status = file.metadata()?;
    if !status.is_file() {
        return Err(FileError::NotAFile);
    }
    let bytes = read_bounded(&file, status.len())?;
    let (before, after) = (FileStamp::of(&status), FileStamp::of(&file.metadata()?));
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
