//! The `ophost` command. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ophost_cli::main()
}
