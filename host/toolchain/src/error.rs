//! Errors of a build, and the hint for each.

use std::io;
use std::path::{Path, PathBuf};

use crate::command::CommandError;
use crate::go;
use crate::javascript;
use crate::native;
use crate::python;

/// The reason why a directory is not the project of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A project in Python.
    #[error(transparent)]
    Python(#[from] python::ProjectError),
    /// A project in TypeScript or JavaScript.
    #[error(transparent)]
    JavaScript(#[from] javascript::ProjectError),
    /// A project in Go.
    #[error(transparent)]
    Go(#[from] go::ProjectError),
    /// A project in C, C++ or Zig.
    #[error(transparent)]
    Native(#[from] native::ProjectError),
}

impl ProjectError {
    /// Returns a hint for the author, or `None` if no fix is known.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Python(error) => error.hint(),
            Self::JavaScript(error) => error.hint(),
            Self::Go(error) => error.hint(),
            Self::Native(error) => error.hint(),
        }
    }
}

/// The reason why the compiler of a project cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// The compiler of a project in Python.
    #[error(transparent)]
    Python(#[from] python::ToolchainError),
    /// The compiler of a project in TypeScript or JavaScript.
    #[error(transparent)]
    JavaScript(#[from] javascript::ToolchainError),
    /// The toolchain of a project in Go.
    #[error(transparent)]
    Go(#[from] go::ToolchainError),
    /// The compiler of a project in C, C++ or Zig.
    #[error(transparent)]
    Native(#[from] native::ToolchainError),
}

impl ToolchainError {
    /// Returns the fix for the project in `dir`.
    fn hint(&self, dir: &Path) -> String {
        match self {
            Self::Python(error) => error.hint(dir),
            Self::JavaScript(error) => error.hint(dir),
            Self::Go(error) => error.hint(dir),
            Self::Native(error) => error.hint(dir),
        }
    }
}

/// Error of a build. Only the files of the compilers have been written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The directory to build does not exist, or is a file.
    #[error("`{dir}` is not a directory")]
    NoDirectory {
        /// The path, as the caller passed it.
        dir: PathBuf,
    },
    /// The directory is not the project of a plugin.
    #[error(
        "no `Cargo.toml`, `pyproject.toml`, `package.json`, `go.mod` or `plugin.toml` in `{dir}`"
    )]
    NoManifest {
        /// The path, as the caller passed it.
        dir: PathBuf,
    },
    /// Cargo rejected the manifest and printed the reason to stderr.
    #[error("cargo cannot read the package in `{dir}`")]
    Manifest {
        /// The path, as the caller passed it.
        dir: PathBuf,
    },
    /// The manifest belongs to a workspace without a root package.
    #[error("`{dir}` is a workspace, not a package")]
    NotPackage {
        /// The path, as the caller passed it.
        dir: PathBuf,
    },
    /// The package has no library that links to a WebAssembly module.
    #[error("package `{package}` does not build a WebAssembly module")]
    NotCdylib {
        /// The name of the package.
        package: String,
        /// The manifest to change.
        manifest: PathBuf,
    },
    /// Cargo or rustc could not be run, or failed to report its properties.
    #[error(transparent)]
    Rust(#[from] CommandError),
    /// The output of cargo does not have the documented format.
    #[error("cannot parse the output of cargo")]
    Answer(#[from] serde_json::Error),
    /// No WebAssembly target is installed, and rustup cannot add one.
    #[error("no WebAssembly target is installed, and rustup cannot add one: {reason}")]
    NoTarget {
        /// The message of rustup, or why it cannot be run.
        reason: String,
    },
    /// The plugin does not compile. Cargo has printed the reason to stderr.
    #[error("cannot compile {packages}")]
    Compile {
        /// The names of the packages, in backticks.
        packages: String,
    },
    /// The manifest of a project is not valid.
    #[error("cannot build `{}`", dir.display())]
    Project {
        /// The path, as the caller passed it.
        dir: PathBuf,
        /// The reason.
        source: ProjectError,
    },
    /// The compiler of a project cannot be used.
    #[error("cannot build `{}`", dir.display())]
    Toolchain {
        /// The path, as the caller passed it.
        dir: PathBuf,
        /// The reason.
        source: ToolchainError,
    },
    /// The source files of a project do not compile. A compiler that prints its messages to stderr
    /// itself has an empty message.
    #[error("cannot compile `{package}`")]
    Compiler {
        /// The name of the package.
        package: String,
        /// The message of the compiler, or the stack of the program that it started.
        message: String,
        /// A hint for the author.
        hint: Option<&'static str>,
    },
    /// The contract cannot be added to a module.
    #[error("cannot add the contract to the module of `{package}`: {reason}")]
    Embed {
        /// The name of the package.
        package: String,
        /// The reason.
        reason: String,
    },
    /// The target directory cannot be written.
    #[error("cannot write the target directory `{}`", path.display())]
    TargetDirectory {
        /// The directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The module that the compiler wrote cannot be copied.
    #[error("cannot copy `{}` to `{}`", from.display(), to.display())]
    Copy {
        /// The module.
        from: PathBuf,
        /// The copy.
        to: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Cargo succeeded, but its messages name no module of the package.
    #[error("package `{package}` produced no WebAssembly module")]
    NoModule {
        /// The name of the package.
        package: String,
    },
}

impl BuildError {
    /// Returns the error of a project in `dir`.
    pub(crate) fn project(dir: &Path, source: ProjectError) -> Self {
        Self::Project { dir: dir.to_owned(), source }
    }

    /// Returns the error of the compiler of the project in `dir`.
    pub(crate) fn toolchain(dir: &Path, source: ToolchainError) -> Self {
        Self::Toolchain { dir: dir.to_owned(), source }
    }

    /// Returns whether a path is not a plugin package, so that nothing has been built.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoDirectory { .. }
            | Self::NoManifest { .. }
            | Self::NotPackage { .. }
            | Self::Project { .. }
            | Self::NotCdylib { .. } => true,
            Self::Manifest { .. }
            | Self::Rust(_)
            | Self::Answer(_)
            | Self::NoTarget { .. }
            | Self::Compile { .. }
            | Self::Toolchain { .. }
            | Self::Compiler { .. }
            | Self::Embed { .. }
            | Self::TargetDirectory { .. }
            | Self::Copy { .. }
            | Self::NoModule { .. } => false,
        }
    }

    /// Returns a hint for the author, or `None` if no fix is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoDirectory { .. } | Self::NoManifest { .. } => {
                "pass the directory of a plugin; `ophost new` creates one".to_owned()
            }
            Self::NotPackage { .. } => "pass the directories of its members".to_owned(),
            Self::NotCdylib { manifest, .. } => {
                format!("add `crate-type = [\"cdylib\"]` under `[lib]` in `{}`", manifest.display())
            }
            Self::Rust(CommandError::Start { .. }) => {
                "install Rust with rustup, https://rustup.rs".to_owned()
            }
            Self::NoTarget { .. } => {
                "run `rustup target add wasm32-wasip2`; rustup is at https://rustup.rs".to_owned()
            }
            Self::Manifest { .. } | Self::Compile { .. } => "see cargo's message above".to_owned(),
            Self::Project { source, .. } => return source.hint().map(ToOwned::to_owned),
            Self::Toolchain { dir, source } => source.hint(dir),
            Self::Compiler { hint, .. } => return hint.map(ToOwned::to_owned),
            Self::TargetDirectory { .. } => {
                "set `CARGO_TARGET_DIR` to a writable directory".to_owned()
            }
            Self::Rust(CommandError::Failed { .. })
            | Self::Answer(_)
            | Self::Copy { .. }
            | Self::Embed { .. }
            | Self::NoModule { .. } => return None,
        };
        Some(hint)
    }
}
