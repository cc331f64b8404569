//! What holds for every store, asked of the real one and of the model.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::memory::MemoryStore;
use super::redb::RedbStore;
use super::redb::file::ShutdownMode;
use super::{
    AppendLogOutcome, Claim, EraseOutcome, FinishOutcome, IdempotencyClaim, InsertOutcome, NewRun,
    RunCompletion, RunCursor, RunFilter, Store,
};
use crate::model::digest::Digest;
use crate::model::document::ChangeKind;
use crate::model::operation::OperationName;
use crate::model::outcome::{
    Failure, FailureKind, ItemError, LogEntry, LogLevel, LogSource, Outcome, Usage,
};
use crate::model::run_record::tests::running;
use crate::model::run_record::{OwnerId, ResultRef, RunId, RunRecord, RunState, Status};
use crate::util::private_dir::DataDir;

/// Asks both stores. The real one is checked afterwards, whatever was done to it.
pub(super) async fn both<F: Future<Output = ()>>(ask: impl Fn(std::sync::Arc<dyn Store>) -> F) {
    ask(std::sync::Arc::new(MemoryStore::default())).await;
    let scratch = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(RedbStore::new(
        DataDir::new(scratch.path().join("data")),
        ShutdownMode::Clean,
    ));
    ask(std::sync::Arc::<RedbStore>::clone(&store)).await;
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

pub(super) async fn insert(store: &dyn Store, run: &RunRecord) -> Claim {
    match store.insert(NewRun { run: run.clone(), key: None }).await.unwrap() {
        InsertOutcome::Created(claim) => claim,
        other => panic!("{other:?}"),
    }
}

pub(super) fn ending(outcome: Outcome) -> RunCompletion {
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
async fn r3_what_is_inserted_is_there_as_it_was_given() {
    both(async |store| {
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
async fn what_is_not_there_is_not_found() {
    both(async |store| {
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
async fn l1_terminal_states_are_immutable() {
    both(async |store| {
        for end in [success(json!(1)), failed("no"), ending(Outcome::Cancelled)] {
            let run = running("a");
            let claim = insert(&*store, &run).await;
            let done = finish(&*store, claim, end).await;
            assert_eq!(done, get(&*store, run.id).await);
            for claim in [claim, Claim { revision: 2, ..claim }] {
                let lost = store.finish(claim, success(json!(2))).await.unwrap();
                assert_eq!((lost, &get(&*store, run.id).await), (FinishOutcome::Lost, &done));
                assert_eq!(
                    store.log(&claim, vec![entry("late")]).await.unwrap(),
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
async fn l1_a_stale_claim_writes_nothing() {
    both(async |store| {
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
async fn l4_metadata_given_at_the_end_is_merged() {
    both(async |store| {
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
async fn v2_log_entries_keep_their_order_across_calls() {
    both(async |store| {
        let mut run = running("a");
        run.log_entries = vec![entry("0")];
        let claim = insert(&*store, &run).await;
        assert_eq!(
            store.log(&claim, vec![entry("1"), entry("2")]).await.unwrap(),
            AppendLogOutcome::Done
        );
        assert_eq!(store.log(&claim, Vec::new()).await.unwrap(), AppendLogOutcome::Done);
        assert_eq!(store.log(&claim, vec![entry("3")]).await.unwrap(), AppendLogOutcome::Done);
        assert_eq!(get(&*store, run.id).await.log_entries.len(), 4);
        let end = RunCompletion { log_entries: vec![entry("4")], ..success(json!(0)) };
        let done = finish(&*store, claim, end).await;
        let said: Vec<_> = done.log_entries.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!(said, ["0", "1", "2", "3", "4"]);
    })
    .await;
}

#[tokio::test]
async fn i4_large_values_come_back_whole_and_shared_ones_outlive_each_other() {
    both(async |store| {
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
async fn erasing_takes_what_was_said_and_leaves_that_it_happened() {
    both(async |store| {
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

#[tokio::test]
async fn l7_only_what_still_runs_under_the_dead_owner_crashes() {
    both(async |store| {
        let owned = |owner| RunRecord { owner: OwnerId::new(owner), ..running("a") };
        let (lost, other) = (owned("dead"), owned("alive"));
        let claim = insert(&*store, &lost).await;
        insert(&*store, &other).await;
        assert_eq!(store.running().await.unwrap().len(), 2);
        let dead = OwnerId::new("dead");
        let runs = [(lost.id, dead.clone()), (other.id, dead)];
        assert_eq!(store.crash(&runs, "gone").await.unwrap(), [lost.id]);
        let lost = get(&*store, lost.id).await;
        let failure = lost.state.failure().unwrap();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Crashed, "gone"));
        // The owner was only slow: what it says now comes too late.
        assert_eq!(store.finish(claim, success(json!(1))).await.unwrap(), FinishOutcome::Lost);
        assert_eq!(store.running().await.unwrap(), [(other.id, other.owner)]);
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
    let asked = Utc::now() + TimeDelta::from_std(by).unwrap();
    RunRecord { created_at: asked, ..running("a") }
}

#[tokio::test]
async fn q6_a_request_that_runs_or_succeeded_is_not_run_again() {
    both(async |store| {
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
        // Another operation's keys are its own.
        assert!(matches!(claim_key(&*store, &running("b"), "x").await, InsertOutcome::Created(_)));
    })
    .await;
}

#[tokio::test]
async fn q6_another_request_under_the_key_is_a_conflict() {
    both(async |store| {
        let first = running("a");
        let InsertOutcome::Created(claim) = claim_key(&*store, &first, "x").await else {
            panic!("taken")
        };
        let other = claim_key(&*store, &running("a"), "y").await;
        assert!(matches!(other, InsertOutcome::Conflict(run) if run.id == first.id));
        finish(&*store, claim, failed("no")).await;
        let other = claim_key(&*store, &running("a"), "y").await;
        assert!(matches!(other, InsertOutcome::Conflict(run) if run.id == first.id));
    })
    .await;
}

#[tokio::test]
async fn q6_what_failed_or_was_cancelled_runs_again_and_the_key_points_to_it() {
    both(async |store| {
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
async fn q6_a_key_is_free_when_its_window_is_over() {
    both(async |store| {
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
    assert_eq!((page.next, page.damaged.len()), (None, 0));
    page.runs.iter().map(|run| run.sequence).collect()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// Inserts six runs: of two operations, ended in all ways, of users, tags and a flow.
async fn six(store: &dyn Store) {
    for n in 0..6 {
        let mut run = running(if n % 2 == 0 { "even" } else { "odd" });
        run.actor.user_id = (n > 2).then(|| format!("user{}", n % 2));
        run.tags = vec![format!("t{}", n / 2)];
        run.orchestrated = n == 4;
        run.prefect_flow_run_id = (n == 4).then(|| "flow".to_owned());
        // Times do not follow the order in which runs are inserted.
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
async fn l9_a_filter_finds_what_fits_the_newest_first() {
    both(async |store| {
        six(&*store).await;
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
async fn l10_pages_follow_the_sequence_whatever_is_written_meanwhile() {
    both(async |store| {
        six(&*store).await;
        let filter = RunFilter::default();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&filter, after, 2).await.unwrap();
            seen.extend(page.runs.iter().map(|run| run.sequence));
            insert(&*store, &running("even")).await;
            match page.next {
                Some(next) => after = Some(next.to_string().parse::<RunCursor>().unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
        let none = store.list(&filter, None, 0).await.unwrap();
        assert!(none.runs.is_empty());
    })
    .await;
}

#[tokio::test]
async fn stats_count_by_operation_and_status() {
    both(async |store| {
        six(&*store).await;
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
async fn ids_are_found_by_how_they_begin() {
    both(async |store| {
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

/// Does the same random thing to both, and returns what each said.
async fn random_step(random: &mut Rng, stores: [&dyn Store; 2], claims: &mut Vec<Claim>) {
    let claim = claims.get(random.u64(..claims.len() as u64 + 1) as usize).copied();
    let what = random.u64(..8);
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
    let said = entry("l");
    for (place, store) in stores.into_iter().enumerate() {
        match (what, claim) {
            (0..4, _) | (_, None) => {
                let new = NewRun { run: run.clone(), key: key.clone() };
                if let (0, InsertOutcome::Created(claim)) =
                    (place, store.insert(new).await.unwrap())
                {
                    claims.push(claim);
                }
            }
            (4, Some(claim)) => drop(store.log(&claim, vec![said.clone()]).await.unwrap()),
            (5, Some(claim)) => drop(store.erase(claim.id).await.unwrap()),
            (_, Some(claim)) => drop(store.finish(claim, end.clone()).await.unwrap()),
        }
    }
}

#[tokio::test]
async fn random_steps_leave_the_store_as_the_model_and_its_indexes_as_its_rows() {
    let scratch = tempfile::tempdir().unwrap();
    let store = RedbStore::new(DataDir::new(scratch.path()), ShutdownMode::Clean);
    let model = MemoryStore::default();
    let mut random = Rng::with_seed(1);
    let mut claims = Vec::new();
    for _ in 0..300 {
        random_step(&mut random, [&store, &model], &mut claims).await;
    }
    assert!(claims.len() > 50);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    let unstamped = |run: RunRecord| RunRecord {
        updated_at: at(0),
        erased_at: run.erased_at.map(|_| at(0)),
        ..run
    };
    for claim in &claims {
        let (real, meant) = (get(&store, claim.id).await, get(&model, claim.id).await);
        assert_eq!(unstamped(real), unstamped(meant));
    }
    let all = RunFilter::default;
    for filter in [
        all(),
        RunFilter { operation: OperationName::new("a").ok(), ..all() },
        RunFilter { status: Some(Status::Failed), ..all() },
        RunFilter { user_id: Some("u1".into()), ..all() },
        RunFilter { prefect_flow_run_id: Some("f".into()), ..all() },
    ] {
        let real = store.list(&filter, None, 1000).await.unwrap();
        let meant = model.list(&filter, None, 1000).await.unwrap();
        assert_eq!(real.runs, meant.runs, "{filter:?}");
        let counted = [store.stats(&filter).await.unwrap(), model.stats(&filter).await.unwrap()];
        assert_eq!(counted[0].operations, counted[1].operations);
    }
}
