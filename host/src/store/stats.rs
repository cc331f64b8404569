//! Statistics of runs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bucket, Percentiles, Stats};
use crate::model::operation::OperationName;
use crate::model::outcome::FailureKind;
use crate::model::run_record::{RunRecord, Status};

/// Upper bounds of the histogram buckets, in milliseconds. The last one is about three hours.
const BUCKET_BOUNDS: [u64; 15] = [
    1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000,
    10_000_000,
];

/// Returns the histogram of sorted durations in microseconds, without empty buckets at the ends.
fn histogram(durations: &[u64]) -> Vec<Bucket> {
    let bounds = BUCKET_BOUNDS.iter().copied().map(Some).chain([None]);
    let mut from = 0;
    let mut buckets = Vec::new();
    for below_ms in bounds {
        let to = below_ms.map_or(durations.len(), |bound| {
            durations.partition_point(|duration| *duration < bound * 1_000)
        });
        buckets.push(Bucket { below_ms, count: (to - from) as u64 });
        from = to;
    }
    let is_used = |bucket: &Bucket| bucket.count > 0;
    let first = buckets.iter().position(is_used).unwrap_or(buckets.len());
    let last = buckets.iter().rposition(is_used).map_or(first, |last| last + 1);
    buckets[first..last].to_vec()
}

/// Returns the duration of a run in microseconds; `None` if the run has not finished, or crashed,
/// because the duration of a crashed run is unknown.
pub(super) fn counted_duration(run: &RunRecord) -> Option<u64> {
    let crashed = run.state.failure().is_some_and(|failure| failure.kind == FailureKind::Crashed);
    let took = run.duration().filter(|_| !crashed)?;
    Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}

/// Accumulator of run statistics. Holds 8 bytes for each finished run.
#[derive(Default)]
pub(super) struct StatsBuilder {
    stats: Stats,
    durations: BTreeMap<OperationName, Vec<u64>>,
}

impl StatsBuilder {
    /// Adds a run.
    pub(super) fn add(&mut self, run: &RunRecord) {
        let name = &run.operation_name;
        let count = &mut self.stats.entry(name.clone()).or_default().count;
        *count.entry(run.state.status()).or_default() += 1;
        self.durations.entry(name.clone()).or_default().extend(counted_duration(run));
    }

    /// Adds runs of an operation: their number by status, and the counted durations in microseconds.
    pub(super) fn add_all(
        &mut self,
        name: &OperationName,
        count: &BTreeMap<Status, u64>,
        durations: impl Iterator<Item = u64>,
    ) {
        let counted = &mut self.stats.entry(name.clone()).or_default().count;
        for (status, count) in count {
            *counted.entry(*status).or_default() += count;
        }
        self.durations.entry(name.clone()).or_default().extend(durations);
    }

    /// Returns the statistics.
    pub(super) fn build(mut self) -> Stats {
        let counted = self.durations.into_iter().filter(|(_, durations)| !durations.is_empty());
        for (name, mut durations) in counted {
            durations.sort_unstable();
            // Nearest-rank percentile.
            let at = |percent: usize| {
                let micros = durations[(durations.len() * percent).div_ceil(100) - 1];
                Duration::from_micros(micros).as_secs_f64() * 1_000.0
            };
            let percentiles = Percentiles { p50: at(50), p95: at(95), p99: at(99) };
            let stats = self.stats.entry(name).or_default();
            stats.durations = Some(percentiles);
            stats.histogram = histogram(&durations);
        }
        self.stats
    }
}
