//! What a run sees of documents while it runs, and what it makes of them.
//!
//! A [`DocumentTransaction`] is one execution. It reads a snapshot, in which its own writes hide what was
//! there; it remembers what it read, so that the store can say at the end whether that is
//! still so. Nothing is opened before the first call: a run that only computes pays nothing.
//!
//! A snapshot keeps the store's file from using freed parts again, so none is kept for longer
//! than [`MAX_SNAPSHOT_AGE`]: the next call takes a new one, if what was read so far is the same there.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ophost_document::Budget;
use serde_json::Value;

use crate::model::document::{
    Address, Body, CollectionName, CommitRequest, Condition, Document, DocumentChange,
    DocumentError, DocumentId, Filter, Page, PageBuilder, Path, Query, ReadSet, Scan, edit,
};
use crate::policy::Grants;
use crate::sandbox::{DocumentCallError, DocumentHost};
use crate::store::{DocumentSnapshot, ScannedDocument, Store, StoreError, StoredDocument};
use crate::util::clock;

/// The longest that a snapshot is kept, but for the time until somebody looks: a quarter of it.
pub(crate) const MAX_SNAPSHOT_AGE: Duration = Duration::from_secs(1);

/// The most collections that a record names as used, or as denied.
const MAX_NOTED: usize = 100;
/// What each change counts for beside its texts, in bytes: some that it needs in memory.
const CHANGE_OVERHEAD: usize = 256;
/// The revision of a document that the run wrote itself.
const UNCOMMITTED_REVISION: u64 = 0;
/// How long documents are looked at before others get their turn.
const SCAN_TIME_SLICE: Duration = Duration::from_millis(2);

/// What one execution of a run does with documents.
pub(crate) struct DocumentTransaction {
    store: Option<Arc<dyn Store>>,
    grants: Grants,
    state: Mutex<State>,
}

struct State {
    /// How long work on documents may go on.
    budget: Budget,
    snapshot: Option<(Box<dyn DocumentSnapshot>, Instant)>,
    effects: CommitRequest,
    /// Whether `effects.base` says something.
    has_begun: bool,
    /// How large the changes are, in bytes of JSON.
    written: u64,
    /// What it made use of, and what it asked for and was not given.
    used: BTreeSet<String>,
    denied: BTreeSet<String>,
}

impl DocumentTransaction {
    /// Returns the session of a run with these grants. Without a store nothing can be reached.
    /// What it does with documents ends with the budget.
    pub(crate) fn new(store: Option<Arc<dyn Store>>, grants: Grants, budget: Budget) -> Self {
        Self { store, grants, state: Mutex::new(State::new(budget)) }
    }

    /// Drives a run, and lets go of a snapshot that it does not use.
    pub(crate) async fn run_with_snapshot<T>(&self, run: impl Future<Output = T>) -> T {
        let mut run = std::pin::pin!(run);
        loop {
            tokio::select! {
                biased;
                ended = &mut run => return ended,
                () = tokio::time::sleep(MAX_SNAPSHOT_AGE / 4) => self.drop_idle_snapshot(),
            }
        }
    }

    fn drop_idle_snapshot(&self) {
        self.state().snapshot.take_if(|(_, since)| since.elapsed() >= MAX_SNAPSHOT_AGE);
    }

    /// Returns whether the run asked for a collection that it does not reach.
    pub(crate) fn was_denied(&self) -> bool {
        !self.state().denied.is_empty()
    }

    /// Returns what the run made use of, and what it asked for and was not given, such as
    /// `documents/jobs:write`.
    pub(crate) fn reached(&self) -> [BTreeSet<String>; 2] {
        let state = self.state();
        [state.used.clone(), state.denied.clone()]
    }

    /// Returns whether something that the run read is no longer so.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be found out.
    pub(crate) fn has_conflict(&self) -> Result<bool, StoreError> {
        let state = self.state();
        match &self.store {
            Some(store) if !state.effects.read_set.is_empty() => store
                .documents()?
                .has_conflict(&state.effects.read_set, state.effects.snapshot_revision),
            Some(_) | None => Ok(false),
        }
    }

    /// Returns whether something that the run read is no longer so, if it changed documents and
    /// has not looked at any for long: the store would have to find out in the time in which it
    /// writes for all.
    pub(crate) fn has_conflict_at_end(&self) -> bool {
        !self.state().effects.changes.is_empty()
            && matches!(self.open(), Err(DocumentCallError::Conflict))
    }

    /// Ends the session, and returns what the run did. What it only read is no matter: it saw
    /// all of that at one moment.
    pub(crate) fn end(&self) -> CommitRequest {
        let mut state = self.state();
        state.snapshot = None;
        let mut effects = std::mem::take(&mut state.effects);
        effects.changes.retain(|_, change| change.kind().is_some());
        if effects.changes.is_empty() {
            effects.read_set = ReadSet::default();
        }
        effects
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave it half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state with a snapshot that is young enough.
    fn open(&self) -> Result<MutexGuard<'_, State>, DocumentCallError> {
        let mut state = self.state();
        state.snapshot.take_if(|(_, since)| since.elapsed() >= MAX_SNAPSHOT_AGE);
        if state.snapshot.is_none() {
            let none = || DocumentCallError::Store("this host has no data directory".to_owned());
            let snapshot = self
                .store
                .as_ref()
                .ok_or_else(none)?
                .documents()
                .map_err(|error| failed(&error))?;
            state.refresh_snapshot(snapshot)?;
        }
        Ok(state)
    }

    fn may_read(&self, collection: &CollectionName) -> Result<(), DocumentCallError> {
        let may = self.grants.collections().reads(collection);
        self.reach(collection, "read", may, || {
            format!("the operation's models do not name the collection `{collection}`")
        })
    }

    fn may_write(&self, collection: &CollectionName) -> Result<(), DocumentCallError> {
        self.may_read(collection)?;
        let may = self.grants.collections().writes(collection);
        self.reach(collection, "write", may, || {
            format!("the operation's models name the collection `{collection}` for reading only")
        })
    }

    /// Notes that a collection is reached for something, or refused.
    fn reach(
        &self,
        collection: &CollectionName,
        what: &str,
        may: bool,
        why: impl FnOnce() -> String,
    ) -> Result<(), DocumentCallError> {
        let mut state = self.state();
        let noted = if may { &mut state.used } else { &mut state.denied };
        if noted.len() < MAX_NOTED {
            noted.insert(format!("documents/{collection}:{what}"));
        }
        if may { Ok(()) } else { Err(DocumentCallError::Denied(why())) }
    }

    /// Puts what a change makes of a document that is there in its place.
    fn edit(
        &self,
        address: &Address,
        edit: impl FnOnce(&Body) -> Result<Body, DocumentError>,
    ) -> Result<(), DocumentCallError> {
        self.may_write(&address.collection)?;
        let mut state = self.open()?;
        let known = state.get(address)?.ok_or(DocumentError::NotFound)?;
        let after = edit(&known.body)?;
        state.write(address, Some(known.body), Some(after), self.grants.limits().effects)
    }

    /// Shows what a question has to be asked of, as this run sees it, in the order of the ids,
    /// until `see` says that it is enough. Others get their turn meanwhile.
    async fn scan(
        &self,
        collection: &CollectionName,
        mut scan: Scan,
        see: &mut (impl FnMut(&ScannedDocument<'_>, &Budget) -> Looked + Send),
    ) -> Result<(), DocumentCallError> {
        let mut revision = None;
        loop {
            let stopped = {
                let state = self.open()?;
                let now = state.effects.snapshot_revision;
                if revision.replace(now).is_some_and(|before| before != now) {
                    // How many there are may have changed where this run reads nothing.
                    scan.before = None;
                }
                state.scan_slice(collection, &scan, see)?
            };
            let Some((last, passed)) = stopped else { return Ok(()) };
            let before = if scan.after.is_none() { Some(0) } else { scan.before };
            scan.before = before.map(|before| before + passed);
            scan.after = Some(last);
            tokio::task::yield_now().await;
        }
    }
}

fn failed(error: &StoreError) -> DocumentCallError {
    DocumentCallError::Store(error.to_string())
}

/// Whether enough documents were looked at.
type Looked = Result<ControlFlow<()>, DocumentCallError>;

impl State {
    fn new(budget: Budget) -> Self {
        Self {
            budget,
            snapshot: None,
            effects: CommitRequest::default(),
            has_begun: false,
            written: 0,
            used: BTreeSet::new(),
            denied: BTreeSet::new(),
        }
    }

    /// Takes another snapshot, if what was read so far is the same there.
    fn refresh_snapshot(
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

    fn snapshot(&self) -> Result<&dyn DocumentSnapshot, DocumentCallError> {
        let none = || DocumentCallError::Store("there is no snapshot".to_owned());
        self.snapshot.as_ref().map(|(snapshot, _)| &**snapshot).ok_or_else(none)
    }

    /// Returns a document as this run sees it, and remembers that it did.
    fn get(&mut self, address: &Address) -> Result<Option<StoredDocument>, DocumentCallError> {
        let found = self.peek(address)?;
        if !self.effects.changes.contains_key(address) {
            let revision = found.as_ref().map(|stored| stored.revision);
            self.effects.read_set.add_document(address, revision);
        }
        Ok(found)
    }

    /// Returns a document as this run sees it.
    fn peek(&self, address: &Address) -> Result<Option<StoredDocument>, DocumentCallError> {
        match self.effects.changes.get(address) {
            Some(change) => {
                let own = |body| StoredDocument { revision: UNCOMMITTED_REVISION, body };
                Ok(change.after.clone().map(own))
            }
            None => self.snapshot()?.get(address).map_err(|error| failed(&error)),
        }
    }

    /// Writes a document that was just read.
    fn write(
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

    /// Shows documents of a collection as this run sees them, until that is enough or others are
    /// to have their turn; then returns after which document it goes on, and how many stored ones
    /// it came past.
    fn scan_slice(
        &self,
        collection: &CollectionName,
        scan: &Scan,
        see: &mut impl FnMut(&ScannedDocument<'_>, &Budget) -> Looked,
    ) -> Result<Option<(DocumentId, u64)>, DocumentCallError> {
        let own =
            self.effects.changes.iter().filter(|(address, _)| {
                address.collection == *collection && scan.includes(&address.id)
            });
        let until = Instant::now() + SCAN_TIME_SLICE;
        let mut see = |seen: &ScannedDocument<'_>| see(seen, &self.budget);
        let mut turn =
            MergeScan { own: own.peekable(), see: &mut see, until, passed: 0, stopped: None };
        let looked = self.snapshot()?.scan(collection, scan, &mut |stored| turn.stored(stored));
        looked.map_err(|error| failed(&error))?;
        turn.remaining()
    }
}

/// Shows the documents that are stored, and in their places those that the run wrote.
struct MergeScan<'t, O: Iterator<Item = (&'t Address, &'t DocumentChange)>> {
    own: Peekable<O>,
    see: &'t mut dyn FnMut(&ScannedDocument<'_>) -> Looked,
    until: Instant,
    /// How many stored documents were come past.
    passed: u64,
    stopped: Option<ScanStop>,
}

/// Why no more documents are shown.
enum ScanStop {
    Enough,
    /// Others are to have their turn, after this document.
    Yield(DocumentId),
    /// Looking at a document failed.
    Refused(DocumentCallError),
}

impl<'t, O: Iterator<Item = (&'t Address, &'t DocumentChange)>> MergeScan<'t, O> {
    /// Shows what the run wrote up to a stored document, and that one, if it still is.
    fn stored(&mut self, stored: &ScannedDocument<'_>) -> Result<ControlFlow<()>, StoreError> {
        while let Some((address, change)) = self.own.next_if(|(own, _)| own.id <= *stored.id) {
            let is_same = address.id == *stored.id;
            self.passed += u64::from(is_same);
            if self.own(&address.id, change)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if is_same {
                return Ok(ControlFlow::Continue(()));
            }
        }
        self.passed += 1;
        self.show(stored)
    }

    fn own(
        &mut self,
        id: &DocumentId,
        change: &DocumentChange,
    ) -> Result<ControlFlow<()>, StoreError> {
        let Some(body) = &change.after else { return Ok(ControlFlow::Continue(())) };
        let text = || Ok(body.text());
        self.show(&ScannedDocument {
            id,
            revision: UNCOMMITTED_REVISION,
            fields: body,
            text: &text,
        })
    }

    fn show(&mut self, seen: &ScannedDocument<'_>) -> Result<ControlFlow<()>, StoreError> {
        self.stopped = match (self.see)(seen) {
            Ok(ControlFlow::Break(())) => Some(ScanStop::Enough),
            Err(refusal) => Some(ScanStop::Refused(refusal)),
            // A single one may take long: it may be large, and so may the filter.
            Ok(ControlFlow::Continue(())) if Instant::now() >= self.until => {
                Some(ScanStop::Yield(seen.id.clone()))
            }
            Ok(ControlFlow::Continue(())) => None,
        };
        Ok(if self.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Shows the rest of what the run wrote, and returns after which document others are to
    /// have their turn, and how many stored ones were come past.
    fn remaining(mut self) -> Result<Option<(DocumentId, u64)>, DocumentCallError> {
        let mut is_over = self.stopped.is_some();
        while !is_over && let Some((address, change)) = self.own.next() {
            is_over = self.own(&address.id, change).map_err(|error| failed(&error))?.is_break();
        }
        match self.stopped {
            Some(ScanStop::Yield(last)) => Ok(Some((last, self.passed))),
            Some(ScanStop::Refused(refusal)) => Err(refusal),
            Some(ScanStop::Enough) | None => Ok(None),
        }
    }
}

/// Returns how much of its limit of effects a run needs for a change.
fn change_size(address: &Address, change: &DocumentChange) -> u64 {
    let bodies = [&change.before, &change.after].into_iter().flatten().map(Body::size);
    (CHANGE_OVERHEAD + address.id.as_str().len() + bodies.sum::<usize>()) as u64
}

#[async_trait]
impl DocumentHost for DocumentTransaction {
    async fn get(&self, address: &Address) -> Result<Option<Document>, DocumentCallError> {
        self.may_read(&address.collection)?;
        let found = self.open()?.get(address)?;
        Ok(found.map(|StoredDocument { revision, body }| Document {
            id: address.id.clone(),
            revision,
            body: body.text(),
        }))
    }

    async fn put(
        &self,
        collection: &CollectionName,
        id: Option<DocumentId>,
        body: Body,
        condition: Condition,
    ) -> Result<DocumentId, DocumentCallError> {
        self.may_write(collection)?;
        let id = match id {
            Some(id) => id,
            None => new_id(condition)?,
        };
        let address = Address { collection: collection.clone(), id };
        let mut state = self.open()?;
        let known = state.get(&address)?;
        condition.check(known.as_ref().map(|known| known.revision))?;
        let before = known.map(|known| known.body);
        state.write(&address, before, Some(body), self.grants.limits().effects)?;
        Ok(address.id)
    }

    async fn set(
        &self,
        address: &Address,
        fields: &[(Path, Value)],
    ) -> Result<(), DocumentCallError> {
        self.edit(address, |body| Ok(edit::set(body, fields)?))
    }

    async fn merge(&self, address: &Address, patch: &Value) -> Result<(), DocumentCallError> {
        self.edit(address, |body| Ok(edit::merge(body, patch)?))
    }

    async fn delete(&self, address: &Address) -> Result<bool, DocumentCallError> {
        self.may_write(&address.collection)?;
        let mut state = self.open()?;
        let Some(known) = state.get(address)? else { return Ok(false) };
        state.write(address, Some(known.body), None, self.grants.limits().effects)?;
        Ok(true)
    }

    async fn find(
        &self,
        collection: &CollectionName,
        query: Query,
    ) -> Result<Page, DocumentCallError> {
        self.may_read(collection)?;
        self.open()?.effects.read_set.add_filter(collection, query.filter());
        let scan = query.scan();
        let mut finder = PageBuilder::new(query);
        let mut see = |it: &ScannedDocument<'_>, budget: &Budget| {
            if finder.wants(it.id, it.fields, budget)? {
                finder.take(it.document().map_err(|error| failed(&error))?);
            }
            Ok(if finder.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        self.scan(collection, scan, &mut see).await?;
        Ok(finder.page())
    }

    async fn count(
        &self,
        collection: &CollectionName,
        filter: Filter,
    ) -> Result<u64, DocumentCallError> {
        self.may_read(collection)?;
        self.open()?.effects.read_set.add_filter(collection, &filter);
        let mut count = 0;
        let mut see = |it: &ScannedDocument<'_>, budget: &Budget| {
            count += u64::from(filter.matches_within(it.id, it.fields, budget)?);
            Ok(ControlFlow::Continue(()))
        };
        self.scan(collection, filter.scan(), &mut see).await?;
        Ok(count)
    }

    fn discard(&self) {
        let mut state = self.state();
        state.effects.changes.clear();
        state.written = 0;
    }
}

/// Makes an id that no document has.
fn new_id(condition: Condition) -> Result<DocumentId, DocumentCallError> {
    condition.check_new()?;
    Ok(DocumentId::new(clock::uuid().to_string()).map_err(DocumentError::from)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::pin::Pin;
    use std::task::Poll;

    use serde_json::json;

    use super::*;
    use crate::model::limits::{LimitRequest, Limits};
    use crate::model::operation::{Hints, Operation, OperationName};
    use crate::policy::Policy;
    use crate::store::CommitOutcome;
    use crate::store::tests::{author, memory};

    fn session(store: &Arc<dyn Store>) -> DocumentTransaction {
        let operation = Operation {
            name: OperationName::new("a").unwrap(),
            description: "d".into(),
            category: "c".into(),
            input_schema: json!({}),
            output_schema: json!({}),
            tags: vec![],
            permissions: vec![],
            models_in: vec!["Rate".into()],
            models_out: vec!["Job".into()],
            stage: None,
            async_enabled: true,
            create_taskrun: true,
            hints: Hints::default(),
            annotations: BTreeMap::new(),
        };
        let asked = LimitRequest { effects: Some(1_000), ..LimitRequest::default() };
        let policy = Policy::new(Limits::DEFAULT, Limits::DEFAULT_MAXIMA);
        let grants = policy.grant(&operation, &asked).unwrap();
        DocumentTransaction::new(Some(Arc::clone(store)), grants, Budget::unlimited())
    }

    fn job(id: &str) -> Address {
        Address { collection: "jobs".parse().unwrap(), id: id.parse().unwrap() }
    }

    async fn put(
        session: &DocumentTransaction,
        id: &str,
        value: Value,
    ) -> Result<DocumentId, DocumentCallError> {
        let (address, body) = (job(id), value.try_into().unwrap());
        session.put(&address.collection, Some(address.id), body, Condition::Always).await
    }

    async fn found(session: &DocumentTransaction, filter: Value) -> Vec<String> {
        let (collection, filter) = (job("x").collection, Filter::parse(&filter).unwrap());
        let query = Query::new(&collection, filter, Default::default(), None, None).unwrap();
        let page = session.find(&collection, query).await.unwrap();
        page.documents.into_iter().map(|document| document.id.into()).collect()
    }

    async fn keep(store: &Arc<dyn Store>, session: &DocumentTransaction) -> bool {
        matches!(
            store.commit_changes(author(), session.end().into()).await.unwrap(),
            CommitOutcome::Committed(..)
        )
    }

    #[tokio::test]
    async fn a_run_sees_what_it_wrote_among_what_was_there() {
        let store = memory();
        let first = session(&store);
        for id in ["a", "c", "e"] {
            put(&first, id, json!({"n": 1})).await.unwrap();
        }
        assert!(keep(&store, &first).await);
        let second = session(&store);
        put(&second, "b", json!({"n": 1})).await.unwrap();
        put(&second, "c", json!({"n": 2})).await.unwrap();
        assert!(second.delete(&job("a")).await.unwrap());
        assert!(!second.delete(&job("a")).await.unwrap());
        assert_eq!(found(&second, json!({"n": 1})).await, ["b", "e"]);
        assert_eq!(found(&second, json!({"_id": {"$in": ["e", "c", "a"]}})).await, ["c", "e"]);
        assert_eq!(second.get(&job("c")).await.unwrap().unwrap().revision, 0);
        let all = Filter::all();
        assert_eq!(second.count(&job("x").collection, all).await.unwrap(), 3);
        second.discard();
        assert_eq!(found(&second, json!({})).await, ["a", "c", "e"]);
    }

    #[tokio::test]
    async fn whoever_takes_long_to_look_lets_others_have_their_turn_and_sees_each_document_once() {
        let store = memory();
        let first = session(&store);
        for id in ["b", "d", "f"] {
            put(&first, id, json!({})).await.unwrap();
        }
        assert!(keep(&store, &first).await);
        let second = session(&store);
        for id in ["d", "g"] {
            put(&second, id, json!({})).await.unwrap();
        }
        second.delete(&job("f")).await.unwrap();
        let mut shown = String::new();
        let mut slow = |it: &ScannedDocument<'_>, _: &Budget| {
            shown.push_str(it.id.as_str());
            std::thread::sleep(SCAN_TIME_SLICE);
            Ok(ControlFlow::Continue(()))
        };
        let (collection, mut turns) = (job("x").collection, 0);
        {
            let mut look = std::pin::pin!(second.scan(&collection, Scan::default(), &mut slow));
            while poll_once(look.as_mut()).await.is_pending() {
                turns += 1;
            }
        }
        assert_eq!((shown.as_str(), turns), ("bdg", 3));
    }

    /// Polls once.
    async fn poll_once<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn what_is_as_before_is_no_change() {
        let store = memory();
        let session = session(&store);
        put(&session, "a", json!({"n": 1})).await.unwrap();
        assert!(session.delete(&job("a")).await.unwrap());
        assert!(session.state().effects.changes.is_empty(), "or many of them take much memory");
        assert_eq!(session.state().written, 0);
        assert_eq!(session.get(&job("a")).await.unwrap(), None);
        assert!(session.end().changes.is_empty());
    }

    #[tokio::test]
    async fn what_a_long_run_read_is_looked_at_once_more_before_it_is_written() {
        let store = memory();
        let (writes, reads) = (session(&store), session(&store));
        for session in [&writes, &reads] {
            session.get(&job("a")).await.unwrap();
        }
        put(&writes, "b", json!({})).await.unwrap();
        let other = session(&store);
        put(&other, "a", json!({})).await.unwrap();
        assert!(keep(&store, &other).await);
        assert!(!writes.has_conflict_at_end(), "the store itself says so soon");
        tokio::time::sleep(MAX_SNAPSHOT_AGE).await;
        assert!(writes.has_conflict_at_end());
        assert!(!reads.has_conflict_at_end(), "it has nothing to write");
    }

    #[tokio::test]
    async fn a_snapshot_that_is_too_old_is_renewed_where_nothing_changed() {
        let store = memory();
        let (still, moved) = (session(&store), session(&store));
        still.get(&job("other")).await.unwrap();
        moved.get(&job("a")).await.unwrap();
        let writer = session(&store);
        put(&writer, "a", json!({})).await.unwrap();
        assert!(keep(&store, &writer).await);
        assert_eq!(still.get(&job("a")).await.unwrap(), None, "it sees one moment");
        tokio::time::sleep(MAX_SNAPSHOT_AGE).await;
        assert!(
            matches!(still.get(&job("b")).await, Err(DocumentCallError::Conflict)),
            "it was another"
        );
        assert!(matches!(moved.get(&job("b")).await, Err(DocumentCallError::Conflict)));
        assert!(moved.has_conflict().unwrap());
        let unconcerned = session(&store);
        unconcerned.get(&job("other")).await.unwrap();
        tokio::time::sleep(MAX_SNAPSHOT_AGE).await;
        assert!(unconcerned.get(&job("a")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_run_reaches_the_collections_of_its_models_alone() {
        let session = session(&memory());
        let at = |collection: &str| Address { collection: collection.parse().unwrap(), ..job("a") };
        assert!(session.get(&at("rates")).await.unwrap().is_none());
        assert!(!session.was_denied());
        for denied in [
            session.delete(&at("rates")).await.unwrap_err(),
            session.get(&at("people")).await.unwrap_err(),
        ] {
            assert!(matches!(denied, DocumentCallError::Denied(_)), "{denied:?}");
        }
        assert!(session.was_denied());
        let [used, denied] = session.reached().map(Vec::from_iter);
        assert_eq!(used, ["documents/rates:read"]);
        assert_eq!(denied, ["documents/people:read", "documents/rates:write"]);
    }

    #[tokio::test]
    async fn a_run_writes_no_more_than_it_may() {
        let session = session(&memory());
        put(&session, "a", json!({"text": "x".repeat(400)})).await.unwrap();
        put(&session, "a", json!({"text": "y".repeat(400)})).await.unwrap();
        let more = put(&session, "b", json!({"text": "x".repeat(800)})).await;
        assert!(matches!(more, Err(DocumentCallError::ChangesTooLarge)));
        let session = self::session(&memory());
        for id in ["a", "b", "c"] {
            put(&session, id, json!({})).await.unwrap();
        }
        let more = put(&session, "d", json!({})).await;
        assert!(
            matches!(more, Err(DocumentCallError::ChangesTooLarge)),
            "small ones need room, too"
        );
    }
}
