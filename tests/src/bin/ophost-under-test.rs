//! The `ophost` command as a binary of this crate.
//!
//! Cargo passes the path of a binary only to tests of the same package.

use std::process::ExitCode;

fn main() -> ExitCode {
    ophost_cli::main()
}
