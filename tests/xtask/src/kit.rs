//! `cargo xtask kit`: writes the lock file of the Rust projects that `ophost new` creates.

use crate::runner::{Failure, Runner, cargo};

/// The test that compares the file with the workspace, and writes it if `UPDATE_KIT` is set.
const TEST: &str = "kit::tests::lock_file_of_a_project_has_the_versions_of_the_workspace";

/// Writes `host/toolchain/kit/rust/lock.toml`.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    let mut test =
        cargo(&["test", "--locked", "-p", "ophost-toolchain", "--lib", "--", "--exact", TEST]);
    runner.run(test.env("UPDATE_KIT", "1"))
}
