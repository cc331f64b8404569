//! The `ophost` command once more: a test crate is only told where its own binaries are.

use std::process::ExitCode;

fn main() -> ExitCode {
    ophost_cli::main()
}
