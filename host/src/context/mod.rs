//! What a run is part of: a workflow's run, a trace.
//!
//! A door reads it once, from flags and from the environment that it was started in. A
//! long-lived server must not: its own environment says nothing about who asks it.
//!
//! - `systems` knows the workflow systems, in the order in which they are reported.
//! - `prefect` and `dagster` are those that take more than copying variables.
//! - `trace` reads the W3C's trace context.
//! - `environment` reads variables and remembers which ones were of no use.

mod dagster;
mod environment;
mod prefect;
mod systems;
mod trace;

use serde::Serialize;
use uuid::Uuid;

use crate::model::run_record::Orchestration;

use self::environment::Environment;
pub use self::environment::{IgnoredVariable, InvalidValue, Label};
pub use self::trace::Trace;

/// What a caller says in so many words about the workflow that a run is part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrchestrationOverrides {
    /// A run of a workflow system of any name.
    pub orchestrator: Option<Orchestrator>,
    /// Prefect's id of the flow run.
    pub prefect_flow_run_id: Option<Uuid>,
    /// Prefect's id of the task run.
    pub prefect_task_run_id: Option<Uuid>,
    /// Read nothing from the environment.
    pub no_detect: bool,
}

/// A run of a workflow system, as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orchestrator {
    /// The system.
    pub name: Label,
    /// Its id of the run.
    pub run_id: Label,
    /// Its id of the step.
    pub task_id: Option<Label>,
}

/// What a run is part of. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OrchestrationContext {
    /// Whether the run happens inside a workflow system. Kubernetes alone is none.
    pub orchestrated: bool,
    /// Prefect's id of the flow run.
    pub prefect_flow_run_id: Option<String>,
    /// Prefect's id of the task run.
    pub prefect_task_run_id: Option<String>,
    /// Where people see the workflow's run: of the first system that has a place for that.
    pub run_url: Option<String>,
    /// All systems that there are signs of, what was said in so many words first. The order
    /// tells nothing about which runs inside which: an environment cannot tell.
    #[serde(rename = "systems")]
    pub orchestration: Vec<Orchestration>,
    /// The trace that the run is a child in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// What was in the environment and could not be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<IgnoredVariable>,
}

impl OrchestrationContext {
    /// Returns what flags and variables say. Never fails: what cannot be used is listed in
    /// [`OrchestrationContext::ignored`], by name.
    ///
    /// ```
    /// use ophost::{Context, Explicit};
    ///
    /// let variable = |name: &str| (name == "AIRFLOW_CTX_DAG_ID").then(|| "nightly".to_owned());
    /// let context = Context::detect(&Explicit::default(), &variable);
    /// assert!(context.orchestrated);
    /// assert_eq!(context.orchestration[0].ids["dag_id"], "nightly");
    /// ```
    pub fn detect(
        explicit: &OrchestrationOverrides,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Self {
        let read = |name: &str| if explicit.no_detect { None } else { variable(name) };
        let environment = Environment::new(&read);
        let orchestration = systems::detect(explicit, &environment);
        let trace = trace::detect(&environment);
        let (prefect_flow_run_id, prefect_task_run_id) = prefect::ids(&orchestration);
        Self {
            orchestrated: orchestration.iter().any(systems::is_workflow),
            prefect_flow_run_id,
            prefect_task_run_id,
            run_url: orchestration.iter().find_map(|found| found.url.clone()),
            trace,
            ignored: environment.into_ignored(),
            orchestration,
        }
    }

    /// Returns whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests;
