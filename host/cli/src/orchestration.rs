//! Orchestration context of a run, from flags and the environment of the command.

use std::env;

use clap::Args;
use ophost::{Label, OrchestrationContext, OrchestrationOverrides, Orchestrator};
use uuid::Uuid;

/// Flags for the orchestration context of a run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Orchestration")]
pub(super) struct OrchestrationArgs {
    /// Name of the workflow system.
    #[arg(long, value_name = "NAME", requires = "orchestrator_run_id")]
    orchestrator: Option<Label>,
    /// Id of the run in the workflow system.
    #[arg(long, value_name = "ID", requires = "orchestrator")]
    orchestrator_run_id: Option<Label>,
    /// Id of the task in the workflow system.
    #[arg(long, value_name = "ID", requires = "orchestrator")]
    orchestrator_task_id: Option<Label>,
    /// Id of the Prefect flow run.
    #[arg(long, value_name = "UUID")]
    prefect_flow_run_id: Option<Uuid>,
    /// Id of the Prefect task run.
    #[arg(long, value_name = "UUID")]
    prefect_task_run_id: Option<Uuid>,
    /// Do not detect a workflow or a trace in the environment.
    #[arg(long)]
    no_detect: bool,
}

impl OrchestrationArgs {
    /// Returns the context of the flags and the environment of this process.
    pub(super) fn context(self) -> OrchestrationContext {
        let named = self.orchestrator.zip(self.orchestrator_run_id);
        let task_id = self.orchestrator_task_id;
        let explicit = OrchestrationOverrides {
            orchestrator: named.map(|(name, run_id)| Orchestrator { name, run_id, task_id }),
            prefect_flow_run_id: self.prefect_flow_run_id,
            prefect_task_run_id: self.prefect_task_run_id,
            no_detect: self.no_detect,
        };
        // A variable that is not UTF-8 is ignored.
        OrchestrationContext::detect(&explicit, &|name| env::var(name).ok())
    }
}
