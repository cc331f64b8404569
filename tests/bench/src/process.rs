//! Timed commands, and children of this program.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::measure::median;

/// The first argument of a child of this program.
pub(crate) const CHILD: &str = "child";
/// Commands of one sample.
const COMMANDS: usize = 11;

/// Returns the seconds that a command takes, from its start to its end. Discards its output.
///
/// # Errors
///
/// Returns an error if the command cannot be started or fails.
pub(crate) fn time(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let took = started.elapsed();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed with {}: {errors}", output.status);
    Ok(took.as_secs_f64())
}

/// Returns the median time of several starts of a command, as the metrics of one round.
///
/// # Errors
///
/// As [`time`].
pub(crate) fn sample(mut command: impl FnMut() -> Command) -> Result<Vec<f64>> {
    let times = (0..COMMANDS).map(|_| time(&mut command())).collect::<Result<Vec<_>>>()?;
    Ok(vec![median(&times)])
}

/// Returns an `ophost` command in a project, without the settings of this process.
pub(crate) fn ophost(program: &Path, project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project);
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"OPHOST") {
            command.env_remove(name);
        }
    }
    command
}

/// Returns a command that starts this program as a child with a role.
///
/// # Errors
///
/// Returns an error if the path of this program is unknown.
pub(crate) fn child_command(role: &str, directory: &Path, arguments: &[String]) -> Result<Command> {
    let program = env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command.arg(CHILD).arg(role).arg(directory).args(arguments);
    Ok(command)
}

/// A child of this program, which is killed if it is dropped.
pub(crate) struct ChildProcess {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ChildProcess {
    /// Starts a child.
    ///
    /// # Errors
    ///
    /// Returns an error if the child cannot be started.
    pub(crate) fn start(role: &str, directory: &Path, arguments: &[String]) -> Result<Self> {
        let mut command = child_command(role, directory, arguments)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("the child has no stdin")?;
        let output = BufReader::new(child.stdout.take().context("the child has no stdout")?);
        Ok(Self { child, input, output })
    }

    /// Writes a line to the child.
    ///
    /// # Errors
    ///
    /// Returns an error if the child has terminated.
    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}").context("a child terminated")
    }

    /// Waits for the next line of the child.
    ///
    /// # Errors
    ///
    /// Returns an error if the child has terminated.
    pub(crate) fn receive(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "a child terminated");
        Ok(line.trim().to_owned())
    }

    /// Waits for a line with this text.
    ///
    /// # Errors
    ///
    /// Returns an error if the child has terminated or writes another line.
    pub(crate) fn expect(&mut self, text: &str) -> Result<()> {
        let line = self.receive()?;
        ensure!(line == text, "a child wrote `{line}` instead of `{text}`");
        Ok(())
    }

    /// Kills the child with SIGKILL and waits for its end.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Writes a line to the parent of this child.
///
/// # Errors
///
/// Returns an error if the parent has terminated.
pub(crate) fn send_to_parent(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// Waits for a line of the parent of this child; `None` if the parent has closed the pipe.
///
/// # Errors
///
/// Returns the error of the operating system.
pub(crate) fn receive_from_parent() -> Result<Option<String>> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}
