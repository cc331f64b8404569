//! `cargo xtask`: what a contributor does with this repository, in one word each.
//!
//! - `demo` goes from a clean clone to a result.
//! - `check` is `cargo xtask test`: every check, as CI runs them.
//! - `prefect` lets a real workflow system call the command.
//! - `python` is what that needs.
//! - `guests` builds the plugins that the tests run; `bench` measures.
//! - `session` runs commands and tells what it does.
//!
//! It depends on nothing, so that it starts in a second on a clean clone.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

mod bench;
mod check;
mod demo;
mod guests;
mod prefect;
mod python;
mod session;

use std::env;
use std::process::ExitCode;

use session::{Failure, Session};

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo           build ophost and two plugins, and run them
  test           check everything: format, clippy, docs, tests
    --deny       also the licences and sources of the dependencies
    --prefect    also what `prefect` does
  prefect        let tasks of a real Prefect call ophost; installs it in the target directory
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
        ["test", flags @ ..] => check::run(&Session::start()?, check::Also::said(flags)?),
        ["prefect"] => prefect::run(&Session::start()?),
        ["guests"] => guests::run(&Session::start()?),
        ["bench"] => bench::run(&Session::start()?),
        other => {
            Err(Failure::new(format!("no command `{}`; `cargo xtask` lists them", other.join(" "))))
        }
    }
}
