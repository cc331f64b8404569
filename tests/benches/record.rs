//! The cost of run records.
//!
//! - Recorded runs per second, and the size of a record.
//! - The time to open a store after `kill -9`.
//! - The time to cancel a run of another process.
//!
//! All measurements use the library and a real guest that does almost nothing. They are compared
//! with F, the time of one `fdatasync` on the same disk, measured before and after.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::disk::FsyncProbe;
use e2e::guest::{Described, Operation, describing};
use ophost::{Host, Outcome, RecordPolicy, Request, RunFilter, Runs, Status};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Numbers of concurrent callers, and of runs that all of them make together.
const CALLERS: [(usize, usize); 3] = [(1, 400), (8, 1_600), (64, 6_400)];
/// How long the processes record runs concurrently.
const CONCURRENT: Duration = Duration::from_secs(4);
/// Records in the large store.
const MANY: usize = 100_000;
/// Concurrent callers that fill the large store.
const FILLERS: usize = 256;
/// Cancelled runs, and pages that are read.
const SAMPLES: usize = 100;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "record", project] => record_concurrently(Path::new(project)),
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

/// Creates a project directory with the plugins.
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

/// Runs the tiny guest and returns the elapsed time.
async fn once(host: &Host) -> Result<Duration> {
    let started = Instant::now();
    let report = host.run(Request::new("bench.tiny", json!({"text": "Hello, World!"}))).await?;
    match report.outcome {
        Outcome::Success(_) => Ok(started.elapsed()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Makes `count` runs of the tiny guest by concurrent callers. Returns the sorted times.
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

/// Returns the result of `work`, its elapsed time, and the mean of F before and after it.
fn measured<T>(
    probe: &FsyncProbe,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Duration, Duration)> {
    let before = probe.median()?;
    let started = Instant::now();
    let result = work()?;
    let took = started.elapsed();
    Ok((result, took, (before + probe.median()?) / 2))
}

fn ratio(time: Duration, other: Duration) -> f64 {
    time.as_secs_f64() / other.as_secs_f64()
}

/// Formats the number of runs per second and per F.
fn rate(runs: usize, took: Duration, fsync: Duration) -> String {
    let rate = runs as f64 / took.as_secs_f64();
    format!("{rate:.0} runs/s, {:.2} per F", rate * fsync.as_secs_f64())
}

fn callers() -> Result<()> {
    let (project, runtime) = (project()?, runtime()?);
    let host = runtime.block_on(host(project.path()))?;
    let probe = FsyncProbe::new(project.path())?;
    runtime.block_on(all(&host, 1, 20))?;
    for (callers, count) in CALLERS {
        let work = || runtime.block_on(all(&host, callers, count));
        let (times, took, fsync) = measured(&probe, work)?;
        println!(
            "{callers} callers: {}; a run {:.1?}, {:.1} F; F {fsync:.1?}; goal: {}",
            rate(count, took, fsync),
            times[count / 2],
            ratio(times[count / 2], fsync),
            if callers == 1 {
                "at most 4.4 F".to_owned()
            } else {
                format!("at least {:.1} per F", callers as f64 * 0.2)
            },
        );
    }
    Ok(())
}

/// Starts this program again for one role of a measurement.
fn child(role: &str, project: &Path) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.arg(role).arg(project).stdout(Stdio::piped()).spawn()?)
}

/// Returns the next line of a child's stdout.
fn line(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.as_mut().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn processes() -> Result<()> {
    let project = project()?;
    let probe = FsyncProbe::new(project.path())?;
    // Compile the plugins before the children start.
    runtime()?.block_on(async { once(&host(project.path()).await?).await })?;
    let (counts, _, fsync) = measured(&probe, || {
        let start = || child("record", project.path());
        let mut children = (0..4).map(|_| start()).collect::<Result<Vec<_>>>()?;
        let counts = children.iter_mut().map(|child| Ok(line(child)?.parse::<usize>()?));
        let counts = counts.collect::<Result<Vec<_>>>()?;
        children.iter_mut().try_for_each(|child| child.wait().map(drop))?;
        Ok(counts)
    })?;
    let rate = rate(counts.iter().sum(), CONCURRENT, fsync);
    println!("4 processes: {rate} in total, {counts:?}; F {fsync:.1?}");
    Ok(())
}

/// Role of a child: records runs for a fixed time, concurrently with other processes.
fn record_concurrently(project: &Path) -> Result<()> {
    let count = runtime()?.block_on(async {
        let host = host(project).await?;
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < CONCURRENT {
            once(&host).await?;
            count += 1;
        }
        Ok::<usize, Box<dyn std::error::Error + Send + Sync>>(count)
    })?;
    println!("{count}");
    Ok(())
}

/// Role of a child: fills a store and continues to record until it is killed.
fn fill(project: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let host = host(project).await?;
        all(&host, FILLERS, MANY).await?;
        println!("filled");
        std::io::stdout().flush()?;
        all(&host, FILLERS, usize::MAX / 2).await.map(drop)
    })
}

fn large() -> Result<()> {
    let project = project()?;
    let probe = FsyncProbe::new(project.path())?;
    let mut child = child("fill", project.path())?;
    let ((), took, fsync) = measured(&probe, || match line(&mut child)?.as_str() {
        "filled" => Ok(()),
        other => Err(format!("the child printed `{other}`").into()),
    })?;
    let file = fs::metadata(project.path().join(".ophost/store/store.redb"))?;
    // The file is sparse: it grows ahead of its content.
    let size = file.blocks() * 512;
    child.kill()?;
    child.wait()?;
    println!(
        "{MANY} runs by {FILLERS} callers: {}; {size} bytes on the disk, {} per run, file length {}; goal: at most 700 bytes per run",
        rate(MANY, took, fsync),
        size / MANY as u64,
        file.len()
    );
    let (project, runtime) = (project.path(), runtime()?);
    let host = runtime.block_on(host(project))?;
    // Load the guest first, because loading is not part of the measured cost.
    runtime.block_on(host.run(Request::new("bench.tiny", json!({})).record(false)))?;
    let (first, _, fsync) = measured(&probe, || runtime.block_on(once(&host)))?;
    println!(
        "the first run after kill -9: {first:.1?}, {:.1} F; F {fsync:.1?}; goal: opened within 50 ms",
        ratio(first, fsync)
    );
    read_pages(&runtime, &host, fsync)
}

/// Reads pages of a large store.
fn read_pages(runtime: &Runtime, host: &Host, fsync: Duration) -> Result<()> {
    let records = records(host)?;
    // The first reader marks the runs of the killed process as crashed.
    let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    runtime.block_on(records.list(&running, None, 50))?;
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let started = Instant::now();
        runtime.block_on(records.list(&RunFilter::default(), None, 50))?;
        times.push(started.elapsed());
    }
    times.sort();
    let (median, p99) = (times[SAMPLES / 2], times[SAMPLES * 99 / 100]);
    println!(
        "a page of 50: {median:.1?}, p99 {p99:.1?}, {:.1} F; goal: p99 at most 1 ms",
        ratio(p99, fsync)
    );
    Ok(())
}

/// Role of a child: makes runs that are cancelled, one after the other.
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
    let probe = FsyncProbe::new(project.path())?;
    let host = runtime.block_on(host(project.path()))?;
    let records = records(&host)?;
    let mut child = child("spin", project.path())?;
    let (mut times, _, fsync) = measured(&probe, || {
        (0..SAMPLES).map(|_| runtime.block_on(cancel(&records))).collect::<Result<Vec<_>>>()
    })?;
    child.kill()?;
    child.wait()?;
    times.sort();
    let (median, p99) = (times[SAMPLES / 2], times[SAMPLES * 99 / 100]);
    println!(
        "cancel a run of another process: {median:.1?}, p99 of {SAMPLES} {p99:.1?}, {:.1} F; F {fsync:.1?}; goal: at most 100 ms",
        ratio(p99, fsync)
    );
    Ok(())
}

/// Waits for a run, cancels it, and returns the time of the cancellation.
async fn cancel(records: &Runs<'_>) -> Result<Duration> {
    let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    let id = loop {
        if let Some(run) = records.list(&running, None, 1).await?.runs.first() {
            break run.id;
        }
    };
    let run = records.get(id).await?.ok_or("the run is missing")?;
    let started = Instant::now();
    let run = records.cancel(run).await?;
    match run.state.status() {
        Status::Cancelled => Ok(started.elapsed()),
        other => Err(format!("the run is {other}").into()),
    }
}
