//! `Host::watch` and `Host::reload`: changes of plugin directories while a program runs.

use std::fs;
use std::time::{Duration, Instant};

use e2e::guest::{Described, Operation, describing};
use ophost::{Catalog, Host, Outcome, PluginState, Request};
use serde_json::json;

use crate::harness::Project;

fn plugin(operation: &str, version: &str) -> Vec<u8> {
    let described = Described::new("it").with(Operation::new(operation));
    describing(&Described { version: version.to_owned(), ..described }).expect("a guest")
}

/// Waits until the host's catalog meets a condition. Fails after 30 seconds.
async fn wait_for(host: &Host, condition: impl Fn(&Catalog) -> bool) {
    let started = Instant::now();
    while !condition(&host.catalog()) {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", host.catalog().plugins());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn version<'a>(catalog: &'a Catalog, operation: &str) -> Option<&'a str> {
    catalog.get(operation).map(|known| known.version)
}

fn reload_error(catalog: &Catalog) -> Option<String> {
    catalog.plugins().iter().find_map(|state| match state {
        PluginState::Used { reload_error, .. } => reload_error.map(ToOwned::to_owned),
        PluginState::Rejected { .. } => None,
    })
}

async fn runs(host: &Host, operation: &str) -> bool {
    let report = host.run(Request::new(operation, json!({}))).await;
    report.is_ok_and(|report| report.outcome == Outcome::Success(json!({})))
}

#[tokio::test]
async fn watched_changes_are_loaded_and_the_last_good_version_survives_a_rejected_one() {
    let project = Project::new();
    project.add("it", &plugin("a", "1"));
    let host = Host::builder().plugins(project.plugins()).build().await.expect("a host");
    let before = host.catalog();
    let watching = host.watch().expect("a watcher");

    project.add("it", &plugin("a", "2"));
    wait_for(&host, |catalog| version(catalog, "a") == Some("2")).await;
    assert_eq!(version(&before, "a"), Some("1"), "a catalog is immutable");

    project.add("it", b"half of a file");
    wait_for(&host, |catalog| reload_error(catalog).is_some()).await;
    assert_eq!(reload_error(&host.catalog()).as_deref(), Some("not a WebAssembly file"));
    assert_eq!(version(&host.catalog(), "a"), Some("2"));
    assert!(runs(&host, "a").await);

    // A new file does not get the name of a loaded plugin.
    project.add("another", &plugin("a", "9"));
    wait_for(&host, |catalog| catalog.rejected().count() == 1).await;
    assert_eq!(version(&host.catalog(), "a"), Some("2"));
    fs::remove_file(project.plugins().join("another.wasm")).expect("a file");

    project.add("it", &plugin("a", "3"));
    wait_for(&host, |catalog| version(catalog, "a") == Some("3")).await;
    assert_eq!(reload_error(&host.catalog()), None);

    fs::remove_file(project.plugins().join("it.wasm")).expect("a file");
    wait_for(&host, |catalog| catalog.plugins().is_empty()).await;
    assert!(!runs(&host, "a").await);

    fs::remove_dir(project.plugins()).expect("an empty directory");
    tokio::time::sleep(Duration::from_millis(500)).await;
    fs::create_dir(project.plugins()).expect("a directory");
    project.add("it", &plugin("b", "1"));
    wait_for(&host, |catalog| version(catalog, "b") == Some("1")).await;

    drop(watching);
    project.add("it", &plugin("b", "2"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(version(&host.catalog(), "b"), Some("1"));
}

#[tokio::test]
async fn failed_reload_changes_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = Project::new();
    project.add("it", &plugin("a", "1"));
    let host = Host::builder().plugins(project.plugins()).build().await.expect("a host");
    fs::set_permissions(project.plugins(), fs::Permissions::from_mode(0o777))
        .expect("a file of this user");
    let error = host.reload().await.expect_err("every user can write to it");
    assert!(error.to_string().contains("every user can write to it"), "{error}");
    assert!(runs(&host, "a").await);
}

/// A run continues with the version of its plugin that it started with.
#[tokio::test]
async fn reload_does_not_affect_running_runs() {
    let project = Project::with_wat(&["sleep"]);
    let host = Host::builder().plugins(project.plugins()).build().await.expect("a host");
    let limits = ophost::LimitRequest {
        timeout: Some(Duration::from_millis(700)),
        ..ophost::LimitRequest::default()
    };
    let running = {
        let host = host.clone();
        let request = Request::new("hostile.sleep", json!({})).limits(limits);
        tokio::spawn(async move { host.run(request).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    fs::remove_file(project.plugins().join("sleep.wasm")).expect("a file");
    host.reload().await.expect("a reload");
    assert!(host.catalog().get("hostile.sleep").is_none());
    let report = running.await.expect("no panic").expect("it began");
    let Outcome::Failed(failure) = report.outcome else { panic!("{report:?}") };
    assert_eq!(failure.kind, ophost::FailureKind::Timeout);
}
