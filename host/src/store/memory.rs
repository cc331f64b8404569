//! An in-memory reference implementation of the store, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ophost_document::IndexField;
use serde_json::Value;

use super::documents::PageBuffer;
use super::idempotency::{holds, is_fresh};
use super::stats::StatsBuilder;
use super::{
    AppendLogOutcome, BuildIndexOutcome, CancelOutcome, Claim, CommitMetadata, CommitOutcome,
    CreateIndexOutcome, DocumentSnapshot, DuplicateValue, EraseOutcome, FinishOutcome,
    IdempotencyClaim, IndexInfo, IndexState, IndexViolation, IndexWalk, InsertOutcome, LastPrune,
    MAX_INDEXES, NewIndex, NewRun, PageRequest, PendingInsert, RemoveIndexOutcome, RunCompletion,
    RunCursor, RunFilter, RunPage, ScanError, ScanPage, ScanPosition, ScanQuery, ScannedDocument,
    StatsReport, Store, StoreError, StoredDocument, WalkPage,
};
use crate::model::digest::Digest;
use crate::model::document::{
    Address, ChangeCount, ChangeSet, CollectionName, CollectionReads, CommitRequest, DocumentId,
    ReadSet,
};
use crate::model::history::{HistoryEntry, HistoryPage, PastDocument, PointInTime};
use crate::model::operation::OperationName;
use crate::model::outcome::{Failure, FailureKind, LogEntry, Outcome};
use crate::model::run_record::{OwnerId, RunId, RunRecord, RunState, Status};

/// A store in memory, with the runs in sequence order.
#[derive(Default)]
pub(super) struct MemoryStore(pub(super) Mutex<Model>);

#[derive(Default)]
pub(super) struct Model {
    pub(super) runs: Vec<RunRecord>,
    /// The sequence that was assigned last.
    sequence: u64,
    pub(super) last_prune: Option<LastPrune>,
    pub(super) keys: BTreeMap<(OperationName, String), (RunId, Digest)>,
    pub(super) documents: MemoryDocuments,
}

/// Documents and the change set of every commit.
#[derive(Clone, Default)]
pub(super) struct MemoryDocuments {
    documents: BTreeMap<Address, StoredDocument>,
    pub(super) commits: Vec<(CommitMetadata, ChangeSet)>,
    /// The number of commits whose changes were removed, from the oldest on.
    pub(super) floor: usize,
    /// The commit of each recorded run that changed documents, as an index of `commits`.
    by_run: BTreeMap<RunId, usize>,
    /// The indexes, by their collection and path.
    indexes: BTreeMap<(CollectionName, String), IndexInfo>,
}

impl MemoryDocuments {
    fn revision(&self) -> u64 {
        self.commits.len() as u64
    }

    /// Returns the changes of a recorded run.
    fn changes_of(&self, run: RunId) -> Result<ChangeSet, StoreError> {
        match self.by_run.get(&run) {
            Some(commit) if *commit < self.floor => Err(StoreError::HistoryRemoved(run)),
            commit => Ok(commit.map(|commit| self.commits[*commit].1.clone()).unwrap_or_default()),
        }
    }

    /// Commits the changes of a run.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection`] if nothing was changed.
    fn apply_changes(
        &mut self,
        effects: &CommitRequest,
        author: CommitMetadata,
    ) -> Result<ChangeCount, Rejection> {
        if self.has_conflict(&effects.read_set, effects.snapshot_revision) {
            return Err(Rejection::Conflict);
        }
        let mut count = ChangeCount::of(&effects.changes);
        if effects.changes.is_empty() {
            return Ok(count);
        }
        let before = self.documents.clone();
        self.write(effects, &mut count);
        if let Some(duplicate) = self.indexes.values().find_map(|index| self.duplicate(index)) {
            self.documents = before;
            return Err(Rejection::Duplicate(Box::new(duplicate)));
        }
        let run = author.recorded.then_some(author.run_id);
        self.by_run.extend(run.map(|run| (run, self.commits.len())));
        self.commits.push((author, effects.changes.clone()));
        Ok(count)
    }

    fn write(&mut self, effects: &CommitRequest, count: &mut ChangeCount) {
        let revision = self.revision() + 1;
        count.revision = Some(revision);
        for (address, change) in &effects.changes {
            self.documents.remove(address);
            let stored = change.after.clone().map(|body| StoredDocument { revision, body });
            self.documents.extend(stored.map(|stored| (address.clone(), stored)));
        }
    }

    /// Returns two documents that a unique index rejects.
    fn duplicate(&self, index: &IndexInfo) -> Option<DuplicateValue> {
        let IndexInfo { collection, field, .. } = index;
        let all: Vec<_> =
            self.documents.iter().filter(|(it, _)| it.collection == *collection).collect();
        let pairs =
            all.iter().enumerate().flat_map(|(n, a)| all[n + 1..].iter().map(move |b| (a, b)));
        pairs.filter(|_| index.unique).find_map(|((a, holder), (b, other))| {
            let value = field.common_value(&other.body, &holder.body)?;
            let (holder, document) = (a.id.clone(), b.id.clone());
            let (collection, field) = (collection.clone(), field.clone());
            Some(DuplicateValue { collection, field, value, holder, document })
        })
    }

    /// Returns the changes of a document, newest first.
    fn history(&self, address: &Address) -> impl Iterator<Item = HistoryEntry> {
        self.commits.iter().enumerate().rev().filter_map(|(index, (author, changes))| {
            let change = changes.get(address)?.clone();
            Some(HistoryEntry {
                revision: index as u64 + 1,
                change: change.kind()?,
                author: Some(author.clone().into()),
                content: (index >= self.floor).then_some(change),
            })
        })
    }

    /// Checks every change since `base` against the read set.
    fn has_conflict(&self, reads: &ReadSet, base: u64) -> bool {
        let since = self.commits.iter().skip(usize::try_from(base).unwrap());
        let changes: Vec<_> = since.flat_map(|(_, changes)| changes).collect();
        let budget = CollectionReads::check_budget();
        let has_gap = usize::try_from(base).unwrap() < self.floor && self.revision() != base;
        reads.iter().any(|(collection, known)| {
            let touched = changes.iter().any(|(address, change)| {
                address.collection == *collection
                    && known.has_filters()
                    && known.has_conflict(&address.id, change, &budget)
            });
            touched
                || (has_gap && known.has_filters())
                || known.documents().any(|(id, revision)| {
                    let address = Address { collection: collection.clone(), id: id.clone() };
                    self.documents.get(&address).map(|stored| stored.revision) != revision
                })
        })
    }

    /// Returns a page of a scan.
    fn page<T>(
        &self,
        query: &ScanQuery,
        page: &PageRequest,
        load: impl Fn(&DocumentId, &StoredDocument) -> T,
    ) -> Result<ScanPage<T>, ScanError> {
        let after = page.after.as_ref().map(ScanPosition::id);
        let mut buffer = PageBuffer::new(page);
        for (Address { collection, id }, stored) in &self.documents {
            let is_selected = *collection == query.collection
                && after.is_none_or(|after| after < id)
                && query.ids.as_ref().is_none_or(|ids| ids.contains(id));
            if !is_selected {
                continue;
            }
            buffer.count_read();
            if query.filter.matches_within(id, &stored.body, &page.budget)? {
                buffer.add(load(id, stored), stored.body.size());
            }
            if buffer.is_full() {
                return Ok(buffer.page(Some(ScanPosition::after(id.clone()))));
            }
        }
        Ok(buffer.page(None))
    }
}

/// The reason why changes are not committed.
enum Rejection {
    Conflict,
    Duplicate(Box<DuplicateValue>),
}

#[async_trait]
impl DocumentSnapshot for MemoryDocuments {
    fn revision(&self) -> u64 {
        self.revision()
    }

    async fn get(&self, address: &Address) -> Result<Option<StoredDocument>, StoreError> {
        Ok(self.documents.get(address).cloned())
    }

    async fn scan(
        &self,
        query: &Arc<ScanQuery>,
        page: PageRequest,
    ) -> Result<ScanPage<ScannedDocument>, ScanError> {
        self.page(query, &page, |id, StoredDocument { revision, body }| {
            let (fields, body) = (query.projection.select(body), body.clone());
            let text = Box::new(move || Ok(body.text()));
            ScannedDocument { id: id.clone(), revision: *revision, fields, text }
        })
    }

    async fn scan_ids(
        &self,
        query: &Arc<ScanQuery>,
        page: PageRequest,
    ) -> Result<ScanPage<DocumentId>, ScanError> {
        self.page(query, &page, |id, _| id.clone())
    }

    async fn walk(
        &self,
        _: &Arc<ScanQuery>,
        _: IndexWalk,
        _: PageRequest,
    ) -> Result<Option<WalkPage>, ScanError> {
        Ok(None)
    }

    async fn has_conflict(&self, reads: ReadSet, base: u64) -> Result<bool, StoreError> {
        Ok(self.has_conflict(&reads, base))
    }

    async fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError> {
        let mut count = BTreeMap::<_, u64>::new();
        for address in self.documents.keys() {
            *count.entry(address.collection.clone()).or_default() += 1;
        }
        Ok(count.into_iter().collect())
    }

    async fn indexes(&self) -> Result<Vec<IndexInfo>, StoreError> {
        Ok(self.indexes.values().cloned().collect())
    }
}

impl Model {
    fn run(&mut self, id: RunId) -> Option<&mut RunRecord> {
        self.runs.iter_mut().find(|run| run.id == id)
    }

    /// Claims a key. Returns the failed run that held it before, or the outcome if the key is held.
    fn claim(
        &mut self,
        run: &RunRecord,
        claim: &IdempotencyClaim,
    ) -> Result<Option<RunId>, InsertOutcome> {
        let key = (run.operation_name.clone(), claim.key.clone());
        let Some((id, fingerprint)) = self.keys.get(&key).copied() else { return Ok(None) };
        let Some(known) = self.run(id).map(|run| run.clone()) else { return Ok(None) };
        let now = run.created_at;
        if fingerprint != claim.fingerprint {
            let is_free = !is_fresh(&known, claim, now);
            return if is_free {
                Ok(None)
            } else {
                Err(InsertOutcome::KeyConflict(Box::new(known)))
            };
        }
        if holds(&known, claim, now) {
            return Err(InsertOutcome::Existing(Box::new(known)));
        }
        Ok((known.state.status() != Status::Success).then_some(id))
    }

    fn insert(&mut self, new: NewRun) -> InsertOutcome {
        let mut run = new.run;
        if let Some(known) = self.run(run.id) {
            return InsertOutcome::Existing(Box::new(known.clone()));
        }
        if let Some(claim) = new.key {
            match self.claim(&run, &claim) {
                Err(outcome) => return outcome,
                Ok(Some(failed)) => run.retry_of = Some(failed),
                Ok(None) => {}
            }
            run.idempotency_key = Some(claim.key.clone());
            let key = (run.operation_name.clone(), claim.key);
            self.keys.insert(key, (run.id, claim.fingerprint));
        }
        self.sequence += 1;
        run.sequence = self.sequence;
        run.revision = 1;
        let claim = Claim { id: run.id, revision: 1 };
        self.runs.push(run);
        InsertOutcome::Created(claim)
    }
}

fn is_claimed(run: &RunRecord, claim: Claim) -> bool {
    run.revision == claim.revision && run.state.status() == Status::Running
}

fn finish(run: &mut RunRecord, ending: RunCompletion) {
    run.state = run.state.finish(ending.outcome, ending.finished_at, ending.duration_ms);
    run.metadata.extend(ending.metadata);
    run.log_entries.extend(ending.log_entries);
    run.log_dropped = ending.log_dropped;
    run.error_list = ending.error_list;
    run.logs_ref = ending.logs_ref;
    run.masked.extend(ending.masked);
    run.result_refs = ending.result_refs;
    run.changes = ending.changes;
    run.capabilities.used = ending.capability_use.used.into_iter().collect();
    run.capabilities.denied = ending.capability_use.denied.into_iter().collect();
    run.usage = ending.usage;
    run.revision += 1;
    run.updated_at = ending.finished_at;
}

fn erase(run: &mut RunRecord) {
    run.input_dump = Value::Null;
    run.logs_ref = None;
    run.error_list.clear();
    run.log_entries.clear();
    match &mut run.state {
        RunState::Success { output, .. } => *output = Value::Null,
        RunState::Failed { failure, .. } => *failure = Failure::new(failure.kind, "erased"),
        RunState::Pending | RunState::Running { .. } | RunState::Cancelled { .. } => {}
    }
    run.revision += 1;
    run.updated_at = Utc::now();
    run.erased_at = Some(run.updated_at);
}

#[async_trait]
impl Store for MemoryStore {
    fn prepare(&self) {}

    async fn check_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn insert(&self, new: NewRun) -> Result<InsertOutcome, StoreError> {
        Ok(self.0.lock().unwrap().insert(new))
    }

    fn begin(&self, run: Arc<RunRecord>) -> PendingInsert {
        self.0.lock().unwrap().insert(NewRun { run: Arc::unwrap_or_clone(run), key: None });
        Box::pin(std::future::ready(Ok(())))
    }

    async fn append_log(
        &self,
        claim: &Claim,
        entries: Vec<LogEntry>,
    ) -> Result<AppendLogOutcome, StoreError> {
        let mut model = self.0.lock().unwrap();
        let run = model.run(claim.id).unwrap();
        if !is_claimed(run, *claim) {
            return Ok(AppendLogOutcome::Lost);
        }
        run.log_entries.extend(entries);
        Ok(AppendLogOutcome::Done)
    }

    async fn finish(
        &self,
        claim: Claim,
        ending: RunCompletion,
    ) -> Result<FinishOutcome, StoreError> {
        let mut model = self.0.lock().unwrap();
        let run = model.run(claim.id).unwrap();
        if !is_claimed(run, claim) {
            return Ok(FinishOutcome::Lost);
        }
        let author = CommitMetadata::of_record(run, ending.finished_at);
        let count = match model.documents.apply_changes(&ending.effects, author) {
            Ok(count) => count,
            Err(Rejection::Conflict) => return Ok(FinishOutcome::Conflict),
            Err(Rejection::Duplicate(it)) => return Ok(FinishOutcome::Duplicate(it)),
        };
        let run = model.run(claim.id).unwrap();
        finish(run, ending);
        run.changes = run.changes.map(|it| ChangeCount { revision: count.revision, ..it });
        let (undone, undone_by) = (run.undo_of, claim.id);
        if let Some(run) = undone.filter(|_| count.revision.is_some()).and_then(|id| model.run(id))
        {
            run.undone_by = Some(undone_by);
            run.revision += 1;
        }
        Ok(FinishOutcome::Done)
    }

    async fn commit_changes(
        &self,
        author: CommitMetadata,
        effects: Arc<CommitRequest>,
    ) -> Result<CommitOutcome, StoreError> {
        let run_id = author.run_id;
        let committed = self.0.lock().unwrap().documents.apply_changes(&effects, author);
        Ok(match committed {
            Ok(count) => CommitOutcome::Committed(run_id, count),
            Err(Rejection::Conflict) => CommitOutcome::Conflict,
            Err(Rejection::Duplicate(it)) => CommitOutcome::Duplicate(it),
        })
    }

    async fn create_index(&self, index: &NewIndex) -> Result<CreateIndexOutcome, StoreError> {
        let NewIndex { collection, field, unique } = index.clone();
        let documents = &mut self.0.lock().unwrap().documents;
        let count = documents.indexes.keys().filter(|(of, _)| *of == collection).count();
        let name = (collection.clone(), field.to_string());
        Ok(match documents.indexes.get(&name) {
            Some(known) if known.unique != unique => CreateIndexOutcome::Mismatch,
            Some(known) if known.state == IndexState::Ready => CreateIndexOutcome::Ready,
            Some(_) => CreateIndexOutcome::Building,
            None if count == MAX_INDEXES => CreateIndexOutcome::TooMany,
            None => {
                let state = IndexState::Building { done: 0, total: 0 };
                documents.indexes.insert(name, IndexInfo { collection, field, unique, state });
                CreateIndexOutcome::Building
            }
        })
    }

    async fn build_index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<BuildIndexOutcome, StoreError> {
        let documents = &mut self.0.lock().unwrap().documents;
        let name = (collection.clone(), field.to_string());
        let Some(mut index) = documents.indexes.remove(&name) else {
            return Ok(BuildIndexOutcome::Missing);
        };
        let mut of_collection =
            documents.documents.iter().filter(|(it, _)| it.collection == *collection);
        let nested = of_collection.find_map(|(address, stored)| {
            let at = field.list_of_lists(&stored.body)?;
            let (collection, field) = (collection.clone(), field.clone());
            let document = address.id.clone();
            Some(IndexViolation::ListOfLists { collection, field, document, at })
        });
        let violation = nested.or_else(|| documents.duplicate(&index).map(Into::into));
        index.state = if violation.is_some() { IndexState::Removing } else { IndexState::Ready };
        documents.indexes.insert(name, index);
        Ok(violation.map_or(BuildIndexOutcome::Ready, |it| BuildIndexOutcome::Rejected(it.into())))
    }

    async fn remove_index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<RemoveIndexOutcome, StoreError> {
        let documents = &mut self.0.lock().unwrap().documents;
        let removed = documents.indexes.remove(&(collection.clone(), field.to_string()));
        Ok(removed.map_or(RemoveIndexOutcome::Missing, |_| RemoveIndexOutcome::Removed))
    }

    async fn snapshot(&self) -> Result<Arc<dyn DocumentSnapshot>, StoreError> {
        Ok(Arc::new(self.0.lock().unwrap().documents.clone()))
    }

    async fn get(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.0.lock().unwrap().run(id).map(|run| run.clone()))
    }

    async fn changes(&self, id: RunId) -> Result<ChangeSet, StoreError> {
        self.0.lock().unwrap().documents.changes_of(id)
    }

    async fn history(
        &self,
        address: &Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        let model = self.0.lock().unwrap();
        let entries = model.documents.history(address);
        let mut entries =
            entries.filter(|entry| before.is_none_or(|before| entry.revision < before));
        let page: Vec<_> = entries.by_ref().take(limit).collect();
        let last = page.last().map(|last| last.revision);
        Ok(HistoryPage { next: last.filter(|_| entries.next().is_some()), entries: page })
    }

    async fn document_at(
        &self,
        address: &Address,
        moment: PointInTime,
    ) -> Result<PastDocument, StoreError> {
        let model = self.0.lock().unwrap();
        let is_known = |entry: &HistoryEntry| match moment {
            PointInTime::Revision(revision) => entry.revision <= revision,
            PointInTime::Time(at) => entry.author.as_ref().unwrap().at <= at,
        };
        let entry = model.documents.history(address).find(is_known);
        let body = entry.and_then(|entry| Some((entry.revision, entry.content?.after?)));
        Ok(body
            .map_or(PastDocument::Absent, |(revision, body)| PastDocument::Existed(revision, body)))
    }

    async fn ids_by_prefix(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let model = self.0.lock().unwrap();
        let prefix = prefix.to_lowercase();
        let all = model.runs.iter().map(|run| run.id);
        let mut ids: Vec<_> = all.filter(|id| id.to_string().starts_with(&prefix)).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        Ok(ids)
    }

    async fn latest(&self) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.0.lock().unwrap().runs.last().cloned())
    }

    async fn list(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: usize,
    ) -> Result<RunPage, StoreError> {
        let model = self.0.lock().unwrap();
        let before =
            |run: &&RunRecord| after.is_none_or(|RunCursor(sequence)| run.sequence < sequence);
        let fitting = model.runs.iter().rev().filter(before).filter(|run| filter.matches(run));
        let fitting: Vec<_> = fitting.take(limit + 1).cloned().collect();
        let more = fitting.len() > limit;
        let runs: Vec<crate::model::run_record::RunSummary> =
            fitting.into_iter().take(limit).map(Into::into).collect();
        let last = runs.last().map(|run| RunCursor(run.sequence)).or(after);
        Ok(RunPage { runs, next: last.filter(|_| more), corrupted: Vec::new() })
    }

    async fn running(&self) -> Result<Vec<(RunId, OwnerId)>, StoreError> {
        let model = self.0.lock().unwrap();
        let running = model.runs.iter().rev().filter(|run| run.state.status() == Status::Running);
        Ok(running.map(|run| (run.id, run.owner.clone())).collect())
    }

    async fn crash(
        &self,
        runs: &[(RunId, OwnerId)],
        reason: &str,
    ) -> Result<Vec<RunId>, StoreError> {
        let mut model = self.0.lock().unwrap();
        let mut crashed = Vec::new();
        for (id, owner) in runs {
            let Some(run) = model.run(*id) else { continue };
            if run.state.status() == Status::Running && run.owner == *owner {
                let failure = Failure::new(FailureKind::Crashed, reason);
                run.state = run.state.finish(Outcome::Failed(failure), Utc::now(), 0);
                run.revision += 1;
                crashed.push(*id);
            }
        }
        Ok(crashed)
    }

    async fn request_cancel(&self, id: RunId) -> Result<CancelOutcome, StoreError> {
        let mut model = self.0.lock().unwrap();
        let Some(run) = model.run(id) else { return Ok(CancelOutcome::NotFound) };
        if run.state.status().is_final() {
            return Ok(CancelOutcome::Finished);
        }
        if run.cancel_requested_at.is_none() {
            run.updated_at = Utc::now();
            run.cancel_requested_at = Some(run.updated_at);
        }
        Ok(CancelOutcome::Requested(run.cancel_requested_at.unwrap()))
    }

    async fn cancel_requested_at(&self, id: RunId) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.0.lock().unwrap().run(id).and_then(|run| run.cancel_requested_at))
    }

    async fn erase(&self, id: RunId) -> Result<EraseOutcome, StoreError> {
        let mut model = self.0.lock().unwrap();
        let Some(run) = model.run(id) else { return Ok(EraseOutcome::NotFound) };
        if !run.state.status().is_final() {
            return Ok(EraseOutcome::Unfinished(Box::new(run.clone())));
        }
        if run.erased_at.is_none() {
            erase(run);
        }
        Ok(EraseOutcome::Done(Box::new(run.clone())))
    }

    async fn stats(&self, filter: &RunFilter) -> Result<StatsReport, StoreError> {
        let mut stats = StatsBuilder::default();
        let model = self.0.lock().unwrap();
        model.runs.iter().filter(|run| filter.matches(run)).for_each(|run| stats.add(run));
        Ok(StatsReport { operations: stats.build(), corrupted: Vec::new() })
    }
}
