//! `ophost runs undo`.

use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use ophost::{Host, RunFilter, RunId, RunSummary, Runs, Status, UndoError};

use crate::builtin::BuiltInArgs;
use crate::completion;
use crate::error::CliError;

/// Number of runs that are read at once.
const PAGE: usize = 1_000;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct UndoArgs {
    /// Id of the run, a prefix of the id, or `latest` for the latest run that changed documents.
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completion::runs))]
    id: String,
    /// Overwrite documents that have changed since the run, too.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    call: BuiltInArgs,
}

const HELP: &str = "\
The undo is a recorded run of `ophost.undo`, and reverts all changes or none. It fails if the
content of a document is not the one after the run. An undo can be undone.

Examples:
  ophost runs undo latest --dry-run
  ophost runs undo 01a2b3";

/// Runs `ophost runs undo`.
pub(super) async fn run(
    (host, runs): (&Host, &Runs<'_>),
    args: UndoArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let UndoArgs { id, force, call } = args;
    let run = match id.as_str() {
        "latest" => latest_change(runs).await?,
        id => runs.find(id).await?.id,
    };
    let undo = async |settings| {
        let undone = host.undo(run, force, settings).await;
        undone.map_err(|error| match error {
            UndoError::Run(error) => error.into(),
            error => CliError::NotUndone { run_id: run, error },
        })
    };
    call.run::<CliError>(json, undo).await
}

/// Returns the latest run that committed document changes.
async fn latest_change(runs: &Runs<'_>) -> Result<RunId, CliError> {
    let filter = RunFilter { status: Some(Status::Success), ..RunFilter::default() };
    let mut after = None;
    loop {
        let page = runs.list(&filter, after, PAGE).await?;
        let has_changes = |run: &&RunSummary| run.changes.is_some_and(|it| it.revision.is_some());
        if let Some(run) = page.runs.iter().find(has_changes) {
            return Ok(run.id);
        }
        after = page.next;
        if after.is_none() {
            return Err(CliError::Usage {
                message: "no run has changed documents".to_owned(),
                hint: "run `ophost runs list` to list the runs".to_owned(),
            });
        }
    }
}
