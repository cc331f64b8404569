//! The `ophost` binary, which calls [`ophost_cli::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ophost_cli::main()
}
