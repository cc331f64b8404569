//! What a command's failure looks like, and the number it exits with.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::build::ComponentError;
use super::output::{self, Block, ERROR, HINT, Line};
use crate::host::{HostError, RunError};
use crate::policy::PolicyError;
use crate::registry::RegistryError;
use crate::schema::Violation;
use crate::toolchain::BuildError;

/// Exit codes. They are part of the command's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// The operation failed.
    Failed = 1,
    /// Wrong usage, or an input that breaks its schema.
    Usage = 2,
    /// No such operation.
    NotFound = 3,
    /// Not allowed here.
    Denied = 4,
    /// The host itself failed.
    Host = 5,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Input(#[from] super::input::InputError),
    #[error(transparent)]
    File(#[from] super::check::UnreadableFile),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Shim(#[from] super::shim::UnwritableShim),
    #[error("cannot write to stdout")]
    Output(#[source] io::Error),
    #[error("the system refuses")]
    System(#[from] io::Error),
}

impl CliError {
    /// Prints the error, as JSON on stdout where asked, and returns the number to exit with.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        // Whoever reads from us has seen enough: that is no failure.
        if matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        if !json || output::json(&self.envelope()).is_err() {
            output::stderr(&self.text());
        }
        self.exit().into()
    }

    fn text(&self) -> String {
        let mut text = format!("{ERROR}error{ERROR:#}: {}\n", Line(&self.message()));
        for violation in self.violations() {
            let _ = writeln!(text, "  {}", Line(&violation.to_string()));
        }
        if let Some(hint) = self.hint() {
            let _ = writeln!(text, "{HINT}hint{HINT:#}: {}", Block(&hint));
        }
        text
    }

    fn envelope(&self) -> Value {
        let mut error = json!({"kind": self.kind(), "message": self.message()});
        if !self.violations().is_empty() {
            error["violations"] = json!(self.violations());
        }
        if let Some(hint) = self.hint() {
            error["hint"] = hint.into();
        }
        json!({"run_id": null, "status": null, "error": error})
    }

    /// The error and what caused it, in one line.
    fn message(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Run(RunError::InvalidInput { violations, .. }) => &violations.list,
            _ => &[],
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Run(RunError::NoSuchOperation { .. } | RunError::Unavailable { .. }) => {
                Exit::NotFound
            }
            Self::Run(RunError::Policy(PolicyError::AboveMaximum { .. })) => Exit::Denied,
            Self::Run(RunError::Policy(PolicyError::Zero(_)) | RunError::InvalidInput { .. })
            | Self::Input(_)
            | Self::File(_)
            | Self::Shim(_) => Exit::Usage,
            Self::Build(error) if error.is_usage() => Exit::Usage,
            Self::Component(ComponentError::OneFile { .. }) => Exit::Usage,
            Self::Build(_) | Self::Component(_) => Exit::Failed,
            Self::Host(_) | Self::Output(_) | Self::System(_) => Exit::Host,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Run(RunError::NoSuchOperation { .. }) => "no_such_operation",
            Self::Run(RunError::Unavailable { .. }) => "unavailable",
            Self::Run(RunError::Policy(PolicyError::AboveMaximum { .. })) => "denied",
            Self::Run(RunError::Policy(PolicyError::Zero(_))) => "usage",
            Self::Run(RunError::InvalidInput { .. }) | Self::Input(_) => "invalid_input",
            Self::File(_) | Self::Shim(_) => "usage",
            Self::Build(_) | Self::Component(_) => "build",
            Self::Host(_) | Self::Output(_) | Self::System(_) => "host",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Run(RunError::NoSuchOperation { similar: Some(similar), .. }) => {
                Some(format!("did you mean `{similar}`?"))
            }
            Self::Run(RunError::NoSuchOperation { refused: 0, .. }) => {
                Some("`ophost list` shows what there is".to_owned())
            }
            Self::Run(RunError::NoSuchOperation { .. }) => {
                Some("`ophost list` shows what there is, and which files are not used".to_owned())
            }
            Self::Run(RunError::Unavailable { .. }) => {
                Some("`ophost plugins` reads every file again".to_owned())
            }
            Self::Run(RunError::Policy(PolicyError::AboveMaximum { .. })) => {
                Some("ask for less, or leave it out".to_owned())
            }
            Self::Run(RunError::Policy(PolicyError::Zero(_))) => {
                Some("leave it out for the default".to_owned())
            }
            Self::Host(HostError::Registry(error)) => Some(registry_hint(error)),
            Self::Input(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::Run(RunError::InvalidInput { operation, .. }) => {
                Some(format!("`ophost describe {operation}` shows what it takes"))
            }
            Self::File(_)
            | Self::Shim(_)
            | Self::Component(_)
            | Self::Host(HostError::Sandbox(_))
            | Self::Output(_)
            | Self::System(_) => None,
        }
    }
}

fn registry_hint(error: &RegistryError) -> String {
    match error {
        RegistryError::WorldWritable { path } => {
            format!("`chmod o-w {}` takes that away", path.display())
        }
        RegistryError::Directory { .. }
        | RegistryError::TooMany { .. }
        | RegistryError::Watch(_) => {
            "`--plugins` names a directory that holds `.wasm` files".to_owned()
        }
    }
}
