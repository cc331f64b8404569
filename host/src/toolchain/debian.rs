//! Debian's own Rust, unpacked into a folder: a compiler and, what other toolchains lack
//! without a download of rustup's, the sources of the standard library that fit it.
//!
//! The author's cargo and linker are used; nothing is installed, and root is not needed.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{self, Apt};
use super::build::Step;
use super::command::{CommandError, stdout_of};
use super::package::Workspace;
use super::way;

/// What it takes, for the author who waits.
pub(super) const SIZE: &str = "about 140 MB to download, 470 MB on disk";

/// The packages named by Debian; those with a version in their names are asked for.
const COMPILER: &str = "rustc-web";
const HOST_LIBRARY: &str = "libstd-rust-web-dev";
const SOURCES: &str = "rust-web-src";

/// Why Debian's Rust cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DebianError {
    /// The packages are made for other machines.
    #[error("the machine is not an x86_64 Linux")]
    Machine,
    /// The author's Rust comes without the linker for WebAssembly.
    #[error("no linker `{linker}`")]
    NoLinker {
        /// Where rustup puts it.
        linker: PathBuf,
    },
    /// The machine's package sources do not offer it.
    #[error("package `{package}` depends on no `{prefix}*`")]
    NoDependency {
        /// Whose dependency is missing.
        package: String,
        /// How its name begins.
        prefix: &'static str,
    },
    /// A program of Debian's failed, or is missing.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file could not be read or written.
    #[error("failed to prepare `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The compiler that an earlier build unpacked does not run.
    #[error("the compiler in `{folder}` does not run")]
    Broken {
        /// Where it is.
        folder: PathBuf,
        /// What happened.
        #[source]
        source: CommandError,
    },
}

impl DebianError {
    /// Returns what the author can do about it, where that is known.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { folder, .. } => {
                Some(format!("delete `{}` and build again", folder.display()))
            }
            Self::NoLinker { .. } => Some("use a Rust that rustup installed".to_owned()),
            Self::Machine | Self::NoDependency { .. } | Self::Command(_) | Self::File { .. } => {
                None
            }
        }
    }
}

/// An unpacked Rust of Debian that runs.
#[derive(Clone, Debug)]
pub(crate) struct Debian {
    /// What its packages would have put into `/`.
    root: PathBuf,
    /// Of the compiler, such as `1.96`.
    version: String,
    /// The author's linker for WebAssembly.
    linker: PathBuf,
}

impl Debian {
    /// Returns what an earlier build has unpacked for `workspace`, if any.
    pub(super) fn unpacked(workspace: &Workspace) -> Result<Option<Self>, DebianError> {
        let root = folder(workspace).join("debian");
        if !root.is_dir() {
            return Ok(None);
        }
        let linker = linker(&workspace.root)?;
        Self::open(root, linker).map(Some)
    }

    /// Downloads and unpacks it, unless another process does so at the same time, which is
    /// then waited for. An interrupted attempt leaves nothing that is taken for a toolchain.
    pub(super) fn unpack(
        workspace: &Workspace,
        report: &mut dyn FnMut(Step),
    ) -> Result<Self, DebianError> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err(DebianError::Machine);
        }
        let linker = linker(&workspace.root)?;
        let folder = folder(workspace);
        let root = folder.join("debian");
        let _lock = lock(&folder)?;
        if !root.is_dir() {
            report(Step::FetchingDebian { folder: shown(&folder) });
            fetch(&folder, &root)?;
        }
        Self::open(root, linker)
    }

    fn open(root: PathBuf, linker: PathBuf) -> Result<Self, DebianError> {
        let mut debian = Self { root, version: String::new(), linker };
        match stdout_of(debian.rustc().arg("--version")) {
            Ok(answer) => debian.version = version(&answer),
            Err(source) => {
                let folder = debian.root;
                return Err(DebianError::Broken { folder, source });
            }
        }
        Ok(debian)
    }

    fn rustc(&self) -> Command {
        let mut command = Command::new(self.root.join("usr/bin/rustc"));
        command.env("LD_LIBRARY_PATH", self.library_path());
        command
    }

    /// The compiler's own libraries are not where the system looks for them.
    fn library_path(&self) -> std::ffi::OsString {
        let mut path = self.root.join("usr/lib/x86_64-linux-gnu").into_os_string();
        if let Some(inherited) = env::var_os("LD_LIBRARY_PATH").filter(|path| !path.is_empty()) {
            path.push(":");
            path.push(inherited);
        }
        path
    }

    /// Makes a `cargo build` use this compiler, and build the standard library from source.
    pub(super) fn configure(&self, cargo: &mut Command) {
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            .env("RUSTC", self.root.join("usr/bin/rustc"))
            .env("LD_LIBRARY_PATH", self.library_path())
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker)
            // A stable cargo offers `-Zbuild-std` only to those who say this.
            .env("RUSTC_BOOTSTRAP", "1")
            // Wrappers are made for the author's compiler; empty ones override those in files.
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "");
    }
}

impl fmt::Display for Debian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = shown(&self.root);
        let version = &self.version;
        write!(f, "Debian's Rust {version}, unpacked in `{}`", folder.display())
    }
}

/// Kept beside what cargo builds, so that `cargo clean` removes it.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("wasm-toolchain")
}

/// Returns `path` as seen from the current directory, if it is below.
fn shown(path: &Path) -> PathBuf {
    let below = env::current_dir().ok();
    let relative = below.and_then(|dir| path.strip_prefix(dir).ok().map(Path::to_owned));
    relative.unwrap_or_else(|| path.to_owned())
}

fn linker(dir: &Path) -> Result<PathBuf, DebianError> {
    let sysroot = stdout_of(way::rustc(dir).args(["--print", "sysroot"]))?;
    let linker =
        Path::new(sysroot.trim_end()).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    if linker.is_file() { Ok(linker) } else { Err(DebianError::NoLinker { linker }) }
}

/// Waits until no other process works in `folder`; dropping the file, or dying, lets go.
fn lock(folder: &Path) -> Result<File, DebianError> {
    let path = folder.join("lock");
    let locked = fs::create_dir_all(folder)
        .and_then(|()| File::create(&path))
        .and_then(|file| file.lock().map(|()| file));
    locked.map_err(at(&path))
}

/// Puts a whole toolchain at `root`, or nothing. Leftovers of an interrupted attempt go.
fn fetch(folder: &Path, root: &Path) -> Result<(), DebianError> {
    let (packages, unfinished) = (folder.join("apt"), folder.join("unfinished"));
    for leftover in [&packages, &unfinished] {
        remove(leftover)?;
    }
    let downloaded = download(&packages)?;
    unpack_all(&downloaded, &unfinished)?;
    remove(&packages)?;
    prune(&unfinished)?;
    fs::rename(&unfinished, root).map_err(at(root))
}

fn download(folder: &Path) -> Result<PathBuf, DebianError> {
    let apt = Apt::new(folder.to_owned()).map_err(at(folder))?;
    apt.update()?;
    let library = dependency(&apt, HOST_LIBRARY, "libstd-rust-web-")?;
    let llvm = dependency(&apt, &library, "libllvm")?;
    let fixed = [COMPILER, HOST_LIBRARY, SOURCES].map(str::to_owned);
    let packages: Vec<_> = fixed.into_iter().chain([library, llvm]).collect();
    Ok(apt.download(&packages)?)
}

fn dependency(apt: &Apt, package: &str, prefix: &'static str) -> Result<String, DebianError> {
    let mut names = apt.depends(package)?.into_iter();
    let found = names.find(|name| name.starts_with(prefix));
    found.ok_or_else(|| DebianError::NoDependency { package: package.to_owned(), prefix })
}

fn unpack_all(packages: &Path, root: &Path) -> Result<(), DebianError> {
    let files = fs::read_dir(packages).map_err(at(packages))?;
    for file in files {
        apt::extract(&file.map_err(at(packages))?.path(), root)?;
    }
    Ok(())
}

/// Removes what no build reads: half of what was unpacked.
fn prune(root: &Path) -> Result<(), DebianError> {
    let sources = root.join("usr/lib/rustlib/src/rust");
    let unused = [root.join("usr/share"), sources.join("compiler"), sources.join("src")];
    unused.iter().try_for_each(|folder| remove(folder))
}

fn remove(folder: &Path) -> Result<(), DebianError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(folder)(error)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DebianError {
    let path = path.to_owned();
    move |source| DebianError::File { path, source }
}

/// Cuts `1.96` out of what `rustc --version` prints.
fn version(answer: &str) -> String {
    let full = answer.split_whitespace().nth(1).unwrap_or("of unknown version");
    match full.match_indices('.').nth(1) {
        Some((end, _)) => full[..end].to_owned(),
        None => full.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_cut_to_two_numbers() {
        let answer = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n";
        assert_eq!(version(answer), "1.96");
        assert_eq!(version("rustc 2.0\n"), "2.0");
    }

    #[test]
    fn paths_are_shown_from_the_current_directory() {
        let here = env::current_dir().unwrap();
        assert_eq!(shown(&here.join("target/x")), Path::new("target/x"));
        assert_eq!(shown(Path::new("/elsewhere")), Path::new("/elsewhere"));
    }
}
