//! Finds the packages to build with `cargo metadata`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::command::{CommandError, stdout_of};
use crate::error::BuildError;

use super::cargo::cargo;

/// Packages that share a lock file and a target directory, so that one cargo process builds them.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The working directory of cargo. Its toolchain file and cargo configuration apply.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, with the author's settings.
    pub(crate) target: PathBuf,
    /// Whether the workspace is one package with the default target directory.
    pub(crate) is_single: bool,
    /// The packages to build, at least one, without duplicates.
    pub(crate) packages: Vec<Package>,
}

/// A package that builds a WebAssembly module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// The name in the manifest.
    pub(crate) name: String,
    /// The name of the library, which is the name of the module's file.
    pub(crate) library: String,
    /// The path of the manifest.
    pub(crate) manifest: PathBuf,
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

/// Returns the absolute path of `dir`. Cargo's paths have no symbolic links.
fn resolve_package_dir(dir: &Path) -> Result<PathBuf, BuildError> {
    fs::canonicalize(dir).map_err(|_| BuildError::NoDirectory { dir: dir.to_owned() })
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Member>,
    target_directory: PathBuf,
    workspace_members: Vec<String>,
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
    name: String,
    crate_types: Vec<String>,
}

impl Member {
    /// Returns the name of the library that links to a module.
    fn library(&self) -> Option<String> {
        let is_cdylib = |target: &&Target| target.crate_types.iter().any(|kind| kind == "cdylib");
        // Cargo of Rust 1.78 and older prints the name of the package.
        Some(self.targets.iter().find(is_cdylib)?.name.replace('-', "_"))
    }
}

/// Returns the package with the manifest `manifest` from the output of `cargo metadata`.
fn parse(output: &str, dir: &Path, manifest: &Path) -> Result<Workspace, BuildError> {
    let metadata: Metadata = serde_json::from_str(output)?;
    let mut members = metadata.packages.into_iter();
    let Some(member) = members.find(|member| member.manifest_path == manifest) else {
        return Err(BuildError::NotPackage { dir: dir.to_owned() });
    };
    let Some(library) = member.library() else {
        return Err(BuildError::NotCdylib {
            package: member.name,
            manifest: dir.join("Cargo.toml"),
        });
    };
    let Member { name, id, manifest_path: manifest, .. } = member;
    let is_default = metadata.target_directory == metadata.workspace_root.join("target");
    Ok(Workspace {
        is_single: is_default && metadata.workspace_members.len() == 1,
        root: metadata.workspace_root,
        target: metadata.target_directory,
        packages: vec![Package { name, library, manifest, id }],
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
        "workspace_members":["path+file:///p/host#0.1.0","path+file:///p/guest#my-guest@0.1.0"],
        "target_directory":"/p/target","build_directory":"/p/target",
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
        assert!(!workspace.is_single);
        assert_eq!(workspace.names(), "`my-guest`");
        let package = &workspace.packages[0];
        assert_eq!(package.id, "path+file:///p/guest#my-guest@0.1.0");
        assert_eq!(package.library, "my_guest");
        assert_eq!(package.manifest, Path::new("/p/guest/Cargo.toml"));
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
