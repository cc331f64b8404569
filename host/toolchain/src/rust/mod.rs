//! Builds plugins in Rust with cargo.
//!
//! - `package`: finds the packages and their workspaces.
//! - `target`: chooses the WebAssembly target. `target_dir`: the directory of cargo's output.
//! - `cargo`: runs cargo and parses its messages.

mod cargo;
mod package;
pub(crate) mod target;
mod target_dir;

use std::path::PathBuf;

use crate::build::{Artifact, BuildEvent};
use crate::error::BuildError;
use crate::output::OutputDirectory;

use self::package::{Package, Workspace};
use self::target_dir::LockedTarget;

/// Builds the packages in `dirs`, grouped by workspace.
pub(crate) fn build(
    dirs: &[PathBuf],
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<Artifact>, BuildError> {
    let mut artifacts = Vec::new();
    for workspace in package::find(dirs)? {
        artifacts.extend(build_workspace(&workspace, report)?);
    }
    Ok(artifacts)
}

/// Builds the packages of a workspace, and copies their modules before another build can replace
/// them.
fn build_workspace(
    workspace: &Workspace,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<Artifact>, BuildError> {
    let target = target::provide(&workspace.root, report)?;
    let directory = LockedTarget::acquire(workspace, report)?;
    report(BuildEvent::Building { packages: workspace.names(), target });
    let modules = cargo::build(workspace, target, directory.path())?;
    let output = OutputDirectory::new(directory.output(workspace));
    let artifact = |(package, wasm): (&Package, PathBuf)| output.artifact(&package.name, &wasm);
    workspace.packages.iter().zip(modules).map(artifact).collect()
}
