//! Filters, pages and statistics of runs.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::StoreError;
use crate::model::operation::OperationName;
use crate::model::outcome::FailureKind;
use crate::model::run_record::{RunId, RunRecord, RunSummary, Status};

/// A filter of runs. A run matches if it satisfies every field that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// The operation.
    pub operation: Option<OperationName>,
    /// The status.
    pub status: Option<Status>,
    /// The kind of failure; matches failed runs only.
    pub failure_kind: Option<FailureKind>,
    /// The user on whose behalf the run was started.
    pub user_id: Option<String>,
    /// A tag of the run.
    pub tag: Option<String>,
    /// The earliest time ([`RunRecord::started_or_created_at`]), inclusive.
    pub since: Option<DateTime<Utc>>,
    /// The latest time, exclusive.
    pub until: Option<DateTime<Utc>>,
    /// A part of the failure message, compared case-insensitively.
    pub error_contains: Option<String>,
    /// Whether an orchestrator started the run.
    pub orchestrated: Option<bool>,
    /// The Prefect flow run that the run belongs to.
    pub prefect_flow_run_id: Option<String>,
    /// The run that started it.
    pub parent_run_id: Option<RunId>,
}

impl RunFilter {
    /// Returns whether a run satisfies the filter.
    pub fn matches(&self, run: &RunRecord) -> bool {
        let failure = run.state.failure();
        matches(self.operation.as_ref(), Some(&run.operation_name))
            && matches(self.status.as_ref(), Some(&run.state.status()))
            && matches(self.failure_kind.as_ref(), failure.map(|failure| &failure.kind))
            && matches(self.user_id.as_ref(), run.actor.user_id.as_ref())
            && self.tag.as_ref().is_none_or(|tag| run.tags.contains(tag))
            && self.since.is_none_or(|since| since <= run.started_or_created_at())
            && self.until.is_none_or(|until| run.started_or_created_at() < until)
            && self.error_contains.as_ref().is_none_or(|text| {
                failure.is_some_and(|failure| {
                    failure.message.to_lowercase().contains(&text.to_lowercase())
                })
            })
            && matches(self.orchestrated.as_ref(), Some(&run.orchestrated))
            && matches(self.prefect_flow_run_id.as_ref(), run.prefect_flow_run_id.as_ref())
            && matches(self.parent_run_id.as_ref(), run.parent_run_id.as_ref())
    }
}

fn matches<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
    wanted.is_none() || wanted == actual
}

/// A position in the list of runs, after the last run of a page.
///
/// A cursor stays valid while other runs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunCursor(pub u64);

impl fmt::Display for RunCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunCursor {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// One page of a list of runs.
#[derive(Clone, Debug)]
pub struct RunPage {
    /// The runs, newest first.
    pub runs: Vec<RunSummary>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<RunCursor>,
    /// The corrupted records that the scan skipped.
    pub corrupted: Vec<StoreError>,
}

/// Statistics of all readable runs that match a filter.
#[derive(Clone, Debug, Default)]
pub struct StatsReport {
    /// The statistics of each operation.
    pub operations: Stats,
    /// The corrupted records that were not counted.
    pub corrupted: Vec<StoreError>,
}

/// Statistics by operation.
pub type Stats = BTreeMap<OperationName, OperationStats>;

/// Statistics of the runs of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OperationStats {
    /// The number of runs by status.
    pub count: BTreeMap<Status, u64>,
    /// Percentiles of the durations of finished runs; `None` if no run has finished.
    pub durations: Option<Percentiles>,
    /// Histogram of the durations of finished runs, in ascending order. The first and the last
    /// bucket are not empty.
    pub histogram: Vec<Bucket>,
}

/// A histogram bucket. Its lower bound is the upper bound of the previous bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// The exclusive upper bound in milliseconds: 1, 3, 10, 30 and so on. `None` if unbounded.
    pub below_ms: Option<u64>,
    /// The number of runs.
    pub count: u64,
}

/// Percentiles of run durations, in milliseconds with a fractional part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
}
