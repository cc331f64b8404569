//! The state of a document transaction: snapshot, read set, and buffered writes.

use std::sync::Arc;
use std::time::Instant;

use ophost_document::Budget;

use super::MAX_SNAPSHOT_AGE;
use crate::model::document::{
    Address, Body, CollectionName, CommitRequest, DocumentChange, ReadSet,
};
use crate::model::run_record::CapabilityUse;
use crate::sandbox::DocumentCallError;
use crate::store::DocumentSnapshot;

/// Size that each change counts in addition to its texts, in bytes: memory of its own.
const CHANGE_OVERHEAD: usize = 256;

pub(super) struct State {
    /// How long work on documents may go on.
    pub(super) budget: Budget,
    pub(super) snapshot: Option<(Arc<dyn DocumentSnapshot>, Instant)>,
    pub(super) effects: CommitRequest,
    /// Whether the transaction has had a snapshot, so that `effects.snapshot_revision` is set.
    pub(super) has_begun: bool,
    /// How large the changes are, in bytes of JSON.
    pub(super) written: u64,
    pub(super) capability_use: CapabilityUse,
}

impl State {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            snapshot: None,
            effects: CommitRequest::default(),
            has_begun: false,
            written: 0,
            capability_use: CapabilityUse::default(),
        }
    }

    /// Returns the snapshot, unless it is too old.
    pub(super) fn snapshot(&mut self) -> Option<Arc<dyn DocumentSnapshot>> {
        self.snapshot.take_if(|(_, since)| since.elapsed() >= MAX_SNAPSHOT_AGE);
        self.snapshot.as_ref().map(|(snapshot, _)| Arc::clone(snapshot))
    }

    /// Returns the read set and its revision, if a newer snapshot of this revision must be
    /// validated against them.
    pub(super) fn reads_before(&self, revision: u64) -> Option<(ReadSet, u64)> {
        let CommitRequest { snapshot_revision: base, read_set, .. } = &self.effects;
        let is_needed = self.has_begun && *base != revision && !read_set.is_empty();
        is_needed.then(|| (read_set.clone(), *base))
    }

    /// Replaces the snapshot. The read set must have no conflict in the new one.
    pub(super) fn set_snapshot(&mut self, snapshot: Arc<dyn DocumentSnapshot>) {
        self.has_begun = true;
        self.effects.snapshot_revision = snapshot.revision();
        self.snapshot = Some((snapshot, Instant::now()));
    }

    /// Returns the change that the run made to a document.
    pub(super) fn own(&self, address: &Address) -> Option<&DocumentChange> {
        self.effects.changes.get(address)
    }

    /// Returns whether the run has changed documents of a collection.
    pub(super) fn changes_collection(&self, collection: &CollectionName) -> bool {
        self.effects.changes.keys().any(|address| address.collection == *collection)
    }

    /// Buffers the write of a document that is in the read set.
    pub(super) fn write(
        &mut self,
        address: &Address,
        seen: Option<Body>,
        after: Option<Body>,
        limit: u64,
    ) -> Result<(), DocumentCallError> {
        let earlier = self.effects.changes.remove(address);
        self.written -= earlier.as_ref().map_or(0, |earlier| change_size(address, earlier));
        let before = earlier.map_or(seen, |earlier| earlier.before);
        let change = DocumentChange { before, after };
        if change.before.is_none() && change.after.is_none() {
            return Ok(());
        }
        self.written += change_size(address, &change);
        if self.written > limit {
            return Err(DocumentCallError::ChangesTooLarge);
        }
        self.effects.changes.insert(address.clone(), change);
        Ok(())
    }
}

/// Returns the size of a change that counts against the limit `effects`.
pub(crate) fn change_size(address: &Address, change: &DocumentChange) -> u64 {
    (CHANGE_OVERHEAD + address.id.as_str().len() + change.size()) as u64
}
