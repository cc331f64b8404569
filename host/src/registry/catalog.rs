//! What there is to run, at one moment.
//!
//! A [`Catalog`] is a picture of the plugin directories that never changes: a host that
//! watches them makes a new one, and whoever holds the old one keeps it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::model::digest::Digest;
use crate::model::operation::{Operation, OperationName, Plugin};
use crate::registry::{PluginFile, RegisteredOperation, Registry};
use crate::util::trust::Untrusted;
use ophost_document::suggest::closest_match;

/// The operations and plugin files of a host, at one moment. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    registry: Arc<Registry>,
}

impl Catalog {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// Returns the operations, by name.
    pub fn operations(&self) -> impl Iterator<Item = OperationInfo<'_>> {
        self.registry.entries().map(|entry| OperationInfo::from(entry.as_ref()))
    }

    /// Returns the operation of that name or alias.
    pub fn get(&self, name: &str) -> Option<OperationInfo<'_>> {
        self.registry.get(name).map(|entry| OperationInfo::from(entry.as_ref()))
    }

    /// Returns the known name that is most like one that is not known, if it is much like it.
    pub fn similar(&self, name: &str) -> Option<&str> {
        closest_match(name, self.operations().map(|known| known.operation.name.as_str()))
    }

    /// Returns every plugin file, used or not, by path.
    pub fn plugins(&self) -> Vec<PluginState<'_>> {
        let mut files = BTreeMap::<&Path, (&PluginFile, Vec<_>)>::new();
        for entry in self.registry.entries() {
            let file = files.entry(&entry.file.path).or_insert((&entry.file, Vec::new()));
            file.1.push(&entry.operation().name);
        }
        let used = files.into_values().map(|(file, operations)| {
            let PluginFile { path, digest, plugin, reload_error: newer_refused, .. } = file;
            let Plugin { name, version, .. } = plugin;
            let newer_refused = newer_refused.as_deref();
            PluginState::Used {
                file: path,
                digest: *digest,
                plugin: name,
                version,
                operations,
                newer_refused,
            }
        });
        let refused = self.refused().map(|(file, reason)| PluginState::Rejected { file, reason });
        let mut all: Vec<_> = used.chain(refused).collect();
        all.sort_by_key(|state| state.file());
        all
    }

    /// Returns the plugin files that are not used, and for each one sentence why.
    pub fn refused(&self) -> impl Iterator<Item = (&Path, String)> {
        let refused = self.registry.refused();
        refused.iter().map(|refused| (refused.path.as_path(), refused.reason.to_string()))
    }

    /// Returns the paths of plugin files that are not used since other users can change them;
    /// `None` if there is no such file.
    pub fn untrusted(&self) -> Option<Untrusted> {
        let refused = self.registry.refused().iter();
        let paths = refused.filter_map(|refused| refused.reason.untrusted());
        Untrusted::of(paths.flat_map(|untrusted| untrusted.paths.clone()).collect())
    }
}

/// An operation that can be run, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo<'a> {
    /// What it declares.
    pub operation: &'a Operation,
    /// The plugin's own name.
    pub plugin: &'a str,
    /// The plugin's version.
    pub version: &'a str,
    /// The file that holds it.
    pub file: &'a Path,
    /// SHA-256 of that file's bytes.
    pub digest: Digest,
}

impl<'a> From<&'a RegisteredOperation> for OperationInfo<'a> {
    fn from(entry: &'a RegisteredOperation) -> Self {
        let PluginFile { path, digest, plugin, .. } = entry.file.as_ref();
        let Plugin { name, version, .. } = plugin;
        Self { operation: entry.operation(), plugin: name, version, file: path, digest: *digest }
    }
}

/// Which operations are meant: those that have everything that is said. The empty value
/// means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// The category.
    pub category: Option<String>,
    /// Tags; an operation has them all.
    pub tags: Vec<String>,
    /// The stage.
    pub stage: Option<String>,
    /// A model that is read or written.
    pub model: Option<String>,
}

impl OperationFilter {
    /// Returns whether an operation is among those that are meant.
    pub fn matches(&self, operation: &Operation) -> bool {
        let is = |wanted: &Option<String>, given: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| given == Some(wanted))
        };
        let mut models = operation.models_in.iter().chain(&operation.models_out);
        is(&self.category, Some(&operation.category))
            && is(&self.stage, operation.stage.as_ref())
            && self.tags.iter().all(|tag| operation.tags.contains(tag))
            && self.model.as_ref().is_none_or(|model| models.any(|known| known == model))
    }
}

/// A file of a plugin directory.
#[derive(Clone, Debug)]
pub enum PluginState<'a> {
    /// Its operations can be run.
    Used {
        /// Where it is.
        file: &'a Path,
        /// SHA-256 of its bytes, or of those that are still served.
        digest: Digest,
        /// The plugin's own name.
        plugin: &'a str,
        /// The plugin's version.
        version: &'a str,
        /// What it holds, by name.
        operations: Vec<&'a OperationName>,
        /// Why the file as it is now is not used, where an earlier content of it still is.
        newer_refused: Option<&'a str>,
    },
    /// It is not used.
    Rejected {
        /// Where it is.
        file: &'a Path,
        /// Why, in one sentence.
        reason: String,
    },
}

impl<'a> PluginState<'a> {
    /// Returns where the file is.
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
    fn a_filter_wants_everything_that_it_says() {
        let some = |text: &str| Some(text.to_owned());
        let all = OperationFilter::default();
        let fitting = OperationFilter {
            category: some("text"),
            tags: vec!["y".into(), "x".into()],
            stage: some("load"),
            model: some("Company"),
        };
        let tag = OperationFilter { tags: vec!["x".into(), "z".into()], ..fitting.clone() };
        let stage = OperationFilter { stage: some("extract"), ..all.clone() };
        let model = OperationFilter { model: some("job"), ..all.clone() };
        let matches = [&all, &fitting, &tag, &stage, &model].map(|it| it.matches(&operation()));
        assert_eq!(matches, [true, true, false, false, false]);
    }
}
