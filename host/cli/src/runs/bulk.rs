//! Running again all runs that fit.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::error::{CliError, Exit};
use super::super::output::{self, ERROR, EscapedLine};
use super::super::progress::Bar;
use super::super::table::{Overflow, table};
use super::super::{host_for, host_for_all, interrupt, run, stdio};
use super::again::Rerunner;
use super::list::{PAGE, row};
use super::reruns::Reruns;
use ophost::OperationName;
use ophost::RunFilter;
use ophost::config::Config;
use ophost::{FindError, Runs};
use ophost::{Host, RunError, RunReport};
use ophost::{Outcome, Progress};
use ophost::{RunId, RunSummary, Status};

/// How many of the runs are shown before they are run again.
const MAX_SHOWN_RUNS: usize = 5;

#[derive(Debug, Args)]
pub(super) struct BulkArgs {
    /// At most so many, the newest [default: all that fit].
    #[arg(short = 'n', long, value_name = "COUNT", conflicts_with = "id")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Also run failures again that their operation declared permanent.
    #[arg(long, conflicts_with = "id")]
    include_permanent: bool,
    /// Do not ask before several are run again.
    #[arg(short, long)]
    yes: bool,
}

/// Runs again, one after the other, what fits a filter now.
pub(super) async fn run(
    runs: &Runs<'_>,
    filter: &RunFilter,
    args: BulkArgs,
    again: &Rerunner,
    (config, json): (&Config, bool),
) -> Result<ExitCode, CliError> {
    let chosen = choose(runs, filter, &args).await?;
    output::stderr(&chosen.left_out());
    if json && chosen.has_left_out() {
        output::json_line(&json!({"left_out": chosen.left_out_as_json()}))?;
    }
    if chosen.ids.is_empty() {
        output::stderr(chosen.nothing());
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !chosen.is_confirmed()? {
        output::stderr("Nothing was run.\n");
        return Ok(ExitCode::SUCCESS);
    }
    let host = match chosen.operations.iter().collect::<Vec<_>>().as_slice() {
        [one] => host_for(config, one.as_str()).await?,
        _ => host_for_all(config).await?,
    };
    let cancel = CancellationToken::new();
    interrupt::cancels(cancel.clone())?;
    let tally = run_all(runs, &host, &chosen.ids, (again, &cancel), json).await?;
    if !json {
        output::stdout(&tally.text())?;
    }
    Ok(tally.exit_code(cancel.is_cancelled()))
}

/// What is to be run again.
#[derive(Default)]
struct Selection {
    /// The newest first.
    ids: Vec<RunId>,
    operations: BTreeSet<OperationName>,
    first: Vec<RunSummary>,
    /// How many fit and have not ended.
    unfinished: usize,
    /// How many fit and were run again already.
    repeated: usize,
    /// How many fit and are themselves reruns, and succeeded.
    succeeded_rerun: usize,
    /// How many fit and failed permanently.
    permanent: usize,
    /// How many fit and have a rerun that failed permanently.
    permanent_rerun: usize,
}

/// Returns the runs that fit and have ended, as they are now: what is run again may fit, too.
/// What was run again already is left out, and so is a rerun that succeeded: what they did would
/// be done twice. So is what would fail again, as its operation declared.
async fn choose(
    runs: &Runs<'_>,
    filter: &RunFilter,
    args: &BulkArgs,
) -> Result<Selection, CliError> {
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let (mut chosen, mut reruns) = (Selection::default(), Reruns::new());
    let mut after = None;
    loop {
        let page = runs.list(filter, after, PAGE).await?;
        reruns.report(&page.damaged);
        for run in page.runs {
            if chosen.ids.len() == limit {
                return Ok(chosen);
            }
            reruns.look_back(runs, &run).await?;
            chosen.add(run, &mut reruns, args.include_permanent);
        }
        after = page.next;
        if after.is_none() {
            return Ok(chosen);
        }
    }
}

impl Selection {
    fn add(&mut self, run: RunSummary, reruns: &mut Reruns, include_permanent: bool) {
        // Whatever becomes of a rerun that fits itself: it is the one to be run again.
        reruns.mark_superseded(run.id);
        if reruns.is_superseded(run.id) {
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
        if !include_permanent && reruns.failed_permanently(run.id) {
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

    /// Shows what would be run, and asks.
    fn is_confirmed(&self) -> Result<bool, CliError> {
        output::stderr(&self.preview());
        let runs = counted(self.ids.len());
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let message = format!("{runs} would be run again, which needs `--yes` here");
            let hint = "`--limit` and more filters make it fewer".to_owned();
            return Err(CliError::Usage { message, hint });
        }
        output::stderr(&format!("Run {runs} again? [y/N] "));
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

    /// Returns how many fit and are not run again, and why.
    fn left_out(&self) -> String {
        let reasons = [
            (self.repeated, "run again before"),
            (self.succeeded_rerun, "itself a rerun, which succeeded"),
            (self.unfinished, "not ended"),
            (self.permanent, "failed permanently (`--include-permanent` reruns them)"),
            (
                self.permanent_rerun,
                "a rerun failed permanently (`--include-permanent` reruns them)",
            ),
        ];
        let reasons = reasons.into_iter().filter(|(runs, _)| *runs > 0);
        reasons.map(|(runs, why)| format!("{} left out: {why}\n", counted(runs))).collect()
    }

    fn left_out_as_json(&self) -> Value {
        json!({
            "rerun_before": self.repeated,
            "succeeded_rerun": self.succeeded_rerun,
            "unfinished": self.unfinished,
            "permanent": self.permanent,
            "permanent_rerun": self.permanent_rerun,
        })
    }

    fn has_left_out(&self) -> bool {
        let repeated = self.repeated + self.succeeded_rerun;
        repeated + self.unfinished + self.permanent + self.permanent_rerun > 0
    }

    /// Returns what is said where there is nothing to run.
    fn nothing(&self) -> &'static str {
        if self.has_left_out() { "Nothing is left to run again.\n" } else { "No run matches.\n" }
    }
}

fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

/// Runs them again, the oldest first, until there are no more or it is cancelled.
async fn run_all(
    runs: &Runs<'_>,
    host: &Host,
    ids: &[RunId],
    (again, cancel): (&Rerunner, &CancellationToken),
    json: bool,
) -> Result<RerunSummary, CliError> {
    let bar = Bar::for_terminal();
    let mut tally = RerunSummary { all: ids.len(), ..RerunSummary::default() };
    for (done, id) in ids.iter().rev().enumerate() {
        if cancel.is_cancelled() {
            break;
        }
        let ended = match runs.get(*id).await? {
            Some(earlier) => again.run(host, earlier, cancel.clone()).await,
            None => Err(FindError::None { name: id.to_string() }.into()),
        };
        if let Some(bar) = &bar {
            let (done, total) = (done as u64 + 1, Some(ids.len() as u64));
            bar.report(&Progress { done, total, message: None });
        }
        let ended = Rerun { of: *id, ended };
        tally.count(&ended);
        ended.report(json, bar.as_ref())?;
        // What keeps one from being recorded keeps all that follow.
        if let Err(error) = ended.ended
            && matches!(error.exit(), Exit::Host | Exit::OutcomeUnknown)
        {
            return Err(error);
        }
    }
    if let Some(bar) = bar {
        bar.clear();
    }
    Ok(tally)
}

/// What became of one.
struct Rerun {
    of: RunId,
    ended: Result<RunReport, CliError>,
}

impl Rerun {
    fn report(&self, json: bool, bar: Option<&Bar>) -> Result<(), CliError> {
        if json {
            return output::json_line(&self.as_json());
        }
        let text = match &self.ended {
            Ok(RunReport { outcome: Outcome::Success(_), .. }) => return Ok(()),
            Ok(RunReport { outcome: Outcome::Cancelled, .. }) => "cancelled".to_owned(),
            Ok(RunReport { outcome: Outcome::Failed(failure), .. }) => {
                format!("{}: {}", failure.kind, run::failure_message(failure))
            }
            Err(error) => error.message(),
        };
        let text =
            format!("{ERROR}error{ERROR:#}: run {} again: {}\n", self.of, EscapedLine(&text));
        match bar {
            Some(bar) => bar.print(&text),
            None => output::stderr(&text),
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        let mut line = match &self.ended {
            Ok(report) => json!(run::envelope(report)),
            Err(error) => error.envelope(),
        };
        line["rerun_of"] = json!(self.of);
        line
    }
}

/// How they ended.
#[derive(Default)]
struct RerunSummary {
    all: usize,
    succeeded: usize,
    failed: usize,
    cancelled: usize,
    /// They did not begin.
    refused: usize,
}

impl RerunSummary {
    fn count(&mut self, rerun: &Rerun) {
        match &rerun.ended {
            Ok(RunReport { outcome: Outcome::Success(_), .. }) => self.succeeded += 1,
            Ok(RunReport { outcome: Outcome::Failed(_), .. }) => self.failed += 1,
            Ok(RunReport { outcome: Outcome::Cancelled, .. })
            | Err(CliError::Run(RunError::Cancelled { .. })) => self.cancelled += 1,
            Err(_) => self.refused += 1,
        }
    }

    fn text(&self) -> String {
        let Self { all, succeeded, failed, cancelled, refused } = *self;
        let left = all - succeeded - failed - cancelled - refused;
        let others = [
            (failed, "failed"),
            (cancelled, "cancelled"),
            (refused, "could not be run"),
            (left, "left"),
        ];
        let others = others.iter().filter(|(count, _)| *count > 0);
        let others: String = others.map(|(count, how)| format!(", {count} {how}")).collect();
        format!("{} again: {succeeded} succeeded{others}\n", counted(all))
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
