//! The cost of plugins in other languages than Rust: the compilation of an interpreter, and a call in
//! a process.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result};
use ophost::Request;
use serde_json::json;

use super::Bench;
use crate::measure::{Contender, Unit, interleave, median};
use crate::names::SAMPLES;
use crate::process::{ophost, time};
use crate::project::{OpenHost, Project, read_guest, succeeded};
use crate::report::{Goal, Report, Row};

/// Calls of one sample, whose median counts.
const CALLS: usize = 200;
/// Ratio of the compilers, for the commands of authors.
const COMPILE_GOAL: Goal = Goal::RatioAtMost(0.45);
/// Seconds of a call in Python beyond the same call in Rust.
const PYTHON_GOAL: f64 = 0.015;

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
    compile(bench, report, &component)?;
    call(bench, report, component)
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

/// A plugin with an operation that does the same as `slugify` of the Rust plugin `text`.
struct Plugin {
    language: &'static str,
    operation: &'static str,
    component: Vec<u8>,
    /// The maximum of the seconds of a call beyond the same call in Rust.
    goal: f64,
}

/// Measures calls in a fresh instance, whose code is loaded.
fn call(bench: &Bench<'_>, report: &mut Report, python: Vec<u8>) -> Result<()> {
    let mut plugins = samples(bench, report);
    let (operation, component) = ("bench.slugify", python);
    plugins.push(Plugin { language: PYTHON, operation, component, goal: PYTHON_GOAL });
    let rust = read_guest(&bench.options.guests, "text")?;
    let rust = Plugin { language: RUST, operation: "slugify", component: rust, goal: 0.0 };
    let hosts = plugins.iter().chain([&rust]).map(|plugin| plugin.host(bench));
    let hosts = hosts.collect::<Result<Vec<_>>>()?;
    let contenders = plugins.iter().chain([&rust]).zip(&hosts).map(|(plugin, (_, host))| {
        Contender::new(plugin.language, move || sample(host, plugin.operation))
    });
    let measured = interleave(&bench.probe, bench.options.rounds, contenders.collect())?;
    let rust = measured.series(RUST, 0, Unit::Seconds)?;
    let size = |plugin: &Plugin| format!("{} {}", plugin.language, plugin.component.len());
    let sizes: Vec<_> = plugins.iter().map(size).collect();
    report.note(format!("Bytes of the components: {}.", sizes.join(", ")));
    for plugin in &plugins {
        let series = measured.series(plugin.language, 0, Unit::Seconds)?;
        let name = format!("{} beyond Rust", plugin.language);
        let beyond = series.combined(&rust, &name, |other, rust| other - rust);
        report.add(Row::new("call of the same operation", series).beside(rust.clone()));
        let row = Row::new("call of the same operation", beyond);
        report.add(row.goal(Goal::ValueAtMost(plugin.goal)));
    }
    Ok(())
}

/// Returns the samples that have been built.
fn samples(bench: &Bench<'_>, report: &mut Report) -> Vec<Plugin> {
    let mut plugins = Vec::new();
    for language in SAMPLES {
        let file = bench.options.samples.join(format!("{language}.wasm"));
        match fs::read(&file) {
            Ok(component) => {
                let goal = goal(language);
                plugins.push(Plugin { language, operation: "slugify", component, goal });
            }
            Err(_) => report.missing(language, "the sample could not be built"),
        }
    }
    plugins
}

fn goal(language: &str) -> f64 {
    match language {
        "go" => 0.003,
        "javascript" | "typescript" => 0.002,
        _ => 0.000_3,
    }
}

impl Plugin {
    /// Returns a host with only this plugin, and its project.
    fn host(&self, bench: &Bench<'_>) -> Result<(Project, OpenHost)> {
        let project = Project::empty(bench.scratch)?;
        project.add("plugin", &self.component)?;
        let host = OpenHost::open_with_pool(project.path(), 0)?;
        Ok((project, host))
    }
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
