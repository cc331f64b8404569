//! Orchestration context of runs: flags, environment variables and library calls.

use ophost::{Host, OrchestrationContext, Request};
use serde_json::{Value, json};

use crate::harness::Project;

const FLOW: &str = "11111111-1111-4111-8111-111111111111";
const TASK: &str = "22222222-2222-4222-8222-222222222222";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Returns the orchestration context of a run with these flags and variables.
fn orchestration(project: &Project, flags: &[&str], variables: &[(&str, &str)]) -> Value {
    let mut command = project.command(&["run", "--json", "slugify", "text=x"]);
    let output = project.output(command.args(flags).envs(variables.iter().copied()));
    assert_eq!(output.code, Some(0), "{output}");
    output.json()["orchestration"].take()
}

#[test]
fn run_outside_of_an_orchestrator_has_no_orchestration() {
    let project = Project::with_rust(&["text"]);
    let envelope = project.run(&["run", "--json", "slugify", "text=x"]).json();
    assert_eq!(envelope.get("orchestration"), None);
}

#[test]
fn run_in_a_prefect_task_has_its_ids() {
    let project = Project::with_rust(&["text"]);
    let variables = [
        ("PREFECT__FLOW_RUN_ID", FLOW),
        ("PREFECT__TASK_RUN_ID", TASK),
        ("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
        ("TRACEPARENT", PARENT),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_RUN_ID", "latest"),
    ];
    let page = format!("http://127.0.0.1:4200/runs/task-run/{TASK}");
    let prefect = ["PREFECT__FLOW_RUN_ID", "PREFECT__TASK_RUN_ID", "PREFECT_API_URL"];
    let expected = json!({
        "orchestrated": true,
        "prefect_flow_run_id": FLOW,
        "prefect_task_run_id": TASK,
        "run_url": page,
        "systems": [
            {
                "system": "prefect",
                "detected_from": prefect,
                "ids": {"flow_run_id": FLOW, "task_run_id": TASK},
                "url": page,
            },
            {"system": "github-actions", "detected_from": ["GITHUB_ACTIONS"], "ids": {}},
        ],
        "trace": {
            "traceparent": PARENT,
            "tracestate": null,
            "baggage": null,
            "detected_from": ["TRACEPARENT"],
        },
        "ignored": ["`GITHUB_RUN_ID` is not a number"],
    });
    assert_eq!(orchestration(&project, &[], &variables), expected);
    assert_eq!(orchestration(&project, &["--no-detect"], &variables), Value::Null);
}

#[test]
fn flags_set_orchestration_ids() {
    let project = Project::with_rust(&["text"]);
    let named = [
        "--orchestrator=luigi",
        "--orchestrator-run-id=7",
        "--orchestrator-task-id=step",
        "--prefect-flow-run-id",
        FLOW,
        "--no-detect",
    ];
    let context = orchestration(&project, &named, &[("PREFECT__TASK_RUN_ID", TASK)]);
    let systems: Vec<_> =
        context["systems"].as_array().unwrap().iter().map(|found| &found["system"]).collect();
    assert_eq!(systems, ["luigi", "prefect"]);
    assert_eq!(context["systems"][0]["ids"], json!({"run_id": "7", "task_id": "step"}));
    assert_eq!(context["prefect_flow_run_id"], FLOW);
    assert_eq!(context["prefect_task_run_id"], Value::Null);
}

#[test]
fn invalid_orchestration_flags_run_nothing() {
    let project = Project::with_rust(&["text"]);
    let run = |flags: &[&str]| project.run(&[&["run", "slugify", "text=x"], flags].concat());
    let wrong = run(&["--prefect-flow-run-id", "flow-run-123"]);
    let start = "error: invalid value 'flow-run-123' for '--prefect-flow-run-id <UUID>': ";
    assert!(wrong.stderr.starts_with(start), "{wrong}");
    assert_eq!(wrong.code, Some(2));
    assert_eq!(run(&["--orchestrator", "luigi"]).code, Some(2));
    assert_eq!(run(&["--orchestrator-run-id", "7"]).code, Some(2));
    assert_eq!(run(&["--orchestrator", "", "--orchestrator-run-id", "7"]).code, Some(2));
}

#[tokio::test]
async fn library_call_ignores_the_environment() {
    let project = Project::with_rust(&["text"]);
    let host = Host::builder().plugins(project.plugins()).build().await.unwrap();
    let request = || Request::new("slugify", json!({"text": "x"}));
    // The library must ignore the variables that cargo and CI set.
    assert!(host.run(request()).await.unwrap().context.is_empty());
    let variable = |name: &str| (name == "WM_JOB_ID").then(|| "j".to_owned());
    let context =
        OrchestrationContext::detect(&ophost::OrchestrationOverrides::default(), &variable);
    let report = host.run(request().context(context.clone())).await.unwrap();
    assert_eq!(report.context, context);
}
