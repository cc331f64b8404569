//! An immutable snapshot of the plugin directories: operations, their files, and rejected files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::error::FileError;
use super::files::read_plugin;
use super::index::{IndexEntry, Inspection};
use crate::model::digest::Digest;
use crate::model::operation::{Operation, OperationName, Plugin};
use crate::sandbox::{Guest, LoadError, Sandbox};
use ophost_schema::{Schema, SchemaError};

/// An inspected file in memory, served or rejected.
pub(super) type InspectedFile = IndexEntry<Arc<PluginFile>>;

/// The operations of a host, and every file of its plugin directories.
#[derive(Default)]
pub(crate) struct Registry {
    operations: BTreeMap<OperationName, Arc<RegisteredOperation>>,
    aliases: BTreeMap<OperationName, Arc<RegisteredOperation>>,
    pub(super) rejected: Vec<Rejected>,
    /// All inspected files.
    pub(super) files: Vec<InspectedFile>,
    /// Earlier contents that are served in place of rejected ones.
    pub(super) last_good: Vec<InspectedFile>,
    /// Whether the snapshot has only the file of one operation.
    pub(super) is_partial: bool,
}

impl Registry {
    /// Returns a snapshot that serves the accepted files. `rejected` has the files that are
    /// rejected for another reason than their content.
    pub(super) fn new(
        files: Vec<InspectedFile>,
        mut rejected: BTreeMap<PathBuf, FileError>,
    ) -> Self {
        let mut registry = Self::default();
        for file in &files {
            match &file.inspection {
                Inspection::Plugin(plugin) if file.accepted => registry.add(plugin),
                Inspection::Plugin(_) => {}
                Inspection::Rejected { reason, .. } => {
                    rejected.insert(file.path.clone(), FileError::Content(reason.clone()));
                }
                Inspection::OverBudget { exceeded, .. } => {
                    rejected.insert(file.path.clone(), LoadError::Budget(*exceeded).into());
                }
            }
        }
        registry.rejected =
            rejected.into_iter().map(|(path, reason)| Rejected { path, reason }).collect();
        registry.files = files;
        registry
    }

    /// Returns a partial snapshot with one file.
    pub(super) fn of_one_file(file: InspectedFile) -> Self {
        Self { is_partial: true, ..Self::new(vec![file], BTreeMap::new()) }
    }

    /// Returns a snapshot with one file that need not be in a plugin directory.
    pub(crate) fn of_component(file: PluginFile) -> Self {
        let mut registry = Self { is_partial: true, ..Self::default() };
        registry.add(&Arc::new(file));
        registry
    }

    fn add(&mut self, file: &Arc<PluginFile>) {
        for registered in RegisteredOperation::all(file) {
            let operation = registered.operation();
            for alias in &operation.hints.aliases {
                self.aliases.insert(alias.clone(), Arc::clone(&registered));
            }
            self.operations.insert(operation.name.clone(), registered);
        }
    }

    /// Returns the operation with this name or alias.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<RegisteredOperation>> {
        self.operations.get(name).or_else(|| self.aliases.get(name))
    }

    /// Returns the rejected file that declares an operation with this name or alias.
    pub(crate) fn rejected_with(&self, name: &str) -> Option<&Rejected> {
        let declares =
            |file: &Arc<PluginFile>| file.plugin.names().any(|other| other.as_str() == name);
        let unused = self.files.iter().filter(|file| !file.accepted);
        let mut declaring = unused.filter(|file| file.plugin().is_some_and(declares));
        declaring.find_map(|file| self.rejected.iter().find(|it| it.path == file.path))
    }

    /// Returns the rejected files whose operations are unknown.
    pub(crate) fn rejected_without_operations(&self) -> impl Iterator<Item = &Rejected> {
        let is_known = |rejected: &Rejected| {
            let mut files = self.files.iter().filter(|file| file.path == rejected.path);
            matches!(rejected.reason, FileError::Duplicate { .. })
                || files.any(|file| file.plugin().is_some())
        };
        self.rejected.iter().filter(move |rejected| !is_known(rejected))
    }

    /// Returns all operations, sorted by name.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &Arc<RegisteredOperation>> {
        self.operations.values()
    }

    /// Returns the rejected files, sorted by path.
    pub(crate) fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }
}

/// An operation that can be run.
pub(crate) struct RegisteredOperation {
    pub(crate) file: Arc<PluginFile>,
    /// Index of the operation in the file.
    index: usize,
    schemas: OnceLock<Arc<Schemas>>,
}

impl RegisteredOperation {
    /// Returns the operations of a file.
    pub(super) fn all(file: &Arc<PluginFile>) -> impl Iterator<Item = Arc<Self>> {
        (0..file.plugin.operations.len()).map(|index| {
            let file = Arc::clone(file);
            Arc::new(Self { file, index, schemas: OnceLock::new() })
        })
    }

    /// Returns the declaration of the operation.
    pub(crate) fn operation(&self) -> &Operation {
        &self.file.plugin.operations[self.index]
    }

    /// Returns the schemas of the operation. They are compiled on first use.
    ///
    /// # Errors
    ///
    /// Returns [`FileError::Schema`] if a schema is invalid. This is possible only if the index was
    /// tampered with.
    pub(crate) fn schemas(&self) -> Result<&Arc<Schemas>, FileError> {
        match self.schemas.get() {
            Some(schemas) => Ok(schemas),
            None => {
                let schemas = Arc::new(Schemas::compile_checked(self.operation())?);
                Ok(self.schemas.get_or_init(|| schemas))
            }
        }
    }
}

/// Compiled input and output schema of an operation.
pub(crate) struct Schemas {
    pub(crate) input: Arc<Schema>,
    pub(crate) output: Arc<Schema>,
}

impl Schemas {
    /// Checks the schemas of a new operation.
    ///
    /// # Errors
    ///
    /// Returns [`FileError::Schema`] for the first invalid schema.
    pub(super) fn check(operation: &Operation) -> Result<(), FileError> {
        Self::compile_with(operation, Schema::compile).map(drop)
    }

    /// Compiles the schemas of an operation that passed [`Self::check`].
    ///
    /// # Errors
    ///
    /// Like [`Self::check`].
    fn compile_checked(operation: &Operation) -> Result<Self, FileError> {
        Self::compile_with(operation, Schema::compile_checked)
    }

    fn compile_with(
        operation: &Operation,
        compile: fn(Value) -> Result<Schema, SchemaError>,
    ) -> Result<Self, FileError> {
        let compile = |which, schema: &Value| {
            compile(schema.clone()).map(Arc::new).map_err(|source| FileError::Schema {
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

/// A plugin file with operations.
pub(crate) struct PluginFile {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    /// The description that the plugin returned.
    pub(crate) plugin: Plugin,
    /// Reason why the current content of the file is rejected, if an earlier content is served.
    pub(crate) reload_error: Option<String>,
    guest: OnceCell<Guest>,
}

impl PluginFile {
    /// Returns a plugin file. If `guest` is `None`, the code is loaded on first use.
    pub(crate) fn new(path: PathBuf, digest: Digest, plugin: Plugin, guest: Option<Guest>) -> Self {
        let guest = OnceCell::new_with(guest);
        Self { path, digest, plugin, reload_error: None, guest }
    }

    /// Returns the same content with another path.
    pub(super) fn at(&self, path: PathBuf) -> Self {
        Self::new(path, self.digest, self.plugin.clone(), self.guest.get().cloned())
    }

    /// Returns the same content as last good content. `reason` is the rejection of the current one.
    pub(super) fn last_good(&self, reason: String) -> Self {
        Self { reload_error: Some(reason), ..self.at(self.path.clone()) }
    }

    /// Returns the compiled component of the content that was described: from memory, from the code
    /// cache, or compiled again.
    ///
    /// # Errors
    ///
    /// Returns [`FileError`] if the file must be read again, but cannot be read or has changed.
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

/// A rejected plugin file.
pub(crate) struct Rejected {
    pub(crate) path: PathBuf,
    pub(crate) reason: FileError,
}
