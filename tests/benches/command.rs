//! The cost of a command, and its growth with the number of unused plugins.
//!
//! One project has one plugin, another has 1,000 including that one. The commands alternate, so
//! that a change of the machine's speed affects both equally. The benchmark prints the median of
//! the ratios. `/bin/true` measures the cost of starting a process.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::disk::FsyncProbe;
use e2e::guest::{Described, Operation, describing};
use tempfile::TempDir;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The command under test.
const OPHOST: &str = env!("CARGO_BIN_EXE_ophost-under-test");
const MANY: usize = 1_000;
const ROUNDS: usize = 41;
/// Files that changed within this time are read again by the next command.
const SETTLE_TIME: Duration = Duration::from_millis(2_500);

fn main() -> Result<()> {
    let (one, many) = (project(1)?, project(MANY)?);
    std::thread::sleep(SETTLE_TIME);
    let first = Instant::now();
    list(one.path())?;
    let (first, started) = (first.elapsed(), Instant::now());
    list(many.path())?;
    println!(
        "the first list compiles: 1 plugin {first:.0?}, {MANY} plugins {:.0?}",
        started.elapsed()
    );
    run(many.path())?;

    let mut ratios = Vec::new();
    let (mut small, mut large, mut all, mut nothing) = (vec![], vec![], vec![], vec![]);
    let (mut recorded, mut synced) = (vec![], vec![]);
    let probe = FsyncProbe::new(one.path())?;
    for _ in 0..ROUNDS {
        let (a, b) = (run(one.path())?, run(many.path())?);
        ratios.push(b.as_secs_f64() / a.as_secs_f64());
        small.push(a);
        large.push(b);
        all.push(list(many.path())?);
        nothing.push(time(&mut Command::new("/bin/true"))?);
        recorded.push(time(command(one.path()).args(["run", "bench.op0", "--record"]))?);
        synced.push(probe.once()?);
    }
    ratios.sort_by(f64::total_cmp);
    let [small, large, all, nothing] = [small, large, all, nothing].map(median);
    let [recorded, synced] = [recorded, synced].map(median);
    println!(
        "run, 1 plugin: {small:.1?}; run, {MANY} plugins: {large:.1?}; /bin/true: {nothing:.1?}"
    );
    println!("run with {MANY} plugins / run with one: {:.2}; goal: flat", ratios[ROUNDS / 2]);
    println!("list of {MANY} plugins, warm: {all:.1?}; goal: at most 20 ms");
    let more = recorded.saturating_sub(small).as_secs_f64() / synced.as_secs_f64();
    println!(
        "recorded: {recorded:.1?}; one fdatasync, F: {synced:.1?}; more than unrecorded: {more:.1} F; goal: at most 6.5 F"
    );
    Ok(())
}

/// Returns a project with this number of plugins. One of them is `bench.op0`.
fn project(plugins: usize) -> Result<TempDir> {
    let directory = tempfile::tempdir()?;
    fs::create_dir(directory.path().join("plugins"))?;
    for number in 0..plugins {
        let operation = Operation::new(&format!("bench.op{number}"));
        let bytes = describing(&Described::new("bench").with(operation))?;
        fs::write(directory.path().join(format!("plugins/p{number}.wasm")), bytes)?;
    }
    Ok(directory)
}

fn run(project: &Path) -> Result<Duration> {
    time(command(project).args(["run", "bench.op0", "--no-record"]))
}

fn list(project: &Path) -> Result<Duration> {
    time(command(project).arg("list"))
}

fn command(project: &Path) -> Command {
    let mut command = Command::new(OPHOST);
    command.current_dir(project).env_remove("OPHOST_PLUGINS");
    command
}

fn time(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(started.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
