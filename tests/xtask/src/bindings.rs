//! `cargo xtask bindings`: writes the bindings that the SDKs of other languages use.

use crate::runner::{Failure, Runner, cargo};

/// Generates the bindings from the contract.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    let mut test = cargo(&["test", "--locked", "--test", "bindings"]);
    runner.run(test.env("UPDATE_BINDINGS", "1"))
}
