//! From a clean clone to a result.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::session::{Failure, Session, succeed};

/// What is shown: the arguments of `ophost`, as they are typed and as it gets them.
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

/// A run that fails, since it gets too little memory for its input.
const FAILING: (&str, &[&str]) = (
    "run profile_csv csv=@plugins/csv/data/birdstrikes.csv --memory 2MiB",
    &["run", "profile_csv", "csv=@plugins/csv/data/birdstrikes.csv", "--memory", "2MiB"],
);

/// Operations that change data: what a dry run shows, what is there, and who did it.
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

/// What is kept of all that.
const RECORDS: [(&str, &[&str]); 3] = [
    ("runs list --limit 5", &["runs", "list", "--limit", "5"]),
    ("runs logs latest", &["runs", "logs", "latest"]),
    ("runs stats", &["runs", "stats"]),
];

/// Builds `ophost` and three plugins, runs their operations, one on open data and some that change
/// data, and shows the records.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    let ophost = session.ophost()?;
    for (typed, arguments) in COMMANDS {
        show(&ophost, typed, arguments)?;
    }
    show_failing(&ophost, FAILING.0, FAILING.1)?;
    for (typed, arguments) in DATA.into_iter().chain(RECORDS) {
        show(&ophost, typed, arguments)?;
    }
    println!("\ndemo: done in {} s; `ophost` is `{}`", session.seconds(), ophost.display());
    Ok(())
}

fn show(ophost: &Path, typed: &str, arguments: &[&str]) -> Result<(), Failure> {
    println!("\n$ ophost {typed}");
    succeed(Command::new(ophost).args(arguments), &format!("ophost {typed}"))
}

/// As [`show`], for a command that has to fail as an operation does.
fn show_failing(ophost: &Path, typed: &str, arguments: &[&str]) -> Result<(), Failure> {
    println!("\n$ ophost {typed}");
    let status = Command::new(ophost).args(arguments).stdin(Stdio::null()).status();
    match status.map(|status| status.code()) {
        Ok(Some(1)) => Ok(()),
        Ok(code) => Err(Failure::new(format!("`ophost {typed}` ended with {code:?}, not 1"))),
        Err(error) => Err(Failure::new(format!("cannot run `ophost {typed}`: {error}"))),
    }
}
