//! The cost of retention: calls beside a prune, and the size of the store.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ophost::{CancellationToken, PruneReport, RetentionPolicy, RunRetention};

use super::Bench;
use crate::format::count;
use crate::measure::{Contender, Unit, interleave};
use crate::project::{OpenHost, Project};
use crate::report::{Goal, OPHOST, Report, Row};

/// Runs that are pruned.
const RUNS: usize = 100_000;
/// Concurrent callers that make the runs.
const CALLERS: usize = 64;
/// Runs that remain.
const KEPT: u64 = 1_000;
/// Time of one sample.
const SAMPLE: Duration = Duration::from_secs(5);

const QUIET: &str = "without a prune";

/// Measures calls beside a prune, then prunes the rest and compacts the store.
pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let project = Project::tiny(bench.scratch)?;
    let host = OpenHost::open(project.path())?;
    host.load()?;
    host.count(CALLERS, RUNS)?;
    let full = size(&project)?;
    let mut removed = 0;
    let contenders = vec![
        Contender::new(OPHOST, || {
            let (times, pruned) = call_beside_prune(&project, &host)?;
            removed += pruned;
            Ok(times)
        }),
        Contender::new(QUIET, || host.for_time(1, SAMPLE)),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    for (metric, title) in [(1, "median"), (2, "p99")] {
        let ours = measured.series(OPHOST, metric, Unit::Seconds)?;
        let row = Row::new(format!("recorded run beside a prune, {title}"), ours);
        let row = row.beside(measured.series(QUIET, metric, Unit::Seconds)?);
        report.add(row.goal(Goal::RatioAtMost(2.0)));
    }
    ensure!(removed > 0, "the prune has removed nothing");
    let rest = host.runtime.block_on(prune(&host, &CancellationToken::new()))?;
    let (removed, pruned) = (removed + rest.runs(), size(&project)?);
    drop(host);
    let host = OpenHost::open(project.path())?;
    host.runtime.block_on(host.runs()?.compact())?;
    report.note(format!(
        "{} runs were pruned, with those of the calls. The store of {} runs had {} bytes, {} after \
         the prune and {} after the compaction.",
        count(usize::try_from(removed)?),
        count(RUNS),
        count(usize::try_from(full)?),
        count(usize::try_from(pruned)?),
        count(usize::try_from(size(&project)?)?),
    ));
    Ok(())
}

/// Calls while another host prunes. Returns the times of the calls and the number of removed runs.
fn call_beside_prune(project: &Project, host: &OpenHost) -> Result<(Vec<f64>, u64)> {
    let cancel = CancellationToken::new();
    thread::scope(|scope| {
        let pruning = scope.spawn(|| {
            let host = OpenHost::open(project.path())?;
            host.runtime.block_on(prune(&host, &cancel))
        });
        let times = host.for_time(1, SAMPLE);
        cancel.cancel();
        let report = pruning.join().ok().context("the prune has panicked")??;
        Ok((times?, report.runs()))
    })
}

async fn prune(host: &OpenHost, cancel: &CancellationToken) -> Result<PruneReport> {
    let runs = RunRetention { max_runs: Some(KEPT), max_age: None };
    let policy = RetentionPolicy { runs, ..RetentionPolicy::default() };
    Ok(host.runs()?.prune(&policy, cancel, |_| {}).await?)
}

fn size(project: &Project) -> Result<u64> {
    Ok(fs::metadata(project.store())?.len())
}
