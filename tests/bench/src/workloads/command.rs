//! The cost of a cold command, and its growth with the number of unused plugins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use e2e::guest::{Described, Operation, describing};
use e2e::instructions::{self, ALLOWED_PERCENT, COMMAND, EXPECTED};

use super::Bench;
use crate::measure::{Contender, Measurements, Series, Unit, interleave};
use crate::process::{ophost, sample, time};
use crate::project::{Project, read_guest};
use crate::report::{Goal, OPHOST, Report, Row};

/// Plugins of the large project.
const MANY: usize = 1_000;
/// A command reads plugins again that changed within this time.
pub(super) const SETTLE_TIME: Duration = Duration::from_millis(2_500);

const RECORDED: &str = "recorded";
const MANY_PLUGINS: &str = "1,000 plugins";
const LIST: &str = "list";
const WASMTIME: &str = "wasmtime run, precompiled";
const PYTHON: &str = "python3 -c pass";
const TRUE: &str = "/bin/true";

const RECORDED_COMMAND: [&str; 4] = ["run", "slugify", "text=Hello, World!", "--record"];

/// A WASI command that writes `{}`, as the command under test does.
const WASI_COMMAND: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\03\00\00\00{}\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// The peers that are installed.
struct Peers {
    wasmtime: Option<(PathBuf, PathBuf)>,
    python: Option<PathBuf>,
}

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let (one, many) = (project(bench, 1)?, project(bench, MANY)?);
    thread::sleep(SETTLE_TIME);
    compile(bench, report, &one, &many)?;
    let peers = Peers { wasmtime: wasmtime(bench, report)?, python: python(report) };
    let measured = measure(bench, (&one, &many), &peers)?;
    add_rows(report, &measured)?;
    count_instructions(bench, report)?;
    binary(bench, report, &peers)
}

/// Creates a project with this number of plugins. One of them is the Rust plugin `text`, which the
/// commands run. The others accept any JSON.
fn project(bench: &Bench<'_>, plugins: usize) -> Result<Project> {
    let project = Project::empty(bench.scratch)?;
    project.add_guest(&bench.options.guests, "text")?;
    for number in 1..plugins {
        let operation = Operation::new(&format!("bench.op{number}"));
        let component = describing(&Described::new("bench").with(operation))?;
        project.add(&format!("p{number}"), &component)?;
    }
    Ok(project)
}

/// Compiles the plugins by their first list.
fn compile(bench: &Bench<'_>, report: &mut Report, one: &Project, many: &Project) -> Result<()> {
    let list = |project: &Project| {
        let started = Instant::now();
        time(&mut ophost(&bench.options.ophost, project.path(), &["list"]))?;
        anyhow::Ok(started.elapsed())
    };
    let (first, all) = (list(one)?, list(many)?);
    report.note(format!(
        "The first list compiles the plugins: {first:.0?} for 1, {all:.1?} for 1,000."
    ));
    for project in [one, many] {
        for arguments in [&RECORDED_COMMAND[..], &["list"]] {
            time(&mut ophost(&bench.options.ophost, project.path(), arguments))?;
        }
    }
    Ok(())
}

/// Returns the `wasmtime` command and a compiled WASI command.
fn wasmtime(bench: &Bench<'_>, report: &mut Report) -> Result<Option<(PathBuf, PathBuf)>> {
    let program = match bench.options.wasmtime.get() {
        Ok(program) => program.clone(),
        Err(reason) => {
            report.missing("the `wasmtime` command", reason);
            return Ok(None);
        }
    };
    let (module, code) = (bench.scratch.join("guest.wasm"), bench.scratch.join("guest.cwasm"));
    fs::write(&module, wat::parse_str(WASI_COMMAND)?)?;
    time(Command::new(&program).arg("compile").arg(&module).arg("-o").arg(&code))?;
    time(&mut run_precompiled(&program, &code))?;
    let version = Command::new(&program).arg("--version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    report.note(format!("The `wasmtime` command is {version}."));
    Ok(Some((program, code)))
}

fn run_precompiled(program: &Path, code: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["run", "--allow-precompiled"]).arg(code);
    command
}

/// Returns the interpreter itself, because `python3` may be a script that searches for it.
fn python(report: &mut Report) -> Option<PathBuf> {
    let mut python = Command::new("python3");
    let output = python.args(["-c", "import sys; print(sys.executable)"]).output();
    match output {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&output.stdout).trim().into())
        }
        _ => {
            report.missing("python3", "`python3` is not installed");
            None
        }
    }
}

/// Returns a command that starts Python and does nothing.
fn pass(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", "pass"]);
    command
}

fn measure(
    bench: &Bench<'_>,
    (one, many): (&Project, &Project),
    peers: &Peers,
) -> Result<Measurements> {
    let command = |project: &Project, arguments: &'static [&'static str]| {
        let project = project.path().to_owned();
        move || sample(|| ophost(&bench.options.ophost, &project, arguments))
    };
    let mut contenders = vec![
        Contender::new(OPHOST, command(one, &COMMAND)),
        Contender::new(TRUE, || sample(|| Command::new("/bin/true"))),
        Contender::new(MANY_PLUGINS, command(many, &COMMAND)),
        Contender::new(RECORDED, command(one, &RECORDED_COMMAND)),
        Contender::new(LIST, command(many, &["list"])),
    ];
    if let Some((program, code)) = &peers.wasmtime {
        let run = || sample(|| run_precompiled(program, code));
        contenders.insert(1, Contender::new(WASMTIME, run));
    }
    if let Some(python) = &peers.python {
        let run = || sample(|| pass(python));
        contenders.push(Contender::new(PYTHON, run));
    }
    interleave(&bench.probe, bench.options.rounds, contenders)
}

fn add_rows(report: &mut Report, measured: &Measurements) -> Result<()> {
    let series = |name: &str| measured.series(name, 0, Unit::Seconds);
    let ours = series(OPHOST)?;
    for (peer, goal) in [(WASMTIME, Some(1.2)), (PYTHON, None), (TRUE, None)] {
        if measured.contains(peer) {
            let row = Row::new("cold command, unrecorded", ours.clone()).beside(series(peer)?);
            report.add(match goal {
                Some(goal) => row.goal(Goal::RatioAtMost(goal)),
                None => row,
            });
        }
    }
    let recorded = series(RECORDED)?;
    let row = Row::new("cold command, recorded", recorded.clone().named(OPHOST));
    report.add(row.beside(ours.clone().named("unrecorded")));
    report.add(cost_of_the_record(&recorded, &ours));
    let many = series(MANY_PLUGINS)?.named(OPHOST);
    let row = Row::new("cold command, unrecorded, with 1,000 plugins", many);
    report.add(row.beside(ours.named("1 plugin")).goal(Goal::RatioAtMost(1.1)));
    let list = Row::new("list of 1,000 plugins, warm", series(LIST)?.named(OPHOST));
    report.add(list.goal(Goal::ValueAtMost(0.020)));
    Ok(())
}

/// Compares the additional time of a recorded command with five forced writes and 1 ms.
fn cost_of_the_record(recorded: &Series, unrecorded: &Series) -> Row {
    let more = recorded.combined(unrecorded, OPHOST, |with, without| with - without);
    let allowed = recorded.fsync_as("5 F + 1 ms", |fsync| 5.0 * fsync + 0.001);
    Row::new("cold command, cost of the record", more).beside(allowed).goal(Goal::RatioAtMost(1.0))
}

/// Counts the instructions of the command, and compares them with the guard in the tests.
fn count_instructions(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    const WHAT: &str = "instructions of a cold command";
    let program = &bench.options.ophost;
    if let Some(reason) = instructions::skip_reason(program)? {
        report.missing(WHAT, &reason);
        return Ok(());
    }
    let project = Project::empty(bench.scratch)?;
    let text = read_guest(&bench.options.guests, "text")?;
    let count = || Ok(vec![instructions::count(program, &text, project.path())? as f64]);
    let measured = interleave(&bench.probe, 1, vec![Contender::new(OPHOST, count)])?;
    let counted = measured.series(OPHOST, 0, Unit::Number)?;
    let number = counted.samples.first().copied().context("no count")?;
    report.add(Row::new(WHAT, counted).goal(Goal::ValueAtMost(9e6)));
    let allowed = (EXPECTED * ALLOWED_PERCENT / 100) as f64;
    let verdict = if number <= allowed { "passes" } else { "FAILS" };
    report.note(format!(
        "The guard in `tests/tests/instructions.rs` {verdict}: {number} instructions, at most \
         {allowed}. To update it, set `EXPECTED` in `tests/src/instructions.rs` to {number}."
    ));
    Ok(())
}

/// Compares the sizes of the binaries.
fn binary(bench: &Bench<'_>, report: &mut Report, peers: &Peers) -> Result<()> {
    let size = |file: &Path| Ok(vec![fs::metadata(file)?.len() as f64]);
    let mut contenders = vec![Contender::new(OPHOST, || size(&bench.options.ophost))];
    if let Some((program, _)) = &peers.wasmtime {
        contenders.push(Contender::new("wasmtime", || size(program)));
    }
    let measured = interleave(&bench.probe, 1, contenders)?;
    let row = Row::new("size of the release binary", measured.series(OPHOST, 0, Unit::Bytes)?);
    report.add(match peers.wasmtime {
        Some(_) => row.beside(measured.series("wasmtime", 0, Unit::Bytes)?),
        None => row,
    });
    Ok(())
}
