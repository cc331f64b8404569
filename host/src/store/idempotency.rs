//! The rules for the holder of an idempotency key.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::IdempotencyClaim;
use crate::model::run_record::{RunRecord, Status};

/// Time for which a successful run holds its idempotency key.
pub(crate) const IDEMPOTENCY_TTL: Duration = Duration::from_secs(24 * 3600);

/// Returns whether a run holds its key: it is running, or it succeeded within the window.
pub(super) fn holds(run: &RunRecord, claim: &IdempotencyClaim, now: DateTime<Utc>) -> bool {
    match run.state.status() {
        Status::Pending | Status::Running => true,
        Status::Success => is_fresh(run, claim, now),
        Status::Failed | Status::Cancelled => false,
    }
}

/// Returns whether a run is running or finished within the window.
pub(super) fn is_fresh(run: &RunRecord, claim: &IdempotencyClaim, now: DateTime<Utc>) -> bool {
    is_within(run, claim.window, now)
}

/// Returns whether the idempotency key of a run still determines the result of a request.
pub(super) fn is_live(run: &RunRecord, now: DateTime<Utc>) -> bool {
    is_within(run, IDEMPOTENCY_TTL, now)
}

fn is_within(run: &RunRecord, window: Duration, now: DateTime<Utc>) -> bool {
    let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
    run.state.finished_at().is_none_or(|finished| now.signed_duration_since(finished) < window)
}
