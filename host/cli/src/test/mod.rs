//! `ophost test`: runs the cases of a plugin.
//!
//! - `case`: the format of a case file. `suite`: the files of a project, and the checks in them.
//! - `runner`: runs cases. `pattern`: compares results with expectations.
//! - `report`, `junit`: the result as text, JSON and JUnit XML.
//! - `update`: rewrites expectations. `edit`: edits of JSON text. `from_run`: cases of recorded runs.
//! - `component`: builds or reads the component to test.
//! - `error`: errors.

mod case;
mod component;
mod edit;
mod error;
mod from_run;
mod junit;
mod pattern;
mod report;
mod runner;
mod suite;
mod update;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use ophost::config::Config;
use ophost::{Host, Progress};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(super) use self::component::Project;
pub(super) use self::error::TestError;
use self::from_run::{AddedCase, RecordedRun};
pub(super) use self::pattern::Difference;
use self::report::Summary;
pub(super) use self::report::differences;
use self::runner::{CheckResult, RunOptions};
use self::suite::{Check, LoadedFile, Test};
use self::update::FileUpdate;
use super::error::{CliError, Exit};
use super::output::{self, EscapedLine};
use super::progress::Bar;
use super::{completion, interrupt};

/// Directory of the case files in a project.
const CASES: &str = "cases";

#[derive(Debug, Args)]
#[command(after_help = FORMAT)]
pub(super) struct TestArgs {
    /// Directory of the plugin, which is built first, or a component.
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    project: PathBuf,
    /// Only cases with this text in `OPERATION: NAME`.
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
    /// Directory of the case files [default: `cases` in DIR, or beside FILE].
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Stop after the first failed case.
    #[arg(long)]
    fail_fast: bool,
    /// Rewrite the expected results of failed cases.
    #[arg(long)]
    update: bool,
    /// Add a recorded run as a case, and run only this case: an id, a prefix of it, or `latest`.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["filter", "update"])]
    #[arg(add = ArgValueCandidates::new(completion::runs))]
    from_run: Option<String>,
    /// Name of the added case [default: from the id and the status of the run].
    #[arg(long, value_name = "TEXT", requires = "from_run")]
    name: Option<String>,
    /// Write a report as JUnit XML to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

const FORMAT: &str = "\
Examples:
  ophost test
  ophost test my-plugin update_job --fail-fast
  ophost test my-plugin --update
  ophost test my-plugin --from-run latest

Each case runs with an empty store of its own, so the data directory is not changed. A case file is
`cases/OPERATION.json`:

  {
    \"operation\": \"update_job\",
    \"cases\": [
      {
        \"name\": \"a job is updated\",
        \"documents\": {\"jobs\": [{\"_id\": \"1\", \"title\": \"Baker\"}]},
        \"input\": {\"job_id\": \"1\", \"updates\": {\"title\": \"Cook\"}},
        \"output\": {\"success\": true, \"message\": \"<text>\"},
        \"documents_after\": {\"jobs\": [{\"_id\": \"1\", \"title\": \"Cook\"}]}
      }
    ]
  }

Other fields of a case: `failure` (a part of the error, in place of `output`), `flags`,
`item_errors`, `changes`, `result_refs`. Placeholders: `<text>` for one or more characters, `<run>`
for the id of the run, `<id:NAME>` for an id that the host creates.

Exit codes: 0 all cases passed, 1 a case failed or the build failed, 2 invalid arguments or case
files, 130 interrupted.";

/// Runs the command.
pub(super) fn run(args: &TestArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let project = Project::of(&args.project);
    project.check_language()?;
    let directory = args.cases.clone().unwrap_or_else(|| project.directory().join(CASES));
    let runtime = super::runtime()?;
    if let Some(run) = &args.from_run {
        // The run is read first, because the build can take long.
        let recorded = runtime.block_on(RecordedRun::read(config, run))?;
        let host = runtime.block_on(project.host(config))?;
        let AddedCase { file, name } = recorded.add_to(&directory, &host, args.name.as_deref())?;
        report_added(&file, &name);
        let files = [suite::load_file(file)?];
        let is_added = |test: &Test<'_>| test.name() == name;
        let tests = suite::select(&files, None)?.0.into_iter().filter(is_added).collect();
        let selection = Selection { files: &files, tests, filtered_out: 0 };
        return run_tests(&args.options(json)?, &host, &selection);
    }
    let files = suite::load(&directory)?;
    let (tests, filtered_out) = suite::select(&files, args.filter.as_deref())?;
    let host = runtime.block_on(project.host(config))?;
    suite::check_operations(&host, &files)?;
    run_tests(&args.options(json)?, &host, &Selection { files: &files, tests, filtered_out })
}

/// Runs all cases of a project with a host that has its operations.
///
/// # Errors
///
/// Returns [`CliError`] if the project has no cases, or a case file is not valid.
pub(super) fn run_all_cases(
    project: &Project,
    host: &Host,
    (cancel, json): (CancellationToken, bool),
) -> Result<ExitCode, CliError> {
    let files = suite::load(&project.directory().join(CASES))?;
    let (tests, filtered_out) = suite::select(&files, None)?;
    suite::check_operations(host, &files)?;
    let run = RunOptions { is_fail_fast: false, cancel };
    let options = Options { run, is_update: false, junit: None, json };
    run_tests(&options, host, &Selection { files: &files, tests, filtered_out })
}

/// How checks are run and reported.
struct Options<'a> {
    run: RunOptions,
    is_update: bool,
    junit: Option<&'a Path>,
    json: bool,
}

impl TestArgs {
    /// Returns the options. A signal cancels the run.
    fn options(&self, json: bool) -> Result<Options<'_>, CliError> {
        let cancel = CancellationToken::new();
        interrupt::cancel_on_signal(cancel.clone())?;
        let run = RunOptions { is_fail_fast: self.fail_fast, cancel };
        Ok(Options { run, is_update: self.update, junit: self.junit.as_deref(), json })
    }
}

fn report_added(file: &Path, name: &str) {
    let (file, name) = (file.display().to_string(), EscapedLine(name));
    output::stderr(&format!("added the case `{name}` to `{}`\n", EscapedLine(&file)));
    let note = "the record has only the documents that the run changed; add others that it read";
    output::stderr(&format!("note: {note}\n"));
}

/// The checks to run.
struct Selection<'f> {
    files: &'f [LoadedFile],
    tests: Vec<Test<'f>>,
    filtered_out: usize,
}

fn run_tests(
    options: &Options<'_>,
    host: &Host,
    selection: &Selection<'_>,
) -> Result<ExitCode, CliError> {
    let started = Instant::now();
    let Selection { files, tests, filtered_out } = selection;
    let results = run_and_print(options, host, tests)?;
    if options.run.cancel.is_cancelled() {
        return Ok(Exit::Interrupted.into());
    }
    let updated = match options.is_update {
        true => update(files, &results)?,
        false => vec![Vec::new(); results.len()],
    };
    let summary = Summary {
        filtered_out: *filtered_out,
        not_run: tests.len() - results.len(),
        duration: started.elapsed(),
        ..count(&results, &updated)
    };
    print(&results, &updated, &summary, options.json)?;
    if let Some(file) = options.junit {
        let written = junit::write(file, &results, summary.duration);
        written.map_err(|source| TestError::Unwritable { file: file.to_owned(), source })?;
    }
    Ok(if summary.is_ok() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

/// Runs checks, and prints a line for each.
fn run_and_print<'t>(
    options: &Options<'_>,
    host: &Host,
    tests: &'t [Test<'t>],
) -> Result<Vec<(&'t Test<'t>, CheckResult)>, CliError> {
    let bar = Bar::for_terminal();
    let (mut results, mut printed) = (Vec::new(), Ok(()));
    runner::run_all(host, tests, &options.run, |index, result| {
        let test = &tests[index];
        if !options.json {
            let is_updated = options.is_update && is_updatable(&result);
            let print = || output::stdout(&report::line(test, &result, is_updated));
            let result = bar.as_ref().map_or_else(print, |bar| bar.suspend(print));
            printed = std::mem::replace(&mut printed, Ok(())).and(result);
        }
        results.push((test, result));
        if let Some(bar) = &bar {
            let (done, total) = (results.len() as u64, Some(tests.len() as u64));
            bar.report(&Progress { done, total, message: None });
        }
    })?;
    printed?;
    Ok(results)
}

/// Returns whether `--update` can rewrite the expectation of a check.
fn is_updatable(result: &CheckResult) -> bool {
    !result.is_passed() && result.actual.is_some()
}

/// Rewrites the expectations of failed cases, and returns the changed parts of each check.
fn update(
    files: &[LoadedFile],
    results: &[(&Test<'_>, CheckResult)],
) -> Result<Vec<Vec<&'static str>>, TestError> {
    let mut updated = vec![Vec::new(); results.len()];
    for file in files {
        let mut edits = FileUpdate::new(&file.text);
        for ((test, result), updated) in results.iter().zip(&mut updated) {
            let Check::Case(case) = test.check else { continue };
            let index = file.content.cases.iter().position(|it| std::ptr::eq(it, case));
            if let (Some(index), Some(actual), false) = (index, &result.actual, result.is_passed())
            {
                *updated = edits.add(index, case, actual);
            }
        }
        if let Some(text) = edits.text() {
            update::write(&file.path, &text)?;
        }
    }
    Ok(updated)
}

fn count(results: &[(&Test<'_>, CheckResult)], updated: &[Vec<&'static str>]) -> Summary {
    let mut summary = Summary::default();
    for ((_, result), updated) in results.iter().zip(updated) {
        match (result.is_passed(), updated.is_empty()) {
            (true, _) => summary.passed += 1,
            (false, true) => summary.failed += 1,
            (false, false) => summary.updated += 1,
        }
    }
    summary
}

fn print(
    results: &[(&Test<'_>, CheckResult)],
    updated: &[Vec<&'static str>],
    summary: &Summary,
    json: bool,
) -> Result<(), CliError> {
    if json {
        let results = results.iter().zip(updated);
        let cases: Vec<_> = results
            .map(|((test, result), updated)| report::as_json(test, result, updated))
            .collect();
        let duration = u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX);
        return output::json(&json!({
            "cases": cases,
            "passed": summary.passed,
            "failed": summary.failed,
            "updated": summary.updated,
            "not_run": summary.not_run,
            "filtered_out": summary.filtered_out,
            "duration_ms": duration,
        }));
    }
    let mut text = String::from("\n");
    for ((test, _), updated) in results.iter().zip(updated) {
        if !updated.is_empty() {
            let file = test.file.path.display().to_string();
            let (name, file) = (test.full_name(), EscapedLine(&file));
            let parts = updated.join(", ");
            text.push_str(&format!("updated {} ({file}): {parts}\n", EscapedLine(&name)));
        }
    }
    if summary.failed > 0 {
        text.push_str("failures:\n\n");
    }
    for ((test, result), updated) in results.iter().zip(updated) {
        if !result.is_passed() && updated.is_empty() {
            text.push_str(&report::details(test, result));
        }
    }
    text.push_str(&summary.text());
    output::stdout(&text)
}
