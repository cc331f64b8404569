//! `ophost run`: one run, from words to output.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::error::{CliError, Exit};
use super::limits::LimitArgs;
use super::orchestration::OrchestrationArgs;
use super::output::{self, DIM, ERROR, EscapedLine, HINT, NAME, WARNING};
use super::progress::Bar;
use super::{changes, completion, input, interrupt};
use ophost::Caller;
use ophost::LimitName;
use ophost::OperationName;
use ophost::OrchestrationContext;
use ophost::RunId;
use ophost::document::ChangeCount;
use ophost::{
    Event, Failure, FailureKind, Flags, ItemError, LogEntry, LogLevel, Outcome, RunDiagnostics,
    Usage,
};
use ophost::{Host, Request, RunError, RunReport};
use ophost_document::text;
use ophost_schema::Violation;

/// How often a run is looked at that is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How many entries of the log and errors of items are shown with a result.
const MAX_SHOWN_VIOLATIONS: usize = 10;
/// How much is shown of an item that failed, in characters.
pub(super) const MAX_ITEM: usize = 60;

#[derive(Debug, Args)]
#[command(after_help = FORMS)]
pub(super) struct RunArgs {
    /// The operation's name.
    #[arg(add = ArgValueCandidates::new(completion::operations))]
    pub(super) name: String,
    /// The input, a field at a time: field=value, field:=json, field=@file.
    #[arg(value_name = "FIELD", add = ArgValueCompleter::new(completion::fields))]
    fields: Vec<String>,
    /// The whole input: JSON, @FILE, or - for stdin. Fields are set over it.
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    #[arg(add = ArgValueCompleter::new(completion::inputs))]
    input: Option<String>,
    /// Show what would happen and keep nothing of it.
    #[arg(long)]
    dry_run: bool,
    /// Tell the operation that this is a test.
    #[arg(long)]
    test_mode: bool,
    /// Show the operation's log while it runs.
    #[arg(short, long)]
    verbose: bool,
    /// The user on whose behalf this happens.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The channel that the request came through [default: cli].
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Keep a record, whatever the operation declares.
    #[arg(long)]
    record: bool,
    /// Keep no record, whatever the operation declares.
    #[arg(long, conflicts_with_all = ["record", "idempotency_key"])]
    no_record: bool,
    /// Run once under this key: the answer of an earlier run of the same input is the answer.
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
    /// With --idempotency-key: wait for a run under it that has not ended.
    #[arg(long, requires = "idempotency_key")]
    wait: bool,
    /// A word to find the run by; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    orchestration: OrchestrationArgs,
}

/// Reads a key: 1 to 255 characters.
fn idempotency_key(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=255 => Ok(text.to_owned()),
        0 => Err("a key has at least one character".to_owned()),
        count => Err(format!("a key has at most 255 characters, not {count}")),
    }
}

const FORMS: &str = "\
Fields:
  text=hello       a value, typed by the operation's schema
  count:=5         JSON as it stands
  text=@notes.txt  the content of a file (`@-` is stdin); data:=@data.json for JSON
  place.city=Rome  reaches into an object
  'a\\.b=1'         a backslash takes a dot in a name as it stands
  tag=a tag=b      adds to a list

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
    // Without a record the changes of documents could not be kept either.
    let changes = !known.operation.models_out.is_empty() && !args.dry_run;
    let needs_record = is_keyed || args.no_record || changes;
    let is_silent = !known.operation.is_recorded() && !args.no_record;
    let cancel = CancellationToken::new();
    interrupt::cancels(cancel.clone())?;
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
        // The error follows, and says more than one of stdout would.
        print(&unrecorded.report, verbose).ok();
    }
    let report = report.map_err(|error| match error {
        RunError::Store(error) if !needs_record => CliError::NotRecorded(error),
        error => error.into(),
    })?;
    if is_keyed && report.dry_run.is_some() {
        output::warn("the idempotency key was not used: a dry run takes none");
    }
    match report.run_id {
        None if is_silent => {
            note("not recorded: the operation declares no record; --record keeps one");
        }
        Some(id) if report.from_record => {
            note(&format!("not run again: this is what run {id} ended with, which has the key"));
        }
        _ => {}
    }
    print_report(&report, verbose, json)
}

/// Says something of a run, where somebody reads it.
pub(super) fn note(text: &str) {
    if io::stderr().is_terminal() {
        output::stderr(&format!("{DIM}{text}{DIM:#}\n"));
    }
}

/// Runs the request. With a token, waits for a run under the same key that has not ended,
/// until the token is cancelled.
async fn run_once(
    host: &Host,
    request: Request,
    wait: Option<&CancellationToken>,
) -> Result<RunReport, RunError> {
    // An input may be large: it is copied only if it may be needed again.
    let Some(cancel) = wait else { return host.run(request).await };
    loop {
        let answer = host.run(request.clone()).await;
        let Err(RunError::InProgress { .. }) = &answer else { return answer };
        if cancel.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_none() {
            return answer;
        }
    }
}

/// Prints how a run ended.
pub(super) fn print_report(
    report: &RunReport,
    verbose: bool,
    json: bool,
) -> Result<ExitCode, CliError> {
    let printed = if json { output::json(&envelope(report)) } else { print(report, verbose) };
    printed.map_err(|error| unprinted(report, error))?;
    Ok(exit_code(&report.outcome))
}

/// What is recorded can be looked at, also where nothing can be printed.
fn unprinted(report: &RunReport, error: CliError) -> CliError {
    match (error, report.run_id) {
        (CliError::Output(source), Some(run_id)) => {
            CliError::Unprinted { run_id, status: report.outcome.status(), source }
        }
        (error, _) => error,
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

fn exit_code(outcome: &Outcome) -> ExitCode {
    match outcome {
        Outcome::Success(_) => ExitCode::SUCCESS,
        Outcome::Failed(failure) if failure.kind == FailureKind::Denied => Exit::Denied.into(),
        Outcome::Failed(failure) if failure.kind == FailureKind::Host => Exit::Host.into(),
        Outcome::Failed(_) => Exit::Failed.into(),
        Outcome::Cancelled => Exit::Interrupted.into(),
    }
}

/// Returns how a run ended, as `--json` prints it.
pub(super) fn envelope(report: &RunReport) -> Envelope<'_> {
    let (mut output, mut error) = (None, None);
    match &report.outcome {
        Outcome::Success(value) => output = Some(value),
        Outcome::Failed(failure) => error = Some(json!(failure)),
        Outcome::Cancelled => error = Some(json!({"kind": "cancelled", "message": "cancelled"})),
    }
    Envelope {
        run_id: report.run_id,
        operation: &report.operation,
        status: report.outcome.status(),
        output,
        error,
        from_record: report.from_record.then_some(true),
        orchestration: Some(&report.context).filter(|context| !context.is_empty()),
        item_errors: &report.trail.item_errors,
        item_errors_dropped: report.trail.item_errors_dropped,
        log: &report.trail.log,
        log_dropped: report.trail.log_dropped,
        logs_ref: report.logs_ref.as_deref(),
        dry_run: report.dry_run.is_some().then_some(true),
        change_set: report.dry_run.as_ref().map(changes::as_json),
        changes: report.changes,
        usage: report.usage,
    }
}

/// How a run ended. It borrows the output, which may be large.
#[derive(Serialize)]
pub(super) struct Envelope<'a> {
    run_id: Option<RunId>,
    operation: &'a OperationName,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_record: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orchestration: Option<&'a OrchestrationContext>,
    item_errors: &'a [ItemError],
    item_errors_dropped: u64,
    log: &'a [LogEntry],
    log_dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_set: Option<Value>,
    changes: ChangeCount,
    usage: Usage,
}

fn print(report: &RunReport, verbose: bool) -> Result<(), CliError> {
    let mut text = String::new();
    match &report.outcome {
        Outcome::Success(output) => output::json(output)?,
        Outcome::Failed(failure) => {
            if !verbose {
                log_tail(&mut text, &report.trail, failure);
            }
            failed(&mut text, report, failure);
        }
        Outcome::Cancelled => {
            let _ =
                writeln!(text, "{WARNING}cancelled{WARNING:#}: operation `{}`", report.operation);
        }
    }
    item_errors(&mut text, &report.trail);
    if let Some(changes) = &report.dry_run {
        changes::dry_run(&mut text, changes);
    }
    output::stderr(&text);
    Ok(())
}

fn show_event(event: Event<'_>, verbose: bool, bar: Option<&Bar>) {
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

pub(super) fn log_line(text: &mut String, entry: &LogEntry) {
    let _ = write!(text, "{DIM}{:5}{DIM:#} {}", entry.level.as_str(), EscapedLine(&entry.message));
    if let Some(data) = &entry.data {
        let _ = write!(text, " {}", EscapedLine(&data.to_string()));
    }
    text.push('\n');
}

/// Adds the last warnings and errors of the log, but for what the failure itself says.
fn log_tail(text: &mut String, trail: &RunDiagnostics, failure: &Failure) {
    let is_loud =
        |entry: &&LogEntry| entry.level >= LogLevel::Warn && entry.message != failure.message;
    let loud: Vec<_> = trail.log.iter().filter(is_loud).collect();
    for entry in loud.iter().skip(loud.len().saturating_sub(MAX_SHOWN_VIOLATIONS)) {
        log_line(text, entry);
    }
}

fn failed(text: &mut String, report: &RunReport, failure: &Failure) {
    let _ = writeln!(
        text,
        "{ERROR}error{ERROR:#}: operation `{}` failed ({}): {}",
        report.operation,
        failure
            .code
            .as_deref()
            .map_or(failure.kind.to_string(), |code| EscapedLine(code).to_string()),
        EscapedLine(failure_message(failure))
    );
    details(text, failure);
    if let Some(traceback) = &failure.traceback {
        for line in traceback.lines() {
            let _ = writeln!(text, "  {DIM}{}{DIM:#}", EscapedLine(line));
        }
    }
    if let Some(hint) = hint(report, failure) {
        let _ = writeln!(text, "{HINT}hint{HINT:#}: {hint}");
    }
}

/// Returns what a failure says of itself.
pub(super) fn failure_message(failure: &Failure) -> &str {
    if failure.message.is_empty() { "it does not say why" } else { &failure.message }
}

fn details(text: &mut String, failure: &Failure) {
    if let Some(lines) = violations(failure) {
        return lines.iter().for_each(|line| detail(text, line));
    }
    let lines = match &failure.details {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    lines.iter().for_each(|line| detail(text, &line.to_string()));
}

/// Adds a line of what a failure says besides.
pub(super) fn detail(text: &mut String, line: &str) {
    let _ = writeln!(text, "  {}", EscapedLine(line));
}

/// Returns where an output breaks its schema, as that is said of an input; `None` of any other
/// failure.
pub(super) fn violations(failure: &Failure) -> Option<Vec<String>> {
    let details = failure.details.as_ref().filter(|_| failure.kind == FailureKind::InvalidOutput);
    let violations: Vec<Violation> = serde_json::from_value(details?.clone()).ok()?;
    Some(violations.iter().map(ToString::to_string).collect())
}

/// The hint where a call cannot ask for more than the run had.
pub(super) const MORE_IN_SETTINGS: Option<&str> = Some(
    "it had the most there is: `[limits.max]` of the settings, or the operation's own, allows more",
);

fn hint(report: &RunReport, failure: &Failure) -> Option<&'static str> {
    let is_import = report.operation == OperationName::import();
    let has_most = |limit| report.at_maximum.contains(&limit);
    match (failure.kind, failure.retryable) {
        (FailureKind::Timeout | FailureKind::Effects, _) if is_import => {
            Some("`[limits.max]` of the settings allows more")
        }
        (FailureKind::Timeout, _) if has_most(LimitName::Timeout) => MORE_IN_SETTINGS,
        (FailureKind::Memory, _) if has_most(LimitName::Memory) => MORE_IN_SETTINGS,
        (FailureKind::Output, _) if has_most(LimitName::Output) => MORE_IN_SETTINGS,
        (FailureKind::Effects, _) if has_most(LimitName::Effects) => MORE_IN_SETTINGS,
        (FailureKind::Timeout, _) => Some("`--timeout` gives it more time"),
        (FailureKind::Memory, _) => Some("`--memory` gives it more"),
        (FailureKind::Output, _) => Some("`--max-output` allows more"),
        (FailureKind::Effects, _) => Some("`--max-effects` allows more"),
        (FailureKind::Denied, _) => Some("its models say which collections it reaches"),
        (FailureKind::Conflict, _) => Some("trying again later may help"),
        (FailureKind::InvalidOutput, _) => Some("this is a fault of the plugin: tell its author"),
        (FailureKind::Error, Some(true)) => Some("trying again later may help"),
        (FailureKind::Error, Some(false) | None)
        | (FailureKind::Trap | FailureKind::Table | FailureKind::Stack, _)
        | (FailureKind::Host | FailureKind::Crashed | FailureKind::Unknown, _) => None,
    }
}

fn item_errors(text: &mut String, trail: &RunDiagnostics) {
    let count = trail.item_errors.len() as u64 + trail.item_errors_dropped;
    if count == 0 {
        return;
    }
    let items = if count == 1 { "item" } else { "items" };
    let _ = writeln!(text, "{WARNING}warning{WARNING:#}: {count} {items} failed");
    for ItemError { index, item, error, .. } in trail.item_errors.iter().take(MAX_SHOWN_VIOLATIONS)
    {
        let item = text::truncate_chars(&item.to_string(), MAX_ITEM);
        let _ = writeln!(
            text,
            "  {NAME}{index}{NAME:#} {}: {}",
            EscapedLine(&item),
            EscapedLine(error)
        );
    }
    if count > MAX_SHOWN_VIOLATIONS as u64 {
        let _ = writeln!(
            text,
            "  and {} more; `--json` prints what was kept",
            count - MAX_SHOWN_VIOLATIONS as u64
        );
    }
}
