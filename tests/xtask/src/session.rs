//! Runs commands one after the other, at the top of the repository.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why xtask gave up: one line.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One run of xtask.
pub(crate) struct Session {
    started: Instant,
    target: PathBuf,
}

impl Session {
    /// Starts the clock, and makes the top of the repository the current directory.
    pub(crate) fn start() -> Result<Self, Failure> {
        let as_cargo = || Failure::new("run xtask as `cargo xtask`");
        // Asked for now, not when it was compiled: the repository may have been moved since.
        let package = env::var_os("CARGO_MANIFEST_DIR").ok_or_else(as_cargo)?;
        let top = Path::new(&package).join("../..");
        let target = own_target().ok_or_else(as_cargo)?;
        env::set_current_dir(&top)
            .map_err(|error| Failure::new(format!("cannot enter `{}`: {error}", top.display())))?;
        Ok(Self { started: Instant::now(), target })
    }

    /// Cargo's target directory.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns how long this session has taken, for a closing line.
    pub(crate) fn seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Says what comes next.
    pub(crate) fn announce(&self, what: &str) {
        println!("[{:>4} s] {what}", self.seconds());
    }

    /// Runs a cargo subcommand to its end, after a line that says so.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<(), Failure> {
        self.run(&mut cargo(arguments))
    }

    /// Runs `command` to its end, after a line that says so. It gets no stdin.
    pub(crate) fn run(&self, command: &mut Command) -> Result<(), Failure> {
        let line = line(command);
        self.announce(&line);
        succeed(command, &line)
    }

    /// Builds the `ophost` command and returns its path.
    pub(crate) fn ophost(&self) -> Result<PathBuf, Failure> {
        self.cargo(&["build", "--locked", "--package", "ophost"])?;
        Ok(self.target.join("debug/ophost"))
    }
}

/// Returns the cargo that runs xtask, about to run a subcommand.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs `command`, named `line` in the failure, to its end.
pub(crate) fn succeed(command: &mut Command, line: &str) -> Result<(), Failure> {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new(format!("`{line}` failed"))),
        Err(error) => Err(Failure::new(format!("cannot run `{line}`: {error}"))),
    }
}

/// Returns whether `command` runs and succeeds, whatever it prints.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Returns the command as a person would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let variables = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={}", name.display(), value.display()))
    });
    let words = std::iter::once(program).chain(command.get_args());
    let words = words.map(|word| word.display().to_string());
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

/// Cargo put this program at `<target>/<profile>/xtask`.
fn own_target() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings");
        assert_eq!(line(&command), "RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps");
    }

    #[test]
    fn a_failing_command_is_named() {
        let failure = succeed(&mut Command::new("no-such-program"), "no-such-program").unwrap_err();
        assert!(failure.to_string().starts_with("cannot run `no-such-program`: "));
    }
}
