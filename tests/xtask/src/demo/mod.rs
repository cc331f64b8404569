//! `cargo xtask demo`: from a clean clone to the results of sample plugins.
//!
//! - `new_plugin`: plugins in Python and TypeScript, if `python3` and Node.js are installed.
//! - `postings`: job postings that are imported, processed, deleted and restored.

mod new_plugin;
mod postings;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::runner::{Failure, Runner, succeed};

/// Commands that build, list and run plugins: the printed command line and its arguments.
const COMMANDS: [(&str, &[&str]); 8] = [
    ("build plugins/text --install", &["build", "plugins/text", "--install"]),
    ("build plugins/csv --install", &["build", "plugins/csv", "--install"]),
    ("plugins", &["plugins"]),
    ("list", &["list"]),
    ("run word_count text=@README.md", &["run", "word_count", "text=@README.md"]),
    ("run slugify text=\"Hello, WebAssembly!\"", &["run", "slugify", "text=Hello, WebAssembly!"]),
    ("describe profile_csv", &["describe", "profile_csv"]),
    (
        "run profile_csv csv=@plugins/csv/data/birdstrikes.csv \
         columns=\"Flight Date\" columns=\"Speed IAS in knots\" top=1",
        &[
            "run",
            "profile_csv",
            "csv=@plugins/csv/data/birdstrikes.csv",
            "columns=Flight Date",
            "columns=Speed IAS in knots",
            "top=1",
        ],
    ),
];

/// A run that fails, because its memory limit is too low for its input.
const FAILING: (&str, &[&str]) = (
    "run profile_csv csv=@plugins/csv/data/birdstrikes.csv --memory 2MiB",
    &["run", "profile_csv", "csv=@plugins/csv/data/birdstrikes.csv", "--memory", "2MiB"],
);

/// Operations that change documents: a dry run, a query and the record of a run.
const DATA: [(&str, &[&str]); 5] = [
    ("build plugins/jobs --install", &["build", "plugins/jobs", "--install"]),
    (
        "run create_job title=Baker company=ACME",
        &["run", "create_job", "title=Baker", "company=ACME"],
    ),
    (
        "run bulk_delete_jobs 'filters={\"status\": \"new\"}' --dry-run",
        &["run", "bulk_delete_jobs", "filters={\"status\": \"new\"}", "--dry-run"],
    ),
    (
        "documents find jobs '{\"company\": \"ACME\"}'",
        &["documents", "find", "jobs", "{\"company\": \"ACME\"}"],
    ),
    ("runs show latest", &["runs", "show", "latest"]),
];

/// Commands that read the records of these runs.
const RECORDS: [(&str, &[&str]); 3] = [
    ("runs list --limit 5", &["runs", "list", "--limit", "5"]),
    ("runs logs latest", &["runs", "logs", "latest"]),
    ("runs stats", &["runs", "stats"]),
];

/// Builds `ophost`, three plugins in Rust, one in Python and one in TypeScript, runs their operations
/// and prints the run records. One operation reads open data, others change documents.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    let ophost = runner.ophost()?;
    for (typed, arguments) in COMMANDS {
        show(&ophost, typed, arguments)?;
    }
    show_failing(&ophost, FAILING.0, FAILING.1)?;
    for (typed, arguments) in DATA.into_iter().chain(RECORDS) {
        show(&ophost, typed, arguments)?;
    }
    postings::run(runner, &ophost)?;
    new_plugin::python(runner, &ophost)?;
    new_plugin::typescript(runner, &ophost)?;
    println!("\ndemo: done in {} s; `ophost` is `{}`", runner.seconds(), ophost.display());
    Ok(())
}

fn show(ophost: &Path, typed: &str, arguments: &[&str]) -> Result<(), Failure> {
    println!("\n$ ophost {typed}");
    succeed(Command::new(ophost).args(arguments), &format!("ophost {typed}"))
}

/// Like [`show`], for a command that must exit with 1, the code of a failed operation.
fn show_failing(ophost: &Path, typed: &str, arguments: &[&str]) -> Result<(), Failure> {
    println!("\n$ ophost {typed}");
    let status = Command::new(ophost).args(arguments).stdin(Stdio::null()).status();
    match status.map(|status| status.code()) {
        Ok(Some(1)) => Ok(()),
        Ok(code) => {
            Err(Failure::new(format!("`ophost {typed}` exited with {code:?} instead of 1")))
        }
        Err(error) => Err(Failure::new(format!("cannot run `ophost {typed}`: {error}"))),
    }
}
