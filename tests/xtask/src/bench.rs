//! The measurements.

use crate::guests;
use crate::session::{Failure, Session};

/// Runs the benchmarks, in the profile of all other builds: see the workspace's manifest.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    guests::build(session)?;
    session.cargo(&["bench", "--locked", "--profile", "dev", "--package", "e2e"])?;
    println!("bench: done in {} s", session.seconds());
    Ok(())
}
