//! Reading plugin directories.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Entry, PluginFile, Refused, Registry};
use crate::operation::{Operation, OperationName, Plugin};
use crate::sandbox::{DescribeError, Guest, LoadError, Sandbox};
use crate::schema::{Schema, SchemaError};

/// The largest file that is looked at, in bytes. A Python component has 20 MB.
const MAX_FILE: u64 = 64 << 20;

impl Registry {
    /// Reads every `*.wasm` file of the directories, in the order of their names.
    ///
    /// A directory that does not exist holds nothing. Each file is compiled and asked what
    /// it is, so this takes as long as that does. Two files with an operation of one name
    /// are both refused: which one is meant cannot be known.
    ///
    /// # Errors
    ///
    /// Returns [`RegistryError`] if a directory cannot be read; what is wrong with a file
    /// is in [`Registry::refused`].
    pub(crate) async fn load(
        directories: &[PathBuf],
        sandbox: &Sandbox,
    ) -> Result<Self, RegistryError> {
        let mut files = Vec::new();
        for directory in directories {
            files.extend(wasm_files(directory)?);
        }
        let mut registry = Self::default();
        let mut found = Vec::new();
        for path in files {
            match load_file(&path, sandbox).await {
                Ok(entries) => found.push((path, entries)),
                Err(reason) => registry.refused.push(Refused { path, reason }),
            }
        }
        registry.add(found);
        registry.refused.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(registry)
    }

    fn add(&mut self, found: Vec<(PathBuf, Vec<Entry>)>) {
        let holders = holders(&found);
        for (path, entries) in found {
            let taken = entries.iter().find_map(|entry| {
                let name = &entry.operation.name;
                let other = holders[name].iter().find(|holder| **holder != path)?;
                Some(FileError::NameTaken { name: name.clone(), holder: other.clone() })
            });
            match taken {
                Some(reason) => self.refused.push(Refused { path, reason }),
                None => self.entries.extend(
                    entries
                        .into_iter()
                        .map(|entry| (entry.operation.name.clone(), Arc::new(entry))),
                ),
            }
        }
    }
}

fn holders(found: &[(PathBuf, Vec<Entry>)]) -> BTreeMap<OperationName, Vec<PathBuf>> {
    let mut holders = BTreeMap::<_, Vec<_>>::new();
    for (path, entries) in found {
        for entry in entries {
            holders.entry(entry.operation.name.clone()).or_default().push(path.clone());
        }
    }
    holders
}

fn wasm_files(directory: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let failed = |source| RegistryError::Directory { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

async fn load_file(path: &Path, sandbox: &Sandbox) -> Result<Vec<Entry>, FileError> {
    inspect(path, &read_bounded(path)?, sandbox).await
}

/// Returns the operations of a file with these bytes: compiled, described, every schema
/// checked.
///
/// # Errors
///
/// Returns the first reason not to use the file.
pub(crate) async fn inspect(
    path: &Path,
    bytes: &[u8],
    sandbox: &Sandbox,
) -> Result<Vec<Entry>, FileError> {
    let guest = sandbox.load(bytes)?;
    let plugin = sandbox.describe(&guest).await?;
    entries(path, bytes, guest, plugin)
}

/// Reads a file once; what is hashed, compiled and run are these bytes.
///
/// # Errors
///
/// Returns [`FileError`] if it is no regular file, too large, or cannot be read.
pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, FileError> {
    // Looked at before it is opened: opening a FIFO would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    Ok(bytes)
}

fn entries(
    path: &Path,
    bytes: &[u8],
    guest: Guest,
    plugin: Plugin,
) -> Result<Vec<Entry>, FileError> {
    let file = Arc::new(PluginFile {
        path: path.to_owned(),
        digest: hex(&Sha256::digest(bytes)),
        plugin: plugin.name,
        version: plugin.version,
        guest,
    });
    plugin.operations.into_iter().map(|operation| entry(operation, &file)).collect()
}

fn entry(operation: Operation, file: &Arc<PluginFile>) -> Result<Entry, FileError> {
    let compile = |which, schema: &Value| {
        Schema::compile(schema.clone()).map_err(|source| FileError::Schema {
            which,
            name: operation.name.clone(),
            source,
        })
    };
    let input_schema = compile("input", &operation.input_schema)?;
    let output_schema = compile("output", &operation.output_schema)?;
    Ok(Entry { operation, input_schema, output_schema, file: Arc::clone(file) })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The plugin directories cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The system's answer for one directory.
    #[error("cannot read the plugin directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Why a file is not used, in one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FileError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("not a regular file")]
    NotAFile,
    #[error("larger than {}", bytesize::ByteSize(MAX_FILE))]
    TooLarge,
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Describe(#[from] DescribeError),
    #[error("the {which} schema of `{name}` is {source}")]
    Schema { which: &'static str, name: OperationName, source: SchemaError },
    #[error("the operation `{name}` is also in `{}`", holder.display())]
    NameTaken { name: OperationName, holder: PathBuf },
}
