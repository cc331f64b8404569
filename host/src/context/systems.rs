//! The workflow systems, in the order in which they are reported.

use std::collections::BTreeMap;

use super::environment::{Environment, InvalidValue};
use super::{Orchestration, OrchestrationOverrides, dagster, prefect};

/// What tells that a container runs in Kubernetes.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";
/// The name of a system that has none.
const UNNAMED: &str = "unnamed";

/// Returns what each system says that there are signs of.
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

/// What is known of one system so far.
pub(super) struct Signs<'a> {
    environment: &'a Environment<'a>,
    detected_from: Vec<String>,
    ids: BTreeMap<String, String>,
}

impl<'a> Signs<'a> {
    pub(super) fn new(environment: &'a Environment<'a>) -> Self {
        Self { environment, detected_from: Vec::new(), ids: BTreeMap::new() }
    }

    /// Adds a sign that has no value to show.
    pub(super) fn sign(&mut self, name: &str) {
        self.detected_from.push(name.to_owned());
    }

    /// Adds an id and what says so.
    pub(super) fn id(&mut self, id: &str, from: &str, value: String) {
        self.sign(from);
        self.ids.insert(id.to_owned(), value);
    }

    /// Adds the ids that variables hold.
    pub(super) fn ids(&mut self, variables: &[(&'static str, &str)]) {
        for &(variable, id) in variables {
            if let Some(value) = self.environment.word(variable) {
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
    let mut signs = Signs::new(&environment);
    signs.sign("--orchestrator");
    for (id, flag, word) in words {
        if let Some(word) = word {
            signs.id(id, flag, word.as_str().to_owned());
        }
    }
    Some(signs.into_system(given.name.as_str(), None))
}

/// Variables of our own, for systems that this module does not know.
fn neutral(environment: &Environment<'_>) -> Option<Orchestration> {
    let mut signs = Signs::new(environment);
    let name = environment.word("OPHOST_ORCHESTRATOR");
    if name.is_some() {
        signs.sign("OPHOST_ORCHESTRATOR");
    }
    signs.ids(&[("OPHOST_FLOW_RUN_ID", "flow_run_id"), ("OPHOST_TASK_RUN_ID", "task_run_id")]);
    let url = environment.url("OPHOST_RUN_URL");
    if url.is_some() {
        signs.sign("OPHOST_RUN_URL");
    }
    (!signs.is_empty()).then(|| signs.into_system(name.as_deref().unwrap_or(UNNAMED), url))
}

fn airflow(environment: &Environment<'_>) -> Option<Orchestration> {
    let mut signs = Signs::new(environment);
    signs.ids(&[
        ("AIRFLOW_CTX_DAG_ID", "dag_id"),
        ("AIRFLOW_CTX_TASK_ID", "task_id"),
        ("AIRFLOW_CTX_DAG_RUN_ID", "dag_run_id"),
    ]);
    if signs.is_empty() {
        return None;
    }
    signs.ids(&[("AIRFLOW_CTX_TRY_NUMBER", "try_number")]);
    Some(signs.into_system("airflow", None))
}

fn windmill(environment: &Environment<'_>) -> Option<Orchestration> {
    let mut signs = Signs::new(environment);
    signs.ids(&[
        ("WM_JOB_ID", "job_id"),
        ("WM_FLOW_JOB_ID", "flow_job_id"),
        ("WM_ROOT_FLOW_JOB_ID", "root_flow_job_id"),
    ]);
    (!signs.is_empty()).then(|| signs.into_system("windmill", None))
}

fn github(environment: &Environment<'_>) -> Option<Orchestration> {
    if environment.raw("GITHUB_ACTIONS")? != "true" {
        return None;
    }
    let mut signs = Signs::new(environment);
    signs.sign("GITHUB_ACTIONS");
    for (variable, id) in [("GITHUB_RUN_ID", "run_id"), ("GITHUB_RUN_ATTEMPT", "run_attempt")] {
        if let Some(value) = environment.parsed(variable, number) {
            signs.id(id, variable, value);
        }
    }
    signs.ids(&[
        ("GITHUB_JOB", "job"),
        ("GITHUB_WORKFLOW", "workflow"),
        ("GITHUB_REPOSITORY", "repository"),
    ]);
    let url = github_url(&mut signs);
    Some(signs.into_system("github-actions", url))
}

fn number(text: String) -> Result<String, InvalidValue> {
    let is_number = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Ok(text) } else { Err(InvalidValue::NotANumber) }
}

fn github_url(signs: &mut Signs<'_>) -> Option<String> {
    let (run, repository) = (signs.ids.get("run_id")?, signs.ids.get("repository")?);
    let in_a_path = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !repository.chars().all(in_a_path) {
        return None;
    }
    let attempt = signs.ids.get("run_attempt").map(|attempt| format!("/attempts/{attempt}"));
    let path = format!("{repository}/actions/runs/{run}{}", attempt.unwrap_or_default());
    let server = signs.environment.url("GITHUB_SERVER_URL")?;
    signs.sign("GITHUB_SERVER_URL");
    Some(format!("{}/{path}", server.trim_end_matches('/')))
}

fn kubernetes(environment: &Environment<'_>) -> Option<Orchestration> {
    environment.raw(KUBERNETES)?;
    let mut signs = Signs::new(environment);
    signs.sign(KUBERNETES);
    Some(signs.into_system("kubernetes", None))
}

/// Returns whether this is a workflow: where a container runs says nothing about who started
/// it.
pub(super) fn is_workflow(found: &Orchestration) -> bool {
    found.detected_from != [KUBERNETES]
}
