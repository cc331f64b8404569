//! Orchestration and trace context of a run.
//!
//! A command reads the context once, from flags and from its environment. A long-lived server
//! must not read its environment, because that describes the server and not the request.
//!
//! - `systems`: the workflow systems, in the order of the report.
//! - `prefect`, `dagster`: systems that need more than copying variables.
//! - `trace`: W3C Trace Context.
//! - `environment`: reads variables and collects the unusable ones.

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

/// Explicit settings of the orchestration context, from flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrchestrationOverrides {
    /// A run of any workflow system.
    pub orchestrator: Option<Orchestrator>,
    /// Id of the Prefect flow run.
    pub prefect_flow_run_id: Option<Uuid>,
    /// Id of the Prefect task run.
    pub prefect_task_run_id: Option<Uuid>,
    /// Ignore the environment.
    pub no_detect: bool,
}

/// A run of a workflow system, named by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orchestrator {
    /// Name of the system.
    pub name: Label,
    /// Id of the run in the system.
    pub run_id: Label,
    /// Id of the task in the system.
    pub task_id: Option<Label>,
}

/// Orchestration and trace context of a run. The default is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OrchestrationContext {
    /// Whether the run belongs to a workflow system. Kubernetes alone does not count.
    pub orchestrated: bool,
    /// Id of the Prefect flow run.
    pub prefect_flow_run_id: Option<String>,
    /// Id of the Prefect task run.
    pub prefect_task_run_id: Option<String>,
    /// Page of the workflow run, from the first system that has one.
    pub run_url: Option<String>,
    /// Detected systems; explicit ones first. The order does not express nesting, because an
    /// environment does not show it.
    #[serde(rename = "systems")]
    pub orchestration: Vec<Orchestration>,
    /// Trace context of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// Variables with unusable values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<IgnoredVariable>,
}

impl OrchestrationContext {
    /// Detects the context from flags and variables. Unusable variables are listed by name in
    /// [`OrchestrationContext::ignored`].
    ///
    /// ```
    /// use ophost::{OrchestrationContext, OrchestrationOverrides};
    ///
    /// let variable = |name: &str| (name == "AIRFLOW_CTX_DAG_ID").then(|| "nightly".to_owned());
    /// let overrides = OrchestrationOverrides::default();
    /// let context = OrchestrationContext::detect(&overrides, &variable);
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

    /// Returns whether the context is empty.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests;
