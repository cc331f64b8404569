//! Builds the packages in directories to WebAssembly modules.

use std::fmt;
use std::path::PathBuf;

use crate::cargo;
use crate::error::BuildError;
use crate::package::{self, Workspace};
use crate::target::{self, WASIP2, WasmTarget};

/// The compiled module of one package.
#[derive(Debug)]
pub struct Artifact {
    /// The name of the package.
    pub package: String,
    /// The path of the module or component that the compiler wrote.
    pub wasm: PathBuf,
    /// Cargo's target directory for this package.
    pub target: PathBuf,
}

/// A step of a build; displays as one line of progress.
#[derive(Debug)]
pub enum BuildEvent {
    /// Rustup adds the WebAssembly target.
    AddingTarget,
    /// Cargo builds the packages.
    Building {
        /// The names of the packages, in backticks.
        packages: String,
        /// The target of the build.
        target: WasmTarget,
    },
}

impl fmt::Display for BuildEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddingTarget => {
                write!(f, "no wasm target is installed: running `rustup target add {WASIP2}`")
            }
            Self::Building { packages, target } => write!(f, "building {packages} with {target}"),
        }
    }
}

/// Builds the packages in `dirs` and reports each step before it begins.
///
/// The artifacts are in the order of `dirs`, grouped by workspace. Cargo's progress and the
/// compiler's messages go to stderr.
///
/// # Errors
///
/// Returns [`BuildError`] if a directory has no plugin package, no WebAssembly target is
/// available, or a package does not compile. Only cargo's own files have been written.
pub fn build(
    dirs: &[PathBuf],
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<Artifact>, BuildError> {
    let mut artifacts = Vec::new();
    for workspace in package::find(dirs)? {
        artifacts.extend(build_workspace(&workspace, report)?);
    }
    Ok(artifacts)
}

fn build_workspace(
    workspace: &Workspace,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<impl Iterator<Item = Artifact>, BuildError> {
    let target = target::provide(&workspace.root, report)?;
    report(BuildEvent::Building { packages: workspace.names(), target });
    let modules = cargo::build(workspace, target)?;
    let built = workspace.packages.iter().zip(modules);
    Ok(built.map(|(package, wasm)| Artifact {
        package: package.name.clone(),
        wasm,
        target: workspace.target.clone(),
    }))
}
