//! Decides which inspected files are served.
//!
//! A file is served if it is a plugin and loses no operation name to another file. If a served
//! file changes and its new content is rejected, its last good content is served.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::FileError;
use super::index::{IndexEntry, Inspection};
use super::name_ownership::NameOwners;
use super::snapshot::{InspectedFile, Registry, Rejected};
use crate::model::operation::OperationName;

/// Returns the snapshot of these files.
///
/// `inspected` are the files that were known before the load. Names belong to the accepted files
/// among them, and to the files whose last good content is served.
pub(super) fn registry(
    files: Vec<InspectedFile>,
    rejected: BTreeMap<PathBuf, FileError>,
    inspected: &[InspectedFile],
    earlier: Option<&Registry>,
) -> Registry {
    let last_good = earlier.map_or(&[][..], |earlier| &earlier.last_good);
    let owners = name_owners(inspected.iter().chain(last_good));
    match earlier {
        Some(earlier) => with_last_good(files, rejected, &owners, earlier),
        None => resolve_names(files, rejected, &owners),
    }
}

fn name_owners<'a>(files: impl Iterator<Item = &'a InspectedFile>) -> NameOwners {
    let accepted = files.filter(|file| file.accepted);
    NameOwners::of(accepted.filter_map(|file| {
        let names: Vec<&OperationName> = file.plugin()?.plugin.names().collect();
        Some((file.path.as_path(), names))
    }))
}

/// Rejects the files that lose a name to another file, and returns the snapshot.
fn resolve_names(
    mut files: Vec<InspectedFile>,
    mut rejected: BTreeMap<PathBuf, FileError>,
    owners: &NameOwners,
) -> Registry {
    let conflicting = owners.conflicting_files(&files);
    for file in &mut files {
        file.accepted = file.plugin().is_some() && !conflicting.contains_key(&file.path);
    }
    rejected.extend(conflicting);
    Registry::new(files, rejected)
}

/// Like [`resolve_names`], but serves the last good content of files that are rejected now.
///
/// Such a file gets its names back. Another file may have taken one of them and is then rejected,
/// so its last good content is served too. This repeats until no further file is affected.
fn with_last_good(
    files: Vec<InspectedFile>,
    rejected: BTreeMap<PathBuf, FileError>,
    owners: &NameOwners,
    earlier: &Registry,
) -> Registry {
    let mut registry = resolve_names(files, rejected, owners);
    let (current, mut last_good) = (registry.files.clone(), Vec::<InspectedFile>::new());
    loop {
        let is_restored = |path: &Path| last_good.iter().any(|file| file.path == path);
        let rejected = registry.rejected.iter().filter(|rejected| !is_restored(&rejected.path));
        let restored: Vec<_> = rejected.filter_map(|it| last_good_of(earlier, it)).collect();
        if restored.is_empty() {
            break;
        }
        registry = resolve_restored(registry, &restored, owners);
        last_good.extend(restored);
    }
    let mut served = std::mem::replace(&mut registry.files, current);
    served.retain(|file| file.accepted);
    for file in &mut registry.files {
        file.accepted = served.iter().any(|other| is_same_content(other, file));
    }
    registry.last_good = last_good;
    registry
}

/// Resolves the names again, with the last good contents in place of the current ones.
fn resolve_restored(
    registry: Registry,
    restored: &[InspectedFile],
    owners: &NameOwners,
) -> Registry {
    let is_restored = |path: &Path| restored.iter().any(|file| file.path == path);
    let rejected = registry.rejected.into_iter().filter(|rejected| !is_restored(&rejected.path));
    let rejected = rejected.map(|rejected| (rejected.path, rejected.reason)).collect();
    let current = registry.files.into_iter().filter(|file| !is_restored(&file.path));
    resolve_names(current.chain(restored.iter().cloned()).collect(), rejected, owners)
}

/// Returns the content of a rejected file that the earlier snapshot served.
fn last_good_of(earlier: &Registry, rejected: &Rejected) -> Option<InspectedFile> {
    let mut served = earlier.last_good.iter().chain(&earlier.files).filter(|file| file.accepted);
    let file = served.find(|file| file.path == rejected.path)?;
    let last_good = Arc::new(file.plugin()?.last_good(rejected.reason.to_string()));
    Some(IndexEntry {
        inspection: Inspection::Plugin(last_good),
        path: rejected.path.clone(),
        ..*file
    })
}

fn is_same_content(a: &InspectedFile, b: &InspectedFile) -> bool {
    a.path == b.path && a.digest == b.digest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::digest::Digest;
    use crate::registry::files::FileStamp;
    use crate::registry::snapshot::PluginFile;

    /// Returns an inspected plugin file with these operations.
    fn plugin_file(path: &str, names: &[&str]) -> InspectedFile {
        let operation = |name: &&str| {
            json!({
                "name": name, "description": "d", "category": "c", "input_schema": {},
                "output_schema": {}, "tags": [], "permissions": [], "models_in": [],
                "models_out": [], "stage": null, "async_enabled": false, "create_taskrun": true,
                "timeout_ms": null, "memory_mib": null, "idempotent": false, "destructive": false,
                "aliases": [], "annotations": {},
            })
        };
        let operations: Vec<_> = names.iter().map(operation).collect();
        let plugin =
            json!({"name": "p", "version": "1", "annotations": {}, "operations": operations});
        let digest = Digest::sha256(format!("{path} {names:?}").as_bytes());
        let plugin = serde_json::from_value(plugin).unwrap();
        let file = Arc::new(PluginFile::new(path.into(), digest, plugin, None));
        inspected_file(path, digest, Inspection::Plugin(file))
    }

    fn inspected_file(
        path: &str,
        digest: Digest,
        inspection: Inspection<Arc<PluginFile>>,
    ) -> InspectedFile {
        let stamp = json!({"device": 1, "inode": 2, "size": 3, "mtime": 4, "ctime": 5});
        let stamp: FileStamp = serde_json::from_value(stamp).unwrap();
        IndexEntry { path: path.into(), stamp, read_at: 9, digest, accepted: false, inspection }
    }

    fn rejected_file(path: &str) -> InspectedFile {
        let inspection = Inspection::Rejected { reason: "bad".into(), valid_until: i64::MAX };
        inspected_file(path, Digest::sha256(path.as_bytes()), inspection)
    }

    fn served(registry: &Registry) -> Vec<(&str, &Path)> {
        let operations = registry.operations();
        operations.map(|it| (it.operation().name.as_str(), it.file.path.as_path())).collect()
    }

    #[test]
    fn file_that_takes_a_name_of_a_restored_file_is_restored_too() {
        let no_owners = NameOwners::default();
        let (a, b, c) =
            (plugin_file("a", &["x"]), plugin_file("b", &["y"]), plugin_file("c", &["z"]));
        let earlier = resolve_names(vec![a, b, c], BTreeMap::new(), &no_owners);
        let before = [("x", Path::new("a")), ("y", Path::new("b")), ("z", Path::new("c"))];
        assert_eq!(served(&earlier), before);
        // Each file takes the name that the previous file has dropped.
        let current = vec![rejected_file("a"), plugin_file("b", &["x"]), plugin_file("c", &["y"])];
        let owners = name_owners(earlier.files.iter());
        let registry = with_last_good(current, BTreeMap::new(), &owners, &earlier);
        assert_eq!(served(&registry), before);
        assert_eq!(registry.rejected.len(), 0);
        let last_good = registry.last_good.iter().filter_map(|file| file.plugin());
        let reasons: Vec<_> = last_good.filter_map(|file| file.reload_error.as_deref()).collect();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(registry.files.iter().all(|file| !file.accepted));
    }
}
