//! From a clean clone to a result.

use std::path::Path;
use std::process::Command;

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

/// Builds `ophost` and two plugins, and runs their operations, one on open data.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    let ophost = session.ophost()?;
    for (typed, arguments) in COMMANDS {
        show(&ophost, typed, arguments)?;
    }
    println!("\ndemo: done in {} s; `ophost` is `{}`", session.seconds(), ophost.display());
    Ok(())
}

fn show(ophost: &Path, typed: &str, arguments: &[&str]) -> Result<(), Failure> {
    println!("\n$ ophost {typed}");
    succeed(Command::new(ophost).args(arguments), &format!("ophost {typed}"))
}
