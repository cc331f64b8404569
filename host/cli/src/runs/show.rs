//! `ophost runs show` and `logs`.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::process::ExitCode;

use bytesize::ByteSize;
use chrono::{DateTime, Local, Utc};
use clap::Args;
use ophost::{
    Digest, Flags, ItemError, Limits, LogEntry, Masked, RunRecord, RunState, Runs, Status,
    StoreError, document::ChangeCount,
};
use ophost_document::text;
use serde_json::json;

use super::time::format_duration;
use super::{POLL_INTERVAL, RunSelector};
use crate::changes;
use crate::error::{CliError, Exit};
use crate::output::{self, DIM, ERROR, EscapedLine, EscapedLogLine, HEADING, NAME};
use crate::run::{MAX_ITEM, details, failure_message, log_line};
use crate::table::{Overflow, table};

/// Maximum number of printed item errors.
const MAX_ITEM_ERRORS: usize = 20;
/// Maximum number of printed log entries.
const MAX_LOG_ENTRIES: usize = 50;

pub(super) fn print(run: &RunRecord, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(run);
    }
    let mut text = format!("{NAME}{}{NAME:#}  {}\n\n", run.operation_name, run.state.status());
    text.push_str(&table(&facts(run), 0, Overflow::Wrap, output::width()));
    failure(&mut text, run);
    if run.erased_at.is_none() {
        section(&mut text, "Input", &run.input_dump.to_string());
        if let RunState::Success { output, .. } = &run.state {
            section(&mut text, "Output", &output.to_string());
        }
    }
    item_errors(&mut text, &run.error_list);
    log(&mut text, run);
    output::stdout(&text)
}

fn facts(run: &RunRecord) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        rows.extend(value.filter(|value| !value.is_empty()).map(|value| [name.to_owned(), value]));
    };
    let time = |time: Option<DateTime<Utc>>| {
        time.map(|time| time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S%.3f").to_string())
    };
    add("id", Some(run.id.to_string()));
    add("started", time(run.state.started_at()));
    add("finished", time(run.state.finished_at()));
    add("took", run.duration().map(format_duration));
    add("user", run.actor.user_id.clone());
    add("channel", Some(run.actor.channel.clone()));
    let Flags { dry_run, test_mode, verbose } = run.flags();
    let named = [(dry_run, "DRY RUN"), (test_mode, "TEST MODE"), (verbose, "VERBOSE")];
    let flags = named.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name);
    add("flags", Some(flags.collect::<Vec<_>>().join(", ")));
    add("tags", Some(run.tags.join(", ")));
    let systems = run.orchestration.iter().map(|it| it.system.as_str());
    add("workflow", Some(systems.collect::<Vec<_>>().join(", ")));
    add("flow run", run.prefect_flow_run_id.clone());
    add("task run", run.prefect_task_run_id.clone());
    add("page", run.run_url.clone());
    add("key", run.idempotency_key.clone());
    add("rerun of", run.rerun_of.map(|id| id.to_string()));
    add("retry of", run.retry_of.map(|id| id.to_string()));
    add("undo of", run.undo_of.map(|id| id.to_string()));
    add("undone by", run.undone_by.map(|id| id.to_string()));
    add("parent", run.parent_run_id.map(|id| id.to_string()));
    let digest = run.component_digest.as_ref().map(Digest::short).unwrap_or_default();
    add("plugin", Some(format!("{} {digest}", run.plugin_version).trim_end().to_owned()));
    add("host", Some(run.host_version.clone()));
    add("limits", Some(limits(&run.limits)));
    add("granted", Some(run.capabilities.granted.join(", ")));
    add("denied", Some(run.capabilities.denied.join(", ")));
    let masked = run.masked.iter().map(|part| match part {
        Masked::Input => "secrets of the input",
        Masked::Output => "secrets of the output",
    });
    add("masked", Some(masked.collect::<Vec<_>>().join(", ")));
    add("memory", run.usage.map(|usage| ByteSize(usage.peak_memory).to_string()));
    let retries = run.usage.map(|usage| usage.conflict_retries).filter(|retries| *retries > 0);
    add("retries", retries.map(|retries| format!("{retries} (document conflicts)")));
    add("changes", run.changes.map(|count| change_summary(count, dry_run)));
    let refs = run.result_refs.iter().map(|it| match it.change {
        Some(change) => format!("{}/{} ({})", it.collection, it.document_id, change.as_str()),
        None => format!("{}/{}", it.collection, it.document_id),
    });
    add("results", Some(refs.collect::<Vec<_>>().join(", ")));
    add("cancel requested", time(run.cancel_requested_at));
    add("erased", time(run.erased_at));
    rows
}

fn change_summary(count: ChangeCount, is_dry_run: bool) -> String {
    let counted = changes::counted(count);
    if is_dry_run { format!("none; without --dry-run: {counted}") } else { counted }
}

fn limits(limits: &Limits) -> String {
    let Limits { timeout, memory, output, effects, log } = limits;
    let timeout = humantime::format_duration(*timeout);
    let sizes = [("memory", memory), ("output", output), ("effects", effects), ("log", log)];
    let sizes = sizes.map(|(name, size)| format!("{name} {}", ByteSize(*size)));
    format!("{timeout}, {}", sizes.join(", "))
}

fn failure(text: &mut String, run: &RunRecord) {
    let Some(failure) = run.state.failure() else { return };
    let message = EscapedLine(failure_message(failure));
    let _ = writeln!(text, "\n{ERROR}{}{ERROR:#}: {message}", failure.kind);
    details(text, failure);
    for line in failure.traceback.iter().flat_map(|traceback| traceback.lines()) {
        let _ = writeln!(text, "  {DIM}{}{DIM:#}", EscapedLogLine(line));
    }
}

fn section(text: &mut String, title: &str, content: &str) {
    let _ = writeln!(text, "\n{HEADING}{title}{HEADING:#}\n{}", EscapedLine(content));
}

fn item_errors(text: &mut String, errors: &[ItemError]) {
    if errors.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{HEADING}Item errors{HEADING:#}");
    for ItemError { index, item, error, .. } in errors.iter().take(MAX_ITEM_ERRORS) {
        let item = text::truncate_chars(&item.to_string(), MAX_ITEM);
        let _ = writeln!(text, "{index}  {}: {}", EscapedLine(&item), EscapedLine(error));
    }
    if errors.len() > MAX_ITEM_ERRORS {
        let _ = writeln!(
            text,
            "and {} more; use `--json` to print them",
            errors.len() - MAX_ITEM_ERRORS
        );
    }
}

/// Adds the last entries of the log in the record.
fn log(text: &mut String, run: &RunRecord) {
    if run.log_entries.is_empty() && run.logs_ref.is_none() {
        return;
    }
    let id = run.id;
    let _ = writeln!(text, "\n{HEADING}Log{HEADING:#}");
    let before = run.log_entries.len().saturating_sub(MAX_LOG_ENTRIES);
    if before > 0 {
        let _ = writeln!(
            text,
            "{before} earlier entries; `ophost runs logs {id}` prints the whole log"
        );
    }
    run.log_entries.iter().skip(before).for_each(|entry| log_line(text, entry));
    if let Some(file) = &run.logs_ref {
        let _ = writeln!(
            text,
            "more entries are in {}; `ophost runs logs {id}` prints the whole log",
            EscapedLine(file)
        );
    }
    if run.log_dropped > 0 {
        let _ = writeln!(text, "log entries dropped by the log limit: {}", run.log_dropped);
    }
}

/// Returns the exit code of a command that executed the run or waited for it.
pub(super) fn exit_code(run: &RunRecord) -> ExitCode {
    match run.state.status() {
        Status::Success => ExitCode::SUCCESS,
        Status::Cancelled => Exit::Interrupted.into(),
        Status::Pending | Status::Running | Status::Failed => Exit::Failed.into(),
    }
}

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    #[command(flatten)]
    run: RunSelector,
    /// Print new entries until the run has ended.
    #[arg(short, long)]
    follow: bool,
}

pub(super) async fn logs(
    runs: &Runs<'_>,
    args: LogsArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let mut run = runs.find(&args.run.id).await?;
    let id = run.id;
    let (mut shown, mut file) = (0, None);
    loop {
        if file.is_none() {
            file = runs.log_file(id)?;
        }
        // The file contains entries that are older than the last entries of the record.
        let in_record = run.log_entries.iter().skip(shown).cloned().map(Ok).peekable();
        for entry in merge_by_time(in_record, file.iter_mut().flatten().peekable()) {
            print_entry(entry, json)?;
        }
        shown = run.log_entries.len();
        if !args.follow || run.state.status().is_final() {
            return Ok(end_of_log(&run, file.is_some()));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        run = runs.follow(id).await?;
    }
}

/// Reports dropped entries and a missing log file.
fn end_of_log(run: &RunRecord, has_file: bool) -> ExitCode {
    if run.log_dropped > 0 {
        output::stderr(&format!("log entries dropped by the log limit: {}\n", run.log_dropped));
    }
    match &run.logs_ref {
        Some(file) if !has_file => {
            output::warn(&format!("the rest of the log is missing: {file}"));
            Exit::Failed.into()
        }
        Some(_) | None => ExitCode::SUCCESS,
    }
}

type Entry = Result<LogEntry, StoreError>;

/// Merges two ordered sequences of entries by time.
fn merge_by_time(
    mut one: Peekable<impl Iterator<Item = Entry>>,
    mut other: Peekable<impl Iterator<Item = Entry>>,
) -> impl Iterator<Item = Entry> {
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(Ok(first)), Some(Ok(second))) if first.timestamp > second.timestamp => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

fn print_entry(entry: Entry, json: bool) -> Result<(), CliError> {
    match entry {
        Ok(entry) if json => output::json(&json!(entry)),
        Ok(entry) => {
            let mut text = String::new();
            log_line(&mut text, &entry);
            output::stdout(&text)
        }
        Err(StoreError::Corrupted { key, what }) => {
            output::warn(&format!("skipping a corrupted log entry: `{key}`: {what}"));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
