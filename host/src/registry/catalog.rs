//! The public view of a registry: operations and plugin files.
//!
//! A [`Catalog`] is an immutable snapshot of the plugin directories. A host that watches the
//! directories creates a new catalog after a change. Existing catalogs stay valid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::digest::Digest;
use crate::model::limits::CompileLimit;
use crate::model::operation::{Operation, OperationName, Plugin};
use crate::registry::{PluginFile, RegisteredOperation, Registry, Rejected};
use crate::util::trust::Untrusted;
use ophost_document::suggest::closest_match;

/// An immutable snapshot of the operations and plugin files of a host. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    registry: Arc<Registry>,
}

impl Catalog {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// Returns the operations, sorted by name.
    pub fn operations(&self) -> impl Iterator<Item = OperationInfo<'_>> {
        self.registry.operations().map(|operation| OperationInfo::from(operation.as_ref()))
    }

    /// Returns the operation with this name or alias.
    pub fn get(&self, name: &str) -> Option<OperationInfo<'_>> {
        self.registry.get(name).map(|operation| OperationInfo::from(operation.as_ref()))
    }

    /// Returns the operation name that is closest to an unknown name, if one is close enough.
    pub fn similar(&self, name: &str) -> Option<&str> {
        closest_match(name, self.operations().map(|info| info.operation.name.as_str()))
    }

    /// Returns every plugin file, used or rejected, sorted by path.
    pub fn plugins(&self) -> Vec<PluginState<'_>> {
        let mut files = BTreeMap::<&Path, (&PluginFile, Vec<_>)>::new();
        for registered in self.registry.operations() {
            let PluginFile { path, .. } = registered.file.as_ref();
            let (_, names) = files.entry(path).or_insert((&registered.file, Vec::new()));
            names.push(&registered.operation().name);
        }
        let used = files.into_values().map(|(file, operations)| {
            let PluginFile { path, digest, plugin, reload_error, .. } = file;
            let Plugin { name, version, .. } = plugin;
            PluginState::Used {
                file: path,
                digest: *digest,
                plugin: name,
                version,
                operations,
                reload_error: reload_error.as_deref(),
            }
        });
        let rejected = self.rejected().map(|(file, reason)| PluginState::Rejected { file, reason });
        let mut all: Vec<_> = used.chain(rejected).collect();
        all.sort_by_key(|state| state.file());
        all
    }

    /// Returns the rejected plugin files, each with a reason in one sentence.
    pub fn rejected(&self) -> impl Iterator<Item = (&Path, String)> {
        let rejected = self.registry.rejected().iter();
        rejected.map(|rejected| (rejected.path.as_path(), rejected.reason.to_string()))
    }

    /// Returns the paths because of which plugin files are not trusted: other users can modify
    /// them. Returns `None` if all files are trusted.
    pub fn untrusted(&self) -> Option<Untrusted> {
        let rejected = self.registry.rejected().iter();
        let untrusted = rejected.filter_map(|rejected| rejected.reason.untrusted());
        Untrusted::of(untrusted.flat_map(|untrusted| untrusted.paths.clone()).collect())
    }
}

/// An operation with its plugin file.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo<'a> {
    /// The declaration of the operation.
    pub operation: &'a Operation,
    /// The name of the plugin.
    pub plugin: &'a str,
    /// The version of the plugin.
    pub version: &'a str,
    /// The plugin file.
    pub file: &'a Path,
    /// SHA-256 of the file.
    pub digest: Digest,
}

impl<'a> From<&'a RegisteredOperation> for OperationInfo<'a> {
    fn from(registered: &'a RegisteredOperation) -> Self {
        let PluginFile { path, digest, plugin, .. } = registered.file.as_ref();
        let Plugin { name, version, .. } = plugin;
        Self {
            operation: registered.operation(),
            plugin: name,
            version,
            file: path,
            digest: *digest,
        }
    }
}

/// A rejected plugin file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedFile {
    /// Path of the file.
    pub file: PathBuf,
    /// Reason, in one sentence.
    pub reason: String,
    /// The limit that compilation exceeded, if that is the reason. The file may be valid.
    pub exceeded: Option<CompileLimit>,
}

impl From<&Rejected> for RejectedFile {
    fn from(rejected: &Rejected) -> Self {
        let Rejected { path, reason } = rejected;
        let exceeded = reason.compile_limit();
        Self { file: path.clone(), reason: reason.to_string(), exceeded }
    }
}

/// A filter of operations. An operation matches if it matches every field that is set. The default
/// matches all operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// Category of the operation.
    pub category: Option<String>,
    /// Tags that the operation must have.
    pub tags: Vec<String>,
    /// Stage of the operation.
    pub stage: Option<String>,
    /// A model that the operation reads or writes.
    pub model: Option<String>,
}

impl OperationFilter {
    /// Returns whether an operation matches the filter.
    pub fn matches(&self, operation: &Operation) -> bool {
        let is = |expected: &Option<String>, actual: Option<&String>| {
            expected.as_ref().is_none_or(|expected| actual == Some(expected))
        };
        let mut models = operation.models_in.iter().chain(&operation.models_out);
        is(&self.category, Some(&operation.category))
            && is(&self.stage, operation.stage.as_ref())
            && self.tags.iter().all(|tag| operation.tags.contains(tag))
            && self.model.as_ref().is_none_or(|model| models.any(|other| other == model))
    }
}

/// State of a file of a plugin directory.
#[derive(Clone, Debug)]
pub enum PluginState<'a> {
    /// The operations of the file can be run.
    Used {
        /// Path of the file.
        file: &'a Path,
        /// SHA-256 of the content that is served.
        digest: Digest,
        /// The name of the plugin.
        plugin: &'a str,
        /// The version of the plugin.
        version: &'a str,
        /// The names of its operations, sorted.
        operations: Vec<&'a OperationName>,
        /// Reason why the current content of the file is rejected, if an earlier content is served.
        reload_error: Option<&'a str>,
    },
    /// The file is rejected.
    Rejected {
        /// Path of the file.
        file: &'a Path,
        /// Reason, in one sentence.
        reason: String,
    },
}

impl<'a> PluginState<'a> {
    /// Returns the path of the file.
    pub fn file(&self) -> &'a Path {
        match self {
            Self::Used { file, .. } | Self::Rejected { file, .. } => file,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation() -> Operation {
        Operation {
            name: OperationName::new("a").unwrap(),
            description: "d".into(),
            category: "text".into(),
            input_schema: json!({}),
            output_schema: json!({}),
            tags: vec!["x".into(), "y".into()],
            permissions: Vec::new(),
            models_in: vec!["Job".into()],
            models_out: vec!["Company".into()],
            stage: Some("load".into()),
            async_enabled: false,
            create_taskrun: true,
            hints: crate::Hints::default(),
            annotations: BTreeMap::new(),
        }
    }

    #[test]
    fn filter_matches_operations_with_all_its_fields() {
        let some = |text: &str| Some(text.to_owned());
        let all = OperationFilter::default();
        let matching = OperationFilter {
            category: some("text"),
            tags: vec!["y".into(), "x".into()],
            stage: some("load"),
            model: some("Company"),
        };
        let tag = OperationFilter { tags: vec!["x".into(), "z".into()], ..matching.clone() };
        let stage = OperationFilter { stage: some("extract"), ..all.clone() };
        let model = OperationFilter { model: some("job"), ..all.clone() };
        let matches = [&all, &matching, &tag, &stage, &model].map(|it| it.matches(&operation()));
        assert_eq!(matches, [true, true, false, false, false]);
    }
}
