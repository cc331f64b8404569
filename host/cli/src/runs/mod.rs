//! `ophost runs` and `ophost store`.

mod filter;
mod list;
mod prune;
mod rerun;
mod show;
mod stats;
pub(super) mod time;
mod undo;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use ophost::{
    CompactReport, EraseOutcome, FindError, Host, RunId, Runs, SalvageReport, Status,
    config::Config, document::ChangeSet,
};
use serde_json::json;

use super::atomic_file::ensure_absent;
use super::error::{CliError, Exit};
use super::output::{self, EscapedLine};
use super::{changes, completion, settings};

/// Interval at which a run is polled while the command waits for it.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

const EXAMPLES: &str = "\
Examples:
  ophost runs list --status failed --since 2h
  ophost runs show latest
  ophost runs logs latest --follow
  ophost runs rerun latest --edit text='Hello again'
  ophost runs undo latest --dry-run
  ophost runs export --operation slugify > runs.jsonl";

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List runs, newest first. Exit code 1 if corrupted records were skipped.
    List(list::ListArgs),
    /// Show the record of a run.
    Show(RunSelector),
    /// Show the log of a run.
    Logs(show::LogsArgs),
    /// Show the document changes of a run, also if its record was removed.
    Changes(RunSelector),
    /// Show counts, failures and times per operation. Exit code 1 if corrupted records were skipped.
    Stats(filter::FilterArgs),
    /// Run again with the same input, user and flags (including --dry-run).
    Rerun(Box<rerun::RerunArgs>),
    /// Revert the document changes of a run, by a recorded run of `ophost.undo`.
    Undo(undo::UndoArgs),
    /// Cancel a run of any process. Exit code: 1 if the run ended in another way, 2 if it has
    /// already ended.
    Cancel(RunSelector),
    /// Wait for a run to finish. Exit code: 0 success, 1 failed, 130 cancelled, 8 timed out.
    Wait(WaitArgs),
    /// Print complete records as JSON lines. Exit code 1 if corrupted records were skipped.
    Export(filter::FilterArgs),
    /// Delete the input, output, log and errors of a finished run. The rest of the record remains,
    /// with the failure kind and the document changes (`runs changes`).
    Erase(RunSelector),
    /// Remove the records of finished runs that exceed the retention of the settings or of the
    /// flags, or of named runs.
    Prune(prune::PruneArgs),
}

/// Selects a run.
#[derive(Debug, Args)]
struct RunSelector {
    /// Id of the run, a prefix of the id, or `latest`.
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completion::runs))]
    id: String,
}

#[derive(Debug, Args)]
struct WaitArgs {
    #[command(flatten)]
    run: RunSelector,
    /// Maximum time to wait, such as 30s or 5m [default: no limit].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

pub(super) fn run(args: RunsArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let host = settings::store_builder(config)?.build_without_plugins()?;
    super::runtime()?.block_on(dispatch((&host, &runs(&host)?), args.command, config, json))
}

async fn dispatch(
    (host, runs): (&Host, &Runs<'_>),
    command: RunsCommand,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    match command {
        RunsCommand::List(args) => list::run(runs, args, json).await,
        RunsCommand::Show(selector) => {
            show::print(&runs.find(&selector.id).await?, json)?;
            Ok(ExitCode::SUCCESS)
        }
        RunsCommand::Logs(args) => show::logs(runs, args, json).await,
        RunsCommand::Changes(selector) => show_changes(runs, &selector.id, json).await,
        RunsCommand::Stats(filter) => stats::run(runs, filter, json).await,
        RunsCommand::Rerun(args) => rerun::run(runs, *args, config, json).await,
        RunsCommand::Undo(args) => undo::run((host, runs), args, json).await,
        RunsCommand::Cancel(selector) => cancel(runs, &selector.id, json).await,
        RunsCommand::Wait(args) => wait(runs, args, json).await,
        RunsCommand::Export(filter) => list::export(runs, filter).await,
        RunsCommand::Erase(selector) => erase(runs, &selector.id, json).await,
        RunsCommand::Prune(args) => prune::run(runs, args, &config.retention.policy(), json).await,
    }
}

/// Returns the read API of run records.
fn runs(host: &Host) -> Result<Runs<'_>, CliError> {
    host.runs().ok_or_else(|| CliError::usage("no data directory is set"))
}

async fn wait(runs: &Runs<'_>, args: WaitArgs, json: bool) -> Result<ExitCode, CliError> {
    // `latest` must name the same run in every iteration.
    let run_id = runs.find(&args.run.id).await?.id;
    let ended = async {
        loop {
            let run = runs.follow(run_id).await?;
            if run.state.status().is_final() {
                return Ok::<_, CliError>(run);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let run = match args.timeout {
        None => ended.await?,
        Some(timeout) => match tokio::time::timeout(timeout, ended).await {
            Ok(run) => run?,
            Err(_) => return Err(CliError::WaitTimeout { run_id, timeout }),
        },
    };
    show::print(&run, json)?;
    Ok(show::exit_code(&run))
}

async fn cancel(runs: &Runs<'_>, name: &str, json: bool) -> Result<ExitCode, CliError> {
    let run = runs.find(name).await?;
    if run.state.status().is_final() {
        let what = format!("has already ended: {}", run.state.status());
        return Err(CliError::run_state(&run, what));
    }
    let run = runs.cancel(run).await?;
    let (id, status) = (run.id, run.state.status());
    if json {
        output::json(&json!({"id": id, "status": status}))?;
    } else {
        output::stderr(&format!("run {id} ended: {status}\n"));
    }
    Ok(if status == Status::Cancelled { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

async fn show_changes(runs: &Runs<'_>, name: &str, json: bool) -> Result<ExitCode, CliError> {
    let (id, changed) = find_changes(runs, name).await?;
    if json {
        output::json(&json!({"id": id, "change_set": changes::as_json(&changed)}))?;
    } else if changed.is_empty() {
        output::stderr(&format!("run {id} changed no document\n"));
    } else {
        let mut text = String::new();
        changes::documents(&mut text, &changed);
        output::stdout(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the document changes of a run. They remain if the record is removed.
async fn find_changes(runs: &Runs<'_>, name: &str) -> Result<(RunId, ChangeSet), CliError> {
    match (runs.find(name).await, name.parse::<RunId>()) {
        (Ok(run), _) => Ok((run.id, runs.changes(run.id).await?)),
        (Err(error @ FindError::None { .. }), Ok(id)) => match runs.changes(id).await? {
            changed if changed.is_empty() => Err(error.into()),
            changed => Ok((id, changed)),
        },
        (Err(error), _) => Err(error.into()),
    }
}

async fn erase(runs: &Runs<'_>, name: &str, json: bool) -> Result<ExitCode, CliError> {
    let run = runs.find(name).await?;
    match runs.erase(run.id).await? {
        EraseOutcome::Done(run) if json => {
            output::json(&json!({"id": run.id, "erased_at": run.erased_at}))?
        }
        EraseOutcome::Done(run) => {
            output::stderr(&format!("erased the input, output, log and errors of run {}\n", run.id))
        }
        EraseOutcome::Unfinished(run) => return Err(CliError::run_state(&run, "has not ended")),
        EraseOutcome::NotFound => return Err(FindError::None { name: name.to_owned() }.into()),
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Read every value of the store and print the problems.
    Check,
    /// Copy the store to a file, while other processes use it. The files of long logs
    /// (`.ophost/logs`) are not copied.
    Backup(Target),
    /// Shrink the store file by the space of removed data. No other process may use the store.
    Compact,
    /// Copy the readable data of a corrupted store to a new file. Exit code 1 if data was lost.
    Salvage(Target),
}

#[derive(Debug, Args)]
struct Target {
    /// Path of the new file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs `ophost store`.
pub(super) fn store(args: StoreArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let host = settings::store_builder(config)?.build_without_plugins()?;
    super::runtime()?.block_on(maintain(&runs(&host)?, args.command, json))
}

async fn maintain(
    runs: &Runs<'_>,
    command: StoreCommand,
    json: bool,
) -> Result<ExitCode, CliError> {
    match command {
        StoreCommand::Check => check(runs, json).await,
        StoreCommand::Backup(Target { file }) => backup(runs, &file, json).await,
        StoreCommand::Compact => compact(runs, json).await,
        StoreCommand::Salvage(Target { file }) => salvage(runs, &file, json).await,
    }
}

async fn backup(runs: &Runs<'_>, file: &Path, json: bool) -> Result<ExitCode, CliError> {
    ensure_absent(file)?;
    runs.backup(file).await?;
    let name = file.display().to_string();
    if json {
        output::json(&json!({"file": name}))?;
    } else {
        output::stderr(&format!("copied to `{}`\n", EscapedLine(&name)));
    }
    if let Some(note) = not_copied(runs.log_files()) {
        output::stderr(&note);
    }
    Ok(ExitCode::SUCCESS)
}

async fn compact(runs: &Runs<'_>, json: bool) -> Result<ExitCode, CliError> {
    let CompactReport { before, after } = runs.compact().await?;
    if json {
        output::json(&json!({"before": before, "after": after}))?;
    } else {
        output::stdout(&format!("{} before, {} after\n", ByteSize(before), ByteSize(after)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a note about the log files that a backup does not contain, if there are any.
fn not_copied(log_files: usize) -> Option<String> {
    let files = match log_files {
        0 => return None,
        1 => "the log file".to_owned(),
        count => format!("the {count} log files"),
    };
    Some(format!("not copied: {files} of .ophost/logs\n"))
}

async fn salvage(from: &Runs<'_>, file: &Path, json: bool) -> Result<ExitCode, CliError> {
    ensure_absent(file)?;
    let SalvageReport { runs, documents, lost } = from.salvage(file).await?;
    if json {
        output::json(&json!({"runs": runs, "documents": documents, "lost": lost}))?;
    } else {
        lost.iter().for_each(|line| output::stderr(&format!("problem: {}\n", EscapedLine(line))));
        output::stderr(&salvage_summary(runs, documents, lost.len()));
    }
    Ok(if lost.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

async fn check(runs: &Runs<'_>, json: bool) -> Result<ExitCode, CliError> {
    let found = runs.check().await?;
    if json {
        output::json(&json!({"problems": found}))?;
    } else if found.is_empty() {
        output::stdout("no problems found\n")?;
    } else {
        output::stdout(
            &found.iter().map(|line| format!("{}\n", EscapedLine(line))).collect::<String>(),
        )?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn salvage_summary(runs: u64, documents: u64, lost: usize) -> String {
    let counted = |count: u64, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let (runs, documents) = (counted(runs, "run"), counted(documents, "document"));
    format!("recovered {runs} and {documents}, {}\n", counted(lost as u64, "problem"))
}
