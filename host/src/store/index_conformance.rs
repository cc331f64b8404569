//! Conformance tests for secondary indexes, run against every store.

use std::sync::Arc;

use ophost_document::{Budget, IndexField};
use serde_json::{Value, json};

use super::conformance::{each_store, ending, insert};
use super::document_conformance::{TestTransaction, address, put, replacing};
use super::tests::author;
use super::{
    BuildIndexOutcome, CommitOutcome, CreateIndexOutcome, DuplicateValue, FinishOutcome, IndexInfo,
    IndexState, IndexViolation, MAX_INDEXES, NewIndex, PageRequest, RemoveIndexOutcome,
    RunCompletion, ScanQuery, Store,
};
use crate::model::document::{CollectionName, DocumentId, Filter};
use crate::model::outcome::Outcome;
use crate::model::run_record::tests::running;

fn jobs() -> CollectionName {
    "jobs".parse().unwrap()
}

fn field(path: &str) -> IndexField {
    path.parse().unwrap()
}

fn new(path: &str, unique: bool) -> NewIndex {
    NewIndex { collection: jobs(), field: field(path), unique }
}

/// Creates and builds an index.
async fn build(store: &dyn Store, path: &str, unique: bool) -> BuildIndexOutcome {
    let created = store.create_index(&new(path, unique)).await.unwrap();
    assert_eq!(created, CreateIndexOutcome::Building);
    loop {
        match store.build_index(&jobs(), &field(path)).await.unwrap() {
            BuildIndexOutcome::Building { .. } => {}
            outcome => return outcome,
        }
    }
}

/// Returns the ids of the documents that match a filter.
async fn find(store: &dyn Store, filter: Value) -> String {
    let query = Arc::new(ScanQuery::of_filter(jobs(), Filter::parse(&filter).unwrap()));
    let (snapshot, mut position) = (store.snapshot().await.unwrap(), None);
    let mut ids = Vec::<DocumentId>::new();
    loop {
        let request = PageRequest::new(position, Budget::unlimited()).with_documents(Some(2));
        let page = snapshot.scan_ids(&query, request).await.unwrap();
        ids.extend(page.documents);
        position = page.next;
        if position.is_none() {
            return ids.iter().map(DocumentId::as_str).collect::<Vec<_>>().join(" ");
        }
    }
}

#[tokio::test]
async fn index_finds_documents_written_before_and_after_it() {
    each_store(async |store| {
        for (id, value) in [("a", json!(1)), ("b", json!([1, 2])), ("c", json!("1"))] {
            put(&*store, &address("jobs", id), json!({"n": value})).await;
        }
        assert_eq!(build(&*store, "n", false).await, BuildIndexOutcome::Ready);
        assert_eq!(find(&*store, json!({"n": 1})).await, "a b");
        put(&*store, &address("jobs", "d"), json!({"n": 1.0})).await;
        put(&*store, &address("jobs", "b"), json!({"n": [2, 3]})).await;
        put(&*store, &address("other", "e"), json!({"n": 1})).await;
        assert_eq!(find(&*store, json!({"n": 1})).await, "a d");
        assert_eq!(find(&*store, json!({"n": {"$gte": 1, "$lt": 3}})).await, "a b d");
        assert_eq!(find(&*store, json!({"n": {"$gt": 2, "$lt": 3}})).await, "b");
        assert_eq!(find(&*store, json!({"n": [2, 3]})).await, "b");
        assert_eq!(find(&*store, json!({"n": {"$in": ["1", 3]}})).await, "b c");
        let removed = replacing(&*store, &address("jobs", "a"), None).await;
        assert!(removed.commit(&*store).await.is_some());
        assert_eq!(find(&*store, json!({"n": 1})).await, "d");
        assert_eq!(find(&*store, json!({"n": null})).await, "");
        put(&*store, &address("jobs", "f"), json!({})).await;
        assert_eq!(find(&*store, json!({"n": null})).await, "f");
        assert_eq!(find(&*store, json!({"n": {"$exists": false}})).await, "f");
    })
    .await;
}

#[tokio::test]
async fn unique_index_rejects_a_value_of_another_document() {
    each_store(async |store| {
        put(&*store, &address("jobs", "a"), json!({"n": "x"})).await;
        assert_eq!(build(&*store, "n", true).await, BuildIndexOutcome::Ready);
        let (a, b) = (address("jobs", "a"), address("jobs", "b"));
        let expected = DuplicateValue {
            collection: jobs(),
            field: field("n"),
            value: json!("x"),
            holder: a.id.clone(),
            document: b.id.clone(),
        };
        let second = replacing(&*store, &b, Some(json!({"n": ["y", "x"]}))).await.0;
        let outcome = store.commit_changes(author(), second.clone().into()).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Duplicate(Box::new(expected.clone())));
        let run = running("a");
        let claim = insert(&*store, &run).await;
        let ending = || ending(Outcome::Success(json!({})));
        let completion = RunCompletion { effects: second.into(), ..ending() };
        let outcome = store.finish(claim, completion).await.unwrap();
        assert_eq!(outcome, FinishOutcome::Duplicate(Box::new(expected)));
        assert_eq!(find(&*store, json!({})).await, "a");
        assert_eq!(store.finish(claim, ending()).await.unwrap(), FinishOutcome::Done);
        // The document itself can keep its value.
        put(&*store, &a, json!({"n": "x", "m": 1})).await;
        put(&*store, &b, json!({"n": "y"})).await;
        assert_eq!(find(&*store, json!({"n": "y"})).await, "b");
    })
    .await;
}

#[tokio::test]
async fn unique_index_is_checked_after_all_changes_of_a_commit() {
    each_store(async |store| {
        let [a, b, c] = ["a", "b", "c"].map(|id| address("jobs", id));
        put(&*store, &a, json!({"n": 1})).await;
        put(&*store, &b, json!({"n": 2})).await;
        assert_eq!(build(&*store, "n", true).await, BuildIndexOutcome::Ready);
        let swap = TestTransaction::reading(&*store, &[&a, &b]).await;
        let swap = swap.writing(&*store, &a, Some(json!({"n": 2}))).await;
        let swap = swap.writing(&*store, &b, Some(json!({"n": 1}))).await;
        assert!(swap.commit(&*store).await.is_some());
        assert_eq!(find(&*store, json!({"n": 1})).await, "b");
        let moved = TestTransaction::reading(&*store, &[&b, &c]).await;
        let moved = moved.writing(&*store, &b, None).await;
        let moved = moved.writing(&*store, &c, Some(json!({"n": 1}))).await;
        assert!(moved.commit(&*store).await.is_some());
        let twice = TestTransaction::reading(&*store, &[&b, &c]).await;
        let twice = twice.writing(&*store, &b, Some(json!({"n": 5}))).await;
        let twice = twice.writing(&*store, &c, Some(json!({"n": 5.0}))).await;
        assert!(twice.commit(&*store).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn unique_index_allows_missing_values_and_long_texts_with_a_common_start() {
    each_store(async |store| {
        assert_eq!(build(&*store, "n", true).await, BuildIndexOutcome::Ready);
        let long = "x".repeat(600);
        for (id, body) in [
            ("a", json!({})),
            ("b", json!({"n": null})),
            ("c", json!({})),
            ("d", json!({"n": long})),
            ("e", json!({"n": format!("{long}y")})),
            ("f", json!({"n": [1, 1]})),
        ] {
            put(&*store, &address("jobs", id), body).await;
        }
        let again = replacing(&*store, &address("jobs", "g"), Some(json!({"n": long}))).await;
        assert!(again.commit(&*store).await.is_none());
        assert_eq!(find(&*store, json!({"n": long})).await, "d");
        assert_eq!(find(&*store, json!({"n": {"$gt": long}})).await, "e");
    })
    .await;
}

#[tokio::test]
async fn build_of_a_unique_index_reports_a_duplicate() {
    each_store(async |store| {
        for (id, value) in [("a", 1), ("b", 2), ("c", 1)] {
            put(&*store, &address("jobs", id), json!({"n": value})).await;
        }
        let BuildIndexOutcome::Rejected(violation) = build(&*store, "n", true).await else {
            panic!("the values are not unique");
        };
        let message = "`n` of `jobs` must be unique, but `c` and `a` both have 1";
        assert_eq!(violation.to_string(), message);
        let states = store.snapshot().await.unwrap().indexes().await.unwrap();
        assert!(states.iter().all(|index| index.state == IndexState::Removing));
        assert_eq!(find(&*store, json!({"n": 1})).await, "a c");
        let removed = store.remove_index(&jobs(), &field("n")).await.unwrap();
        assert_eq!(removed, RemoveIndexOutcome::Removed);
        assert_eq!(build(&*store, "n", false).await, BuildIndexOutcome::Ready);
    })
    .await;
}

#[tokio::test]
async fn build_rejects_a_list_of_lists_on_the_path() {
    each_store(async |store| {
        put(&*store, &address("jobs", "a"), json!({"rows": [[{"n": 1}]]})).await;
        let BuildIndexOutcome::Rejected(violation) = build(&*store, "rows.n", false).await else {
            panic!("the path goes through a list of lists");
        };
        assert!(matches!(*violation, IndexViolation::ListOfLists { .. }));
        let message =
            "cannot index `rows.n` of `jobs`: `rows` is a list of lists in the document `a`";
        assert_eq!(violation.to_string(), message);
        assert_eq!(build(&*store, "rows", false).await, BuildIndexOutcome::Ready);
        store.remove_index(&jobs(), &field("rows.n")).await.unwrap();
        // A later list of lists is found as without an index.
        assert_eq!(find(&*store, json!({"rows": [{"n": 1}]})).await, "a");
    })
    .await;
}

#[tokio::test]
async fn definitions_of_indexes_are_listed_and_limited() {
    each_store(async |store| {
        put(&*store, &address("jobs", "a"), json!({})).await;
        assert_eq!(build(&*store, "b", true).await, BuildIndexOutcome::Ready);
        let again = store.create_index(&new("b", true)).await.unwrap();
        assert_eq!(again, CreateIndexOutcome::Ready);
        let other = store.create_index(&new("b", false)).await.unwrap();
        assert_eq!(other, CreateIndexOutcome::Mismatch);
        store.create_index(&new("a", false)).await.unwrap();
        let again = store.create_index(&new("a", false)).await.unwrap();
        assert_eq!(again, CreateIndexOutcome::Building);
        let known = store.snapshot().await.unwrap().indexes().await.unwrap();
        let known: Vec<_> = known
            .iter()
            .map(|IndexInfo { field, unique, state, .. }| {
                (field.to_string(), *unique, *state == IndexState::Ready)
            })
            .collect();
        assert_eq!(known, [("a".to_owned(), false, false), ("b".to_owned(), true, true)]);
        for number in 2..MAX_INDEXES {
            let created = store.create_index(&new(&format!("f{number}x"), false)).await.unwrap();
            assert_eq!(created, CreateIndexOutcome::Building);
        }
        let more = store.create_index(&new("g", false)).await.unwrap();
        assert_eq!(more, CreateIndexOutcome::TooMany);
        let missing = store.remove_index(&jobs(), &field("g")).await.unwrap();
        assert_eq!(missing, RemoveIndexOutcome::Missing);
        let missing = store.build_index(&jobs(), &field("g")).await.unwrap();
        assert_eq!(missing, BuildIndexOutcome::Missing);
    })
    .await;
}
