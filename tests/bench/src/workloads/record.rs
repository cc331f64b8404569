//! The cost of run records: concurrent callers and processes, forced writes, bytes on the disk,
//! and the cancellation of a run of another process.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ophost::{Outcome, Request, RunFilter, Runs, Status};
use serde_json::json;

use super::Bench;
use crate::measure::{Contender, Measurements, Unit, interleave, median_and_p99};
use crate::peers::Commits;
use crate::peers::redb::RunStore;
use crate::peers::sqlite::RunTable;
use crate::process::{ChildProcess, child_command, receive_from_parent, send_to_parent};
use crate::project::{OpenHost, Project, SampleRecords};
use crate::report::{Goal, OPHOST, Report, Row};

/// Numbers of concurrent callers, each with the goal of its ratio to SQLite.
const CALLERS: [(usize, f64); 3] = [(1, 0.6), (8, 2.0), (64, 5.0)];
/// How long one sample of recorded runs takes. All rounds of a case together take at least 10 s
/// for each contender.
const SAMPLE: Duration = Duration::from_secs(2);
/// Processes that record together.
const PROCESSES: usize = 4;
/// Runs of the store whose bytes are counted.
const COUNTED_RUNS: usize = 100_000;
/// Concurrent callers that fill a store.
pub(crate) const FILLERS: usize = 256;
/// Cancelled runs of one sample.
const CANCELLED: usize = 20;

const CONNECTIONS_TWO: &str = "SQLite, 2 commits, connections";
const MUTEX_TWO: &str = "SQLite, 2 commits, mutex";
const CONNECTIONS_ONE: &str = "SQLite, 1 commit, connections";
const MUTEX_ONE: &str = "SQLite, 1 commit, mutex";
const REDB_TWO: &str = "redb, 2 commits";
const REDB_ONE: &str = "redb, 1 commit";

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let records = SampleRecords::make(bench.scratch)?;
    for (callers, goal) in CALLERS {
        concurrent_callers(bench, report, &records, (callers, goal))?;
    }
    processes(bench, report)?;
    forced_writes(bench, report)?;
    bytes(bench, report)?;
    cancelled(bench, report)
}

/// Compares callers of one process with SQLite and redb.
fn concurrent_callers(
    bench: &Bench<'_>,
    report: &mut Report,
    records: &SampleRecords,
    (callers, goal): (usize, f64),
) -> Result<()> {
    let project = Project::tiny(bench.scratch)?;
    let host = OpenHost::open(project.path())?;
    host.once()?;
    let file = |name: &str| project.path().join(name);
    let table = |name: &str| RunTable::open(&file(name), records);
    let two = (table("connections-2")?, table("mutex-2")?);
    let one = (table("connections-1")?, table("mutex-1")?);
    let redb = |name: &str| RunStore::create(&file(name), records);
    let (redb_two, redb_one) = (redb("redb-2")?, redb("redb-1")?);
    let (first, both) = (Commits::One, Commits::Two);
    let contenders = vec![
        Contender::new(OPHOST, || host.for_time(callers, SAMPLE)),
        Contender::new(CONNECTIONS_TWO, || two.0.with_connections(callers, SAMPLE, both)),
        Contender::new(MUTEX_TWO, || two.1.behind_a_mutex(callers, SAMPLE, both)),
        Contender::new(CONNECTIONS_ONE, || one.0.with_connections(callers, SAMPLE, first)),
        Contender::new(MUTEX_ONE, || one.1.behind_a_mutex(callers, SAMPLE, first)),
        Contender::new(REDB_TWO, || redb_two.for_time(callers, SAMPLE, both)),
        Contender::new(REDB_ONE, || redb_one.for_time(callers, SAMPLE, first)),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    add_rates(report, &measured, (callers, goal))
}

fn add_rates(
    report: &mut Report,
    measured: &Measurements,
    (callers, goal): (usize, f64),
) -> Result<()> {
    let title = match callers {
        1 => "1 caller".to_owned(),
        callers => format!("{callers} callers"),
    };
    let ours = measured.series(OPHOST, 0, Unit::PerSecond)?;
    let row = || Row::new(format!("recorded runs, {title}"), ours.clone());
    let sqlite_two = measured.fastest(&[CONNECTIONS_TWO, MUTEX_TWO])?;
    report.add(row().beside(sqlite_two).goal(Goal::RatioAtLeast(goal)));
    report.add(row().beside(measured.fastest(&[CONNECTIONS_ONE, MUTEX_ONE])?));
    for peer in [REDB_TWO, REDB_ONE] {
        report.add(row().beside(measured.series(peer, 0, Unit::PerSecond)?));
    }
    let time = measured.series(OPHOST, 1, Unit::Seconds)?;
    let fsync = time.fsync_as("F", |fsync| fsync);
    report.add(Row::new(format!("time of a run, {title}, median"), time).beside(fsync));
    let p99 = measured.series(OPHOST, 2, Unit::Seconds)?;
    let fsync = p99.fsync_as("F", |fsync| fsync);
    report.add(Row::new(format!("time of a run, {title}, p99"), p99).beside(fsync));
    Ok(())
}

/// Compares several processes that record in one store with one process.
fn processes(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let project = Project::tiny(bench.scratch)?;
    // Compiles the plugins before the children start.
    OpenHost::open(project.path())?.once()?;
    let contenders = vec![
        Contender::new("4 processes", || Ok(vec![record_in(PROCESSES, project.path())?])),
        Contender::new("1 process", || Ok(vec![record_in(1, project.path())?])),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let together = measured.series("4 processes", 0, Unit::PerSecond)?.named(OPHOST);
    let row = Row::new("recorded runs, 4 processes together, 1 caller each", together);
    let row = row.beside(measured.series("1 process", 0, Unit::PerSecond)?);
    report.add(row.goal(Goal::RatioAtLeast(0.9)));
    Ok(())
}

/// Records in several processes at the same time. Returns the runs per second of all of them.
fn record_in(processes: usize, project: &Path) -> Result<f64> {
    let start = || ChildProcess::start("record", project, &[]);
    let mut children = (0..processes).map(|_| start()).collect::<Result<Vec<_>>>()?;
    children.iter_mut().try_for_each(|child| child.expect("ready"))?;
    children.iter_mut().try_for_each(|child| child.send("go"))?;
    let rates = children.iter_mut().map(|child| Ok(child.receive()?.parse::<f64>()?));
    rates.sum()
}

/// Role of a child: records for a time when its parent says so, and writes the runs per second.
pub(crate) fn record_child(project: &Path) -> Result<()> {
    let host = OpenHost::open(project)?;
    host.once()?;
    send_to_parent("ready")?;
    receive_from_parent()?;
    send_to_parent(&host.for_time(1, SAMPLE)?[0].to_string())
}

/// Counts the system calls that force data to the disk.
fn forced_writes(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    const WHAT: &str = "forced writes per recorded run";
    if Command::new("strace").arg("--version").output().is_err() {
        report.missing(WHAT, "`strace` is not installed");
        return Ok(());
    }
    for (callers, runs, goal) in [(1, 500, 2.0), (64, 6_400, 0.2)] {
        let project = Project::tiny(bench.scratch)?;
        OpenHost::open(project.path())?.once()?;
        let count = || {
            // The difference contains neither the start nor the end of the process.
            let few = forced_by(project.path(), callers, runs)?;
            let many = forced_by(project.path(), callers, 2 * runs)?;
            Ok(vec![(many as f64 - few as f64) / runs as f64])
        };
        let contenders = vec![Contender::new(OPHOST, count)];
        let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
        let title = format!("{WHAT}, {callers} caller{}", if callers == 1 { "" } else { "s" });
        let row = Row::new(title, measured.series(OPHOST, 0, Unit::Number)?);
        report.add(row.goal(Goal::ValueAtMost(goal)));
    }
    Ok(())
}

/// Returns the forced writes of a child that makes `runs` runs.
fn forced_by(project: &Path, callers: usize, runs: usize) -> Result<u64> {
    let summary = project.join("strace");
    let child = child_command("count", project, &[callers.to_string(), runs.to_string()])?;
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-c", "-e", "trace=fdatasync,fsync,sync_file_range"]);
    strace.arg("-o").arg(&summary).arg(child.get_program()).args(child.get_args());
    ensure!(strace.status()?.success(), "`strace` failed");
    Ok(calls(&fs::read_to_string(summary)?))
}

/// Returns the sum of the column `calls` of a summary of strace.
fn calls(summary: &str) -> u64 {
    let names = ["fdatasync", "fsync", "sync_file_range"];
    let rows = summary.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|words| words.last().is_some_and(|name| names.contains(name)));
    rows.filter_map(|words| words.get(3)?.parse::<u64>().ok()).sum()
}

/// Role of a child: makes a number of runs by concurrent callers.
pub(crate) fn count_child(project: &Path, callers: &str, runs: &str) -> Result<()> {
    OpenHost::open(project)?.count(callers.parse()?, runs.parse()?).map(drop)
}

/// Counts the bytes of a store of small runs, and measures how fast it is filled.
fn bytes(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let project = Project::tiny(bench.scratch)?;
    let host = OpenHost::open(project.path())?;
    host.once()?;
    let fill = || {
        let started = Instant::now();
        let runs = host.count(FILLERS, COUNTED_RUNS)? as f64;
        let rate = runs / started.elapsed().as_secs_f64();
        Ok(vec![rate, used_bytes(&project.store())? / runs])
    };
    let measured = interleave(&bench.probe, 1, vec![Contender::new(OPHOST, fill)])?;
    let rate = measured.series(OPHOST, 0, Unit::PerSecond)?;
    report.add(Row::new(format!("recorded runs, {FILLERS} callers, 1 round"), rate));
    let bytes = measured.series(OPHOST, 1, Unit::Bytes)?;
    let row = Row::new("bytes on the disk per run at 100,000 small runs", bytes);
    report.add(row.goal(Goal::ValueAtMost(700.0)));
    Ok(())
}

/// Returns the bytes of a file on the disk. The file of a store is sparse: it grows ahead of its
/// content.
///
/// # Errors
///
/// Returns the error of the operating system.
pub(crate) fn used_bytes(file: &Path) -> Result<f64> {
    Ok(fs::metadata(file)?.blocks() as f64 * 512.0)
}

/// Measures how long it takes to cancel a run of another process.
fn cancelled(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let project = Project::empty(bench.scratch)?;
    project.add_guest(&bench.options.guests, "misbehave")?;
    let host = OpenHost::open(project.path())?;
    let mut child = ChildProcess::start("spin", project.path(), &[])?;
    child.expect("ready")?;
    let runs = host.runs()?;
    let sample = || {
        let times = (0..CANCELLED).map(|_| host.runtime.block_on(cancel(&runs)));
        Ok(median_and_p99(&times.collect::<Result<Vec<_>>>()?))
    };
    let contenders = vec![Contender::new(OPHOST, sample)];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    child.kill()?;
    let median = measured.series(OPHOST, 0, Unit::Seconds)?;
    report.add(Row::new("cancel a run of another process, median", median));
    let p99 = measured.series(OPHOST, 1, Unit::Seconds)?;
    let row = Row::new(format!("cancel a run of another process, slowest of {CANCELLED}"), p99);
    report.add(row.goal(Goal::ValueAtMost(0.1)));
    Ok(())
}

/// Waits for a run, cancels it, and returns the seconds of the cancellation.
async fn cancel(runs: &Runs<'_>) -> Result<f64> {
    let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    let id = loop {
        if let Some(run) = runs.list(&running, None, 1).await?.runs.first() {
            break run.id;
        }
    };
    let run = runs.get(id).await?.context("the run is missing")?;
    let started = Instant::now();
    let run = runs.cancel(run).await?;
    let took = started.elapsed().as_secs_f64();
    let status = run.state.status();
    ensure!(status == Status::Cancelled, "the run is {status}");
    Ok(took)
}

/// Role of a child: makes runs that are cancelled, one after the other.
pub(crate) fn spin_child(project: &Path) -> Result<()> {
    let host = OpenHost::open(project)?;
    send_to_parent("ready")?;
    loop {
        let request = Request::new("misbehave.spin", json!({}));
        let report = host.runtime.block_on(host.host.run(request))?;
        ensure!(report.outcome == Outcome::Cancelled, "a run ended with {:?}", report.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_strace_summary_are_summed() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.00    0.100000          50      2000           fdatasync
  1.00    0.001000          10         3         1 fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.101000          50      2003         1 total
";
        assert_eq!(calls(summary), 2_003);
    }
}
