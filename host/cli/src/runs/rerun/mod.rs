//! `ophost runs rerun`: reruns one run, or all runs that match a filter.
//!
//! - `one`: reruns a run. `many`: reruns the runs of a filter. `history`: finds existing reruns.

mod history;
mod many;
mod one;

use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use ophost::{RunFilter, Runs, config::Config};
use tokio_util::sync::CancellationToken;

use self::many::BulkArgs;
use self::one::{Rerunner, ensure_rerunnable};
use super::filter::FilterArgs;
use crate::error::CliError;
use crate::limits::LimitArgs;
use crate::orchestration::OrchestrationArgs;
use crate::{completion, host_for, interrupt, run as run_command};

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct RerunArgs {
    /// Id of the run, a prefix of the id, or `latest`. Without it, all runs that match the filters.
    #[arg(value_name = "ID", conflicts_with = "FilterArgs")]
    #[arg(add = ArgValueCandidates::new(completion::runs))]
    id: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    bulk: BulkArgs,
    /// Change of an input field, in the format of `ophost run`: field=value; repeatable.
    #[arg(long = "edit", value_name = "FIELD")]
    edits: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    orchestration: OrchestrationArgs,
}

const NOTES: &str = "\
Examples:
  ophost runs rerun latest --edit text='Hello again'
  ophost runs rerun --failure-kind timeout --since 2h --timeout 5m
  ophost runs rerun --operation slugify --limit 10 --yes --json

A rerun has the current limits, not those of the earlier run: flags such as --timeout, else the
settings and the operation. Several runs are rerun one after the other, oldest first, each as a new
run. Filters skip runs with a rerun that succeeded or is running, and failures that their operation
declared permanent. A rerun by ID skips nothing. Exit code 1 if a rerun did not succeed.";

/// Runs `ophost runs rerun`. The current version of the operation validates the stored input.
pub(super) async fn run(
    runs: &Runs<'_>,
    args: RerunArgs,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    let (limits, context) = (args.limits.request(), args.orchestration.context());
    let rerunner = Rerunner { edits: args.edits, limits, context };
    let filter = args.filter.filter();
    let Some(name) = args.id else {
        if filter == RunFilter::default() {
            let message = "no run selected".to_owned();
            let hint = "give an id, `latest`, or filters such as `--status`";
            return Err(CliError::Usage { message, hint: hint.to_owned() });
        }
        return many::run(runs, &filter, args.bulk, &rerunner, (config, json)).await;
    };
    let earlier = runs.find(&name).await?;
    // Checked before the plugins are loaded, which can take long.
    ensure_rerunnable(&earlier)?;
    let host = host_for(config, earlier.operation_name.as_str()).await?;
    let cancel = CancellationToken::new();
    interrupt::cancel_on_signal(cancel.clone())?;
    let code = run_command::print_report(&rerunner.run(&host, earlier, cancel).await?, false, json);
    host.prune_step().await;
    code
}
