//! The index: what was found out about the files of some directories, kept for the next
//! process.
//!
//! One file in the private directory of compiled code, replaced as a whole:
//!
//! ```text
//! magic            16 bytes
//! names, records   two u32: how many there are of each
//! names            u64 hash of an operation's name, u32 number of its record; by hash
//! records          u64 offset, u32 length, u64 check
//! JSON             one text for each record
//! ```
//!
//! Numbers are little-endian. One operation is found by reading the tables and one record,
//! however many there are. What does not fit its check is not there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::FileStamp;
use crate::model::digest::Digest;
use crate::model::operation::Plugin;
use crate::util::code_dir::CodeDir;
use crate::util::os_error::Shortage;
use crate::util::private_dir::PrivateDirError;

const MAGIC: &[u8; 16] = b"ophost index 01\n";
/// Bytes before the tables, of a row of names, of a row of records.
const HEAD: usize = 24;
const NAME_ROW: usize = 12;
const RECORD_ROW: usize = 20;
/// The most bytes of the tables: a sparse file may be as long as it likes.
const MAX_TABLES: u64 = 256 << 20;
/// The most bytes of one record: a description is smaller.
const MAX_RECORD: u32 = 64 << 20;

/// What is known of one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct IndexEntry<P> {
    /// In the index: the number of the directory and the name in it.
    pub(super) path: PathBuf,
    pub(super) identity: FileStamp,
    /// When the content was read, in nanoseconds since 1970.
    pub(super) read_at: i64,
    pub(super) digest: Digest,
    /// Whether its operations could be run: then their names are its own.
    pub(super) accepted: bool,
    pub(super) verdict: Inspection<P>,
}

/// What came out of looking at a content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Inspection<P> {
    /// It is a plugin.
    Plugin(P),
    /// It is none, for a reason that is true until then, in nanoseconds since 1970.
    Refused { reason: String, until: i64 },
}

impl<P> IndexEntry<P> {
    /// Returns the same with another form of the plugin.
    pub(super) fn map<Q>(self, change: impl FnOnce(P) -> Q) -> IndexEntry<Q> {
        let Self { path, identity, read_at, digest, accepted, verdict } = self;
        let verdict = match verdict {
            Inspection::Plugin(plugin) => Inspection::Plugin(change(plugin)),
            Inspection::Refused { reason, until } => Inspection::Refused { reason, until },
        };
        IndexEntry { path, identity, read_at, digest, accepted, verdict }
    }

    /// Returns the same with a borrowed plugin.
    pub(super) fn as_ref(&self) -> IndexEntry<&P> {
        let verdict = match &self.verdict {
            Inspection::Plugin(plugin) => Inspection::Plugin(plugin),
            Inspection::Refused { reason, until } => {
                Inspection::Refused { reason: reason.clone(), until: *until }
            }
        };
        let Self { identity, read_at, digest, accepted, .. } = *self;
        IndexEntry { path: self.path.clone(), identity, read_at, digest, accepted, verdict }
    }

    /// Returns the plugin, if it is one.
    pub(super) fn plugin(&self) -> Option<&P> {
        match &self.verdict {
            Inspection::Plugin(plugin) => Some(plugin),
            Inspection::Refused { .. } => None,
        }
    }

    /// Returns whether what was found out about the content is still true.
    pub(super) fn is_valid_at(&self, now: i64) -> bool {
        match &self.verdict {
            Inspection::Plugin(_) => true,
            Inspection::Refused { until, .. } => now < *until,
        }
    }
}

/// The index of some directories.
#[derive(Clone, Debug)]
pub(super) struct Index {
    directory: CodeDir,
    file: String,
}

impl Index {
    /// Returns the index of these directories, which is of use to hosts like `maker` only.
    pub(super) fn new(directory: CodeDir, maker: &str, directories: &[PathBuf]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [maker.as_bytes()].into_iter().chain(directories.iter().map(|path| bytes(path)))
        {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let file = format!("plugins-{}.index", &hasher.finalize().to_hex()[..16]);
        Self { directory, file }
    }

    /// Returns every record. What cannot be read is not there.
    ///
    /// # Errors
    ///
    /// Returns [`Shortage`] if the host ran out of something: the index may be as good as any.
    pub(super) fn all(&self) -> Result<Vec<IndexEntry<Plugin>>, Shortage> {
        let tables = match self.open() {
            Ok(file) => file.and_then(|file| IndexReader::read(file).ok()),
            Err(error) => return Shortage::in_chain(&error).map_or_else(|| Ok(Vec::new()), Err),
        };
        let Some(tables) = tables else { return Ok(Vec::new()) };
        Ok((0..tables.records).filter_map(|number| tables.record(number)).collect())
    }

    /// Returns the record of the file that holds an operation of that name or alias.
    pub(super) fn find(&self, name: &str) -> Option<IndexEntry<Plugin>> {
        let tables = IndexReader::read(self.open().ok()??).ok()?;
        let holds = |record: &IndexEntry<Plugin>| {
            record.accepted
                && record
                    .plugin()
                    .is_some_and(|plugin| plugin.names().any(|known| known.as_str() == name))
        };
        tables.numbers(hash(name.as_bytes())).filter_map(|number| tables.record(number)).find(holds)
    }

    fn open(&self) -> Result<Option<File>, PrivateDirError> {
        let Some(directory) = self.directory.open()? else { return Ok(None) };
        directory.open_file(&self.file).map_err(|source| directory.failed(source))
    }

    /// Replaces the index.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if the directory cannot be used; the index is as it was.
    pub(super) fn write<'a>(
        &self,
        records: impl Iterator<Item = IndexEntry<&'a Plugin>>,
    ) -> Result<(), PrivateDirError> {
        let mut image = IndexBuilder::default();
        for record in records {
            image.add(&record);
        }
        let directory = self.directory.create()?;
        let bytes = image.bytes();
        directory.replace(&self.file, &[&bytes]).map_err(|source| directory.failed(source))
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Returns eight bytes that stand for many.
fn hash(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// An index that is being made.
#[derive(Default)]
struct IndexBuilder {
    names: Vec<(u64, u32)>,
    texts: Vec<Vec<u8>>,
}

impl IndexBuilder {
    /// Adds a record; leaves out one whose path is no text, which is looked at each time.
    fn add(&mut self, record: &IndexEntry<&Plugin>) {
        let (Ok(text), Ok(number)) = (serde_json::to_vec(record), u32::try_from(self.texts.len()))
        else {
            return;
        };
        if let (true, Some(plugin)) = (record.accepted, record.plugin()) {
            let names = plugin.names().map(|name| (hash(name.as_str().as_bytes()), number));
            self.names.extend(names);
        }
        self.texts.push(text);
    }

    fn bytes(mut self) -> Vec<u8> {
        self.names.sort_unstable();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(count(self.names.len()).to_le_bytes());
        bytes.extend(count(self.texts.len()).to_le_bytes());
        for (hash, number) in &self.names {
            bytes.extend(hash.to_le_bytes());
            bytes.extend(number.to_le_bytes());
        }
        let mut offset = (bytes.len() + self.texts.len() * RECORD_ROW) as u64;
        for text in &self.texts {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(count(text.len()).to_le_bytes());
            bytes.extend(hash(text).to_le_bytes());
            offset += text.len() as u64;
        }
        bytes.extend(self.texts.concat());
        bytes
    }
}

/// Numbers here are bounded far below: by the files of a directory and their descriptions.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The tables of an index, read.
struct IndexReader {
    file: File,
    names: Vec<u8>,
    rows: Vec<u8>,
    records: u32,
}

impl IndexReader {
    fn read(file: File) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0)?;
        let number = |place: usize| u32_at(&head, place).ok_or_else(invalid);
        let (names, records) = (number(16)?, number(20)?);
        let size = file.metadata()?.len();
        let tables = u64::from(names) * NAME_ROW as u64 + u64::from(records) * RECORD_ROW as u64;
        if &head[..16] != MAGIC || tables > MAX_TABLES || tables + HEAD as u64 > size {
            return Err(invalid());
        }
        let mut names = vec![0; names as usize * NAME_ROW];
        let mut rows = vec![0; records as usize * RECORD_ROW];
        file.read_exact_at(&mut names, HEAD as u64)?;
        file.read_exact_at(&mut rows, (HEAD + names.len()) as u64)?;
        Ok(Self { file, names, rows, records })
    }

    /// Returns the numbers of the records with a name of that hash.
    fn numbers(&self, hash: u64) -> impl Iterator<Item = u32> {
        let (rows, _) = self.names.as_chunks::<NAME_ROW>();
        let first = rows.partition_point(|row| u64_at(row, 0) < Some(hash));
        let same = rows[first..].iter().take_while(move |row| u64_at(*row, 0) == Some(hash));
        same.filter_map(|row| u32_at(row, 8))
    }

    fn record(&self, number: u32) -> Option<IndexEntry<Plugin>> {
        let (rows, _) = self.rows.as_chunks::<RECORD_ROW>();
        let row = rows.get(number as usize)?;
        let (offset, length, check) = (u64_at(row, 0)?, u32_at(row, 8)?, u64_at(row, 12)?);
        if length > MAX_RECORD {
            return None;
        }
        let mut text = vec![0; length as usize];
        self.file.read_exact_at(&mut text, offset).ok()?;
        if hash(&text) != check {
            return None;
        }
        serde_json::from_slice(&text).ok()
    }
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(place..place + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(place..place + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn plugin(names: &[&str]) -> Plugin {
        let operation = |name: &&str| {
            json!({
                "name": name, "description": "d", "category": "c", "input_schema": {"a": [1, null]},
                "output_schema": true, "tags": ["t"], "permissions": [], "models_in": [],
                "models_out": [], "stage": null, "async_enabled": true, "create_taskrun": false,
                "timeout_ms": 5, "memory_mib": null, "idempotent": true, "destructive": false,
                "aliases": [format!("{name}.alias")], "annotations": {"x": {"y": 1}},
            })
        };
        let operations: Vec<_> = names.iter().map(operation).collect();
        let plugin = json!({
            "name": "p", "version": "1", "annotations": {}, "operations": operations,
        });
        serde_json::from_value(plugin).unwrap()
    }

    fn record(path: &str, verdict: Inspection<Plugin>) -> IndexEntry<Plugin> {
        let identity = json!({
            "device": 1, "inode": u64::MAX, "size": 3, "modified": i64::MAX, "changed": -1,
        });
        let identity = serde_json::from_value(identity).unwrap();
        let digest = Digest::sha256(path.as_bytes());
        IndexEntry { path: path.into(), identity, read_at: 7, digest, accepted: true, verdict }
    }

    fn scratch() -> (tempfile::TempDir, Index) {
        let scratch = tempfile::tempdir().unwrap();
        let directory = CodeDir::new(Some(scratch.path().join("cache")), None).unwrap();
        (scratch, Index::new(directory, "maker", &["plugins".into()]))
    }

    fn write(index: &Index, records: &[IndexEntry<Plugin>]) {
        index.write(records.iter().map(IndexEntry::as_ref)).unwrap();
    }

    fn shown(records: &[IndexEntry<Plugin>]) -> String {
        format!("{records:?}")
    }

    #[test]
    fn what_was_written_is_read_and_found_by_name_and_alias() {
        let (_scratch, index) = scratch();
        assert!(index.all().unwrap().is_empty() && index.find("a").is_none());
        let refused = Inspection::Refused { reason: "bad".into(), until: i64::MAX };
        let mut records: Vec<_> = (0..50)
            .map(|n| {
                let names = [format!("op{n}"), format!("other{n}")];
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                record(&format!("plugins/{n}.wasm"), Inspection::Plugin(plugin(&names)))
            })
            .collect();
        records.push(record("plugins/bad.wasm", refused));
        records[7].accepted = false;
        write(&index, &records);
        assert_eq!(shown(&index.all().unwrap()), shown(&records));
        for name in ["op0", "other31", "op49.alias"] {
            assert!(index.find(name).is_some(), "{name}");
        }
        assert_eq!(index.find("op31").unwrap().path, Path::new("plugins/31.wasm"));
        for name in ["op7", "op50", "", "bad"] {
            assert!(index.find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn other_hosts_and_other_directories_have_indexes_of_their_own() {
        let (_scratch, index) = scratch();
        write(&index, &[record("a.wasm", Inspection::Plugin(plugin(&["a"])))]);
        let other = |maker: &str, directories: &[PathBuf]| {
            Index::new(index.directory.clone(), maker, directories).all().unwrap().len()
        };
        assert_eq!(other("maker", &["plugins".into()]), 1);
        assert_eq!(other("younger", &["plugins".into()]), 0);
        assert_eq!(other("maker", &["plugins".into(), "more".into()]), 0);
    }

    #[test]
    fn whatever_happens_to_the_file_no_wrong_record_is_read() {
        let (scratch, index) = scratch();
        let records: Vec<_> = (0..3)
            .map(|n| record(&format!("{n}.wasm"), Inspection::Plugin(plugin(&[&format!("op{n}")]))))
            .collect();
        write(&index, &records);
        let path = scratch.path().join("cache").join(&index.file);
        let whole = fs::read(&path).unwrap();
        let right: Vec<_> = records.iter().map(|record| format!("{record:?}")).collect();
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            for found in index.all().unwrap().into_iter().chain(index.find("op1")) {
                assert!(right.contains(&format!("{found:?}")), "{found:?}");
            }
        };
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x40;
            check(&bytes);
        }
        for length in (0..whole.len()).step_by(7) {
            check(&whole[..length]);
        }
    }
}
