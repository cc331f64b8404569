//! The way in: directories of packages to WebAssembly modules.

use std::fmt;
use std::path::PathBuf;

use super::error::BuildError;
use super::package::{self, Workspace};
use super::way::{self, Way};
use super::{cargo, debian};

/// What was built of one package.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// The name of the package.
    pub(crate) package: String,
    /// The module or component, as the compiler wrote it.
    pub(crate) wasm: PathBuf,
    /// Cargo's target directory for this package.
    pub(crate) target: PathBuf,
}

/// What is about to be done, or has turned out: one line for the author.
#[derive(Debug)]
pub(crate) enum Step {
    /// Rustup is asked for the WebAssembly target.
    AddingTarget,
    /// Rustup refused; another way is tried.
    TargetRefused {
        /// What rustup said.
        reason: String,
    },
    /// Debian's Rust is downloaded and unpacked.
    FetchingDebian {
        /// Where to.
        folder: PathBuf,
    },
    /// Cargo is run.
    Building {
        /// The names of the packages, in backticks.
        packages: String,
        /// How WebAssembly is come by.
        way: Way,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddingTarget => {
                let target = way::WASIP2;
                write!(f, "no wasm target is installed: running `rustup target add {target}`")
            }
            Self::TargetRefused { reason } => write!(f, "rustup cannot add the target: {reason}"),
            Self::FetchingDebian { folder } => write!(
                f,
                "unpacking Debian's Rust into `{}`: {}, once; nothing is installed",
                folder.display(),
                debian::SIZE,
            ),
            Self::Building { packages, way } => write!(f, "building {packages} with {way}"),
        }
    }
}

/// Builds the packages in `dirs`, and tells each step through `report` before it is taken.
/// The artifacts come in the order of `dirs`, gathered by workspace.
///
/// # Errors
///
/// When a directory is not that of a plugin's package, the machine has no Rust for
/// WebAssembly, or a plugin does not compile.
pub(crate) fn build(
    dirs: &[PathBuf],
    report: &mut dyn FnMut(Step),
) -> Result<Vec<Artifact>, BuildError> {
    let mut artifacts = Vec::new();
    for workspace in package::find(dirs)? {
        artifacts.extend(build_workspace(&workspace, report)?);
    }
    Ok(artifacts)
}

fn build_workspace(
    workspace: &Workspace,
    report: &mut dyn FnMut(Step),
) -> Result<impl Iterator<Item = Artifact>, BuildError> {
    let way = way::choose(workspace, report)?;
    report(Step::Building { packages: workspace.names(), way: way.clone() });
    let modules = cargo::build(workspace, &way)?;
    let built = workspace.packages.iter().zip(modules);
    Ok(built.map(|(package, wasm)| Artifact {
        package: package.name.clone(),
        wasm,
        target: workspace.target.clone(),
    }))
}
