//! `ophost runs list`, `stats` and `export`.

use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Local, Utc};
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use super::super::complete;
use super::super::error::CliError;
use super::super::output::{self, Line};
use super::super::table::{Last, table};
use crate::operation::OperationName;
use crate::run::FailureKind;
use crate::runs::Runs;
use crate::store::{Cursor, OperationStats, RunFilter, StoreError};
use crate::task_run::{RunSummary, Status};

/// How many runs are read at once for an export.
const PAGE: usize = 100;

/// Which runs are meant: those of which everything is true.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Only runs of an operation.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| OperationName::new(text))]
    #[arg(add = ArgValueCandidates::new(complete::operations))]
    operation: Option<OperationName>,
    /// Only runs that are pending, running, success, failed or cancelled.
    #[arg(long, value_name = "STATUS")]
    status: Option<Status>,
    /// Only runs that failed so: error, trap, timeout, memory, crashed, ...
    #[arg(long, value_name = "KIND", value_parser = failure_kind)]
    failure_kind: Option<FailureKind>,
    /// Only runs on behalf of a user.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only runs with a tag.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only runs since a time, such as 2026-01-31T12:00:00Z, or 2h ago.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Only runs before a time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// Only failed runs whose error holds a text.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only runs that a workflow system started.
    #[arg(long)]
    orchestrated: bool,
    /// Only runs of a flow run of Prefect.
    #[arg(long, value_name = "ID")]
    flow_run: Option<String>,
}

impl FilterArgs {
    fn filter(self) -> RunFilter {
        RunFilter {
            operation: self.operation,
            status: self.status,
            failure_kind: self.failure_kind,
            user_id: self.user,
            tag: self.tag,
            since: self.since,
            until: self.until,
            error_contains: self.error,
            orchestrated: self.orchestrated.then_some(true),
            prefect_flow_run_id: self.flow_run,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// At most so many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on after a page: what that page named as `next`.
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
}

pub(super) async fn run(runs: &Runs<'_>, args: ListArgs, json: bool) -> Result<ExitCode, CliError> {
    let ListArgs { filter, limit, after } = args;
    let filter = filter.filter();
    let page = runs.list(&filter, after, usize::from(limit)).await?;
    if json {
        let next = page.next.map(|next| next.to_string());
        let damaged: Vec<_> = page.damaged.iter().map(ToString::to_string).collect();
        output::json(&json!({"runs": page.runs, "damaged": damaged, "next": next}))?;
        return Ok(ExitCode::SUCCESS);
    }
    for damaged in &page.damaged {
        output::warn(&format!("a run is left out: {damaged}"));
    }
    let rows: Vec<_> = page.runs.iter().map(row).collect();
    output::stdout(&table(&rows, 0, Last::Cut, output::width()))?;
    if rows.is_empty() && filter != RunFilter::default() {
        output::stderr("No run matches.\n");
    } else if rows.is_empty() {
        output::stderr(
            "No runs. Those of operations with `async_enabled` are recorded; `ophost run --record` records any.\n",
        );
    }
    if let Some(next) = page.next {
        output::stderr(&format!("There are more: `--after {next}`\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(run: &RunSummary) -> [String; 6] {
    let time = run.started_at.unwrap_or(run.created_at).with_timezone(&Local);
    let status = match run.failure_kind {
        Some(kind) => format!("{} {kind}", run.status),
        None => run.status.to_string(),
    };
    [
        run.id.to_string(),
        time.format("%Y-%m-%d %H:%M:%S").to_string(),
        run.operation_name.to_string(),
        status,
        run.duration_ms.map(took).unwrap_or_default(),
        run.error_message.clone().unwrap_or_default(),
    ]
}

pub(super) fn took(milliseconds: u64) -> String {
    humantime::format_duration(Duration::from_millis(milliseconds)).to_string()
}

pub(super) async fn stats(
    runs: &Runs<'_>,
    filter: FilterArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let stats = runs.stats(&filter.filter()).await?;
    if json {
        output::json(&json!({"operations": stats}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let heading = ["operation", "runs", "failed", "errors", "p50", "p95", "p99"].map(str::to_owned);
    let rows = stats.iter().map(|(name, stats)| stats_row(name, stats));
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    output::stdout(&table(&rows, 0, Last::Cut, output::width()))?;
    Ok(ExitCode::SUCCESS)
}

fn stats_row(name: &OperationName, stats: &OperationStats) -> [String; 7] {
    let count = |status| stats.count.get(&status).copied().unwrap_or_default();
    let (all, failed) = (stats.count.values().sum::<u64>(), count(Status::Failed));
    let ended = failed + count(Status::Success);
    let share = if ended == 0 { 0.0 } else { failed as f64 * 100.0 / ended as f64 };
    let time = |pick: fn(&crate::store::Percentiles) -> u64| {
        stats.durations.as_ref().map(|it| took(pick(it))).unwrap_or_default()
    };
    [
        name.to_string(),
        all.to_string(),
        failed.to_string(),
        format!("{share:.1} %"),
        time(|it| it.p50),
        time(|it| it.p95),
        time(|it| it.p99),
    ]
}

/// Prints every run, a page at a time: as many as there are, in little memory.
pub(super) async fn export(runs: &Runs<'_>, filter: FilterArgs) -> Result<ExitCode, CliError> {
    let filter = filter.filter();
    let mut after = None;
    loop {
        let page = runs.list(&filter, after, PAGE).await?;
        for damaged in &page.damaged {
            output::warn(&format!("a run is left out: {damaged}"));
        }
        for summary in &page.runs {
            match runs.get(summary.id).await {
                Ok(Some(run)) => {
                    let line = serde_json::to_string(&run).map_err(std::io::Error::from)?;
                    output::stdout(&format!("{line}\n"))?;
                }
                Ok(None) => {}
                Err(StoreError::Damaged { key, what }) => {
                    output::warn(&format!("run {} is left out: `{key}`: {what}", summary.id));
                }
                Err(error) => return Err(error.into()),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Reads a moment: a date with its time, or how long ago.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    if let Ok(span) = humantime::parse_duration(ago) {
        return chrono::Duration::from_std(span)
            .ok()
            .and_then(|span| Utc::now().checked_sub_signed(span))
            .ok_or_else(|| "so long ago that there was no calendar".to_owned());
    }
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    time.map_err(|_| format!("`{}` is no time: 2026-01-31T12:00:00Z, or 2h", Line(text)))
}

fn failure_kind(text: &str) -> Result<FailureKind, String> {
    let kind = serde_json::from_value(json!(text.to_ascii_lowercase()));
    match kind {
        Ok(FailureKind::Unknown) | Err(_) => Err("no such kind of failure".to_owned()),
        Ok(kind) => Ok(kind),
    }
}
