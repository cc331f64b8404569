//! The cost of documents: a run that writes one, a large commit, concurrent changes of one
//! document, a filter over many documents, and indexes.

mod indexes;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ophost::document::{Body, CollectionName, DocumentId, Filter, Query, Sort, SortBy};
use ophost::{CallSettings, Caller, Flags, Host, Import, LimitRequest, Outcome, Request};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Bench, undo};
use crate::format::count;
use crate::measure::{Contender, Unit, interleave, median};
use crate::project::{OpenHost, Project, succeeded};
use crate::report::{Goal, OPHOST, Report, Row};

/// Runs of one sample.
const RUNS: usize = 101;
/// Documents of a scan.
const DOCUMENTS: usize = 100_000;
/// Documents of one commit.
const BULK: usize = 10_000;
/// Concurrent callers of one document.
const CALLERS: usize = 8;
/// Changes that each caller makes.
const CHANGES: usize = 25;
/// Documents of one page.
const PAGE: u32 = 100;

const DRY_RUN: &str = "dry run";
const SQLITE: &str = "SQLite, json_extract";

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let project = Project::empty(bench.scratch)?;
    for guest in ["jobs", "ledger"] {
        project.add_guest(&bench.options.guests, guest)?;
    }
    let host = OpenHost::open(project.path())?;
    one_document(bench, report, &host)?;
    // Before the scans, because the operating system reports only the peak of the memory so far.
    one_commit(bench, report, &host)?;
    undo::run(bench, report, &host)?;
    one_for_many(bench, report, &host)?;
    let (documents, table) = (Documents::import(report, &host)?, Table::fill(report, bench)?);
    scans(bench, report, &documents, &table)?;
    indexes::run(bench, report)?;
    super::retention::run(bench, report)
}

/// Compares a recorded run that writes one document with the same run as a dry run.
fn one_document(bench: &Bench<'_>, report: &mut Report, host: &OpenHost) -> Result<()> {
    let flags = Flags { dry_run: true, ..Flags::default() };
    let dry = Caller { flags, ..Caller::at("bench") };
    let job = || Request::new("create_job", json!({"title": "Baker", "company": "ACME"}));
    let contenders = vec![
        Contender::new(OPHOST, || sample(host, &job)),
        Contender::new(DRY_RUN, || sample(host, &|| job().caller(dry.clone()))),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let ours = measured.series(OPHOST, 0, Unit::Seconds)?;
    let row = Row::new("recorded run that writes a document", ours);
    let row = row.beside(measured.series(DRY_RUN, 0, Unit::Seconds)?);
    report.add(row.goal(Goal::RatioAtMost(1.3)));
    Ok(())
}

/// Returns the median time of a run.
fn sample(host: &OpenHost, request: &dyn Fn() -> Request) -> Result<Vec<f64>> {
    let times = (0..RUNS).map(|_| time_of(host, request()));
    Ok(vec![median(&times.collect::<Result<Vec<_>>>()?)])
}

fn time_of(host: &OpenHost, request: Request) -> Result<f64> {
    let started = Instant::now();
    succeeded(host.runtime.block_on(host.host.run(request))?)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Measures a run that inserts many documents, and one that deletes them.
fn one_commit(bench: &Bench<'_>, report: &mut Report, host: &OpenHost) -> Result<()> {
    let insert = json!({"name": "bulk", "count": BULK, "padding": 100});
    let limits = LimitRequest { timeout: Some(Duration::from_secs(300)), ..Default::default() };
    let delete = json!({"filter": {"name": "bulk"}});
    let delete = Request::new("ledger.bulk_delete", delete).limits(limits);
    let before = peak_memory()?;
    let round = || {
        let insert = Request::new("ledger.bulk_insert", insert.clone());
        Ok(vec![time_of(host, insert)?, time_of(host, delete.clone())?])
    };
    let contenders = vec![Contender::new(OPHOST, round)];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    for (metric, title) in [(0, "inserted"), (1, "deleted")] {
        let ours = measured.series(OPHOST, metric, Unit::Seconds)?;
        report.add(Row::new(format!("{} documents {title} by one run", count(BULK)), ours));
    }
    let more = (peak_memory()? - before) >> 20;
    report.note(format!(
        "The runs with {} documents raise the peak memory by {more} MiB.",
        count(BULK)
    ));
    Ok(())
}

/// Returns the peak memory of this process, in bytes.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.context("no peak memory")?.trim().trim_end_matches(" kB");
    Ok(number.parse::<u64>()? << 10)
}

/// Measures concurrent callers that change one document.
fn one_for_many(bench: &Bench<'_>, report: &mut Report, host: &OpenHost) -> Result<()> {
    let (mut retries, mut failures) = (0, 0);
    let round = || {
        let started = Instant::now();
        let (retried, failed) = host.runtime.block_on(change_concurrently(&host.host))?;
        retries += retried;
        failures += failed;
        Ok(vec![(CALLERS * CHANGES) as f64 / started.elapsed().as_secs_f64()])
    };
    let contenders = vec![Contender::new(OPHOST, round)];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let ours = measured.series(OPHOST, 0, Unit::PerSecond)?;
    report.add(Row::new(format!("changes of one document by {CALLERS} callers"), ours));
    report.note(format!(
        "The {} changes of one document had {retries} conflict retries; {failures} failed.",
        count(CALLERS * CHANGES * bench.options.rounds)
    ));
    Ok(())
}

/// Returns the number of conflict retries and of failed runs.
async fn change_concurrently(host: &Host) -> Result<(u32, u32)> {
    let change = |host: Host| async move {
        let (mut retries, mut failures) = (0, 0);
        for _ in 0..CHANGES {
            let report = host.run(Request::new("ledger.bump", json!({"id": "one"}))).await?;
            retries += report.usage.conflict_retries;
            failures += u32::from(!matches!(report.outcome, Outcome::Success(_)));
        }
        anyhow::Ok((retries, failures))
    };
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(change(host.clone()))).collect();
    let (mut retries, mut failures) = (0, 0);
    for caller in callers {
        let (retried, failed) = caller.await??;
        retries += retried;
        failures += failed;
    }
    Ok((retries, failures))
}

/// Compares a count and a sorted page over all documents with SQLite.
fn scans(
    bench: &Bench<'_>,
    report: &mut Report,
    documents: &Documents<'_>,
    table: &Table,
) -> Result<()> {
    ensure!(documents.answer()? == table.answer()?, "SQLite finds other documents");
    let contenders = vec![
        Contender::new(OPHOST, || {
            Ok(vec![timed(|| documents.count())?, timed(|| documents.find())?])
        }),
        Contender::new(SQLITE, || Ok(vec![timed(|| table.count())?, timed(|| table.find())?])),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    for (metric, title) in [(0, "count"), (1, "sorted page of 100")] {
        let ours = measured.series(OPHOST, metric, Unit::Seconds)?;
        let row = Row::new(format!("scan of {} documents, {title}", count(DOCUMENTS)), ours);
        let row = row.beside(measured.series(SQLITE, metric, Unit::Seconds)?);
        report.add(row.goal(Goal::RatioAtMost(1.5)));
    }
    Ok(())
}

/// Returns the seconds that `work` takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

fn document(number: usize) -> Value {
    let status = ["open", "closed", "draft"][number % 3];
    json!({
        "title": format!("Title {number}"),
        "status": status,
        "salary": number * 7_919 % 5_000,
        "tags": ["a", "b"],
        "address": {"city": "Rome", "zip": format!("{number:05}")},
    })
}

fn document_id(number: usize) -> String {
    format!("{number:08}")
}

/// The documents in the store.
struct Documents<'a> {
    host: &'a OpenHost,
    collection: CollectionName,
}

impl<'a> Documents<'a> {
    /// Imports all documents in one commit.
    fn import(report: &mut Report, host: &'a OpenHost) -> Result<Self> {
        let collection: CollectionName = "bench".parse()?;
        let documents = (0..DOCUMENTS).map(|number| {
            let id = DocumentId::new(document_id(number))?;
            anyhow::Ok((Some(id), Body::try_from(document(number))?))
        });
        let documents = documents.collect::<Result<Vec<_>>>()?;
        let started = Instant::now();
        let import =
            host.host.import(Import::new(collection.clone(), documents), CallSettings::default());
        succeeded(host.runtime.block_on(import)?)?;
        let took = started.elapsed();
        report.note(format!(
            "The import of {} documents in one commit took {took:.1?}.",
            count(DOCUMENTS)
        ));
        Ok(Self { host, collection })
    }

    fn filter() -> Result<Filter> {
        Ok(Filter::parse(&json!({"status": "open", "salary": {"$gte": 1_000}}))?)
    }

    fn count(&self) -> Result<u64> {
        let reader = self.host.host.documents().context("no data directory")?;
        let count = reader.count(self.collection.clone(), Self::filter()?);
        Ok(self.host.runtime.block_on(count)?)
    }

    /// Returns the id of the last document of the first page.
    fn find(&self) -> Result<String> {
        let reader = self.host.host.documents().context("no data directory")?;
        let by_salary = SortBy { path: "salary".parse()?, descending: true };
        let sort = Sort::new(vec![by_salary])?;
        let query = Query::new(&self.collection, Self::filter()?, sort, Some(PAGE), None)?;
        let page = self.host.runtime.block_on(reader.find(self.collection.clone(), query))?;
        Ok(page.documents.last().context("no document")?.id.to_string())
    }

    fn answer(&self) -> Result<(u64, String)> {
        Ok((self.count()?, self.find()?))
    }
}

const WHERE: &str = "where json_extract(body, '$.status') = 'open' \
                     and json_extract(body, '$.salary') >= 1000";

/// The documents in SQLite.
struct Table(Connection);

impl Table {
    /// Inserts all documents in one commit.
    fn fill(report: &mut Report, bench: &Bench<'_>) -> Result<Self> {
        let file: &Path = &bench.scratch.join("documents.sqlite");
        let mut connection = Connection::open(file)?;
        connection.execute_batch("create table bench (id text primary key, body text)")?;
        let started = Instant::now();
        let transaction = connection.transaction()?;
        for number in 0..DOCUMENTS {
            let row = (document_id(number), document(number).to_string());
            transaction.prepare_cached("insert into bench values (?1, ?2)")?.execute(row)?;
        }
        transaction.commit()?;
        let took = started.elapsed();
        report.note(format!("The same in SQLite took {took:.1?}."));
        Ok(Self(connection))
    }

    fn count(&self) -> Result<u64> {
        let query = format!("select count(*) from bench {WHERE}");
        let count = self.0.prepare_cached(&query)?.query_row([], |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(count)?)
    }

    /// Returns the id of the last document of the first page.
    fn find(&self) -> Result<String> {
        let query = format!(
            "select id, body from bench {WHERE} \
             order by json_extract(body, '$.salary') desc, id limit {PAGE}"
        );
        let mut statement = self.0.prepare_cached(&query)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let rows = rows.collect::<Result<Vec<(String, String)>, _>>()?;
        Ok(rows.into_iter().last().context("no row")?.0)
    }

    fn answer(&self) -> Result<(u64, String)> {
        Ok((self.count()?, self.find()?))
    }
}
