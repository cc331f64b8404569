//! What a command's failure looks like, and the number it exits with.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ophost_toolchain::BuildError;
use serde_json::{Value, json};

use super::build::ComponentError;
use super::difference::differences;
use super::output::{self, ERROR, EscapedLine, EscapedText, HINT};
use super::run::MORE_IN_SETTINGS;
use super::untrusted::{fix, permit};
use ophost::FindError;
use ophost::OperationName;
use ophost::Outcome;
use ophost::PolicyError;
use ophost::RegistryError;
use ophost::Untrusted;
use ophost::config::ConfigError;
use ophost::document::{CollectionName, DocumentId};
use ophost::os_error::{self, Shortage};
use ophost::{self, StoreError};
use ophost::{HostError, RunError};
use ophost::{RunId, RunRecord};
use ophost_schema::Violation;

/// Exit codes. They are part of the command's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// The operation failed, or a check found something wrong.
    Failed = 1,
    /// Wrong usage, an input that breaks its schema, or a file or a run that cannot be used so.
    Usage = 2,
    /// No such operation, run or document.
    NotFound = 3,
    /// Not allowed here, or not trusted: other users own it or have access to it.
    Denied = 4,
    /// The host itself failed.
    Host = 5,
    /// Another request has the idempotency key, or a run under it has not ended.
    IdempotencyConflict = 6,
    /// Whether something was written is unknown.
    OutcomeUnknown = 7,
    /// What was waited for did not happen in time.
    WaitTimeout = 8,
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
    #[error("{message}")]
    Usage { message: String, hint: String },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Find(#[from] FindError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("run {run_id} {what}")]
    RunState { run_id: RunId, what: String },
    #[error(
        "run {run_id} was given secrets, which are not kept: it cannot be run again from there"
    )]
    MaskedInput { run_id: RunId, operation: OperationName },
    #[error("run {run_id} has not ended after {}", humantime::format_duration(*timeout))]
    WaitedTooLong { run_id: RunId, timeout: Duration },
    #[error(transparent)]
    Input(#[from] super::input::InputError),
    #[error(transparent)]
    File(#[from] super::check::UnreadableFile),
    #[error(transparent)]
    Unchecked(#[from] super::check::UncheckedFile),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Shim(#[from] super::shim::UnwritableShim),
    #[error("there is no document `{id}` in `{collection}`")]
    NoSuchDocument {
        collection: CollectionName,
        id: DocumentId,
        /// The collection that was probably meant, if there is none of that name.
        similar: Option<CollectionName>,
    },
    #[error(transparent)]
    NotImported(#[from] super::documents::NotImported),
    #[error(transparent)]
    NotMade(#[from] super::atomic_file::CreateFileError),
    /// Of `ophost run`, which can do without a record.
    #[error("it was not run: its record cannot be written")]
    NotRecorded(#[source] StoreError),
    #[error("the limit {name} of this process is too low: {limit}")]
    Limit { name: &'static str, limit: String, hint: String },
    #[error("cannot write to stdout")]
    Output(#[source] io::Error),
    #[error("run {run_id} ended, {status}, and that cannot be written to stdout")]
    Unprinted { run_id: RunId, status: &'static str, source: io::Error },
    #[error("the system refuses")]
    System(#[from] io::Error),
}

impl CliError {
    /// Returns what the reader of arguments says, as an error like any other.
    pub(super) fn usage(text: &str) -> Self {
        let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
        let first = lines.collect::<Vec<_>>().join(" ");
        let message = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
        Self::Usage { message, hint: "`ophost help` shows the commands".to_owned() }
    }

    /// Returns the error that says that a run is not as it would have to be.
    pub(super) fn run_state(run: &RunRecord, what: impl Into<String>) -> Self {
        Self::RunState { run_id: run.id, what: what.into() }
    }

    /// Prints the error, as JSON on stdout where asked, and returns the number to exit with.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if !json || output::json(&self.envelope()).is_err() {
            output::stderr(&self.text());
        }
        self.exit().into()
    }

    fn text(&self) -> String {
        let mut text = format!("{ERROR}error{ERROR:#}: {}\n", EscapedLine(&self.message()));
        let violations = self.violations().iter().map(ToString::to_string);
        for line in violations.chain(self.differences()) {
            let _ = writeln!(text, "  {}", EscapedLine(&line));
        }
        if let Some(hint) = self.hint() {
            let _ = writeln!(text, "{HINT}hint{HINT:#}: {}", EscapedText(&hint));
        }
        text
    }

    /// Returns the error as JSON, as `--json` prints it.
    pub(super) fn envelope(&self) -> Value {
        let mut error = json!({"kind": self.kind(), "message": self.message()});
        if !self.violations().is_empty() {
            error["violations"] = json!(self.violations());
        }
        if let Some(hint) = self.hint() {
            error["hint"] = hint.into();
        }
        if !self.differences().is_empty() {
            error["differences"] = json!(self.differences());
        }
        let mut envelope = json!({"run_id": self.run_id(), "status": null, "error": error});
        if let Self::Run(RunError::Unrecorded(unrecorded)) = self {
            match &unrecorded.report.outcome {
                Outcome::Success(output) => envelope["output"] = output.clone(),
                Outcome::Failed(failure) => envelope["failure"] = json!(failure),
                Outcome::Cancelled => {}
            }
        }
        envelope
    }

    /// Returns the error and what caused it, in one line.
    pub(super) fn message(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let _ = match error.downcast_ref() {
                Some(error) => write!(text, ": {}", os_error::text(error)),
                None => write!(text, ": {error}"),
            };
            cause = error.source();
        }
        text
    }

    /// Returns the run that the error speaks of.
    fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Run(
                RunError::InProgress { run_id }
                | RunError::Erased { run_id }
                | RunError::Masked { run_id }
                | RunError::Conflict { run_id, .. },
            )
            | Self::RunState { run_id, .. }
            | Self::MaskedInput { run_id, .. }
            | Self::Unprinted { run_id, .. }
            | Self::WaitedTooLong { run_id, .. } => Some(*run_id),
            Self::Run(RunError::Unrecorded(unrecorded)) => Some(unrecorded.run_id),
            Self::Run(RunError::Store(StoreError::OutcomeUnknown(id)))
            | Self::Find(FindError::Store(StoreError::OutcomeUnknown(id)))
            | Self::NotRecorded(StoreError::OutcomeUnknown(id))
            | Self::Store(StoreError::OutcomeUnknown(id)) => Some(*id),
            _ => None,
        }
    }

    /// Returns where the inputs of two requests under one key differ.
    fn differences(&self) -> Vec<String> {
        match self {
            Self::Run(RunError::Conflict { inputs: Some(inputs), .. }) => {
                differences(&inputs.0, &inputs.1)
            }
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Run(RunError::InvalidInput { violations, .. }) => &violations.list,
            _ => &[],
        }
    }

    /// Returns the number to exit with.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Run(error) => run_exit(error),
            Self::Find(FindError::Store(error)) | Self::NotRecorded(error) | Self::Store(error) => {
                store_exit(error)
            }
            Self::Find(FindError::None { .. }) | Self::NoSuchDocument { .. } => Exit::NotFound,
            Self::WaitedTooLong { .. } => Exit::WaitTimeout,
            Self::Find(FindError::Several { .. })
            | Self::RunState { .. }
            | Self::MaskedInput { .. }
            | Self::Usage { .. }
            | Self::Input(_)
            | Self::File(_)
            | Self::Shim(_) => Exit::Usage,
            Self::NotImported(error) => error.exit(),
            Self::Config(ConfigError::Untrusted { .. })
            | Self::Host(HostError::Registry(RegistryError::Untrusted(_))) => Exit::Denied,
            Self::Config(_) => Exit::Usage,
            Self::NotMade(error) if error.is_usage() => Exit::Usage,
            Self::Build(error) if error.is_usage() => Exit::Usage,
            Self::Component(ComponentError::OneFile { .. }) => Exit::Usage,
            Self::Component(error) if error.host_hint().is_some() => Exit::Host,
            Self::Unchecked(_) => Exit::Host,
            Self::Build(_) | Self::Component(_) => Exit::Failed,
            Self::NotMade(_)
            | Self::Host(_)
            | Self::Limit { .. }
            | Self::Output(_)
            | Self::Unprinted { .. }
            | Self::System(_) => Exit::Host,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Run(error) => run_kind(error),
            Self::Input(_) => "invalid_input",
            Self::Find(FindError::None { .. }) => "no_such_run",
            Self::Find(FindError::Several { .. }) => "usage",
            Self::Config(ConfigError::Untrusted { .. })
            | Self::Host(HostError::Registry(RegistryError::Untrusted(_)))
            | Self::Find(FindError::Store(StoreError::Untrusted(_)))
            | Self::NotRecorded(StoreError::Untrusted(_))
            | Self::Store(StoreError::Untrusted(_)) => "untrusted",
            Self::Find(FindError::Store(_)) | Self::NotRecorded(_) | Self::Store(_) => "store",
            Self::RunState { .. } => "run_state",
            Self::MaskedInput { .. } => "masked",
            Self::WaitedTooLong { .. } => "waited",
            Self::NoSuchDocument { .. } => "no_such_document",
            Self::NotImported(_) => "not_imported",
            Self::NotMade(error) if error.is_usage() => "usage",
            Self::Usage { .. } | Self::File(_) | Self::Shim(_) => "usage",
            Self::Config(_) => "config",
            Self::Component(error) if error.host_hint().is_some() => "host",
            Self::Unchecked(_) => "host",
            Self::Build(_) | Self::Component(_) => "build",
            Self::NotMade(_)
            | Self::Host(_)
            | Self::Limit { .. }
            | Self::Output(_)
            | Self::Unprinted { .. }
            | Self::System(_) => "host",
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Run(error) => run_hint(error),
            Self::Find(FindError::Store(error)) | Self::Store(error) => Some(store_hint(error)),
            Self::Find(FindError::None { .. }) => {
                Some("`ophost runs list` shows what there is".to_owned())
            }
            Self::Find(FindError::Several { .. }) => Some("give more of the id".to_owned()),
            Self::RunState { run_id, .. } | Self::Unprinted { run_id, .. } => {
                Some(format!("`ophost runs show {run_id}` shows it"))
            }
            Self::NotRecorded(error) => {
                Some(format!("{}; `--no-record` runs it without a record", store_hint(error)))
            }
            Self::MaskedInput { operation, .. } => {
                Some(format!("`ophost run {operation}` runs it with the secrets given again"))
            }
            Self::WaitedTooLong { run_id, .. } => {
                Some(format!("`ophost runs show {run_id}` says how far it is"))
            }
            Self::Host(HostError::Registry(error)) => Some(registry_hint(error)),
            Self::Host(HostError::Shortage(shortage)) => Some(shortage.hint().to_owned()),
            Self::Usage { hint, .. } | Self::Limit { hint, .. } => Some(hint.clone()),
            Self::Config(ConfigError::Untrusted { keys, untrusted }) => {
                Some(settings_hint(keys, untrusted))
            }
            Self::Config(error) => error.hint(),
            Self::Input(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::NotMade(error) => error.hint(),
            Self::NoSuchDocument { similar: Some(similar), .. } => {
                Some(format!("did you mean the collection `{similar}`?"))
            }
            Self::NotImported(error) => error.hint(),
            Self::NoSuchDocument { collection, .. } => {
                Some(format!("`ophost documents find {collection}` shows what there is"))
            }
            Self::File(_) | Self::Shim(_) | Self::Host(HostError::Sandbox(_)) => None,
            Self::Component(error) => error.host_hint().map(ToOwned::to_owned),
            Self::Unchecked(error) => Some(error.source.hint().to_owned()),
            Self::Output(error) | Self::System(error) => {
                os_error::hint(error).map(ToOwned::to_owned)
            }
        }
    }
}

/// Returns what to do about settings that are not trusted, or how to do without them.
fn settings_hint(keys: &[&str], untrusted: &Untrusted) -> String {
    let flags: Vec<_> = keys.iter().map(|key| format!("--{key} DIR")).collect();
    format!("{}; `{}` does without", fix(untrusted), flags.join(" "))
}

fn registry_hint(error: &RegistryError) -> String {
    match error {
        RegistryError::Untrusted(untrusted) => fix(untrusted),
        RegistryError::Directory { path, source }
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            permit(path, "u+rx")
        }
        RegistryError::Shortage { source, .. } | RegistryError::Index(source) => {
            source.hint().to_owned()
        }
        RegistryError::Directory { source, .. } if let Some(shortage) = Shortage::of(source) => {
            shortage.hint().to_owned()
        }
        RegistryError::Directory { .. }
        | RegistryError::TooMany { .. }
        | RegistryError::Watch(_) => {
            "`--plugins` names a directory that holds `.wasm` files".to_owned()
        }
    }
}

fn run_exit(error: &RunError) -> Exit {
    match error {
        RunError::NoSuchOperation { .. }
        | RunError::PluginRejected { .. }
        | RunError::Unavailable { .. } => Exit::NotFound,
        RunError::Untrusted { .. } | RunError::Policy(PolicyError::AboveMaximum { .. }) => {
            Exit::Denied
        }
        RunError::Policy(PolicyError::Zero(_)) | RunError::InvalidInput { .. } => Exit::Usage,
        RunError::TimedOut { .. } => Exit::Failed,
        RunError::Cancelled { .. } => Exit::Interrupted,
        RunError::InProgress { .. }
        | RunError::Erased { .. }
        | RunError::Masked { .. }
        | RunError::Conflict { .. } => Exit::IdempotencyConflict,
        RunError::Shortage { .. } => Exit::Host,
        RunError::Store(error) | RunError::Unkeepable { source: error, .. } => store_exit(error),
        RunError::Unrecorded(unrecorded) => store_exit(&unrecorded.source),
    }
}

fn store_exit(error: &StoreError) -> Exit {
    match error {
        StoreError::OutcomeUnknown(_) => Exit::OutcomeUnknown,
        StoreError::Untrusted(_) => Exit::Denied,
        StoreError::Newer { .. }
        | StoreError::Corrupted { .. }
        | StoreError::Full
        | StoreError::Replaced
        | StoreError::ReadOnly(_)
        | StoreError::Busy
        | StoreError::Io(_) => Exit::Host,
    }
}

fn run_kind(error: &RunError) -> &'static str {
    match error {
        RunError::NoSuchOperation { .. } => "no_such_operation",
        RunError::PluginRejected { .. } => "not_used",
        RunError::Unavailable { .. } => "unavailable",
        RunError::Shortage { .. } => "host",
        RunError::Policy(PolicyError::AboveMaximum { .. }) => "denied",
        RunError::Policy(PolicyError::Zero(_)) => "usage",
        RunError::InvalidInput { .. } => "invalid_input",
        RunError::TimedOut { .. } => "timeout",
        RunError::Cancelled { .. } => "cancelled",
        RunError::InProgress { .. } => "in_progress",
        RunError::Erased { .. } => "erased",
        RunError::Masked { .. } => "masked",
        RunError::Conflict { .. } => "conflict",
        RunError::Untrusted { .. }
        | RunError::Store(StoreError::Untrusted(_))
        | RunError::Unkeepable { source: StoreError::Untrusted(_), .. } => "untrusted",
        RunError::Store(_) | RunError::Unkeepable { .. } | RunError::Unrecorded(_) => "store",
    }
}

fn run_hint(error: &RunError) -> Option<String> {
    Some(match error {
        RunError::NoSuchOperation { similar, refused, .. } => {
            unknown_hint(similar.as_deref(), *refused)
        }
        RunError::Untrusted { untrusted, .. } => fix(untrusted),
        RunError::PluginRejected { .. } => "`ophost plugins` lists every file, and why".to_owned(),
        RunError::Shortage { source, .. } => source.hint().to_owned(),
        RunError::Unavailable { .. } => "`ophost plugins` reads every file again".to_owned(),
        RunError::Policy(PolicyError::AboveMaximum { .. }) => {
            "ask for less, or leave it out".to_owned()
        }
        RunError::Policy(PolicyError::Zero(_)) => "leave it out for the default".to_owned(),
        RunError::InvalidInput { operation, .. } => {
            format!("`ophost describe {operation}` shows what it takes")
        }
        RunError::TimedOut { at_maximum: true, .. } => MORE_IN_SETTINGS?.to_owned(),
        RunError::TimedOut { .. } => "`--timeout` gives it more time".to_owned(),
        RunError::Cancelled { .. } => return None,
        RunError::InProgress { run_id } => {
            format!("`--wait` waits for it; `ophost runs show {run_id}` says how far it is")
        }
        RunError::Erased { .. } | RunError::Masked { .. } => "another key runs it again".to_owned(),
        RunError::Conflict { .. } => "another key, or the same input".to_owned(),
        RunError::Store(error) | RunError::Unkeepable { source: error, .. } => store_hint(error),
        RunError::Unrecorded(unrecorded) => store_hint(&unrecorded.source),
    })
}

/// Returns what to do about a name that no operation has: it may be in a file that is not used.
fn unknown_hint(similar: Option<&str>, refused: usize) -> String {
    let known = match similar {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => "`ophost list` shows what there is".to_owned(),
    };
    match refused {
        0 => known,
        1 => format!("{known}; 1 plugin file is not used, and `ophost plugins` says why"),
        more => format!("{known}; {more} plugin files are not used, and `ophost plugins` says why"),
    }
}

/// Returns what to do about a store that cannot be used.
fn store_hint(error: &StoreError) -> String {
    match error {
        StoreError::Newer { .. } => "use the newer version of ophost".to_owned(),
        StoreError::Corrupted { key, .. } if key == ophost::STORE_FILE => {
            "`ophost store salvage FILE` saves what can be read; if that cannot read it either, \
             put a backup in its place, or move it away and begin anew"
                .to_owned()
        }
        StoreError::Corrupted { .. } => {
            "`ophost store check` finds all that is, `ophost store salvage FILE` saves the rest"
                .to_owned()
        }
        StoreError::Untrusted(untrusted) => fix(untrusted),
        StoreError::Full => "free some space, and try again".to_owned(),
        StoreError::Replaced => "run `ophost runs list` to see what is recorded now".to_owned(),
        StoreError::Busy => {
            "it is stopped, which `ps` shows as T: let it go on, or end it, and try again"
                .to_owned()
        }
        StoreError::OutcomeUnknown(id) => format!("`ophost runs show {id}` says what is there"),
        StoreError::ReadOnly(error) | StoreError::Io(error) => {
            ophost::store_io_hint(error).unwrap_or_else(|| os_error::data_hint(error)).to_owned()
        }
    }
}
