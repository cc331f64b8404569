//! Stores in temporary directories, for tests.

use std::sync::Arc;

use serde_json::json;

use super::RedbStore;
use super::file::{DIRECTORY, FILE};
use crate::model::document::{Address, CommitRequest, DocumentChange};
use crate::model::outcome::Outcome;
use crate::model::run_record::RunRecord;
use crate::model::run_record::tests::running;
use crate::store::conformance::{ending, insert};
use crate::store::{ShutdownMode, Store as _};
use crate::util::private_dir::{DataDir, PrivateDir};

/// A temporary directory for stores.
pub(super) struct Scratch(pub(super) tempfile::TempDir);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Returns the store of a subdirectory.
    pub(super) fn store(&self, name: &str) -> RedbStore {
        RedbStore::new(DataDir::new(self.0.path().join(name)), ShutdownMode::Clean)
    }

    /// Returns the store of a subdirectory whose file has this content.
    pub(super) fn store_of(&self, name: &str, content: &[u8]) -> RedbStore {
        let directory = self.0.path().join(name).join(DIRECTORY);
        let directory = PrivateDir::create(&directory).unwrap();
        directory.replace(FILE, &[content]).unwrap();
        self.store(name)
    }
}

/// Inserts and finishes `count` runs and returns their records.
pub(super) async fn filled(store: &RedbStore, count: u64) -> Vec<RunRecord> {
    let mut runs = Vec::new();
    for n in 0..count {
        let mut run = running(["a", "b"][(n % 2) as usize]);
        run.actor.user_id = Some(format!("user{}", n % 3));
        run.input_dump = json!("x".repeat((n % 5) as usize * 1500));
        let claim = insert(store, &run).await;
        store.finish(claim, ending(Outcome::Success(json!({"n": n})))).await.unwrap();
        runs.push(store.get(run.id).await.unwrap().unwrap());
    }
    runs
}

/// Returns a commit that creates `count` documents in a collection.
pub(super) fn creating(collection: &str, count: usize) -> Arc<CommitRequest> {
    let create = |n: usize| {
        let (collection, id) = (collection.parse().unwrap(), n.to_string().parse().unwrap());
        let after = Some(json!({"n": n}).try_into().unwrap());
        (Address { collection, id }, DocumentChange { before: None, after })
    };
    CommitRequest { changes: (0..count).map(create).collect(), ..CommitRequest::default() }.into()
}
