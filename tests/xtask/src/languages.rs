//! `cargo xtask languages`: the table of languages and behaviours.

use crate::runner::{Failure, Runner};

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
    runner.cargo(&test)
}
