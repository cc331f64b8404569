//! Reports the tools that are available for a build.

use std::path::Path;
use std::process::Command;

use crate::command::{CommandError, stdout_of};
use crate::rust::target::{self, WASIP2, WasmTarget};

/// The tools that a build would use.
#[derive(Debug)]
pub struct ToolchainReport {
    /// The version of rustc, or the error of running rustc.
    pub rust: Result<String, CommandError>,
    /// The version of rustup, if rustup is installed.
    pub rustup: Option<String>,
    /// The available WebAssembly targets; a build uses the first.
    pub targets: Vec<String>,
}

/// Reports the tools that a build in `dir` would use. Adds and downloads nothing.
///
/// # Blocking
///
/// Runs `rustc` and `rustup` and waits for them.
pub fn probe(dir: &Path) -> ToolchainReport {
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let rust = stdout_of(target::rustc(dir).arg("--version")).map(first_line);
    let mut rustup = Command::new("rustup");
    let rustup = stdout_of(rustup.arg("--version").current_dir(dir)).ok().map(first_line);
    let mut targets = Vec::new();
    if rust.is_ok() {
        let installed = target::installed(dir).unwrap_or_default();
        targets.extend(installed.map(|name| WasmTarget::Installed { name }.to_string()));
        if rustup.is_some() {
            targets.push(format!("`rustup target add {WASIP2}`"));
        }
    }
    ToolchainReport { rust, rustup, targets }
}
