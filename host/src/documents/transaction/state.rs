//! The state of a document transaction: snapshot, read set, and buffered writes.

use std::time::Instant;

use ophost_document::Budget;

use super::failed;
use super::scan::{MergeScan, SCAN_TIME_SLICE, ScanResult, UNCOMMITTED_REVISION};
use crate::model::document::{
    Address, Body, CollectionName, CommitRequest, DocumentChange, DocumentId, Scan,
};
use crate::model::run_record::CapabilityUse;
use crate::sandbox::DocumentCallError;
use crate::store::{DocumentSnapshot, ScannedDocument, StoredDocument};

/// Size that each change counts in addition to its texts, in bytes: memory of its own.
const CHANGE_OVERHEAD: usize = 256;

pub(super) struct State {
    /// How long work on documents may go on.
    pub(super) budget: Budget,
    pub(super) snapshot: Option<(Box<dyn DocumentSnapshot>, Instant)>,
    pub(super) effects: CommitRequest,
    /// Whether `effects.base` says something.
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

    /// Replaces the snapshot, if the read set has no conflict in the new one.
    pub(super) fn refresh_snapshot(
        &mut self,
        snapshot: Box<dyn DocumentSnapshot>,
    ) -> Result<(), DocumentCallError> {
        let effects = &mut self.effects;
        if self.has_begun
            && snapshot
                .has_conflict(&effects.read_set, effects.snapshot_revision)
                .map_err(|error| failed(&error))?
        {
            return Err(DocumentCallError::Conflict);
        }
        self.has_begun = true;
        effects.snapshot_revision = snapshot.revision();
        self.snapshot = Some((snapshot, Instant::now()));
        Ok(())
    }

    pub(super) fn snapshot(&self) -> Result<&dyn DocumentSnapshot, DocumentCallError> {
        let none = || DocumentCallError::Store("there is no snapshot".to_owned());
        self.snapshot.as_ref().map(|(snapshot, _)| &**snapshot).ok_or_else(none)
    }

    /// Returns a document as this run sees it, and adds it to the read set.
    pub(super) fn get(
        &mut self,
        address: &Address,
    ) -> Result<Option<StoredDocument>, DocumentCallError> {
        let found = self.peek(address)?;
        if !self.effects.changes.contains_key(address) {
            let revision = found.as_ref().map(|stored| stored.revision);
            self.effects.read_set.add_document(address, revision);
        }
        Ok(found)
    }

    /// Returns a document as this run sees it.
    pub(super) fn peek(
        &self,
        address: &Address,
    ) -> Result<Option<StoredDocument>, DocumentCallError> {
        match self.effects.changes.get(address) {
            Some(change) => {
                let own = |body| StoredDocument { revision: UNCOMMITTED_REVISION, body };
                Ok(change.after.clone().map(own))
            }
            None => self.snapshot()?.get(address).map_err(|error| failed(&error)),
        }
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

    /// Visits documents for one time slice. Returns the last visited document and the number of
    /// passed stored documents if the scan must continue.
    pub(super) fn scan_slice(
        &self,
        collection: &CollectionName,
        scan: &Scan,
        see: &mut impl FnMut(&ScannedDocument<'_>, &Budget) -> ScanResult,
    ) -> Result<Option<(DocumentId, u64)>, DocumentCallError> {
        let own =
            self.effects.changes.iter().filter(|(address, _)| {
                address.collection == *collection && scan.includes(&address.id)
            });
        let until = Instant::now() + SCAN_TIME_SLICE;
        let mut see = |seen: &ScannedDocument<'_>| see(seen, &self.budget);
        let mut merge =
            MergeScan { own: own.peekable(), see: &mut see, until, passed: 0, stopped: None };
        let looked = self.snapshot()?.scan(collection, scan, &mut |stored| merge.stored(stored));
        looked.map_err(|error| failed(&error))?;
        merge.remaining()
    }
}

/// Returns the size of a change that counts against the limit `effects`.
fn change_size(address: &Address, change: &DocumentChange) -> u64 {
    let bodies = [&change.before, &change.after].into_iter().flatten().map(Body::size);
    (CHANGE_OVERHEAD + address.id.as_str().len() + bodies.sum::<usize>()) as u64
}
