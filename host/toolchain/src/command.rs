//! Runs a program and returns its output.

use std::io;
use std::process::Command;

/// Error of a program that was run for its output.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot run `{program}`")]
    Start {
        /// Its name or path.
        program: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`{program}` failed: {reason}")]
    Failed {
        /// Its name or path.
        program: String,
        /// The line of its stderr that says why.
        reason: String,
    },
}

/// Runs `command` to its end, without stdin, and returns its stdout.
///
/// # Errors
///
/// When it cannot be started, or ends with another status than success.
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

/// Picks the line that tells most: the innermost cause where the program lists causes, else
/// the first that is marked as an error, else the last one.
fn reason(stderr: &str) -> String {
    let line = |start: &str| stderr.lines().find_map(|line| line.trim_start().strip_prefix(start));
    let cause = line("1: ").or_else(|| line("0: "));
    let marked = cause.or_else(|| line("error: "));
    let chosen = marked.or_else(|| stderr.lines().last()).unwrap_or("no reason given");
    chosen.trim().to_owned()
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
    fn reason_is_the_marked_line() {
        let stderr = "info: something else\nerror: no such command: `build`\nbye\n";
        assert_eq!(reason(stderr), "no such command: `build`");
    }

    #[test]
    fn reason_of_silence() {
        assert_eq!(reason(""), "no reason given");
    }

    #[test]
    fn missing_program_is_named() {
        let error = stdout_of(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run `no-such-program`");
    }
}
