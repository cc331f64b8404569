//! The picture itself: operations, the files that hold them, the files that are refused.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::error::FileError;
use super::files::read_plugin;
use super::index::IndexEntry;
use crate::model::digest::Digest;
use crate::model::operation::{Operation, OperationName, Plugin};
use crate::sandbox::{Guest, Sandbox};
use ophost_schema::Schema;

/// The operations of a host, and every file of its plugin directories.
#[derive(Default)]
pub(crate) struct Registry {
    pub(super) entries: BTreeMap<OperationName, Arc<RegisteredOperation>>,
    pub(super) aliases: BTreeMap<OperationName, Arc<RegisteredOperation>>,
    pub(super) refused: Vec<Rejected>,
    /// What is known of each file that was read, used or not.
    pub(super) records: Vec<IndexEntry<Arc<PluginFile>>>,
    /// Earlier contents that are served in place of ones that are refused.
    pub(super) outdated: Vec<IndexEntry<Arc<PluginFile>>>,
    /// It is of one operation alone, and says nothing of others.
    pub(super) is_part: bool,
}

impl Registry {
    /// Returns the operation of that name or alias.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<RegisteredOperation>> {
        self.entries.get(name).or_else(|| self.aliases.get(name))
    }

    /// Returns the file that would hold the operation of that name or alias if it were used.
    pub(crate) fn not_used(&self, name: &str) -> Option<&Rejected> {
        let has = |file: &Arc<PluginFile>| file.plugin.names().any(|known| known.as_str() == name);
        let unused = self.records.iter().filter(|record| !record.accepted);
        let mut holding = unused.filter(|record| record.plugin().is_some_and(has));
        holding.find_map(|record| self.refused.iter().find(|refused| refused.path == record.path))
    }

    /// Returns all operations, by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<RegisteredOperation>> {
        self.entries.values()
    }

    /// Returns the files that are not used, by path.
    pub(crate) fn refused(&self) -> &[Rejected] {
        &self.refused
    }
}

/// One operation, ready to run.
pub(crate) struct RegisteredOperation {
    pub(crate) file: Arc<PluginFile>,
    /// Which of the file's operations it is.
    position: usize,
    schemas: OnceLock<Arc<Schemas>>,
}

impl RegisteredOperation {
    /// Returns the operations of a file.
    pub(super) fn all(file: &Arc<PluginFile>) -> impl Iterator<Item = Arc<Self>> {
        (0..file.plugin.operations.len()).map(|position| {
            let file = Arc::clone(file);
            Arc::new(Self { file, position, schemas: OnceLock::new() })
        })
    }

    /// Returns what it declares.
    pub(crate) fn operation(&self) -> &Operation {
        &self.file.plugin.operations[self.position]
    }

    /// Returns its schemas, compiled when they are first asked for.
    ///
    /// # Errors
    ///
    /// Returns [`FileError::Schema`] if an index that was tampered with let a bad one in.
    pub(crate) fn schemas(&self) -> Result<&Arc<Schemas>, FileError> {
        match self.schemas.get() {
            Some(schemas) => Ok(schemas),
            None => {
                let schemas = Arc::new(Schemas::compile(self.operation())?);
                Ok(self.schemas.get_or_init(|| schemas))
            }
        }
    }
}

/// What an operation takes and gives, ready to check.
pub(crate) struct Schemas {
    pub(crate) input: Arc<Schema>,
    pub(crate) output: Arc<Schema>,
}

impl Schemas {
    /// # Errors
    ///
    /// Returns [`FileError::Schema`] for the first that is no usable schema.
    pub(super) fn compile(operation: &Operation) -> Result<Self, FileError> {
        let compile = |which, schema: &Value| {
            Schema::compile(schema.clone()).map(Arc::new).map_err(|source| FileError::Schema {
                which,
                name: operation.name.clone(),
                source,
            })
        };
        let input = compile("input", &operation.input_schema)?;
        let output = compile("output", &operation.output_schema)?;
        Ok(Self { input, output })
    }
}

/// A file that holds operations.
pub(crate) struct PluginFile {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    /// What it says of itself.
    pub(crate) plugin: Plugin,
    /// Why the file as it is now is not used, where an earlier content of it still is.
    pub(crate) reload_error: Option<String>,
    guest: OnceCell<Guest>,
}

impl PluginFile {
    /// Returns a file whose code is loaded when it is first run.
    pub(super) fn new(path: PathBuf, digest: Digest, plugin: Plugin, guest: Option<Guest>) -> Self {
        let guest = OnceCell::new_with(guest);
        Self { path, digest, plugin, reload_error: None, guest }
    }

    /// Returns the same content in another place.
    pub(super) fn at(&self, path: PathBuf) -> Self {
        Self::new(path, self.digest, self.plugin.clone(), self.guest.get().cloned())
    }

    /// Returns the same content, known to have been replaced by one that is refused.
    pub(super) fn last_good(&self, reason: String) -> Self {
        Self { reload_error: Some(reason), ..self.at(self.path.clone()) }
    }

    /// Returns the compiled component of exactly the content that was described: from
    /// memory, else from the cache, else compiled again.
    ///
    /// # Errors
    ///
    /// Returns [`FileError`] if it has to be read again and cannot be, or has changed.
    pub(crate) async fn guest(&self, sandbox: &Sandbox) -> Result<&Guest, FileError> {
        self.guest.get_or_try_init(|| self.load(sandbox)).await
    }

    async fn load(&self, sandbox: &Sandbox) -> Result<Guest, FileError> {
        if let Some(guest) = sandbox.load_cached(&self.digest)? {
            return Ok(guest);
        }
        let (bytes, _) = read_plugin(&self.path).await?;
        if Digest::sha256(&bytes) != self.digest {
            return Err(FileError::Changed);
        }
        Ok(sandbox.load(&self.digest, &bytes).await?)
    }
}

/// A file that is not used.
pub(crate) struct Rejected {
    pub(crate) path: PathBuf,
    pub(crate) reason: FileError,
}
