//! Resolves conflicts of operation names between plugin files.
//!
//! The file that first registered a name owns it. A file that declares a name owned by another
//! file is rejected as a whole. If several files without an owner declare the same name, all of
//! them are rejected: the order of files in a directory does not tell which one is meant.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::error::FileError;
use super::snapshot::InspectedFile;
use crate::model::operation::OperationName;

/// The accepted file of each operation name.
#[derive(Default)]
pub(super) struct NameOwners {
    by_name: HashMap<OperationName, PathBuf>,
}

/// Priority of a file for a name, the lowest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// The file was never accepted.
    New,
    /// The file was accepted, but without this name.
    Accepted,
    /// The file owns the name.
    Owner,
}

impl NameOwners {
    /// Returns the owners from the accepted files and their names.
    pub(super) fn of<'a>(
        accepted: impl Iterator<Item = (&'a Path, Vec<&'a OperationName>)>,
    ) -> Self {
        let mut by_name = HashMap::new();
        for (path, names) in accepted {
            by_name.extend(names.into_iter().map(|name| (name.clone(), path.to_owned())));
        }
        Self { by_name }
    }

    fn claim(&self, name: &OperationName, path: &Path) -> Claim {
        if self.by_name.get(name).is_some_and(|owner| owner == path) {
            Claim::Owner
        } else if self.by_name.values().any(|owner| owner == path) {
            Claim::Accepted
        } else {
            Claim::New
        }
    }

    /// Returns the files that lose a name to another file, with the reason, by path.
    pub(super) fn conflicting_files(
        &self,
        files: &[InspectedFile],
    ) -> BTreeMap<PathBuf, FileError> {
        let mut conflicting = BTreeMap::new();
        // Owned names are resolved first. A file that loses one of them contests no other name.
        for min_claim in [Claim::Owner, Claim::New] {
            for (name, paths) in contested(files, &conflicting) {
                let claims: Vec<_> = paths.iter().map(|path| self.claim(name, path)).collect();
                let best = claims.iter().copied().max().filter(|best| *best >= min_claim);
                let Some(best) = best else { continue };
                conflicting.extend(reject(name, &paths, &claims, best));
            }
        }
        conflicting
    }
}

/// Returns the names that several files declare. Files in `conflicting` are ignored.
fn contested<'a>(
    files: &'a [InspectedFile],
    conflicting: &BTreeMap<PathBuf, FileError>,
) -> BTreeMap<&'a OperationName, Vec<&'a Path>> {
    let mut declared = BTreeMap::<_, Vec<_>>::new();
    for file in files.iter().filter(|file| !conflicting.contains_key(&file.path)) {
        for name in file.plugin().into_iter().flat_map(|plugin| plugin.plugin.names()) {
            declared.entry(name).or_default().push(file.path.as_path());
        }
    }
    declared.retain(|_, paths| paths.len() > 1);
    declared
}

/// Returns the rejection of each file that does not win the name. Only a single file with the best
/// claim wins.
fn reject(
    name: &OperationName,
    paths: &[&Path],
    claims: &[Claim],
    best: Claim,
) -> Vec<(PathBuf, FileError)> {
    let winners: Vec<_> = paths.iter().zip(claims).filter(|(_, claim)| **claim == best).collect();
    let reason = |path: &Path| match winners.as_slice() {
        [(owner, _)] if **owner == path => None,
        [(owner, _)] => {
            Some(FileError::NameTaken { name: name.clone(), owner: owner.to_path_buf() })
        }
        _ => {
            let other = paths.iter().find(|other| **other != path)?;
            Some(FileError::NameConflict { name: name.clone(), other: other.to_path_buf() })
        }
    };
    paths.iter().filter_map(|path| Some((path.to_path_buf(), reason(path)?))).collect()
}
