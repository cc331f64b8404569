//! `ophost runs rerun`.

use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::super::error::CliError;
use super::super::orchestration::OrchestrationArgs;
use super::super::{host_for, input, interrupt, run};
use super::Named;
use crate::caller::Caller;
use crate::config::Config;
use crate::host::Request;
use crate::runs::Runs;
use crate::task_run::Masked;

#[derive(Debug, Args)]
pub(super) struct RerunArgs {
    #[command(flatten)]
    run: Named,
    /// Change a field of the input: field=value, as `run` takes them.
    #[arg(long = "edit", value_name = "FIELD")]
    edits: Vec<String>,
    #[command(flatten)]
    orchestration: OrchestrationArgs,
}

/// Runs the operation as it is now, with the input that is kept: it is checked again.
pub(super) async fn run(
    runs: &Runs<'_>,
    args: RerunArgs,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    let earlier = runs.find(&args.run.id).await?;
    if earlier.erased_at.is_some() {
        return Err(CliError::run_state(&earlier, "was erased, its input too"));
    }
    if earlier.is_masked(Masked::Input) {
        let (run_id, operation) = (earlier.id, earlier.operation_name);
        return Err(CliError::MaskedInput { run_id, operation });
    }
    let (name, flags) = (earlier.operation_name.as_str(), earlier.flags());
    let host = host_for(config, name).await?;
    let catalog = host.catalog();
    let known = catalog.get(name).ok_or_else(|| host.no_such_operation(name))?;
    let schema = &known.operation.input_schema;
    let input = input::edited(earlier.input_dump, &args.edits, schema)?;
    let cancel = CancellationToken::new();
    interrupt::cancels(cancel.clone())?;
    let caller = Caller { user_id: earlier.actor.user_id, flags, ..Caller::at("cli") };
    let context = args.orchestration.context();
    let request = Request::new(name, input).caller(caller).context(context).cancel_by(cancel);
    let report = host.run(request.record(true).rerun_of(earlier.id)).await?;
    run::answer(&report, false, json)
}
