//! `cargo xtask`: what a contributor does with this repository, in one word each.
//!
//! - `demo` goes from a clean clone to a result.
//! - `check` is `cargo xtask test`: every check, as CI runs them.
//! - `guests` builds the plugins that the tests run; `bench` measures.
//! - `session` runs commands and tells what it does.
//!
//! It depends on nothing, so that it starts in a second on a clean clone.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

mod bench;
mod check;
mod demo;
mod guests;
mod session;

use std::env;
use std::process::ExitCode;

use session::{Failure, Session};

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo           build ophost and two plugins, and run them
  test [--deny]  check everything: format, clippy, docs, tests; with --deny also the
                 licences and sources of the dependencies
  guests         build the plugins that the tests run; `test` does so by itself
  bench          measure";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<(), Failure> {
    match words {
        [] | ["help" | "-h" | "--help"] => {
            println!("{HELP}");
            Ok(())
        }
        ["demo"] => demo::run(&Session::start()?),
        ["test"] => check::run(&Session::start()?, false),
        ["test", "--deny"] => check::run(&Session::start()?, true),
        ["guests"] => guests::run(&Session::start()?),
        ["bench"] => bench::run(&Session::start()?),
        other => {
            Err(Failure::new(format!("no command `{}`; `cargo xtask` lists them", other.join(" "))))
        }
    }
}
