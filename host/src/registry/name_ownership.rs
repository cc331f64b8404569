//! Who holds a name.
//!
//! A name stays with the file that holds it; whoever comes later with the same name is
//! refused, as a whole. Among files that were never accepted a tie refuses all of them:
//! which one is meant cannot be known, and the order of a directory says nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::FileError;
use super::index::IndexEntry;
use super::snapshot::PluginFile;
use crate::model::operation::OperationName;

/// What was accepted before: by whom each name was held.
#[derive(Default)]
pub(super) struct NameOwners {
    by_name: HashMap<OperationName, PathBuf>,
}

/// How good a file's claim to a name is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// It was never accepted.
    New,
    /// It was accepted, without this name.
    Known,
    /// It held the name.
    Holder,
}

impl NameOwners {
    /// Returns who held what, as these records say.
    pub(super) fn of<'a>(
        records: impl Iterator<Item = (&'a Path, Vec<&'a OperationName>)>,
    ) -> Self {
        let mut by_name = HashMap::new();
        for (path, names) in records {
            by_name.extend(names.into_iter().map(|name| (name.clone(), path.to_owned())));
        }
        Self { by_name }
    }

    fn claim(&self, name: &OperationName, path: &Path) -> Claim {
        if self.by_name.get(name).is_some_and(|holder| holder == path) {
            Claim::Holder
        } else if self.by_name.values().any(|holder| holder == path) {
            Claim::Known
        } else {
            Claim::New
        }
    }

    /// Returns the files that lose a name to another, and why, by path.
    pub(super) fn conflicting_files(
        &self,
        records: &[IndexEntry<Arc<PluginFile>>],
    ) -> BTreeMap<PathBuf, FileError> {
        let mut lost = BTreeMap::new();
        // First what is held: who loses there does not stand in the way of others.
        for least in [Claim::Holder, Claim::New] {
            for (name, paths) in contested(records, &lost) {
                let claims: Vec<_> = paths.iter().map(|path| self.claim(name, path)).collect();
                let best = claims.iter().copied().max().filter(|best| *best >= least);
                let Some(best) = best else { continue };
                lost.extend(refuse(name, &paths, &claims, best));
            }
        }
        lost
    }
}

/// Returns the names that several files want, without those files that lost already.
fn contested<'a>(
    records: &'a [IndexEntry<Arc<PluginFile>>],
    lost: &BTreeMap<PathBuf, FileError>,
) -> BTreeMap<&'a OperationName, Vec<&'a Path>> {
    let mut wanted = BTreeMap::<_, Vec<_>>::new();
    for record in records.iter().filter(|record| !lost.contains_key(&record.path)) {
        for name in record.plugin().into_iter().flat_map(|file| file.plugin.names()) {
            wanted.entry(name).or_default().push(record.path.as_path());
        }
    }
    wanted.retain(|_, paths| paths.len() > 1);
    wanted
}

fn refuse(
    name: &OperationName,
    paths: &[&Path],
    claims: &[Claim],
    best: Claim,
) -> Vec<(PathBuf, FileError)> {
    let bests: Vec<_> = paths.iter().zip(claims).filter(|(_, claim)| **claim == best).collect();
    let reason = |path: &Path| match bests.as_slice() {
        [(holder, _)] if **holder == path => None,
        [(holder, _)] => {
            Some(FileError::NameHeld { name: name.clone(), holder: holder.to_path_buf() })
        }
        _ => {
            let other = paths.iter().find(|other| **other != path)?;
            Some(FileError::NameTied { name: name.clone(), other: other.to_path_buf() })
        }
    };
    paths.iter().filter_map(|path| Some((path.to_path_buf(), reason(path)?))).collect()
}
