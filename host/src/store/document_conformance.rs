//! Conformance tests for documents, run against redb and the in-memory store.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::conformance::{both, ending, insert};
use super::memory::MemoryStore;
use super::redb::RedbStore;
use super::redb::file::ShutdownMode;
use super::tests::author;
use super::{CommitOutcome, FinishOutcome, RunCompletion, Store};
use crate::model::document::{
    Address, Body, ChangeCount, ChangeSet, CollectionName, CommitRequest, Document, DocumentChange,
    DocumentId, Filter, ReadSet, Scan,
};
use crate::model::outcome::Outcome;
use crate::model::run_record::tests::running;
use crate::util::private_dir::DataDir;

fn address(collection: &str, id: &str) -> Address {
    Address { collection: collection.parse().unwrap(), id: id.parse().unwrap() }
}

fn body(value: Value) -> Body {
    value.try_into().unwrap()
}

/// A document transaction of a run, under construction.
#[derive(Default)]
struct TestTransaction(CommitRequest);

impl TestTransaction {
    fn reading(store: &dyn Store, addresses: &[&Address]) -> Self {
        let snapshot = store.documents().unwrap();
        let mut reads = ReadSet::default();
        for address in addresses {
            let known = snapshot.get(address).unwrap();
            reads.add_document(address, known.map(|known| known.revision));
        }
        Self(CommitRequest {
            snapshot_revision: snapshot.revision(),
            read_set: reads,
            changes: ChangeSet::new(),
        })
    }

    fn finding(store: &dyn Store, collection: &str, filter: &Value) -> Self {
        let mut transaction = Self::reading(store, &[]);
        let filter = Filter::parse(filter).unwrap();
        transaction.0.read_set.add_filter(&collection.parse().unwrap(), &filter);
        transaction
    }

    /// Adds a write whose `before` is the current document of `store`.
    fn writing(mut self, store: &dyn Store, address: &Address, after: Option<Value>) -> Self {
        let before = store.documents().unwrap().get(address).unwrap().map(|known| known.body);
        let change = DocumentChange { before, after: after.map(body) };
        self.0.changes.insert(address.clone(), change);
        self
    }

    async fn commit(self, store: &dyn Store) -> Option<ChangeCount> {
        match store.commit_changes(author(), self.0.into()).await.unwrap() {
            CommitOutcome::Committed(_, count) => Some(count),
            CommitOutcome::Conflict => None,
        }
    }
}

async fn put(store: &dyn Store, address: &Address, value: Value) {
    let transaction =
        TestTransaction::reading(store, &[address]).writing(store, address, Some(value));
    assert!(transaction.commit(store).await.is_some());
}

fn get(store: &dyn Store, address: &Address) -> Option<(u64, Value)> {
    let known = store.documents().unwrap().get(address).unwrap();
    known.map(|known| (known.revision, json!(known.body)))
}

#[tokio::test]
async fn finish_commits_the_document_changes() {
    both(async |store| {
        let run = running("a");
        let claim = insert(&*store, &run).await;
        let job = address("jobs", "1");
        let transaction = TestTransaction::reading(&*store, &[&job]).writing(
            &*store,
            &job,
            Some(json!({"n": 1})),
        );
        let changes = Some(ChangeCount::of(&transaction.0.changes));
        let ending = ending(Outcome::Success(json!({})));
        let ending = RunCompletion { effects: transaction.0.into(), changes, ..ending };
        assert!(matches!(store.finish(claim, ending).await.unwrap(), FinishOutcome::Done));
        assert_eq!(get(&*store, &job), Some((1, json!({"n": 1}))));
        let stored = store.get(run.id).await.unwrap().unwrap();
        let count = ChangeCount { revision: Some(1), created: 1, ..ChangeCount::default() };
        assert_eq!(stored.changes, Some(count));
        let collections = store.documents().unwrap().collections().unwrap();
        assert_eq!(collections, [("jobs".parse().unwrap(), 1)]);
    })
    .await;
}

#[tokio::test]
async fn conflict_writes_nothing_and_leaves_the_run_running() {
    both(async |store| {
        let job = address("jobs", "1");
        put(&*store, &job, json!({"n": 1})).await;
        let run = running("a");
        let claim = insert(&*store, &run).await;
        let transaction = TestTransaction::reading(&*store, &[&job]).writing(
            &*store,
            &job,
            Some(json!({"n": 2})),
        );
        put(&*store, &job, json!({"n": 7})).await;
        let end = |effects: CommitRequest| RunCompletion {
            effects: effects.into(),
            ..ending(Outcome::Success(json!({})))
        };
        let finished = store.finish(claim, end(transaction.0)).await.unwrap();
        assert_eq!(finished, FinishOutcome::Conflict);
        assert_eq!(get(&*store, &job), Some((2, json!({"n": 7}))));
        let again = TestTransaction::reading(&*store, &[&job]).writing(
            &*store,
            &job,
            Some(json!({"n": 8})),
        );
        assert!(matches!(store.finish(claim, end(again.0)).await.unwrap(), FinishOutcome::Done));
        assert_eq!(get(&*store, &job), Some((3, json!({"n": 8}))));
    })
    .await;
}

#[tokio::test]
async fn run_without_a_valid_claim_changes_no_documents() {
    both(async |store| {
        let run = running("a");
        let claim = insert(&*store, &run).await;
        store.crash(&[(run.id, run.owner)], "gone").await.unwrap();
        let job = address("jobs", "1");
        let transaction =
            TestTransaction::reading(&*store, &[&job]).writing(&*store, &job, Some(json!({})));
        let end =
            RunCompletion { effects: transaction.0.into(), ..ending(Outcome::Success(json!({}))) };
        assert!(matches!(store.finish(claim, end).await.unwrap(), FinishOutcome::Lost));
        assert_eq!(get(&*store, &job), None);
    })
    .await;
}

#[tokio::test]
async fn phantom_in_a_filter_is_a_conflict() {
    both(async |store| {
        let (open, closed) = (address("jobs", "1"), address("jobs", "2"));
        put(&*store, &open, json!({"status": "open"})).await;
        let counter = address("counters", "open");
        let counting = |store: &dyn Store| {
            let transaction = TestTransaction::finding(store, "jobs", &json!({"status": "open"}));
            transaction.writing(store, &counter, Some(json!({"n": 1})))
        };
        // A change that the filter does not match is no conflict.
        let transaction = counting(&*store);
        put(&*store, &closed, json!({"status": "closed"})).await;
        assert!(transaction.commit(&*store).await.is_some());
        // A created match, an update to a match, an update to no match, and a deleted match.
        for (address, value) in [
            (&address("jobs", "3"), Some(json!({"status": "open"}))),
            (&closed, Some(json!({"status": "open", "late": true}))),
            (&closed, Some(json!({"status": "closed"}))),
            (&open, None),
        ] {
            let transaction = counting(&*store);
            let other = TestTransaction::reading(&*store, &[address]);
            let other = other.writing(&*store, address, value.clone());
            assert!(other.commit(&*store).await.is_some());
            assert_eq!(transaction.commit(&*store).await, None, "{value:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn snapshot_does_not_change() {
    both(async |store| {
        let (first, second) = (address("jobs", "1"), address("jobs", "2"));
        put(&*store, &first, json!({"n": 1})).await;
        let snapshot = store.documents().unwrap();
        put(&*store, &first, json!({"n": 2})).await;
        put(&*store, &second, json!({"n": 3})).await;
        let document = |address: &Address, revision, body: &str| Document {
            id: address.id.clone(),
            revision,
            body: body.to_owned(),
        };
        let before = scan_all(&*snapshot, &first.collection, &Scan::default());
        assert_eq!(before, [document(&first, 1, r#"{"n":1}"#)]);
        let now = store.documents().unwrap();
        let after = |id: &DocumentId| Scan { after: Some(id.clone()), ..Scan::default() };
        let rest = scan_all(&*now, &first.collection, &after(&first.id));
        assert_eq!(rest, [document(&second, 3, r#"{"n":3}"#)]);
        let ids = Some([first.id.clone(), address("jobs", "0").id].into());
        let by_id = Scan { ids: ids.clone(), ..Scan::default() };
        let some = scan_all(&*now, &first.collection, &by_id);
        assert_eq!(some, [document(&first, 2, r#"{"n":2}"#)]);
        assert_eq!(scan_all(&*now, &first.collection, &Scan { ids, ..after(&first.id) }), []);
    })
    .await;
}

/// Returns the documents of a scan.
fn scan_all(
    documents: &dyn super::DocumentSnapshot,
    collection: &CollectionName,
    scan: &Scan,
) -> Vec<Document> {
    let mut scanned = Vec::new();
    let mut visit = |it: &super::ScannedDocument<'_>| {
        scanned.push(it.document()?);
        Ok(ControlFlow::Continue(()))
    };
    documents.scan(collection, scan, &mut visit).unwrap();
    scanned
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
    let effects = stores.map(|store| {
        let transaction = match finds {
            true => TestTransaction::finding(store, read.collection.as_str(), &filter),
            false => TestTransaction::reading(store, &[&read]),
        };
        let request = transaction.writing(store, &written, after.clone()).0;
        let CommitRequest { snapshot_revision: base, read_set: mut reads, mut changes } = request;
        // A write without effect is no change.
        changes.retain(|_, change| change.kind().is_some());
        let known = store.documents().unwrap().get(&written).unwrap();
        reads.add_document(&written, known.map(|known| known.revision));
        CommitRequest { snapshot_revision: base, read_set: reads, changes }
    });
    pending.push(effects);
    if pending.len() < 4 {
        return false;
    }
    let at = random.u64(..pending.len() as u64) as usize;
    let [actual, expected] = pending.remove(at);
    let actual = stores[0].commit_changes(author(), actual.into()).await.unwrap();
    let expected = stores[1].commit_changes(author(), expected.into()).await.unwrap();
    let count = |outcome: &CommitOutcome| match outcome {
        CommitOutcome::Committed(_, count) => Some(*count),
        CommitOutcome::Conflict => None,
    };
    assert_eq!(count(&actual), count(&expected));
    actual == CommitOutcome::Conflict
}

#[tokio::test]
async fn random_commits_leave_both_stores_equal() {
    let scratch = tempfile::tempdir().unwrap();
    let store = RedbStore::new(DataDir::new(scratch.path()), ShutdownMode::Clean);
    let model = MemoryStore::default();
    let mut random = fastrand::Rng::with_seed(1);
    let (mut pending, mut conflicts) = (Vec::new(), 0);
    for _ in 0..400 {
        conflicts += usize::from(random_commit(&mut random, [&store, &model], &mut pending).await);
    }
    assert!((20..380).contains(&conflicts), "{conflicts}");
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    let (actual, expected) = (store.documents().unwrap(), model.documents().unwrap());
    let all = |documents: &dyn super::DocumentSnapshot| -> BTreeMap<_, _> {
        let of = |name: &CollectionName| scan_all(documents, name, &Scan::default());
        let collections = documents.collections().unwrap().into_iter();
        collections.map(|(it, n)| (it.clone(), (n, of(&it)))).collect()
    };
    assert_eq!(all(&*actual), all(&*expected));
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
        assert_eq!(get(&copied, &job), Some((2, json!({"n": 2}))));
        put(&copied, &job, json!({"n": 3})).await;
        assert_eq!(get(&copied, &job), Some((3, json!({"n": 3}))));
    }
}
