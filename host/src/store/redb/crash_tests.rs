//! Crash tests: randomly killed processes, a suspended process, and a full disk.
//!
//! Each child process is this test program, running one ignored test.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde_json::json;

use super::RedbStore;
use super::file::StoreFile;
use crate::model::document::{Address, Body, CommitRequest, DocumentChange};
use crate::model::outcome::Outcome;
use crate::model::run_record::tests::running;
use crate::model::run_record::{RunId, RunRecord, Status};
use crate::store::conformance::{ending, insert};
use crate::store::liveness::ProcessRegistry;
use crate::store::{
    Claim, FinishOutcome, InsertOutcome, MAX_INSERT_DELAY, NewRun, RunCompletion, RunFilter,
    ShutdownMode, Store, StoreError, StoreMaintenance as _,
};
use crate::util::private_dir::DataDir;

/// Environment variable with the directory of a child.
const DIRECTORY: &str = "OPHOST_STORE_CRASH_TEST";
/// Duration of the test with killed processes.
const KILL_DURATION: Duration = Duration::from_secs(8);

pub(super) fn child(test: &str, directory: &Path, script: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(program)
        .args(["--ignored", "--exact", test, "--test-threads=1", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

pub(super) fn directory() -> std::path::PathBuf {
    std::env::var_os(DIRECTORY).expect("the directory of the parent test").into()
}

/// Returns the end of a run that creates a document with the id of the run.
pub(super) fn creating_its_document(run: RunId) -> RunCompletion {
    let address = document_of(run);
    let after = Some(Body::try_from(json!({"n": 1})).unwrap());
    let changes = [(address, DocumentChange { before: None, after })].into();
    let effects = Arc::new(CommitRequest { changes, ..CommitRequest::default() });
    RunCompletion { effects, ..ending(Outcome::Success(json!({}))) }
}

fn document_of(run: RunId) -> Address {
    Address { collection: "of_runs".parse().unwrap(), id: run.to_string().parse().unwrap() }
}

/// Writes runs until killed, and logs each confirmed insert (`I`) and finish (`F`) with the id.
///
/// Every other run is inserted and finished in one commit.
#[tokio::test]
#[ignore = "entry point of a child process that another test starts"]
async fn child_that_writes() {
    let directory = directory();
    let store = RedbStore::new(DataDir::new(directory.join("data")), ShutdownMode::Clean);
    let owner = ProcessRegistry::new(DataDir::new(directory.join("data"))).register().unwrap();
    let mut confirmed = File::create(directory.join(format!("confirmed-{}", owner.id()))).unwrap();
    for number in 0.. {
        let run = Arc::new(RunRecord { owner: owner.id().clone(), ..running("a") });
        let end = creating_its_document(run.id);
        let (claim, end) = if number % 2 == 0 {
            drop(store.begin(Arc::clone(&run)));
            let running = Some(Arc::clone(&run));
            (Claim::of_new(run.id), RunCompletion { running, ..end })
        } else {
            let claim = insert(&store, &run).await;
            confirmed.write_all(format!("I{}\n", run.id).as_bytes()).unwrap();
            (claim, end)
        };
        let finished = store.finish(claim, end).await.unwrap();
        assert_eq!(finished, FinishOutcome::Done);
        confirmed.write_all(format!("F{}\n", run.id).as_bytes()).unwrap();
    }
}

/// Returns the runs whose insert and whose finish was confirmed to a child.
fn confirmed(directory: &Path) -> (Vec<RunId>, BTreeSet<RunId>) {
    let (mut inserted, mut finished) = (Vec::new(), BTreeSet::new());
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("confirmed-") {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            let id = line[1..].parse().unwrap();
            match &line[..1] {
                "I" => inserted.push(id),
                _ => assert!(finished.insert(id)),
            }
        }
    }
    (inserted, finished)
}

#[tokio::test]
async fn confirmed_writes_survive_killed_processes() {
    let scratch = tempfile::tempdir().unwrap();
    let spawn =
        || child("store::redb::crash_tests::child_that_writes", scratch.path(), r#"exec "$@""#);
    let mut children: Vec<Child> = (0..4).map(|_| spawn()).collect();
    let mut random = fastrand::Rng::with_seed(42);
    let (start, mut kills) = (Instant::now(), 0);
    while start.elapsed() < KILL_DURATION {
        std::thread::sleep(Duration::from_millis(30 + random.u64(..90)));
        let victim = &mut children[random.u64(..4) as usize];
        assert!(victim.try_wait().unwrap().is_none(), "a child exited on its own");
        victim.kill().unwrap();
        victim.wait().unwrap();
        *victim = spawn();
        kills += 1;
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (inserted, finished) = confirmed(scratch.path());
    println!("{kills} kills, {} runs inserted, {} finished", inserted.len(), finished.len());
    assert!(finished.len() > 100);

    let store = RedbStore::new(DataDir::new(scratch.path().join("data")), ShutdownMode::Clean);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    let reopened = Instant::now();
    let running = store.running().await.unwrap();
    let crashed =
        ProcessRegistry::new(DataDir::new(scratch.path().join("data"))).reap(&store).await;
    println!("{} crashed, marked within {:?}", running.len(), reopened.elapsed());
    assert_eq!(crashed.unwrap().len(), running.len());
    assert_eq!(fs::read_dir(scratch.path().join("data/owners")).unwrap().count(), 0);

    let all = store.list(&RunFilter::default(), None, usize::MAX - 1).await.unwrap();
    let known: BTreeSet<_> = all.runs.iter().map(|run| run.id).collect();
    assert_eq!(known.len(), all.runs.len(), "duplicate run");
    assert!(inserted.iter().all(|id| known.contains(id)), "a confirmed run is missing");
    let documents = store.snapshot().await.unwrap();
    for run in &all.runs {
        let expected = finished.contains(&run.id);
        assert!(run.status == Status::Success || !expected && run.status == Status::Failed);
        let is_changed = documents.get(&document_of(run.id)).await.unwrap().is_some();
        assert_eq!(is_changed, run.status == Status::Success, "run {}", run.id);
    }
    let (_, count) = documents.collections().await.unwrap()[0].clone();
    let succeeded = all.runs.iter().filter(|run| run.status == Status::Success).count();
    assert_eq!(count, succeeded as u64, "a document without a run");
    assert!(finished.iter().all(|id| known.contains(id)), "a confirmed run is missing");
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

/// Begins a run and commits its end, which the parent test blocks.
#[tokio::test]
#[ignore = "entry point of a child process that another test starts"]
async fn child_that_waits_for_its_commit() {
    let directory = directory();
    let store = RedbStore::new(DataDir::new(directory.join("data")), ShutdownMode::Clean);
    let run = Arc::new(running("a"));
    drop(store.begin(Arc::clone(&run)));
    fs::write(directory.join("begun"), run.id.to_string()).unwrap();
    let running = Some(Arc::clone(&run));
    let end = RunCompletion { running, ..creating_its_document(run.id) };
    store.finish(Claim::of_new(run.id), end).await.unwrap();
    fs::write(directory.join("confirmed"), "").unwrap();
}

#[tokio::test]
async fn process_killed_before_the_commit_of_its_run_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let data = DataDir::new(scratch.path().join("data"));
    let store = RedbStore::new(data.clone(), ShutdownMode::Clean);
    insert(&store, &running("a")).await;
    let blocker = StoreFile::new(data, ShutdownMode::Clean);
    let handle = blocker.for_writing().unwrap();
    let transaction = handle.begin_write().unwrap();
    let test = "store::redb::crash_tests::child_that_waits_for_its_commit";
    let mut child = child(test, scratch.path(), r#"exec "$@""#);
    let begun = scratch.path().join("begun");
    while !fs::read_to_string(&begun).is_ok_and(|id| id.parse::<RunId>().is_ok()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Both the insertion and the end are due.
    tokio::time::sleep(5 * MAX_INSERT_DELAY).await;
    child.kill().unwrap();
    child.wait().unwrap();
    drop(transaction);
    let id = fs::read_to_string(&begun).unwrap().parse().unwrap();
    assert!(!scratch.path().join("confirmed").exists());
    assert_eq!(store.get(id).await.unwrap(), None);
    let documents = store.snapshot().await.unwrap();
    assert_eq!(documents.collections().await.unwrap(), []);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

/// Fills the store up to the file size limit, then raises the limit.
#[tokio::test]
#[ignore = "entry point of a child process that another test starts"]
async fn child_with_a_full_disk() {
    let directory = directory();
    let store = RedbStore::new(DataDir::new(directory.join("data")), ShutdownMode::Clean);
    let mut ids = Vec::new();
    let full = loop {
        let run = RunRecord { input_dump: json!("x".repeat(3000)), ..running("a") };
        let id = run.id;
        match store.insert(NewRun { run, key: None }).await {
            Ok(InsertOutcome::Created(_)) => ids.push(id),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        assert!(ids.len() < 100_000, "the disk is never full");
    };
    assert!(full.to_string().contains("RLIMIT_FSIZE"), "{full:?}");
    assert!(ids.len() > 50, "{}", ids.len());
    for id in &ids {
        assert!(store.get(*id).await.unwrap().is_some());
    }
    rustix::process::setrlimit(Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    ids.push(insert(&store, &running("a")).await.id);
    for id in &ids {
        assert!(store.get(*id).await.unwrap().is_some());
    }
    assert_eq!(
        store.list(&RunFilter::default(), None, 1 << 20).await.unwrap().runs.len(),
        ids.len()
    );
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    fs::write(directory.join("passed"), "").unwrap();
}

#[test]
fn full_disk_loses_no_run_and_writes_succeed_afterwards() {
    let scratch = tempfile::tempdir().unwrap();
    // The size is in blocks of 512 bytes.
    let script = r#"trap '' XFSZ; ulimit -S -f 6000; exec "$@""#;
    let mut child =
        child("store::redb::crash_tests::child_with_a_full_disk", scratch.path(), script);
    assert!(child.wait().unwrap().success());
    assert!(scratch.path().join("passed").exists());
}

/// Suspends itself while it holds the write lock; writes nothing when resumed.
#[test]
#[ignore = "entry point of a child process that another test starts"]
fn child_that_suspends_itself() {
    let directory = directory();
    let file = StoreFile::new(DataDir::new(directory.join("data")), ShutdownMode::Clean);
    let transaction = file.for_writing().unwrap().begin_write().unwrap();
    fs::write(directory.join("locked"), "").unwrap();
    rustix::process::kill_process(rustix::process::getpid(), Signal::STOP).unwrap();
    // The signal may reach another thread first, and this one a moment later.
    std::thread::sleep(Duration::from_millis(100));
    drop(transaction);
}

#[tokio::test]
async fn write_waits_for_a_suspended_process_and_times_out() {
    let scratch = tempfile::tempdir().unwrap();
    let data = DataDir::new(scratch.path().join("data"));
    let mut store = RedbStore::new(data.clone(), ShutdownMode::Clean);
    let before = insert(&store, &running("a")).await;
    let test = "store::redb::crash_tests::child_that_suspends_itself";
    let suspended = child(test, scratch.path(), r#"exec "$@""#);
    while !scratch.path().join("locked").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.writer.timeout = Duration::from_millis(200);
    let withdrawn = running("a");
    let result = store.insert(NewRun { run: withdrawn.clone(), key: None }).await;
    assert!(matches!(result, Err(StoreError::Busy)), "{result:?}");
    // Reads do not wait for the lock.
    assert!(store.get(before.id).await.unwrap().is_some());
    store.writer.timeout = Duration::from_secs(60);
    let run = running("a");
    let (claim, mut suspended) = tokio::join!(insert(&store, &run), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(store.get(run.id).await.unwrap(), None);
        rustix::process::kill_process(Pid::from_child(&suspended), Signal::CONT).unwrap();
        suspended
    });
    assert!(suspended.wait().unwrap().success());
    assert!(store.get(claim.id).await.unwrap().is_some());
    assert_eq!(store.get(withdrawn.id).await.unwrap(), None, "a withdrawn write was committed");
}
