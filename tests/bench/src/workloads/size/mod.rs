//! A large store: its reads, its bytes, reopening after `kill -9`, and one recorded run.
//!
//! The store is filled by concurrent callers of the library, so it has the bytes of real runs.
//! SQLite gets as many rows of the same kinds, in large transactions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ophost::{Host, Outcome, Request};
use serde_json::json;
use tokio::task::JoinSet;

use super::Bench;
use super::record::{FILLERS, used_bytes};
use crate::format::count;
use crate::measure::{Contender, Series, Unit, interleave};
use crate::peers::sqlite::RunTable;
use crate::peers::{Commits, Kind};
use crate::process::{ChildProcess, ophost, sample, send_to_parent};
use crate::project::{FAILING, OpenHost, Project, RARE, SampleRecords, TINY};
use crate::report::{Goal, OPHOST, Report, Row};

mod reads;

/// How long one sample of recorded runs takes.
const SAMPLE: Duration = Duration::from_secs(2);
/// How long a child records before it is killed.
const BEFORE_THE_KILL: Duration = Duration::from_millis(300);

const SQLITE: &str = "SQLite";
const EMPTY: &str = "empty store";

/// A large store, and a table of the same size.
struct Large {
    runs: usize,
    project: Project,
    table: RunTable,
    database: PathBuf,
}

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let large = fill(bench, report)?;
    reopen(bench, report, &large)?;
    reads::run(bench, report, &large)?;
    recorded_run(bench, report, &large)?;
    cold_command(bench, report, &large)
}

impl Large {
    /// Returns the name of a case with the number of runs.
    fn case(&self, case: &str) -> String {
        format!("{case}, {} runs", count(self.runs))
    }
}

/// Fills a store and a table, and compares the rates and the bytes.
fn fill(bench: &Bench<'_>, report: &mut Report) -> Result<Large> {
    let (runs, records) = (bench.options.runs, SampleRecords::make(bench.scratch)?);
    records.write(bench.scratch)?;
    let (project, database) = (Project::tiny(bench.scratch)?, bench.scratch.join("runs.sqlite"));
    let table = RunTable::open(&database, &records)?;
    let host = OpenHost::open(project.path())?;
    let per_run = |file: &Path| Ok::<_, anyhow::Error>(used_bytes(file)? / runs as f64);
    let ours = || {
        let started = Instant::now();
        host.runtime.block_on(fill_store(&host.host, runs))?;
        let rate = runs as f64 / started.elapsed().as_secs_f64();
        Ok(vec![rate, per_run(&project.store())?])
    };
    let theirs = || {
        let started = Instant::now();
        table.fill(runs)?;
        let rate = runs as f64 / started.elapsed().as_secs_f64();
        Ok(vec![rate, per_run(&database)?])
    };
    let contenders = vec![Contender::new(OPHOST, ours), Contender::new(SQLITE, theirs)];
    let measured = interleave(&bench.probe, 1, contenders)?;
    drop(host);
    let large = Large { runs, project, table, database };
    let rate = measured.series(OPHOST, 0, Unit::PerSecond)?;
    report.add(Row::new(large.case(&format!("fill by {FILLERS} callers")), rate));
    let bytes = Row::new(large.case("bytes on the disk per run"), {
        measured.series(OPHOST, 1, Unit::Bytes)?
    });
    let bytes = bytes.beside(measured.series(SQLITE, 1, Unit::Bytes)?);
    report.add(bytes.goal(Goal::ValueAtMost(700.0)));
    let rate = measured.series(SQLITE, 0, Unit::PerSecond)?.samples[0];
    report.note(format!("SQLite was filled with {rate:.0} rows/s, 1,000 rows in each commit."));
    Ok(large)
}

/// Makes runs of all kinds by concurrent callers.
async fn fill_store(host: &Host, runs: usize) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..FILLERS {
        let (host, next) = (host.clone(), Arc::clone(&next));
        callers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= runs {
                    return anyhow::Ok(());
                }
                make_run(&host, Kind::of(number)).await?;
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}

async fn make_run(host: &Host, kind: Kind) -> Result<()> {
    let operation = match kind {
        Kind::Frequent => TINY,
        Kind::Rare => RARE,
        Kind::Failed => FAILING,
    };
    let report = host.run(Request::new(operation, json!({"text": "Hello, World!"}))).await?;
    let succeeded = matches!(report.outcome, Outcome::Success(_));
    ensure!(succeeded == (kind != Kind::Failed), "`{operation}` ended with {:?}", report.outcome);
    Ok(())
}

/// Measures the first run after a process that records has been killed.
fn reopen(bench: &Bench<'_>, report: &mut Report, large: &Large) -> Result<()> {
    let ours = || {
        kill_while_recording("record-endlessly", large.project.path(), &[])?;
        let host = OpenHost::open(large.project.path())?;
        // Loading the guest is not part of the measurement.
        host.load()?;
        Ok(vec![host.once()?])
    };
    let theirs = || {
        let database = large.database.display().to_string();
        kill_while_recording("insert-endlessly", bench.scratch, &[database])?;
        let started = Instant::now();
        large.table.record(&large.table.connect()?, Commits::Two)?;
        Ok(vec![started.elapsed().as_secs_f64()])
    };
    let contenders = vec![Contender::new(OPHOST, ours), Contender::new(SQLITE, theirs)];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let ours = measured.series(OPHOST, 0, Unit::Seconds)?;
    let row = Row::new(large.case("open and first run after kill -9"), ours);
    let row = row.beside(measured.series(SQLITE, 0, Unit::Seconds)?);
    report.add(row.goal(Goal::ValueAtMost(0.05)));
    Ok(())
}

fn kill_while_recording(role: &str, directory: &Path, arguments: &[String]) -> Result<()> {
    let mut child = ChildProcess::start(role, directory, arguments)?;
    child.expect("ready")?;
    thread::sleep(BEFORE_THE_KILL);
    child.kill()
}

/// Role of a child: records runs until it is killed.
pub(crate) fn record_endlessly(project: &Path) -> Result<()> {
    let host = OpenHost::open(project)?;
    host.once()?;
    send_to_parent("ready")?;
    loop {
        host.once()?;
    }
}

/// Role of a child: inserts rows into SQLite until it is killed.
pub(crate) fn insert_endlessly(scratch: &Path, database: &str) -> Result<()> {
    let table = RunTable::open(Path::new(database), &SampleRecords::read(scratch)?)?;
    let connection = table.connect()?;
    table.record(&connection, Commits::Two)?;
    send_to_parent("ready")?;
    loop {
        table.record(&connection, Commits::Two)?;
    }
}

/// Compares recorded runs of one caller with those in an empty store, and with SQLite.
fn recorded_run(bench: &Bench<'_>, report: &mut Report, large: &Large) -> Result<()> {
    let empty = Project::tiny(bench.scratch)?;
    let (ours, fresh) = (OpenHost::open(large.project.path())?, OpenHost::open(empty.path())?);
    ours.once()?;
    fresh.once()?;
    let contenders = vec![
        Contender::new(OPHOST, || ours.for_time(1, SAMPLE)),
        Contender::new(EMPTY, || fresh.for_time(1, SAMPLE)),
        Contender::new(SQLITE, || large.table.with_connections(1, SAMPLE, Commits::Two)),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let ours: Series = measured.series(OPHOST, 0, Unit::PerSecond)?;
    for peer in [SQLITE, EMPTY] {
        let peer = measured.series(peer, 0, Unit::PerSecond)?;
        report.add(Row::new(large.case("recorded runs, 1 caller"), ours.clone()).beside(peer));
    }
    Ok(())
}

/// Compares a cold recorded command in the large store with one in an empty store.
fn cold_command(bench: &Bench<'_>, report: &mut Report, large: &Large) -> Result<()> {
    let empty = Project::tiny(bench.scratch)?;
    // The commands use the library's index of plugins and its compiled code only if they settled.
    thread::sleep(super::command::SETTLE_TIME);
    let run = |project: &Project| {
        let project = project.path().to_owned();
        let program = &bench.options.ophost;
        move || sample(|| ophost(program, &project, &["run", TINY, "--record"]))
    };
    let contenders =
        vec![Contender::new(OPHOST, run(&large.project)), Contender::new(EMPTY, run(&empty))];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let ours = measured.series(OPHOST, 0, Unit::Seconds)?;
    let row = Row::new(large.case("cold command, recorded"), ours);
    let row = row.beside(measured.series(EMPTY, 0, Unit::Seconds)?);
    report.add(row.goal(Goal::RatioAtMost(1.1)));
    Ok(())
}
