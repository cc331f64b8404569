//! The document transaction of a run: snapshot reads, buffered writes, and the read set that is
//! validated at commit.
//!
//! A [`DocumentTransaction`] belongs to one execution. Buffered writes replace the documents of
//! the snapshot. The snapshot is opened by the first call.
//!
//! An open snapshot prevents redb from reusing freed pages, so a snapshot older than
//! [`MAX_SNAPSHOT_AGE`] is replaced, provided that nothing the run has read has changed.

#[cfg(test)]
mod index_tests;
mod scan;
mod state;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ophost_document::{Budget, IndexOrder};
use serde_json::Value;

use self::scan::{MergeScan, Slice, UNCOMMITTED_REVISION, VisibleDocument, VisitResult};
use self::state::State;
pub(crate) use self::state::change_size;
use crate::model::document::{
    Address, Body, CollectionName, CommitRequest, Condition, Document, DocumentError, DocumentId,
    Filter, Page, PageBuilder, Path, Query, ReadSet, edit,
};
use crate::model::run_record::CapabilityUse;
use crate::policy::Grants;
use crate::sandbox::{DocumentCallError, DocumentHost};
use crate::store::{
    DocumentSnapshot, IndexWalk, PageRequest, ScanError, ScanPosition, ScanQuery, Store,
    StoreError, StoredDocument,
};
use crate::util::clock;

/// Maximum age of a snapshot. An idle snapshot is dropped after at most 1.25 times this age.
pub(crate) const MAX_SNAPSHOT_AGE: Duration = Duration::from_secs(1);

/// Maximum number of used and of denied capabilities in a record.
const MAX_NOTED: usize = 100;

/// The document transaction of one execution.
pub(crate) struct DocumentTransaction {
    store: Option<Arc<dyn Store>>,
    grants: Grants,
    state: Mutex<State>,
}

impl DocumentTransaction {
    /// Returns a transaction. Without a store, every call fails. Calls end when the budget is used
    /// up.
    pub(crate) fn new(store: Option<Arc<dyn Store>>, grants: Grants, budget: Budget) -> Self {
        Self { store, grants, state: Mutex::new(State::new(budget)) }
    }

    /// Awaits a run, and drops an idle snapshot.
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

    /// Returns whether access to a collection was denied.
    pub(crate) fn was_denied(&self) -> bool {
        !self.state().capability_use.denied.is_empty()
    }

    /// Returns the used and the denied capabilities, such as `documents/jobs:write`.
    pub(crate) fn capability_use(&self) -> CapabilityUse {
        self.state().capability_use.clone()
    }

    /// Returns whether the read set has a conflict.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub(crate) async fn has_conflict(&self) -> Result<bool, StoreError> {
        let Some(store) = self.store.as_ref().filter(|_| self.has_reads()) else {
            return Ok(false);
        };
        self.conflicts_with(&*store.snapshot().await?).await
    }

    fn has_reads(&self) -> bool {
        !self.state().effects.read_set.is_empty()
    }

    /// Returns whether the read set has changed in a newer snapshot.
    async fn conflicts_with(&self, snapshot: &dyn DocumentSnapshot) -> Result<bool, StoreError> {
        let reads = self.state().reads_before(snapshot.revision());
        match reads {
            Some((reads, base)) => snapshot.has_conflict(reads, base).await,
            None => Ok(false),
        }
    }

    /// Returns whether the read set of a writing run has a conflict, if its snapshot is too old.
    /// The check would otherwise happen during the commit, while other writers wait.
    pub(crate) async fn has_conflict_at_end(&self) -> bool {
        let has_changes = !self.state().effects.changes.is_empty();
        has_changes && matches!(self.snapshot().await, Err(DocumentCallError::Conflict))
    }

    /// Ends the transaction and returns the data to commit. A transaction without changes has no
    /// read set to validate, because it read one snapshot.
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
        // The lock holder only replaces the value as a whole, so it is valid after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a snapshot that is not too old.
    ///
    /// The lock is not held while the store is called. Calls of a guest do not overlap, so the
    /// state does not change in between.
    async fn snapshot(&self) -> Result<Arc<dyn DocumentSnapshot>, DocumentCallError> {
        if let Some(snapshot) = self.state().snapshot() {
            return Ok(snapshot);
        }
        let none = || DocumentCallError::Store("this host has no data directory".to_owned());
        let store = self.store.as_ref().ok_or_else(none)?;
        let snapshot = store.snapshot().await?;
        if self.conflicts_with(&*snapshot).await? {
            return Err(DocumentCallError::Conflict);
        }
        self.state().set_snapshot(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Returns a document as this run sees it, and adds it to the read set.
    async fn read(&self, address: &Address) -> Result<Option<StoredDocument>, DocumentCallError> {
        let snapshot = self.snapshot().await?;
        if let Some(own) = self.state().own(address) {
            let stored = |body| StoredDocument { revision: UNCOMMITTED_REVISION, body };
            return Ok(own.after.clone().map(stored));
        }
        let found = snapshot.get(address).await?;
        let revision = found.as_ref().map(|stored| stored.revision);
        self.state().effects.read_set.add_document(address, revision);
        Ok(found)
    }

    fn may_read(&self, collection: &CollectionName) -> Result<(), DocumentCallError> {
        let may = self.grants.collections().reads(collection);
        self.authorize(collection, "read", may, || {
            format!("the collection `{collection}` is not in the models of the operation")
        })
    }

    fn may_write(&self, collection: &CollectionName) -> Result<(), DocumentCallError> {
        self.may_read(collection)?;
        let may = self.grants.collections().writes(collection);
        self.authorize(collection, "write", may, || {
            format!("the models of the operation allow only reading the collection `{collection}`")
        })
    }

    /// Records the use of a collection, or its denial.
    fn authorize(
        &self,
        collection: &CollectionName,
        what: &str,
        may: bool,
        why: impl FnOnce() -> String,
    ) -> Result<(), DocumentCallError> {
        let capabilities = &mut self.state().capability_use;
        let noted = if may { &mut capabilities.used } else { &mut capabilities.denied };
        if noted.len() < MAX_NOTED {
            noted.insert(format!("documents/{collection}:{what}"));
        }
        if may { Ok(()) } else { Err(DocumentCallError::Denied(why())) }
    }

    /// Applies a change to an existing document.
    async fn edit(
        &self,
        address: &Address,
        edit: impl FnOnce(&Body) -> Result<Body, DocumentError> + Send,
    ) -> Result<(), DocumentCallError> {
        self.may_write(&address.collection)?;
        let known = self.read(address).await?.ok_or(DocumentError::NotFound)?;
        let after = edit(&known.body)?;
        self.write(address, Some(known.body), Some(after))
    }

    /// Buffers the write of a document that is in the read set.
    fn write(
        &self,
        address: &Address,
        before: Option<Body>,
        after: Option<Body>,
    ) -> Result<(), DocumentCallError> {
        self.state().write(address, before, after, self.grants.limits().effects)
    }

    /// Replaces a document by `target`; `None` deletes it. Returns whether its content was equal to
    /// `expected`.
    ///
    /// # Errors
    ///
    /// Like [`DocumentHost::put`].
    pub(crate) async fn restore(
        &self,
        address: &Address,
        expected: Option<&Body>,
        target: Option<&Body>,
    ) -> Result<bool, DocumentCallError> {
        self.may_write(&address.collection)?;
        let known = self.read(address).await?.map(|known| known.body);
        let is_expected = known.as_ref() == expected;
        self.write(address, known, target.cloned())?;
        Ok(is_expected)
    }

    /// Adds a filter to the read set.
    async fn begin_scan(
        &self,
        collection: &CollectionName,
        filter: &Filter,
    ) -> Result<(), DocumentCallError> {
        // The filter is evaluated in this snapshot or a later one.
        self.snapshot().await?;
        self.state().effects.read_set.add_filter(collection, filter);
        Ok(())
    }

    fn page_request(&self, after: Option<ScanPosition>) -> PageRequest {
        PageRequest::new(after, self.state().budget.clone())
    }

    /// Offers documents in the order of an index. Returns whether the page is complete. The run must
    /// not have changed the collection.
    async fn walk(
        &self,
        (scan, order): (&Arc<ScanQuery>, IndexOrder),
        page: &mut PageBuilder,
    ) -> Result<bool, DocumentCallError> {
        let (order, mut position, mut read) = (Arc::new(order), None, 0);
        let budget = self.state().budget.clone();
        loop {
            let request = self.page_request(None).with_documents(Some(order.limit() + 1));
            let walk = IndexWalk { order: Arc::clone(&order), position };
            let part = self.snapshot().await?.walk(scan, walk, request).await?;
            let Some(part) = part else { return Ok(false) };
            read += part.read;
            for document in part.documents {
                // The order of the documents is not by id, so the page is never full.
                offer(page, VisibleDocument::Stored(document), &budget).map(drop)?;
            }
            match part.next {
                Some(next) if !page.is_complete_before(&order, &next) => position = Some(next),
                Some(_) | None => return Ok(true),
            }
            if read > part.max_read {
                return Ok(false);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Visits the matching documents of the current page, and the documents in its range that the
    /// run wrote. Yields to other tasks after each time slice.
    async fn visit(
        &self,
        query: &ScanQuery,
        scan: &mut MergeScan,
        mut visit: impl FnMut(VisibleDocument<'_>, &Budget) -> VisitResult + Send,
    ) -> Result<(), DocumentCallError> {
        loop {
            let slice = self.state().visit_slice(query, scan, &mut visit)?;
            match slice {
                Slice::Done => return Ok(()),
                Slice::Yield => tokio::task::yield_now().await,
            }
        }
    }
}

/// Offers a matching document to the page of a query.
fn offer(page: &mut PageBuilder, document: VisibleDocument<'_>, budget: &Budget) -> VisitResult {
    if page.admits(document.id(), document.fields(), budget)? {
        page.take(document.document()?);
    }
    Ok(if page.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}

impl From<StoreError> for DocumentCallError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<ScanError> for DocumentCallError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Store(error) => error.into(),
            ScanError::Interrupted(why) => why.into(),
        }
    }
}

#[async_trait]
impl DocumentHost for DocumentTransaction {
    async fn get(&self, address: &Address) -> Result<Option<Document>, DocumentCallError> {
        self.may_read(&address.collection)?;
        let found = self.read(address).await?;
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
        let known = self.read(&address).await?;
        condition.check(known.as_ref().map(|known| known.revision))?;
        self.write(&address, known.map(|known| known.body), Some(body))?;
        Ok(address.id)
    }

    async fn set(
        &self,
        address: &Address,
        fields: &[(Path, Value)],
    ) -> Result<(), DocumentCallError> {
        self.edit(address, |body| Ok(edit::set(body, fields)?)).await
    }

    async fn merge(&self, address: &Address, patch: &Value) -> Result<(), DocumentCallError> {
        self.edit(address, |body| Ok(edit::merge(body, patch)?)).await
    }

    async fn delete(&self, address: &Address) -> Result<bool, DocumentCallError> {
        self.may_write(&address.collection)?;
        let Some(known) = self.read(address).await? else { return Ok(false) };
        self.write(address, Some(known.body), None)?;
        Ok(true)
    }

    async fn find(
        &self,
        collection: &CollectionName,
        query: Query,
    ) -> Result<Page, DocumentCallError> {
        self.may_read(collection)?;
        self.begin_scan(collection, query.filter()).await?;
        let (scan, mut position) = ScanQuery::of_query(collection.clone(), &query);
        let (scan, mut merge) = (Arc::new(scan), MergeScan::new(position.as_ref()));
        let order = query.index_order().filter(|_| !self.state().changes_collection(collection));
        let mut page = PageBuilder::new(query);
        if let Some(order) = order
            && self.walk((&scan, order), &mut page).await?
        {
            return Ok(page.page());
        }
        loop {
            let request = self.page_request(position).with_documents(page.max_remaining());
            let stored = self.snapshot().await?.scan(&scan, request).await?;
            position = merge.set_page(stored);
            self.visit(&scan, &mut merge, |it, budget| offer(&mut page, it, budget)).await?;
            if position.is_none() || page.is_full() {
                return Ok(page.page());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn count(
        &self,
        collection: &CollectionName,
        filter: Filter,
    ) -> Result<u64, DocumentCallError> {
        self.may_read(collection)?;
        self.begin_scan(collection, &filter).await?;
        let scan = Arc::new(ScanQuery::of_filter(collection.clone(), filter));
        let (mut count, mut position) = (0, None);
        loop {
            let request = self.page_request(position);
            let stored = self.snapshot().await?.scan_ids(&scan, request).await?;
            count += self.state().count_unchanged(&scan, stored.documents);
            position = stored.next;
            if position.is_none() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let add = |_: VisibleDocument<'_>, _: &Budget| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        };
        self.visit(&scan, &mut MergeScan::new(None), add).await?;
        Ok(count)
    }

    fn discard(&self) {
        let mut state = self.state();
        state.effects.changes.clear();
        state.written = 0;
    }
}

/// Creates a unique id.
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
    use crate::store::tests::{author, memory};
    use crate::store::{CommitOutcome, PAGE_TIME};

    fn transaction(store: &Arc<dyn Store>) -> DocumentTransaction {
        transaction_with(store, 1_000)
    }

    /// Returns a transaction with this limit of document changes, in bytes.
    pub(super) fn transaction_with(store: &Arc<dyn Store>, effects: u64) -> DocumentTransaction {
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
        let requested = LimitRequest { effects: Some(effects), ..LimitRequest::default() };
        let policy = Policy::new(Limits::DEFAULT, Limits::DEFAULT_MAXIMA);
        let grants = policy.grant(&operation, &requested).unwrap();
        DocumentTransaction::new(Some(Arc::clone(store)), grants, Budget::unlimited())
    }

    pub(super) fn job(id: &str) -> Address {
        Address { collection: "jobs".parse().unwrap(), id: id.parse().unwrap() }
    }

    pub(super) async fn put(
        transaction: &DocumentTransaction,
        id: &str,
        value: Value,
    ) -> Result<DocumentId, DocumentCallError> {
        let (address, body) = (job(id), value.try_into().unwrap());
        transaction.put(&address.collection, Some(address.id), body, Condition::Always).await
    }

    async fn found(transaction: &DocumentTransaction, filter: Value) -> Vec<String> {
        let (collection, filter) = (job("x").collection, Filter::parse(&filter).unwrap());
        let query = Query::new(&collection, filter, Default::default(), None, None).unwrap();
        let page = transaction.find(&collection, query).await.unwrap();
        page.documents.into_iter().map(|document| document.id.into()).collect()
    }

    pub(super) async fn commit(store: &Arc<dyn Store>, transaction: &DocumentTransaction) -> bool {
        matches!(
            store.commit_changes(author(), transaction.end().into()).await.unwrap(),
            CommitOutcome::Committed(..)
        )
    }

    #[tokio::test]
    async fn a_run_reads_its_own_writes() {
        let store = memory();
        let first = transaction(&store);
        for id in ["a", "c", "e"] {
            put(&first, id, json!({"n": 1})).await.unwrap();
        }
        assert!(commit(&store, &first).await);
        let second = transaction(&store);
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
    async fn a_long_scan_yields_and_visits_each_document_once() {
        let store = memory();
        let first = transaction(&store);
        for id in ["b", "d", "f"] {
            put(&first, id, json!({})).await.unwrap();
        }
        assert!(commit(&store, &first).await);
        let second = transaction(&store);
        for id in ["d", "g"] {
            put(&second, id, json!({})).await.unwrap();
        }
        second.delete(&job("f")).await.unwrap();
        let query = ScanQuery::of_filter(job("x").collection, Filter::all());
        let query = Arc::new(query);
        let mut visited = String::new();
        let mut slow = |it: VisibleDocument<'_>, _: &Budget| {
            visited.push_str(it.id().as_str());
            std::thread::sleep(PAGE_TIME);
            Ok(ControlFlow::Continue(()))
        };
        let (mut scan, mut position, mut yields) = (MergeScan::new(None), None, 0);
        loop {
            let request = second.page_request(position).with_documents(Some(1));
            let page = second.snapshot().await.unwrap().scan(&query, request).await.unwrap();
            position = scan.set_page(page);
            {
                let mut page = std::pin::pin!(second.visit(&query, &mut scan, &mut slow));
                while poll_once(page.as_mut()).await.is_pending() {
                    yields += 1;
                }
            }
            if position.is_none() {
                break;
            }
        }
        assert_eq!((visited.as_str(), yields), ("bdg", 3));
    }

    /// Polls once.
    async fn poll_once<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn a_write_that_restores_the_old_content_is_not_a_change() {
        let store = memory();
        let transaction = transaction(&store);
        put(&transaction, "a", json!({"n": 1})).await.unwrap();
        assert!(transaction.delete(&job("a")).await.unwrap());
        assert!(
            transaction.state().effects.changes.is_empty(),
            "reverted changes must not use memory"
        );
        assert_eq!(transaction.state().written, 0);
        assert_eq!(transaction.get(&job("a")).await.unwrap(), None);
        assert!(transaction.end().changes.is_empty());
    }

    #[tokio::test]
    async fn the_read_set_of_a_long_run_is_validated_before_its_commit() {
        let store = memory();
        let (writes, reads) = (transaction(&store), transaction(&store));
        for transaction in [&writes, &reads] {
            transaction.get(&job("a")).await.unwrap();
        }
        put(&writes, "b", json!({})).await.unwrap();
        let other = transaction(&store);
        put(&other, "a", json!({})).await.unwrap();
        assert!(commit(&store, &other).await);
        assert!(!writes.has_conflict_at_end().await, "a young snapshot is validated by the commit");
        tokio::time::sleep(MAX_SNAPSHOT_AGE).await;
        assert!(writes.has_conflict_at_end().await);
        assert!(!reads.has_conflict_at_end().await, "a run without writes has no conflict");
    }

    #[tokio::test]
    async fn an_old_snapshot_is_replaced_unless_the_read_set_has_a_conflict() {
        let store = memory();
        let (still, moved) = (transaction(&store), transaction(&store));
        still.get(&job("other")).await.unwrap();
        moved.get(&job("a")).await.unwrap();
        let writer = transaction(&store);
        put(&writer, "a", json!({})).await.unwrap();
        assert!(commit(&store, &writer).await);
        assert_eq!(still.get(&job("a")).await.unwrap(), None, "reads one snapshot");
        tokio::time::sleep(MAX_SNAPSHOT_AGE).await;
        assert!(
            matches!(still.get(&job("b")).await, Err(DocumentCallError::Conflict)),
            "the read set has changed"
        );
        assert!(matches!(moved.get(&job("b")).await, Err(DocumentCallError::Conflict)));
        assert!(moved.has_conflict().await.unwrap());
        let unconcerned = transaction(&store);
        unconcerned.get(&job("other")).await.unwrap();
        tokio::time::sleep(MAX_SNAPSHOT_AGE).await;
        assert!(unconcerned.get(&job("a")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_run_can_only_access_the_collections_of_its_models() {
        let transaction = transaction(&memory());
        let at = |collection: &str| Address { collection: collection.parse().unwrap(), ..job("a") };
        assert!(transaction.get(&at("rates")).await.unwrap().is_none());
        assert!(!transaction.was_denied());
        for denied in [
            transaction.delete(&at("rates")).await.unwrap_err(),
            transaction.get(&at("people")).await.unwrap_err(),
        ] {
            assert!(matches!(denied, DocumentCallError::Denied(_)), "{denied:?}");
        }
        assert!(transaction.was_denied());
        let CapabilityUse { used, denied } = transaction.capability_use();
        assert_eq!(Vec::from_iter(used), ["documents/rates:read"]);
        assert_eq!(Vec::from_iter(denied), ["documents/people:read", "documents/rates:write"]);
    }

    #[tokio::test]
    async fn document_changes_are_limited() {
        let transaction = transaction(&memory());
        put(&transaction, "a", json!({"text": "x".repeat(400)})).await.unwrap();
        put(&transaction, "a", json!({"text": "y".repeat(400)})).await.unwrap();
        let more = put(&transaction, "b", json!({"text": "x".repeat(800)})).await;
        assert!(matches!(more, Err(DocumentCallError::ChangesTooLarge)));
        let transaction = self::transaction(&memory());
        for id in ["a", "b", "c"] {
            put(&transaction, id, json!({})).await.unwrap();
        }
        let more = put(&transaction, "d", json!({})).await;
        assert!(
            matches!(more, Err(DocumentCallError::ChangesTooLarge)),
            "each change counts its overhead"
        );
    }
}
