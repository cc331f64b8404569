//! A Python with packages from the index that `pip` is configured for, below the target
//! directory: a virtual environment, or, where Python comes without that module, as on
//! Debian, a directory of packages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::session::{Failure, Session, works};

/// A Python and where its packages are.
#[derive(Clone)]
pub(crate) struct Python {
    program: PathBuf,
    /// Where packages are that the program does not look for by itself.
    packages: Option<PathBuf>,
}

impl Python {
    /// Returns the one in `own` with these packages, made now if it is not there or has others.
    pub(crate) fn with(packages: &[&str], session: &Session, own: &Path) -> Result<Self, Failure> {
        let venv = Self { program: own.join("venv/bin/python"), packages: None };
        let bare = Self { program: "python3".into(), packages: Some(own.join("packages")) };
        let stamp = own.join("installed");
        let known = fs::read_to_string(&stamp).unwrap_or_default();
        let stamped = |name: &str| format!("{name} {}", packages.join(" "));
        for (name, python) in [("venv", &venv), ("packages", &bare)] {
            if known == stamped(name) && works(python.command(own).arg("--version")) {
                return Ok(python.clone());
            }
        }
        if !works(Command::new("python3").arg("--version")) {
            return Err(Failure::new("there is no `python3`: install Python 3.10 or newer"));
        }
        let (name, python) = match make_venv(session, &own.join("venv")) {
            Ok(()) => ("venv", venv),
            Err(_) => ("packages", bare),
        };
        python.install(packages, session, own)?;
        fs::write(&stamp, stamped(name)).map_err(|error| unwritable(&stamp, &error))?;
        Ok(python)
    }

    fn install(&self, packages: &[&str], session: &Session, own: &Path) -> Result<(), Failure> {
        let mut install = Command::new(&self.program);
        if works(Command::new(&self.program).args(["-m", "pip", "--version"])) {
            install.args(["-m", "pip"]);
        } else {
            install.arg(debian_pip(session, &own.join("pip"))?);
        }
        install.args(["install", "--quiet", "--disable-pip-version-check"]);
        if let Some(directory) = &self.packages {
            fs::remove_dir_all(directory).ok();
            install.arg("--target").arg(directory);
        }
        session.run(install.args(packages))
    }

    /// Returns Python about to run something that also finds modules in `directory`.
    pub(crate) fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.program);
        let mut modules = directory.as_os_str().to_owned();
        if let Some(packages) = &self.packages {
            modules.push(":");
            modules.push(packages);
        }
        command.env("PYTHONPATH", modules);
        command
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write `{}`: {error}", path.display()))
}

fn make_venv(session: &Session, venv: &Path) -> Result<(), Failure> {
    session.run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
}

/// Returns a `pip` that is only unpacked: Debian keeps `venv` and `pip` in packages of their
/// own.
fn debian_pip(session: &Session, directory: &Path) -> Result<PathBuf, Failure> {
    let way_out = || {
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
        // Lists of its own, for which nobody has to be root; and where it is root, it would
        // download as a user who may not enter this directory.
        for (option, part) in [("Dir::State", "state"), ("Dir::Cache", "cache")] {
            apt.arg("-o").arg(format!("{option}={}", directory.join(part).display()));
        }
        apt.args(["-o", "APT::Sandbox::User=root"]);
        session.run(&mut apt).map_err(|_| way_out())?;
    }
    let package = file_in(directory, "python3-pip-whl").ok_or_else(way_out)?;
    session.run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
    let wheel = file_in(&directory.join("usr/share/python-wheels"), "pip-").ok_or_else(way_out)?;
    // Python runs a program in an archive as it runs one in a directory.
    Ok(wheel.join("pip"))
}

fn file_in(directory: &Path, start: &str) -> Option<PathBuf> {
    let mut names = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.file_name());
    let name = names.find(|name| name.as_encoded_bytes().starts_with(start.as_bytes()))?;
    Some(directory.join(name))
}
