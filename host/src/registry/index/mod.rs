//! Index of the inspected files of some directories, for the next process.
//!
//! The index is one file in the private directory of compiled code. It is replaced atomically.
//!
//! | file | content |
//! |------|---------|
//! | `mod.rs` | [`Index`]: finds, reads and replaces the file |
//! | `entry.rs` | [`IndexEntry`]: one inspected file |
//! | `format.rs` | encoding of the file |

mod entry;
mod format;

use std::fs::File;
use std::path::{Path, PathBuf};

pub(super) use self::entry::{IndexEntry, Inspection};
use self::format::{IndexBuilder, IndexReader};
use crate::model::operation::Plugin;
use crate::util::code_dir::CodeDir;
use crate::util::os_error::Shortage;
use crate::util::private_dir::PrivateDirError;

/// The index of some plugin directories.
#[derive(Clone, Debug)]
pub(super) struct Index {
    directory: CodeDir,
    file_name: String,
}

impl Index {
    /// Returns the index of these directories. Hosts with another `compat_key` have another index.
    pub(super) fn new(directory: CodeDir, compat_key: &str, directories: &[PathBuf]) -> Self {
        let mut hasher = blake3::Hasher::new();
        let paths = directories.iter().map(|path| bytes(path));
        for part in [compat_key.as_bytes()].into_iter().chain(paths) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let file_name = format!("plugins-{}.index", &hasher.finalize().to_hex()[..16]);
        Self { directory, file_name }
    }

    /// Returns all entries. Entries that cannot be read are skipped.
    ///
    /// # Errors
    ///
    /// Returns [`Shortage`] if the host is out of a resource. The index may be valid.
    pub(super) fn entries(&self) -> Result<Vec<IndexEntry<Plugin>>, Shortage> {
        let reader = match self.open() {
            Ok(file) => file.and_then(|file| IndexReader::open(file).ok()),
            Err(error) => return Shortage::in_chain(&error).map_or_else(|| Ok(Vec::new()), Err),
        };
        Ok(reader.map_or_else(Vec::new, |reader| reader.entries().collect()))
    }

    /// Returns the entry of the accepted file with an operation of this name or alias.
    pub(super) fn find(&self, name: &str) -> Option<IndexEntry<Plugin>> {
        let reader = IndexReader::open(self.open().ok()??).ok()?;
        let has_name = |plugin: &Plugin| plugin.names().any(|other| other.as_str() == name);
        let owns_name =
            |entry: &IndexEntry<Plugin>| entry.accepted && entry.plugin().is_some_and(has_name);
        reader.candidates(name).find(owns_name)
    }

    fn open(&self) -> Result<Option<File>, PrivateDirError> {
        let Some(directory) = self.directory.open()? else { return Ok(None) };
        directory.open_file(&self.file_name).map_err(|source| directory.failed(source))
    }

    /// Replaces the index.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateDirError`] if the directory cannot be used. The index is unchanged.
    pub(super) fn write<'a>(
        &self,
        entries: impl Iterator<Item = IndexEntry<&'a Plugin>>,
    ) -> Result<(), PrivateDirError> {
        let mut builder = IndexBuilder::default();
        for entry in entries {
            builder.add(&entry);
        }
        let directory = self.directory.create()?;
        let content = builder.finish();
        directory.replace(&self.file_name, &[&content]).map_err(|source| directory.failed(source))
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::model::digest::Digest;
    use crate::model::limits::{CompileBudget, CompileLimit, ExceededBudget};

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

    fn entry(path: &str, inspection: Inspection<Plugin>) -> IndexEntry<Plugin> {
        let stamp = json!({
            "device": 1, "inode": u64::MAX, "size": 3, "mtime": i64::MAX, "ctime": -1,
        });
        let stamp = serde_json::from_value(stamp).unwrap();
        let digest = Digest::sha256(path.as_bytes());
        IndexEntry { path: path.into(), stamp, read_at: 7, digest, accepted: true, inspection }
    }

    fn scratch() -> (tempfile::TempDir, Index) {
        let scratch = tempfile::tempdir().unwrap();
        let directory = CodeDir::new(Some(scratch.path().join("cache")), None).unwrap();
        (scratch, Index::new(directory, "key", &["plugins".into()]))
    }

    fn write(index: &Index, entries: &[IndexEntry<Plugin>]) {
        index.write(entries.iter().map(IndexEntry::as_ref)).unwrap();
    }

    fn debug_text(entries: &[IndexEntry<Plugin>]) -> String {
        format!("{entries:?}")
    }

    #[test]
    fn written_entries_are_read_and_found_by_name_and_alias() {
        let (_scratch, index) = scratch();
        assert!(index.entries().unwrap().is_empty() && index.find("a").is_none());
        let rejected = Inspection::Rejected { reason: "bad".into(), valid_until: i64::MAX };
        let mut entries: Vec<_> = (0..50)
            .map(|n| {
                let names = [format!("op{n}"), format!("other{n}")];
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                entry(&format!("plugins/{n}.wasm"), Inspection::Plugin(plugin(&names)))
            })
            .collect();
        entries.push(entry("plugins/bad.wasm", rejected));
        let (limit, budget) = (CompileLimit::CpuTime, CompileBudget::DEFAULT);
        let exceeded = ExceededBudget { limit, budget };
        entries.push(entry("plugins/slow.wasm", Inspection::OverBudget { exceeded, retry_at: 9 }));
        entries[7].accepted = false;
        write(&index, &entries);
        assert_eq!(debug_text(&index.entries().unwrap()), debug_text(&entries));
        for name in ["op0", "other31", "op49.alias"] {
            assert!(index.find(name).is_some(), "{name}");
        }
        assert_eq!(index.find("op31").unwrap().path, Path::new("plugins/31.wasm"));
        for name in ["op7", "op50", "", "bad"] {
            assert!(index.find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn each_compat_key_and_list_of_directories_has_its_own_index() {
        let (_scratch, index) = scratch();
        write(&index, &[entry("a.wasm", Inspection::Plugin(plugin(&["a"])))]);
        let count = |compat_key: &str, directories: &[PathBuf]| {
            Index::new(index.directory.clone(), compat_key, directories).entries().unwrap().len()
        };
        assert_eq!(count("key", &["plugins".into()]), 1);
        assert_eq!(count("newer", &["plugins".into()]), 0);
        assert_eq!(count("key", &["plugins".into(), "more".into()]), 0);
    }

    #[test]
    fn corrupted_index_file_returns_no_wrong_entry() {
        let (scratch, index) = scratch();
        let entries: Vec<_> = (0..3)
            .map(|n| entry(&format!("{n}.wasm"), Inspection::Plugin(plugin(&[&format!("op{n}")]))))
            .collect();
        write(&index, &entries);
        let path = scratch.path().join("cache").join(&index.file_name);
        let intact = fs::read(&path).unwrap();
        let valid: Vec<_> = entries.iter().map(|entry| format!("{entry:?}")).collect();
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            for found in index.entries().unwrap().into_iter().chain(index.find("op1")) {
                assert!(valid.contains(&format!("{found:?}")), "{found:?}");
            }
        };
        for position in 0..intact.len() {
            let mut bytes = intact.clone();
            bytes[position] ^= 0x40;
            check(&bytes);
        }
        for length in (0..intact.len()).step_by(7) {
            check(&intact[..length]);
        }
    }

    #[test]
    fn index_of_another_format_version_is_ignored_and_replaced() {
        let (scratch, index) = scratch();
        let entries = [entry("a.wasm", Inspection::Plugin(plugin(&["a"])))];
        write(&index, &entries);
        let path = scratch.path().join("cache").join(&index.file_name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[..16].copy_from_slice(b"ophost index 01\n");
        fs::write(&path, bytes).unwrap();
        assert!(index.entries().unwrap().is_empty() && index.find("a").is_none());
        write(&index, &entries);
        assert_eq!(debug_text(&index.entries().unwrap()), debug_text(&entries));
    }
}
