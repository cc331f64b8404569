//! The cost of secondary indexes: a lookup among many documents, and a commit with and without an
//! index.

use anyhow::{Context as _, Result, ensure};
use ophost::document::{Body, CollectionName, DocumentId, Filter, Query, Sort};
use ophost::{CallSettings, Import, NewIndex};
use rusqlite::Connection;
use serde_json::json;

use super::{OPHOST, document, document_id, timed};
use crate::format::count;
use crate::measure::{Contender, Unit, interleave, median};
use crate::project::{OpenHost, Project, succeeded};
use crate::report::{Goal, Report, Row};
use crate::workloads::Bench;

/// Numbers of documents among which one is looked up.
const SIZES: [usize; 2] = [100_000, 1_000_000];
/// Documents of one commit that fills a collection.
const BATCH: usize = 100_000;
/// Lookups of one sample.
const LOOKUPS: usize = 101;
/// Documents of a measured commit.
const WRITTEN: [usize; 2] = [1, 10_000];
/// The indexed field, which is different in every document.
const FIELD: &str = "title";

const SQLITE: &str = "SQLite, same index";
const NO_INDEX: &str = "no index";

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    for size in SIZES {
        lookups(bench, report, size)?;
    }
    writes(bench, report)
}

/// Compares lookups by an indexed field with SQLite.
fn lookups(bench: &Bench<'_>, report: &mut Report, size: usize) -> Result<()> {
    let project = Project::empty(bench.scratch)?;
    let host = OpenHost::open(project.path())?;
    let collection: CollectionName = "indexed".parse()?;
    for first in (0..size).step_by(BATCH) {
        import(&host, &collection, first..size.min(first + BATCH))?;
    }
    add_index(&host, &collection)?;
    let file = bench.scratch.join(format!("indexed-{size}.sqlite"));
    let connection = Connection::open(file)?;
    let table = filled(&connection, size)?;
    let titles: Vec<_> = (0..LOOKUPS).map(|n| format!("Title {}", n * 7_919 % size)).collect();
    for title in &titles {
        ensure!(find(&host, &collection, title)? == select(table, title)?, "other documents");
    }
    let sample = |find: &dyn Fn(&str) -> Result<(String, String)>| {
        let times = titles.iter().map(|title| timed(|| find(title).map(drop)));
        Ok(vec![median(&times.collect::<Result<Vec<_>>>()?)])
    };
    let contenders = vec![
        Contender::new(OPHOST, || sample(&|title| find(&host, &collection, title))),
        Contender::new(SQLITE, || sample(&|title| select(table, title))),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let title = format!("find by an indexed field in {} documents", count(size));
    let ours = measured.series(OPHOST, 0, Unit::Seconds)?;
    let beside = measured.series(SQLITE, 0, Unit::Seconds)?;
    report.add(Row::new(&title, ours.clone()).beside(beside).goal(Goal::RatioAtMost(1.5)));
    report.add(Row::new(title, ours).goal(Goal::ValueAtMost(0.001)));
    Ok(())
}

/// Compares a commit of new documents in a collection with one index and in one without.
fn writes(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let project = Project::empty(bench.scratch)?;
    let host = OpenHost::open(project.path())?;
    let (plain, indexed): (CollectionName, CollectionName) = ("plain".parse()?, "indexed".parse()?);
    for collection in [&plain, &indexed] {
        import(&host, collection, 0..BATCH)?;
    }
    add_index(&host, &indexed)?;
    let round = |collection: &CollectionName, first: &mut usize| {
        WRITTEN
            .iter()
            .map(|written| {
                let numbers = *first..*first + written;
                *first = numbers.end;
                timed(|| import(&host, collection, numbers))
            })
            .collect()
    };
    let [mut first_indexed, mut first_plain] = [BATCH; 2];
    let contenders = vec![
        Contender::new(OPHOST, || round(&indexed, &mut first_indexed)),
        Contender::new(NO_INDEX, || round(&plain, &mut first_plain)),
    ];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    for (metric, written) in WRITTEN.iter().enumerate() {
        let noun = if *written == 1 { "document" } else { "documents" };
        let title = format!("commit of {} {noun} with an index", count(*written));
        let row = Row::new(title, measured.series(OPHOST, metric, Unit::Seconds)?);
        let row = row.beside(measured.series(NO_INDEX, metric, Unit::Seconds)?);
        report.add(row.goal(Goal::RatioAtMost(1.3)));
    }
    Ok(())
}

/// Imports documents with these numbers in one commit.
fn import(
    host: &OpenHost,
    collection: &CollectionName,
    numbers: std::ops::Range<usize>,
) -> Result<()> {
    let documents = numbers.map(|number| {
        let id = DocumentId::new(document_id(number))?;
        anyhow::Ok((Some(id), Body::try_from(document(number))?))
    });
    let documents = documents.collect::<Result<Vec<_>>>()?;
    let import =
        host.host.import(Import::new(collection.clone(), documents), CallSettings::default());
    succeeded(host.runtime.block_on(import)?).map(drop)
}

fn add_index(host: &OpenHost, collection: &CollectionName) -> Result<()> {
    let (collection, field) = (collection.clone(), FIELD.parse()?);
    let index = NewIndex { collection, field, unique: false };
    let indexes = host.host.indexes().context("no data directory")?;
    host.runtime.block_on(indexes.add(&index, |_, _| {}))?;
    Ok(())
}

/// Returns the id and the body of the only document with a title.
fn find(host: &OpenHost, collection: &CollectionName, title: &str) -> Result<(String, String)> {
    let reader = host.host.documents().context("no data directory")?;
    let filter = Filter::parse(&json!({FIELD: title}))?;
    let query = Query::new(collection, filter, Sort::default(), None, None)?;
    let page = host.runtime.block_on(reader.find(collection.clone(), query))?;
    let [document] = <[_; 1]>::try_from(page.documents).ok().context("not one document")?;
    Ok((document.id.to_string(), document.body))
}

/// Fills a table with an index, and returns its connection.
fn filled(connection: &Connection, size: usize) -> Result<&Connection> {
    connection.execute_batch("create table indexed (id text primary key, body text); begin")?;
    for number in 0..size {
        let row = (document_id(number), document(number).to_string());
        connection.prepare_cached("insert into indexed values (?1, ?2)")?.execute(row)?;
    }
    let index = format!("create index by_field on indexed (json_extract(body, '$.{FIELD}'))");
    connection.execute_batch(&format!("{index}; commit"))?;
    Ok(connection)
}

fn select(table: &Connection, title: &str) -> Result<(String, String)> {
    let query = format!("select id, body from indexed where json_extract(body, '$.{FIELD}') = ?1");
    let mut statement = table.prepare_cached(&query)?;
    Ok(statement.query_row([title], |row| Ok((row.get(0)?, row.get(1)?)))?)
}
