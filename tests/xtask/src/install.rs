//! Checks the install line of the README: `cargo install` gives an `ophost` that runs plugins.

use std::process::Command;

use crate::runner::{Failure, Runner, cargo};

/// The package of the command, as in the install line.
const PACKAGE: &str = "host/cli";

/// Installs `ophost` below the target directory and runs it.
///
/// `cargo install --path` uses the workspace's target directory. The `dev` profile finds
/// everything already compiled there, so that this stage only links and copies.
/// `--force` replaces a binary that a package of another name installed.
pub(crate) fn check(runner: &Runner) -> Result<(), Failure> {
    let root = runner.target().join("installed");
    let mut install = cargo(&["install", "--locked", "--path", PACKAGE, "--profile", "dev"]);
    runner.run(install.args(["--quiet", "--force", "--root"]).arg(&root))?;
    let ophost = root.join("bin/ophost");
    runner.run(Command::new(&ophost).arg("--version"))?;
    let mut run = Command::new(&ophost);
    run.args(["run", "slugify", "text=Hello, World!", "--no-record"]);
    run.arg("--plugins").arg(runner.target().join("guests"));
    runner.run(run.arg("--data").arg(root.join("data")))
}
