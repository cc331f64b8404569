//! The rerun of one run.

use ophost::{
    Caller, Host, LimitRequest, Masked, OperationName, OrchestrationContext, Request, RunRecord,
    RunReport,
};
use tokio_util::sync::CancellationToken;

use crate::error::CliError;
use crate::input;

/// Reruns runs with changed fields and limits.
pub(super) struct Rerunner {
    pub(super) edits: Vec<String>,
    pub(super) limits: LimitRequest,
    pub(super) context: OrchestrationContext,
}

impl Rerunner {
    /// Runs the operation of an earlier run with the same input, user and flags.
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

/// Checks that the record of a run has everything that a rerun needs.
pub(super) fn ensure_rerunnable(earlier: &RunRecord) -> Result<(), CliError> {
    if earlier.erased_at.is_some() {
        return Err(CliError::run_state(earlier, "was erased, including its input"));
    }
    if let Some(what) = builtin_problem(&earlier.operation_name) {
        return Err(CliError::run_state(earlier, what));
    }
    if earlier.is_masked(Masked::Input) {
        let (run_id, operation) = (earlier.id, earlier.operation_name.clone());
        return Err(CliError::MaskedInput { run_id, operation });
    }
    Ok(())
}

/// Returns why a run of a built-in operation cannot be rerun; `None` for another operation.
fn builtin_problem(operation: &OperationName) -> Option<&'static str> {
    match operation.as_str() {
        "ophost.import" => {
            Some("was an import, and its file is not stored; use `ophost documents import`")
        }
        _ if operation.is_builtin() => {
            Some("was a built-in operation; use the `ophost` command of this operation again")
        }
        _ => None,
    }
}
