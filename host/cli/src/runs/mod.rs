//! `ophost runs`: what was run.

mod again;
mod bulk;
mod list;
mod reruns;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use super::atomic_file::ensure_absent;
use super::error::{CliError, Exit};
use super::output::{self, EscapedLine};
use super::{changes, completion, settings};
use ophost::Host;
use ophost::Status;
use ophost::config::Config;
use ophost::{EraseOutcome, SalvageReport};
use ophost::{FindError, Runs};

/// How often a run is looked at that is waited for.
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
  ophost runs export --operation slugify > runs.jsonl";

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List runs, the newest first; exits with 1 if damaged ones are left out.
    List(list::ListArgs),
    /// Show everything that is kept of a run.
    Show(RunSelector),
    /// Show the log of a run.
    Logs(show::LogsArgs),
    /// Show what a run changed of documents.
    Changes(RunSelector),
    /// Count runs, failures and times of each operation; exits with 1 if damaged ones are left out.
    Stats(list::FilterArgs),
    /// Run again what was run, with the input, user and flags that it had: a dry run stays one.
    Rerun(Box<again::RerunArgs>),
    /// Stop a run, also one of another terminal; exits with 1 if it ended otherwise meanwhile, with
    /// 2 if it had ended before.
    Cancel(RunSelector),
    /// Wait until a run has ended; exits as that: 0, 1 failed, 130 cancelled, 8 out of time.
    Wait(WaitArgs),
    /// Print runs as JSON, one a line, with all that is kept of each; exits with 1 if damaged ones
    /// are left out.
    Export(list::FilterArgs),
    /// Remove what an ended run was given, returned and said; that it happened stays, and so do
    /// the documents that it changed, with what `runs changes` shows of them.
    Erase(RunSelector),
}

/// A run.
#[derive(Debug, Args)]
struct RunSelector {
    /// Its id, the beginning of it, or `latest`.
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completion::runs))]
    id: String,
}

#[derive(Debug, Args)]
struct WaitArgs {
    #[command(flatten)]
    run: RunSelector,
    /// How long to wait, such as 30s or 5m [default: for ever].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

pub(super) fn run(args: RunsArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let host = settings::store_builder(config)?.build_without_plugins()?;
    super::runtime()?.block_on(dispatch(&runs(&host)?, args.command, config, json))
}

async fn dispatch(
    runs: &Runs<'_>,
    command: RunsCommand,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    match command {
        RunsCommand::List(args) => list::run(runs, args, json).await,
        RunsCommand::Show(named) => {
            show::print(&runs.find(&named.id).await?, json)?;
            Ok(ExitCode::SUCCESS)
        }
        RunsCommand::Logs(args) => show::logs(runs, args, json).await,
        RunsCommand::Changes(named) => show_changes(runs, &named.id, json).await,
        RunsCommand::Stats(filter) => list::stats(runs, filter, json).await,
        RunsCommand::Rerun(args) => again::run(runs, *args, config, json).await,
        RunsCommand::Cancel(named) => cancel(runs, &named.id, json).await,
        RunsCommand::Wait(args) => wait(runs, args, json).await,
        RunsCommand::Export(filter) => list::export(runs, filter).await,
        RunsCommand::Erase(named) => erase(runs, &named.id, json).await,
    }
}

/// Returns the records; every command has a data directory.
fn runs(host: &Host) -> Result<Runs<'_>, CliError> {
    host.runs().ok_or_else(|| CliError::usage("there is no data directory"))
}

async fn wait(runs: &Runs<'_>, args: WaitArgs, json: bool) -> Result<ExitCode, CliError> {
    // Another run may be the latest meanwhile.
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
            Err(_) => return Err(CliError::WaitedTooLong { run_id, timeout }),
        },
    };
    show::print(&run, json)?;
    Ok(show::exit_code(&run))
}

async fn cancel(runs: &Runs<'_>, name: &str, json: bool) -> Result<ExitCode, CliError> {
    let run = runs.find(name).await?;
    if run.state.status().is_final() {
        let what = format!("has ended already: {}", run.state.status());
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
    let run = runs.find(name).await?;
    let changed = runs.changes(run.id).await?;
    if json {
        output::json(&json!({"id": run.id, "change_set": changes::as_json(&changed)}))?;
    } else if changed.is_empty() {
        output::stderr(&format!("run {} changed no document\n", run.id));
    } else {
        let mut text = String::new();
        changes::documents(&mut text, &changed);
        output::stdout(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn erase(runs: &Runs<'_>, name: &str, json: bool) -> Result<ExitCode, CliError> {
    let run = runs.find(name).await?;
    match runs.erase(run.id).await? {
        EraseOutcome::Done(run) if json => {
            output::json(&json!({"id": run.id, "erased_at": run.erased_at}))?
        }
        EraseOutcome::Done(run) => output::stderr(&format!("erased what run {} held\n", run.id)),
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
    /// Read every value and say what is wrong.
    Check,
    /// Copy the store as it is now to a file; others may go on writing. Log files, which hold what
    /// long logs have beyond their records, are not in it.
    Backup(Target),
    /// Copy what can be read of a damaged store to a new one; exits with 1 if anything is lost.
    Salvage(Target),
}

#[derive(Debug, Args)]
struct Target {
    /// The new file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// `ophost store`: the file that holds the records.
pub(super) fn store(args: StoreArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let host = settings::store_builder(config)?.build_without_plugins()?;
    super::runtime()?.block_on(look_after(&runs(&host)?, args.command, json))
}

async fn look_after(
    runs: &Runs<'_>,
    command: StoreCommand,
    json: bool,
) -> Result<ExitCode, CliError> {
    match command {
        StoreCommand::Check => check(runs, json).await,
        StoreCommand::Backup(Target { file }) => backup(runs, &file, json).await,
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
    if let Some(told) = not_copied(runs.log_files()) {
        output::stderr(&told);
    }
    Ok(ExitCode::SUCCESS)
}

/// Says how many log files a copy of the store leaves out, if there are any.
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
        lost.iter().for_each(|line| output::stderr(&format!("lost: {}\n", EscapedLine(line))));
        output::stderr(&saved(runs, documents, lost.len()));
    }
    Ok(if lost.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

async fn check(runs: &Runs<'_>, json: bool) -> Result<ExitCode, CliError> {
    let found = runs.check().await?;
    if json {
        output::json(&json!({"problems": found}))?;
    } else if found.is_empty() {
        output::stdout("the store is sound\n")?;
    } else {
        output::stdout(
            &found.iter().map(|line| format!("{}\n", EscapedLine(line))).collect::<String>(),
        )?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn saved(runs: u64, documents: u64, lost: usize) -> String {
    let some = |count: u64, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let (runs, documents) = (some(runs, "run"), some(documents, "document"));
    format!("saved {runs} and {documents}, lost {}\n", some(lost as u64, "thing"))
}
