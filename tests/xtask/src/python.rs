//! A Python with packages from the index that `pip` is configured for, below the target
//! directory.
//!
//! The packages are in a virtual environment. If Python has no `venv` module, as on Debian,
//! they are in a plain directory.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::runner::{Failure, Runner, path_with, works};

/// A Python interpreter and the location of its packages.
#[derive(Clone)]
pub(crate) struct Python {
    program: PathBuf,
    /// The directory of the packages, unless the interpreter finds them by itself.
    packages: Option<PathBuf>,
}

impl Python {
    /// Returns the Python in `directory`. Installs it if it is missing or has other packages.
    pub(crate) fn with(
        packages: &[&str],
        runner: &Runner,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let venv = Self { program: directory.join("venv/bin/python"), packages: None };
        let bare = Self { program: "python3".into(), packages: Some(directory.join("packages")) };
        let stamp = directory.join("installed");
        let installed = fs::read_to_string(&stamp).unwrap_or_default();
        let stamped = |name: &str| format!("{name} {}", packages.join(" "));
        for (name, python) in [("venv", &venv), ("packages", &bare)] {
            if installed == stamped(name) && works(python.command(&[directory]).arg("--version")) {
                return Ok(python.clone());
            }
        }
        if !is_installed() {
            return Err(Failure::new("cannot find `python3`: install Python 3.10 or newer"));
        }
        let (name, python) = match make_venv(runner, &directory.join("venv")) {
            Ok(()) => ("venv", venv),
            Err(_) => ("packages", bare),
        };
        python.install(packages, runner, directory)?;
        fs::write(&stamp, stamped(name)).map_err(|error| unwritable(&stamp, &error))?;
        Ok(python)
    }

    fn install(&self, packages: &[&str], runner: &Runner, directory: &Path) -> Result<(), Failure> {
        let mut install = Command::new(&self.program);
        if works(Command::new(&self.program).args(["-m", "pip", "--version"])) {
            install.args(["-m", "pip"]);
        } else {
            install.arg(debian_pip(runner, &directory.join("pip"))?);
        }
        install.args(["install", "--quiet", "--disable-pip-version-check"]);
        if let Some(packages) = &self.packages {
            fs::remove_dir_all(packages).ok();
            install.arg("--target").arg(packages);
        }
        runner.run(install.args(packages))
    }

    /// Returns the directory of the packages, with their programs in `bin`.
    pub(crate) fn environment(&self) -> &Path {
        match &self.packages {
            Some(packages) => packages,
            None => self.program.ancestors().nth(2).unwrap_or(&self.program),
        }
    }

    /// Adds the programs of the packages to the `PATH` of a command.
    pub(crate) fn add_to_path(&self, command: &mut Command) -> Result<(), Failure> {
        // Another active environment would take precedence over `PATH`.
        command.env_remove("VIRTUAL_ENV").env("PATH", path_with(&[self.programs()])?);
        command.envs(self.variables());
        Ok(())
    }

    /// Returns the directory of the programs of the packages.
    pub(crate) fn programs(&self) -> PathBuf {
        self.environment().join("bin")
    }

    /// Returns the variables that the programs need.
    pub(crate) fn variables(&self) -> Option<(&'static str, PathBuf)> {
        Some(("PYTHONPATH", self.packages.clone()?))
    }

    /// Returns a command that starts Python with `directories` on its module path.
    pub(crate) fn command(&self, directories: &[&Path]) -> Command {
        let mut command = Command::new(&self.program);
        let directories = directories.iter().copied().chain(self.packages.as_deref());
        let modules: Vec<_> = directories.map(Path::as_os_str).collect();
        command.env("PYTHONPATH", modules.join(OsStr::new(":")));
        command
    }
}

/// Returns whether there is a `python3`.
pub(crate) fn is_installed() -> bool {
    works(Command::new("python3").arg("--version"))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write `{}`: {error}", path.display()))
}

fn make_venv(runner: &Runner, venv: &Path) -> Result<(), Failure> {
    runner.run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
}

/// Downloads and unpacks `pip` without installing it, because Debian ships `venv` and `pip` in
/// separate packages.
fn debian_pip(runner: &Runner, directory: &Path) -> Result<PathBuf, Failure> {
    let missing = || {
        let packages = "install `python3-venv` or `python3-pip`";
        Failure::new(format!("this Python has neither `venv` nor `pip`: {packages}"))
    };
    fs::remove_dir_all(directory).ok();
    for part in ["state/lists/partial", "cache/archives/partial"] {
        let part = directory.join(part);
        fs::create_dir_all(&part).map_err(|error| unwritable(&part, &error))?;
    }
    for arguments in [&["update"][..], &["download", "python3-pip-whl"]] {
        let mut apt = Command::new("apt-get");
        apt.arg("--quiet=2").args(arguments).current_dir(directory);
        // Private package lists need no root permissions. As root, apt would download as another
        // user, who has no access to this directory.
        for (option, part) in [("Dir::State", "state"), ("Dir::Cache", "cache")] {
            apt.arg("-o").arg(format!("{option}={}", directory.join(part).display()));
        }
        apt.args(["-o", "APT::Sandbox::User=root"]);
        runner.run(&mut apt).map_err(|_| missing())?;
    }
    let package = file_in(directory, "python3-pip-whl").ok_or_else(missing)?;
    runner.run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
    let wheel = file_in(&directory.join("usr/share/python-wheels"), "pip-").ok_or_else(missing)?;
    // Python runs a program in an archive as it runs one in a directory.
    Ok(wheel.join("pip"))
}

fn file_in(directory: &Path, prefix: &str) -> Option<PathBuf> {
    let mut names = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.file_name());
    let name = names.find(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()))?;
    Some(directory.join(name))
}
