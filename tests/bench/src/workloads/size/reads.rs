//! Reads of a large store at random positions.

use std::time::Instant;

use anyhow::{Context as _, Result};
use ophost::{OperationName, RunCursor, RunFilter, RunId, Runs, Status};
use rusqlite::{Connection, Params, params};
use serde_json::Value;

use super::{Large, SQLITE};
use crate::measure::{Contender, Unit, interleave, median_and_p99};
use crate::project::{OpenHost, RARE};
use crate::report::{Goal, OPHOST, Report, Row};
use crate::workloads::Bench;

/// Reads of one sample.
const READS: usize = 200;
/// Runs of a page.
const PAGE: usize = 50;

/// The reads, each with two metrics: the median and the 99th percentile.
const TITLES: [&str; 4] =
    ["page of 50", "get by id", "page of 50 by operation", "page of 50 by status"];
/// Goal for the 99th percentile of a page, in seconds.
const PAGE_GOAL: f64 = 0.001;
/// Goal for the statistics, in seconds.
const STATISTICS_GOAL: f64 = 1.0;

const SELECT: &str = "select sequence, id, operation, status, started_at, finished_at, duration_ms, user_id from runs";

pub(super) fn run(bench: &Bench<'_>, report: &mut Report, large: &Large) -> Result<()> {
    let host = OpenHost::open(large.project.path())?;
    let connection = large.table.connect()?;
    let positions = positions(large.runs);
    let (ours, theirs) = (Ours::new(&host, &positions)?, Theirs::new(&connection, &positions)?);
    let contenders =
        vec![Contender::new(OPHOST, || ours.sample()), Contender::new(SQLITE, || theirs.sample())];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    for (read, title) in TITLES.into_iter().enumerate() {
        for (metric, name) in [(2 * read, "median"), (2 * read + 1, "p99")] {
            let ours = measured.series(OPHOST, metric, Unit::Seconds)?;
            let row = Row::new(large.case(&format!("{title}, {name}")), ours);
            let row = row.beside(measured.series(SQLITE, metric, Unit::Seconds)?);
            let is_page = read == 0 && name == "p99";
            report.add(if is_page { row.goal(Goal::ValueAtMost(PAGE_GOAL)) } else { row });
        }
    }
    let contenders = vec![
        Contender::new(OPHOST, || timed(|| ours.statistics()).map(|time| vec![time])),
        Contender::new(SQLITE, || timed(|| theirs.statistics()).map(|time| vec![time])),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let ours = measured.series(OPHOST, 0, Unit::Seconds)?;
    let row = Row::new(large.case("runs stats"), ours);
    let row = row.beside(measured.series(SQLITE, 0, Unit::Seconds)?);
    report.add(row.goal(Goal::ValueAtMost(STATISTICS_GOAL)));
    Ok(())
}

/// Returns pseudo-random positions in the list of runs, the same in each execution.
fn positions(runs: usize) -> Vec<u64> {
    let mut state = 1_u64;
    let mut next = || {
        // The constants of a 64-bit linear congruential generator by Knuth.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % runs as u64 + 1
    };
    (0..READS).map(|_| next()).collect()
}

/// Returns the seconds that `work` takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

/// Returns the median and the 99th percentile of the seconds of a read.
fn times<P: Copy>(positions: &[P], read: impl Fn(P) -> Result<()>) -> Result<Vec<f64>> {
    let times = positions.iter().map(|position| timed(|| read(*position)));
    Ok(median_and_p99(&times.collect::<Result<Vec<_>>>()?))
}

/// Reads of the store.
struct Ours<'a> {
    host: &'a OpenHost,
    runs: Runs<'a>,
    positions: &'a [u64],
    ids: Vec<RunId>,
}

impl<'a> Ours<'a> {
    fn new(host: &'a OpenHost, positions: &'a [u64]) -> Result<Self> {
        let runs = host.runs()?;
        let id = |position: &u64| {
            let cursor = Some(RunCursor(position + 1));
            let page = host.runtime.block_on(runs.list(&RunFilter::default(), cursor, 1))?;
            Ok(page.runs.first().context("no run at a position")?.id)
        };
        let ids = positions.iter().map(id).collect::<Result<_>>()?;
        Ok(Self { host, runs, positions, ids })
    }

    fn sample(&self) -> Result<Vec<f64>> {
        let rare = RunFilter { operation: Some(OperationName::new(RARE)?), ..RunFilter::default() };
        let failed = RunFilter { status: Some(Status::Failed), ..RunFilter::default() };
        let page =
            |filter: &RunFilter| times(self.positions, |position| self.page(filter, position));
        let gets = times(&self.ids, |id| self.get(id))?;
        Ok([page(&RunFilter::default())?, gets, page(&rare)?, page(&failed)?].concat())
    }

    fn page(&self, filter: &RunFilter, position: u64) -> Result<()> {
        let list = self.runs.list(filter, Some(RunCursor(position)), PAGE);
        self.host.runtime.block_on(list)?;
        Ok(())
    }

    fn get(&self, id: RunId) -> Result<()> {
        self.host.runtime.block_on(self.runs.get(id))?.context("a run is missing")?;
        Ok(())
    }

    fn statistics(&self) -> Result<()> {
        self.host.runtime.block_on(self.runs.stats(&RunFilter::default()))?;
        Ok(())
    }
}

/// Reads of SQLite.
struct Theirs<'a> {
    connection: &'a Connection,
    positions: Vec<i64>,
    /// The starts of the runs at the positions.
    starts: Vec<i64>,
    ids: Vec<[u8; 16]>,
}

impl<'a> Theirs<'a> {
    fn new(connection: &'a Connection, positions: &[u64]) -> Result<Self> {
        let mut select =
            connection.prepare("select started_at, id from runs where sequence = ?1")?;
        let positions = positions.iter().map(|position| Ok(i64::try_from(*position)?));
        let positions = positions.collect::<Result<Vec<_>>>()?;
        let (mut starts, mut ids) = (Vec::new(), Vec::new());
        for position in &positions {
            let row = select.query_row([*position], |row| Ok((row.get(0)?, row.get(1)?)));
            let (start, id) = row?;
            starts.push(start);
            ids.push(id);
        }
        Ok(Self { connection, positions, starts, ids })
    }

    fn sample(&self) -> Result<Vec<f64>> {
        let after = "sequence < ?1 order by sequence desc limit 50";
        let all = format!("{SELECT} where {after}");
        let failed = format!("{SELECT} where status = 'FAILED' and {after}");
        let rare = format!(
            "{SELECT} where operation = ?1 and started_at < ?2 order by started_at desc limit 50"
        );
        Ok([
            times(&self.positions, |position| self.page(&all, [position]))?,
            times(&self.ids, |id| self.get(id))?,
            times(&self.starts, |start| self.page(&rare, params![RARE, start]))?,
            times(&self.positions, |position| self.page(&failed, [position]))?,
        ]
        .concat())
    }

    /// Reads all columns of a page.
    fn page(&self, query: &str, parameters: impl Params) -> Result<()> {
        let mut statement = self.connection.prepare_cached(query)?;
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            let _run: (i64, [u8; 16], String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let _times: (i64, Option<i64>, Option<i64>, Option<String>) =
                (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
        }
        Ok(())
    }

    fn get(&self, id: [u8; 16]) -> Result<()> {
        let mut select = self.connection.prepare_cached("select record from runs where id = ?1")?;
        let record: String = select.query_row([id], |row| row.get(0))?;
        serde_json::from_str::<Value>(&record)?;
        Ok(())
    }

    /// Counts the runs of each operation and status, and sorts their durations, as percentiles
    /// need it.
    fn statistics(&self) -> Result<()> {
        let count = "select operation, status, count(*) from runs group by operation, status";
        let mut count = self.connection.prepare_cached(count)?;
        let mut rows = count.query([])?;
        while let Some(row) = rows.next()? {
            let _count: (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        }
        let durations = "select operation, duration_ms from runs where finished_at is not null";
        let mut durations = self.connection.prepare_cached(durations)?;
        let rows = durations.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut rows: Vec<(String, i64)> = rows.collect::<Result<_, _>>()?;
        rows.sort_unstable();
        Ok(())
    }
}
