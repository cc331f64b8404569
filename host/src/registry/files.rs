//! The files of plugin directories: which ones there are, and reading one safely.
//!
//! A directory is a place where people drop things: links, pipes, halves of files. What is
//! not a plain file that only its owner can write is refused with a reason, unless the policy
//! accepts it, and nothing here waits for anything but the disk.

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

/// The largest file that is looked at, in bytes. A Python component has 20 MB.
pub(super) const MAX_FILE: u64 = 64 << 20;
/// The most plugin files in one directory.
pub(super) const MAX_FILES: usize = 10_000;
/// A file that was changed this shortly before it was read may change again without a
/// change of its times: clocks of file systems are coarse.
const MTIME_GRANULARITY: Duration = Duration::from_secs(2);
/// How often a file that changes while it is read is read again, and after how long.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// How many entries of a directory are looked at for files that are ignored.
const MAX_LOOKED_AT: usize = 1_000;

/// What the system says of a file: another content has another identity, unless it was
/// written within the clock's resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970, as are all times here.
    modified: i64,
    changed: i64,
}

impl FileStamp {
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
    pub(super) fn is_not_racy_at(&self, read_at: i64) -> bool {
        let racy = i64::try_from(MTIME_GRANULARITY.as_nanos()).unwrap_or(i64::MAX);
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
    pub(super) identity: FileStamp,
}

/// A file that was found: a candidate, or why it is none.
pub(super) type Found = Result<Candidate, (PathBuf, FileError)>;

/// What is in a plugin directory and is not read.
pub(crate) struct Ignored {
    pub(crate) path: PathBuf,
    pub(crate) reason: IgnoredReason,
}

/// Where plugins may be.
#[derive(Clone, Debug)]
pub(super) struct Directories {
    pub(super) paths: Vec<PathBuf>,
    /// Which directories and files are used although others can write them.
    pub(super) policy: TrustPolicy,
}

impl Directories {
    /// Returns every `*.wasm` file, in the order of the directories and of their names. A
    /// directory that does not exist holds nothing, one that is named twice is read once.
    ///
    /// # Errors
    ///
    /// Returns [`RegistryError`] if a directory cannot be read, or one is not to be trusted: then
    /// with the files that are not to be trusted either.
    pub(super) fn files(&self) -> Result<Vec<Found>, RegistryError> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut exposed = Vec::new();
        let judge = Judge::new(&self.policy);
        for directory in &self.paths {
            let Some(status) = status(directory)? else { continue };
            if seen.insert((status.dev(), status.ino())) {
                exposed.extend(judge.exposure(directory, &status, Purpose::Input));
                let paths = wasm_files(directory)?;
                found.extend(paths.into_iter().map(|path| look(&judge, directory, path)));
            }
        }
        if !exposed.is_empty() {
            exposed.extend(found.into_iter().flat_map(exposures));
            return Err(RegistryError::Untrusted(Untrusted { paths: exposed }));
        }
        reject_duplicates(&mut found);
        Ok(found)
    }

    /// Returns what is probably meant to be a plugin and is not read: files whose extension is not
    /// in lower case, and directories that hold plugins. The first thousand entries of each
    /// directory are looked at; what cannot be read is passed over.
    pub(super) fn ignored(&self) -> Vec<Ignored> {
        let identity = |path: &Path| {
            let status = fs::metadata(path).ok()?;
            Some((status.dev(), status.ino()))
        };
        let own: HashSet<_> = self.paths.iter().filter_map(|path| identity(path)).collect();
        let mut seen = HashSet::new();
        let directories =
            self.paths.iter().filter(|path| identity(path).is_some_and(|it| seen.insert(it)));
        let mut ignored: Vec<_> = directories.flat_map(|path| ignored_in(path)).collect();
        ignored.retain(|it| identity(&it.path).is_none_or(|identity| !own.contains(&identity)));
        ignored.sort_by(|a, b| a.path.cmp(&b.path));
        ignored
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
        let judge = Judge::new(&self.policy);
        let status = status(directory).ok()??;
        if judge.exposure(directory, &status, Purpose::Input).is_some() {
            return None;
        }
        look(&judge, directory, path.to_owned()).ok()
    }
}

fn status(directory: &Path) -> Result<Option<Metadata>, RegistryError> {
    let failed = |source| RegistryError::Directory { path: directory.to_owned(), source };
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        status => status.map(Some).map_err(failed),
    }
}

fn look(judge: &Judge<'_>, directory: &Path, path: PathBuf) -> Found {
    match resolve(judge, directory, &path) {
        Ok((target, identity)) => Ok(Candidate { path, target, identity }),
        Err(reason) => Err((path, reason)),
    }
}

fn resolve(
    judge: &Judge<'_>,
    directory: &Path,
    path: &Path,
) -> Result<(PathBuf, FileStamp), FileError> {
    let link = fs::symlink_metadata(path)?;
    let (target, between) = match link.is_symlink() {
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
    // Whoever can write a directory on the way to the file can put another one there.
    let mut exposed = Vec::new();
    for above in &between {
        exposed.extend(judge.exposure(above, &fs::metadata(above)?, Purpose::Input));
    }
    exposed.extend(judge.exposure(&target, &status, Purpose::Input));
    match Untrusted::of(exposed) {
        Some(untrusted) => Err(FileError::Untrusted { path: path.to_owned(), untrusted }),
        None => Ok((target, FileStamp::of(&status))),
    }
}

/// Returns where a link leads to, and the directories between that and the plugin directory.
fn follow(directory: &Path, path: &Path) -> Result<(PathBuf, Vec<PathBuf>), FileError> {
    let (target, top) = (fs::canonicalize(path)?, fs::canonicalize(directory)?);
    if !target.starts_with(&top) {
        return Err(FileError::Outside { target });
    }
    let above = target.ancestors().skip(1).take_while(|above| *above != top);
    let between = above.map(Path::to_owned).collect();
    Ok((target, between))
}

/// Returns why a file that was found is not trusted, if it is not.
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
    fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_LOOKED_AT)
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

/// Leaves one of several names of one file: a plain one before a link, then the first.
fn reject_duplicates(found: &mut [Found]) {
    let mut first = HashMap::new();
    for candidate in found.iter().flatten() {
        let FileStamp { device, inode, .. } = candidate.identity;
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
            *place = Err((path.clone(), FileError::Duplicate { of: kept.clone() }));
        }
    }
}

/// Reads a file: the bytes are one content that it had, whole, at the time of its identity.
///
/// # Errors
///
/// Returns [`FileError`] if it is no regular file, too large, cannot be read, or goes on
/// changing.
pub(crate) async fn read_plugin(path: &Path) -> Result<(Vec<u8>, FileStamp), FileError> {
    for _ in 0..TRIES {
        if let Some(read) = read_once(path)? {
            return Ok(read);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(FileError::Changing)
}

fn read_once(path: &Path) -> Result<Option<(Vec<u8>, FileStamp)>, FileError> {
    // Opening a pipe must not wait for a writer.
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
