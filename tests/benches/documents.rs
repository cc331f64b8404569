//! The cost of documents.
//!
//! - A run that writes one document, compared with the same run as a dry run.
//! - A filter over many documents, compared with SQLite.
//! - One large commit.
//! - Concurrent callers that change the same document.
//!
//! SQLite comes from Python's standard library. Without `python3` that comparison is skipped.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::disk::FsyncProbe;
use ophost::document::{Body, CollectionName, DocumentId, Filter, Query, Sort, SortBy};
use ophost::{Caller, Flags, Host, Import, LimitRequest, Outcome, Request, RunReport};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Samples of the short measurements. The benchmark prints their median.
const SAMPLES: usize = 101;
const DOCUMENTS: u64 = 100_000;
const BULK: u64 = 10_000;
/// Concurrent callers of one document.
const CALLERS: usize = 8;
/// Changes that each caller makes.
const CHANGES: usize = 25;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scratch = tempfile::tempdir()?;
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(target, Into::into);
    let plugins = scratch.path().join("plugins");
    fs::create_dir(&plugins)?;
    for guest in ["jobs.wasm", "ledger.wasm"] {
        fs::copy(target.join("guests").join(guest), plugins.join(guest))?;
    }
    runtime.block_on(async {
        let host = Host::builder().plugins(plugins).data(scratch.path().join("data"));
        let host = host.build().await?;
        one_document(&host, scratch.path()).await?;
        // First, because the operating system reports only the peak of the memory so far.
        one_commit(&host).await?;
        one_for_many(&host).await?;
        many_documents(&host, scratch.path()).await
    })
}

async fn call(host: &Host, operation: &str, input: Value) -> Result<RunReport> {
    succeeded(host.run(Request::new(operation, input)).await?)
}

fn succeeded(report: RunReport) -> Result<RunReport> {
    match &report.outcome {
        Outcome::Success(_) => Ok(report),
        other => Err(format!("{other:?}").into()),
    }
}

async fn one_document(host: &Host, directory: &Path) -> Result<()> {
    let flags = Flags { dry_run: true, ..Flags::default() };
    let dry = Caller { flags, ..Caller::at("bench") };
    let job = || Request::new("create_job", json!({"title": "Baker", "company": "ACME"}));
    let (mut normal, mut dry_runs, mut synced) = (vec![], vec![], vec![]);
    let probe = FsyncProbe::new(directory)?;
    for _ in 0..SAMPLES {
        let started = Instant::now();
        succeeded(host.run(job()).await?)?;
        normal.push(started.elapsed());
        let started = Instant::now();
        succeeded(host.run(job().caller(dry.clone())).await?)?;
        dry_runs.push(started.elapsed());
        synced.push(probe.once()?);
    }
    let [normal, dry_run, synced] = [normal, dry_runs, synced].map(median);
    println!(
        "a recorded run that writes a document: {normal:.0?}; F (one fdatasync): {synced:.0?}"
    );
    println!("the same as a dry run: {dry_run:.0?}; ratio {:.2}, goal 1.3", ratio(normal, dry_run));
    Ok(())
}

fn document(number: u64) -> Value {
    let status = ["open", "closed", "draft"][(number % 3) as usize];
    json!({
        "title": format!("Title {number}"),
        "status": status,
        "salary": number * 7_919 % 5_000,
        "tags": ["a", "b"],
        "address": {"city": "Rome", "zip": format!("{number:05}")},
    })
}

async fn many_documents(host: &Host, directory: &Path) -> Result<()> {
    let collection: CollectionName = "bench".parse()?;
    let documents = (0..DOCUMENTS).map(|number| {
        let id = DocumentId::new(format!("{number:08}"))?;
        Ok((Some(id), Body::try_from(document(number))?))
    });
    let documents = documents.collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    succeeded(host.import(Import::new(collection.clone(), documents)).await?)?;
    println!("{DOCUMENTS} documents imported in one commit: {:.1?}", started.elapsed());
    let documents = host.documents().ok_or("no data directory")?;
    let filter = || Filter::parse(&json!({"status": "open", "salary": {"$gte": 1_000}}));
    let by_salary = SortBy { path: "salary".parse()?, descending: true };
    let (mut counted, mut found) = (Vec::new(), Vec::new());
    let mut answer = String::new();
    for _ in 0..9 {
        let started = Instant::now();
        let count = documents.count(collection.clone(), filter()?).await?;
        counted.push(started.elapsed());
        let sort = Sort::new(vec![by_salary.clone()])?;
        let started = Instant::now();
        let query = Query::new(&collection, filter()?, sort, Some(100), None)?;
        let page = documents.find(collection.clone(), query).await?;
        found.push(started.elapsed());
        answer = format!("{count} {}", page.documents.last().ok_or("nothing")?.id);
    }
    let ours = [median(counted), median(found)];
    println!("matches of the filter in {DOCUMENTS} documents, and the id of the 100th: {answer}");
    let Some((same, theirs)) = sqlite(&directory.join("bench.sqlite"))? else {
        println!(
            "counted: {:.0?}, found: {:.0?}; no comparison with SQLite, because `python3` is missing",
            ours[0], ours[1]
        );
        return Ok(());
    };
    if same != answer {
        return Err(format!("SQLite finds {same} instead of {answer}").into());
    }
    for (what, ours, theirs) in
        [("counted", ours[0], theirs[0]), ("found, sorted", ours[1], theirs[1])]
    {
        let ratio = ratio(ours, theirs);
        println!(
            "{what}: {ours:.0?}; SQLite, json_extract: {theirs:.0?}; ratio {ratio:.2}, goal 2"
        );
    }
    Ok(())
}

const SQLITE_SCRIPT: &str = r#"
import json, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
db.execute("create table bench (id text primary key, body text)")
rows = (json.loads(line) for line in sys.stdin)
db.executemany("insert into bench values (?, ?)", ((i, json.dumps(b)) for i, b in rows))
db.commit()
where = "where json_extract(body, '$.status') = 'open' and json_extract(body, '$.salary') >= 1000"
times = [], []
for _ in range(9):
    started = time.perf_counter()
    count, = db.execute("select count(*) from bench " + where).fetchone()
    times[0].append(time.perf_counter() - started)
    started = time.perf_counter()
    page = db.execute("select id, body from bench " + where +
                      " order by json_extract(body, '$.salary') desc, id limit 100").fetchall()
    times[1].append(time.perf_counter() - started)
print(count, page[-1][0], *(sorted(each)[4] for each in times), sep="\n")
"#;

/// Returns the results of SQLite, and the times of its count and its query. `None` if `python3`
/// cannot be started.
fn sqlite(file: &Path) -> Result<Option<(String, [Duration; 2])>> {
    let mut python = Command::new("python3");
    python.arg("-c").arg(SQLITE_SCRIPT).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut python) = python.spawn() else { return Ok(None) };
    let mut rows = python.stdin.take().ok_or("no stdin")?;
    for number in 0..DOCUMENTS {
        writeln!(rows, "{}", json!([format!("{number:08}"), document(number)]))?;
    }
    drop(rows);
    let output = String::from_utf8(python.wait_with_output()?.stdout)?;
    let [count, last, counted, found] = output.lines().collect::<Vec<_>>()[..] else {
        return Err("the SQLite script printed an unexpected answer".into());
    };
    let time = |seconds: &str| seconds.parse().map(Duration::from_secs_f64);
    Ok(Some((format!("{count} {last}"), [time(counted)?, time(found)?])))
}

async fn one_commit(host: &Host) -> Result<()> {
    let bulk = json!({"name": "bulk", "count": BULK, "padding": 100});
    let (started, before) = (Instant::now(), peak()?);
    call(host, "ledger.bulk_insert", bulk).await?;
    let (took, more) = (started.elapsed(), (peak()? - before) >> 20);
    println!("{BULK} documents inserted by a run: {took:.1?}; peak memory grew by {more} MiB");
    let (started, before) = (Instant::now(), peak()?);
    let limits = LimitRequest { timeout: Some(Duration::from_secs(300)), ..Default::default() };
    let delete = Request::new("ledger.bulk_delete", json!({"filter": {"name": "bulk"}}));
    succeeded(host.run(delete.limits(limits)).await?)?;
    let (took, more) = (started.elapsed(), (peak()? - before) >> 20);
    println!("{BULK} deleted by a run, in one commit: {took:.1?}; peak memory grew by {more} MiB");
    Ok(())
}

/// Returns the peak memory of this process, in bytes.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

async fn one_for_many(host: &Host) -> Result<()> {
    let bump = |host: Host| async move {
        let (mut again, mut lost) = (0, 0);
        for _ in 0..CHANGES {
            let report = host.run(Request::new("ledger.bump", json!({"id": "one"}))).await;
            let report = report.map_err(|error| error.to_string())?;
            again += report.usage.conflict_retries;
            lost += u32::from(!matches!(report.outcome, Outcome::Success(_)));
        }
        Ok::<_, String>((again, lost))
    };
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(bump(host.clone()))).collect();
    let (mut again, mut lost) = (0, 0);
    for caller in callers {
        let (more, failed) = caller.await??;
        again += more;
        lost += failed;
    }
    let all = CALLERS * CHANGES;
    println!(
        "{CALLERS} callers change one document {all} times: {:.1?}; {again} retries, \
         {lost} given up",
        started.elapsed()
    );
    Ok(())
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
