//! The workloads. Each compares ophost with its peers and fills a report.

pub(crate) mod call;
pub(crate) mod command;
pub(crate) mod documents;
mod languages;
pub(crate) mod record;
mod retention;
pub(crate) mod size;
mod undo;

use std::path::Path;

use anyhow::{Result, bail};

use crate::disk::FsyncProbe;
use crate::names::WORKLOADS;
use crate::options::Options;
use crate::report::Report;

/// What every workload needs.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    /// A directory for projects and databases, on the disk that is measured.
    pub(crate) scratch: &'a Path,
    pub(crate) probe: FsyncProbe,
}

/// Runs a workload and returns its report as Markdown.
///
/// # Errors
///
/// Returns the error of the first measurement that fails.
pub(crate) fn run(options: &Options, name: &str) -> Result<String> {
    let about = WORKLOADS.iter().find(|(known, _)| *known == name);
    let about = about.map_or("", |(_, about)| about);
    // Not in the temporary directory of the system, which may be in memory.
    let scratch = tempfile::tempdir_in(&options.output)?;
    let probe = FsyncProbe::new(scratch.path())?;
    let bench = Bench { options, scratch: scratch.path(), probe };
    let mut report = Report::start(name, about)?;
    match name {
        "call" => call::run(&bench, &mut report)?,
        "command" => command::run(&bench, &mut report)?,
        "documents" => documents::run(&bench, &mut report)?,
        "languages" => languages::run(&bench, &mut report)?,
        "record" => record::run(&bench, &mut report)?,
        "size" => size::run(&bench, &mut report)?,
        other => bail!("unknown benchmark `{other}`"),
    }
    report.finish(&options.output, options.rounds)
}
