//! `ophost runs prune`: removes runs and document changes by retention, or named runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap_complete::engine::ArgValueCandidates;
use ophost::{
    HeldRuns, NamedRemoval, Progress, PruneReport, RemoveError, RetentionPolicy, RunHold,
    RunRetention, Runs, Status,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::{CliError, Exit};
use crate::output::{self, EscapedLine};
use crate::progress::Bar;
use crate::{completion, interrupt};

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct PruneArgs {
    /// Ids of the runs to remove, prefixes of ids, or `latest`. Without them, the runs that exceed
    /// the retention.
    #[arg(value_name = "ID", conflicts_with = "rules")]
    #[arg(add = ArgValueCandidates::new(completion::runs))]
    ids: Vec<String>,
    /// Show what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    rules: RuleArgs,
}

/// Rules in place of those of the settings.
#[derive(Debug, Args)]
#[group(id = "rules", multiple = true)]
struct RuleArgs {
    /// Remove runs that ended before this time, such as 30d; replaces the settings.
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<Duration>,
    /// Remove all but the newest runs of this number; replaces the settings.
    #[arg(long, value_name = "COUNT", value_parser = count)]
    max_runs: Option<u64>,
    /// Only runs with this status: success, failed or cancelled; repeatable. Needs --older-than or
    /// --max-runs.
    #[arg(long, value_name = "STATUS", value_parser = final_status(), ignore_case = true)]
    status: Vec<Status>,
    /// Remove document changes before this time, such as 30d; replaces the settings. The documents
    /// do not change.
    #[arg(long, value_name = "TIME", value_parser = age)]
    history_older_than: Option<Duration>,
}

const NOTES: &str = "\
Examples:
  ophost runs prune --dry-run
  ophost runs prune --older-than 30d --status success
  ophost runs prune --history-older-than 90d

Runs that have not finished are never removed. Runs with a live idempotency key, undone runs, and
runs that other runs are linked to are removed only by ID. The document history keeps the operation,
the user, the time and the id of a removed run. The file of the store does not shrink, but the space
is used again: see `ophost store compact`.";

/// Parses an age that is not zero.
fn age(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be greater than zero".to_owned()),
        age => age.map_err(|error| error.to_string()),
    }
}

/// Parses a number that is not zero.
fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("must be greater than zero".to_owned()),
        count => count.map_err(|_| "not a number".to_owned()),
    }
}

fn final_status() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(["success", "failed", "cancelled"])
        .try_map(|word| word.parse::<Status>())
}

impl RuleArgs {
    /// Returns the policy of the flags; `None` if no flag is set.
    fn policy(&self) -> Result<Option<RetentionPolicy>, CliError> {
        let rule = RunRetention { max_age: self.older_than, max_runs: self.max_runs };
        let history_max_age = self.history_older_than;
        if rule.is_unlimited() && !self.status.is_empty() {
            let hint = "add `--older-than TIME` or `--max-runs COUNT`".to_owned();
            return Err(CliError::Usage { message: "`--status` has no limit".to_owned(), hint });
        }
        if rule.is_unlimited() && history_max_age.is_none() {
            return Ok(None);
        }
        let is_selected = |status| self.status.is_empty() || self.status.contains(&status);
        let own = |status| (!is_selected(status)).then(RunRetention::default);
        Ok(Some(RetentionPolicy {
            runs: rule,
            success: own(Status::Success),
            failed: own(Status::Failed),
            cancelled: own(Status::Cancelled),
            history_max_age,
        }))
    }
}

/// Runs `ophost runs prune`. `settings` is the policy of the settings.
pub(super) async fn run(
    runs: &Runs<'_>,
    args: PruneArgs,
    settings: &RetentionPolicy,
    json: bool,
) -> Result<ExitCode, CliError> {
    if !args.ids.is_empty() {
        return remove_named(runs, &args.ids, args.dry_run, json).await;
    }
    let by_flags = args.rules.policy()?;
    let is_by_settings = by_flags.is_none();
    let policy = by_flags.unwrap_or_else(|| settings.clone());
    if policy.is_empty() {
        let message = "no retention is set".to_owned();
        let hint = "set `[retention]` in `ophost.toml`, or use `--older-than` or `--max-runs`";
        return Err(CliError::Usage { message, hint: hint.to_owned() });
    }
    let report = if args.dry_run {
        runs.preview_prune(&policy).await?
    } else {
        let report = prune(runs, &policy).await?;
        if is_by_settings {
            runs.note_prune(&report).await?;
        }
        report
    };
    print(&report, args.dry_run, json)?;
    Ok(if report.is_cancelled {
        Exit::Interrupted.into()
    } else if report.corrupted.is_empty() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

async fn prune(runs: &Runs<'_>, policy: &RetentionPolicy) -> Result<PruneReport, CliError> {
    let cancel = CancellationToken::new();
    interrupt::cancel_on_signal(cancel.clone())?;
    let bar = Bar::for_terminal();
    let show = |done| {
        if let Some(bar) = &bar {
            let message = Some("removed".to_owned());
            bar.report(&Progress { done, total: None, message });
        }
    };
    Ok(runs.prune(policy, &cancel, show).await?)
}

fn print(report: &PruneReport, is_dry: bool, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&as_json(report, is_dry));
    }
    report.corrupted.iter().for_each(|error| {
        output::warn(&format!("a corrupted record is kept: {error}"));
    });
    output::stdout(&text(report, is_dry))
}

fn as_json(report: &PruneReport, is_dry: bool) -> Value {
    let HeldRuns { idempotency_key, undone, linked } = report.held;
    json!({
        "dry_run": is_dry,
        "removed": {
            "runs": report.runs(),
            "by_status": report.removed,
            "commits": report.commits,
            "changes": report.changes,
        },
        "kept": {"idempotency_key": idempotency_key, "undone": undone, "linked": linked},
        "corrupted": report.corrupted.len(),
        "cancelled": report.is_cancelled,
    })
}

fn text(report: &PruneReport, is_dry: bool) -> String {
    let verb = if is_dry { "would remove" } else { "removed" };
    let mut text = format!("{verb} {}", counted(report.runs(), "run"));
    if !report.removed.is_empty() {
        let by_status = report.removed.iter().map(|(status, count)| format!("{count} {status}"));
        let _ = write!(text, ": {}", by_status.collect::<Vec<_>>().join(", "));
    }
    text.push('\n');
    if report.changes > 0 {
        let (changes, commits) = (report.changes, report.commits);
        let (changes, commits) = (counted(changes, "document change"), counted(commits, "commit"));
        let _ = writeln!(text, "{verb} {changes} of {commits}");
    }
    let HeldRuns { idempotency_key, undone, linked } = report.held;
    if idempotency_key > 0 {
        let runs = counted(idempotency_key, "run");
        let _ = writeln!(text, "kept {runs}: the idempotency key is live");
    }
    if undone > 0 {
        let _ = writeln!(text, "kept {}: the changes were undone", counted(undone, "run"));
    }
    if linked > 0 {
        let _ = writeln!(text, "kept {}: other runs are linked to them", counted(linked, "run"));
    }
    if report.is_cancelled {
        text.push_str("cancelled; the rest is kept\n");
    }
    text
}

fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

async fn remove_named(
    runs: &Runs<'_>,
    names: &[String],
    is_dry: bool,
    json: bool,
) -> Result<ExitCode, CliError> {
    let mut ids = BTreeSet::new();
    for name in names {
        let run = runs.find(name).await?;
        if !run.state.status().is_final() {
            return Err(CliError::run_state(&run, "has not ended"));
        }
        ids.insert(run.id);
    }
    let ids: Vec<_> = ids.into_iter().collect();
    let mut removals = Vec::new();
    if is_dry {
        for id in ids {
            removals.extend(runs.named_removal(id).await?);
        }
    } else {
        removals = runs.remove_named(&ids).await?;
    }
    if json {
        let removed: Vec<_> = removals.iter().map(removal_as_json).collect();
        output::json(&json!({"dry_run": is_dry, "removed": removed}))?;
    } else {
        let verb = if is_dry { "would remove" } else { "removed" };
        for NamedRemoval { id, hold, has_changes } in removals {
            let mut losses = hold.map(|hold| loss(&hold)).unwrap_or_default();
            if has_changes {
                losses.push_str("; its document changes cannot be undone");
            }
            output::stderr(&format!("{verb} run {id}{}\n", EscapedLine(&losses)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what is lost with a run that a policy would keep.
fn loss(hold: &RunHold) -> String {
    match hold {
        RunHold::IdempotencyKey => {
            "; its idempotency key is free, so the next request runs again".to_owned()
        }
        RunHold::Undone => "; its changes were undone".to_owned(),
        RunHold::Linked(by) => {
            let (verb, runs) = match by.len() {
                1 => ("is", "1 run".to_owned()),
                count => ("are", format!("{count} runs")),
            };
            format!("; {runs} {verb} linked to it, such as {}", by[0])
        }
    }
}

fn removal_as_json(NamedRemoval { id, hold, has_changes }: &NamedRemoval) -> Value {
    let mut json = json!({"id": id, "has_changes": has_changes});
    match hold {
        None => {}
        Some(RunHold::IdempotencyKey) => json["idempotency_key"] = true.into(),
        Some(RunHold::Undone) => json["undone"] = true.into(),
        Some(RunHold::Linked(by)) => json["linked"] = json!(by),
    }
    json
}

impl From<RemoveError> for CliError {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::Unfinished(run_id) => {
                Self::RunState { run_id, problem: "has not ended".to_owned() }
            }
            RemoveError::Prune(error) => error.into(),
        }
    }
}
