//! Errors of a build, and the hint for each.

use std::io;
use std::path::PathBuf;

use crate::command::CommandError;
use crate::python::{self, ProjectError, ToolchainError};

/// Error of a build. Only cargo's own files have been written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The directory to build does not exist, or is a file.
    #[error("`{dir}` is not a directory")]
    NoDirectory {
        /// The path, as the caller passed it.
        dir: PathBuf,
    },
    /// The directory is not the project of a plugin.
    #[error("no `Cargo.toml` or `pyproject.toml` in `{dir}`")]
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
    /// The manifest of a Python project is not valid.
    #[error("cannot build `{}`", dir.display())]
    PythonProject {
        /// The path, as the caller passed it.
        dir: PathBuf,
        /// The reason.
        source: ProjectError,
    },
    /// The compiler of a Python project cannot be used.
    #[error("cannot build `{}`", dir.display())]
    PythonToolchain {
        /// The path, as the caller passed it.
        dir: PathBuf,
        /// The reason.
        source: ToolchainError,
    },
    /// The modules of a Python project do not make a plugin.
    #[error("cannot compile `{package}`")]
    Python {
        /// The name of the package.
        package: String,
        /// The traceback of Python, or the message of the compiler.
        message: String,
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
    /// Returns whether a path is not a plugin package, so that nothing has been built.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoDirectory { .. }
            | Self::NoManifest { .. }
            | Self::NotPackage { .. }
            | Self::PythonProject { .. }
            | Self::NotCdylib { .. } => true,
            Self::Manifest { .. }
            | Self::Rust(_)
            | Self::Answer(_)
            | Self::NoTarget { .. }
            | Self::Compile { .. }
            | Self::PythonToolchain { .. }
            | Self::Python { .. }
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
            Self::PythonProject { source, .. } => return source.hint().map(ToOwned::to_owned),
            Self::PythonToolchain { dir, source } => source.hint(dir),
            Self::Python { message, .. } => return python::hint(message).map(ToOwned::to_owned),
            Self::TargetDirectory { .. } => {
                "set `CARGO_TARGET_DIR` to a writable directory".to_owned()
            }
            Self::Rust(CommandError::Failed { .. })
            | Self::Answer(_)
            | Self::Copy { .. }
            | Self::NoModule { .. } => return None,
        };
        Some(hint)
    }
}
