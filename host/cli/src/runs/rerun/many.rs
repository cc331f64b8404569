//! The rerun of all runs that match a filter.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::process::ExitCode;

use clap::Args;
use ophost::{
    FindError, Host, OperationName, Outcome, Progress, RunError, RunFilter, RunId, RunReport,
    RunSummary, Runs, Status, config::Config,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::history::RerunHistory;
use super::one::Rerunner;
use crate::error::{CliError, Exit};
use crate::output::{self, ERROR, EscapedLine};
use crate::progress::Bar;
use crate::runs::list::{PAGE, row};
use crate::table::{Overflow, table};
use crate::{host_for, host_for_all, interrupt, run, stdio};

/// Maximum number of runs in the preview.
const MAX_SHOWN_RUNS: usize = 5;

#[derive(Debug, Args)]
pub(super) struct BulkArgs {
    /// Maximum number of runs; the newest are selected [default: no limit].
    #[arg(short = 'n', long, value_name = "COUNT", conflicts_with = "id")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Include failures that their operation declared permanent.
    #[arg(long, conflicts_with = "id")]
    include_permanent: bool,
    /// Rerun without confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Reruns the runs that match a filter at the time of the call, one after the other.
pub(super) async fn run(
    runs: &Runs<'_>,
    filter: &RunFilter,
    args: BulkArgs,
    rerunner: &Rerunner,
    (config, json): (&Config, bool),
) -> Result<ExitCode, CliError> {
    let selection = select(runs, filter, &args).await?;
    output::stderr(&selection.skipped());
    if json && selection.has_skipped() {
        output::json_line(&json!({"skipped": selection.skipped_as_json()}))?;
    }
    if selection.ids.is_empty() {
        output::stderr(selection.empty_message());
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !selection.is_confirmed()? {
        output::stderr("No run was started.\n");
        return Ok(ExitCode::SUCCESS);
    }
    let host = match selection.operations.iter().collect::<Vec<_>>().as_slice() {
        [one] => host_for(config, one.as_str()).await?,
        _ => host_for_all(config).await?,
    };
    let cancel = CancellationToken::new();
    interrupt::cancel_on_signal(cancel.clone())?;
    let summary = run_all(runs, &host, &selection.ids, (rerunner, &cancel), json).await?;
    if !json {
        output::stdout(&summary.text())?;
    }
    Ok(summary.exit_code(cancel.is_cancelled()))
}

/// The runs to rerun, and the number of skipped runs for each reason.
#[derive(Default)]
struct Selection {
    /// Newest first.
    ids: Vec<RunId>,
    operations: BTreeSet<OperationName>,
    first: Vec<RunSummary>,
    /// Runs that have not ended.
    unfinished: usize,
    /// Runs that were rerun already.
    repeated: usize,
    /// Reruns that succeeded.
    succeeded_rerun: usize,
    /// Runs that failed permanently.
    permanent: usize,
    /// Runs with a rerun that failed permanently.
    permanent_rerun: usize,
}

/// Selects the finished runs that match the filter, before the first rerun starts, because reruns
/// can match the filter too.
///
/// Skips runs that were rerun already and reruns that succeeded, because their changes would be
/// made twice. Skips permanent failures, because they would fail again.
async fn select(
    runs: &Runs<'_>,
    filter: &RunFilter,
    args: &BulkArgs,
) -> Result<Selection, CliError> {
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let (mut selection, mut history) = (Selection::default(), RerunHistory::new());
    let mut after = None;
    loop {
        let page = runs.list(filter, after, PAGE).await?;
        history.report(&page.corrupted);
        for run in page.runs {
            if selection.ids.len() == limit {
                return Ok(selection);
            }
            history.read_until(runs, &run).await?;
            selection.add(run, &mut history, args.include_permanent);
        }
        after = page.next;
        if after.is_none() {
            return Ok(selection);
        }
    }
}

impl Selection {
    fn add(&mut self, run: RunSummary, history: &mut RerunHistory, include_permanent: bool) {
        // A rerun that matches the filter replaces the runs that it repeats.
        history.mark_superseded(run.id);
        if history.is_superseded(run.id) {
            self.repeated += 1;
            return;
        }
        if run.rerun_of.is_some() && run.status == Status::Success {
            self.succeeded_rerun += 1;
            return;
        }
        if !run.status.is_final() {
            self.unfinished += 1;
            return;
        }
        if !include_permanent && run.is_permanent_failure() {
            self.permanent += 1;
            return;
        }
        if !include_permanent && history.failed_permanently(run.id) {
            self.permanent_rerun += 1;
            return;
        }
        self.ids.push(run.id);
        if !self.operations.contains(&run.operation_name) {
            self.operations.insert(run.operation_name.clone());
        }
        if self.first.len() < MAX_SHOWN_RUNS {
            self.first.push(run);
        }
    }

    /// Prints the preview and asks for confirmation.
    fn is_confirmed(&self) -> Result<bool, CliError> {
        output::stderr(&self.preview());
        let runs = counted(self.ids.len());
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let message = format!("cannot ask for confirmation of {runs} without a terminal");
            let hint = "use `--yes`; `--limit` and filters select fewer runs".to_owned();
            return Err(CliError::Usage { message, hint });
        }
        output::stderr(&format!("Rerun {runs}? [y/N] "));
        let mut answer = String::new();
        BufReader::new(stdio::stdin()).read_line(&mut answer)?;
        Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
    }

    fn preview(&self) -> String {
        let rows: Vec<_> = self.first.iter().map(row).collect();
        let mut text = table(&rows, 0, Overflow::Truncate, output::width());
        let more = self.ids.len() - self.first.len();
        if more > 0 {
            text.push_str(&format!("and {more} more\n"));
        }
        text
    }

    /// Returns the number of skipped runs for each reason.
    fn skipped(&self) -> String {
        let reasons = [
            (self.repeated, "already rerun"),
            (self.succeeded_rerun, "a rerun that succeeded"),
            (self.unfinished, "not finished"),
            (self.permanent, "permanent failure (use `--include-permanent`)"),
            (self.permanent_rerun, "permanent failure of a rerun (use `--include-permanent`)"),
        ];
        let reasons = reasons.into_iter().filter(|(runs, _)| *runs > 0);
        reasons.map(|(runs, why)| format!("{} skipped: {why}\n", counted(runs))).collect()
    }

    fn skipped_as_json(&self) -> Value {
        json!({
            "rerun_before": self.repeated,
            "succeeded_rerun": self.succeeded_rerun,
            "unfinished": self.unfinished,
            "permanent": self.permanent,
            "permanent_rerun": self.permanent_rerun,
        })
    }

    fn has_skipped(&self) -> bool {
        let repeated = self.repeated + self.succeeded_rerun;
        repeated + self.unfinished + self.permanent + self.permanent_rerun > 0
    }

    /// Returns the message for an empty selection.
    fn empty_message(&self) -> &'static str {
        if self.has_skipped() { "All matching runs were skipped.\n" } else { "No run matches.\n" }
    }
}

fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

/// Reruns the runs, oldest first, until the end or a cancellation.
async fn run_all(
    runs: &Runs<'_>,
    host: &Host,
    ids: &[RunId],
    (rerunner, cancel): (&Rerunner, &CancellationToken),
    json: bool,
) -> Result<RerunSummary, CliError> {
    let bar = Bar::for_terminal();
    let mut summary = RerunSummary { all: ids.len(), ..RerunSummary::default() };
    for (done, id) in ids.iter().rev().enumerate() {
        if cancel.is_cancelled() {
            break;
        }
        let result = match runs.get(*id).await? {
            Some(earlier) => rerunner.run(host, earlier, cancel.clone()).await,
            None => Err(FindError::None { name: id.to_string() }.into()),
        };
        if let Some(bar) = &bar {
            let (done, total) = (done as u64 + 1, Some(ids.len() as u64));
            bar.report(&Progress { done, total, message: None });
        }
        let rerun = Rerun { of: *id, result };
        summary.count(&rerun);
        rerun.report(json, bar.as_ref())?;
        // An error of the store or the host would stop every following rerun too.
        if let Err(error) = rerun.result
            && matches!(error.exit(), Exit::Host | Exit::OutcomeUnknown)
        {
            return Err(error);
        }
    }
    if let Some(bar) = bar {
        bar.clear();
    }
    Ok(summary)
}

/// Result of one rerun.
struct Rerun {
    of: RunId,
    result: Result<RunReport, CliError>,
}

impl Rerun {
    fn report(&self, json: bool, bar: Option<&Bar>) -> Result<(), CliError> {
        if json {
            return output::json_line(&self.as_json());
        }
        let text = match &self.result {
            Ok(RunReport { outcome: Outcome::Success(_), .. }) => return Ok(()),
            Ok(RunReport { outcome: Outcome::Cancelled, .. }) => "cancelled".to_owned(),
            Ok(RunReport { outcome: Outcome::Failed(failure), .. }) => {
                format!("{}: {}", failure.kind, run::failure_message(failure))
            }
            Err(error) => error.message(),
        };
        let text = format!("{ERROR}error{ERROR:#}: rerun of {}: {}\n", self.of, EscapedLine(&text));
        match bar {
            Some(bar) => bar.print(&text),
            None => output::stderr(&text),
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        let mut line = match &self.result {
            Ok(report) => json!(run::envelope(report)),
            Err(error) => error.envelope(),
        };
        line["rerun_of"] = json!(self.of);
        line
    }
}

/// Number of reruns for each outcome.
#[derive(Default)]
struct RerunSummary {
    all: usize,
    succeeded: usize,
    failed: usize,
    cancelled: usize,
    /// Reruns that did not start.
    rejected: usize,
}

impl RerunSummary {
    fn count(&mut self, rerun: &Rerun) {
        match &rerun.result {
            Ok(RunReport { outcome: Outcome::Success(_), .. }) => self.succeeded += 1,
            Ok(RunReport { outcome: Outcome::Failed(_), .. }) => self.failed += 1,
            Ok(RunReport { outcome: Outcome::Cancelled, .. })
            | Err(CliError::Run(RunError::Cancelled { .. })) => self.cancelled += 1,
            Err(_) => self.rejected += 1,
        }
    }

    fn text(&self) -> String {
        let Self { all, succeeded, failed, cancelled, rejected } = *self;
        let remaining = all - succeeded - failed - cancelled - rejected;
        let others = [
            (failed, "failed"),
            (cancelled, "cancelled"),
            (rejected, "not started"),
            (remaining, "remaining"),
        ];
        let others = others.iter().filter(|(count, _)| *count > 0);
        let others: String = others.map(|(count, how)| format!(", {count} {how}")).collect();
        format!("reran {}: {succeeded} succeeded{others}\n", counted(all))
    }

    fn exit_code(&self, is_interrupted: bool) -> ExitCode {
        if is_interrupted {
            Exit::Interrupted.into()
        } else if self.succeeded == self.all {
            ExitCode::SUCCESS
        } else {
            Exit::Failed.into()
        }
    }
}
