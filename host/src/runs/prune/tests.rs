//! Tests of prunes with a store.

use serde_json::json;

use super::*;
use crate::model::outcome::Outcome;
use crate::model::retention::RunRetention;
use crate::model::run_record::RunRecord;
use crate::model::run_record::tests::running;
use crate::store::tests::ending;
use crate::store::{Claim, NewRun, OverflowWriter, RunFilter, ShutdownMode, Store};
use crate::util::private_dir::DataDir;

fn handle(scratch: &tempfile::TempDir) -> StoreHandle {
    StoreHandle::new(&DataDir::new(scratch.path().join("data")), ShutdownMode::Clean)
}

async fn finished(store: &dyn Store, run: RunRecord) -> RunId {
    store.insert(NewRun { run: run.clone(), key: None }).await.unwrap();
    store.finish(Claim::of_new(run.id), ending(Outcome::Success(json!({})))).await.unwrap();
    run.id
}

async fn fill(store: &dyn Store, count: usize) {
    for _ in 0..count {
        finished(store, running("a")).await;
    }
}

fn keep(max_runs: u64) -> RetentionPolicy {
    let runs = RunRetention { max_runs: Some(max_runs), max_age: None };
    RetentionPolicy { runs, ..RetentionPolicy::default() }
}

async fn prune(runs: Runs<'_>, policy: &RetentionPolicy) -> Result<PruneReport, PruneError> {
    runs.prune(policy, &CancellationToken::new(), |_| {}).await
}

#[tokio::test]
async fn chain_of_linked_runs_is_removed_and_the_preview_is_equal() {
    let scratch = tempfile::tempdir().unwrap();
    let handle = handle(&scratch);
    let (store, runs) = (handle.store().as_ref(), Runs::new(&handle));
    let mut last = None;
    for _ in 0..4 {
        last = Some(finished(store, RunRecord { rerun_of: last, ..running("a") }).await);
    }
    let held = finished(store, running("a")).await;
    fill(store, 2).await;
    finished(store, RunRecord { parent_run_id: Some(held), ..running("a") }).await;
    let preview = runs.preview_prune(&keep(1)).await.unwrap();
    let report = prune(runs, &keep(1)).await.unwrap();
    for report in [preview, report] {
        assert_eq!((report.runs(), report.removed[&Status::Success]), (6, 6));
        assert_eq!(report.held, HeldRuns { linked: 1, ..HeldRuns::default() });
    }
    let left = runs.list(&RunFilter::default(), None, 9).await.unwrap().runs;
    assert_eq!(left.len(), 2);
    assert_eq!(runs.last_prune().await.unwrap(), None);
}

#[tokio::test]
async fn prune_beside_calling_processes_loses_no_run() {
    let scratch = tempfile::tempdir().unwrap();
    let (pruning, calling) = (handle(&scratch), handle(&scratch));
    fill(pruning.store().as_ref(), 600).await;
    let call = async {
        let mut ids = Vec::new();
        for _ in 0..100 {
            ids.push(finished(calling.store().as_ref(), running("b")).await);
        }
        ids
    };
    let (runs, policy) = (Runs::new(&pruning), keep(100));
    let (report, ids) = tokio::join!(prune(runs, &policy), call);
    assert!(report.unwrap().runs() >= 500);
    for id in ids {
        assert!(calling.store().get(id).await.unwrap().is_some());
    }
    assert_eq!(runs.check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn backup_during_a_prune_is_complete_and_removes_nothing_meanwhile() {
    let scratch = tempfile::tempdir().unwrap();
    let handle = handle(&scratch);
    fill(handle.store().as_ref(), 300).await;
    let (runs, to) = (Runs::new(&handle), scratch.path().join("copy.redb"));
    let read = maintenance_lock::long_read(handle.data()).await;
    let error = prune(runs, &keep(1)).await.unwrap_err();
    assert!(matches!(error, PruneError::LongRead), "{error}");
    assert_eq!(runs.preview_prune(&keep(1)).await.unwrap().runs(), 299);
    drop(read);
    let policy = keep(1);
    let (report, copied) = tokio::join!(prune(runs, &policy), runs.backup(&to));
    copied.unwrap();
    assert_eq!(report.unwrap().runs(), 299);
    let data = scratch.path().join("restored");
    let restored = StoreHandle::new(&DataDir::new(&data), ShutdownMode::Clean);
    std::fs::create_dir_all(data.join("store")).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(data.join("store"), private).unwrap();
    std::fs::copy(&to, data.join("store/store.redb")).unwrap();
    assert_eq!(Runs::new(&restored).check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn cancelled_prune_keeps_the_rest_and_only_one_prune_runs() {
    let scratch = tempfile::tempdir().unwrap();
    let handle = handle(&scratch);
    fill(handle.store().as_ref(), 100).await;
    let (runs, cancel) = (Runs::new(&handle), CancellationToken::new());
    let report = runs.prune(&keep(1), &cancel, |_| cancel.cancel()).await.unwrap();
    assert!(report.is_cancelled && report.runs() < 99, "{report:?}");
    runs.note_prune(&report).await.unwrap();
    assert!(!runs.last_prune().await.unwrap().unwrap().is_complete);
    let _other = maintenance_lock::try_prune(handle.data()).unwrap();
    let error = prune(runs, &keep(1)).await.unwrap_err();
    assert!(matches!(error, PruneError::InProgress), "{error}");
}

#[tokio::test]
async fn log_files_of_removed_runs_are_removed() {
    let scratch = tempfile::tempdir().unwrap();
    let handle = handle(&scratch);
    let (store, run) = (handle.store().as_ref(), running("a"));
    let log = OverflowWriter::new(handle.data(), run.id);
    assert!(log.add(&crate::model::outcome::LogEntry {
        timestamp: Utc::now(),
        level: crate::model::outcome::LogLevel::Info,
        message: "more".to_owned(),
        data: None,
        source: crate::model::outcome::LogSource::Guest,
    }));
    let logs_ref = log.finish().reference;
    store.insert(NewRun { run: run.clone(), key: None }).await.unwrap();
    let end = crate::store::RunCompletion { logs_ref, ..ending(Outcome::Cancelled) };
    store.finish(Claim::of_new(run.id), end).await.unwrap();
    fill(store, 1).await;
    let orphan = scratch.path().join(format!("data/logs/{}.jsonl", RunId::new()));
    std::fs::write(&orphan, "{}\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&orphan, private).unwrap();
    let runs = Runs::new(&handle);
    assert_eq!(runs.log_files(), 2);
    prune(runs, &keep(1)).await.unwrap();
    assert_eq!(runs.log_files(), 1, "the file without a run is new");
    handle.remove_orphaned_log_files(Duration::ZERO).await.unwrap();
    assert_eq!(runs.log_files(), 0);
}

#[tokio::test]
async fn named_runs_are_removed_with_what_is_lost() {
    let scratch = tempfile::tempdir().unwrap();
    let handle = handle(&scratch);
    let (store, runs) = (handle.store().as_ref(), Runs::new(&handle));
    let first = finished(store, running("a")).await;
    let rerun = finished(store, RunRecord { rerun_of: Some(first), ..running("a") }).await;
    let unfinished = running("a");
    let owner = handle.owner().await.unwrap().clone();
    let run = RunRecord { owner, ..unfinished.clone() };
    store.insert(NewRun { run, key: None }).await.unwrap();
    let error = runs.remove_named(&[first, unfinished.id]).await.unwrap_err();
    assert!(matches!(error, RemoveError::Unfinished(id) if id == unfinished.id));
    assert!(store.get(first).await.unwrap().is_some());
    let removed = runs.remove_named(&[first, RunId::new()]).await.unwrap();
    let hold = Some(RunHold::Linked(vec![rerun]));
    assert_eq!(removed, [NamedRemoval { id: first, hold, has_changes: false }]);
    assert_eq!(store.get(first).await.unwrap(), None);
}
