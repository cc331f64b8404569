//! `cargo xtask languages`: the table of languages and behaviours.
//!
//! Toolchains are installed once, below the target directory, with pinned versions.

mod go;
mod native;
mod node;

use std::path::PathBuf;
use std::process::Command;

use self::native::Native;
use crate::python::{self, Python};
use crate::runner::{Failure, Runner, cargo, path_with, succeed};

use self::go::Go;
use self::node::Node;

/// The requirements of a new project in Python: the compiler, which its own project publishes, and
/// the tools of the unit tests.
const PYTHON_PACKAGES: [&str; 3] =
    ["componentize-py==0.25.1", "jsonschema==4.26.0", "pytest==9.2.0"];
/// The variable with the directory of these packages, for the tests of projects in Python.
const PYTHON_ENVIRONMENT: &str = "OPHOST_TEST_PYTHON";
/// The variable with `node_modules`, for the tests of projects in TypeScript.
const NODE_MODULES: &str = "OPHOST_TEST_NODE_MODULES";

/// Builds the command, installs the toolchains, and prints the table.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    check(runner)?;
    println!("languages: done in {} s", runner.seconds());
    Ok(())
}

/// Like [`run`], as a stage of the check.
pub(crate) fn check(runner: &Runner) -> Result<(), Failure> {
    // Without `--package`, the features of all packages are those of the other stages.
    let test = ["test", "--quiet", "--locked", "--test", "languages", "--"];
    let mut table = cargo(&test);
    let toolchains = toolchains(runner)?;
    toolchains.apply(&mut table)?;
    table.args(toolchains.skipped());
    let line = "cargo test --test languages";
    runner.announce(line);
    succeed(&mut table, line)?;
    if node::missing().is_none() {
        let node = Node::install(runner)?;
        node.check_sdk(runner)?;
        check_javascript_projects(&node, runner)?;
    }
    if !python::is_installed() {
        return Ok(());
    }
    Go::install(runner)?.check_sdk(runner)?;
    check_projects(runner)
}

/// Runs the tests of projects in TypeScript, which the other stages skip.
fn check_javascript_projects(node: &Node, runner: &Runner) -> Result<(), Failure> {
    let arguments =
        ["--quiet", "--locked", "--test", "e2e", "--", "--ignored", "javascript_build::"];
    let mut tests = cargo(&["test"]);
    tests.args(arguments);
    let packages = std::path::absolute(node.packages());
    tests.env(NODE_MODULES, packages.map_err(|error| Failure::new(error.to_string()))?);
    let line = "cargo test --test e2e -- --ignored javascript_build::";
    runner.announce(line);
    succeed(&mut tests, line)
}

/// Runs the tests of projects in Python, which the other stages skip.
fn check_projects(runner: &Runner) -> Result<(), Failure> {
    let mut tests = cargo(&[
        "test",
        "--quiet",
        "--locked",
        "--test",
        "e2e",
        "--",
        "--ignored",
        "python_build::",
    ]);
    let python = python(runner)?;
    python.add_to_path(&mut tests)?;
    tests.env(PYTHON_ENVIRONMENT, python.environment());
    let line = "cargo test --test e2e -- --ignored python_build::";
    runner.announce(line);
    succeed(&mut tests, line)
}

/// Installs the toolchains.
pub(crate) fn toolchains(runner: &Runner) -> Result<Toolchains, Failure> {
    let mut toolchains = Toolchains::default();
    toolchains.add_python(runner)?;
    toolchains.add_node(runner)?;
    toolchains.add_go(runner)?;
    toolchains.add_native(runner)?;
    Ok(toolchains)
}

/// The installed toolchains, and the languages without one.
#[derive(Default)]
pub(crate) struct Toolchains {
    /// The directories of programs.
    programs: Vec<PathBuf>,
    /// The variables that the programs need.
    variables: Vec<(&'static str, PathBuf)>,
    /// The languages that are skipped, each with its reason: `go=no network`.
    skips: Vec<String>,
}

impl Toolchains {
    fn add_python(&mut self, runner: &Runner) -> Result<(), Failure> {
        if !python::is_installed() {
            self.skip("python", "cannot find `python3`");
            return Ok(());
        }
        let python = python(runner)?;
        self.programs.push(python.programs());
        self.variables.extend(python.variables());
        Ok(())
    }

    fn add_node(&mut self, runner: &Runner) -> Result<(), Failure> {
        if let Some(reason) = node::missing() {
            node::LANGUAGES.iter().for_each(|language| self.skip(language, reason));
            return Ok(());
        }
        self.variables.push(Node::install(runner)?.variables());
        Ok(())
    }

    fn add_go(&mut self, runner: &Runner) -> Result<(), Failure> {
        if !python::is_installed() {
            self.skip("go", "cannot find `python3`, which installs Go");
            return Ok(());
        }
        let go = Go::install(runner)?;
        self.programs.push(go.programs());
        self.variables.push(go.variables());
        Ok(())
    }

    fn add_native(&mut self, runner: &Runner) -> Result<(), Failure> {
        if !python::is_installed() {
            for language in native::LANGUAGES {
                self.skip(language, "cannot find `python3`");
            }
            return Ok(());
        }
        let native = Native::install(runner)?;
        self.programs.push(native.programs());
        self.variables.push(native.variables());
        Ok(())
    }

    fn skip(&mut self, language: &str, reason: &str) {
        self.skips.push(format!("{language}={reason}"));
    }

    /// Returns the arguments of the table that skip languages.
    fn skipped(&self) -> impl Iterator<Item = &str> {
        self.skips.iter().flat_map(|skip| ["--skip", skip])
    }

    /// Adds the toolchains to the environment of a command.
    pub(crate) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        // Another active environment would take precedence over `PATH`.
        command.envs(self.variables.iter().cloned()).env_remove("VIRTUAL_ENV");
        command.env("PATH", path_with(&self.programs)?);
        Ok(())
    }
}

/// Returns a Python with the toolchain for plugins.
pub(crate) fn python(runner: &Runner) -> Result<Python, Failure> {
    Python::with(&PYTHON_PACKAGES, runner, &runner.target().join("languages/python"))
}
