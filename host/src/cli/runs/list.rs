//! `ophost runs list`, `stats` and `export`.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, Utc};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use super::super::complete;
use super::super::error::{CliError, Exit};
use super::super::output::{self, Line};
use super::super::table::{Last, table};
use crate::operation::OperationName;
use crate::run::FailureKind;
use crate::runs::Runs;
use crate::store::{Bucket, Cursor, OperationStats, RunFilter, StoreError};
use crate::task_run::{RunId, RunSummary, Status};

/// How many runs are read at once where all are.
pub(super) const PAGE: usize = 100;

/// Which runs are meant: those of which everything is true.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Only runs of an operation.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| OperationName::any(text))]
    #[arg(add = ArgValueCandidates::new(complete::operations))]
    operation: Option<OperationName>,
    /// Only runs that are so far, or ended so.
    #[arg(long, value_name = "STATUS", value_parser = status(), ignore_case = true)]
    status: Option<Status>,
    /// Only runs that failed so.
    #[arg(long, value_name = "KIND", value_parser = failure_kind(), ignore_case = true)]
    failure_kind: Option<FailureKind>,
    /// Only runs on behalf of a user.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only runs with a tag.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only runs since a time: 2026-01-31, 2026-01-31T12:00 (both local), one with a zone such
    /// as 2026-01-31T12:00:00Z, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Only runs before a time, as --since takes it.
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
    /// Only runs that a run started, such as the batches of an import.
    #[arg(long, value_name = "ID", value_parser = |text: &str| text.parse::<RunId>())]
    #[arg(add = ArgValueCandidates::new(complete::runs))]
    parent: Option<RunId>,
}

impl FilterArgs {
    /// Returns what the flags say.
    pub(super) fn filter(self) -> RunFilter {
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
            parent_run_id: self.parent,
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
    if page.runs.iter().any(|run| !run.status.is_final())
        && let Some((error, lost)) = runs.unmarked().await
    {
        let count = lost.len();
        output::warn(&format!("of those that are RUNNING, {count} crashed, not recorded: {error}"));
    }
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
    if rows.is_empty() {
        nothing(&filter);
    }
    if let Some(next) = page.next {
        output::stderr(&format!("There are more: `--after {next}`\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says that there is no run that fits.
fn nothing(filter: &RunFilter) {
    output::stderr(if *filter == RunFilter::default() {
        "No runs. Those of operations with `async_enabled` are recorded; `ophost run --record` records any.\n"
    } else {
        "No run matches.\n"
    });
}

/// Returns a run as a row of a table.
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
    let filter = filter.filter();
    let stats = runs.stats(&filter).await?;
    if json {
        output::json(&json!({"operations": stats}))?;
        return Ok(ExitCode::SUCCESS);
    }
    if stats.is_empty() {
        nothing(&filter);
        return Ok(ExitCode::SUCCESS);
    }
    let heading = ["operation", "runs", "failed", "errors", "p50", "p95", "p99", "times"];
    let heading = heading.map(str::to_owned);
    let rows = stats.iter().map(|(name, stats)| stats_row(name, stats));
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    output::stdout(&table(&rows, 0, Last::Cut, output::width()))?;
    Ok(ExitCode::SUCCESS)
}

fn stats_row(name: &OperationName, stats: &OperationStats) -> [String; 8] {
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
        histogram(&stats.histogram, io::stdout().is_terminal()),
    ]
}

/// Returns how the times are distributed: a bar for each bucket on a terminal, its count in a
/// pipe.
fn histogram(buckets: &[Bucket], is_terminal: bool) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bound = |bucket: &Bucket| match bucket.below_ms {
        Some(bound) => format!("<{}", took(bound)),
        None => "more".to_owned(),
    };
    if !is_terminal {
        let shown = buckets.iter().filter(|bucket| bucket.count > 0);
        let shown = shown.map(|bucket| format!("{}:{}", bound(bucket), bucket.count));
        return shown.collect::<Vec<_>>().join(" ");
    }
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1).max(1);
    let bar = |bucket: &Bucket| match bucket.count {
        0 => ' ',
        count => BARS[usize::try_from((count * 8).div_ceil(most)).unwrap_or(8).min(8) - 1],
    };
    match (buckets.first(), buckets.last()) {
        (Some(first), Some(last)) => {
            let bars: String = buckets.iter().map(bar).collect();
            format!("{} {bars} {}", bound(first), bound(last))
        }
        _ => String::new(),
    }
}

/// Prints every run, a page at a time: as many as there are, in little memory.
pub(super) async fn export(runs: &Runs<'_>, filter: FilterArgs) -> Result<ExitCode, CliError> {
    let filter = filter.filter();
    let (mut after, mut is_whole) = (None, true);
    loop {
        let page = runs.list(&filter, after, PAGE).await?;
        is_whole &= page.damaged.is_empty();
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
                    is_whole = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(if is_whole { ExitCode::SUCCESS } else { Exit::Failed.into() });
        }
    }
}

/// What a moment looks like.
const MOMENTS: &str = "2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00Z, or 2h for so long ago";

/// Reads a moment: a date, with its time or without, or how long ago. Without a zone it is that
/// of this machine.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    if let Ok(span) = humantime::parse_duration(ago) {
        return chrono::Duration::from_std(span)
            .ok()
            .and_then(|span| Utc::now().checked_sub_signed(span))
            .ok_or_else(|| "so long ago that there was no calendar".to_owned());
    }
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc));
    zoned.or_else(|| local(text)).ok_or_else(|| format!("`{}` is none of {MOMENTS}", Line(text)))
}

/// Reads a date, with its time or without, of this machine's zone. Where clocks are turned there,
/// a time may be twice, or not at all: then it is the first one, or none.
fn local(text: &str) -> Option<DateTime<Utc>> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
    let time = date.and_then(|date| date.and_hms_opt(0, 0, 0)).or_else(|| {
        formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    })?;
    Some(time.and_local_timezone(Local).earliest()?.with_timezone(&Utc))
}

/// Reads a status; Prefactor says `complete` for `success`.
fn status() -> impl TypedValueParser<Value = Status> {
    let named = Status::ALL.map(|status| match status {
        Status::Pending => PossibleValue::new("pending"),
        Status::Running => PossibleValue::new("running"),
        Status::Success => PossibleValue::new("success").alias("complete"),
        Status::Failed => PossibleValue::new("failed"),
        Status::Cancelled => PossibleValue::new("cancelled"),
    });
    PossibleValuesParser::new(named).try_map(|word| word.parse::<Status>())
}

fn failure_kind() -> impl TypedValueParser<Value = FailureKind> {
    let named = FailureKind::ALL.map(FailureKind::as_str);
    PossibleValuesParser::new(named)
        .try_map(|word| serde_json::from_value(json!(word.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_time_or_how_long_ago() {
        let same = [
            ("2026-01-31", "2026-01-31T00:00:00"),
            ("2026-01-31T12:30", "2026-01-31 12:30:00"),
            ("2026-01-31T12:00:00Z", "2026-01-31T14:00:00+02:00"),
        ];
        for (one, other) in same {
            assert_eq!(moment(one), moment(other), "{one}");
            assert!(moment(one).is_ok(), "{one}");
        }
        let ago = Utc::now() - moment("2h ago").unwrap();
        assert!((7199..7260).contains(&ago.num_seconds()), "{ago}");
        let told = moment("yesterday").unwrap_err();
        assert_eq!(told, format!("`yesterday` is none of {MOMENTS}"));
        assert!(moment("2026-02-30").is_err());
    }

    #[test]
    fn l5_every_kind_of_failure_is_a_word_for_a_filter() {
        for (place, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            let read: FailureKind = serde_json::from_value(json!(kind.as_str())).unwrap();
            assert_eq!(read, kind);
        }
    }

    #[test]
    fn times_are_bars_on_a_terminal_and_counts_in_a_pipe() {
        let bucket = |below_ms, count| Bucket { below_ms, count };
        let buckets = [bucket(Some(10), 1), bucket(Some(30), 0), bucket(None, 8)];
        assert_eq!(histogram(&buckets, true), "<10ms ▁ █ more");
        assert_eq!(histogram(&buckets, false), "<10ms:1 more:8");
        assert_eq!(histogram(&[], true), "");
    }
}
