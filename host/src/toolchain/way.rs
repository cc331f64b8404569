//! Chooses how a workspace is compiled to WebAssembly.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::build::Step;
use super::command::{CommandError, stdout_of};
use super::debian::Debian;
use super::error::BuildError;
use super::package::Workspace;

/// The target with clocks, randomness and a stdout.
pub(super) const WASIP2: &str = "wasm32-wasip2";
/// The bare target, which every toolchain can serve.
pub(super) const UNKNOWN: &str = "wasm32-unknown-unknown";

/// How a plugin is compiled to WebAssembly; displays as the end of "building with".
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// The target is part of the installed Rust.
    Installed {
        /// Its name.
        target: &'static str,
    },
    /// [`WASIP2`] has just been added by rustup.
    Added,
    /// Debian's compiler and sources, unpacked for this purpose.
    Debian(Debian),
}

impl Way {
    /// Returns the name of the target that cargo builds for.
    pub(super) fn target(&self) -> &'static str {
        match self {
            Self::Installed { target } => target,
            Self::Added => WASIP2,
            Self::Debian(_) => UNKNOWN,
        }
    }

    /// Gives a `cargo build` what this way needs beyond the target.
    pub(super) fn configure(&self, cargo: &mut Command) {
        if let Self::Debian(debian) = self {
            debian.configure(cargo);
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed { target } => write!(f, "the installed {target}"),
            Self::Added => write!(f, "{WASIP2}, which rustup has just added"),
            Self::Debian(debian) => write!(f, "{UNKNOWN} and {debian}"),
        }
    }
}

/// Chooses the first way that works, from the least to the most effort: what is installed,
/// what an earlier build unpacked, what rustup can download, what Debian offers.
pub(super) fn choose(
    workspace: &Workspace,
    report: &mut dyn FnMut(Step),
) -> Result<Way, BuildError> {
    if let Some(target) = installed(&workspace.root)? {
        return Ok(Way::Installed { target });
    }
    if let Some(debian) = Debian::unpacked(workspace).map_err(BuildError::Debian)? {
        return Ok(Way::Debian(debian));
    }
    report(Step::AddingTarget);
    let Err(reason) = add(&workspace.root) else {
        return Ok(Way::Added);
    };
    report(Step::TargetRefused { reason: reason.clone() });
    match Debian::unpack(workspace, report) {
        Ok(debian) => Ok(Way::Debian(debian)),
        Err(debian) => Err(BuildError::NoWasm { rustup: reason, debian }),
    }
}

/// Returns the better of the targets whose standard library is installed.
fn installed(dir: &Path) -> Result<Option<&'static str>, CommandError> {
    for target in [WASIP2, UNKNOWN] {
        if is_installed(dir, target)? {
            return Ok(Some(target));
        }
    }
    Ok(None)
}

pub(super) fn is_installed(dir: &Path, target: &str) -> Result<bool, CommandError> {
    let arguments = ["--print", "target-libdir", "--target", target];
    match stdout_of(rustc(dir).args(arguments)) {
        Ok(libraries) => Ok(holds_std(Path::new(libraries.trim_end()))),
        // A Rust too old to know the target.
        Err(CommandError::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns the compiler that cargo uses in `dir`, toolchain files included.
pub(super) fn rustc(dir: &Path) -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
    command.current_dir(dir);
    command
}

/// Rustc prints the directory of every target that it knows: what counts is the library.
fn holds_std(libraries: &Path) -> bool {
    let Ok(entries) = fs::read_dir(libraries) else {
        return false;
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|name| {
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Adds the target with rustup; the error is why that failed.
fn add(dir: &Path) -> Result<(), String> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", WASIP2]).current_dir(dir);
    stdout_of(&mut rustup).map_err(|error| match error {
        CommandError::Failed { reason, .. } => reason,
        CommandError::Start { .. } => error.to_string(),
    })?;
    match is_installed(dir, WASIP2) {
        Ok(true) => Ok(()),
        _ => Err("`rustc` is not one of rustup's".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_without_libraries_is_not_installed() {
        assert!(!holds_std(Path::new("no/such/lib")));
    }

    #[test]
    fn native_target_is_installed() {
        let arguments = ["--print", "target-libdir"];
        let libraries = stdout_of(rustc(Path::new(".")).args(arguments)).unwrap();
        assert!(holds_std(Path::new(libraries.trim_end())));
    }

    #[test]
    fn unknown_target_is_not_installed() {
        assert!(!is_installed(Path::new("."), "wasm32-no-such").unwrap());
    }
}
