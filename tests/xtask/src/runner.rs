//! Runs commands one after the other, in the root directory of the repository.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The error of a task: one line.
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

/// Runs the commands of one task and measures its time.
pub(crate) struct Runner {
    started: Instant,
    target: PathBuf,
}

impl Runner {
    /// Starts the clock and changes to the root directory of the repository.
    pub(crate) fn start() -> Result<Self, Failure> {
        let not_cargo = || Failure::new("xtask has been started directly: run `cargo xtask`");
        // Read at run time, because the repository may have been moved since xtask was compiled.
        let package = env::var_os("CARGO_MANIFEST_DIR").ok_or_else(not_cargo)?;
        let root = Path::new(&package).join("../..");
        let target = target_directory().ok_or_else(not_cargo)?;
        env::set_current_dir(&root)
            .map_err(|error| Failure::new(format!("cannot enter `{}`: {error}", root.display())))?;
        Ok(Self { started: Instant::now(), target })
    }

    /// Cargo's target directory.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the seconds since the start of the task.
    pub(crate) fn seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Prints a line with the seconds since the start.
    pub(crate) fn announce(&self, text: &str) {
        println!("[{:>4} s] {text}", self.seconds());
    }

    /// Prints and runs a cargo subcommand.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<(), Failure> {
        self.run(&mut cargo(arguments))
    }

    /// Prints and runs `command`, without stdin.
    pub(crate) fn run(&self, command: &mut Command) -> Result<(), Failure> {
        let line = line(command);
        self.announce(&line);
        succeed(command, &line)
    }

    /// Builds the `ophost` command and returns its path.
    pub(crate) fn ophost(&self) -> Result<PathBuf, Failure> {
        self.cargo(&["build", "--locked", "--bin", "ophost"])?;
        Ok(self.target.join("debug/ophost"))
    }
}

/// Returns a command of the cargo that runs xtask, with these arguments.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs `command` and waits for it. A failure names the command by `line`.
pub(crate) fn succeed(command: &mut Command, line: &str) -> Result<(), Failure> {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new(format!("`{line}` failed"))),
        Err(error) => Err(Failure::new(format!("cannot run `{line}`: {error}"))),
    }
}

/// Returns whether `command` succeeds. Discards its output.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Returns `PATH` with directories in front.
pub(crate) fn path_with(directories: &[PathBuf]) -> Result<OsString, Failure> {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = directories.iter().cloned().chain(env::split_paths(&path));
    env::join_paths(all)
        .map_err(|error| Failure::new(format!("cannot add directories to `PATH`: {error}")))
}

/// Returns the command line, for messages.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let variables = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={}", name.display(), value.display()))
    });
    let parts = std::iter::once(program).chain(command.get_args());
    let parts = parts.map(|part| part.display().to_string());
    variables.chain(parts).collect::<Vec<_>>().join(" ")
}

/// Returns the target directory. Cargo writes this program to `<target>/<profile>/xtask`.
fn target_directory() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_has_variables_program_name_and_arguments() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings");
        assert_eq!(line(&command), "RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps");
    }

    #[test]
    fn failure_names_the_command() {
        let failure = succeed(&mut Command::new("no-such-program"), "no-such-program").unwrap_err();
        assert!(failure.to_string().starts_with("cannot run `no-such-program`: "));
    }
}
