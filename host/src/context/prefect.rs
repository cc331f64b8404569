//! Prefect: what its workers and our shim set, and where its pages are.

use uuid::Uuid;

use super::environment::{Environment, InvalidValue};
use super::systems::Signs;
use super::{Orchestration, OrchestrationOverrides};

const NAME: &str = "prefect";
const FLOW_RUN_ID: &str = "flow_run_id";
const TASK_RUN_ID: &str = "task_run_id";

/// Where Prefect Cloud answers programs, and where it answers people.
const CLOUD_API: &str = "https://api.prefect.cloud/api";
const CLOUD_UI: &str = "https://app.prefect.cloud";

/// Returns what flags say.
pub(super) fn explicit(
    explicit: &OrchestrationOverrides,
    environment: &Environment<'_>,
) -> Option<Orchestration> {
    let mut signs = Signs::new(environment);
    let OrchestrationOverrides { prefect_flow_run_id: flow, prefect_task_run_id: task, .. } =
        explicit;
    if let Some(flow) = flow {
        signs.id(FLOW_RUN_ID, "--prefect-flow-run-id", flow.to_string());
    }
    if let Some(task) = task {
        signs.id(TASK_RUN_ID, "--prefect-task-run-id", task.to_string());
    }
    found(signs, environment, *flow, *task)
}

/// Returns what variables say. Flags win as a whole: the flow of one with the task of the
/// other would be a run that never was.
pub(super) fn detect(
    explicit: &OrchestrationOverrides,
    environment: &Environment<'_>,
) -> Option<Orchestration> {
    if explicit.prefect_flow_run_id.or(explicit.prefect_task_run_id).is_some() {
        return None;
    }
    let mut signs = Signs::new(environment);
    let mut id = |variable, name| {
        let id = environment.parsed(variable, |text| uuid(&text))?;
        signs.id(name, variable, id.to_string());
        Some(id)
    };
    let flow = id("PREFECT__FLOW_RUN_ID", FLOW_RUN_ID);
    let task = id("PREFECT__TASK_RUN_ID", TASK_RUN_ID);
    signs.ids(&[("PREFECT__DEPLOYMENT_NAME", "deployment_name")]);
    found(signs, environment, flow, task)
}

/// Returns the ids of the flow run and the task run, of the first that says any: also where
/// our own variables name Prefect.
pub(super) fn ids(all: &[Orchestration]) -> (Option<String>, Option<String>) {
    let id = |found: &Orchestration, name| {
        found.ids.get(name).filter(|id| Uuid::parse_str(id).is_ok()).cloned()
    };
    let prefects = all.iter().filter(|found| found.system == NAME);
    let mut pairs = prefects.map(|found| (id(found, FLOW_RUN_ID), id(found, TASK_RUN_ID)));
    pairs.find(|pair| *pair != (None, None)).unwrap_or_default()
}

fn found(
    mut signs: Signs<'_>,
    environment: &Environment<'_>,
    flow: Option<Uuid>,
    task: Option<Uuid>,
) -> Option<Orchestration> {
    if signs.is_empty() {
        return None;
    }
    let path = match (task, flow) {
        (Some(task), _) => Some(format!("runs/task-run/{task}")),
        (None, Some(flow)) => Some(format!("runs/flow-run/{flow}")),
        (None, None) => None,
    };
    let url = path.and_then(|path| {
        let (base, variable) = pages(environment)?;
        signs.sign(variable);
        Some(format!("{}/{path}", base.trim_end_matches('/')))
    });
    Some(signs.into_system(NAME, url))
}

fn uuid(text: &str) -> Result<Uuid, InvalidValue> {
    Uuid::parse_str(text).map_err(|_| InvalidValue::NotAUuid)
}

/// Returns where its pages are, and the variable that says so.
fn pages(environment: &Environment<'_>) -> Option<(String, &'static str)> {
    let is_base = |url: &String| !url.contains(['?', '#']);
    let base = |variable| environment.url(variable).filter(is_base);
    let of_api = || base("PREFECT_API_URL").map(|api| (ui_of(&api), "PREFECT_API_URL"));
    base("PREFECT_UI_URL").map(|ui| (ui, "PREFECT_UI_URL")).or_else(of_api)
}

/// Returns the address of the pages that belong to an API, by Prefect's own rules.
fn ui_of(api: &str) -> String {
    let ui = match api.strip_prefix(CLOUD_API) {
        Some(rest) => format!("{CLOUD_UI}{rest}"),
        None => api.to_owned(),
    };
    let ui = ui.trim_end_matches('/');
    let ui = ui.strip_suffix("/api").unwrap_or(ui).replace("/api/", "/");
    ui.replace("/accounts/", "/account/").replace("/workspaces/", "/workspace/")
}
