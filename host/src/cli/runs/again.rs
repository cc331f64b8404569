//! `ophost runs rerun`.

use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::super::error::CliError;
use super::super::{input, interrupt, run, settings};
use super::Named;
use crate::caller::Caller;
use crate::config::Config;
use crate::host::Request;
use crate::runs::Runs;

#[derive(Debug, Args)]
pub(super) struct RerunArgs {
    #[command(flatten)]
    run: Named,
    /// Change a field of the input: field=value, as `run` takes them.
    #[arg(long = "edit", value_name = "FIELD")]
    edits: Vec<String>,
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
        return Err(CliError::usage(&format!("the input of run {} was erased", earlier.id)));
    }
    let name = earlier.operation_name.as_str();
    let host = settings::builder(config)?.build_for(name).await?;
    let catalog = host.catalog();
    let known = catalog.get(name).ok_or_else(|| host.no_such_operation(name))?;
    let schema = &known.operation.input_schema;
    let input = input::edited(earlier.input_dump, &args.edits, schema)?;
    let cancel = CancellationToken::new();
    interrupt::cancels(cancel.clone())?;
    let caller = Caller { user_id: earlier.actor.user_id, ..Caller::at("cli") };
    let request = Request::new(name, input).caller(caller).cancel_by(cancel);
    let report = host.run(request.record(true).rerun_of(earlier.id)).await?;
    run::answer(&report, false, json)
}
