//! What records cost: how many runs are recorded in a second, how large they are, how soon a
//! store is open again after a kill, and how soon a run of another process is cancelled.
//!
//! Everything goes through the library, with a real guest that does next to nothing. It is told
//! beside F, the time of one `fdatasync` on the same disk, measured before and after.

#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::disk::Forced;
use e2e::guest::{Described, Operation, describing};
use ophost::{Host, Outcome, RecordPolicy, Request, RunFilter, Runs, Status};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs in a second, by so many callers.
const CALLERS: [(usize, usize); 3] = [(1, 400), (8, 1_600), (64, 6_400)];
/// How long processes record together.
const TOGETHER: Duration = Duration::from_secs(4);
/// The records of the large store, and its callers.
const MANY: usize = 100_000;
const AT_ONCE: usize = 256;
/// Runs that are cancelled, pages that are read.
const SAMPLES: usize = 100;

fn main() -> Result<()> {
    let words: Vec<_> = std::env::args().collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "record", project] => record_together(Path::new(project)),
        [_, "fill", project] => fill(Path::new(project)),
        [_, "spin", project] => spin(Path::new(project)),
        _ => measure(),
    }
}

fn measure() -> Result<()> {
    callers()?;
    processes()?;
    large()?;
    cancelled()
}

/// Returns a directory with the plugins.
fn project() -> Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target");
    let spinning = fs::read(target.join("guests/misbehave.wasm"))
        .map_err(|error| format!("run `cargo xtask guests` first: {error}"))?;
    fs::create_dir(directory.path().join("plugins"))?;
    fs::write(directory.path().join("plugins/misbehave.wasm"), spinning)?;
    let tiny = describing(&Described::new("bench").with(Operation::new("bench.tiny")))?;
    fs::write(directory.path().join("plugins/bench.wasm"), tiny)?;
    Ok(directory)
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn host(project: &Path) -> Result<Host> {
    let builder = Host::builder().plugins(project.join("plugins")).data(project.join(".ophost"));
    Ok(builder.record(RecordPolicy::Always).build().await?)
}

fn records(host: &Host) -> Result<Runs<'_>> {
    host.runs().ok_or_else(|| "no data directory".into())
}

/// Runs the tiny guest, and returns how long that took.
async fn once(host: &Host) -> Result<Duration> {
    let started = Instant::now();
    let report = host.run(Request::new("bench.tiny", json!({"text": "Hello, World!"}))).await?;
    match report.outcome {
        Outcome::Success(_) => Ok(started.elapsed()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Runs the tiny guest so often, by so many callers. Returns how long each run took.
async fn all(host: &Host, callers: usize, count: usize) -> Result<Vec<Duration>> {
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let host = host.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..count / callers {
                times.push(once(&host).await?);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(caller) = tasks.join_next().await {
        times.extend(caller??);
    }
    times.sort();
    Ok(times)
}

/// Does something, and returns its answer, how long it took, and F around it.
fn beside<T>(forced: &Forced, work: impl FnOnce() -> Result<T>) -> Result<(T, Duration, Duration)> {
    let before = forced.median()?;
    let started = Instant::now();
    let answer = work()?;
    let took = started.elapsed();
    Ok((answer, took, (before + forced.median()?) / 2))
}

fn ratio(time: Duration, other: Duration) -> f64 {
    time.as_secs_f64() / other.as_secs_f64()
}

/// How many runs, in a second and in F.
fn rate(runs: usize, took: Duration, force: Duration) -> String {
    let rate = runs as f64 / took.as_secs_f64();
    format!("{rate:.0} runs/s, {:.2} in F", rate * force.as_secs_f64())
}

fn callers() -> Result<()> {
    let (project, runtime) = (project()?, runtime()?);
    let host = runtime.block_on(host(project.path()))?;
    let forced = Forced::new(project.path())?;
    runtime.block_on(all(&host, 1, 20))?;
    for (callers, count) in CALLERS {
        let work = || runtime.block_on(all(&host, callers, count));
        let (times, took, force) = beside(&forced, work)?;
        println!(
            "P3: {callers} callers: {}; a run {:.1?}, {:.1} F; F {force:.1?}; goal: {}",
            rate(count, took, force),
            times[count / 2],
            ratio(times[count / 2], force),
            if callers == 1 {
                "at most 4.4 F".to_owned()
            } else {
                format!("at least {:.1} in F", callers as f64 * 0.2)
            },
        );
    }
    Ok(())
}

/// Starts this program for a part of a measurement.
fn child(part: &str, project: &Path) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.arg(part).arg(project).stdout(Stdio::piped()).spawn()?)
}

/// Returns the next line that a child prints.
fn line(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.as_mut().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn processes() -> Result<()> {
    let project = project()?;
    let forced = Forced::new(project.path())?;
    // Compiled before they begin.
    runtime()?.block_on(async { once(&host(project.path()).await?).await })?;
    let (counts, _, force) = beside(&forced, || {
        let start = || child("record", project.path());
        let mut children = (0..4).map(|_| start()).collect::<Result<Vec<_>>>()?;
        let counts = children.iter_mut().map(|child| Ok(line(child)?.parse::<usize>()?));
        let counts = counts.collect::<Result<Vec<_>>>()?;
        children.iter_mut().try_for_each(|child| child.wait().map(drop))?;
        Ok(counts)
    })?;
    let together = rate(counts.iter().sum(), TOGETHER, force);
    println!("P3: 4 processes: {together} together, {counts:?}; F {force:.1?}");
    Ok(())
}

/// The part of a process that records with others for a while.
fn record_together(project: &Path) -> Result<()> {
    let count = runtime()?.block_on(async {
        let host = host(project).await?;
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < TOGETHER {
            once(&host).await?;
            count += 1;
        }
        Ok::<usize, Box<dyn std::error::Error + Send + Sync>>(count)
    })?;
    println!("{count}");
    Ok(())
}

/// The part of a process that fills a store and goes on recording until it is killed.
fn fill(project: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let host = host(project).await?;
        all(&host, AT_ONCE, MANY).await?;
        println!("filled");
        std::io::stdout().flush()?;
        all(&host, AT_ONCE, usize::MAX / 2).await.map(drop)
    })
}

fn large() -> Result<()> {
    let project = project()?;
    let forced = Forced::new(project.path())?;
    let mut child = child("fill", project.path())?;
    let ((), took, force) = beside(&forced, || match line(&mut child)?.as_str() {
        "filled" => Ok(()),
        other => Err(format!("it printed `{other}`").into()),
    })?;
    let file = fs::metadata(project.path().join(".ophost/store/store.redb"))?;
    // The file grows before it is filled; what was never written takes no room.
    let size = file.blocks() * 512;
    child.kill()?;
    child.wait()?;
    println!(
        "P7: {MANY} runs by {AT_ONCE} callers: {}; {size} bytes on the disk, {} a run, in a file of {}; goal: at most 700",
        rate(MANY, took, force),
        size / MANY as u64,
        file.len()
    );
    let (project, runtime) = (project.path(), runtime()?);
    let host = runtime.block_on(host(project))?;
    // The guest is loaded before: that is no matter of the store.
    runtime.block_on(host.run(Request::new("bench.tiny", json!({})).record(false)))?;
    let (first, _, force) = beside(&forced, || runtime.block_on(once(&host)))?;
    println!(
        "P7: the first run after kill -9: {first:.1?}, {:.1} F; F {force:.1?}; goal: opened within 50 ms",
        ratio(first, force)
    );
    look(&runtime, &host, force)
}

/// Reads pages of a large store.
fn look(runtime: &Runtime, host: &Host, force: Duration) -> Result<()> {
    let records = records(host)?;
    // The first who looks finds those who were killed.
    let dead = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    runtime.block_on(records.list(&dead, None, 50))?;
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let started = Instant::now();
        runtime.block_on(records.list(&RunFilter::default(), None, 50))?;
        times.push(started.elapsed());
    }
    times.sort();
    let (half, most) = (times[SAMPLES / 2], times[SAMPLES * 99 / 100]);
    println!(
        "P7: a page of 50: {half:.1?}, p99 {most:.1?}, {:.1} F; goal: p99 at most 1 ms",
        ratio(most, force)
    );
    Ok(())
}

/// The part of a process whose runs are cancelled, one after the other.
fn spin(project: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let host = host(project).await?;
        loop {
            let report = host.run(Request::new("misbehave.spin", json!({}))).await?;
            if report.outcome != Outcome::Cancelled {
                return Err(format!("{:?}", report.outcome).into());
            }
        }
    })
}

fn cancelled() -> Result<()> {
    let (project, runtime) = (project()?, runtime()?);
    let forced = Forced::new(project.path())?;
    let host = runtime.block_on(host(project.path()))?;
    let records = records(&host)?;
    let mut child = child("spin", project.path())?;
    let (mut times, _, force) = beside(&forced, || {
        (0..SAMPLES).map(|_| runtime.block_on(cancel(&records))).collect::<Result<Vec<_>>>()
    })?;
    child.kill()?;
    child.wait()?;
    times.sort();
    let (half, most) = (times[SAMPLES / 2], times[SAMPLES * 99 / 100]);
    println!(
        "Q7: cancel a run of another process: {half:.1?}, p99 of {SAMPLES} {most:.1?}, {:.1} F; F {force:.1?}; goal: at most 100 ms",
        ratio(most, force)
    );
    Ok(())
}

/// Waits for a run, cancels it, and returns how long that took.
async fn cancel(records: &Runs<'_>) -> Result<Duration> {
    let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    let id = loop {
        if let Some(run) = records.list(&running, None, 1).await?.runs.first() {
            break run.id;
        }
    };
    let run = records.get(id).await?.ok_or("it is gone")?;
    let started = Instant::now();
    let run = records.cancel(run).await?;
    match run.state.status() {
        Status::Cancelled => Ok(started.elapsed()),
        other => Err(format!("it is {other}").into()),
    }
}
