//! `cargo xtask languages`: the table of languages and behaviours.
//!
//! Toolchains are installed once, below the target directory, with pinned versions.

use std::process::Command;

use crate::python::{self, Python};
use crate::runner::{Failure, Runner, cargo, succeed};

/// The toolchain of Python. Its own project publishes the package.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

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
    succeed(&mut table, line)
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
    Python::with(&[COMPONENTIZE_PY], runner, &runner.target().join("languages/python"))
}
