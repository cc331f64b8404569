//! Conformance tests that every store passes.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::memory::MemoryStore;
use super::redb::RedbStore;
use super::{
    AppendLogOutcome, CancelOutcome, Claim, EraseOutcome, FinishOutcome, IdempotencyClaim,
    InsertOutcome, NewRun, PendingInsert, RunCompletion, RunCursor, RunFilter, ShutdownMode, Store,
    StoreMaintenance,
};
use crate::model::digest::Digest;
use crate::model::document::{Address, Body, ChangeKind, CommitRequest, DocumentChange};
use crate::model::operation::OperationName;
use crate::model::outcome::{
    Failure, FailureKind, ItemError, LogEntry, LogLevel, LogSource, Outcome, Usage,
};
use crate::model::run_record::tests::running;
use crate::model::run_record::{OwnerId, ResultRef, RunId, RunRecord, RunState, Status};
use crate::util::private_dir::DataDir;

/// A store under test.
struct TestStore {
    store: Arc<dyn Store>,
    /// Checks the integrity of the store after each test, if the store supports it.
    maintenance: Option<Arc<dyn StoreMaintenance>>,
    _scratch: tempfile::TempDir,
}

/// The stores that must pass the tests, each as a function that returns an empty one.
const STORES: [fn() -> TestStore; 2] = [memory_store, redb_store];

fn memory_store() -> TestStore {
    let _scratch = tempfile::tempdir().unwrap();
    TestStore { store: Arc::new(MemoryStore::default()), maintenance: None, _scratch }
}

fn redb_store() -> TestStore {
    let scratch = tempfile::tempdir().unwrap();
    let data = DataDir::new(scratch.path().join("data"));
    let store = Arc::new(RedbStore::new(data, ShutdownMode::Clean));
    TestStore {
        store: Arc::<RedbStore>::clone(&store),
        maintenance: Some(store),
        _scratch: scratch,
    }
}

/// Runs a test on an empty store of each kind, then checks the integrity of the store.
pub(super) async fn each_store<F: Future<Output = ()>>(test: impl Fn(Arc<dyn Store>) -> F) {
    for open in STORES {
        let TestStore { store, maintenance, _scratch } = open();
        test(store).await;
        if let Some(maintenance) = maintenance {
            assert_eq!(maintenance.check().await.unwrap(), [""; 0]);
        }
    }
}

pub(super) async fn insert(store: &dyn Store, run: &RunRecord) -> Claim {
    match store.insert(NewRun { run: run.clone(), key: None }).await.unwrap() {
        InsertOutcome::Created(claim) => claim,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ending(outcome: Outcome) -> RunCompletion {
    RunCompletion {
        outcome,
        finished_at: Utc::now(),
        duration_ms: 5,
        metadata: Map::new(),
        log_entries: Vec::new(),
        log_dropped: 0,
        logs_ref: None,
        error_list: Vec::new(),
        masked: Vec::new(),
        result_refs: Vec::new(),
        changes: None,
        running: None,
        effects: Default::default(),
        capability_use: Default::default(),
        usage: None,
    }
}

fn success(output: Value) -> RunCompletion {
    ending(Outcome::Success(output))
}

fn failed(message: &str) -> RunCompletion {
    ending(Outcome::Failed(Failure::new(FailureKind::Error, message)))
}

fn entry(message: &str) -> LogEntry {
    LogEntry {
        timestamp: Utc::now(),
        level: LogLevel::Info,
        message: message.into(),
        data: None,
        source: LogSource::Guest,
    }
}

async fn get(store: &dyn Store, id: RunId) -> RunRecord {
    store.get(id).await.unwrap().unwrap()
}

async fn finish(store: &dyn Store, claim: Claim, ending: RunCompletion) -> RunRecord {
    assert_eq!(store.finish(claim, ending).await.unwrap(), FinishOutcome::Done);
    get(store, claim.id).await
}

#[tokio::test]
async fn inserted_run_is_read_back_unchanged() {
    each_store(async |store| {
        let run = running("slugify");
        let claim = insert(&*store, &run).await;
        assert_eq!((claim.id, claim.revision), (run.id, 1));
        let expected = RunRecord { sequence: 1, revision: 1, ..run.clone() };
        assert_eq!(get(&*store, run.id).await, expected);
        assert_eq!(store.latest().await.unwrap().unwrap().id, run.id);
        let again = store.insert(NewRun { run: run.clone(), key: None }).await.unwrap();
        assert!(matches!(again, InsertOutcome::Existing(known) if *known == expected));
    })
    .await;
}

#[tokio::test]
async fn unknown_run_is_not_found() {
    each_store(async |store| {
        let id = RunId::new();
        assert_eq!(store.get(id).await.unwrap(), None);
        assert_eq!(store.latest().await.unwrap(), None);
        assert!(store.ids_by_prefix("", 9).await.unwrap().is_empty());
        assert!(store.running().await.unwrap().is_empty());
        assert!(store.list(&RunFilter::default(), None, 9).await.unwrap().runs.is_empty());
        assert!(store.stats(&RunFilter::default()).await.unwrap().operations.is_empty());
        assert_eq!(store.erase(id).await.unwrap(), EraseOutcome::NotFound);
        assert!(store.crash(&[(id, OwnerId::new("o"))], "r").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn final_states_are_immutable() {
    each_store(async |store| {
        for end in [success(json!(1)), failed("no"), ending(Outcome::Cancelled)] {
            let run = running("a");
            let claim = insert(&*store, &run).await;
            let done = finish(&*store, claim, end).await;
            assert_eq!(done, get(&*store, run.id).await);
            for claim in [claim, Claim { revision: 2, ..claim }] {
                let lost = store.finish(claim, success(json!(2))).await.unwrap();
                assert_eq!((lost, &get(&*store, run.id).await), (FinishOutcome::Lost, &done));
                assert_eq!(
                    store.append_log(&claim, vec![entry("late")]).await.unwrap(),
                    AppendLogOutcome::Lost
                );
            }
            assert!(store.crash(&[(run.id, run.owner)], "r").await.unwrap().is_empty());
            assert_eq!(done, get(&*store, run.id).await);
        }
    })
    .await;
}

#[tokio::test]
async fn stale_claim_writes_nothing() {
    each_store(async |store| {
        let run = running("a");
        let claim = insert(&*store, &run).await;
        let stale = Claim { revision: 7, ..claim };
        let before = get(&*store, run.id).await;
        assert_eq!(store.finish(stale, success(json!(1))).await.unwrap(), FinishOutcome::Lost);
        assert_eq!(before, get(&*store, run.id).await);
    })
    .await;
}

#[tokio::test]
async fn final_metadata_is_merged() {
    each_store(async |store| {
        let mut run = running("a");
        run.metadata = Map::from_iter([("dry_run".to_owned(), json!(true))]);
        let claim = insert(&*store, &run).await;
        let mut end = success(json!({}));
        end.metadata = Map::from_iter([("execution_time".to_owned(), json!(0.25))]);
        end.usage =
            Some(Usage { wall: Duration::from_millis(9), peak_memory: 65536, conflict_retries: 2 });
        end.result_refs = vec![ResultRef {
            collection: "jobs".into(),
            document_id: "1".into(),
            change: Some(ChangeKind::Created),
        }];
        end.log_dropped = 3;
        let done = finish(&*store, claim, end.clone()).await;
        assert_eq!(
            Value::from(done.metadata.clone()),
            json!({"dry_run": true, "execution_time": 0.25})
        );
        assert_eq!((done.usage, done.log_dropped), (end.usage, 3));
        assert_eq!(done.result_refs, end.result_refs);
        assert_eq!((done.revision, done.updated_at), (2, end.finished_at));
        assert_eq!(done, get(&*store, run.id).await);
    })
    .await;
}

#[tokio::test]
async fn log_entries_stay_in_order_across_calls() {
    each_store(async |store| {
        let mut run = running("a");
        run.log_entries = vec![entry("0")];
        let claim = insert(&*store, &run).await;
        assert_eq!(
            store.append_log(&claim, vec![entry("1"), entry("2")]).await.unwrap(),
            AppendLogOutcome::Done
        );
        assert_eq!(store.append_log(&claim, Vec::new()).await.unwrap(), AppendLogOutcome::Done);
        assert_eq!(
            store.append_log(&claim, vec![entry("3")]).await.unwrap(),
            AppendLogOutcome::Done
        );
        assert_eq!(get(&*store, run.id).await.log_entries.len(), 4);
        let end = RunCompletion { log_entries: vec![entry("4")], ..success(json!(0)) };
        let done = finish(&*store, claim, end).await;
        let messages: Vec<_> = done.log_entries.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages, ["0", "1", "2", "3", "4"]);
    })
    .await;
}

#[tokio::test]
async fn shared_large_value_survives_erasing_one_of_its_runs() {
    each_store(async |store| {
        let large = json!({"text": "x".repeat(5000)});
        let deep = (0..120).fold(json!(1), |inside, _| json!([inside]));
        let items: Vec<_> = (0..200)
            .map(|index| ItemError {
                index,
                item: json!({"id": index}),
                error: "a longer explanation".into(),
                traceback: None,
            })
            .collect();
        let mut ids = Vec::new();
        for output in [&large, &deep, &json!(null)] {
            let run = RunRecord { input_dump: large.clone(), ..running("a") };
            let claim = insert(&*store, &run).await;
            let end = RunCompletion { error_list: items.clone(), ..success(output.clone()) };
            let done = finish(&*store, claim, end).await;
            assert_eq!(done, get(&*store, run.id).await);
            assert_eq!((&done.input_dump, &done.error_list), (&large, &items));
            assert!(matches!(&done.state, RunState::Success { output: o, .. } if o == output));
            ids.push(run.id);
        }
        assert!(matches!(store.erase(ids[0]).await.unwrap(), EraseOutcome::Done(_)));
        let second = get(&*store, ids[1]).await;
        assert_eq!((&second.input_dump, &second.error_list), (&large, &items));
    })
    .await;
}

#[tokio::test]
async fn erase_removes_all_content_and_leaves_status_and_failure_kind() {
    each_store(async |store| {
        let run = RunRecord { log_entries: vec![entry("secret")], ..running("a") };
        let claim = insert(&*store, &run).await;
        assert!(matches!(store.erase(run.id).await.unwrap(), EraseOutcome::Unfinished(_)));
        let failure = Failure {
            details: Some(json!("secret")),
            traceback: Some("secret".into()),
            code: Some("secret".into()),
            ..Failure::new(FailureKind::Trap, "secret")
        };
        let items = vec![ItemError {
            index: 0,
            item: json!("secret"),
            error: "secret".into(),
            traceback: None,
        }];
        let end = RunCompletion { error_list: items, ..ending(Outcome::Failed(failure)) };
        finish(&*store, claim, end).await;
        let EraseOutcome::Done(left) = store.erase(run.id).await.unwrap() else {
            panic!("not erased")
        };
        assert_eq!(*left, get(&*store, run.id).await);
        assert!(!serde_json::to_string(&left).unwrap().contains("secret"));
        assert_eq!((left.state.status(), left.revision), (Status::Failed, 3));
        assert_eq!(left.state.failure().unwrap().kind, FailureKind::Trap);
        assert!(left.erased_at.is_some() && left.input_dump.is_null());
        let again = store.erase(run.id).await.unwrap();
        assert_eq!(again, EraseOutcome::Done(left));
    })
    .await;
}

/// Hands over the RUNNING record of a run, and returns it with the pending insertion.
fn begin(store: &dyn Store, run: &RunRecord) -> (Arc<RunRecord>, PendingInsert) {
    let run = Arc::new(run.clone());
    (Arc::clone(&run), store.begin(run))
}

#[tokio::test]
async fn begun_run_is_inserted_without_its_end() {
    each_store(async |store| {
        let mut run = running("a");
        run.log_entries = vec![entry("opening")];
        begin(&*store, &run).1.await.unwrap();
        let stored = get(&*store, run.id).await;
        assert_eq!((stored.sequence, stored.revision), (1, 1));
        assert_eq!(stored.log_entries, run.log_entries);
        assert_eq!(store.running().await.unwrap(), [(run.id, run.owner)]);
        finish(&*store, Claim::of_new(run.id), success(json!(1))).await;
        assert_eq!(store.running().await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn run_that_ends_before_its_insertion_is_stored_once() {
    each_store(async |store| {
        let mut run = running("a");
        run.log_entries = vec![entry("opening")];
        let (record, insertion) = begin(&*store, &run);
        let end = RunCompletion {
            running: Some(record),
            log_entries: vec![entry("end")],
            ..success(json!({"n": 1}))
        };
        let claim = Claim::of_new(run.id);
        assert_eq!(store.finish(claim, end.clone()).await.unwrap(), FinishOutcome::Done);
        drop(insertion);
        let stored = get(&*store, run.id).await;
        assert_eq!((stored.state.status(), stored.revision), (Status::Success, 2));
        let messages = stored.log_entries.iter().map(|it| it.message.as_str());
        assert_eq!(messages.collect::<Vec<_>>(), ["opening", "end"]);
        assert_eq!(store.finish(claim, end).await.unwrap(), FinishOutcome::Lost);
        assert_eq!(listed(&*store, RunFilter::default()).await, [1]);
    })
    .await;
}

#[tokio::test]
async fn run_that_conflicts_before_its_insertion_is_stored_as_running() {
    each_store(async |store| {
        let author = crate::store::tests::author();
        let address = Address { collection: "a".parse().unwrap(), id: "b".parse().unwrap() };
        let body = |n| Some(Body::try_from(json!({"n": n})).unwrap());
        let change = |after| DocumentChange { before: None, after };
        let other = CommitRequest {
            changes: [(address.clone(), change(body(1)))].into(),
            ..CommitRequest::default()
        };
        store.commit_changes(author, Arc::new(other)).await.unwrap();
        let mut effects = CommitRequest {
            changes: [(address.clone(), change(body(2)))].into(),
            ..CommitRequest::default()
        };
        effects.read_set.add_document(&address, None);
        let run = running("a");
        let (record, insertion) = begin(&*store, &run);
        let (running, effects) = (Some(record), Arc::new(effects));
        let claim = Claim::of_new(run.id);
        let end = RunCompletion { running, effects, ..success(json!(1)) };
        assert_eq!(store.finish(claim, end).await.unwrap(), FinishOutcome::Conflict);
        drop(insertion);
        assert_eq!(store.running().await.unwrap(), [(run.id, run.owner)]);
        finish(&*store, claim, success(json!(1))).await;
    })
    .await;
}

#[tokio::test]
async fn dropped_run_is_marked_as_crashed_before_its_insertion_is_due() {
    each_store(async |store| {
        let run = running("a");
        drop(begin(&*store, &run));
        let runs = [(run.id, run.owner)];
        assert_eq!(store.crash(&runs, "gone").await.unwrap(), [run.id]);
        assert_eq!(get(&*store, run.id).await.state.status(), Status::Failed);
    })
    .await;
}

#[tokio::test]
async fn crash_marks_only_running_runs_of_the_owner() {
    each_store(async |store| {
        let owned = |owner| RunRecord { owner: OwnerId::new(owner), ..running("a") };
        let (orphaned, other) = (owned("terminated"), owned("alive"));
        let claim = insert(&*store, &orphaned).await;
        insert(&*store, &other).await;
        assert_eq!(store.running().await.unwrap().len(), 2);
        let terminated = OwnerId::new("terminated");
        let runs = [(orphaned.id, terminated.clone()), (other.id, terminated)];
        assert_eq!(store.crash(&runs, "gone").await.unwrap(), [orphaned.id]);
        let orphaned = get(&*store, orphaned.id).await;
        let failure = orphaned.state.failure().unwrap();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Crashed, "gone"));
        // If the owner was only slow, its result is rejected.
        assert_eq!(store.finish(claim, success(json!(1))).await.unwrap(), FinishOutcome::Lost);
        assert_eq!(store.running().await.unwrap(), [(other.id, other.owner)]);
    })
    .await;
}

#[tokio::test]
async fn cancel_request_is_stored_once_and_does_not_invalidate_the_claim() {
    each_store(async |store| {
        let requested_at = async |id| store.cancel_requested_at(id).await.unwrap();
        for end in [ending(Outcome::Cancelled), success(json!(1)), failed("no")] {
            let run = running("a");
            let claim = insert(&*store, &run).await;
            let before = get(&*store, run.id).await;
            assert_eq!(requested_at(run.id).await, None);
            let first = store.request_cancel(run.id).await.unwrap();
            let CancelOutcome::Requested(at) = first else { panic!("{first:?}") };
            assert_eq!(store.request_cancel(run.id).await.unwrap(), first);
            assert_eq!(requested_at(run.id).await, Some(at));
            let expected = RunRecord { cancel_requested_at: Some(at), updated_at: at, ..before };
            assert_eq!(get(&*store, run.id).await, expected);
            let logged = store.append_log(&claim, vec![entry("still running")]).await.unwrap();
            assert_eq!(logged, AppendLogOutcome::Done);
            let outcome = end.outcome.clone();
            let done = finish(&*store, claim, end).await;
            assert_eq!(done.cancel_requested_at, Some(at), "{outcome:?}");
            assert_eq!(done.revision, 2);
            assert_eq!(store.request_cancel(run.id).await.unwrap(), CancelOutcome::Finished);
            assert_eq!(get(&*store, run.id).await, done);
        }
    })
    .await;
}

#[tokio::test]
async fn finished_or_unknown_run_has_no_cancel_request() {
    each_store(async |store| {
        let run = running("a");
        let claim = insert(&*store, &run).await;
        let done = finish(&*store, claim, success(json!(1))).await;
        assert_eq!(store.request_cancel(run.id).await.unwrap(), CancelOutcome::Finished);
        assert_eq!(get(&*store, run.id).await, done);
        let unknown = RunId::new();
        assert_eq!(store.request_cancel(unknown).await.unwrap(), CancelOutcome::NotFound);
        for id in [run.id, unknown] {
            assert_eq!(store.cancel_requested_at(id).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn cancel_request_of_a_crashed_run_is_kept() {
    each_store(async |store| {
        let run = running("a");
        insert(&*store, &run).await;
        store.request_cancel(run.id).await.unwrap();
        store.crash(&[(run.id, run.owner)], "gone").await.unwrap();
        let run = get(&*store, run.id).await;
        assert_eq!(run.state.failure().unwrap().kind, FailureKind::Crashed);
        assert!(run.cancel_requested_at.is_some());
    })
    .await;
}

const WINDOW: Duration = Duration::from_secs(3600);

async fn claim_key(store: &dyn Store, run: &RunRecord, content: &str) -> InsertOutcome {
    let fingerprint = Digest::sha256(content.as_bytes());
    let key = IdempotencyClaim { key: "k".into(), fingerprint, window: WINDOW };
    store.insert(NewRun { run: run.clone(), key: Some(key) }).await.unwrap()
}

fn later(by: Duration) -> RunRecord {
    let created_at = Utc::now() + TimeDelta::from_std(by).unwrap();
    RunRecord { created_at, ..running("a") }
}

#[tokio::test]
async fn running_or_successful_run_holds_its_idempotency_key() {
    each_store(async |store| {
        let first = running("a");
        let InsertOutcome::Created(claim) = claim_key(&*store, &first, "x").await else {
            panic!("taken")
        };
        let known = get(&*store, first.id).await;
        assert_eq!(known.idempotency_key.as_deref(), Some("k"));
        let again = claim_key(&*store, &running("a"), "x").await;
        assert_eq!(again, InsertOutcome::Existing(Box::new(known)));
        let done = finish(&*store, claim, success(json!(1))).await;
        let again = claim_key(&*store, &running("a"), "x").await;
        assert_eq!(again, InsertOutcome::Existing(Box::new(done)));
        // Each operation has its own keys.
        assert!(matches!(claim_key(&*store, &running("b"), "x").await, InsertOutcome::Created(_)));
    })
    .await;
}

#[tokio::test]
async fn different_request_under_an_idempotency_key_is_a_conflict() {
    each_store(async |store| {
        let first = running("a");
        let InsertOutcome::Created(claim) = claim_key(&*store, &first, "x").await else {
            panic!("taken")
        };
        let other = claim_key(&*store, &running("a"), "y").await;
        assert!(matches!(other, InsertOutcome::KeyConflict(run) if run.id == first.id));
        finish(&*store, claim, failed("no")).await;
        let other = claim_key(&*store, &running("a"), "y").await;
        assert!(matches!(other, InsertOutcome::KeyConflict(run) if run.id == first.id));
    })
    .await;
}

#[tokio::test]
async fn idempotency_key_is_free_after_failure() {
    each_store(async |store| {
        let mut before: Option<RunId> = None;
        for end in [failed("no"), ending(Outcome::Cancelled)] {
            let run = running("a");
            let InsertOutcome::Created(claim) = claim_key(&*store, &run, "x").await else {
                panic!("taken")
            };
            assert_eq!(get(&*store, run.id).await.retry_of, before);
            let again = claim_key(&*store, &running("a"), "x").await;
            assert!(matches!(again, InsertOutcome::Existing(known) if known.id == run.id));
            finish(&*store, claim, end).await;
            before = Some(run.id);
        }
    })
    .await;
}

#[tokio::test]
async fn idempotency_key_is_free_after_its_window() {
    each_store(async |store| {
        let first = running("a");
        let InsertOutcome::Created(claim) = claim_key(&*store, &first, "x").await else {
            panic!("taken")
        };
        let late = later(WINDOW * 2);
        assert!(matches!(claim_key(&*store, &late, "x").await, InsertOutcome::Existing(_)));
        finish(&*store, claim, success(json!(1))).await;
        let within = claim_key(&*store, &later(WINDOW / 2), "x").await;
        assert!(matches!(within, InsertOutcome::Existing(_)));
        assert!(matches!(claim_key(&*store, &late, "y").await, InsertOutcome::Created(_)));
        assert_eq!(get(&*store, late.id).await.retry_of, None);
    })
    .await;
}

async fn listed(store: &dyn Store, filter: RunFilter) -> Vec<u64> {
    let page = store.list(&filter, None, 100).await.unwrap();
    assert_eq!((page.next, page.corrupted.len()), (None, 0));
    page.runs.iter().map(|run| run.sequence).collect()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// Inserts six runs with different operations, statuses, users, tags and flow runs.
async fn insert_six(store: &dyn Store) {
    for n in 0..6 {
        let mut run = running(if n % 2 == 0 { "even" } else { "odd" });
        run.actor.user_id = (n > 2).then(|| format!("user{}", n % 2));
        run.tags = vec![format!("t{}", n / 2)];
        run.orchestrated = n == 4;
        run.prefect_flow_run_id = (n == 4).then(|| "flow".to_owned());
        // The order of the times differs from the insertion order.
        run.state = RunState::Running { started_at: at(100 - n) };
        run.created_at = at(0);
        let claim = insert(store, &run).await;
        let end = match n {
            0 | 1 => success(json!(n)),
            2 => failed("Disk is FULL"),
            3 => ending(Outcome::Failed(Failure::new(FailureKind::Trap, "unreachable"))),
            4 => ending(Outcome::Cancelled),
            _ => continue,
        };
        finish(store, claim, RunCompletion { duration_ms: u64::try_from(n).unwrap() * 10, ..end })
            .await;
    }
}

#[tokio::test]
async fn filter_returns_matching_runs_newest_first() {
    each_store(async |store| {
        insert_six(&*store).await;
        let all = RunFilter::default;
        let operation = |name| OperationName::new(name).ok();
        let cases = [
            (all(), vec![6, 5, 4, 3, 2, 1]),
            (RunFilter { operation: operation("even"), ..all() }, vec![5, 3, 1]),
            (RunFilter { operation: operation("eve"), ..all() }, vec![]),
            (RunFilter { status: Some(Status::Success), ..all() }, vec![2, 1]),
            (RunFilter { status: Some(Status::Running), ..all() }, vec![6]),
            (RunFilter { failure_kind: Some(FailureKind::Trap), ..all() }, vec![4]),
            (RunFilter { user_id: Some("user1".into()), ..all() }, vec![6, 4]),
            (RunFilter { user_id: Some("user".into()), ..all() }, vec![]),
            (RunFilter { tag: Some("t0".into()), ..all() }, vec![2, 1]),
            (RunFilter { since: Some(at(98)), ..all() }, vec![3, 2, 1]),
            (RunFilter { until: Some(at(98)), ..all() }, vec![6, 5, 4]),
            (RunFilter { error_contains: Some("full".into()), ..all() }, vec![3]),
            (RunFilter { orchestrated: Some(true), ..all() }, vec![5]),
            (RunFilter { orchestrated: Some(false), ..all() }, vec![6, 4, 3, 2, 1]),
            (RunFilter { prefect_flow_run_id: Some("flow".into()), ..all() }, vec![5]),
            (
                RunFilter {
                    operation: operation("even"),
                    user_id: Some("user0".into()),
                    status: Some(Status::Cancelled),
                    ..all()
                },
                vec![5],
            ),
        ];
        for (filter, expected) in cases {
            assert_eq!(listed(&*store, filter.clone()).await, expected, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_are_stable_during_concurrent_inserts() {
    each_store(async |store| {
        insert_six(&*store).await;
        let filter = RunFilter::default();
        let (mut sequences, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&filter, after, 2).await.unwrap();
            sequences.extend(page.runs.iter().map(|run| run.sequence));
            insert(&*store, &running("even")).await;
            match page.next {
                Some(next) => after = Some(next.to_string().parse::<RunCursor>().unwrap()),
                None => break,
            }
        }
        assert_eq!(sequences, [6, 5, 4, 3, 2, 1]);
        let none = store.list(&filter, None, 0).await.unwrap();
        assert!(none.runs.is_empty());
    })
    .await;
}

#[tokio::test]
async fn stats_count_by_operation_and_status() {
    each_store(async |store| {
        insert_six(&*store).await;
        let even = OperationName::new("even").unwrap();
        let stats = store.stats(&RunFilter::default()).await.unwrap().operations;
        let counted =
            BTreeMap::from([(Status::Success, 1), (Status::Failed, 1), (Status::Cancelled, 1)]);
        assert_eq!(stats[&even].count, counted);
        let durations = stats[&even].durations.unwrap();
        assert_eq!((durations.p50, durations.p95, durations.p99), (20.0, 40.0, 40.0));
        let buckets = stats[&even].histogram.iter().map(|it| (it.below_ms, it.count));
        let expected = [(1, 1), (3, 0), (10, 0), (30, 1), (100, 1)];
        let expected = expected.map(|(below_ms, count)| (Some(below_ms), count));
        assert_eq!(buckets.collect::<Vec<_>>(), expected);
        let filter = RunFilter {
            operation: Some(even.clone()),
            since: Some(at(97)),
            until: Some(at(100)),
            ..RunFilter::default()
        };
        let stats = store.stats(&filter).await.unwrap().operations;
        assert_eq!(stats[&even].count, BTreeMap::from([(Status::Failed, 1)]));
        assert_eq!(stats.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn ids_are_found_by_prefix() {
    each_store(async |store| {
        let runs = [running("a"), running("a"), running("a")];
        for run in &runs {
            insert(&*store, run).await;
        }
        let all: Vec<_> = runs.iter().map(|run| run.id).collect();
        let text = all[1].to_string();
        assert_eq!(store.ids_by_prefix("", 9).await.unwrap(), all);
        assert_eq!(store.ids_by_prefix("", 2).await.unwrap(), all[..2]);
        for length in [36, 35, 24, 23, 9, 8, 7, 1] {
            let found = store.ids_by_prefix(&text[..length].to_uppercase(), 9).await.unwrap();
            let expected: Vec<_> =
                all.iter().filter(|id| id.to_string().starts_with(&text[..length])).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{length}");
        }
        for none in ["x", "0g", &format!("{text}0"), "é"] {
            assert!(store.ids_by_prefix(none, 9).await.unwrap().is_empty(), "{none}");
        }
    })
    .await;
}

/// Applies the same random write to both stores.
async fn random_write(random: &mut Rng, stores: [&dyn Store; 2], claims: &mut Vec<Claim>) {
    let claim = claims.get(random.u64(..claims.len() as u64 + 1) as usize).copied();
    let action = random.u64(..9);
    let outcome = match random.u64(..4) {
        0 => Outcome::Failed(Failure::new(FailureKind::Error, "no")),
        1 => Outcome::Cancelled,
        n => Outcome::Success(json!("y".repeat(n as usize * 2000))),
    };
    let mut run = running(["a", "a.b", "b"][random.u64(..3) as usize]);
    run.actor.user_id = (random.u64(..2) == 0).then(|| format!("u{}", random.u64(..3)));
    run.prefect_flow_run_id = (random.u64(..4) == 0).then(|| "f".to_owned());
    run.input_dump = json!("x".repeat(random.u64(..3) as usize * 3000));
    let fingerprint = Digest::sha256(&[random.u64(..2) as u8]);
    let key = (random.u64(..3) == 0).then(|| IdempotencyClaim {
        key: format!("k{}", random.u64(..4)),
        fingerprint,
        window: WINDOW,
    });
    let end = RunCompletion { log_entries: vec![entry("end")], ..ending(outcome) };
    let logged = entry("l");
    for (index, store) in stores.into_iter().enumerate() {
        match (action, claim) {
            (0..4, _) | (_, None) => {
                let new = NewRun { run: run.clone(), key: key.clone() };
                if let (0, InsertOutcome::Created(claim)) =
                    (index, store.insert(new).await.unwrap())
                {
                    claims.push(claim);
                }
            }
            (4, Some(claim)) => drop(store.append_log(&claim, vec![logged.clone()]).await.unwrap()),
            (5, Some(claim)) => drop(store.erase(claim.id).await.unwrap()),
            (6, Some(claim)) => drop(store.request_cancel(claim.id).await.unwrap()),
            (_, Some(claim)) => drop(store.finish(claim, end.clone()).await.unwrap()),
        }
    }
}

#[tokio::test]
async fn random_writes_have_the_effect_of_the_model() {
    each_store(async |store| {
        let model = MemoryStore::default();
        let mut random = Rng::with_seed(1);
        let mut claims = Vec::new();
        for _ in 0..300 {
            random_write(&mut random, [&*store, &model], &mut claims).await;
        }
        assert!(claims.len() > 50);
        for claim in &claims {
            let [actual, expected] = [get(&*store, claim.id).await, get(&model, claim.id).await];
            assert_eq!(unstamped(actual), unstamped(expected));
        }
        let all = RunFilter::default;
        for filter in [
            all(),
            RunFilter { operation: OperationName::new("a").ok(), ..all() },
            RunFilter { status: Some(Status::Failed), ..all() },
            RunFilter { user_id: Some("u1".into()), ..all() },
            RunFilter { prefect_flow_run_id: Some("f".into()), ..all() },
        ] {
            let actual = store.list(&filter, None, 1000).await.unwrap();
            let expected = model.list(&filter, None, 1000).await.unwrap();
            assert_eq!(actual.runs, expected.runs, "{filter:?}");
            let actual = store.stats(&filter).await.unwrap();
            assert_eq!(actual.operations, model.stats(&filter).await.unwrap().operations);
        }
    })
    .await;
}

/// Returns a record without the times that a store sets.
fn unstamped(run: RunRecord) -> RunRecord {
    let known = |time: Option<DateTime<Utc>>| time.map(|_| at(0));
    RunRecord {
        updated_at: at(0),
        cancel_requested_at: known(run.cancel_requested_at),
        erased_at: known(run.erased_at),
        ..run
    }
}
