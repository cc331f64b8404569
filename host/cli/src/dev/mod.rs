//! `ophost dev`: builds and runs a plugin again whenever its source files change.
//!
//! - `watch`: watches the source files. `children`: terminates a running build.
//! - `input`: the input of the runs. `compare`: the difference of a run to the previous one.

mod children;
mod compare;
mod input;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use ophost::config::Config;
use ophost::{Caller, Flags, Host, Request, RunReport, os_error};
use ophost_toolchain::BuildError;
use tokio_util::sync::CancellationToken;

use self::compare::Snapshot;
use self::input::InputSource;
use self::watch::{SourceWatcher, Sources};
use super::error::{CliError, Exit};
use super::output::{self, DIM, EscapedLine};
use super::test::{self, Project};
use super::{completion, interrupt, run};

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct DevArgs {
    /// Directory of the plugin.
    #[arg(value_name = "DIR", default_value = ".")]
    #[arg(add = ArgValueCompleter::new(completion::directories))]
    directory: PathBuf,
    /// Operation to run [default: run the cases of the plugin].
    #[arg(value_name = "OPERATION", add = ArgValueCandidates::new(completion::operations))]
    operation: Option<String>,
    /// Fields of the input, as in `ophost run` [default: the input of the last recorded run].
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
    /// Whole input: JSON or @FILE. Fields override its values.
    #[arg(long, value_name = "JSON|@FILE", allow_hyphen_values = true, requires = "operation")]
    input: Option<String>,
    /// User of the runs.
    #[arg(long, value_name = "ID", requires = "operation")]
    user: Option<String>,
    /// Set the flag `test_mode`, which the operation can read.
    #[arg(long, requires = "operation")]
    test_mode: bool,
    /// Print the log of each run.
    #[arg(short, long, requires = "operation")]
    verbose: bool,
    /// Commit the document changes of each run, and record the runs.
    #[arg(long, requires = "operation")]
    commit: bool,
}

const NOTES: &str = "\
Examples:
  ophost dev
  ophost dev my-plugin
  ophost dev my-plugin slugify text='Hello, World!'

Without OPERATION, the cases of the plugin run, as with `ophost test`. With OPERATION, the first run
prints its output, and each later run prints the differences to the previous run. The runs are dry
runs: they read the documents of the data directory, and do not change them.

Changes of files in `target`, virtual environments and hidden directories are ignored. Ctrl-C ends
the command with exit code 130.";

/// Runs the command.
pub(super) fn run(args: DevArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    super::runtime()?.block_on(watch(args, config, json))
}

async fn watch(args: DevArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let directory = args.directory.clone();
    if !directory.is_dir() {
        return Err(BuildError::NoDirectory { dir: directory }.into());
    }
    let mut runs = match args.operation.clone() {
        None => Runs::Cases,
        Some(operation) => {
            Runs::Operation(Box::new(OperationRuns::new(config, operation, args).await?))
        }
    };
    let unwatched = |error: notify::Error| {
        let (directory, problem) = (directory.clone(), error.to_string());
        CliError::Unwatched { directory, problem }
    };
    let mut watcher = SourceWatcher::new(&directory).map_err(unwatched)?;
    let cancel = CancellationToken::new();
    interrupt::cancel_on_signal(cancel.clone())?;
    let project = Project::Sources(directory.clone());
    let (mut sources, mut is_first) = (Sources::read(&directory), true);
    while !cancel.is_cancelled() {
        match host(&project, config, &cancel).await {
            Ok(host) => runs.run(&project, &host, (&cancel, json)).await?,
            // The signal has terminated the build.
            Err(_) if cancel.is_cancelled() => break,
            Err(error) if is_first && error.exit() == Exit::Usage => return Err(error),
            Err(error) => report(&error, json),
        }
        note(&format!("watching `{}`", directory.display()));
        let Some(changed) = cancel.run_until_cancelled(watcher.changed(&sources)).await else {
            break;
        };
        (sources, is_first) = (changed, false);
        note("a source file has changed");
    }
    Ok(Exit::Interrupted.into())
}

/// Builds the plugin, and returns a host with its operations. A signal terminates the build.
async fn host(
    project: &Project,
    config: &Config,
    cancel: &CancellationToken,
) -> Result<Host, CliError> {
    let ended = CancellationToken::new();
    let _guard = ended.clone().drop_guard();
    let cancelled = cancel.clone();
    // A thread, because the build blocks this one.
    os_error::spawn("build", move || {
        let Ok(runtime) = super::runtime() else { return };
        if runtime.block_on(ended.run_until_cancelled(cancelled.cancelled())).is_some() {
            children::terminate();
        }
    })?;
    project.host(config).await
}

/// Prints the error of one iteration. The command goes on.
fn report(error: &CliError, json: bool) {
    // The exit code is that of the command's end.
    let _code = error.report(json);
}

/// Prints a line about the progress of the command to stderr.
fn note(text: &str) {
    output::stderr(&format!("{DIM}{}{DIM:#}\n", EscapedLine(text)));
}

/// The runs after each build.
enum Runs {
    Cases,
    Operation(Box<OperationRuns>),
}

impl Runs {
    async fn run(
        &mut self,
        project: &Project,
        host: &Host,
        (cancel, json): (&CancellationToken, bool),
    ) -> Result<(), CliError> {
        match self {
            Self::Cases => match test::run_all_cases(project, host, (cancel.clone(), json)) {
                Ok(_) => {}
                Err(error @ CliError::Output(_)) => return Err(error),
                Err(error) => report(&error, json),
            },
            Self::Operation(runs) => runs.run(host, (cancel, json)).await?,
        }
        Ok(())
    }
}

/// Runs of one operation with the same input.
struct OperationRuns {
    operation: String,
    input: InputSource,
    user: Option<String>,
    flags: Flags,
    previous: Option<Snapshot>,
    count: u64,
}

impl OperationRuns {
    async fn new(config: &Config, operation: String, args: DevArgs) -> Result<Self, CliError> {
        let input = InputSource::choose(config, &operation, (args.input, args.fields)).await?;
        if let InputSource::Recorded { run_id, .. } = &input {
            note(&format!("using the input of run {run_id}"));
        }
        let flags =
            Flags { dry_run: !args.commit, test_mode: args.test_mode, verbose: args.verbose };
        Ok(Self { operation, input, user: args.user, flags, previous: None, count: 0 })
    }

    /// Runs the operation, and prints the report of the first run or the differences to the previous
    /// run.
    async fn run(
        &mut self,
        host: &Host,
        (cancel, json): (&CancellationToken, bool),
    ) -> Result<(), CliError> {
        let result = match self.request(host) {
            Ok(request) => {
                let request = request.cancellation_token(cancel.clone());
                host.run(request).await.map_err(CliError::from)
            }
            Err(error) => Err(error),
        };
        if cancel.is_cancelled() {
            return Ok(());
        }
        self.count += 1;
        let snapshot = Snapshot::of(&result);
        match &self.previous {
            _ if json => print_json(&result)?,
            None => self.print_first(&snapshot, &result)?,
            Some(previous) => self.print_differences(&snapshot, previous)?,
        }
        self.previous = Some(snapshot);
        Ok(())
    }

    fn request(&self, host: &Host) -> Result<Request, CliError> {
        let catalog = host.catalog();
        let name = &self.operation;
        let known = catalog.get(name).ok_or_else(|| host.no_such_operation(name))?;
        let input = self.input.input(&known.operation.input_schema)?;
        let caller = Caller { user_id: self.user.clone(), flags: self.flags, ..Caller::at("cli") };
        let mut request = Request::new(name, input).caller(caller);
        if self.flags.dry_run {
            request = request.record(false);
        }
        if self.flags.verbose {
            request = request.on_event(|event| run::show_event(event, true, None));
        }
        Ok(request)
    }

    fn print_first(
        &self,
        snapshot: &Snapshot,
        result: &Result<RunReport, CliError>,
    ) -> Result<(), CliError> {
        output::stdout(&format!("run {}: {}\n", self.count, snapshot.status))?;
        match result {
            Ok(result) => run::print_report(result, self.flags.verbose, false).map(drop),
            Err(error) => {
                report(error, false);
                Ok(())
            }
        }
    }

    fn print_differences(&self, snapshot: &Snapshot, previous: &Snapshot) -> Result<(), CliError> {
        let differences = snapshot.differences(previous);
        let end = if differences.is_empty() { ", no difference" } else { "" };
        let mut text = format!("run {}: {}{end}\n", self.count, snapshot.status);
        test::differences(&mut text, &differences);
        output::stdout(&text)
    }
}

fn print_json(result: &Result<RunReport, CliError>) -> Result<(), CliError> {
    match result {
        Ok(report) => output::json_line(&run::envelope(report)),
        Err(error) => output::json_line(&error.envelope()),
    }
}
