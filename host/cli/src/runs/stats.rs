//! `ophost runs stats`: counts and times of each operation.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use ophost::{Bucket, OperationName, OperationStats, Percentiles, Runs, StatsReport, Status};
use serde_json::json;

use super::filter::FilterArgs;
use super::list::{exit_code, print_no_runs, warn_about_corrupted};
use super::time::format_duration;
use crate::error::CliError;
use crate::output;
use crate::table::{Overflow, table};

pub(super) async fn run(
    runs: &Runs<'_>,
    filter: FilterArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let filter = filter.filter();
    let StatsReport { operations: stats, corrupted } = runs.stats(&filter).await?;
    if json {
        let texts: Vec<_> = corrupted.iter().map(ToString::to_string).collect();
        output::json(&json!({"operations": stats, "corrupted": texts}))?;
        return Ok(exit_code(&corrupted));
    }
    warn_about_corrupted(&corrupted);
    if stats.is_empty() {
        print_no_runs(&filter);
        return Ok(exit_code(&corrupted));
    }
    let heading = ["operation", "runs", "failed", "errors", "p50", "p95", "p99", "times"];
    let heading = heading.map(str::to_owned);
    let rows = stats.iter().map(|(name, stats)| stats_row(name, stats));
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    output::stdout(&table(&rows, 0, Overflow::Truncate, output::width()))?;
    Ok(exit_code(&corrupted))
}

fn stats_row(name: &OperationName, stats: &OperationStats) -> [String; 8] {
    let count = |status| stats.count.get(&status).copied().unwrap_or_default();
    let (all, failed) = (stats.count.values().sum::<u64>(), count(Status::Failed));
    let ended = failed + count(Status::Success);
    let share = if ended == 0 { 0.0 } else { failed as f64 * 100.0 / ended as f64 };
    let time = |pick: fn(&Percentiles) -> f64| {
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

/// Returns the distribution of the durations: a bar for each bucket on a terminal, the count of
/// each bucket in a pipe.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_has_bars_on_a_terminal_and_counts_in_a_pipe() {
        let bucket = |below_ms, count| Bucket { below_ms, count };
        let buckets = [bucket(Some(10), 1), bucket(Some(30), 0), bucket(None, 8)];
        assert_eq!(histogram(&buckets, true), "<10ms ▁ █ more");
        assert_eq!(histogram(&buckets, false), "<10ms:1 more:8");
        assert_eq!(histogram(&[], true), "");
    }
}
