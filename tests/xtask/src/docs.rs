//! `cargo xtask docs`: writes the reference of commands and flags in `docs/cli.md`.

use crate::runner::{Failure, Runner, cargo};

/// The test that compares the reference with the help, and writes it if `UPDATE_DOCS` is set.
const TEST: &str = "reference::reference_in_the_docs_equals_the_help";

/// Writes the generated part of `docs/cli.md`.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    let mut test = cargo(&["test", "--locked", "-p", "ophost-cli", "--lib", "--", "--exact", TEST]);
    runner.run(test.env("UPDATE_DOCS", "1"))
}
