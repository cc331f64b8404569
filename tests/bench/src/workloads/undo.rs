//! The undo of a run with many changes, beside the run itself.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ophost::{CallSettings, LimitRequest, Request, RunId};
use serde_json::json;

use super::Bench;
use crate::format::count;
use crate::measure::{Contender, Unit, interleave};
use crate::project::{OpenHost, succeeded};
use crate::report::{Goal, OPHOST, Report, Row};

/// Documents that a run changes.
const CHANGES: usize = 10_000;

/// Compares the undo of a run that inserts documents, and of one that deletes them, with the run.
pub(super) fn run(bench: &Bench<'_>, report: &mut Report, host: &OpenHost) -> Result<()> {
    let insert = json!({"name": "undone", "count": CHANGES, "padding": 100});
    let insert = || Request::new("ledger.bulk_insert", insert.clone());
    let delete = || Request::new("ledger.bulk_delete", json!({"filter": {"name": "undone"}}));
    let round = || {
        let (inserting, inserted) = time_of(host, insert())?;
        let undoing_insert = undo(host, inserted)?;
        time_of(host, insert())?;
        let (deleting, deleted) = time_of(host, delete())?;
        let undoing_delete = undo(host, deleted)?;
        time_of(host, delete())?;
        Ok(vec![inserting, undoing_insert, deleting, undoing_delete])
    };
    let contenders = vec![Contender::new(OPHOST, round)];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    for (metric, title) in [(0, "inserted"), (2, "deleted")] {
        let case = format!("undo of a run that {title} {} documents", count(CHANGES));
        let ours = measured.series(OPHOST, metric + 1, Unit::Seconds)?;
        let run = measured.series(OPHOST, metric, Unit::Seconds)?.named("the run");
        report.add(Row::new(case, ours).beside(run).goal(Goal::RatioAtMost(1.5)));
    }
    Ok(())
}

/// Returns the seconds of a recorded run, and its id.
fn time_of(host: &OpenHost, request: Request) -> Result<(f64, RunId)> {
    let limits = LimitRequest { timeout: Some(Duration::from_secs(300)), ..Default::default() };
    let started = Instant::now();
    let report = host.runtime.block_on(host.host.run(request.limits(limits).record(true)))?;
    let took = started.elapsed().as_secs_f64();
    let run = report.run_id.context("the run has no record")?;
    succeeded(report)?;
    Ok((took, run))
}

/// Returns the seconds of the undo of a run.
fn undo(host: &OpenHost, run: RunId) -> Result<f64> {
    let started = Instant::now();
    let undo = host.host.undo(run, false, CallSettings::default());
    succeeded(host.runtime.block_on(undo)?)?;
    Ok(started.elapsed().as_secs_f64())
}
