//! Builds the projects in directories to WebAssembly modules.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::BuildError;
use crate::kit::Language;
use crate::python;
use crate::rust;
use crate::rust::target::{WASIP2, WasmTarget};

/// The compiled module of one package.
#[derive(Debug)]
pub struct Artifact {
    /// The name of the package.
    pub package: String,
    /// The path of the module or component that was compiled. Only a build of the same project
    /// replaces the file, atomically.
    pub wasm: PathBuf,
    /// The directory of the component, if the author chooses no other.
    pub directory: PathBuf,
}

/// A step of a build; displays as one line of progress.
#[derive(Debug)]
pub enum BuildEvent {
    /// Rustup adds the WebAssembly target.
    AddingTarget,
    /// Another build uses the target directory.
    Waiting,
    /// Cargo builds the packages.
    Building {
        /// The names of the packages, in backticks.
        packages: String,
        /// The target of the build.
        target: WasmTarget,
    },
    /// Componentize-py builds a package.
    BuildingPython {
        /// The name of the package.
        package: String,
    },
}

impl fmt::Display for BuildEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddingTarget => {
                write!(f, "no wasm target is installed: running `rustup target add {WASIP2}`")
            }
            Self::Waiting => f.write_str("waiting for another build"),
            Self::BuildingPython { package } => {
                write!(f, "building `{package}` with componentize-py")
            }
            Self::Building { packages, target } => write!(f, "building {packages} with {target}"),
        }
    }
}

/// Builds the projects in `dirs` and reports each step before it begins.
///
/// A directory with a `Cargo.toml` is a Rust package, and one with a `pyproject.toml` is a Python
/// project. The artifacts are in the order of `dirs`,
/// grouped by language and workspace. The progress and the messages of the compilers go to stderr.
///
/// # Errors
///
/// Returns [`BuildError`] if a directory has no plugin project, a tool is missing, or a project
/// does not compile. Only the files of the compilers have been written.
pub fn build(
    dirs: &[PathBuf],
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<Artifact>, BuildError> {
    let (mut rust, mut python) = (Vec::new(), Vec::new());
    for dir in dirs {
        match language(dir)? {
            Language::Rust => rust.push(dir.clone()),
            Language::Python => python.push(dir.clone()),
        }
    }
    let mut artifacts = rust::build(&rust, report)?;
    artifacts.extend(python::build(&python, report)?);
    Ok(artifacts)
}

/// Returns the language of the project in a directory.
///
/// # Errors
///
/// Returns [`BuildError`] if the path is not a directory, or has no manifest.
pub fn language(dir: &Path) -> Result<Language, BuildError> {
    let dir = || dir.to_owned();
    if !dir().is_dir() {
        return Err(BuildError::NoDirectory { dir: dir() });
    }
    let has = |manifest: &str| dir().join(manifest).is_file();
    match (has("Cargo.toml"), has("pyproject.toml")) {
        (true, _) => Ok(Language::Rust),
        (false, true) => Ok(Language::Python),
        (false, false) => Err(BuildError::NoManifest { dir: dir() }),
    }
}
