//! Errors of commands: messages, hints, JSON form and exit codes.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ophost::{
    CompileLimit, FindError, HostError, OperationName, Outcome, PolicyError, PruneError,
    RegistryError, RejectedFile, RunError, RunId, RunRecord, StoreError, UndoError, Untrusted,
    config::ConfigError,
    document::{Address, CollectionName, DocumentId},
    os_error::{self, Shortage},
};
use ophost_schema::Violation;
use ophost_toolchain::BuildError;
use ophost_toolchain::kit::{CreateError, NameError};
use serde_json::{Value, json};

use super::build::ComponentError;
use super::changes::input_differences;
use super::output::{self, ERROR, EscapedLine, EscapedText, HINT};
use super::plugins::RemoveError;
use super::plugins::installation::InstallError;
use super::run::MORE_IN_SETTINGS;
use super::untrusted::{fix, permit};

/// Maximum number of rejected plugin files in an error.
const MAX_SHOWN_REJECTED: usize = 5;

/// Exit codes. They are part of the public interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// The operation failed, or a check found a problem.
    Failed = 1,
    /// Invalid arguments or input, or an unsuitable file or run.
    Usage = 2,
    /// No such operation, run or document.
    NotFound = 3,
    /// Denied by the policy, or an untrusted file that another user owns or can change.
    Denied = 4,
    /// The host or its store failed.
    Host = 5,
    /// The idempotency key belongs to another request or to a run in progress.
    IdempotencyConflict = 6,
    /// Whether a commit succeeded is unknown.
    OutcomeUnknown = 7,
    /// Waiting timed out.
    WaitTimeout = 8,
    /// Interrupted by Ctrl-C or SIGTERM.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Error of a command.
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
    #[error("cannot prune the store now: {0}")]
    Unpruned(PruneError),
    #[error("run {run_id} {problem}")]
    RunState { run_id: RunId, problem: String },
    #[error("run {run_id} {error}")]
    NotUndone { run_id: RunId, error: UndoError },
    #[error("run {run_id} cannot be rerun: its input contains secrets, which are not stored")]
    MaskedInput { run_id: RunId, operation: OperationName },
    #[error("run {run_id} has not ended after {}", humantime::format_duration(*timeout))]
    WaitTimeout { run_id: RunId, timeout: Duration },
    #[error(transparent)]
    Input(#[from] super::input::InputError),
    #[error(transparent)]
    File(#[from] super::check::UnreadableFile),
    #[error(transparent)]
    FileCheck(#[from] super::check::UncheckedFile),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error("cannot watch `{}`: {problem}", directory.display())]
    Unwatched { directory: std::path::PathBuf, problem: String },
    #[error(transparent)]
    Test(#[from] super::test::TestError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(transparent)]
    RemovePlugin(#[from] RemoveError),
    #[error(transparent)]
    ProjectName(#[from] NameError),
    #[error(transparent)]
    CreateProject(#[from] CreateError),
    #[error(transparent)]
    Shim(#[from] super::shim::UnwritableShim),
    #[error("document `{id}` does not exist in `{collection}`")]
    NoSuchDocument {
        collection: CollectionName,
        id: DocumentId,
        /// An existing collection with a similar name, if the collection does not exist.
        similar: Option<CollectionName>,
    },
    #[error("document `{}` did not exist in `{}` at `{at}`", address.id, address.collection)]
    NoSuchVersion { address: Address, at: String },
    #[error(
        "the content of document `{}` in `{}` at `{at}` is not stored: retention removed it, or a \
         salvage lost it", address.id, address.collection
    )]
    ContentRemoved { address: Address, at: String },
    #[error(transparent)]
    NotImported(#[from] super::documents::NotImported),
    #[error(transparent)]
    CreateFile(#[from] super::atomic_file::CreateFileError),
    /// The store failed for a run that could have been executed without a record.
    #[error("the run had no effect, because its record cannot be written")]
    NotRecorded(#[source] StoreError),
    #[error("the limit {name} of this process is too low: {limit}")]
    Limit { name: &'static str, limit: String, hint: String },
    #[error("cannot write to stdout")]
    Output(#[source] io::Error),
    #[error("run {run_id} ended with {status}, but its output cannot be written to stdout")]
    Unprinted { run_id: RunId, status: &'static str, source: io::Error },
    #[error("operating system error")]
    System(#[from] io::Error),
}

impl From<PruneError> for CliError {
    fn from(error: PruneError) -> Self {
        match error {
            PruneError::Store(error) => Self::Store(error),
            PruneError::InProgress | PruneError::LongRead => Self::Unpruned(error),
        }
    }
}

impl CliError {
    /// Returns the error for a message of the argument parser, of which only the first paragraph is
    /// used.
    pub(super) fn usage(text: &str) -> Self {
        let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
        let first = lines.collect::<Vec<_>>().join(" ");
        let message = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
        Self::Usage { message, hint: "run `ophost help` to list the commands".to_owned() }
    }

    /// Returns the error for a run in an unsuitable state.
    pub(super) fn run_state(run: &RunRecord, problem: impl Into<String>) -> Self {
        Self::RunState { run_id: run.id, problem: problem.into() }
    }

    /// Prints the error, as JSON on stdout if requested, and returns the exit code.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if !json || output::json(&self.envelope()).is_err() {
            output::stderr(&self.text());
        }
        self.exit().into()
    }

    fn text(&self) -> String {
        let mut text = format!("{ERROR}error{ERROR:#}: {}\n", EscapedLine(&self.message()));
        let violations = self.violations().iter().map(ToString::to_string);
        let rejected = rejected_lines(self.rejected());
        let compiler = self.compiler_output().lines().map(ToOwned::to_owned);
        for line in violations.chain(self.differences()).chain(rejected).chain(compiler) {
            let _ = writeln!(text, "  {}", EscapedLine(&line));
        }
        if let Some(hint) = self.hint() {
            let _ = writeln!(text, "{HINT}hint{HINT:#}: {}", EscapedText(&hint));
        }
        text
    }

    /// Returns the JSON form of the error.
    pub(super) fn envelope(&self) -> Value {
        let mut error = json!({"kind": self.kind(), "message": self.message()});
        if !self.violations().is_empty() {
            error["violations"] = json!(self.violations());
        }
        if !self.compiler_output().is_empty() {
            error["compiler_output"] = self.compiler_output().into();
        }
        if let Some(hint) = self.hint() {
            error["hint"] = hint.into();
        }
        if let Some(store) = self.store_error() {
            error["retryable"] = store.is_retryable().into();
        }
        if !self.rejected().is_empty() {
            error["rejected"] = self.rejected().iter().map(rejected_json).collect();
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

    /// Returns the error and its causes in one line.
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

    /// Returns the run of the error.
    fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Run(
                RunError::InProgress { run_id }
                | RunError::Erased { run_id }
                | RunError::Masked { run_id }
                | RunError::Undone { run_id, .. }
                | RunError::Conflict { run_id, .. },
            )
            | Self::RunState { run_id, .. }
            | Self::NotUndone { run_id, .. }
            | Self::MaskedInput { run_id, .. }
            | Self::Unprinted { run_id, .. }
            | Self::WaitTimeout { run_id, .. } => Some(*run_id),
            Self::Run(RunError::Unrecorded(unrecorded)) => unrecorded.report.run_id,
            Self::Run(RunError::Store(StoreError::OutcomeUnknown(id)))
            | Self::Find(FindError::Store(StoreError::OutcomeUnknown(id)))
            | Self::NotRecorded(StoreError::OutcomeUnknown(id))
            | Self::Store(StoreError::OutcomeUnknown(id)) => Some(*id),
            _ => None,
        }
    }

    /// Returns the error of the store that is the cause.
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::NotRecorded(error) | Self::Find(FindError::Store(error)) => {
                Some(error)
            }
            Self::Run(RunError::Store(error) | RunError::Unkeepable { source: error, .. }) => {
                Some(error)
            }
            Self::Run(RunError::Unrecorded(unrecorded)) => Some(&unrecorded.source),
            _ => None,
        }
    }

    /// Returns the differences between the inputs of two requests with the same idempotency key.
    fn differences(&self) -> Vec<String> {
        match self {
            Self::Run(RunError::Conflict { inputs: Some(inputs), .. }) => {
                input_differences(&inputs.0, &inputs.1)
            }
            _ => Vec::new(),
        }
    }

    /// Returns the rejected plugin files that may have the operation.
    fn rejected(&self) -> &[RejectedFile] {
        match self {
            Self::Run(RunError::NoSuchOperation { rejected, .. }) => rejected,
            _ => &[],
        }
    }

    /// Returns the message of a compiler that did not print the message itself.
    fn compiler_output(&self) -> &str {
        match self {
            Self::Build(BuildError::Compiler { message, .. }) => message,
            _ => "",
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Run(RunError::InvalidInput { violations, .. }) => &violations.list,
            _ => &[],
        }
    }

    /// Returns the exit code.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Run(error) => run_exit(error),
            Self::Find(FindError::Store(error)) | Self::NotRecorded(error) | Self::Store(error) => {
                store_exit(error)
            }
            Self::Find(FindError::None { .. })
            | Self::NoSuchDocument { .. }
            | Self::NoSuchVersion { .. }
            | Self::ContentRemoved { .. } => Exit::NotFound,
            Self::WaitTimeout { .. } => Exit::WaitTimeout,
            Self::Unpruned(_) => Exit::Host,
            Self::Find(FindError::Several { .. })
            | Self::RunState { .. }
            | Self::NotUndone { .. }
            | Self::MaskedInput { .. }
            | Self::Usage { .. }
            | Self::Input(_)
            | Self::File(_)
            | Self::Shim(_) => Exit::Usage,
            Self::NotImported(error) => error.exit(),
            Self::Test(error) => error.exit(),
            Self::Config(ConfigError::Untrusted { .. })
            | Self::Host(HostError::Registry(RegistryError::Untrusted(_))) => Exit::Denied,
            Self::Config(_) => Exit::Usage,
            Self::CreateFile(error) if error.is_usage() => Exit::Usage,
            Self::Build(error) if error.is_usage() => Exit::Usage,
            Self::Component(ComponentError::OneFile { .. })
            | Self::Install(
                InstallError::SameFile { .. }
                | InstallError::Directory { .. }
                | InstallError::Read { .. },
            )
            | Self::RemovePlugin(RemoveError::Ambiguous { .. })
            | Self::ProjectName(_)
            | Self::CreateProject(CreateError::Exists(_)) => Exit::Usage,
            Self::RemovePlugin(RemoveError::Missing { .. }) => Exit::NotFound,
            Self::Install(error) if error.host_hint().is_some() => Exit::Host,
            Self::Component(error) if error.host_hint().is_some() => Exit::Host,
            Self::FileCheck(_) => Exit::Host,
            Self::Build(_)
            | Self::Component(_)
            | Self::Install(_)
            | Self::RemovePlugin(RemoveError::Remove { .. })
            | Self::CreateProject(CreateError::Write { .. }) => Exit::Failed,
            Self::CreateFile(_)
            | Self::Host(_)
            | Self::Limit { .. }
            | Self::Output(_)
            | Self::Unprinted { .. }
            | Self::Unwatched { .. }
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
            Self::RunState { .. } | Self::NotUndone { .. } => "run_state",
            Self::Unpruned(_) => "store",
            Self::MaskedInput { .. } => "masked",
            Self::WaitTimeout { .. } => "waited",
            Self::NoSuchDocument { .. } | Self::NoSuchVersion { .. } => "no_such_document",
            Self::ContentRemoved { .. } => "content_removed",
            Self::NotImported(_) => "not_imported",
            Self::Test(error) => error.kind(),
            Self::CreateFile(error) if error.is_usage() => "usage",
            Self::Usage { .. } | Self::File(_) | Self::Shim(_) => "usage",
            Self::Config(_) => "config",
            Self::Component(error) if error.host_hint().is_some() => "host",
            Self::FileCheck(_) => "host",
            Self::Install(error) if error.host_hint().is_some() => "host",
            Self::Install(
                InstallError::SameFile { .. }
                | InstallError::Directory { .. }
                | InstallError::Read { .. },
            )
            | Self::ProjectName(_)
            | Self::CreateProject(_)
            | Self::RemovePlugin(RemoveError::Ambiguous { .. }) => "usage",
            Self::RemovePlugin(RemoveError::Missing { .. }) => "no_such_plugin",
            Self::RemovePlugin(RemoveError::Remove { .. }) => "host",
            Self::Install(_) => "install",
            Self::Build(_) | Self::Component(_) => "build",
            Self::CreateFile(_)
            | Self::Host(_)
            | Self::Limit { .. }
            | Self::Output(_)
            | Self::Unprinted { .. }
            | Self::Unwatched { .. }
            | Self::System(_) => "host",
        }
    }

    /// Returns a hint for the user.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Run(error) => run_hint(error),
            Self::Find(FindError::Store(error)) | Self::Store(error) => Some(store_hint(error)),
            Self::Find(FindError::None { .. }) => {
                Some("run `ophost runs list` to list the runs".to_owned())
            }
            Self::Find(FindError::Several { .. }) => {
                Some("use a longer prefix of the id".to_owned())
            }
            Self::NotUndone { run_id, error } => Some(undo_hint(*run_id, error)),
            Self::RunState { run_id, .. } | Self::Unprinted { run_id, .. } => {
                Some(format!("run `ophost runs show {run_id}` to show the run"))
            }
            Self::NotRecorded(error) => {
                Some(format!("{}; or use `--no-record`", store_hint(error)))
            }
            Self::Unpruned(_) => Some("retry when the other command has ended".to_owned()),
            Self::MaskedInput { operation, .. } => {
                Some(format!("use `ophost run {operation}` with the secrets"))
            }
            Self::WaitTimeout { run_id, .. } => {
                Some(format!("run `ophost runs show {run_id}` to show its state"))
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
            Self::CreateFile(error) => error.hint(),
            Self::NoSuchDocument { similar: Some(similar), .. } => {
                Some(format!("did you mean the collection `{similar}`?"))
            }
            Self::NoSuchVersion { address, .. } | Self::ContentRemoved { address, .. } => {
                let (collection, id) = (&address.collection, output::quoted(address.id.as_str()));
                Some(format!(
                    "run `ophost documents history {collection} {id}` to list its changes"
                ))
            }
            Self::NotImported(error) => error.hint(),
            Self::Test(error) => error.hint(),
            Self::Unwatched { .. } => Some(WATCH_HINT.to_owned()),
            Self::NoSuchDocument { collection, .. } => {
                Some(format!("run `ophost documents find {collection}` to list the documents"))
            }
            Self::File(_) | Self::Shim(_) | Self::Host(HostError::Sandbox(_)) => None,
            Self::Component(error) => error.host_hint().map(ToOwned::to_owned),
            Self::Install(error) => error.hint(),
            Self::RemovePlugin(error) => error.hint(),
            Self::ProjectName(error) => Some(error.hint()),
            Self::CreateProject(error) => create_hint(error),
            Self::FileCheck(error) => Some(error.source.hint().to_owned()),
            Self::Output(error) | Self::System(error) => {
                os_error::hint(error).map(ToOwned::to_owned)
            }
        }
    }
}

/// The hint for files that the system cannot watch.
const WATCH_HINT: &str = "run `sysctl fs.inotify` to show the limits of the system for watches";

/// Returns the hint for a project that cannot be created.
fn create_hint(error: &CreateError) -> Option<String> {
    match error {
        CreateError::Exists(_) => Some("choose another name, or pass another directory".to_owned()),
        CreateError::Write { source, .. } => os_error::hint(source).map(ToOwned::to_owned),
    }
}

/// Returns the hint for a run that cannot be undone.
fn undo_hint(run: RunId, error: &UndoError) -> String {
    match error {
        UndoError::Undone { by } => format!("run `ophost runs undo {by}` to undo the undo"),
        UndoError::HasChildren => {
            format!("run `ophost runs list --parent {run}` and undo its runs, the newest first")
        }
        _ => format!("run `ophost runs show {run}` to show the run"),
    }
}

/// Returns the hint for untrusted settings.
fn settings_hint(keys: &[&str], untrusted: &Untrusted) -> String {
    let flags: Vec<_> = keys.iter().map(|key| format!("--{key} DIR")).collect();
    format!("{}; or use `{}`", fix(untrusted), flags.join(" "))
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
            "use `--plugins` to name a directory with `.wasm` files".to_owned()
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
        | RunError::Undone { .. }
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
        StoreError::Unsupported(_) => Exit::Usage,
        StoreError::HistoryRemoved(_) => Exit::NotFound,
        StoreError::Newer { .. }
        | StoreError::Older { .. }
        | StoreError::Corrupted { .. }
        | StoreError::InUse
        | StoreError::Locked
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
        RunError::PluginRejected { .. } => "plugin_rejected",
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
        RunError::Undone { .. } => "undone",
        RunError::Conflict { .. } => "conflict",
        RunError::Untrusted { .. }
        | RunError::Store(StoreError::Untrusted(_))
        | RunError::Unkeepable { source: StoreError::Untrusted(_), .. } => "untrusted",
        RunError::Store(_) | RunError::Unkeepable { .. } | RunError::Unrecorded(_) => "store",
    }
}

fn run_hint(error: &RunError) -> Option<String> {
    Some(match error {
        RunError::NoSuchOperation { similar, rejected, .. } => {
            unknown_hint(similar.as_deref(), rejected)
        }
        RunError::Unavailable { exceeded: Some(limit), .. } => {
            compile_limit_hint(*limit).to_owned()
        }
        RunError::Untrusted { untrusted, .. } => fix(untrusted),
        RunError::PluginRejected { .. } => "run `ophost plugins` to show the reason".to_owned(),
        RunError::Shortage { source, .. } => source.hint().to_owned(),
        RunError::Unavailable { .. } => {
            "run `ophost plugins` to load all plugin files again".to_owned()
        }
        RunError::Policy(PolicyError::AboveMaximum { .. }) => {
            "use a lower value, or omit the flag".to_owned()
        }
        RunError::Policy(PolicyError::Zero(_)) => "omit the flag for the default".to_owned(),
        RunError::InvalidInput { operation, .. } => {
            format!("run `ophost describe {operation}` to show the input schema")
        }
        RunError::TimedOut { at_maximum: true, .. } => MORE_IN_SETTINGS?.to_owned(),
        RunError::TimedOut { .. } => "use `--timeout` to allow more time".to_owned(),
        RunError::Cancelled { .. } => return None,
        RunError::InProgress { run_id } => {
            format!("use `--wait`, or run `ophost runs show {run_id}` to show its state")
        }
        RunError::Erased { .. } | RunError::Masked { .. } => "use another key".to_owned(),
        RunError::Undone { by, .. } => {
            format!("use another key, or `ophost runs undo {by}` to restore its changes")
        }
        RunError::Conflict { .. } => "use another key, or the same input".to_owned(),
        RunError::Store(error) | RunError::Unkeepable { source: error, .. } => store_hint(error),
        RunError::Unrecorded(unrecorded) => store_hint(&unrecorded.source),
    })
}

/// Returns the hint for an unknown operation. A rejected plugin file may contain it.
fn unknown_hint(similar: Option<&str>, rejected: &[RejectedFile]) -> String {
    let exceeded = || rejected.iter().find_map(|rejected| rejected.exceeded);
    match (similar, rejected.len()) {
        (Some(similar), _) => format!("did you mean `{similar}`?"),
        (None, 0) => "run `ophost list` to list the operations".to_owned(),
        (None, _) if let Some(limit) = exceeded() => compile_limit_hint(limit).to_owned(),
        (None, _) => "run `ophost plugins` to list all plugin files".to_owned(),
    }
}

/// Returns the hint for a plugin whose compilation exceeds a limit.
pub(super) fn compile_limit_hint(limit: CompileLimit) -> &'static str {
    match limit {
        CompileLimit::CpuTime | CompileLimit::WallTime => {
            "raise `[compile] time`, or set `OPHOST_COMPILE_TIME`"
        }
        CompileLimit::Memory => "raise `[compile] memory`, or set `OPHOST_COMPILE_MEMORY`",
    }
}

/// Returns a line for each of the first rejected files.
fn rejected_lines(rejected: &[RejectedFile]) -> Vec<String> {
    let line = |it: &RejectedFile| format!("`{}` was rejected: {}", it.file.display(), it.reason);
    let mut lines: Vec<_> = rejected.iter().take(MAX_SHOWN_REJECTED).map(line).collect();
    match rejected.len().saturating_sub(MAX_SHOWN_REJECTED) {
        0 => {}
        1 => lines.push("1 more plugin file was rejected".to_owned()),
        more => lines.push(format!("{more} more plugin files were rejected")),
    }
    lines
}

fn rejected_json(rejected: &RejectedFile) -> Value {
    json!({"file": rejected.file.display().to_string(), "reason": rejected.reason})
}

/// Returns the hint for an error of the store.
fn store_hint(error: &StoreError) -> String {
    match error {
        StoreError::Newer { .. } => "use the newer version of ophost".to_owned(),
        StoreError::Older { .. } => {
            "use the ophost version that wrote the store, or use `--data` for a new store"
                .to_owned()
        }
        StoreError::Corrupted { key, .. } if key == ophost::STORE_FILE => {
            "run `ophost store salvage FILE` to copy the readable data; if that fails, restore a \
             backup, or move the file away to start with an empty store"
                .to_owned()
        }
        StoreError::Corrupted { .. } => {
            "`ophost store check` lists all corruption; `ophost store salvage FILE` copies the \
             intact data"
                .to_owned()
        }
        StoreError::Untrusted(untrusted) => fix(untrusted),
        StoreError::Full => "free some disk space and retry".to_owned(),
        StoreError::Replaced => {
            "run `ophost runs list` to list the runs of the current store".to_owned()
        }
        StoreError::Busy => {
            "the process that holds the lock is suspended (state `T` in `ps`); resume or kill it, \
             then retry"
                .to_owned()
        }
        StoreError::InUse => {
            "end the commands and hosts that use the data directory, then retry".to_owned()
        }
        StoreError::Locked => "retry when the other command has ended".to_owned(),
        StoreError::OutcomeUnknown(id) => {
            format!("run `ophost runs show {id}` to see whether it was committed")
        }
        StoreError::HistoryRemoved(_) => {
            "run `ophost documents history COLLECTION ID` to show what remains of the history"
                .to_owned()
        }
        StoreError::Unsupported(_) => {
            "use the tools of the database that holds the store".to_owned()
        }
        StoreError::ReadOnly(error) | StoreError::Io(error) => {
            ophost::store_io_hint(error).unwrap_or_else(|| os_error::data_hint(error)).to_owned()
        }
    }
}
