//! `ophost runs rerun`: of one run, or of all that fit.

use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use tokio_util::sync::CancellationToken;

use super::super::error::CliError;
use super::super::limits::LimitArgs;
use super::super::orchestration::OrchestrationArgs;
use super::super::{completion, host_for, input, interrupt, run};
use super::bulk::{self, BulkArgs};
use super::list::FilterArgs;
use ophost::Caller;
use ophost::LimitRequest;
use ophost::OperationName;
use ophost::OrchestrationContext;
use ophost::RunFilter;
use ophost::Runs;
use ophost::config::Config;
use ophost::{Host, Request, RunReport};
use ophost::{Masked, RunRecord};

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct RerunArgs {
    /// The run: its id, the beginning of it, or `latest`. Without it, all that fit.
    #[arg(value_name = "ID", conflicts_with = "FilterArgs")]
    #[arg(add = ArgValueCandidates::new(completion::runs))]
    id: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    bulk: BulkArgs,
    /// Change a field of the input: field=value, as `run` takes them.
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

A run has the limits of now, not those that it had: what flags such as --timeout say, else what the
settings and the operation do. Several are run one after the other, the oldest first, each as a new
run. Filters leave out what was run again before, and failures that their operation declared
permanent; an ID reruns any. Exits with 1 if one of them did not succeed.";

/// Runs operations as they are now, with the input that is kept: it is checked again.
pub(super) async fn run(
    runs: &Runs<'_>,
    args: RerunArgs,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    let (limits, context) = (args.limits.request(), args.orchestration.context());
    let again = Rerunner { edits: args.edits, limits, context };
    let filter = args.filter.filter();
    let Some(name) = args.id else {
        if filter == RunFilter::default() {
            let message = "no run is named".to_owned();
            let hint = "name one, such as `latest`, or say which by filters such as `--status`";
            return Err(CliError::Usage { message, hint: hint.to_owned() });
        }
        return bulk::run(runs, &filter, args.bulk, &again, (config, json)).await;
    };
    let earlier = runs.find(&name).await?;
    // Before plugins are looked at, which may take long.
    ensure_rerunnable(&earlier)?;
    let host = host_for(config, earlier.operation_name.as_str()).await?;
    let cancel = CancellationToken::new();
    interrupt::cancels(cancel.clone())?;
    run::print_report(&again.run(&host, earlier, cancel).await?, false, json)
}

/// How runs are run again.
pub(super) struct Rerunner {
    edits: Vec<String>,
    limits: LimitRequest,
    context: OrchestrationContext,
}

impl Rerunner {
    /// Runs the operation of an earlier run with its input, user and flags.
    pub(super) async fn run(
        &self,
        host: &Host,
        earlier: RunRecord,
        cancel: CancellationToken,
    ) -> Result<RunReport, CliError> {
        ensure_rerunnable(&earlier)?;
        let (name, flags) = (earlier.operation_name.as_str(), earlier.flags());
        let catalog = host.catalog();
        let known = catalog.get(name).ok_or_else(|| host.no_such_operation(name))?;
        let schema = &known.operation.input_schema;
        let input = input::edited(earlier.input_dump, &self.edits, schema)?;
        let caller = Caller { user_id: earlier.actor.user_id, flags, ..Caller::at("cli") };
        let request = Request::new(name, input).caller(caller).context(self.context.clone());
        let request = request
            .limits(self.limits.clone())
            .record(true)
            .rerun_of(earlier.id)
            .cancellation_token(cancel);
        Ok(host.run(request).await?)
    }
}

/// Says whether what is kept of a run is enough to run it again.
fn ensure_rerunnable(earlier: &RunRecord) -> Result<(), CliError> {
    if earlier.erased_at.is_some() {
        return Err(CliError::run_state(earlier, "was erased, its input too"));
    }
    if earlier.operation_name == OperationName::import() {
        let what = "was an import, whose file is not kept: `ophost documents import` is for that";
        return Err(CliError::run_state(earlier, what));
    }
    if earlier.is_masked(Masked::Input) {
        let (run_id, operation) = (earlier.id, earlier.operation_name.clone());
        return Err(CliError::MaskedInput { run_id, operation });
    }
    Ok(())
}
