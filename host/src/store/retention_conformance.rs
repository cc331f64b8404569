//! Conformance tests for retention, run against every store.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::conformance::{each_store, ending, insert};
use super::{
    CommitMetadata, CommitOutcome, ExpiryScan, IdempotencyClaim, InsertOutcome, LastPrune, NewRun,
    RunCompletion, RunFilter, RunHold, RunRemoval, Store, StoreError,
};
use crate::model::digest::Digest;
use crate::model::document::{
    Address, Body, ChangeCount, ChangeKind, CommitRequest, DocumentChange, Filter, ReadSet,
};
use crate::model::outcome::{Failure, FailureKind, Outcome};
use crate::model::retention::{RunClass, RunRetention};
use crate::model::run_record::tests::running;
use crate::model::run_record::{RunId, RunRecord, Status};

const DAY: Duration = Duration::from_secs(86_400);
const FINAL: [Status; 3] = [Status::Success, Status::Failed, Status::Cancelled];

fn days_ago(days: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(days)
}

/// Returns a RUNNING record that started some days ago.
fn started(operation: &str, days: i64) -> RunRecord {
    RunRecord { created_at: days_ago(days), ..running(operation) }
}

/// Inserts and finishes a run that started and ended some days ago.
async fn finished(store: &dyn Store, run: RunRecord, outcome: Outcome) -> RunId {
    let (claim, finished_at) = (insert(store, &run).await, run.created_at);
    store.finish(claim, RunCompletion { finished_at, ..ending(outcome) }).await.unwrap();
    run.id
}

async fn succeeded(store: &dyn Store, days: i64) -> RunId {
    finished(store, started("a", days), Outcome::Success(json!({}))).await
}

fn scan(statuses: &[Status], max_age: Option<Duration>, max_runs: Option<u64>) -> ExpiryScan {
    let rule = RunRetention { max_age, max_runs };
    ExpiryScan::new(RunClass { statuses: statuses.to_vec(), rule }, Utc::now())
}

/// Returns the runs that a scan finds and nothing holds.
async fn expired(store: &dyn Store, scan: ExpiryScan) -> Vec<RunId> {
    let page = store.expired_runs(scan).await.unwrap();
    assert!(page.next.is_none() && page.corrupted.is_empty());
    page.runs.iter().filter(|run| run.hold.is_none()).map(|run| run.id).collect()
}

/// Removes runs and returns those that were removed.
async fn remove(store: &dyn Store, runs: &[RunId], is_forced: bool) -> Vec<RunId> {
    let (runs, budget) = (Arc::from(runs), Duration::from_secs(60));
    let request = RunRemoval { runs, is_forced, now: Utc::now(), budget };
    let result = store.remove_runs(request).await.unwrap();
    result.removed.iter().map(|run| run.id).collect()
}

async fn listed(store: &dyn Store, filter: &RunFilter) -> Vec<RunId> {
    let page = store.list(filter, None, 100).await.unwrap();
    page.runs.iter().rev().map(|run| run.id).collect()
}

#[tokio::test]
async fn runs_expire_by_age_and_by_number_oldest_first() {
    each_store(async |store| {
        let store = &*store;
        assert!(expired(store, scan(&FINAL, None, Some(1))).await.is_empty());
        let mut runs = Vec::new();
        for days in [9, 7, 5, 3] {
            runs.push(succeeded(store, days).await);
        }
        assert_eq!(expired(store, scan(&FINAL, Some(6 * DAY), None)).await, runs[..2]);
        assert_eq!(expired(store, scan(&FINAL, None, Some(1))).await, runs[..3]);
        assert_eq!(expired(store, scan(&FINAL, Some(6 * DAY), Some(3))).await, runs[..2]);
        assert_eq!(expired(store, scan(&FINAL, Some(8 * DAY), Some(2))).await, runs[..2]);
        assert!(expired(store, scan(&FINAL, Some(10 * DAY), Some(4))).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn rule_counts_only_the_finished_runs_of_its_statuses() {
    each_store(async |store| {
        let store = &*store;
        let failed = |days| {
            let failure = Failure::new(FailureKind::Error, "no");
            finished(store, started("a", days), Outcome::Failed(failure))
        };
        let first = [failed(9).await, succeeded(store, 8).await];
        insert(store, &started("a", 8)).await;
        let second = [failed(7).await, succeeded(store, 6).await];
        let cancelled = finished(store, started("a", 5), Outcome::Cancelled).await;
        assert_eq!(expired(store, scan(&[Status::Failed], None, Some(1))).await, first[..1]);
        assert_eq!(expired(store, scan(&[Status::Success], None, Some(1))).await, first[1..]);
        let ended = scan(&[Status::Failed, Status::Cancelled], None, Some(1));
        assert_eq!(expired(store, ended).await, [first[0], second[0]]);
        assert_eq!(
            expired(store, scan(&FINAL, None, Some(2))).await,
            [&first[..], &second[..1]].concat()
        );
        let none = scan(&[Status::Cancelled], Some(6 * DAY), Some(1));
        assert!(expired(store, none).await.is_empty());
        assert_eq!(
            expired(store, scan(&[Status::Cancelled], Some(4 * DAY), None)).await,
            [cancelled]
        );
    })
    .await;
}

#[tokio::test]
async fn unfinished_runs_are_never_removed() {
    each_store(async |store| {
        let claim = insert(&*store, &started("a", 9)).await;
        assert!(remove(&*store, &[claim.id, RunId::new()], true).await.is_empty());
        assert!(store.get(claim.id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn linked_run_is_removed_after_the_runs_that_are_linked_to_it_or_if_forced() {
    each_store(async |store| {
        let store = &*store;
        for is_forced in [false, true] {
            let first = succeeded(store, 9).await;
            let rerun = RunRecord { rerun_of: Some(first), ..started("a", 8) };
            let rerun = finished(store, rerun, Outcome::Success(json!({}))).await;
            let child = RunRecord { parent_run_id: Some(first), ..started("a", 7) };
            let child = finished(store, child, Outcome::Success(json!({}))).await;
            let hold = store.hold(first, Utc::now()).await.unwrap();
            assert_eq!(hold, Some(RunHold::Linked(vec![rerun, child])));
            if is_forced {
                assert_eq!(remove(store, &[first], true).await, [first]);
                let rerun = store.get(rerun).await.unwrap().unwrap();
                assert_eq!(rerun.rerun_of, Some(first), "a link to a removed run remains");
            } else {
                assert!(remove(store, &[first], false).await.is_empty());
                assert_eq!(remove(store, &[rerun, first, child], false).await, [rerun, child]);
                assert_eq!(store.hold(first, Utc::now()).await.unwrap(), None);
                assert_eq!(remove(store, &[first], false).await, [first]);
            }
            assert_eq!(store.hold(first, Utc::now()).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn undone_run_and_its_undo_are_held() {
    each_store(async |store| {
        let store = &*store;
        let undone = creator(store, 9, &["a"]).await;
        let run = RunRecord { undo_of: Some(undone), ..started("a", 8) };
        let (claim, changes) = (insert(store, &run).await, [change("a")]);
        let changes = changes.map(|(address, DocumentChange { after, .. })| {
            (address, DocumentChange { before: after, after: None })
        });
        let changes = changes.into();
        let effects = CommitRequest { changes, ..CommitRequest::default() }.into();
        let outcome = Outcome::Success(json!({}));
        let (finished_at, changes) = (run.created_at, Some(ChangeCount::default()));
        let end = RunCompletion { effects, finished_at, changes, ..ending(outcome) };
        store.finish(claim, end).await.unwrap();
        let hold = async |id| store.hold(id, Utc::now()).await.unwrap();
        assert_eq!(hold(undone).await, Some(RunHold::Undone));
        assert_eq!(hold(run.id).await, Some(RunHold::Linked(vec![undone])));
        assert!(remove(store, &[undone, run.id], false).await.is_empty());
        assert_eq!(remove(store, &[run.id], true).await, [run.id]);
        assert_eq!(hold(undone).await, Some(RunHold::Undone));
    })
    .await;
}

/// Inserts a run with an idempotency key that finished some hours ago.
async fn with_key(store: &dyn Store, hours: i64, outcome: Outcome) -> RunId {
    let created_at = Utc::now() - TimeDelta::hours(hours);
    let run = RunRecord { created_at, ..running("keyed") };
    let key = IdempotencyClaim {
        key: "k".into(),
        fingerprint: Digest::sha256(b"request"),
        window: super::IDEMPOTENCY_TTL,
    };
    let inserted = store.insert(NewRun { run: run.clone(), key: Some(key) }).await.unwrap();
    let InsertOutcome::Created(claim) = inserted else { panic!("{inserted:?}") };
    let end = RunCompletion { finished_at: created_at, ..ending(outcome) };
    store.finish(claim, end).await.unwrap();
    run.id
}

#[tokio::test]
async fn live_idempotency_key_holds_its_run() {
    each_store(async |store| {
        let store = &*store;
        let old = with_key(store, 30, Outcome::Success(json!({}))).await;
        assert_eq!(store.hold(old, Utc::now()).await.unwrap(), None);
        // Takes over the key.
        let failed = with_key(store, 2, Outcome::Cancelled).await;
        let live = with_key(store, 1, Outcome::Success(json!({}))).await;
        assert_eq!(remove(store, &[old], false).await, [old]);
        assert_eq!(
            store.hold(failed, Utc::now()).await.unwrap(),
            Some(RunHold::Linked(vec![live])),
            "the retry is linked to the cancelled run"
        );
        let hold = store.hold(live, Utc::now()).await.unwrap();
        assert_eq!(hold, Some(RunHold::IdempotencyKey));
        assert!(remove(store, &[live], false).await.is_empty());
        assert_eq!(remove(store, &[live], true).await, [live]);
        with_key(store, 0, Outcome::Success(json!({}))).await;
    })
    .await;
}

#[tokio::test]
async fn removed_run_leaves_no_trace_in_lists_statistics_and_lookups() {
    each_store(async |store| {
        let store = &*store;
        let mut runs = Vec::new();
        for n in 0..6 {
            let mut run = started("a", 9 - n);
            run.actor.user_id = Some("ann".to_owned());
            runs.push(finished(store, run, Outcome::Cancelled).await);
        }
        let first = store.list(&RunFilter::default(), None, 2).await.unwrap();
        assert_eq!(remove(store, &runs[1..5], false).await, runs[1..5]);
        let rest = store.list(&RunFilter::default(), first.next, 2).await.unwrap();
        assert_eq!(rest.runs.iter().map(|run| run.id).collect::<Vec<_>>(), runs[..1]);
        assert!(rest.next.is_none());
        let remaining = [runs[0], runs[5]];
        for filter in [
            RunFilter::default(),
            RunFilter { operation: Some(running("a").operation_name), ..RunFilter::default() },
            RunFilter { status: Some(Status::Cancelled), ..RunFilter::default() },
            RunFilter { user_id: Some("ann".to_owned()), ..RunFilter::default() },
        ] {
            assert_eq!(listed(store, &filter).await, remaining, "{filter:?}");
            let stats = store.stats(&filter).await.unwrap();
            let counted: u64 = stats.operations.values().flat_map(|it| it.count.values()).sum();
            assert_eq!(counted, 2);
        }
        assert_eq!(store.get(runs[1]).await.unwrap(), None);
        let ids = store.ids_by_prefix("", 9).await.unwrap();
        assert!(!ids.contains(&runs[1]) && ids.contains(&runs[0]));
    })
    .await;
}

#[tokio::test]
async fn sequence_of_a_removed_run_is_not_assigned_again() {
    each_store(async |store| {
        let runs = [succeeded(&*store, 2).await, succeeded(&*store, 1).await];
        assert_eq!(remove(&*store, &runs, false).await, runs);
        assert_eq!(store.latest().await.unwrap(), None);
        let next = succeeded(&*store, 0).await;
        assert_eq!(store.get(next).await.unwrap().unwrap().sequence, 3);
    })
    .await;
}

#[tokio::test]
async fn value_that_a_remaining_run_shares_is_kept() {
    each_store(async |store| {
        let input_dump = json!({"large": "x".repeat(100_000)});
        let run = || RunRecord { input_dump: input_dump.clone(), ..started("a", 3) };
        let first = finished(&*store, run(), Outcome::Cancelled).await;
        let second = finished(&*store, run(), Outcome::Cancelled).await;
        assert_eq!(remove(&*store, &[first], false).await, [first]);
        let second = store.get(second).await.unwrap().unwrap();
        assert_eq!(second.input_dump, input_dump);
    })
    .await;
}

fn change(id: &str) -> (Address, DocumentChange) {
    let address = Address { collection: "jobs".parse().unwrap(), id: id.parse().unwrap() };
    let after = Some(Body::try_from(json!({"id": id})).unwrap());
    (address, DocumentChange { before: None, after })
}

/// Returns a commit that creates documents.
fn creating(ids: &[&str]) -> Arc<CommitRequest> {
    let changes = ids.iter().map(|id| change(id)).collect();
    CommitRequest { changes, ..CommitRequest::default() }.into()
}

/// Inserts a run that created documents some days ago.
async fn creator(store: &dyn Store, days: i64, ids: &[&str]) -> RunId {
    let run = started("a", days);
    let (claim, effects) = (insert(store, &run).await, creating(ids));
    let end = RunCompletion { finished_at: run.created_at, effects, ..ending(Outcome::Cancelled) };
    store.finish(claim, end).await.unwrap();
    run.id
}

#[tokio::test]
async fn document_changes_of_a_removed_run_remain() {
    each_store(async |store| {
        let run = creator(&*store, 5, &["a", "b"]).await;
        assert_eq!(remove(&*store, &[run], false).await, [run]);
        assert_eq!(store.changes(run).await.unwrap(), creating(&["a", "b"]).changes);
        let documents = store.snapshot().await.unwrap();
        assert!(documents.get(&change("a").0).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn old_document_changes_are_removed_and_the_documents_remain() {
    each_store(async |store| {
        let ids: Vec<_> = (0..40).map(|n| format!("d{n}")).collect();
        let many: Vec<_> = ids.iter().map(String::as_str).collect();
        let old = creator(&*store, 9, &many).await;
        let at = days_ago(7);
        let unrecorded = CommitMetadata { at, ..super::tests::author() };
        store.commit_changes(unrecorded, creating(&["u"])).await.unwrap();
        let new = creator(&*store, 1, &["new"]).await;
        let before = days_ago(5);
        let expired = store.expired_history(before, None).await.unwrap();
        assert_eq!((expired.commits, expired.changes, expired.next), (2, 41, None));
        let (mut commits, mut changes) = (0, 0);
        loop {
            let removed = store.remove_history(before, Duration::ZERO).await.unwrap();
            (commits, changes) = (commits + removed.commits, changes + removed.changes);
            if removed.is_done {
                break;
            }
        }
        assert_eq!((commits, changes), (2, 41));
        let error = store.changes(old).await.unwrap_err();
        assert!(matches!(error, StoreError::HistoryRemoved(run) if run == old), "{error}");
        assert_eq!(store.changes(new).await.unwrap().len(), 1);
        let history = store.history(&change("d0").0, None, 9).await.unwrap();
        let entry = &history.entries[0];
        assert_eq!((entry.change, &entry.content), (ChangeKind::Created, &None));
        assert_eq!(entry.author.as_ref().unwrap().run_id, Some(old));
        let documents = store.snapshot().await.unwrap();
        assert_eq!(documents.collections().await.unwrap()[0].1, 42);
        assert_eq!(store.expired_history(before, None).await.unwrap().commits, 0);
    })
    .await;
}

#[tokio::test]
async fn query_conflicts_if_changes_since_its_snapshot_were_removed() {
    each_store(async |store| {
        creator(&*store, 9, &["a"]).await;
        let base = store.snapshot().await.unwrap().revision();
        creator(&*store, 8, &["b"]).await;
        creator(&*store, 7, &["c"]).await;
        let current = store.snapshot().await.unwrap().revision();
        while !store.remove_history(days_ago(5), Duration::ZERO).await.unwrap().is_done {}
        let mut query = ReadSet::default();
        // No change since `base` matches the filter.
        let filter = Filter::parse(&json!({"id": "none"})).unwrap();
        query.add_filter(&"jobs".parse().unwrap(), &filter);
        let mut lookup = ReadSet::default();
        lookup.add_document(&change("a").0, Some(1));
        let snapshot = store.snapshot().await.unwrap();
        assert!(snapshot.has_conflict(query.clone(), base).await.unwrap());
        assert!(!snapshot.has_conflict(query.clone(), current).await.unwrap());
        assert!(!snapshot.has_conflict(lookup, base).await.unwrap());
        for (snapshot_revision, is_conflict) in [(base, true), (current, false)] {
            let (read_set, changes) = (query.clone(), creating(&["n"]).changes.clone());
            let effects = CommitRequest { snapshot_revision, read_set, changes }.into();
            let committed = store.commit_changes(super::tests::author(), effects).await.unwrap();
            assert_eq!(committed == CommitOutcome::Conflict, is_conflict);
        }
    })
    .await;
}

#[tokio::test]
async fn last_prune_is_stored() {
    each_store(async |store| {
        assert_eq!(store.last_prune().await.unwrap(), None);
        insert(&*store, &running("a")).await;
        let last = LastPrune { at: Utc::now(), is_complete: false };
        store.set_last_prune(last).await.unwrap();
        assert_eq!(store.last_prune().await.unwrap(), Some(last));
    })
    .await;
}
