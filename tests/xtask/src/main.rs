//! `cargo xtask`: the tasks of a contributor.
//!
//! - `demo` builds the command and sample plugins, and runs them.
//! - `check` is `cargo xtask test`: every check, as CI runs them.
//! - `install` checks that `cargo install` gives a working command.
//! - `postings` prints generated data for the plugin `jobs`.
//! - `languages` prints the table of languages and behaviours.
//! - `prefect` runs flows of a real Prefect that call the command.
//! - `python_sdk` checks the SDK for Python.
//! - `python` provides Python and its packages for `languages`, `prefect`, `python_sdk` and `bench`.
//! - `kit` writes the lock file of new Rust projects.
//! - `bindings` generates the bindings of the SDKs.
//! - `docs` writes the generated part of the documentation.
//! - `guests` builds the plugins that the tests run.
//! - `bench` runs the benchmarks of `tests/bench`, and installs their peers.
//! - `runner` runs commands and prints them.
//!
//! This crate has no dependencies, so that it builds in a second on a clean clone.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod bench;
mod bindings;
mod check;
mod demo;
mod docs;
mod guests;
mod install;
mod kit;
mod languages;
mod postings;
mod prefect;
mod python;
mod python_sdk;
mod runner;

use std::env;
use std::process::ExitCode;

use runner::{Failure, Runner};

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo           Build ophost and five plugins, and run them
  test           Run every check: format, clippy, docs, tests, installation
    --deny       Also check the licences and sources of the dependencies
    --languages  Also print the table of `languages`
    --prefect    Also run the flows of `prefect`
    --python     Also run the checks of `python`
  languages      Check the behaviour of plugins in each language; installs the toolchains in the
                 target directory
  prefect        Run flows of a real Prefect that call ophost; installs it in the target directory
  python         Check the SDK for Python; installs its tools in the target directory
  guests         Build the plugins that the tests run; `test` includes this
  docs           Write the reference of commands and flags in docs/cli.md; `test` compares it
  bindings       Generate the bindings of the SDKs for C and Go; `test` compares them
  kit            Write the lock file of new Rust projects; `test` compares it
  postings       Print generated job postings as JSON Lines; `--help` lists the options
  bench [NAME].. Run benchmarks in the release profile, beside their peers; `--help` lists them";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        [] | ["help" | "-h" | "--help"] => {
            println!("{HELP}");
            Ok(())
        }
        ["demo"] => demo::run(&Runner::start()?),
        ["test", flags @ ..] => check::run(&Runner::start()?, check::Extra::parse(flags)?),
        ["languages"] => languages::run(&Runner::start()?),
        ["prefect"] => prefect::run(&Runner::start()?),
        ["python"] => python_sdk::run(&Runner::start()?),
        ["guests"] => guests::run(&Runner::start()?),
        ["docs"] => docs::run(&Runner::start()?),
        ["bindings"] => bindings::run(&Runner::start()?),
        ["kit"] => kit::run(&Runner::start()?),
        ["postings", arguments @ ..] => postings::run(arguments),
        ["bench", arguments @ ..] => bench::run(arguments),
        other => {
            let command = other.join(" ");
            Err(Failure::new(format!("unknown command `{command}`; run `cargo xtask` for a list")))
        }
    }
}
