//! `cargo xtask bench`: the benchmarks, and the size of the release binary.

use std::fs;

use crate::guests;
use crate::runner::{Failure, Runner};

/// Runs the benchmarks. Cargo's `bench` profile has the settings of `[profile.release]`.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    guests::build(runner)?;
    runner.cargo(&["bench", "--locked", "--package", "e2e"])?;
    runner.cargo(&["build", "--locked", "--release", "--bin", "ophost"])?;
    let binary = runner.target().join("release/ophost");
    let bytes = fs::metadata(&binary)
        .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", binary.display())))?
        .len();
    println!("bench: the release binary `ophost` has {:.1} MB", bytes as f64 / 1e6);
    println!("bench: done in {} s", runner.seconds());
    Ok(())
}
