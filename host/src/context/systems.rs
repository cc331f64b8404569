//! Detection of workflow systems, in the order of the report.

use std::collections::BTreeMap;

use super::environment::{Environment, InvalidValue};
use super::{Orchestration, OrchestrationOverrides, dagster, prefect};

/// The variable that every container in Kubernetes has.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";
/// Name of a system without a name.
const UNNAMED: &str = "unnamed";

/// Returns the detected systems.
pub(super) fn detect(
    explicit: &OrchestrationOverrides,
    environment: &Environment<'_>,
) -> Vec<Orchestration> {
    let found = [
        named(explicit),
        prefect::explicit(explicit, environment),
        neutral(environment),
        prefect::detect(explicit, environment),
        airflow(environment),
        dagster::detect(environment),
        windmill(environment),
        github(environment),
        kubernetes(environment),
    ];
    found.into_iter().flatten().collect()
}

/// Builder of the entry of one system.
pub(super) struct SystemBuilder<'a> {
    environment: &'a Environment<'a>,
    detected_from: Vec<String>,
    ids: BTreeMap<String, String>,
}

impl<'a> SystemBuilder<'a> {
    pub(super) fn new(environment: &'a Environment<'a>) -> Self {
        Self { environment, detected_from: Vec::new(), ids: BTreeMap::new() }
    }

    /// Adds a flag or variable without an id.
    pub(super) fn sign(&mut self, name: &str) {
        self.detected_from.push(name.to_owned());
    }

    /// Adds an id, and the flag or variable that it comes from.
    pub(super) fn id(&mut self, id: &str, from: &str, value: String) {
        self.sign(from);
        self.ids.insert(id.to_owned(), value);
    }

    /// Adds ids from variables.
    pub(super) fn ids(&mut self, variables: &[(&'static str, &str)]) {
        for &(variable, id) in variables {
            if let Some(value) = self.environment.label(variable) {
                self.id(id, variable, value);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.detected_from.is_empty()
    }

    pub(super) fn into_system(self, system: &str, url: Option<String>) -> Orchestration {
        let Self { detected_from, ids, .. } = self;
        Orchestration { system: system.to_owned(), detected_from, ids, url }
    }
}

fn named(explicit: &OrchestrationOverrides) -> Option<Orchestration> {
    let given = explicit.orchestrator.as_ref()?;
    let words = [
        ("run_id", "--orchestrator-run-id", Some(&given.run_id)),
        ("task_id", "--orchestrator-task-id", given.task_id.as_ref()),
    ];
    let nothing = |_: &str| None;
    let environment = Environment::new(&nothing);
    let mut system = SystemBuilder::new(&environment);
    system.sign("--orchestrator");
    for (id, flag, word) in words {
        if let Some(word) = word {
            system.id(id, flag, word.as_str().to_owned());
        }
    }
    Some(system.into_system(given.name.as_str(), None))
}

/// Variables of `ophost`, for systems that this module does not know.
fn neutral(environment: &Environment<'_>) -> Option<Orchestration> {
    let mut system = SystemBuilder::new(environment);
    let name = environment.label("OPHOST_ORCHESTRATOR");
    if name.is_some() {
        system.sign("OPHOST_ORCHESTRATOR");
    }
    system.ids(&[("OPHOST_FLOW_RUN_ID", "flow_run_id"), ("OPHOST_TASK_RUN_ID", "task_run_id")]);
    let url = environment.url("OPHOST_RUN_URL");
    if url.is_some() {
        system.sign("OPHOST_RUN_URL");
    }
    (!system.is_empty()).then(|| system.into_system(name.as_deref().unwrap_or(UNNAMED), url))
}

fn airflow(environment: &Environment<'_>) -> Option<Orchestration> {
    let mut system = SystemBuilder::new(environment);
    system.ids(&[
        ("AIRFLOW_CTX_DAG_ID", "dag_id"),
        ("AIRFLOW_CTX_TASK_ID", "task_id"),
        ("AIRFLOW_CTX_DAG_RUN_ID", "dag_run_id"),
    ]);
    if system.is_empty() {
        return None;
    }
    system.ids(&[("AIRFLOW_CTX_TRY_NUMBER", "try_number")]);
    Some(system.into_system("airflow", None))
}

fn windmill(environment: &Environment<'_>) -> Option<Orchestration> {
    let mut system = SystemBuilder::new(environment);
    system.ids(&[
        ("WM_JOB_ID", "job_id"),
        ("WM_FLOW_JOB_ID", "flow_job_id"),
        ("WM_ROOT_FLOW_JOB_ID", "root_flow_job_id"),
    ]);
    (!system.is_empty()).then(|| system.into_system("windmill", None))
}

fn github(environment: &Environment<'_>) -> Option<Orchestration> {
    if environment.raw("GITHUB_ACTIONS")? != "true" {
        return None;
    }
    let mut system = SystemBuilder::new(environment);
    system.sign("GITHUB_ACTIONS");
    for (variable, id) in [("GITHUB_RUN_ID", "run_id"), ("GITHUB_RUN_ATTEMPT", "run_attempt")] {
        if let Some(value) = environment.parsed(variable, number) {
            system.id(id, variable, value);
        }
    }
    system.ids(&[
        ("GITHUB_JOB", "job"),
        ("GITHUB_WORKFLOW", "workflow"),
        ("GITHUB_REPOSITORY", "repository"),
    ]);
    let url = github_url(&mut system);
    Some(system.into_system("github-actions", url))
}

fn number(text: String) -> Result<String, InvalidValue> {
    let is_number = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Ok(text) } else { Err(InvalidValue::NotANumber) }
}

fn github_url(system: &mut SystemBuilder<'_>) -> Option<String> {
    let (run, repository) = (system.ids.get("run_id")?, system.ids.get("repository")?);
    let in_a_path = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !repository.chars().all(in_a_path) {
        return None;
    }
    let attempt = system.ids.get("run_attempt").map(|attempt| format!("/attempts/{attempt}"));
    let path = format!("{repository}/actions/runs/{run}{}", attempt.unwrap_or_default());
    let server = system.environment.url("GITHUB_SERVER_URL")?;
    system.sign("GITHUB_SERVER_URL");
    Some(format!("{}/{path}", server.trim_end_matches('/')))
}

fn kubernetes(environment: &Environment<'_>) -> Option<Orchestration> {
    environment.raw(KUBERNETES)?;
    let mut system = SystemBuilder::new(environment);
    system.sign(KUBERNETES);
    Some(system.into_system("kubernetes", None))
}

/// Returns whether the entry is a workflow system. A container in Kubernetes can be started
/// without a workflow.
pub(super) fn is_workflow(found: &Orchestration) -> bool {
    found.detected_from != [KUBERNETES]
}
