//! What a run is part of, as flags say it and the environment of the command shows it.

use std::env;

use clap::Args;
use uuid::Uuid;

use ophost::{Label, OrchestrationContext, OrchestrationOverrides, Orchestrator};

/// Flags that say which workflow a run is part of.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Orchestration")]
pub(super) struct OrchestrationArgs {
    /// The workflow system that this run is part of.
    #[arg(long, value_name = "NAME", requires = "orchestrator_run_id")]
    orchestrator: Option<Label>,
    /// That system's id of its run.
    #[arg(long, value_name = "ID", requires = "orchestrator")]
    orchestrator_run_id: Option<Label>,
    /// That system's id of the step.
    #[arg(long, value_name = "ID", requires = "orchestrator")]
    orchestrator_task_id: Option<Label>,
    /// The Prefect flow run that this run is part of.
    #[arg(long, value_name = "UUID")]
    prefect_flow_run_id: Option<Uuid>,
    /// The Prefect task run that this run is part of.
    #[arg(long, value_name = "UUID")]
    prefect_task_run_id: Option<Uuid>,
    /// Do not look for a workflow or a trace in the environment.
    #[arg(long)]
    no_detect: bool,
}

impl OrchestrationArgs {
    /// Returns what the flags and the environment of this process say.
    pub(super) fn context(self) -> OrchestrationContext {
        let named = self.orchestrator.zip(self.orchestrator_run_id);
        let task_id = self.orchestrator_task_id;
        let explicit = OrchestrationOverrides {
            orchestrator: named.map(|(name, run_id)| Orchestrator { name, run_id, task_id }),
            prefect_flow_run_id: self.prefect_flow_run_id,
            prefect_task_run_id: self.prefect_task_run_id,
            no_detect: self.no_detect,
        };
        // What is no text says nothing.
        OrchestrationContext::detect(&explicit, &|name| env::var(name).ok())
    }
}
