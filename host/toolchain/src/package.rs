//! Finds the packages to build with `cargo metadata`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::cargo::cargo;
use crate::command::{CommandError, stdout_of};
use crate::error::BuildError;

/// Packages that share a lock file and a target directory, so that one cargo process builds them.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The working directory of cargo. Its toolchain file and cargo configuration apply.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, with the author's settings.
    pub(crate) target: PathBuf,
    /// The packages to build, at least one, without duplicates.
    pub(crate) packages: Vec<Package>,
}

/// A package that builds a WebAssembly module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// The name in the manifest.
    pub(crate) name: String,
    /// Cargo's package id, which is unambiguous.
    pub(crate) id: String,
}

/// Finds the packages in `dirs`, in the same order, grouped by workspace.
pub(crate) fn find(dirs: &[PathBuf]) -> Result<Vec<Workspace>, BuildError> {
    let mut workspaces: Vec<Workspace> = Vec::new();
    for dir in dirs {
        let found = read_metadata(dir)?;
        match workspaces.iter_mut().find(|known| known.root == found.root) {
            Some(known) => known.merge(found),
            None => workspaces.push(found),
        }
    }
    Ok(workspaces)
}

impl Workspace {
    fn merge(&mut self, other: Self) {
        for package in other.packages {
            if !self.packages.contains(&package) {
                self.packages.push(package);
            }
        }
    }

    /// Returns the names of the packages in backticks, for messages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.packages.iter().map(|it| format!("`{}`", it.name)).collect();
        names.join(", ")
    }
}

fn read_metadata(dir: &Path) -> Result<Workspace, BuildError> {
    let directory = resolve_package_dir(dir)?;
    // Cargo prints its errors to stderr itself, because they can have many lines.
    let output = stdout_of(
        cargo(&directory)
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .stderr(Stdio::inherit()),
    );
    match output {
        Ok(output) => parse(&output, dir, &directory.join("Cargo.toml")),
        Err(CommandError::Failed { .. }) => Err(BuildError::Manifest { dir: dir.to_owned() }),
        Err(error) => Err(error.into()),
    }
}

/// Returns the absolute path of `dir` if `dir` contains a manifest.
///
/// Without this check, cargo would search the parent directories for a manifest.
fn resolve_package_dir(dir: &Path) -> Result<PathBuf, BuildError> {
    let dir = dir.to_owned();
    let Some(directory) = fs::canonicalize(&dir).ok().filter(|path| path.is_dir()) else {
        return Err(BuildError::NoDirectory { dir });
    };
    if !directory.join("Cargo.toml").is_file() {
        return Err(BuildError::NoManifest { dir });
    }
    Ok(directory)
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Member>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Member {
    name: String,
    id: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

impl Member {
    fn is_cdylib(&self) -> bool {
        let mut types = self.targets.iter().flat_map(|target| &target.crate_types);
        types.any(|kind| kind == "cdylib")
    }
}

/// Returns the package with the manifest `manifest` from the output of `cargo metadata`.
fn parse(output: &str, dir: &Path, manifest: &Path) -> Result<Workspace, BuildError> {
    let metadata: Metadata = serde_json::from_str(output)?;
    let mut members = metadata.packages.into_iter();
    let Some(member) = members.find(|member| member.manifest_path == manifest) else {
        return Err(BuildError::NotPackage { dir: dir.to_owned() });
    };
    if !member.is_cdylib() {
        return Err(BuildError::NotCdylib {
            package: member.name,
            manifest: dir.join("Cargo.toml"),
        });
    }
    let package = Package { name: member.name, id: member.id };
    Ok(Workspace {
        root: metadata.workspace_root,
        target: metadata.target_directory,
        packages: vec![package],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Output of cargo 1.95, without the fields that are not read.
    const OUTPUT: &str = r#"{"packages":[
        {"name":"host","version":"0.1.0","id":"path+file:///p/host#0.1.0","source":null,
         "targets":[{"kind":["lib"],"crate_types":["lib"],"name":"host","edition":"2024"}],
         "manifest_path":"/p/host/Cargo.toml"},
        {"name":"my-guest","version":"0.1.0","id":"path+file:///p/guest#my-guest@0.1.0",
         "targets":[{"kind":["cdylib"],"crate_types":["cdylib"],"name":"my_guest"}],
         "manifest_path":"/p/guest/Cargo.toml"}],
        "workspace_members":[],"target_directory":"/p/target","build_directory":"/p/target",
        "version":1,"workspace_root":"/p","metadata":null}"#;

    fn parsed(dir: &str) -> Result<Workspace, BuildError> {
        let dir = Path::new(dir);
        parse(OUTPUT, dir, &dir.join("Cargo.toml"))
    }

    #[test]
    fn member_is_found_by_its_manifest() {
        let workspace = parsed("/p/guest").unwrap();
        assert_eq!(workspace.root, Path::new("/p"));
        assert_eq!(workspace.target, Path::new("/p/target"));
        assert_eq!(workspace.names(), "`my-guest`");
        assert_eq!(workspace.packages[0].id, "path+file:///p/guest#my-guest@0.1.0");
    }

    #[test]
    fn workspace_without_package_is_rejected() {
        let error = parsed("/p").unwrap_err();
        assert_eq!(error.to_string(), "`/p` is a workspace, not a package");
    }

    #[test]
    fn package_without_cdylib_is_rejected() {
        let error = parsed("/p/host").unwrap_err();
        assert_eq!(error.to_string(), "package `host` does not build a WebAssembly module");
        let hint = "add `crate-type = [\"cdylib\"]` under `[lib]` in `/p/host/Cargo.toml`";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }

    #[test]
    fn duplicate_package_is_built_once() {
        let mut workspace = parsed("/p/guest").unwrap();
        workspace.merge(parsed("/p/guest").unwrap());
        assert_eq!(workspace.packages.len(), 1);
    }

    #[test]
    fn missing_directory_is_rejected() {
        let error = find(&[PathBuf::from("no/such/directory")]).unwrap_err();
        assert_eq!(error.to_string(), "`no/such/directory` is not a directory");
    }
}
