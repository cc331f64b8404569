//! What documents cost: a run that writes one beside the same run as a dry run, a filter over
//! many beside SQLite's, a large commit, and callers that are in each other's way.
//!
//! SQLite is the one of Python's standard library; without `python3` it is left out.

#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::disk::Forced;
use ophost::document::{Body, CollectionName, DocumentId, Filter, Query, Sort, SortBy};
use ophost::{Caller, Flags, Host, Import, LimitRequest, Outcome, Request, RunReport};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How often the small things are measured; the median is shown.
const TURNS: usize = 101;
const DOCUMENTS: u64 = 100_000;
const BULK: u64 = 10_000;
/// Callers of one document, and how often each changes it.
const CALLERS: usize = 8;
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
        // Before anything that needs much memory: the most that there ever was is all that the
        // system knows.
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
    let (mut wet, mut dried, mut forced) = (vec![], vec![], vec![]);
    let disk = Forced::new(directory)?;
    for _ in 0..TURNS {
        let begun = Instant::now();
        succeeded(host.run(job()).await?)?;
        wet.push(begun.elapsed());
        let begun = Instant::now();
        succeeded(host.run(job().caller(dry.clone())).await?)?;
        dried.push(begun.elapsed());
        forced.push(disk.once()?);
    }
    let [wet, dried, forced] = [wet, dried, forced].map(median);
    println!("a recorded run that writes a document: {wet:.0?}; F (one fdatasync): {forced:.0?}");
    println!("the same run, dry: {dried:.0?}; ratio {:.2}, goal 1.3", ratio(wet, dried));
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
    let begun = Instant::now();
    succeeded(host.import(Import::new(collection.clone(), documents)).await?)?;
    println!("{DOCUMENTS} documents imported in one commit: {:.1?}", begun.elapsed());
    let documents = host.documents().ok_or("no data directory")?;
    let filter = || Filter::parse(&json!({"status": "open", "salary": {"$gte": 1_000}}));
    let by_salary = SortBy { path: "salary".parse()?, descending: true };
    let (mut counted, mut found) = (Vec::new(), Vec::new());
    let mut answer = String::new();
    for _ in 0..9 {
        let begun = Instant::now();
        let count = documents.count(collection.clone(), filter()?).await?;
        counted.push(begun.elapsed());
        let sort = Sort::new(vec![by_salary.clone()])?;
        let begun = Instant::now();
        let query = Query::new(&collection, filter()?, sort, Some(100), None)?;
        let page = documents.find(collection.clone(), query).await?;
        found.push(begun.elapsed());
        answer = format!("{count} {}", page.documents.last().ok_or("nothing")?.id);
    }
    let ours = [median(counted), median(found)];
    println!("of {DOCUMENTS} documents a filter means so many, and the 100th of them is: {answer}");
    let Some((same, theirs)) = sqlite(&directory.join("bench.sqlite"))? else {
        println!(
            "counted: {:.0?}, found: {:.0?}; there is no python3 to ask SQLite",
            ours[0], ours[1]
        );
        return Ok(());
    };
    if same != answer {
        return Err(format!("SQLite finds {same}, not {answer}").into());
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

const PEER: &str = r#"
import json, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
db.execute("create table bench (id text primary key, body text)")
rows = (json.loads(line) for line in sys.stdin)
db.executemany("insert into bench values (?, ?)", ((i, json.dumps(b)) for i, b in rows))
db.commit()
where = "where json_extract(body, '$.status') = 'open' and json_extract(body, '$.salary') >= 1000"
times = [], []
for _ in range(9):
    begun = time.perf_counter()
    count, = db.execute("select count(*) from bench " + where).fetchone()
    times[0].append(time.perf_counter() - begun)
    begun = time.perf_counter()
    page = db.execute("select id, body from bench " + where +
                      " order by json_extract(body, '$.salary') desc, id limit 100").fetchall()
    times[1].append(time.perf_counter() - begun)
print(count, page[-1][0], *(sorted(each)[4] for each in times), sep="\n")
"#;

/// Returns what SQLite counts and finds, and how long each takes it.
fn sqlite(file: &Path) -> Result<Option<(String, [Duration; 2])>> {
    let mut peer = Command::new("python3");
    peer.arg("-c").arg(PEER).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut peer) = peer.spawn() else { return Ok(None) };
    let mut rows = peer.stdin.take().ok_or("no stdin")?;
    for number in 0..DOCUMENTS {
        writeln!(rows, "{}", json!([format!("{number:08}"), document(number)]))?;
    }
    drop(rows);
    let output = String::from_utf8(peer.wait_with_output()?.stdout)?;
    let [count, last, counted, found] = output.lines().collect::<Vec<_>>()[..] else {
        return Err("no answer".into());
    };
    let time = |seconds: &str| seconds.parse().map(Duration::from_secs_f64);
    Ok(Some((format!("{count} {last}"), [time(counted)?, time(found)?])))
}

async fn one_commit(host: &Host) -> Result<()> {
    let bulk = json!({"name": "bulk", "count": BULK, "padding": 100});
    let (begun, before) = (Instant::now(), peak()?);
    call(host, "ledger.bulk_insert", bulk).await?;
    let (took, more) = (begun.elapsed(), (peak()? - before) >> 20);
    println!("{BULK} documents inserted by a run: {took:.1?}; {more} MiB more at once");
    let (begun, before) = (Instant::now(), peak()?);
    let limits = LimitRequest { timeout: Some(Duration::from_secs(300)), ..Default::default() };
    let delete = Request::new("ledger.bulk_delete", json!({"filter": {"name": "bulk"}}));
    succeeded(host.run(delete.limits(limits)).await?)?;
    let (took, more) = (begun.elapsed(), (peak()? - before) >> 20);
    println!("{BULK} deleted by a run, in one commit: {took:.1?}; {more} MiB more than that");
    Ok(())
}

/// Returns the most memory that this process ever had, in bytes.
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
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(bump(host.clone()))).collect();
    let (mut again, mut lost) = (0, 0);
    for caller in callers {
        let (more, failed) = caller.await??;
        again += more;
        lost += failed;
    }
    let all = CALLERS * CHANGES;
    println!(
        "{CALLERS} callers change one document {all} times: {:.1?}; executed again {again} times, \
         given up {lost}",
        begun.elapsed()
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
