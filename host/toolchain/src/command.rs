//! Runs a program and returns its output.

use std::io;
use std::process::Command;

/// Error of a program whose output is needed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program could not be started.
    #[error("cannot run `{program}`")]
    Start {
        /// The name or path of the program.
        program: String,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The program exited with an error status.
    #[error("`{program}` failed: {reason}")]
    Failed {
        /// The name or path of the program.
        program: String,
        /// The line of stderr with the reason.
        reason: String,
    },
}

impl CommandError {
    /// Returns the reason without the name of the program.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Start { source, .. } => source.to_string(),
            Self::Failed { reason, .. } => reason.clone(),
        }
    }
}

/// Runs `command` without stdin and returns its stdout.
///
/// # Blocking
///
/// Waits for the end of the program.
///
/// # Errors
///
/// Returns [`CommandError`] if the program cannot be started or does not exit with success.
pub(crate) fn stdout_of(command: &mut Command) -> Result<String, CommandError> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Err(source) => Err(CommandError::Start { program, source }),
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(CommandError::Failed {
            program,
            reason: reason(&String::from_utf8_lossy(&output.stderr)),
        }),
    }
}

/// Returns the most specific line of `stderr`.
///
/// This is the innermost listed cause, or else the first line that begins with `error:`, or else
/// the last line.
fn reason(stderr: &str) -> String {
    let line =
        |prefix: &str| stderr.lines().find_map(|line| line.trim_start().strip_prefix(prefix));
    let cause = line("1: ").or_else(|| line("0: "));
    let reason = cause.or_else(|| line("error: ")).or_else(|| stderr.lines().last());
    reason.unwrap_or("unknown reason").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_the_innermost_cause() {
        let stderr = "info: downloading component rust-std\n\
            info: rolling back changes\n\
            error: component download failed for rust-std-wasm32-wasip2\n\n\
            Caused by:\n    0: could not download file from 'https://example.org/a.tar.xz'\n    \
            1: http request returned an unsuccessful status code: 404\n";
        let expected = "http request returned an unsuccessful status code: 404";
        assert_eq!(reason(stderr), expected);
    }

    #[test]
    fn reason_is_the_line_that_begins_with_error() {
        let stderr = "info: something else\nerror: no such command: `build`\nbye\n";
        assert_eq!(reason(stderr), "no such command: `build`");
    }

    #[test]
    fn reason_of_empty_stderr_is_unknown() {
        assert_eq!(reason(""), "unknown reason");
    }

    #[test]
    fn missing_program_is_named() {
        let error = stdout_of(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run `no-such-program`");
    }
}
