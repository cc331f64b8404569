//! The cost of a plugin with an interpreter: its compilation, and a call in a process.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result};
use ophost::Request;
use serde_json::json;

use super::Bench;
use crate::measure::{Contender, Unit, interleave, median};
use crate::process::{ophost, time};
use crate::project::{OpenHost, Project, succeeded};
use crate::report::{Goal, Report, Row};

/// Calls of one sample, whose median counts.
const CALLS: usize = 200;
/// Ratio of the compilers, for the commands of authors.
const COMPILE_GOAL: Goal = Goal::RatioAtMost(0.45);
/// Seconds of a call in Python beyond the same call in Rust.
const CALL_GOAL: Goal = Goal::ValueAtMost(0.015);

const WINCH: &str = "winch";
const CRANELIFT: &str = "cranelift";
const PYTHON: &str = "Python";
const RUST: &str = "Rust";

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let component = match bench.options.python.get() {
        Ok(file) => fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?,
        Err(reason) => {
            report.missing(PYTHON, reason);
            return Ok(());
        }
    };
    report.note(format!("The Python plugin has {} bytes.", component.len()));
    compile(bench, report, &component)?;
    call(bench, report, &component)
}

/// Measures the first `list` of a project with the Python plugin, for each compiler.
fn compile(bench: &Bench<'_>, report: &mut Report, component: &[u8]) -> Result<()> {
    let sample = |compiler: &str| {
        let project = Project::empty(bench.scratch)?;
        project.add("python", component)?;
        let mut list = ophost(&bench.options.ophost, project.path(), &["list"]);
        anyhow::Ok(vec![time(list.env("OPHOST_COMPILE_COMPILER", compiler))?])
    };
    let contenders = [WINCH, CRANELIFT].map(|name| Contender::new(name, || sample(name)));
    let measured = interleave(&bench.probe, bench.options.rounds, contenders.into())?;
    let winch = measured.series(WINCH, 0, Unit::Seconds)?;
    let row = Row::new("first list of a Python plugin", winch);
    report.add(row.beside(measured.series(CRANELIFT, 0, Unit::Seconds)?).goal(COMPILE_GOAL));
    Ok(())
}

/// Measures calls in a fresh instance, whose code is loaded.
fn call(bench: &Bench<'_>, report: &mut Report, component: &[u8]) -> Result<()> {
    let project = Project::empty(bench.scratch)?;
    project.add("python", component)?;
    project.add_guest(&bench.options.guests, "text")?;
    let host = OpenHost::open_with_pool(project.path(), 0)?;
    let contender = |name, operation: &'static str| {
        let host = &host;
        Contender::new(name, move || sample(host, operation))
    };
    let contenders = vec![contender(PYTHON, "bench.slugify"), contender(RUST, "slugify")];
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let python = measured.series(PYTHON, 0, Unit::Seconds)?;
    let rust = measured.series(RUST, 0, Unit::Seconds)?;
    let beyond = python.combined(&rust, "Python beyond Rust", |python, rust| python - rust);
    report.add(Row::new("call of the same operation", python).beside(rust));
    report.add(Row::new("call of the same operation", beyond).goal(CALL_GOAL));
    Ok(())
}

/// Returns the median time of a call without a record.
fn sample(host: &OpenHost, operation: &str) -> Result<Vec<f64>> {
    let times = (0..CALLS).map(|_| {
        let request = Request::new(operation, json!({"text": "Hello, World!"})).record(false);
        let started = Instant::now();
        succeeded(host.runtime.block_on(host.host.run(request))?)?;
        Ok(started.elapsed().as_secs_f64())
    });
    Ok(vec![median(&times.collect::<Result<Vec<_>>>()?)])
}
