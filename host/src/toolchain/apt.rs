//! Downloads Debian packages without installing them, and without being root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{CommandError, stdout_of};

/// Apt with package lists and a cache of its own: the machine's need root to be renewed, and
/// are missing in most containers. The machine's sources and keys are used.
#[derive(Debug)]
pub(super) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Creates the folders that apt expects under `folder`.
    pub(super) fn new(folder: PathBuf) -> io::Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(folder.join(part))?;
        }
        Ok(Self { folder })
    }

    /// Downloads the lists of packages.
    pub(super) fn update(&self) -> Result<(), CommandError> {
        stdout_of(self.command("apt-get").arg("update")).map(drop)
    }

    /// Returns the names that the candidate version of `package` depends on.
    pub(super) fn depends(&self, package: &str) -> Result<Vec<String>, CommandError> {
        let answer = stdout_of(self.command("apt-cache").args(["depends", package]))?;
        Ok(dependencies(&answer).map(str::to_owned).collect())
    }

    /// Downloads `packages`, checked against the signed lists, and returns their folder.
    pub(super) fn download(&self, packages: &[String]) -> Result<PathBuf, CommandError> {
        let folder = self.folder.join("packages");
        let mut command = self.command("apt-get");
        command.arg("download").args(packages).current_dir(&folder);
        stdout_of(&mut command)?;
        Ok(folder)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Its answers are parsed, so they must not be translated.
        command.env("LC_ALL", "C");
        let part = |name: &str| self.folder.join(name).display().to_string();
        command.arg("-o").arg(format!("Dir::State={}", part("state")));
        command.arg("-o").arg(format!("Dir::Cache={}", part("cache")));
        // Run by root, apt downloads as a user who may not enter this folder.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command
    }
}

/// Unpacks the files of the package `deb` into `root`.
pub(super) fn extract(deb: &Path, root: &Path) -> Result<(), CommandError> {
    let mut command = Command::new("dpkg-deb");
    stdout_of(command.arg("-x").arg(deb).arg(root)).map(drop)
}

/// Virtual packages are in angle brackets, and of no use here.
fn dependencies(answer: &str) -> impl Iterator<Item = &str> {
    let names = answer.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.filter(|name| !name.starts_with('<'))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Printed by apt-cache 2.6 on Debian 12.
    const COMPILER: &str = "rustc-web
  Depends: libc6
  Depends: libgcc-s1
  Depends: libstd-rust-web-dev
  Depends: gcc
  Depends: <libc-dev>
    libc6-dev
  Depends: binutils
  Conflicts: rustc
  Conflicts: <rustc-mozilla>
  Breaks: libstd-rust-dev
  Recommends: cargo-web
  Replaces: rustc
    rustc-web
";

    #[test]
    fn only_real_dependencies_are_read() {
        let names: Vec<_> = dependencies(COMPILER).collect();
        let expected = ["libc6", "libgcc-s1", "libstd-rust-web-dev", "gcc", "binutils"];
        assert_eq!(names, expected);
    }
}
