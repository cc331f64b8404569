//! `ophost runs list` and `export`.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use chrono::Local;
use clap::Args;
use ophost::{RunCursor, RunFilter, RunSummary, Runs, StoreError};
use serde_json::json;

use super::filter::FilterArgs;
use super::time::format_duration;
use crate::error::{CliError, Exit};
use crate::output;
use crate::table::{Overflow, table};

/// Page size for commands that read all runs.
pub(super) const PAGE: usize = 100;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Maximum number of runs.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Cursor of the next page, from the output of the previous page.
    #[arg(long, value_name = "CURSOR")]
    after: Option<RunCursor>,
}

pub(super) async fn run(runs: &Runs<'_>, args: ListArgs, json: bool) -> Result<ExitCode, CliError> {
    let ListArgs { filter, limit, after } = args;
    let filter = filter.filter();
    let page = runs.list(&filter, after, usize::from(limit)).await?;
    if page.runs.iter().any(|run| !run.status.is_final())
        && let Some((error, crashed)) = runs.unrecorded_crashes().await
    {
        let runs = match crashed.len() {
            1 => "1 run shown as RUNNING has".to_owned(),
            count => format!("{count} runs shown as RUNNING have"),
        };
        output::warn(&format!("{runs} crashed, but this could not be recorded: {error}"));
    }
    if json {
        let next = page.next.map(|next| next.to_string());
        let corrupted: Vec<_> = page.corrupted.iter().map(ToString::to_string).collect();
        output::json(&json!({"runs": page.runs, "corrupted": corrupted, "next": next}))?;
        return Ok(exit_code(&page.corrupted));
    }
    warn_about_corrupted(&page.corrupted);
    output::stdout(&run_table(&page.runs, io::stdout().is_terminal()))?;
    if page.runs.is_empty() {
        print_no_runs(&filter);
    }
    if let Some(next) = page.next {
        output::stderr(&format!("More runs exist; use `--after {next}` for the next page.\n"));
    }
    Ok(exit_code(&page.corrupted))
}

/// Warns about skipped, corrupted runs.
pub(super) fn warn_about_corrupted(corrupted: &[StoreError]) {
    for error in corrupted {
        output::warn(&format!("skipping a corrupted run: {error}"));
    }
}

/// Returns the exit code of a command that skipped these corrupted runs.
pub(super) fn exit_code(corrupted: &[StoreError]) -> ExitCode {
    if corrupted.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() }
}

/// Returns a table of runs. The table has a header only on a terminal, so that each line of a pipe
/// is a run.
fn run_table(runs: &[RunSummary], is_terminal: bool) -> String {
    let header = ["id", "started", "operation", "status", "took", "error"].map(str::to_owned);
    let header = (is_terminal && !runs.is_empty()).then_some(header);
    let rows: Vec<_> = header.into_iter().chain(runs.iter().map(row)).collect();
    table(&rows, 0, Overflow::Truncate, output::width())
}

/// Prints that no run matches.
pub(super) fn print_no_runs(filter: &RunFilter) {
    output::stderr(if *filter == RunFilter::default() {
        "No runs. Runs of operations with `async_enabled` are recorded; `ophost run --record` records any run.\n"
    } else {
        "No run matches.\n"
    });
}

/// Returns the table row of a run.
pub(super) fn row(run: &RunSummary) -> [String; 6] {
    let time = run.started_at.unwrap_or(run.created_at).with_timezone(&Local);
    let mut status = match run.failure_kind {
        Some(kind) => format!("{} {kind}", run.status),
        None => run.status.to_string(),
    };
    if run.dry_run {
        status.push_str(" DRY RUN");
    }
    [
        run.id.to_string(),
        time.format("%Y-%m-%d %H:%M:%S").to_string(),
        run.operation_name.to_string(),
        status,
        run.duration.map(format_duration).unwrap_or_default(),
        run.error_message.clone().unwrap_or_default(),
    ]
}

/// Runs `ophost runs export`. Reads one page at a time, so that memory use is bounded.
pub(super) async fn export(runs: &Runs<'_>, filter: FilterArgs) -> Result<ExitCode, CliError> {
    let filter = filter.filter();
    let (mut after, mut is_complete) = (None, true);
    loop {
        let page = runs.list(&filter, after, PAGE).await?;
        is_complete &= page.corrupted.is_empty();
        warn_about_corrupted(&page.corrupted);
        for summary in &page.runs {
            match runs.get(summary.id).await {
                Ok(Some(run)) => output::json_line(&run)?,
                Ok(None) => {}
                Err(StoreError::Corrupted { key, what }) => {
                    output::warn(&format!(
                        "skipping corrupted run {}: `{key}`: {what}",
                        summary.id
                    ));
                    is_complete = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(if is_complete { ExitCode::SUCCESS } else { Exit::Failed.into() });
        }
    }
}
