//! Compiled code, kept between runs of the host.
//!
//! What is loaded from here is executed outside of any sandbox, so nothing is believed:
//! the directory is private, each file carries a keyed digest of its name and content, and
//! its name says for which component, engine and version of the host it was made. What does
//! not fit is removed and compiled again. wasmtime has a cache too, but that one copies and
//! decompresses; a file here is mapped.

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

/// What makes this version's files different from those of others.
const FORMAT: &str = concat!("ophost ", env!("CARGO_PKG_VERSION"), " code 1");
/// Bytes of the keyed digest at the end of each file.
const SEAL: usize = blake3::OUT_LEN;
/// How long an entry stays that nobody uses.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// An entry's time is renewed when it is used and this old.
const TOUCH_AFTER: Duration = Duration::from_secs(24 * 3600);
/// After how many writes all entries are looked at.
const PRUNE_EVERY: u64 = 256;
/// How many bytes all entries may have together.
const MAX_BYTES: u64 = 4 << 30;

/// Compiled components in a private directory.
#[derive(Clone, Debug)]
pub(super) struct CodeCache {
    directory: CodeDir,
    /// What an entry was made by, in hex.
    maker: String,
    /// How many entries were written.
    written: Arc<AtomicU64>,
}

impl CodeCache {
    /// Returns the cache in a directory.
    pub(super) fn new(directory: CodeDir, engine: &Engine) -> Self {
        Self { directory, maker: compat_key(engine), written: Arc::default() }
    }

    /// Returns the compiled component of that digest, if there is one that can be trusted.
    /// A directory that cannot be trusted has none.
    ///
    /// # Errors
    ///
    /// Returns [`Shortage`] if the host ran out of something; the entry stays.
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
            Ok(None) | Err(Unloadable::Useless) => {
                // Either there is none, or one that will never be of use.
                directory.remove(&name).ok();
                Ok(None)
            }
        }
    }

    /// Keeps the compiled component of that digest.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if no directory can be trusted and written; the cache is as it
    /// was.
    pub(super) fn put(&self, digest: &Digest, code: &[u8]) -> Result<(), PrivateDirError> {
        let directory = self.directory.create()?;
        let name = self.name(digest);
        let system = |source| directory.failed(source);
        let key = directory.key(KEY).map_err(system)?;
        let seal = mac(&key, &name, code).map_err(system)?;
        directory.replace(&name, &[code, seal.as_bytes()]).map_err(system)?;
        // Looking at every entry takes longer than writing one.
        match self.written.fetch_add(1, Ordering::Relaxed) % PRUNE_EVERY {
            0 => prune(&directory, MAX_BYTES).map_err(system),
            _ => Ok(()),
        }
    }

    /// Returns where code is kept.
    pub(super) fn directory(&self) -> &CodeDir {
        &self.directory
    }

    /// Returns what makes code of this host and engine different from that of others.
    pub(super) fn compat_key(&self) -> &str {
        &self.maker
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{digest}-{}.cwasm", self.maker)
    }
}

fn compat_key(engine: &Engine) -> String {
    let mut hasher = MakerHasher(blake3::Hasher::new());
    FORMAT.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().to_hex()[..16].to_owned()
}

/// The standard library's hashers are free to change from one version to the next.
struct MakerHasher(blake3::Hasher);

impl Hasher for MakerHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let bytes = self.0.finalize();
        bytes.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// Returns what proves that the holder of the key wrote this content under this name.
fn mac(key: &[u8; 32], name: &str, content: impl io::Read) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
    hasher.update_reader(content)?;
    Ok(hasher.finalize())
}

/// Why an entry cannot be loaded.
enum Unloadable {
    /// It will never be of use.
    Useless,
    /// The host ran out of something.
    Shortage(Shortage),
}

impl From<io::Error> for Unloadable {
    fn from(error: io::Error) -> Self {
        Shortage::of(&error).map_or(Self::Useless, Self::Shortage)
    }
}

fn load(
    engine: &Engine,
    directory: &PrivateDir,
    name: &str,
) -> Result<Option<Component>, Unloadable> {
    let Some(file) = directory.open_file(name)? else { return Ok(None) };
    let Some(key) = directory.read_key(KEY)? else { return Ok(None) };
    if !is_sealed(&file, &key, name)? {
        return Ok(None);
    }
    touch(&file);
    let path = format!("/dev/fd/{}", file.as_raw_fd());
    #[expect(unsafe_code, reason = "machine code cannot be checked, only its origin")]
    // SAFETY: the seal says that this user's host wrote the file as wasmtime's output. Files
    // here are replaced but never changed, only this user can do even that, and the open
    // file is the one that was just read, whatever its name means now.
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.map(Some).map_err(|error| match failure::shortage(&error) {
        // The mount may be the reason, as of `noexec`; compiled anew it needs no file.
        None | Some(Shortage::ExecutableMemory) => Unloadable::Useless,
        Some(shortage) => Unloadable::Shortage(shortage),
    })
}

fn is_sealed(mut file: &File, key: &[u8; 32], name: &str) -> io::Result<bool> {
    let length = file.metadata()?.len().checked_sub(SEAL as u64);
    let Some(length) = length.filter(|length| *length <= MAX_CODE) else { return Ok(false) };
    let expected = mac(key, name, file.take(length))?;
    let mut found = [0; SEAL];
    file.read_exact(&mut found)?;
    Ok(expected == blake3::Hash::from_bytes(found))
}

/// Says that an entry is used. Where that fails it is only thrown away too early.
fn touch(file: &File) {
    let age = file.metadata().and_then(|status| status.modified()).map(|time| time.elapsed());
    if matches!(age, Ok(Ok(age)) if age > TOUCH_AFTER) {
        file.set_modified(SystemTime::now()).ok();
    }
}

/// Removes what nobody used for long, then the oldest until the rest is small enough.
fn prune(directory: &PrivateDir, most: u64) -> io::Result<()> {
    let mut entries = Vec::new();
    for name in directory.names()?.into_iter().filter(|name| name.ends_with(".cwasm")) {
        let Ok(Some(file)) = directory.open_file(&name) else { continue };
        let status = file.metadata()?;
        entries.push((status.modified()?, status.len(), name));
    }
    directory.remove_stale_temp(MAX_AGE)?;
    entries.sort();
    // A sparse file may be as long as it likes.
    let mut total = entries.iter().fold(0, |sum: u64, (_, length, _)| sum.saturating_add(*length));
    for (time, length, name) in entries {
        let old = time.elapsed().is_ok_and(|age| age > MAX_AGE);
        if old || total > most {
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
    fn what_is_old_goes_first_and_then_what_is_too_much() {
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
        let names = |most| {
            prune(&directory, most).unwrap();
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
