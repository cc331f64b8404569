//! Creates snapshots of the plugin directories.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::RegistryError;
use super::files::{Directories, Ignored};
use super::index::{Index, IndexEntry};
use super::inspection::{LoadObserver, inspect_all, is_unchanged, split};
use super::resolve;
use super::snapshot::{InspectedFile, PluginFile, Registry};
use crate::model::operation::Plugin;
use crate::sandbox::Sandbox;
use crate::util::code_dir::CodeDir;
use crate::util::os_error::Shortage;
use crate::util::trust::TrustPolicy;
use ophost_schema::RULES as SCHEMA_RULES;

/// Options of a [`Loader`].
#[derive(Clone, Debug, Default)]
pub(crate) struct LoaderOptions {
    pub(crate) directories: Vec<PathBuf>,
    /// Directory of the index. If `None`, plugins are described each time.
    pub(crate) code: Option<CodeDir>,
    /// Directories and files that are trusted although other users can write them.
    pub(crate) policy: TrustPolicy,
    pub(crate) observer: Option<LoadObserver>,
}

/// Loads snapshots of the plugin directories.
pub(crate) struct Loader {
    directories: Directories,
    index: Option<Index>,
    sandbox: Sandbox,
    observer: Option<LoadObserver>,
}

impl Loader {
    pub(crate) fn new(options: LoaderOptions, sandbox: Sandbox) -> Self {
        let LoaderOptions { directories, code, policy, observer } = options;
        // The same directories must have the same index, whatever the working directory is.
        let paths: Vec<_> = directories.iter().map(absolute).collect();
        // An entry of the index proves that the schemas of its content were checked, by these rules.
        let index = code.zip(sandbox.compat_key()).map(|(code, key)| {
            Index::new(code, &format!("{key} schema rules {SCHEMA_RULES}"), &paths)
        });
        let directories = Directories { paths: directories, policy };
        Self { directories, index, sandbox, observer }
    }

    /// Returns the absolute paths of the plugin directories.
    pub(super) fn absolute_directories(&self) -> Vec<PathBuf> {
        self.directories.paths.iter().map(absolute).collect()
    }

    /// Returns the entries of the plugin directories that are ignored but look like plugins.
    pub(crate) fn ignored(&self) -> Vec<Ignored> {
        self.directories.ignored()
    }

    /// Returns a snapshot with the file of one operation, if the index has the operation and the
    /// file is unchanged. A file that was accepted owns its names, so the other files need not be
    /// read.
    pub(crate) fn find(&self, name: &str) -> Option<Registry> {
        let file = self.to_inspected(self.index.as_ref()?.find(name)?)?;
        let candidate = self.directories.file(&file.path)?;
        is_unchanged(&file, &candidate).then(|| Registry::of_one_file(file))
    }

    /// Reads every `*.wasm` file of the directories and returns a snapshot.
    ///
    /// Files that are unchanged since the earlier snapshot or the index are not read. New contents
    /// are compiled and described, a few at a time. If the earlier snapshot served a file whose new
    /// content is rejected, its last good content is served.
    ///
    /// # Errors
    ///
    /// Returns [`RegistryError`] if a directory cannot be read or is not trusted, or the host is
    /// out of a resource. The problem of a single file is in [`Registry::rejected`].
    pub(crate) async fn load(&self, earlier: Option<&Registry>) -> Result<Registry, RegistryError> {
        let earlier = earlier.filter(|earlier| !earlier.is_partial);
        let found = self.directories.files()?;
        let inspected = self.inspected(earlier).map_err(RegistryError::Index)?;
        let mut rejected = BTreeMap::new();
        let mut candidates = Vec::new();
        for result in found {
            match result {
                Ok(candidate) => candidates.push(candidate),
                Err((path, reason)) => drop(rejected.insert(path, reason)),
            }
        }
        let (mut files, pending) = split(candidates, &inspected, &self.sandbox);
        let is_changed = !pending.is_empty() || files.len() != inspected.len();
        for (path, result) in inspect_all(pending, &self.sandbox, self.observer.as_ref()).await {
            match result {
                Ok(file) => files.push(file),
                Err(reason) => drop(rejected.insert(path, reason)),
            }
        }
        let mut reasons = rejected.iter();
        if let Some((path, source)) = reasons.find_map(|(path, it)| Some((path, it.shortage()?))) {
            return Err(RegistryError::Shortage { path: path.clone(), source });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let registry = resolve::registry(files, rejected, &inspected, earlier);
        if is_changed {
            self.write_index(&registry);
        }
        Ok(registry)
    }

    /// Returns the files of the earlier snapshot, or else those of the index.
    fn inspected(&self, earlier: Option<&Registry>) -> Result<Vec<InspectedFile>, Shortage> {
        Ok(match (earlier, &self.index) {
            (Some(earlier), _) => earlier.files.clone(),
            (None, Some(index)) => {
                index.entries()?.into_iter().filter_map(|entry| self.to_inspected(entry)).collect()
            }
            (None, None) => Vec::new(),
        })
    }

    /// Converts an entry of the index to its form in memory.
    fn to_inspected(&self, entry: IndexEntry<Plugin>) -> Option<InspectedFile> {
        let path = self.directories.local(&entry.path)?;
        let digest = entry.digest;
        let file = |plugin| Arc::new(PluginFile::new(path.clone(), digest, plugin, None));
        let entry = entry.map(file);
        Some(IndexEntry { path, ..entry })
    }

    /// Converts an inspected file to its form in the index.
    fn to_entry<'a>(&self, file: &'a InspectedFile) -> Option<IndexEntry<&'a Plugin>> {
        let path = self.directories.portable(&file.path)?;
        Some(IndexEntry { path, ..file.as_ref().map(|file| &file.plugin) })
    }

    /// Writes the index. If that fails, the next process inspects the files again.
    fn write_index(&self, registry: &Registry) {
        if let Some(index) = &self.index {
            index.write(registry.files.iter().filter_map(|file| self.to_entry(file))).ok();
        }
    }
}

fn absolute(path: &PathBuf) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}
