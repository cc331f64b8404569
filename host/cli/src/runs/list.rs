//! `ophost runs list`, `stats` and `export`.

use std::fmt::Display;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use super::super::completion;
use super::super::error::{CliError, Exit};
use super::super::output::{self, EscapedLine};
use super::super::table::{Overflow, table};
use ophost::FailureKind;
use ophost::OperationName;
use ophost::Runs;
use ophost::clock;
use ophost::{Bucket, OperationStats, RunCursor, RunFilter, StatsReport, StoreError};
use ophost::{RunId, RunSummary, Status};

/// How many runs are read at once where all are.
pub(super) const PAGE: usize = 100;

/// Which runs are meant: those of which everything is true.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Only runs of an operation.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| OperationName::any(text))]
    #[arg(add = ArgValueCandidates::new(completion::operations))]
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
    /// Only runs since a time: 2026-01-31, 2026-01-31T12:00 (both local; the first if clocks are
    /// set back and it occurs twice), one with a zone such as 2026-01-31T12:00Z, or how long ago,
    /// such as 2h.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    /// Only runs before a time, as --since takes it.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
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
    #[arg(add = ArgValueCandidates::new(completion::runs))]
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
    after: Option<RunCursor>,
}

pub(super) async fn run(runs: &Runs<'_>, args: ListArgs, json: bool) -> Result<ExitCode, CliError> {
    let ListArgs { filter, limit, after } = args;
    let filter = filter.filter();
    let page = runs.list(&filter, after, usize::from(limit)).await?;
    if page.runs.iter().any(|run| !run.status.is_final())
        && let Some((error, lost)) = runs.unrecorded_crashes().await
    {
        let count = lost.len();
        output::warn(&format!("of those that are RUNNING, {count} crashed, not recorded: {error}"));
    }
    if json {
        let next = page.next.map(|next| next.to_string());
        let damaged: Vec<_> = page.damaged.iter().map(ToString::to_string).collect();
        output::json(&json!({"runs": page.runs, "damaged": damaged, "next": next}))?;
        return Ok(left_out(&page.damaged));
    }
    warn_of(&page.damaged);
    output::stdout(&listed(&page.runs, io::stdout().is_terminal()))?;
    if page.runs.is_empty() {
        nothing(&filter);
    }
    if let Some(next) = page.next {
        output::stderr(&format!("There are more: `--after {next}`\n"));
    }
    Ok(left_out(&page.damaged))
}

/// Names the runs that are left out since they are damaged.
fn warn_of(damaged: &[StoreError]) {
    for damaged in damaged {
        output::warn(&format!("a run is left out: {damaged}"));
    }
}

/// Returns the exit code of what is printed without the damaged runs.
fn left_out(damaged: &[StoreError]) -> ExitCode {
    if damaged.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() }
}

/// Returns runs as a table. On a terminal it has a header; in a pipe each line is a run.
fn listed(runs: &[RunSummary], is_terminal: bool) -> String {
    let header = ["id", "started", "operation", "status", "took", "error"].map(str::to_owned);
    let header = (is_terminal && !runs.is_empty()).then_some(header);
    let rows: Vec<_> = header.into_iter().chain(runs.iter().map(row)).collect();
    table(&rows, 0, Overflow::Truncate, output::width())
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
        run.duration.map(format_duration).unwrap_or_default(),
        run.error_message.clone().unwrap_or_default(),
    ]
}

/// Returns a duration in whole milliseconds, and below one in microseconds.
pub(super) fn format_duration(duration: Duration) -> String {
    match u64::try_from(duration.as_millis()) {
        Ok(0) if !duration.is_zero() => format!("{} µs", duration.as_micros()),
        Ok(milliseconds) => {
            humantime::format_duration(Duration::from_millis(milliseconds)).to_string()
        }
        Err(_) => humantime::format_duration(duration).to_string(),
    }
}

pub(super) async fn stats(
    runs: &Runs<'_>,
    filter: FilterArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let filter = filter.filter();
    let StatsReport { operations: stats, damaged } = runs.stats(&filter).await?;
    if json {
        let texts: Vec<_> = damaged.iter().map(ToString::to_string).collect();
        output::json(&json!({"operations": stats, "damaged": texts}))?;
        return Ok(left_out(&damaged));
    }
    warn_of(&damaged);
    if stats.is_empty() {
        nothing(&filter);
        return Ok(left_out(&damaged));
    }
    let heading = ["operation", "runs", "failed", "errors", "p50", "p95", "p99", "times"];
    let heading = heading.map(str::to_owned);
    let rows = stats.iter().map(|(name, stats)| stats_row(name, stats));
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    output::stdout(&table(&rows, 0, Overflow::Truncate, output::width()))?;
    Ok(left_out(&damaged))
}

fn stats_row(name: &OperationName, stats: &OperationStats) -> [String; 8] {
    let count = |status| stats.count.get(&status).copied().unwrap_or_default();
    let (all, failed) = (stats.count.values().sum::<u64>(), count(Status::Failed));
    let ended = failed + count(Status::Success);
    let share = if ended == 0 { 0.0 } else { failed as f64 * 100.0 / ended as f64 };
    let time = |pick: fn(&ophost::Percentiles) -> f64| {
        let duration = |milliseconds| Duration::try_from_secs_f64(milliseconds / 1_000.0).ok();
        let picked = stats.durations.as_ref().and_then(|it| duration(pick(it)));
        picked.map(format_duration).unwrap_or_default()
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
        Some(bound) => format!("<{}", format_duration(Duration::from_millis(bound))),
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
        warn_of(&page.damaged);
        for summary in &page.runs {
            match runs.get(summary.id).await {
                Ok(Some(run)) => output::json_line(&run)?,
                Ok(None) => {}
                Err(StoreError::Corrupted { key, what }) => {
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
const MOMENTS: &str = "2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00Z, or 2h for so long ago";
/// A date with its time, as people and programs write it.
const TIMES: [&str; 4] =
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];

/// Reads a moment: a date, with its time or without, or how long ago. Without a zone it is that
/// of this machine.
fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    if let Ok(span) = humantime::parse_duration(ago) {
        return chrono::Duration::from_std(span)
            .ok()
            .and_then(|span| clock::now().checked_sub_signed(span))
            .ok_or_else(|| "so long ago that there was no calendar".to_owned());
    }
    if let Some(time) = zoned(text) {
        return Ok(time);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return start_of(date, &Local)
            .ok_or_else(|| format!("the day {date} does not exist in the local time zone"));
    }
    match TIMES.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()) {
        Some(time) => local(time, &Local),
        None => Err(format!("`{}` is none of {MOMENTS}", EscapedLine(text))),
    }
}

/// Reads a date with its time and zone; seconds may be missing.
fn zoned(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok().or_else(|| {
        let formats = ["%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z"];
        formats.iter().find_map(|format| DateTime::parse_from_str(text, format).ok())
    });
    time.map(|time| time.with_timezone(&Utc))
}

/// Returns the first moment of a day of a zone: if clocks are set forward at midnight, that is
/// later. Some zones have left out a whole day.
fn start_of(date: NaiveDate, zone: &impl TimeZone) -> Option<DateTime<Utc>> {
    let quarters = (0..24 * 4).map(|quarter| chrono::Duration::minutes(15 * quarter));
    let midnight = date.and_time(NaiveTime::MIN);
    let mut moments = quarters.filter_map(|late| {
        midnight.checked_add_signed(late)?.and_local_timezone(zone.clone()).earliest()
    });
    moments.next().map(|time| time.with_timezone(&Utc))
}

/// Returns a time of a zone: the first one if clocks are set back and it occurs twice.
fn local<Z: TimeZone<Offset: Display>>(
    time: NaiveDateTime,
    zone: &Z,
) -> Result<DateTime<Utc>, String> {
    let moment = |time: NaiveDateTime| time.and_local_timezone(zone.clone()).earliest();
    if let Some(moment) = moment(time) {
        return Ok(moment.with_timezone(&Utc));
    }
    let before = time.checked_sub_signed(chrono::Duration::days(1)).and_then(moment);
    let offset = before.map_or_else(|| "Z".to_owned(), |before| before.offset().to_string());
    let (shown, whole) = (time.format("%Y-%m-%dT%H:%M"), time.format("%Y-%m-%dT%H:%M:%S"));
    Err(format!(
        "the local time {shown} does not exist: clocks are set forward then; add an offset, such \
         as {whole}{offset}"
    ))
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
    use chrono::{FixedOffset, MappedLocalTime};

    use super::*;

    /// A zone whose clocks are set from one offset to another at a moment of UTC.
    #[derive(Clone, Debug)]
    struct Set {
        at: NaiveDateTime,
        /// Hours east of Greenwich.
        from: i32,
        to: i32,
    }

    impl Set {
        fn hours(hours: i32) -> FixedOffset {
            FixedOffset::east_opt(hours * 3600).unwrap()
        }
    }

    impl TimeZone for Set {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Self {
            unreachable!("a time is made in no other way than from the zone")
        }

        fn offset_from_local_date(&self, _: &NaiveDate) -> MappedLocalTime<FixedOffset> {
            unreachable!("dates have times")
        }

        fn offset_from_local_datetime(&self, time: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
            let (from, to) = (Self::hours(self.from), Self::hours(self.to));
            match (*time - from < self.at, *time - to >= self.at) {
                (true, true) => MappedLocalTime::Ambiguous(from, to),
                (true, false) => MappedLocalTime::Single(from),
                (false, true) => MappedLocalTime::Single(to),
                (false, false) => MappedLocalTime::None,
            }
        }

        fn offset_from_utc_date(&self, _: &NaiveDate) -> FixedOffset {
            unreachable!("dates have times")
        }

        fn offset_from_utc_datetime(&self, time: &NaiveDateTime) -> FixedOffset {
            Self::hours(if *time < self.at { self.from } else { self.to })
        }
    }

    fn time(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, TIMES[1]).unwrap()
    }

    #[test]
    fn a_time_that_occurs_twice_is_the_first_and_one_that_does_not_occur_is_told() {
        let autumn = Set { at: time("2026-10-25T01:00"), from: 2, to: 1 };
        let utc = |it: Result<DateTime<Utc>, String>| it.map(|it| it.naive_utc());
        assert_eq!(utc(local(time("2026-10-25T02:30"), &autumn)), Ok(time("2026-10-25T00:30")));
        assert_eq!(utc(local(time("2026-10-25T03:00"), &autumn)), Ok(time("2026-10-25T02:00")));
        let spring = Set { at: time("2026-03-29T01:00"), from: 1, to: 2 };
        assert_eq!(utc(local(time("2026-03-29T01:59"), &spring)), Ok(time("2026-03-29T00:59")));
        assert_eq!(utc(local(time("2026-03-29T03:00"), &spring)), Ok(time("2026-03-29T01:00")));
        let told = local(time("2026-03-29T02:30"), &spring).unwrap_err();
        assert!(told.ends_with("add an offset, such as 2026-03-29T02:30:00+01:00"), "{told}");
    }

    #[test]
    fn a_day_begins_with_its_first_moment() {
        let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
        let start = |date, zone: &Set| start_of(date, zone).map(|it| it.naive_utc());
        let at_midnight = Set { at: time("2026-03-28T22:00"), from: 2, to: 3 };
        assert_eq!(start(day("2026-03-29"), &at_midnight), Some(time("2026-03-28T22:00")));
        assert_eq!(start(day("2026-03-30"), &at_midnight), Some(time("2026-03-29T21:00")));
        // As Samoa went over the date line.
        let samoa = Set { at: time("2011-12-30T10:00"), from: -10, to: 14 };
        assert_eq!(start(day("2011-12-30"), &samoa), None);
        assert_eq!(start(day("2011-12-31"), &samoa), Some(time("2011-12-30T10:00")));
    }

    #[test]
    fn a_moment_is_a_date_a_time_or_how_long_ago() {
        let same = [
            ("2026-01-31", "2026-01-31T00:00:00"),
            ("2026-01-31T12:30", "2026-01-31 12:30:00"),
            ("2026-01-31T12:00:00Z", "2026-01-31T14:00:00+02:00"),
            ("2026-01-31T12:00Z", "2026-01-31 14:00+02:00"),
        ];
        for (one, other) in same {
            assert_eq!(parse_time(one), parse_time(other), "{one}");
            assert!(parse_time(one).is_ok(), "{one}");
        }
        let ago = Utc::now() - parse_time("2h ago").unwrap();
        assert!((7199..7260).contains(&ago.num_seconds()), "{ago}");
        let told = parse_time("yesterday").unwrap_err();
        assert_eq!(told, format!("`yesterday` is none of {MOMENTS}"));
        assert!(parse_time("2026-02-30").is_err());
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
    fn a_time_below_a_millisecond_is_shown_in_microseconds() {
        let shown = |micros| format_duration(Duration::from_micros(micros));
        assert_eq!([0, 412, 1_000, 1_999].map(shown), ["0s", "412 µs", "1ms", "1ms"]);
        assert_eq!(shown(61_005_000), "1m 1s 5ms");
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
