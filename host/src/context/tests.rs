//! Table tests: environments and the context that is detected from them.

use std::fmt::Write as _;

use data_encoding::BASE64;
use miniz_oxide::deflate::compress_to_vec_zlib;

use super::*;

const FLOW: &str = "11111111-1111-4111-8111-111111111111";
const TASK: &str = "22222222-2222-4222-8222-222222222222";
const OTHER: &str = "33333333-3333-4333-8333-333333333333";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn detect(explicit: &OrchestrationOverrides, variables: &[(&str, &str)]) -> OrchestrationContext {
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    OrchestrationContext::detect(explicit, &variable)
}

fn found(variables: &[(&str, &str)]) -> OrchestrationContext {
    detect(&OrchestrationOverrides::default(), variables)
}

/// Returns a context in one line: `*` if it is orchestrated, systems with their ids, and the
/// ignored variables in parentheses.
fn line(context: &OrchestrationContext) -> String {
    let mut text = if context.orchestrated { "*".to_owned() } else { String::new() };
    for found in &context.orchestration {
        let _ = write!(text, " {}", found.system);
        for (id, value) in &found.ids {
            let _ = write!(text, " {id}={value}");
        }
    }
    for ignored in &context.ignored {
        let _ = write!(text, " ({ignored})");
    }
    text.trim_start().replace(FLOW, "FLOW").replace(TASK, "TASK").replace(OTHER, "OTHER")
}

type Case<'a> = (&'a [(&'a str, &'a str)], &'a str);

fn check(cases: &[Case<'_>]) {
    for (variables, expected) in cases {
        assert_eq!(line(&found(variables)), *expected, "{variables:?}");
    }
}

#[test]
fn an_empty_environment_gives_an_empty_context() {
    assert!(found(&[]).is_empty());
    assert!(found(&[("PATH", "/bin"), ("PREFECT__FLOW_RUN_ID", "")]).is_empty());
}

#[test]
fn the_variables_of_ophost_name_any_system() {
    let url = ("OPHOST_RUN_URL", "https://flows.example/7");
    check(&[
        (&[("OPHOST_ORCHESTRATOR", "luigi")], "* luigi"),
        (&[("OPHOST_ORCHESTRATOR", "luigi"), ("OPHOST_FLOW_RUN_ID", "7")], "* luigi flow_run_id=7"),
        (&[("OPHOST_TASK_RUN_ID", "8")], "* unnamed task_run_id=8"),
        (&[url], "* unnamed"),
        (&[("OPHOST_ORCHESTRATOR", "a\nb")], "(`OPHOST_ORCHESTRATOR` contains control characters)"),
    ]);
    assert_eq!(found(&[url]).run_url.as_deref(), Some(url.1));
    let long = "x".repeat(1025);
    let context = found(&[("OPHOST_FLOW_RUN_ID", &long)]);
    assert_eq!(line(&context), "(`OPHOST_FLOW_RUN_ID` is longer than 1024 bytes)");
}

#[test]
fn a_url_with_credentials_is_ignored() {
    for (url, problem) in [
        ("javascript:alert(1)", "(`OPHOST_RUN_URL` is not an http or https URL)"),
        ("https:///x", "(`OPHOST_RUN_URL` is not an http or https URL)"),
        ("https://a b", "(`OPHOST_RUN_URL` is not an http or https URL)"),
        ("https://ann:secret@x.example/", "(`OPHOST_RUN_URL` is a URL with credentials)"),
    ] {
        assert_eq!(line(&found(&[("OPHOST_RUN_URL", url)])), problem);
    }
}

#[test]
fn prefect_is_detected_from_variables_of_its_workers_and_of_the_shim() {
    let flow = ("PREFECT__FLOW_RUN_ID", FLOW);
    let task = ("PREFECT__TASK_RUN_ID", TASK);
    check(&[
        (&[flow], "* prefect flow_run_id=FLOW"),
        (&[flow, task], "* prefect flow_run_id=FLOW task_run_id=TASK"),
        (&[task], "* prefect task_run_id=TASK"),
        (&[("PREFECT__DEPLOYMENT_NAME", "nightly")], "* prefect deployment_name=nightly"),
        (&[("PREFECT_API_URL", "http://127.0.0.1:4200/api")], ""),
        (&[("PREFECT_UI_URL", "http://127.0.0.1:4200")], ""),
        (&[("PREFECT__FLOW_RUN_ID", "flow-run-123")], "(`PREFECT__FLOW_RUN_ID` is not a UUID)"),
        (
            &[flow, ("PREFECT__TASK_RUN_ID", "None")],
            "* prefect flow_run_id=FLOW (`PREFECT__TASK_RUN_ID` is not a UUID)",
        ),
    ]);
    let context = found(&[flow, task]);
    assert_eq!(context.prefect_flow_run_id.as_deref(), Some(FLOW));
    assert_eq!(context.prefect_task_run_id.as_deref(), Some(TASK));
    assert_eq!(
        context.orchestration[0].detected_from,
        ["PREFECT__FLOW_RUN_ID", "PREFECT__TASK_RUN_ID"]
    );
    let context = found(&[("PREFECT__DEPLOYMENT_NAME", "nightly")]);
    assert_eq!((context.prefect_flow_run_id, context.prefect_task_run_id), (None, None));
}

#[test]
fn the_variables_of_ophost_can_name_prefect() {
    let named = ("OPHOST_ORCHESTRATOR", "prefect");
    let context = found(&[named, ("OPHOST_FLOW_RUN_ID", FLOW)]);
    assert_eq!(context.prefect_flow_run_id.as_deref(), Some(FLOW));
    let wrong = [named, ("OPHOST_FLOW_RUN_ID", "7"), ("PREFECT__FLOW_RUN_ID", OTHER)];
    assert_eq!(found(&wrong).prefect_flow_run_id.as_deref(), Some(OTHER));
}

#[test]
fn the_url_of_a_prefect_run_is_built_from_the_variables_of_prefect() {
    let run = |variable, base: &str| {
        let variables = [("PREFECT__FLOW_RUN_ID", FLOW), (variable, base)];
        found(&variables).run_url.unwrap_or_default().replace(FLOW, "FLOW")
    };
    let api = |base| run("PREFECT_API_URL", base);
    let cloud = "https://api.prefect.cloud/api/accounts/a/workspaces/w";
    assert_eq!(api(cloud), "https://app.prefect.cloud/account/a/workspace/w/runs/flow-run/FLOW");
    assert_eq!(api("http://127.0.0.1:4200/api"), "http://127.0.0.1:4200/runs/flow-run/FLOW");
    assert_eq!(run("PREFECT_UI_URL", "https://ui/"), "https://ui/runs/flow-run/FLOW");
    assert_eq!(api("https://me:key@x.example/api"), "");
    assert_eq!(api("https://x.example/api?key=1"), "");
    let context = found(&[
        ("PREFECT__FLOW_RUN_ID", FLOW),
        ("PREFECT__TASK_RUN_ID", TASK),
        ("PREFECT_API_URL", "https://api.example/api"),
        ("PREFECT_UI_URL", "https://ui.example"),
    ]);
    let page = format!("https://ui.example/runs/task-run/{TASK}");
    assert_eq!(context.run_url.as_deref(), Some(page.as_str()));
    assert!(context.orchestration[0].detected_from.contains(&"PREFECT_UI_URL".to_owned()));
}

#[test]
fn airflow_windmill_and_github_are_detected_from_their_variables() {
    let actions = ("GITHUB_ACTIONS", "true");
    check(&[
        (
            &[
                ("AIRFLOW_CTX_DAG_ID", "d"),
                ("AIRFLOW_CTX_TASK_ID", "t"),
                ("AIRFLOW_CTX_DAG_RUN_ID", "manual__2026-01-01"),
                ("AIRFLOW_CTX_TRY_NUMBER", "2"),
            ],
            "* airflow dag_id=d dag_run_id=manual__2026-01-01 task_id=t try_number=2",
        ),
        (&[("AIRFLOW_CTX_TRY_NUMBER", "2")], ""),
        (&[("AIRFLOW_HOME", "/opt/airflow")], ""),
        (&[("WM_JOB_ID", "j"), ("WM_FLOW_JOB_ID", "")], "* windmill job_id=j"),
        (
            &[("WM_JOB_ID", "j"), ("WM_FLOW_JOB_ID", "f"), ("WM_ROOT_FLOW_JOB_ID", "r")],
            "* windmill flow_job_id=f job_id=j root_flow_job_id=r",
        ),
        (&[actions], "* github-actions"),
        (&[("GITHUB_ACTIONS", "false"), ("GITHUB_RUN_ID", "1")], ""),
        (&[("GITHUB_RUN_ID", "1")], ""),
        (
            &[actions, ("GITHUB_RUN_ID", "1"), ("GITHUB_RUN_ATTEMPT", "2"), ("GITHUB_JOB", "test")],
            "* github-actions job=test run_attempt=2 run_id=1",
        ),
        (
            &[actions, ("GITHUB_RUN_ID", "../x")],
            "* github-actions (`GITHUB_RUN_ID` is not a number)",
        ),
    ]);
    let context = found(&[
        actions,
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_SERVER_URL", "https://git.example"),
    ]);
    let page = "https://git.example/o/r/actions/runs/1/attempts/2";
    assert_eq!(context.run_url.as_deref(), Some(page));
}

#[test]
fn kubernetes_alone_is_not_orchestrated() {
    let pod = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    check(&[
        (&[pod], "kubernetes"),
        (&[pod, ("WM_JOB_ID", "j")], "* windmill job_id=j kubernetes"),
    ]);
    assert!(!format!("{:?}", found(&[pod])).contains("10.0.0.1"));
}

fn pipes(json: &str) -> String {
    BASE64.encode(&compress_to_vec_zlib(json.as_bytes(), 6))
}

#[test]
fn the_variable_of_dagster_is_decoded() {
    let problem = "(`DAGSTER_PIPES_CONTEXT` is not base64 of zlib of JSON)";
    let elsewhere = "* dagster (`DAGSTER_PIPES_CONTEXT` contains no `run_id`, only the location of the context)";
    for (value, expected) in [
        (pipes(r#"{"run_id": "r", "secret": "s"}"#), "* dagster run_id=r"),
        (
            pipes(r#"{"data": {"run_id": "r", "job_name": "j", "retry_number": 1}}"#),
            "* dagster job_name=j retry_number=1 run_id=r",
        ),
        (pipes(r#"{"path": "/tmp/context"}"#), elsewhere),
        (pipes(r#"{"run_id": ["r"]}"#), elsewhere),
        (pipes("[]"), problem),
        (pipes("{"), problem),
        ("no base64".to_owned(), problem),
        (BASE64.encode(b"no zlib"), problem),
    ] {
        assert_eq!(line(&found(&[("DAGSTER_PIPES_CONTEXT", &value)])), expected);
    }
}

#[test]
fn a_variable_of_dagster_that_decompresses_to_too_much_is_ignored() {
    let bomb = pipes(&format!(r#"{{"run_id": "r"{}}}"#, " ".repeat(64 << 20)));
    assert!(bomb.len() < 128 << 10);
    let context = found(&[("DAGSTER_PIPES_CONTEXT", &bomb)]);
    assert!(context.orchestration.is_empty());
    let long = "A".repeat((128 << 10) + 1);
    let context = found(&[("DAGSTER_PIPES_CONTEXT", &long)]);
    assert_eq!(line(&context), "(`DAGSTER_PIPES_CONTEXT` is longer than 131072 bytes)");
}

#[test]
fn all_detected_systems_are_listed_in_a_fixed_order() {
    let dagster = pipes(r#"{"run_id": "r"}"#);
    let variables = [
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("GITHUB_ACTIONS", "true"),
        ("WM_JOB_ID", "j"),
        ("DAGSTER_PIPES_CONTEXT", dagster.as_str()),
        ("AIRFLOW_CTX_DAG_ID", "d"),
        ("PREFECT__FLOW_RUN_ID", FLOW),
        ("OPHOST_ORCHESTRATOR", "o"),
    ];
    let word = |text: &str| text.parse::<Label>().unwrap();
    let orchestrator = Orchestrator { name: word("x"), run_id: word("1"), task_id: None };
    let explicit = OrchestrationOverrides {
        orchestrator: Some(orchestrator),
        ..OrchestrationOverrides::default()
    };
    assert_eq!(
        line(&detect(&explicit, &variables)),
        "* x run_id=1 o prefect flow_run_id=FLOW airflow dag_id=d dagster run_id=r \
         windmill job_id=j github-actions kubernetes"
    );
}

#[test]
fn flags_override_all_variables_of_prefect() {
    let explicit = OrchestrationOverrides {
        prefect_flow_run_id: Some(OTHER.parse().unwrap()),
        ..OrchestrationOverrides::default()
    };
    let variables = [
        ("PREFECT__FLOW_RUN_ID", FLOW),
        ("PREFECT__TASK_RUN_ID", TASK),
        ("PREFECT_UI_URL", "https://ui.example"),
    ];
    let context = detect(&explicit, &variables);
    assert_eq!(line(&context), "* prefect flow_run_id=OTHER");
    assert_eq!(context.prefect_task_run_id, None);
    let system = &context.orchestration[0].detected_from;
    assert_eq!(*system, ["--prefect-flow-run-id", "PREFECT_UI_URL"]);
}

#[test]
fn no_detect_ignores_the_environment() {
    let explicit = OrchestrationOverrides { no_detect: true, ..OrchestrationOverrides::default() };
    let variables = [("PREFECT__FLOW_RUN_ID", FLOW), ("TRACEPARENT", PARENT), ("WM_JOB_ID", "j")];
    assert!(detect(&explicit, &variables).is_empty());
    let explicit =
        OrchestrationOverrides { prefect_task_run_id: Some(TASK.parse().unwrap()), ..explicit };
    assert_eq!(line(&detect(&explicit, &variables)), "* prefect task_run_id=TASK");
}

#[test]
fn a_traceparent_must_conform_to_the_specification() {
    let (zero_trace, zero_span) = ("0".repeat(32), "0".repeat(16));
    let later = PARENT.replacen("00", "01", 1);
    let goes_on = format!("{later}-what-will-come");
    for good in [PARENT, later.as_str(), goes_on.as_str()] {
        let trace = found(&[("TRACEPARENT", good)]).trace.unwrap();
        assert_eq!(trace.traceparent.as_deref(), Some(good));
    }
    for bad in [
        "x".to_owned(),
        PARENT.to_uppercase(),
        PARENT.replacen("00", "ff", 1),
        format!("{PARENT}-more"),
        format!("{PARENT}\n"),
        PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zero_trace),
        PARENT.replace("00f067aa0ba902b7", &zero_span),
    ] {
        let context = found(&[("TRACEPARENT", &bad), ("TRACESTATE", "a=1")]);
        assert_eq!(context.trace, None);
        assert_eq!(line(&context), "(`TRACEPARENT` violates the W3C specification)");
    }
    assert!(!found(&[("TRACEPARENT", PARENT)]).orchestrated);
}

#[test]
fn tracestate_and_baggage_must_conform_to_the_specification() {
    let many = ["a=1"; 33].join(",");
    for (state, is_good) in [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true),
        ("a@b=1, c=2,", true),
        ("a=1,a=2", false),
        ("A=1", false),
        ("a", false),
        (&many, false),
    ] {
        let trace = found(&[("TRACEPARENT", PARENT), ("TRACESTATE", state)]).trace.unwrap();
        assert_eq!(trace.tracestate.is_some(), is_good, "{state}");
    }
    for (baggage, is_good) in [
        ("userId=alice,serverNode=DF%2028", true),
        ("key1=value1;property1;property2, key2 = value2", true),
        ("k=", true),
        ("k", false),
        ("k=a b", false),
        ("ключ=1", false),
    ] {
        let trace = found(&[("BAGGAGE", baggage)]).trace;
        assert_eq!(trace.is_some(), is_good, "{baggage}");
    }
}

#[test]
fn an_ignored_variable_is_reported_without_its_value() {
    let json = serde_json::to_string(&found(&[("PREFECT__FLOW_RUN_ID", "hunter2")])).unwrap();
    assert!(json.contains(r#""ignored":["`PREFECT__FLOW_RUN_ID` is not a UUID"]"#), "{json}");
    assert!(!json.contains("hunter2"));
}
