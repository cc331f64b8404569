//! Reports of runs: text on a terminal and in a pipe, and the JSON of `--json`.

use std::fmt::Write as _;
use std::process::ExitCode;

use ophost::{
    Failure, FailureKind, ItemError, LimitName, LogEntry, LogLevel, LogSource, OperationName,
    OrchestrationContext, Outcome, RunDiagnostics, RunId, RunReport, Usage, document::ChangeCount,
};
use ophost_document::text;
use ophost_schema::Violation;
use serde::Serialize;
use serde_json::{Value, json};

use crate::changes;
use crate::error::{CliError, Exit};
use crate::output::{self, DIM, ERROR, EscapedLine, EscapedLogLine, HINT, NAME, WARNING};

/// Maximum number of log entries and item errors that are printed with a report.
const MAX_SHOWN_ENTRIES: usize = 10;
/// Maximum number of details that are printed of a failure.
const MAX_DETAILS: usize = 20;
/// Maximum number of characters that are printed of a failed item.
pub(crate) const MAX_ITEM: usize = 60;

/// Prints the report of a run and returns its exit code.
pub(crate) fn print_report(
    report: &RunReport,
    verbose: bool,
    json: bool,
) -> Result<ExitCode, CliError> {
    let printed = if json { output::json(&envelope(report)) } else { print(report, verbose) };
    printed.map_err(|error| unprinted(report, error))?;
    Ok(exit_code(report))
}

/// Adds the run id to an error of stdout, because the record has the output too.
fn unprinted(report: &RunReport, error: CliError) -> CliError {
    match (error, report.run_id) {
        (CliError::Output(source), Some(run_id)) => {
            CliError::Unprinted { run_id, status: report.outcome.status(), source }
        }
        (error, _) => error,
    }
}

fn exit_code(report: &RunReport) -> ExitCode {
    match &report.outcome {
        Outcome::Success(_) => ExitCode::SUCCESS,
        Outcome::Failed(failure) if failure.kind == FailureKind::Denied => Exit::Denied.into(),
        Outcome::Failed(failure) if failure.kind == FailureKind::Host => Exit::Host.into(),
        Outcome::Failed(failure) if report.operation.is_builtin() && is_not_found(failure) => {
            Exit::NotFound.into()
        }
        Outcome::Failed(_) => Exit::Failed.into(),
        Outcome::Cancelled => Exit::Interrupted.into(),
    }
}

/// Returns the JSON form of a report.
pub(crate) fn envelope(report: &RunReport) -> Envelope<'_> {
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

/// JSON form of a report. Borrows the output, which can be large.
#[derive(Serialize)]
pub(crate) struct Envelope<'a> {
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

pub(super) fn print(report: &RunReport, verbose: bool) -> Result<(), CliError> {
    if let Outcome::Success(output) = &report.outcome {
        output::json(output)?;
    }
    print_rest(report, verbose);
    Ok(())
}

/// Prints the report of a run whose end is not recorded to stderr. The output is no answer, because
/// the document changes of the run may be missing.
pub(super) fn print_unrecorded(report: &RunReport, verbose: bool) {
    if let Outcome::Success(output) = &report.outcome {
        output::stderr(&format!("output: {}\n", EscapedLine(&output.to_string())));
    }
    print_rest(report, verbose);
}

/// Prints everything but the output of a report to stderr.
fn print_rest(report: &RunReport, verbose: bool) {
    let mut text = String::new();
    match &report.outcome {
        Outcome::Success(_) => {}
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
    // A failed run commits nothing, with or without dry run.
    if let (Some(changes), Outcome::Success(_)) = (&report.dry_run, &report.outcome) {
        changes::dry_run(&mut text, changes);
    }
    output::stderr(&text);
}

pub(crate) fn log_line(text: &mut String, entry: &LogEntry) {
    let _ =
        write!(text, "{DIM}{:5}{DIM:#} {}", entry.level.as_str(), EscapedLogLine(&entry.message));
    if let Some(data) = &entry.data {
        let _ = write!(text, " {}", EscapedLine(&data.to_string()));
    }
    text.push('\n');
}

/// Adds the last warnings and errors of the log, without those that the failure contains.
fn log_tail(text: &mut String, diagnostics: &RunDiagnostics, failure: &Failure) {
    let traceback = failure.traceback.as_deref().unwrap_or_default();
    let is_in_traceback = |entry: &LogEntry| {
        let line = entry.message.trim_end();
        entry.source == LogSource::Stderr && traceback.lines().any(|other| other == line)
    };
    let is_shown = |entry: &&LogEntry| {
        entry.level >= LogLevel::Warn && entry.message != failure.message && !is_in_traceback(entry)
    };
    let shown: Vec<_> = diagnostics.log.iter().filter(is_shown).collect();
    for entry in shown.iter().skip(shown.len().saturating_sub(MAX_SHOWN_ENTRIES)) {
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
            let _ = writeln!(text, "  {DIM}{}{DIM:#}", EscapedLogLine(line));
        }
    }
    if let Some(hint) = hint(report, failure) {
        let _ = writeln!(text, "{HINT}hint{HINT:#}: {hint}");
    }
}

/// Returns the message of a failure.
pub(crate) fn failure_message(failure: &Failure) -> &str {
    if failure.message.is_empty() { "no message" } else { &failure.message }
}

/// Returns whether the failure is that a document does not exist.
fn is_not_found(failure: &Failure) -> bool {
    failure.code.as_deref() == Some("not-found")
}

/// Adds the details of a failure, one per line.
pub(crate) fn details(text: &mut String, failure: &Failure) {
    if let Some(lines) = violations(failure) {
        return lines.iter().for_each(|line| detail(text, line));
    }
    let items = match &failure.details {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let is_changed = failure.code.as_deref() == Some(CHANGED_SINCE);
    let line = |item: &Value| match is_changed {
        true => changed_document(item).unwrap_or_else(|| item.to_string()),
        false => item.to_string(),
    };
    items.iter().take(MAX_DETAILS).for_each(|item| detail(text, &line(item)));
    if let Some(more) = items.len().checked_sub(MAX_DETAILS).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more; use `--json` to print them");
    }
}

/// Code of the failure of an undo for documents that have changed since.
const CHANGED_SINCE: &str = "changed-since";

/// Error code of a run whose changes a unique index rejects.
const DUPLICATE: &str = "duplicate";

/// Returns the line for a document that has changed since a run: its newest change.
fn changed_document(item: &Value) -> Option<String> {
    let change = |change: &Value| {
        let (kind, operation) = (change["change"].as_str()?, change["operation"].as_str());
        let run = change["run_id"].as_str().map_or(String::new(), |run| format!(", run {run}"));
        Some(format!("{kind} by {}{run}", operation.unwrap_or("an unknown operation")))
    };
    let changes = item["changes"].as_array()?;
    let last = change(changes.first()?)?;
    let earlier = match changes.len() - 1 {
        0 => String::new(),
        1 => ", and 1 earlier change".to_owned(),
        count => format!(", and {count} earlier changes"),
    };
    let (collection, id) = (item["collection"].as_str()?, item["document_id"].as_str()?);
    Some(format!("{collection}/{id}: {last}{earlier}"))
}

/// Adds a line of details.
fn detail(text: &mut String, line: &str) {
    let _ = writeln!(text, "  {}", EscapedLine(line));
}

/// Returns the violations of the output schema, in the format of those of the input schema;
/// `None` for other failures.
fn violations(failure: &Failure) -> Option<Vec<String>> {
    let details = failure.details.as_ref().filter(|_| failure.kind == FailureKind::InvalidOutput);
    let violations: Vec<Violation> = serde_json::from_value(details?.clone()).ok()?;
    Some(violations.iter().map(ToString::to_string).collect())
}

/// Hint for a run that already had the maximum of a limit.
pub(crate) const MORE_IN_SETTINGS: Option<&str> =
    Some("the run already used the maximum; raise it in `[limits.max]` or `[operations.NAME]`");

fn hint(report: &RunReport, failure: &Failure) -> Option<&'static str> {
    let is_builtin = report.operation.is_builtin();
    let at_maximum = |limit| report.at_maximum.contains(&limit);
    match (failure.kind, failure.retryable) {
        (FailureKind::Timeout | FailureKind::Effects, _) if is_builtin => {
            Some("raise the maximum in `[limits.max]` of the settings")
        }
        (FailureKind::Timeout, _) if at_maximum(LimitName::Timeout) => MORE_IN_SETTINGS,
        (FailureKind::Memory, _) if at_maximum(LimitName::Memory) => MORE_IN_SETTINGS,
        (FailureKind::Output, _) if at_maximum(LimitName::Output) => MORE_IN_SETTINGS,
        (FailureKind::Effects, _) if at_maximum(LimitName::Effects) => MORE_IN_SETTINGS,
        (FailureKind::Timeout, _) => Some("use `--timeout` to allow more time"),
        (FailureKind::Memory, _) => Some("use `--memory` to allow more"),
        (FailureKind::Output, _) => Some("use `--max-output` to allow more"),
        (FailureKind::Effects, _) => Some("use `--max-effects` to allow more"),
        (FailureKind::Denied, _) => Some("the models of the operation must include the collection"),
        (FailureKind::Conflict, _) if failure.code.as_deref() == Some(CHANGED_SINCE) => {
            Some("undo the later runs first, or use `--force` to overwrite these documents")
        }
        (FailureKind::Conflict, _) if failure.code.as_deref() == Some(DUPLICATE) => {
            Some("change the value or the other document; `documents index list` shows the indexes")
        }
        (FailureKind::Conflict, _) => Some("retry later"),
        (FailureKind::InvalidOutput, _) => Some("report this fault of the plugin to its author"),
        (FailureKind::Error, _)
            if report.operation.as_str() == "ophost.set" && is_not_found(failure) =>
        {
            Some("use `--create` to create the document")
        }
        (FailureKind::Error, _)
            if report.operation.as_str() == "ophost.delete" && is_not_found(failure) =>
        {
            Some("no document was deleted; leave this id out")
        }
        (FailureKind::Error, Some(true)) => Some("retry later"),
        (FailureKind::Error, Some(false) | None)
        | (FailureKind::Trap | FailureKind::Table | FailureKind::Stack, _)
        | (FailureKind::Host | FailureKind::Crashed | FailureKind::Unknown, _) => None,
    }
}

fn item_errors(text: &mut String, diagnostics: &RunDiagnostics) {
    let count = diagnostics.item_errors.len() as u64 + diagnostics.item_errors_dropped;
    if count == 0 {
        return;
    }
    let items = if count == 1 { "item" } else { "items" };
    let _ = writeln!(text, "{WARNING}warning{WARNING:#}: {count} {items} failed");
    for ItemError { index, item, error, .. } in
        diagnostics.item_errors.iter().take(MAX_SHOWN_ENTRIES)
    {
        let item = text::truncate_chars(&item.to_string(), MAX_ITEM);
        let _ = writeln!(
            text,
            "  {NAME}{index}{NAME:#} {}: {}",
            EscapedLine(&item),
            EscapedLine(error)
        );
    }
    if count > MAX_SHOWN_ENTRIES as u64 {
        let _ = writeln!(
            text,
            "  and {} more; use `--json` to print them",
            count - MAX_SHOWN_ENTRIES as u64
        );
    }
}
