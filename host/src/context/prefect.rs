//! Prefect: variables of its workers and of our shim, and the URLs of its pages.

use uuid::Uuid;

use super::environment::{Environment, InvalidValue};
use super::systems::SystemBuilder;
use super::{Orchestration, OrchestrationOverrides};

const NAME: &str = "prefect";
const FLOW_RUN_ID: &str = "flow_run_id";
const TASK_RUN_ID: &str = "task_run_id";

/// Base URLs of the API and of the pages of Prefect Cloud.
const CLOUD_API: &str = "https://api.prefect.cloud/api";
const CLOUD_UI: &str = "https://app.prefect.cloud";

/// Returns the orchestration that flags name.
pub(super) fn explicit(
    explicit: &OrchestrationOverrides,
    environment: &Environment<'_>,
) -> Option<Orchestration> {
    let mut system = SystemBuilder::new(environment);
    let OrchestrationOverrides { prefect_flow_run_id: flow, prefect_task_run_id: task, .. } =
        explicit;
    if let Some(flow) = flow {
        system.id(FLOW_RUN_ID, "--prefect-flow-run-id", flow.to_string());
    }
    if let Some(task) = task {
        system.id(TASK_RUN_ID, "--prefect-task-run-id", task.to_string());
    }
    found(system, environment, *flow, *task)
}

/// Returns the orchestration that variables name. Flags override all variables, because a flow of
/// the flags with a task of the variables would be a combination that does not exist.
pub(super) fn detect(
    explicit: &OrchestrationOverrides,
    environment: &Environment<'_>,
) -> Option<Orchestration> {
    if explicit.prefect_flow_run_id.or(explicit.prefect_task_run_id).is_some() {
        return None;
    }
    let mut system = SystemBuilder::new(environment);
    let mut id = |variable, name| {
        let id = environment.parsed(variable, |text| uuid(&text))?;
        system.id(name, variable, id.to_string());
        Some(id)
    };
    let flow = id("PREFECT__FLOW_RUN_ID", FLOW_RUN_ID);
    let task = id("PREFECT__TASK_RUN_ID", TASK_RUN_ID);
    system.ids(&[("PREFECT__DEPLOYMENT_NAME", "deployment_name")]);
    found(system, environment, flow, task)
}

/// Returns the ids of the flow run and the task run from the first entry of Prefect that has one.
/// The variables of `ophost` can name Prefect too.
pub(super) fn ids(all: &[Orchestration]) -> (Option<String>, Option<String>) {
    let id = |found: &Orchestration, name| {
        found.ids.get(name).filter(|id| Uuid::parse_str(id).is_ok()).cloned()
    };
    let prefects = all.iter().filter(|found| found.system == NAME);
    let mut pairs = prefects.map(|found| (id(found, FLOW_RUN_ID), id(found, TASK_RUN_ID)));
    pairs.find(|pair| *pair != (None, None)).unwrap_or_default()
}

fn found(
    mut system: SystemBuilder<'_>,
    environment: &Environment<'_>,
    flow: Option<Uuid>,
    task: Option<Uuid>,
) -> Option<Orchestration> {
    if system.is_empty() {
        return None;
    }
    let path = match (task, flow) {
        (Some(task), _) => Some(format!("runs/task-run/{task}")),
        (None, Some(flow)) => Some(format!("runs/flow-run/{flow}")),
        (None, None) => None,
    };
    let url = path.and_then(|path| {
        let (base, variable) = pages(environment)?;
        system.sign(variable);
        Some(format!("{}/{path}", base.trim_end_matches('/')))
    });
    Some(system.into_system(NAME, url))
}

fn uuid(text: &str) -> Result<Uuid, InvalidValue> {
    Uuid::parse_str(text).map_err(|_| InvalidValue::NotAUuid)
}

/// Returns the base URL of the pages, and the variable that it comes from.
fn pages(environment: &Environment<'_>) -> Option<(String, &'static str)> {
    let is_base = |url: &String| !url.contains(['?', '#']);
    let base = |variable| environment.url(variable).filter(is_base);
    let of_api = || base("PREFECT_API_URL").map(|api| (ui_of(&api), "PREFECT_API_URL"));
    base("PREFECT_UI_URL").map(|ui| (ui, "PREFECT_UI_URL")).or_else(of_api)
}

/// Returns the base URL of the pages that belong to an API, by the rules of Prefect.
fn ui_of(api: &str) -> String {
    let ui = match api.strip_prefix(CLOUD_API) {
        Some(rest) => format!("{CLOUD_UI}{rest}"),
        None => api.to_owned(),
    };
    let ui = ui.trim_end_matches('/');
    let ui = ui.strip_suffix("/api").unwrap_or(ui).replace("/api/", "/");
    ui.replace("/accounts/", "/account/").replace("/workspaces/", "/workspace/")
}
