//! The benchmarks of ophost, beside their peers. `cargo xtask bench` builds and starts them.
//!
//! - `workloads`: what is measured. Each module has one table.
//! - `peers`: other programs and libraries that do the same.
//! - `measure`: interleaved measurements. `report`: the tables, the goals and the raw JSON.
//! - `project`: project directories and hosts. `process`: timed commands and children.
//! - `disk`: F, the unit of durable writes. `machine`: the machine and its load.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod disk;
mod format;
mod machine;
mod measure;
mod names;
mod options;
mod peers;
mod process;
mod project;
mod report;
mod workloads;

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use machine::Machine;
use options::Options;
use workloads::{record, size};

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [process::CHILD, role, directory, arguments @ ..] => {
            child(role, Path::new(directory), arguments)
        }
        _ => bench(&Options::parse(arguments.into_iter())?),
    }
}

/// Runs the workloads.
fn bench(options: &Options) -> Result<()> {
    fs::create_dir_all(&options.output)
        .with_context(|| format!("cannot create `{}`", options.output.display()))?;
    let mut text = format!("{}\n", Machine::this().line(&options.output));
    println!("{text}");
    for name in &options.names {
        text.push('\n');
        text.push_str(&workloads::run(options, name).with_context(|| format!("in `{name}`"))?);
    }
    if let Some(file) = &options.markdown {
        fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    println!("raw results: `{}`", options.output.display());
    Ok(())
}

/// Runs this program as a child of a measurement.
fn child(role: &str, directory: &Path, arguments: &[&str]) -> Result<()> {
    match (role, arguments) {
        ("record", []) => record::record_child(directory),
        ("count", [callers, runs]) => record::count_child(directory, callers, runs),
        ("spin", []) => record::spin_child(directory),
        ("record-endlessly", []) => size::record_endlessly(directory),
        ("insert-endlessly", [database]) => size::insert_endlessly(directory, database),
        _ => bail!("unknown role `{role}`"),
    }
}
