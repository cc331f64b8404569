//! From a clean clone to a result.

use std::path::Path;
use std::process::Command;

use crate::session::{Failure, Session, succeed};

/// What is shown: the arguments of `ophost`, as they are typed and as it gets them.
const COMMANDS: [(&str, &[&str]); 4] = [
    ("build plugins/text --install", &["build", "plugins/text", "--install"]),
    ("list", &["list"]),
    ("run word_count text=@README.md", &["run", "word_count", "text=@README.md"]),
    ("run slugify text=\"Hello, WebAssembly!\"", &["run", "slugify", "text=Hello, WebAssembly!"]),
];

/// Builds `ophost` and a plugin, and runs the plugin's operations.
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
