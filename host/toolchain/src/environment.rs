//! Finds the programs of a project's toolchain.
//!
//! A program of Python packages can be in a virtual environment. The environment of the project is
//! searched first: `.venv` in its directory or in a directory above, up to the top of the
//! repository. Then follow `VIRTUAL_ENV` and `PATH`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A place where a program can be.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// The path of the program.
    pub(crate) program: PathBuf,
    /// The virtual environment of the program, if it is in one.
    pub(crate) environment: Option<PathBuf>,
}

/// Returns the programs with a name that exist, the preferred one first. `root` is the directory of
/// the project.
pub(crate) fn programs(root: &Path, name: &str) -> impl Iterator<Item = Candidate> {
    let environments = environments(root).map(move |environment| Candidate {
        program: environment.join("bin").join(name),
        environment: Some(environment),
    });
    let path = env::var_os("PATH").unwrap_or_default();
    let others: Vec<_> = env::split_paths(&path)
        .map(|directory| Candidate { program: directory.join(name), environment: None })
        .collect();
    environments.chain(others).filter(|candidate| is_present(&candidate.program))
}

/// Returns the directories of Python packages that exist, those of the project first.
pub(crate) fn packages(root: &Path) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let others = env::split_paths(&path).filter_map(|programs| Some(programs.parent()?.to_owned()));
    let mut packages = Vec::new();
    for environment in environments(root).chain(others) {
        // A program of a package is in `bin`, beside `lib` or in the directory of the packages.
        let versions = fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
        packages.extend(versions.map(|version| version.path().join("site-packages")));
        packages.push(environment);
    }
    packages.retain(|packages| packages.is_dir());
    packages
}

/// Returns the directory of a project without symbolic links, to search the directories above it.
pub(crate) fn root(dir: &Path) -> PathBuf {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}

/// Returns the virtual environments of a project, the preferred one first.
fn environments(root: &Path) -> impl Iterator<Item = PathBuf> {
    let local = directories(root).into_iter().map(|directory| directory.join(".venv"));
    local.chain(env::var_os("VIRTUAL_ENV").map(PathBuf::from))
}

/// Returns whether a program or a dangling link to one exists.
fn is_present(program: &Path) -> bool {
    fs::symlink_metadata(program).is_ok()
}

/// Returns the directory and the directories above it, up to the top of the repository. Outside of
/// a repository, returns only the directory itself.
pub(crate) fn directories(root: &Path) -> Vec<PathBuf> {
    let top = root.ancestors().find(|directory| directory.join(".git").exists());
    let is_inside = |directory: &&Path| directory.starts_with(top.unwrap_or(root));
    root.ancestors().take_while(is_inside).map(Path::to_owned).collect()
}

/// Returns the shell command that creates a virtual environment in the project at `dir` and
/// installs packages into it. `flags` begins with a space, or is empty.
pub(crate) fn install(dir: &Path, flags: &str, packages: &str) -> String {
    let enter = enter(dir);
    format!("{enter}python3 -m venv{flags} .venv && .venv/bin/pip install {packages}")
}

/// Returns the shell command that enters the directory of a project, with ` && ` at its end. Empty
/// for the current directory.
pub(crate) fn enter(dir: &Path) -> String {
    match dir.as_os_str() == "." || dir.as_os_str().is_empty() {
        true => String::new(),
        false => format!("cd '{}' && ", dir.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_above_are_searched_up_to_the_repository() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("repository/plugins/it");
        fs::create_dir_all(&root).unwrap();
        assert_eq!(directories(&root), [root.as_path()]);
        fs::create_dir(scratch.path().join("repository/.git")).unwrap();
        let found = directories(&root);
        let repository = scratch.path().join("repository");
        assert_eq!(found, [root.as_path(), &repository.join("plugins"), &repository]);
    }
}
