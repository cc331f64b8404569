//! What a build would find on this machine. Only looks: nothing is added or downloaded.

use std::path::Path;
use std::process::Command;

use super::command::{CommandError, stdout_of};
use super::way::{self, UNKNOWN, WASIP2};

/// What there is to build with.
#[derive(Debug)]
pub(crate) struct Survey {
    /// What rustc says of itself, or why it says nothing.
    pub(crate) rust: Result<String, CommandError>,
    /// What rustup says of itself, if it is there.
    pub(crate) rustup: Option<String>,
    /// The ways to a WebAssembly target, the one that would be used first.
    pub(crate) ways: Vec<String>,
}

/// Looks for the ways to WebAssembly, as a build in `dir` would.
pub(crate) fn survey(dir: &Path) -> Survey {
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let rust = stdout_of(way::rustc(dir).arg("--version")).map(first_line);
    let mut rustup = Command::new("rustup");
    let rustup = stdout_of(rustup.arg("--version").current_dir(dir)).ok().map(first_line);
    let mut ways = Vec::new();
    if rust.is_ok() {
        let has = |target: &&str| matches!(way::is_installed(dir, target), Ok(true));
        let installed = [WASIP2, UNKNOWN].into_iter().filter(has);
        ways.extend(installed.map(|target| format!("the installed {target}")));
        if rustup.is_some() {
            ways.push(format!("`rustup target add {WASIP2}`"));
        }
        if has_debian() {
            ways.push("Debian's own Rust, unpacked beside the build".to_owned());
        }
    }
    Survey { rust, rustup, ways }
}

fn has_debian() -> bool {
    let is_machine = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    is_machine && stdout_of(Command::new("apt-get").arg("--version")).is_ok()
}
