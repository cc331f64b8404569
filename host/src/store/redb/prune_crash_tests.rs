//! Crash tests of prunes and compactions: processes that are killed at random moments.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::RedbStore;
use super::crash_tests::{child, creating_its_document, directory};
use crate::model::retention::{RunClass, RunRetention};
use crate::model::run_record::tests::running;
use crate::model::run_record::{RunRecord, Status};
use crate::store::conformance::insert;
use crate::store::{
    ExpiryScan, Retention as _, RunFilter, RunRemoval, ShutdownMode, Store as _, StoreError,
    StoreMaintenance as _,
};
use crate::util::clock;
use crate::util::private_dir::DataDir;

/// Duration of each test.
const KILL_DURATION: Duration = Duration::from_secs(4);
/// The number of runs that a prune leaves.
const MAX_RUNS: usize = 20;

fn store(directory: &std::path::Path) -> RedbStore {
    RedbStore::new(DataDir::new(directory.join("data")), ShutdownMode::Clean)
}

/// Inserts runs with a shared input, and finishes each with a document of its own.
async fn fill(store: &RedbStore, count: usize) {
    for _ in 0..count {
        let run = RunRecord { input_dump: json!("x".repeat(9000)), ..running("a") };
        let claim = insert(store, &run).await;
        store.finish(claim, creating_its_document(run.id)).await.unwrap();
    }
}

async fn prune(store: &RedbStore) {
    let rule = RunRetention { max_runs: Some(MAX_RUNS as u64), max_age: None };
    let class = RunClass { statuses: vec![Status::Success], rule };
    let (now, budget) = (clock::now(), Duration::from_micros(100));
    loop {
        let page = store.expired_runs(ExpiryScan::new(class.clone(), now)).await.unwrap();
        if page.runs.is_empty() {
            break;
        }
        let runs = page.runs.iter().map(|run| run.id).collect();
        store.remove_runs(RunRemoval { runs, is_forced: false, now, budget }).await.unwrap();
    }
    while !store.remove_history(now, budget).await.unwrap().is_done {}
}

#[tokio::test]
#[ignore = "entry point of a child process that another test starts"]
async fn child_that_prunes() {
    let directory = directory();
    let store = store(&directory);
    loop {
        fill(&store, 10).await;
        prune(&store).await;
        fs::write(directory.join("pruned"), "").unwrap();
    }
}

#[tokio::test]
#[ignore = "entry point of a child process that another test starts"]
async fn child_that_compacts() {
    let directory = directory();
    let store = store(&directory);
    loop {
        match store.compact().await {
            Ok(_) => fs::write(directory.join("compacted"), "").unwrap(),
            Err(StoreError::InUse | StoreError::Locked) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Starts and kills processes that run a test.
fn kill_at_random(test: &str, directory: &std::path::Path) {
    let mut random = fastrand::Rng::with_seed(7);
    let start = Instant::now();
    while start.elapsed() < KILL_DURATION {
        let mut child = child(test, directory, r#"exec "$@""#);
        std::thread::sleep(Duration::from_millis(40 + random.u64(..120)));
        assert!(child.try_wait().unwrap().is_none(), "a child exited on its own");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test]
async fn killed_prune_leaves_a_consistent_store() {
    let scratch = tempfile::tempdir().unwrap();
    kill_at_random("store::redb::prune_crash_tests::child_that_prunes", scratch.path());
    assert!(scratch.path().join("pruned").exists(), "no child has pruned");
    let store = store(scratch.path());
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    let newest = store.latest().await.unwrap().unwrap().sequence;
    let documents = store.snapshot().await.unwrap();
    let count = documents.collections().await.unwrap()[0].1;
    prune(&store).await;
    let runs = store.list(&RunFilter::default(), None, 1000).await.unwrap().runs;
    let finished = runs.iter().filter(|run| run.status == Status::Success).count();
    assert!(finished <= MAX_RUNS && count > finished as u64, "{finished} {count}");
    fill(&store, 1).await;
    assert_eq!(store.latest().await.unwrap().unwrap().sequence, newest + 1);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn killed_compaction_leaves_the_old_or_the_new_file() {
    let scratch = tempfile::tempdir().unwrap();
    let store = store(scratch.path());
    fill(&store, 200).await;
    let runs = store.list(&RunFilter::default(), None, 1000).await.unwrap().runs;
    drop(store);
    kill_at_random("store::redb::prune_crash_tests::child_that_compacts", scratch.path());
    assert!(scratch.path().join("compacted").exists(), "no child has compacted");
    let store = self::store(scratch.path());
    assert_eq!(store.list(&RunFilter::default(), None, 1000).await.unwrap().runs, runs);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    store.compact().await.unwrap();
    let names = fs::read_dir(scratch.path().join("data/store")).unwrap();
    assert_eq!(names.count(), 1, "the files of killed processes are removed");
}
