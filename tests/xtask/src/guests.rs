//! The plugins in Rust that the tests run.

use std::process::Command;

use crate::session::{Failure, Session};

/// Where their packages are.
const PACKAGES: [&str; 5] =
    ["plugins/csv", "plugins/jobs", "plugins/text", "tests/guests/ledger", "tests/guests/rust"];

/// Builds them, and says so.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    build(session)?;
    println!("guests: built in {} s", session.seconds());
    Ok(())
}

/// Builds them into `guests` in the target directory, where the tests look for them.
pub(crate) fn build(session: &Session) -> Result<(), Failure> {
    let mut ophost = Command::new(session.ophost()?);
    ophost.arg("build").args(PACKAGES).arg("--install");
    ophost.arg("--plugins").arg(session.target().join("guests"));
    session.run(&mut ophost)
}
