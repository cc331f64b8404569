//! Errors of a build, and the hint for each.

use std::path::PathBuf;

use crate::command::CommandError;

/// Error of a build. Nothing but cargo's own files was written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The directory to build does not exist, or is a file.
    #[error("no directory `{dir}`")]
    NoDirectory {
        /// As it was given.
        dir: PathBuf,
    },
    /// The directory is not that of a Rust package.
    #[error("no `Cargo.toml` in `{dir}`")]
    NoManifest {
        /// As it was given.
        dir: PathBuf,
    },
    /// Cargo refused the manifest; it has said why on stderr.
    #[error("cargo cannot read the package in `{dir}`")]
    Manifest {
        /// As it was given.
        dir: PathBuf,
    },
    /// The manifest is that of a workspace, without a package of its own.
    #[error("`{dir}` is a workspace, not a package")]
    NotPackage {
        /// As it was given.
        dir: PathBuf,
    },
    /// The package has no library that links to a WebAssembly module.
    #[error("package `{package}` does not build a WebAssembly module")]
    NotCdylib {
        /// Its name.
        package: String,
        /// Where to change that.
        manifest: PathBuf,
    },
    /// Cargo or rustc could not be run, or failed when asked about itself.
    #[error(transparent)]
    Rust(#[from] CommandError),
    /// Cargo answered in another format than the one it promises.
    #[error("unexpected answer from cargo")]
    Answer(#[from] serde_json::Error),
    /// No WebAssembly target is installed, and rustup cannot add one.
    #[error("no WebAssembly target is installed, and rustup cannot add one: {reason}")]
    NoTarget {
        /// The message of rustup, or why it cannot be run.
        reason: String,
    },
    /// The plugin does not compile; cargo has said why on stderr.
    #[error("failed to compile {packages}")]
    Compile {
        /// Their names, in backticks.
        packages: String,
    },
    /// Cargo succeeded without naming a module.
    #[error("no WebAssembly module came out of package `{package}`")]
    NoModule {
        /// Its name.
        package: String,
    },
}

impl BuildError {
    /// Returns whether the author named something that is no plugin: nothing was tried.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoDirectory { .. }
            | Self::NoManifest { .. }
            | Self::NotPackage { .. }
            | Self::NotCdylib { .. } => true,
            Self::Manifest { .. }
            | Self::Rust(_)
            | Self::Answer(_)
            | Self::NoTarget { .. }
            | Self::Compile { .. }
            | Self::NoModule { .. } => false,
        }
    }

    /// Returns what the author can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoDirectory { .. } | Self::NoManifest { .. } => {
                "name the directory that holds the plugin's `Cargo.toml`".to_owned()
            }
            Self::NotPackage { .. } => "name the directories of its members".to_owned(),
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
            Self::Rust(CommandError::Failed { .. }) | Self::Answer(_) | Self::NoModule { .. } => {
                return None;
            }
        };
        Some(hint)
    }
}
