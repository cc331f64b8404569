//! Finds componentize-py.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::stdout_of;
use crate::environment::{self, Candidate};

/// The program that compiles Python to components.
const PROGRAM: &str = "componentize-py";
/// The version of the program in the requirements of a new project.
pub(crate) const VERSION: &str = "0.25.1";
/// The prefix of the versions that are known to work.
const SUPPORTED: &str = "0.25.";
/// The oldest supported version of Python.
const MIN_PYTHON: (u32, u32) = (3, 10);

/// A componentize-py that starts.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The path of the program.
    pub(super) program: PathBuf,
    /// The virtual environment of the program, if it is in one.
    pub(super) environment: Option<PathBuf>,
}

/// The reason why componentize-py cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Python is not installed.
    #[error("cannot find `python3`, which componentize-py needs")]
    NoPython,
    /// Python is too old for componentize-py.
    #[error("Python {found} is too old: componentize-py needs Python 3.10 or newer")]
    OldPython {
        /// The version of `python3`.
        found: String,
    },
    /// Python cannot create virtual environments.
    #[error("this Python has no module `venv` to install componentize-py with")]
    NoVenv,
    /// Python works, and componentize-py is not installed.
    #[error("cannot find `{PROGRAM}`, which compiles Python to components")]
    NotInstalled {
        /// Whether the project lists its requirements.
        has_requirements: bool,
    },
    /// The program does not start.
    #[error("`{}` does not start: {reason}", program.display())]
    Broken {
        /// The program.
        program: PathBuf,
        /// The message of the program or of the operating system.
        reason: String,
        /// Whether the project lists its requirements.
        has_requirements: bool,
    },
    /// The program has a version that is not known to work.
    #[error("`{}` has version {found}, but version {SUPPORTED}x is needed", program.display())]
    OtherVersion {
        /// The program.
        program: PathBuf,
        /// The version that the program prints.
        found: String,
        /// Whether the project lists its requirements.
        has_requirements: bool,
    },
}

impl ToolchainError {
    /// Returns the command that fixes the toolchain of the project in `dir`.
    pub(crate) fn hint(&self, dir: &Path) -> String {
        match self {
            Self::NoPython | Self::OldPython { .. } => {
                "install Python 3.10 or newer, on Debian with `apt-get install python3 \
                 python3-venv`"
                    .to_owned()
            }
            Self::NoVenv => "on Debian, run `apt-get install python3-venv`".to_owned(),
            Self::NotInstalled { has_requirements } => install(dir, "", *has_requirements),
            Self::Broken { has_requirements, .. } | Self::OtherVersion { has_requirements, .. } => {
                install(dir, " --clear", *has_requirements)
            }
        }
    }
}

/// Returns the hint with the command that installs componentize-py into the project.
fn install(dir: &Path, flags: &str, has_requirements: bool) -> String {
    let packages = match has_requirements {
        true => "-r requirements.txt".to_owned(),
        false => format!("{PROGRAM}=={VERSION}"),
    };
    format!("run `{}`", environment::install(dir, flags, &packages))
}

impl Toolchain {
    /// Finds the componentize-py for the project in `root`.
    ///
    /// # Errors
    ///
    /// Returns [`ToolchainError`] if there is none, it does not start, or it has another version.
    pub(super) fn find(root: &Path) -> Result<Self, ToolchainError> {
        let has_requirements = root.join("requirements.txt").is_file();
        match environment::programs(root, PROGRAM).next() {
            Some(Candidate { program, environment }) => {
                Self { program, environment }.check(has_requirements)
            }
            None => Err(missing(has_requirements)),
        }
    }

    fn check(self, has_requirements: bool) -> Result<Self, ToolchainError> {
        let program = self.program.clone();
        let output = match stdout_of(Command::new(&program).arg("--version")) {
            Ok(output) => output,
            Err(error) => {
                let reason = error.reason();
                return Err(ToolchainError::Broken { program, reason, has_requirements });
            }
        };
        let version = output.split_whitespace().last().unwrap_or_default();
        match version.starts_with(SUPPORTED) {
            true => Ok(self),
            false => {
                let found = version.to_owned();
                Err(ToolchainError::OtherVersion { program, found, has_requirements })
            }
        }
    }

    /// Returns the directory of the packages that are installed beside the program.
    pub(super) fn packages(&self) -> Option<PathBuf> {
        let libraries = fs::read_dir(self.environment.as_ref()?.join("lib")).ok()?;
        let packages = libraries.flatten().map(|library| library.path().join("site-packages"));
        packages.into_iter().find(|packages| packages.is_dir())
    }
}

/// Returns the reason why componentize-py is not installed.
fn missing(has_requirements: bool) -> ToolchainError {
    const SCRIPT: &str = "import sys; print('%d.%d' % sys.version_info[:2])";
    let Ok(output) = stdout_of(Command::new("python3").args(["-c", SCRIPT])) else {
        return ToolchainError::NoPython;
    };
    let found = output.trim().to_owned();
    let parts: Vec<u32> = found.split('.').filter_map(|part| part.parse().ok()).collect();
    match parts[..] {
        [major, minor] if (major, minor) >= MIN_PYTHON => {}
        _ => return ToolchainError::OldPython { found },
    }
    match stdout_of(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        Ok(_) => ToolchainError::NotInstalled { has_requirements },
        Err(_) => ToolchainError::NoVenv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_is_a_command_for_the_project() {
        let missing = |has_requirements| ToolchainError::NotInstalled { has_requirements };
        assert_eq!(
            missing(true).hint(Path::new(".")),
            "run `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt`"
        );
        assert_eq!(
            missing(false).hint(Path::new("my plugin")),
            "run `cd 'my plugin' && python3 -m venv .venv && .venv/bin/pip install \
             componentize-py==0.25.1`"
        );
    }
}
