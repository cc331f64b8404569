//! Conformance tests for documents, run against every store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use ophost_document::{Budget, Interruption};
use serde_json::{Value, json};

use super::conformance::{each_store, ending, insert};
use super::memory::MemoryStore;
use super::redb::RedbStore;
use super::tests::author;
use super::{
    CommitOutcome, DocumentSnapshot, FinishOutcome, PageRequest, RunCompletion, ScanError,
    ScanPage, ScanPosition, ScanQuery, ScannedDocument, ShutdownMode, Store, StoreMaintenance as _,
    StoredDocument,
};
use crate::model::document::{
    Address, Body, ChangeCount, ChangeKind, ChangeSet, CollectionName, CommitRequest, Document,
    DocumentChange, DocumentId, Filter, ReadSet,
};
use crate::model::history::{HistoryEntry, PastDocument, PointInTime};
use crate::model::outcome::Outcome;
use crate::model::run_record::tests::running;
use crate::model::run_record::{RunId, RunRecord, Status};
use crate::util::private_dir::DataDir;

pub(super) fn address(collection: &str, id: &str) -> Address {
    Address { collection: collection.parse().unwrap(), id: id.parse().unwrap() }
}

fn body(value: Value) -> Body {
    value.try_into().unwrap()
}

/// A document transaction of a run, under construction.
#[derive(Default)]
pub(super) struct TestTransaction(pub(super) CommitRequest);

impl TestTransaction {
    pub(super) async fn reading(store: &dyn Store, addresses: &[&Address]) -> Self {
        let snapshot = store.snapshot().await.unwrap();
        let mut reads = ReadSet::default();
        for address in addresses {
            let known = snapshot.get(address).await.unwrap();
            reads.add_document(address, known.map(|known| known.revision));
        }
        Self(CommitRequest {
            snapshot_revision: snapshot.revision(),
            read_set: reads,
            changes: ChangeSet::new(),
        })
    }

    async fn finding(store: &dyn Store, collection: &str, filter: &Value) -> Self {
        let mut transaction = Self::reading(store, &[]).await;
        let filter = Filter::parse(filter).unwrap();
        transaction.0.read_set.add_filter(&collection.parse().unwrap(), &filter);
        transaction
    }

    /// Adds a write whose `before` is the current document of `store`.
    pub(super) async fn writing(
        mut self,
        store: &dyn Store,
        address: &Address,
        after: Option<Value>,
    ) -> Self {
        let before = read(store, address).await.map(|known| known.body);
        let change = DocumentChange { before, after: after.map(body) };
        self.0.changes.insert(address.clone(), change);
        self
    }

    pub(super) async fn commit(self, store: &dyn Store) -> Option<ChangeCount> {
        match store.commit_changes(author(), self.0.into()).await.unwrap() {
            CommitOutcome::Committed(_, count) => Some(count),
            CommitOutcome::Conflict | CommitOutcome::Duplicate(_) => None,
        }
    }
}

/// Returns the current document of a store.
async fn read(store: &dyn Store, address: &Address) -> Option<StoredDocument> {
    store.snapshot().await.unwrap().get(address).await.unwrap()
}

/// Returns a transaction that reads and writes a document.
pub(super) async fn replacing(
    store: &dyn Store,
    address: &Address,
    after: Option<Value>,
) -> TestTransaction {
    TestTransaction::reading(store, &[address]).await.writing(store, address, after).await
}

pub(super) async fn put(store: &dyn Store, address: &Address, value: Value) {
    let transaction = replacing(store, address, Some(value)).await;
    assert!(transaction.commit(store).await.is_some());
}

async fn get(store: &dyn Store, address: &Address) -> Option<(u64, Value)> {
    let known = read(store, address).await;
    known.map(|known| (known.revision, json!(known.body)))
}

#[tokio::test]
async fn finish_commits_the_document_changes() {
    each_store(async |store| {
        let run = running("a");
        let claim = insert(&*store, &run).await;
        let job = address("jobs", "1");
        let transaction = replacing(&*store, &job, Some(json!({"n": 1}))).await;
        let changes = Some(ChangeCount::of(&transaction.0.changes));
        let ending = ending(Outcome::Success(json!({})));
        let ending = RunCompletion { effects: transaction.0.into(), changes, ..ending };
        assert!(matches!(store.finish(claim, ending).await.unwrap(), FinishOutcome::Done));
        assert_eq!(get(&*store, &job).await, Some((1, json!({"n": 1}))));
        let stored = store.get(run.id).await.unwrap().unwrap();
        let count = ChangeCount { revision: Some(1), created: 1, ..ChangeCount::default() };
        assert_eq!(stored.changes, Some(count));
        let collections = store.snapshot().await.unwrap().collections().await.unwrap();
        assert_eq!(collections, [("jobs".parse().unwrap(), 1)]);
    })
    .await;
}

#[tokio::test]
async fn conflict_writes_nothing_and_leaves_the_run_running() {
    each_store(async |store| {
        let job = address("jobs", "1");
        put(&*store, &job, json!({"n": 1})).await;
        let run = running("a");
        let claim = insert(&*store, &run).await;
        let transaction = replacing(&*store, &job, Some(json!({"n": 2}))).await;
        put(&*store, &job, json!({"n": 7})).await;
        let end = |effects: CommitRequest| RunCompletion {
            effects: effects.into(),
            ..ending(Outcome::Success(json!({})))
        };
        let finished = store.finish(claim, end(transaction.0)).await.unwrap();
        assert_eq!(finished, FinishOutcome::Conflict);
        assert_eq!(get(&*store, &job).await, Some((2, json!({"n": 7}))));
        let again = replacing(&*store, &job, Some(json!({"n": 8}))).await;
        assert!(matches!(store.finish(claim, end(again.0)).await.unwrap(), FinishOutcome::Done));
        assert_eq!(get(&*store, &job).await, Some((3, json!({"n": 8}))));
    })
    .await;
}

#[tokio::test]
async fn changes_of_a_run_are_those_that_it_committed() {
    each_store(async |store| {
        let (first, second) = (address("jobs", "1"), address("leads", "2"));
        put(&*store, &first, json!({"n": 1})).await;
        let run = running("a");
        let claim = insert(&*store, &run).await;
        assert_eq!(store.changes(run.id).await.unwrap(), ChangeSet::new());
        let transaction = replacing(&*store, &first, Some(json!({"n": 2}))).await;
        let transaction = transaction.writing(&*store, &second, Some(json!({}))).await;
        let changes = transaction.0.changes.clone();
        let effects = transaction.0.into();
        let end = RunCompletion { effects, ..ending(Outcome::Success(json!({}))) };
        assert_eq!(store.finish(claim, end).await.unwrap(), FinishOutcome::Done);
        put(&*store, &first, json!({"n": 3})).await;
        assert_eq!(store.changes(run.id).await.unwrap(), changes);
        assert_eq!(store.changes(RunId::new()).await.unwrap(), ChangeSet::new());
    })
    .await;
}

#[tokio::test]
async fn changes_of_a_run_without_a_record_are_not_found_by_its_id() {
    each_store(async |store| {
        let mut author = author();
        for (recorded, count) in [(false, 0), (true, 1)] {
            (author.run_id, author.recorded) = (RunId::new(), recorded);
            let created = DocumentChange { before: None, after: Some(body(json!({}))) };
            let changes = [(address("jobs", &recorded.to_string()), created)].into();
            let request = CommitRequest { changes, ..CommitRequest::default() };
            store.commit_changes(author.clone(), request.into()).await.unwrap();
            assert_eq!(store.changes(author.run_id).await.unwrap().len(), count);
        }
    })
    .await;
}

#[tokio::test]
async fn run_without_a_valid_claim_changes_no_documents() {
    each_store(async |store| {
        let run = running("a");
        let claim = insert(&*store, &run).await;
        store.crash(&[(run.id, run.owner)], "gone").await.unwrap();
        let job = address("jobs", "1");
        let transaction = replacing(&*store, &job, Some(json!({}))).await;
        let end =
            RunCompletion { effects: transaction.0.into(), ..ending(Outcome::Success(json!({}))) };
        assert!(matches!(store.finish(claim, end).await.unwrap(), FinishOutcome::Lost));
        assert_eq!(get(&*store, &job).await, None);
    })
    .await;
}

#[tokio::test]
async fn phantom_in_a_filter_is_a_conflict() {
    each_store(async |store| {
        let (open, closed) = (address("jobs", "1"), address("jobs", "2"));
        put(&*store, &open, json!({"status": "open"})).await;
        let counter = address("counters", "open");
        let counting = async |store: &dyn Store| {
            let open = json!({"status": "open"});
            let transaction = TestTransaction::finding(store, "jobs", &open).await;
            transaction.writing(store, &counter, Some(json!({"n": 1}))).await
        };
        // A change that the filter does not match is no conflict.
        let transaction = counting(&*store).await;
        put(&*store, &closed, json!({"status": "closed"})).await;
        assert!(transaction.commit(&*store).await.is_some());
        // A created match, an update to a match, an update to no match, and a deleted match.
        for (address, value) in [
            (&address("jobs", "3"), Some(json!({"status": "open"}))),
            (&closed, Some(json!({"status": "open", "late": true}))),
            (&closed, Some(json!({"status": "closed"}))),
            (&open, None),
        ] {
            let transaction = counting(&*store).await;
            let other = replacing(&*store, address, value.clone()).await;
            assert!(other.commit(&*store).await.is_some());
            assert_eq!(transaction.commit(&*store).await, None, "{value:?}");
        }
    })
    .await;
}

fn all(collection: &CollectionName) -> ScanQuery {
    ScanQuery::of_filter(collection.clone(), Filter::all())
}

fn page(after: Option<ScanPosition>) -> PageRequest {
    PageRequest::new(after, Budget::unlimited())
}

/// Returns the documents of a scan that begins after a position.
async fn scan_from(
    documents: &dyn DocumentSnapshot,
    query: ScanQuery,
    after: Option<ScanPosition>,
) -> Vec<Document> {
    let page = documents.scan(&Arc::new(query), page(after)).await.unwrap();
    assert_eq!(page.next, None);
    page.documents.into_iter().map(|document| document.document().unwrap()).collect()
}

#[tokio::test]
async fn snapshot_does_not_change() {
    each_store(async |store| {
        let (first, second) = (address("jobs", "1"), address("jobs", "2"));
        put(&*store, &first, json!({"n": 1})).await;
        let snapshot = store.snapshot().await.unwrap();
        put(&*store, &first, json!({"n": 2})).await;
        put(&*store, &second, json!({"n": 3})).await;
        let document = |address: &Address, revision, body: &str| Document {
            id: address.id.clone(),
            revision,
            body: body.to_owned(),
        };
        let jobs = &first.collection;
        let before = scan_from(&*snapshot, all(jobs), None).await;
        assert_eq!(before, [document(&first, 1, r#"{"n":1}"#)]);
        let now = store.snapshot().await.unwrap();
        let after = || Some(ScanPosition::after(first.id.clone()));
        let rest = scan_from(&*now, all(jobs), after()).await;
        assert_eq!(rest, [document(&second, 3, r#"{"n":3}"#)]);
        let by_id = || {
            let filter = Filter::parse(&json!({"_id": {"$in": ["1", "0"]}})).unwrap();
            ScanQuery::of_filter(jobs.clone(), filter)
        };
        let some = scan_from(&*now, by_id(), None).await;
        assert_eq!(some, [document(&first, 2, r#"{"n":2}"#)]);
        assert_eq!(scan_from(&*now, by_id(), after()).await, []);
    })
    .await;
}

/// Adds documents with the ids `00`, `01` and so on, and the fields `n` and `t`.
async fn put_numbered(store: &dyn Store, count: u64) {
    let changes = (0..count).map(|n| {
        let after = Some(body(json!({"n": n, "t": "x".repeat(100)})));
        (address("jobs", &format!("{n:02}")), DocumentChange { before: None, after })
    });
    let request = CommitRequest { changes: changes.collect(), ..CommitRequest::default() };
    assert!(TestTransaction(request).commit(store).await.is_some());
}

/// Returns the ids of each page of a scan, and commits a change after each page.
async fn pages(
    (store, documents): (&dyn Store, &dyn DocumentSnapshot),
    filter: &Value,
    limit: impl Fn(PageRequest) -> PageRequest,
) -> Vec<String> {
    let filter = Filter::parse(filter).unwrap();
    let query = Arc::new(ScanQuery::of_filter("jobs".parse().unwrap(), filter));
    let (mut pages, mut position) = (Vec::new(), None);
    loop {
        let request = || limit(page(position.clone()));
        let documents = [
            documents.scan_ids(&query, request()).await.unwrap(),
            scanned_ids(documents.scan(&query, request()).await.unwrap()),
        ];
        let [ids, same] = documents;
        assert_eq!((&ids.documents, &ids.next), (&same.documents, &same.next));
        pages.push(ids.documents.iter().map(DocumentId::as_str).collect::<Vec<_>>().join(" "));
        position = ids.next;
        if position.is_none() {
            return pages;
        }
        let (changed, removed) = (address("jobs", "015"), address("jobs", "03"));
        put(store, &changed, json!({"n": pages.len()})).await;
        assert!(replacing(store, &removed, None).await.commit(store).await.is_some());
    }
}

fn scanned_ids(page: ScanPage<ScannedDocument>) -> ScanPage<DocumentId> {
    let documents = page.documents.into_iter().map(|document| document.id).collect();
    ScanPage { documents, next: page.next, read: page.read }
}

#[tokio::test]
async fn pages_of_a_scan_are_complete_while_other_runs_commit() {
    each_store(async |store| {
        put_numbered(&*store, 40).await;
        let snapshot = store.snapshot().await.unwrap();
        let pages = async |filter: Value, limit: usize| {
            let with = |page: PageRequest| page.with_documents(Some(limit));
            pages((&*store, &*snapshot), &filter, with).await
        };
        let ids: Vec<_> = (0..40).map(|n| format!("{n:02}")).collect();
        for limit in [1, 3, 39, 40, 41] {
            let all = pages(json!({}), limit).await;
            assert_eq!(all.join(" ").trim(), ids.join(" "), "{limit}");
            assert!(all.iter().all(|page| page.split(' ').count() <= limit));
        }
        let few = pages(json!({"n": {"$in": [1, 7, 39]}}), 2).await;
        assert_eq!(few, ["01 07", "39"], "a page ends at its last match");
        let by_id = pages(json!({"_id": {"$in": ["39", "03", "015", "11"]}}), 2).await;
        assert_eq!(by_id, ["03 11", "39"]);
    })
    .await;
}

#[tokio::test]
async fn page_of_a_scan_ends_at_its_size_and_its_time() {
    each_store(async |store| {
        put_numbered(&*store, 20).await;
        let snapshot = store.snapshot().await.unwrap();
        let pages = async |filter: Value, limit: &dyn Fn(PageRequest) -> PageRequest| {
            pages((&*store, &*snapshot), &filter, limit).await
        };
        let by_size = |page| PageRequest { max_bytes: 250, ..page };
        let large = pages(json!({}), &by_size).await;
        assert!(large.iter().all(|page| page.split(' ').count() <= 3), "{large:?}");
        let by_time = |page| PageRequest { max_time: Duration::ZERO, ..page };
        let late = pages(json!({"n": 1}), &by_time).await;
        assert_eq!(late.iter().filter(|page| !page.is_empty()).collect::<Vec<_>>(), ["01"]);
        assert!(late.len() >= 20, "a page of no time reads one document");
    })
    .await;
}

#[tokio::test]
async fn scan_ends_with_its_budget() {
    each_store(async |store| {
        put_numbered(&*store, 40).await;
        let snapshot = store.snapshot().await.unwrap();
        let query = Arc::new(all(&"jobs".parse().unwrap()));
        let steps = Budget::unlimited().with_steps(5);
        let spent = snapshot.scan(&query, PageRequest::new(None, steps)).await;
        assert!(matches!(spent, Err(ScanError::Interrupted(Interruption::Steps))));
        let late = Budget::until(Instant::now(), || false);
        let late = snapshot.scan_ids(&query, PageRequest::new(None, late)).await;
        assert!(matches!(late, Err(ScanError::Interrupted(Interruption::Deadline))));
    })
    .await;
}

#[tokio::test]
async fn position_of_an_older_snapshot_continues_in_a_newer_one() {
    each_store(async |store| {
        put_numbered(&*store, 40).await;
        let query = Arc::new(all(&"jobs".parse().unwrap()));
        let first = store.snapshot().await.unwrap();
        let position = first.scan_ids(&query, page(None).with_documents(Some(30))).await.unwrap();
        for id in ["00", "35"] {
            let removed = replacing(&*store, &address("jobs", id), None).await;
            assert!(removed.commit(&*store).await.is_some());
        }
        let second = store.snapshot().await.unwrap();
        let rest = second.scan_ids(&query, page(position.next)).await.unwrap();
        let ids: Vec<_> = rest.documents.iter().map(DocumentId::as_str).collect();
        assert_eq!(ids, ["30", "31", "32", "33", "34", "36", "37", "38", "39"]);
        assert_eq!(rest.next, None);
    })
    .await;
}

/// Prepares a random transaction on both stores, and commits an earlier one. Returns whether
/// that was a conflict.
async fn random_commit(
    random: &mut fastrand::Rng,
    stores: [&dyn Store; 2],
    pending: &mut Vec<[CommitRequest; 2]>,
) -> bool {
    let pick = |random: &mut fastrand::Rng| {
        let collection = ["a", "ab"][random.u64(..2) as usize];
        address(collection, &format!("d{}", random.u64(..6)))
    };
    let (read, written) = (pick(random), pick(random));
    let filter = json!({"n": {"$lt": random.u64(..4)}});
    let after = (random.u64(..3) > 0).then(|| json!({"n": random.u64(..6)}));
    let finds = random.u64(..3) == 0;
    let prepare = async |store: &dyn Store| {
        let transaction = match finds {
            true => TestTransaction::finding(store, read.collection.as_str(), &filter).await,
            false => TestTransaction::reading(store, &[&read]).await,
        };
        let request = transaction.writing(store, &written, after.clone()).await.0;
        let CommitRequest { snapshot_revision: base, read_set: mut reads, mut changes } = request;
        // A write without effect is no change.
        changes.retain(|_, change| change.kind().is_some());
        let known = self::read(store, &written).await;
        reads.add_document(&written, known.map(|known| known.revision));
        CommitRequest { snapshot_revision: base, read_set: reads, changes }
    };
    pending.push([prepare(stores[0]).await, prepare(stores[1]).await]);
    if pending.len() < 4 {
        return false;
    }
    let at = random.u64(..pending.len() as u64) as usize;
    let [actual, expected] = pending.remove(at);
    let actual = stores[0].commit_changes(author(), actual.into()).await.unwrap();
    let expected = stores[1].commit_changes(author(), expected.into()).await.unwrap();
    let count = |outcome: &CommitOutcome| match outcome {
        CommitOutcome::Committed(_, count) => Some(*count),
        CommitOutcome::Conflict | CommitOutcome::Duplicate(_) => None,
    };
    assert_eq!(count(&actual), count(&expected));
    actual == CommitOutcome::Conflict
}

/// Returns the documents of each collection, with the recorded number of documents.
async fn content(store: &dyn Store) -> BTreeMap<CollectionName, (u64, Vec<Document>)> {
    let documents = store.snapshot().await.unwrap();
    let mut content = BTreeMap::new();
    for (name, count) in documents.collections().await.unwrap() {
        let scanned = scan_from(&*documents, all(&name), None).await;
        content.insert(name, (count, scanned));
    }
    content
}

#[tokio::test]
async fn random_commits_have_the_effect_of_the_model() {
    each_store(async |store| {
        let model = MemoryStore::default();
        let mut random = fastrand::Rng::with_seed(1);
        let (mut pending, mut conflicts) = (Vec::new(), 0);
        for _ in 0..400 {
            let is_conflict = random_commit(&mut random, [&*store, &model], &mut pending).await;
            conflicts += usize::from(is_conflict);
        }
        assert!((20..380).contains(&conflicts), "{conflicts}");
        assert_eq!(content(&*store).await, content(&model).await);
    })
    .await;
}

#[tokio::test]
async fn backup_and_salvage_copy_documents() {
    let scratch = tempfile::tempdir().unwrap();
    let store = RedbStore::new(DataDir::new(scratch.path().join("live")), ShutdownMode::Clean);
    let job = address("jobs", "1");
    put(&store, &job, json!({"n": 1})).await;
    put(&store, &job, json!({"n": 2})).await;
    let (backup, saved) = (scratch.path().join("backup"), scratch.path().join("saved"));
    store.backup(&backup).await.unwrap();
    store.salvage(&saved).await.unwrap();
    for copy in [backup, saved] {
        let data = scratch.path().join(copy.with_extension("data"));
        let directory =
            crate::util::private_dir::PrivateDir::create(&data.join(super::redb::file::DIRECTORY));
        let content = std::fs::read(&copy).unwrap();
        directory.unwrap().replace(super::redb::file::FILE, &[&content]).unwrap();
        let copied = RedbStore::new(DataDir::new(data), ShutdownMode::Clean);
        assert_eq!(copied.check().await.unwrap(), [""; 0]);
        assert_eq!(get(&copied, &job).await, Some((2, json!({"n": 2}))));
        put(&copied, &job, json!({"n": 3})).await;
        assert_eq!(get(&copied, &job).await, Some((3, json!({"n": 3}))));
    }
}

#[tokio::test]
async fn finish_of_an_undo_links_the_undone_run() {
    each_store(async |store| {
        let job = address("jobs", "1");
        let finish = async |run: &RunRecord, after: Option<Value>| {
            let claim = insert(&*store, run).await;
            let transaction = replacing(&*store, &job, after).await;
            let count = ChangeCount::of(&transaction.0.changes);
            let changes = (count != ChangeCount::default()).then_some(count);
            let ending = ending(Outcome::Success(json!({})));
            let ending = RunCompletion { effects: transaction.0.into(), changes, ..ending };
            assert_eq!(store.finish(claim, ending).await.unwrap(), FinishOutcome::Done);
        };
        let run = running("a");
        finish(&run, Some(json!({"n": 1}))).await;
        let undone_by = async || store.get(run.id).await.unwrap().unwrap().undone_by;
        let undo = || RunRecord { undo_of: Some(run.id), ..running("undo") };
        let unchanged = undo();
        let claim = insert(&*store, &unchanged).await;
        let ending = ending(Outcome::Success(json!({})));
        store.finish(claim, ending).await.unwrap();
        assert_eq!(undone_by().await, None, "the undo changed no document");
        let undo = undo();
        finish(&undo, None).await;
        assert_eq!(undone_by().await, Some(undo.id));
        let known = store.get(run.id).await.unwrap().unwrap();
        assert_eq!((known.state.status(), known.revision), (Status::Success, 3));
    })
    .await;
}

/// Returns what the history of a document shows: revision, kind, and whether a run has the change.
async fn history(store: &dyn Store, address: &Address) -> Vec<(u64, ChangeKind, bool)> {
    let page = store.history(address, None, 100).await.unwrap();
    let shown = |entry: &HistoryEntry| {
        let author = entry.author.as_ref().unwrap();
        (entry.revision, entry.change, author.run_id.is_some())
    };
    page.entries.iter().map(shown).collect()
}

#[tokio::test]
async fn history_of_a_document_has_its_changes_newest_first() {
    each_store(async |store| {
        let (job, other) = (address("jobs", "1"), address("jobs", "12"));
        put(&*store, &job, json!({"n": 1})).await;
        put(&*store, &other, json!({"n": 0})).await;
        let claim = insert(&*store, &running("a")).await;
        let transaction = replacing(&*store, &job, Some(json!({"n": 2}))).await;
        let ending =
            RunCompletion { effects: transaction.0.into(), ..ending(Outcome::Success(json!({}))) };
        store.finish(claim, ending).await.unwrap();
        replacing(&*store, &job, None).await.commit(&*store).await.unwrap();
        let expected = [
            (4, ChangeKind::Deleted, false),
            (3, ChangeKind::Updated, true),
            (1, ChangeKind::Created, false),
        ];
        assert_eq!(history(&*store, &job).await, expected);
        assert_eq!(history(&*store, &other).await, [(2, ChangeKind::Created, false)]);
        assert_eq!(history(&*store, &address("jobs", "2")).await, []);
        let first = store.history(&job, None, 2).await.unwrap();
        assert_eq!((first.entries.len(), first.next), (2, Some(3)));
        assert_eq!(first.entries[1].author.as_ref().unwrap().run_id, Some(claim.id));
        let second = store.history(&job, first.next, 2).await.unwrap();
        assert_eq!((second.entries.len(), second.next), (1, None));
        let created = DocumentChange { before: None, after: Some(body(json!({"n": 1}))) };
        assert_eq!(second.entries[0].content, Some(created));
    })
    .await;
}

#[tokio::test]
async fn document_is_read_as_it_was_at_a_revision_or_a_time() {
    each_store(async |store| {
        let job = address("jobs", "1");
        let before = Utc::now();
        put(&*store, &address("jobs", "0"), json!({})).await;
        put(&*store, &job, json!({"n": 1})).await;
        put(&*store, &job, json!({"n": 2})).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let between = Utc::now();
        replacing(&*store, &job, None).await.commit(&*store).await.unwrap();
        let at = async |moment| store.document_at(&job, moment).await.unwrap();
        let existed = |revision, n| PastDocument::Existed(revision, body(json!({"n": n})));
        let mut seen = Vec::new();
        for revision in 1..=5 {
            seen.push(at(PointInTime::Revision(revision)).await);
        }
        let absent = PastDocument::Absent;
        let expected = [absent.clone(), existed(2, 1), existed(3, 2), absent.clone(), absent];
        assert_eq!(seen, expected);
        assert_eq!(at(PointInTime::Time(before)).await, PastDocument::Absent);
        assert_eq!(at(PointInTime::Time(between)).await, existed(3, 2));
        assert_eq!(at(PointInTime::Time(Utc::now())).await, PastDocument::Absent);
    })
    .await;
}
