//! Builds the projects in directories to WebAssembly modules.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::BuildError;
use crate::go;
use crate::javascript;
use crate::kit::Language;
use crate::native;
use crate::python;
use crate::rust;
use crate::rust::target::{WASIP2, WasmTarget};

/// The manifests of projects, and how they determine the language. The first one in a directory
/// counts.
const MANIFESTS: [(&str, LanguageOf); 5] = [
    ("Cargo.toml", |_| Ok(Language::Rust)),
    ("pyproject.toml", |_| Ok(Language::Python)),
    ("package.json", |_| Ok(Language::TypeScript)),
    ("go.mod", |_| Ok(Language::Go)),
    (native::MANIFEST, native::language),
];

/// Returns the language of the project in a directory.
type LanguageOf = fn(&Path) -> Result<Language, BuildError>;

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
    /// Another compiler builds a package.
    Compiling {
        /// The name of the package.
        package: String,
        /// The name of the compiler.
        compiler: &'static str,
    },
}

impl fmt::Display for BuildEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddingTarget => {
                write!(f, "no wasm target is installed: running `rustup target add {WASIP2}`")
            }
            Self::Waiting => f.write_str("waiting for another build"),
            Self::Compiling { package, compiler } => {
                write!(f, "building `{package}` with {compiler}")
            }
            Self::Building { packages, target } => write!(f, "building {packages} with {target}"),
        }
    }
}

/// Builds the projects in `dirs` and reports each step before it begins.
///
/// The manifest in a directory determines its language. The artifacts of Rust packages come first,
/// grouped by workspace. The others are in the order of `dirs`. The progress and the messages of the compilers go to stderr.
///
/// # Errors
///
/// Returns [`BuildError`] if a directory has no plugin project, a tool is missing, or a project
/// does not compile. Only the files of the compilers have been written.
pub fn build(
    dirs: &[PathBuf],
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<Artifact>, BuildError> {
    let (mut rust, mut others) = (Vec::new(), Vec::new());
    for dir in dirs {
        match language(dir)? {
            Language::Rust => rust.push(dir.clone()),
            Language::Python => others.push((python::build as Build, dir)),
            Language::TypeScript | Language::JavaScript => {
                others.push((javascript::build as Build, dir));
            }
            Language::Go => others.push((go::build, dir)),
            Language::C | Language::Cpp | Language::Zig => others.push((native::build, dir)),
        }
    }
    let mut artifacts = rust::build(&rust, report)?;
    for (build, dir) in others {
        artifacts.push(build(dir, report)?);
    }
    Ok(artifacts)
}

/// Builds the project in a directory.
type Build = fn(&Path, &mut dyn FnMut(BuildEvent)) -> Result<Artifact, BuildError>;

/// Returns the language of the project in a directory. A project in JavaScript has the manifest and the
/// build of one in TypeScript, and counts as such.
///
/// # Errors
///
/// Returns [`BuildError`] if the path is not a directory, has no manifest, or the manifest has no
/// language.
pub fn language(dir: &Path) -> Result<Language, BuildError> {
    if !dir.is_dir() {
        return Err(BuildError::NoDirectory { dir: dir.to_owned() });
    }
    let found = MANIFESTS.iter().find(|(manifest, _)| dir.join(manifest).is_file());
    match found {
        Some((_, language)) => language(dir),
        None => Err(BuildError::NoManifest { dir: dir.to_owned() }),
    }
}
