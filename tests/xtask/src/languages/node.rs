//! The toolchains of TypeScript and JavaScript: the packages of the projects in this repository, whose
//! lock files have their versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::runner::{Failure, Runner, works};

/// The languages that need Node.js.
pub(super) const LANGUAGES: [&str; 3] = ["typescript", "javascript", "starlingmonkey"];
/// The projects. Each has its packages in `node_modules`, where a build finds them.
const PROJECTS: [&str; 6] = [
    "guest-sdk/typescript",
    "plugins/text/typescript",
    "plugins/text/javascript",
    "tests/guests/languages/typescript",
    "tests/guests/languages/javascript",
    "tests/guests/languages/starlingmonkey",
];
/// The number of projects, from the first one, with types to check.
const CHECKED: usize = 5;
/// The number of projects, from the first one, with unit tests.
const TESTED: usize = 3;
/// The file that npm writes at the end of an installation.
const STAMP: &str = "node_modules/.package-lock.json";

/// Node.js with the packages of all projects.
pub(super) struct Node {
    cache: PathBuf,
}

/// Returns why the languages cannot be used, if so.
pub(super) fn missing() -> Option<&'static str> {
    let is_installed = |program| works(Command::new(program).arg("--version"));
    if !is_installed("node") {
        return Some("cannot find `node`");
    }
    let script = "process.exit(Number(process.versions.node.split('.')[0]) >= 20 ? 0 : 1)";
    if !works(Command::new("node").args(["-e", script])) {
        return Some("`node` is older than version 20");
    }
    if is_installed("npm") { None } else { Some("cannot find `npm`") }
}

impl Node {
    /// Installs the packages of the projects, unless they are up to date.
    pub(super) fn install(runner: &Runner) -> Result<Self, Failure> {
        let node = Self { cache: runner.target().join("languages/npm") };
        for project in PROJECTS {
            if !is_current(Path::new(project)) {
                runner.run(node.npm(project).args(["ci", "--no-audit", "--no-fund"]))?;
            }
        }
        Ok(node)
    }

    /// Returns the variables that npm needs. The home directory of a test is empty, so that it has
    /// no cache.
    pub(super) fn variables(&self) -> (&'static str, PathBuf) {
        ("npm_config_cache", self.cache.clone())
    }

    /// Returns the packages of a project, for the tests of projects in TypeScript.
    pub(super) fn packages(&self) -> PathBuf {
        PathBuf::from("tests/guests/languages/typescript/node_modules")
    }

    /// Checks the types of the SDK and of the plugins, and runs their unit tests.
    pub(super) fn check_sdk(&self, runner: &Runner) -> Result<(), Failure> {
        for project in PROJECTS.into_iter().take(CHECKED) {
            runner.run(self.npm(project).args(["run", "--silent", "check"]))?;
        }
        for project in PROJECTS.into_iter().take(TESTED) {
            runner.run(self.npm(project).args(["run", "--silent", "test"]))?;
        }
        Ok(())
    }

    fn npm(&self, project: &str) -> Command {
        let mut npm = Command::new("npm");
        npm.current_dir(project).env("npm_config_cache", &self.cache);
        npm
    }
}

/// Returns whether the packages of a project were installed after its lock file was changed.
fn is_current(project: &Path) -> bool {
    let time = |file: &str| fs::metadata(project.join(file)).and_then(|file| file.modified()).ok();
    match (time(STAMP), time("package-lock.json")) {
        (Some(installed), Some(locked)) => installed >= locked,
        _ => false,
    }
}
