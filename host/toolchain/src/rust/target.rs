//! Chooses the WebAssembly target of a build.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::build::BuildEvent;
use crate::command::{CommandError, stdout_of};
use crate::error::BuildError;

/// The target with clocks, randomness and a stdout.
pub(crate) const WASIP2: &str = "wasm32-wasip2";
/// The bare target.
const UNKNOWN: &str = "wasm32-unknown-unknown";
/// The targets of a build, the preferred one first.
pub(super) const TARGETS: [&str; 2] = [WASIP2, UNKNOWN];

/// A target with an installed standard library. Its text completes "building with".
#[derive(Clone, Copy, Debug)]
pub enum WasmTarget {
    /// The target was installed before the build.
    Installed {
        /// The name of the target.
        name: &'static str,
    },
    /// Rustup has just added `wasm32-wasip2`.
    Added,
}

impl WasmTarget {
    /// Returns the name of the target that cargo builds for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Installed { name } => name,
            Self::Added => WASIP2,
        }
    }
}

impl fmt::Display for WasmTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed { name } => write!(f, "the installed {name}"),
            Self::Added => write!(f, "{WASIP2}, which rustup has just added"),
        }
    }
}

/// Returns an installed target for a build in `dir`, or else adds one with rustup.
///
/// # Errors
///
/// Returns [`BuildError::NoTarget`] if no target is installed and rustup cannot add one.
pub(crate) fn provide(
    dir: &Path,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<WasmTarget, BuildError> {
    if let Some(name) = installed(dir)? {
        return Ok(WasmTarget::Installed { name });
    }
    report(BuildEvent::AddingTarget);
    add(dir).map(|()| WasmTarget::Added).map_err(|reason| BuildError::NoTarget { reason })
}

/// Returns the preferred installed target, or `None` if none is installed.
pub(crate) fn installed(dir: &Path) -> Result<Option<&'static str>, CommandError> {
    for target in TARGETS {
        if is_installed(dir, target)? {
            return Ok(Some(target));
        }
    }
    Ok(None)
}

fn is_installed(dir: &Path, target: &str) -> Result<bool, CommandError> {
    let arguments = ["--print", "target-libdir", "--target", target];
    match stdout_of(rustc(dir).args(arguments)) {
        Ok(libraries) => Ok(contains_std(Path::new(libraries.trim_end()))),
        // The target is unknown to an old version of Rust.
        Err(CommandError::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns the compiler that cargo uses in `dir`. Toolchain files in `dir` apply.
pub(crate) fn rustc(dir: &Path) -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
    command.current_dir(dir);
    command
}

/// Returns whether the directory contains the standard library.
///
/// Rustc prints the directory of a target even if the target is not installed.
fn contains_std(libraries: &Path) -> bool {
    let Ok(entries) = fs::read_dir(libraries) else {
        return false;
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|name| {
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Adds the target with rustup. The error is the reason for messages.
fn add(dir: &Path) -> Result<(), String> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", WASIP2]).current_dir(dir);
    stdout_of(&mut rustup).map_err(|error| match error {
        CommandError::Failed { reason, .. } => reason,
        CommandError::Start { .. } => error.to_string(),
    })?;
    match is_installed(dir, WASIP2) {
        Ok(true) => Ok(()),
        _ => Err("`rustc` does not belong to rustup".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_without_libraries_is_not_installed() {
        assert!(!contains_std(Path::new("no/such/lib")));
    }

    #[test]
    fn the_native_target_is_installed() {
        let arguments = ["--print", "target-libdir"];
        let libraries = stdout_of(rustc(Path::new(".")).args(arguments)).unwrap();
        assert!(contains_std(Path::new(libraries.trim_end())));
    }

    #[test]
    fn an_unknown_target_is_not_installed() {
        assert!(!is_installed(Path::new("."), "wasm32-no-such").unwrap());
    }
}
