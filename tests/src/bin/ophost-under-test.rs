//! The `ophost` command again, because cargo tells a test crate only the paths of its own binaries.

use std::process::ExitCode;

fn main() -> ExitCode {
    ophost_cli::main()
}
