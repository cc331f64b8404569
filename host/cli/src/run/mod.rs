//! `ophost run`: executes an operation and prints its report.
//!
//! - `report`: prints reports, as text and as JSON.

mod report;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use ophost::{Caller, Event, Flags, Host, Request, RunError, RunReport};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(super) use self::report::{
    MAX_ITEM, MORE_IN_SETTINGS, details, envelope, failure_message, log_line, print_report,
};
use super::error::{CliError, Exit};
use super::limits::LimitArgs;
use super::orchestration::OrchestrationArgs;
use super::output::{self, DIM};
use super::progress::Bar;
use super::{completion, input, interrupt};

/// Interval at which a run is polled while the command waits for it.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
#[command(after_help = FORMS)]
pub(super) struct RunArgs {
    /// Name of the operation.
    #[arg(add = ArgValueCandidates::new(completion::operations))]
    pub(super) name: String,
    /// Fields of the input: field=value, field:=json, field=@file.
    #[arg(value_name = "FIELD", add = ArgValueCompleter::new(completion::fields))]
    fields: Vec<String>,
    /// Whole input: JSON, @FILE, or - for stdin. Fields override its values.
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    #[arg(add = ArgValueCompleter::new(completion::inputs))]
    input: Option<String>,
    /// Print the document changes and do not commit them.
    #[arg(long)]
    dry_run: bool,
    /// Set the flag `test_mode`, which the operation can read.
    #[arg(long)]
    test_mode: bool,
    /// Print the log while the operation runs.
    #[arg(short, long)]
    verbose: bool,
    /// User of the run.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Channel of the request [default: cli].
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Record the run, even if the operation declares no record.
    #[arg(long)]
    record: bool,
    /// Do not record the run, even if the operation declares a record.
    #[arg(long, conflicts_with_all = ["record", "idempotency_key"])]
    no_record: bool,
    /// Idempotency key: if a run with this key and input has succeeded in the last 24 hours, return
    /// its result instead of running again.
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
    /// Wait if a run with the same idempotency key is still in progress.
    #[arg(long, requires = "idempotency_key")]
    wait: bool,
    /// Tag of the run record; repeatable.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    orchestration: OrchestrationArgs,
}

/// Parses an idempotency key: 1 to 255 characters.
fn idempotency_key(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=255 => Ok(text.to_owned()),
        0 => Err("a key has at least one character".to_owned()),
        count => Err(format!("a key has at most 255 characters, not {count}")),
    }
}

const FORMS: &str = "\
Fields:
  text=hello       value with the type that the schema requires
  count:=5         JSON value
  text=@notes.txt  content of a file (`@-` is stdin); data:=@data.json for JSON
  place.city=Rome  field of an object
  'a\\.b=1'         field name with a dot, escaped by a backslash
  tag=a tag=b      items of a list

Examples:
  ophost run slugify text='Hello, World!'
  ophost run word_count text=@notes.txt top=3 --timeout 5s
  ophost run word_count --input @input.json --json

`ophost describe NAME` shows the fields of an operation.";

pub(super) async fn run(host: &Host, args: RunArgs, json: bool) -> Result<ExitCode, CliError> {
    let catalog = host.catalog();
    let known = catalog.get(&args.name).ok_or_else(|| host.no_such_operation(&args.name))?;
    let schema = &known.operation.input_schema;
    let input = input::assemble(args.input.as_deref(), &args.fields, schema)?;
    let verbose = args.verbose;
    let wait = args.wait;
    let is_keyed = args.idempotency_key.is_some();
    // Document changes commit with the record, so that a run that makes them needs the store.
    let changes = !known.operation.models_out.is_empty() && !args.dry_run;
    let needs_record = is_keyed || args.no_record || changes;
    let is_silent = !known.operation.is_recorded() && !args.no_record;
    let cancel = CancellationToken::new();
    interrupt::cancel_on_signal(cancel.clone())?;
    let mut request = args.request(input).cancellation_token(cancel.clone());
    let bar = Bar::for_terminal().map(Arc::new);
    if verbose || bar.is_some() {
        let bar = bar.clone();
        request = request.on_event(move |event| show_event(event, verbose, bar.as_deref()));
    }
    let report = run_once(host, request, wait.then_some(&cancel)).await;
    if let Some(bar) = bar {
        bar.clear();
    }
    if cancel.is_cancelled() && matches!(report, Err(RunError::InProgress { .. })) {
        return Ok(Exit::Interrupted.into());
    }
    if let Err(RunError::Unrecorded(unrecorded)) = &report
        && !json
    {
        report::print_unrecorded(&unrecorded.report, verbose);
    }
    let report = report.map_err(|error| match error {
        RunError::Store(error) if !needs_record => CliError::NotRecorded(error),
        error => error.into(),
    })?;
    if is_keyed && report.dry_run.is_some() {
        output::warn("the idempotency key is ignored in a dry run");
    }
    match report.run_id {
        None if is_silent => {
            note("not recorded: the operation declares no record; use --record to record the run");
        }
        Some(id) if report.from_record => {
            note(&format!("returned the stored result of run {id} (same idempotency key)"));
        }
        _ => {}
    }
    print_report(&report, verbose, json)
}

/// Prints a note about a run, if stderr is a terminal.
pub(super) fn note(text: &str) {
    if io::stderr().is_terminal() {
        output::stderr(&format!("{DIM}{text}{DIM:#}\n"));
    }
}

/// Runs the request. With a token, waits for a run in progress with the same idempotency key,
/// until the token is cancelled.
async fn run_once(
    host: &Host,
    request: Request,
    wait: Option<&CancellationToken>,
) -> Result<RunReport, RunError> {
    // An input can be large, so it is only copied if a second call may need it.
    let Some(cancel) = wait else { return host.run(request).await };
    loop {
        let answer = host.run(request.clone()).await;
        let Err(RunError::InProgress { .. }) = &answer else { return answer };
        if cancel.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_none() {
            return answer;
        }
    }
}

impl RunArgs {
    fn request(self, input: Value) -> Request {
        let Self { dry_run, test_mode, verbose, .. } = self;
        let caller = Caller {
            user_id: self.user,
            channel: self.channel,
            flags: Flags { dry_run, test_mode, verbose },
            ..Caller::at("cli")
        };
        let mut request = Request::new(self.name, input).caller(caller);
        request = request.limits(self.limits.request());
        request = request.context(self.orchestration.context());
        if self.record || self.no_record {
            request = request.record(self.record);
        }
        if let Some(key) = self.idempotency_key {
            request = request.idempotency_key(key);
        }
        self.tags.into_iter().fold(request, Request::tag)
    }
}

/// Shows an event of a run: log entries if `verbose`, and progress on a bar.
pub(super) fn show_event(event: Event<'_>, verbose: bool, bar: Option<&Bar>) {
    match event {
        Event::Log(entry) if verbose => {
            let mut text = String::new();
            log_line(&mut text, entry);
            match bar {
                Some(bar) => bar.print(&text),
                None => output::stderr(&text),
            }
        }
        Event::Progress(progress) => {
            if let Some(bar) = bar {
                bar.report(progress);
            }
        }
        Event::Log(_) => {}
    }
}
