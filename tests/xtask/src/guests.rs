//! `cargo xtask guests`: builds the Rust plugins that the tests run.

use std::path::Path;
use std::process::Command;

use crate::runner::{Failure, Runner};

/// The packages of the plugins.
const PACKAGES: [&str; 5] =
    ["plugins/csv", "plugins/jobs", "plugins/text", "tests/guests/ledger", "tests/guests/rust"];

/// Builds the plugins and prints how long that took.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    build(runner)?;
    println!("guests: built in {} s", runner.seconds());
    Ok(())
}

/// Builds the plugins into `guests` of the target directory, where the tests expect them.
pub(crate) fn build(runner: &Runner) -> Result<(), Failure> {
    build_with(runner, &runner.ophost()?)
}

/// Like [`build`], with an `ophost` that has been built before.
pub(crate) fn build_with(runner: &Runner, ophost: &Path) -> Result<(), Failure> {
    let mut ophost = Command::new(ophost);
    ophost.arg("build").args(PACKAGES).arg("--install");
    ophost.arg("--plugins").arg(runner.target().join("guests"));
    runner.run(&mut ophost)
}
