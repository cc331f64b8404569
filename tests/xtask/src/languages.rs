//! `cargo xtask languages`: the table of languages and behaviours.
//!
//! Toolchains are installed once, below the target directory, with pinned versions.

use std::process::Command;

use crate::python::{self, Python};
use crate::runner::{Failure, Runner, cargo, succeed};

/// The requirements of a new project in Python: the compiler, which its own project publishes, and
/// the tools of the unit tests.
const PYTHON_PACKAGES: [&str; 3] =
    ["componentize-py==0.25.1", "jsonschema==4.26.0", "pytest==9.2.0"];
/// The variable with the directory of these packages, for the tests of projects in Python.
const PYTHON_ENVIRONMENT: &str = "OPHOST_TEST_PYTHON";

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
    add_python(runner, &mut table)?;
    let line = "cargo test --test languages";
    runner.announce(line);
    succeed(&mut table, line)?;
    if python::is_installed() { check_projects(runner) } else { Ok(()) }
}

/// Runs the tests of projects in Python, which the other stages skip.
fn check_projects(runner: &Runner) -> Result<(), Failure> {
    let mut tests =
        cargo(&["test", "--quiet", "--locked", "--test", "e2e", "--", "python_build::"]);
    let python = python(runner)?;
    python.add_to_path(&mut tests)?;
    tests.env(PYTHON_ENVIRONMENT, python.environment());
    let line = "cargo test --test e2e -- python_build::";
    runner.announce(line);
    succeed(&mut tests, line)
}

/// Adds the toolchain of Python to `PATH`. Without Python, the language is skipped.
fn add_python(runner: &Runner, table: &mut Command) -> Result<(), Failure> {
    if !python::is_installed() {
        table.args(["--skip", "python=cannot find `python3`"]);
        return Ok(());
    }
    python(runner)?.add_to_path(table)
}

/// Returns a Python with the toolchain for plugins.
pub(crate) fn python(runner: &Runner) -> Result<Python, Failure> {
    Python::with(&PYTHON_PACKAGES, runner, &runner.target().join("languages/python"))
}
