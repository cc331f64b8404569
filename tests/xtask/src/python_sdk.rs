//! `cargo xtask python`: the checks of the SDK for Python, and of the plugins in Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python::Python;
use crate::runner::{Failure, Runner};

/// The installed packages: those of the unit tests, the linters, and the compiler, which writes the
/// bindings for the type checker.
const PACKAGES: [&str; 6] = [
    "componentize-py==0.25.1",
    "jsonschema==4.26.0",
    "mypy==2.4.1",
    "pytest==9.2.0",
    "ruff==0.17.6",
    "typing_extensions==4.16.0",
];
const SDK: &str = "guest-sdk/python";
const PLUGINS: [&str; 2] = ["plugins/jobs/python", "plugins/text/python"];
/// Calls the command of the compiler, which has no module for `python -m`.
const COMPILER: &str = "import sys, componentize_py; sys.exit(componentize_py.script())";

/// Installs the packages if they are missing, and runs the checks.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    check(runner)?;
    println!("python: done in {} s", runner.seconds());
    Ok(())
}

/// Like [`run`], without a final line.
pub(crate) fn check(runner: &Runner) -> Result<(), Failure> {
    let directory = runner.target().join("python-sdk");
    let python = Python::with(&PACKAGES, runner, &directory)?;
    for checked in [SDK].into_iter().chain(PLUGINS) {
        runner.run(in_directory(&python, checked).args(["pytest", "--quiet"]))?;
    }
    runner.run(in_directory(&python, SDK).args(["ruff", "check"]))?;
    runner.run(in_directory(&python, SDK).args(["ruff", "format", "--check"]))?;
    let bindings = write_bindings(runner, &python, &directory)?;
    runner.run(in_directory(&python, SDK).args(["mypy", "ophost_sdk"]).env("MYPYPATH", bindings))
}

/// Returns a command that starts a module of Python, the next argument, in a directory.
fn in_directory(python: &Python, directory: &str) -> Command {
    let mut command = python.command(&[]);
    command.current_dir(directory).arg("-m").env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Writes the bindings of the contract, which exist only in a component.
fn write_bindings(runner: &Runner, python: &Python, directory: &Path) -> Result<PathBuf, Failure> {
    let bindings = directory.join("bindings");
    fs::remove_dir_all(&bindings).ok();
    let mut compiler = python.command(&[]);
    compiler.args(["-c", COMPILER, "-d", "wit", "-w", "plugin", "bindings"]).arg(&bindings);
    runner.run(&mut compiler)?;
    Ok(bindings)
}
