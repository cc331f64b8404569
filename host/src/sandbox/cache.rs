//! Cache of compiled components, on disk.
//!
//! Compiled code is executed outside of any sandbox, so each entry is authenticated. The
//! directory is private, and each file ends with a keyed hash of its name and content. The file
//! name holds the digest of the component and the compatibility key of engine and host version.
//! An entry that fails a check is removed, and the component is compiled again.
//!
//! wasmtime's own cache copies and decompresses its entries. A file of this cache is mapped.

use std::fs::File;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::compile::MAX_CODE;
use super::failure;
use crate::model::digest::Digest;
use crate::util::code_dir::{CodeDir, KEY};
use crate::util::os_error::Shortage;
use crate::util::private_dir::{PrivateDir, PrivateDirError};

/// Format of the entries. It is part of the compatibility key.
const FORMAT: &str = concat!("ophost ", env!("CARGO_PKG_VERSION"), " code 1");
/// Size of the keyed hash at the end of each file, in bytes.
const MAC_BYTES: usize = blake3::OUT_LEN;
/// An entry that has not been used for this time is removed.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The modification time of a used entry is updated when it is older than this.
const TOUCH_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Number of writes after which all entries are checked.
const PRUNE_EVERY: u64 = 256;
/// Maximum size of all entries together, in bytes.
const MAX_BYTES: u64 = 4 << 30;

/// Compiled components in a private directory.
#[derive(Clone, Debug)]
pub(super) struct CodeCache {
    directory: CodeDir,
    /// Hash of the engine and the host version, in hex.
    compat_key: String,
    /// Number of entries written by this cache.
    writes: Arc<AtomicU64>,
}

impl CodeCache {
    /// Returns a cache in `directory`, with the entries of `engine`.
    pub(super) fn new(directory: CodeDir, engine: &Engine) -> Self {
        Self { directory, compat_key: compat_key(engine), writes: Arc::default() }
    }

    /// Returns the compiled component with this digest, if a valid entry exists. A directory
    /// that is not trusted has no valid entries.
    ///
    /// # Errors
    ///
    /// Returns [`Shortage`] if the host is out of a resource. The entry stays.
    pub(super) fn get(
        &self,
        engine: &Engine,
        digest: &Digest,
    ) -> Result<Option<Component>, Shortage> {
        let directory = match self.directory.open() {
            Ok(Some(directory)) => directory,
            Ok(None) => return Ok(None),
            Err(error) => return Shortage::in_chain(&error).map_or(Ok(None), Err),
        };
        let name = self.name(digest);
        match load(engine, &directory, &name) {
            Ok(Some(component)) => Ok(Some(component)),
            Err(Unloadable::Shortage(shortage)) => Err(shortage),
            Ok(None) | Err(Unloadable::Invalid) => {
                // An invalid entry can never be used, so it is removed.
                directory.remove(&name).ok();
                Ok(None)
            }
        }
    }

    /// Returns whether an entry for the component with this digest exists. It may be invalid.
    pub(super) fn has_entry(&self, digest: &Digest) -> bool {
        let directory = self.directory.open().ok().flatten();
        directory.is_some_and(|it| matches!(it.open_file(&self.name(digest)), Ok(Some(_))))
    }

    /// Stores the compiled component with this digest.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if no trusted, writable directory exists. The cache is
    /// unchanged.
    pub(super) fn put(&self, digest: &Digest, code: &[u8]) -> Result<(), PrivateDirError> {
        let directory = self.directory.create()?;
        let name = self.name(digest);
        let failed = |source| directory.failed(source);
        let key = directory.key(KEY).map_err(failed)?;
        let mac = mac(&key, &name, code).map_err(failed)?;
        directory.replace(&name, &[code, mac.as_bytes()]).map_err(failed)?;
        // Checking all entries takes longer than writing one.
        match self.writes.fetch_add(1, Ordering::Relaxed) % PRUNE_EVERY {
            0 => prune(&directory, MAX_BYTES).map_err(failed),
            _ => Ok(()),
        }
    }

    /// Returns the directory of the cache.
    pub(super) fn directory(&self) -> &CodeDir {
        &self.directory
    }

    /// Returns the compatibility key of engine and host version, in hex. Code with another key
    /// cannot be used.
    pub(super) fn compat_key(&self) -> &str {
        &self.compat_key
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{digest}-{}.cwasm", self.compat_key)
    }
}

fn compat_key(engine: &Engine) -> String {
    let mut hasher = StableHasher(blake3::Hasher::new());
    FORMAT.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().to_hex()[..16].to_owned()
}

/// A hasher with a stable algorithm. Those of the standard library may change between versions.
struct StableHasher(blake3::Hasher);

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let bytes = self.0.finalize();
        bytes.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// Returns the keyed hash (MAC) of a file name and its content.
fn mac(key: &[u8; 32], name: &str, content: impl io::Read) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
    hasher.update_reader(content)?;
    Ok(hasher.finalize())
}

/// Why an entry cannot be loaded.
enum Unloadable {
    /// The entry is missing a valid MAC, or the engine cannot load it.
    Invalid,
    /// The host is out of a resource.
    Shortage(Shortage),
}

impl From<io::Error> for Unloadable {
    fn from(error: io::Error) -> Self {
        Shortage::of(&error).map_or(Self::Invalid, Self::Shortage)
    }
}

fn load(
    engine: &Engine,
    directory: &PrivateDir,
    name: &str,
) -> Result<Option<Component>, Unloadable> {
    let Some(file) = directory.open_file(name)? else { return Ok(None) };
    let Some(key) = directory.read_key(KEY)? else { return Ok(None) };
    if !has_valid_mac(&file, &key, name)? {
        return Ok(None);
    }
    touch(&file);
    let path = format!("/dev/fd/{}", file.as_raw_fd());
    #[expect(unsafe_code, reason = "machine code cannot be checked, only its origin")]
    // SAFETY: the MAC proves that this user's host wrote the file, as output of wasmtime. Files
    // of this directory are replaced but never modified, and only this user can replace them.
    // The open descriptor refers to the file that was checked, even if its name was replaced.
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.map(Some).map_err(|error| match failure::shortage(&error) {
        // The cause may be the mount (`noexec`). Newly compiled code is not mapped from a file.
        None | Some(Shortage::ExecutableMemory) => Unloadable::Invalid,
        Some(shortage) => Unloadable::Shortage(shortage),
    })
}

fn has_valid_mac(mut file: &File, key: &[u8; 32], name: &str) -> io::Result<bool> {
    let length = file.metadata()?.len().checked_sub(MAC_BYTES as u64);
    let Some(length) = length.filter(|length| *length <= MAX_CODE) else { return Ok(false) };
    let expected = mac(key, name, file.take(length))?;
    let mut actual = [0; MAC_BYTES];
    file.read_exact(&mut actual)?;
    Ok(expected == blake3::Hash::from_bytes(actual))
}

/// Updates the modification time of a used entry. If that fails, the entry is removed too early,
/// which is harmless.
fn touch(file: &File) {
    let age = file.metadata().and_then(|status| status.modified()).map(|time| time.elapsed());
    if matches!(age, Ok(Ok(age)) if age > TOUCH_AFTER) {
        file.set_modified(SystemTime::now()).ok();
    }
}

/// Removes entries that are older than [`MAX_AGE`], then the oldest ones until the total size is
/// at most `max_bytes`.
fn prune(directory: &PrivateDir, max_bytes: u64) -> io::Result<()> {
    let mut entries = Vec::new();
    for name in directory.names()?.into_iter().filter(|name| name.ends_with(".cwasm")) {
        let Ok(Some(file)) = directory.open_file(&name) else { continue };
        let status = file.metadata()?;
        entries.push((status.modified()?, status.len(), name));
    }
    directory.remove_stale_temp(MAX_AGE)?;
    entries.sort();
    // The length of a sparse file is arbitrary, so the sum could overflow.
    let mut total = entries.iter().fold(0, |sum: u64, (_, length, _)| sum.saturating_add(*length));
    for (time, length, name) in entries {
        let is_expired = time.elapsed().is_ok_and(|age| age > MAX_AGE);
        if is_expired || total > max_bytes {
            directory.remove(&name)?;
            total = total.saturating_sub(length);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prune_removes_expired_entries_then_the_oldest() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = PrivateDir::create(&scratch.path().join("cache")).unwrap();
        let day = Duration::from_secs(24 * 3600);
        for (name, age) in [("a", 40 * day), ("b", 3 * day), ("c", 2 * day), ("d", day)] {
            let name = format!("{name}.cwasm");
            directory.replace(&name, &[&[0; 100]]).unwrap();
            let file = directory.open_file(&name).unwrap().unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        directory.replace("key", &[&[0; 32]]).unwrap();
        directory.replace(".half.1.1", &[b"x"]).unwrap();
        let half = directory.open_file(".half.1.1").unwrap().unwrap();
        half.set_modified(SystemTime::now() - 40 * day).unwrap();
        let names = |max_bytes| {
            prune(&directory, max_bytes).unwrap();
            let mut names = directory.names().unwrap();
            names.sort();
            names
        };
        assert_eq!(names(1_000), ["b.cwasm", "c.cwasm", "d.cwasm", "key"]);
        assert_eq!(names(200), ["c.cwasm", "d.cwasm", "key"]);
        assert_eq!(names(0), ["key"]);
        assert!(directory.open_file(".half.1.1").unwrap().is_none());
    }
}
