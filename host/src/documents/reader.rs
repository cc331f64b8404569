//! Read API of documents.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use ophost_document::{Budget, IndexOrder};
use serde::Serialize;

use crate::model::document::{Address, CollectionName, Document, Filter, Page, PageBuilder, Query};
use crate::model::history::{HistoryPage, PastDocument, PointInTime};
use crate::store::{
    DocumentSnapshot, FullScanReason, IndexWalk, PageRequest, QueryPlan, ScanError, ScanPosition,
    ScanQuery, ScannedDocument, StoreError, StoreHandle, off_thread,
};

/// Read API of the documents in a data directory. Each call reads a snapshot.
#[derive(Clone, Copy)]
pub struct DocumentReader<'a> {
    store: &'a StoreHandle,
}

/// How a query found its documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The plan.
    #[serde(flatten)]
    pub plan: QueryPlan,
    /// The number of documents that were read, matching or not.
    pub documents_read: u64,
}

impl Explanation {
    fn of(scan: &ScanQuery, documents_read: u64) -> Self {
        // A store without documents makes no plan.
        let none = QueryPlan::FullScan { reason: FullScanReason::NoIndex };
        Self { plan: scan.plan().cloned().unwrap_or(none), documents_read }
    }
}

impl<'a> DocumentReader<'a> {
    pub(crate) fn new(store: &'a StoreHandle) -> Self {
        Self { store }
    }

    /// Returns the collections in the order of their names, with the number of documents of each.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub async fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError> {
        self.snapshot().await?.collections().await
    }

    /// Returns a document; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn get(&self, address: Address) -> Result<Option<Document>, StoreError> {
        let found = self.snapshot().await?.get(&address).await?;
        Ok(found.map(|stored| Document {
            id: address.id,
            revision: stored.revision,
            body: stored.body.text(),
        }))
    }

    /// Returns a page of the changes of a document, newest first: at most `limit`, before the
    /// revision `before`. A page ends early when its contents reach 8 MiB.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn history(
        &self,
        address: &Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        self.store.store().history(address, before, limit).await
    }

    /// Returns a document at a point in its history.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn at(
        &self,
        address: &Address,
        moment: PointInTime,
    ) -> Result<PastDocument, StoreError> {
        self.store.store().document_at(address, moment).await
    }

    /// Returns a page of the documents that match a query.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn find(&self, collection: CollectionName, query: Query) -> Result<Page, StoreError> {
        Ok(self.find_explained(collection, query).await?.0)
    }

    /// Like [`Self::find`], and returns how the documents were found.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn find_explained(
        &self,
        collection: CollectionName,
        query: Query,
    ) -> Result<(Page, Explanation), StoreError> {
        let (scan, mut position) = ScanQuery::of_query(collection, &query);
        let (scan, order) = (Arc::new(scan), query.index_order());
        let mut page = PageBuilder::new(query);
        let snapshot = self.snapshot().await?;
        let mut read = 0;
        if let Some(order) = order {
            let (index, is_complete);
            index = order.field().clone();
            (read, is_complete) = walk(&*snapshot, (&scan, order), &mut page).await?;
            if is_complete {
                let plan = QueryPlan::Order { index };
                return Ok((page.page(), Explanation { plan, documents_read: read }));
            }
        }
        loop {
            let request = request(position).with_documents(page.max_remaining());
            let stored = snapshot.scan(&scan, request).await.map_err(store_error)?;
            read += stored.read;
            for document in stored.documents {
                offer(&mut page, document)?;
            }
            position = stored.next;
            if position.is_none() || page.is_full() {
                return Ok((page.page(), Explanation::of(&scan, read)));
            }
        }
    }

    /// Returns the number of documents that match a filter.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn count(
        &self,
        collection: CollectionName,
        filter: Filter,
    ) -> Result<u64, StoreError> {
        Ok(self.count_explained(collection, filter).await?.0)
    }

    /// Like [`Self::count`], and returns how the documents were found.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn count_explained(
        &self,
        collection: CollectionName,
        filter: Filter,
    ) -> Result<(u64, Explanation), StoreError> {
        let scan = Arc::new(ScanQuery::of_filter(collection, filter));
        let snapshot = self.snapshot().await?;
        let (mut count, mut read, mut position) = (0, 0, None);
        loop {
            let page = snapshot.scan_ids(&scan, request(position)).await.map_err(store_error)?;
            count += page.documents.len() as u64;
            read += page.read;
            position = page.next;
            if position.is_none() {
                return Ok((count, Explanation::of(&scan, read)));
            }
        }
    }

    /// Opens a snapshot, for several reads of the same state. While the snapshot is open, the store
    /// file grows with every commit.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn pin(&self) -> Result<PinnedDocuments, StoreError> {
        Ok(PinnedDocuments { snapshot: self.snapshot().await? })
    }

    async fn snapshot(&self) -> Result<Arc<dyn DocumentSnapshot>, StoreError> {
        self.store.store().snapshot().await
    }
}

/// The documents of one snapshot.
pub struct PinnedDocuments {
    snapshot: Arc<dyn DocumentSnapshot>,
}

impl PinnedDocuments {
    /// Visits the documents that match a filter, in the order of their ids, until `visit` returns a
    /// break.
    ///
    /// # Blocking
    ///
    /// `visit` runs on a thread of the blocking pool.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read. Some documents may have been visited
    /// before the error.
    pub async fn each(
        &self,
        collection: CollectionName,
        filter: Filter,
        mut visit: impl FnMut(Document) -> ControlFlow<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        let scan = Arc::new(ScanQuery::of_filter(collection, filter));
        let mut position = None;
        loop {
            let page = self.snapshot.scan(&scan, request(position)).await.map_err(store_error)?;
            position = page.next;
            let flow;
            (flow, visit) = off_thread(move || {
                let flow = visit_all(page.documents, &mut visit)?;
                Ok((flow, visit))
            })
            .await?;
            if position.is_none() || flow.is_break() {
                return Ok(());
            }
        }
    }
}

/// Offers documents in the order of an index. Returns the number of documents that were read, and
/// whether the page is complete.
async fn walk(
    snapshot: &dyn DocumentSnapshot,
    (scan, order): (&Arc<ScanQuery>, IndexOrder),
    page: &mut PageBuilder,
) -> Result<(u64, bool), StoreError> {
    let (order, mut position, mut read) = (Arc::new(order), None, 0);
    loop {
        let request = request(None).with_documents(Some(order.limit() + 1));
        let walk = IndexWalk { order: Arc::clone(&order), position };
        let Some(part) = snapshot.walk(scan, walk, request).await.map_err(store_error)? else {
            return Ok((read, false));
        };
        read += part.read;
        part.documents.into_iter().try_for_each(|document| offer(page, document))?;
        match part.next {
            Some(next) if !page.is_complete_before(&order, &next) => position = Some(next),
            Some(_) | None => return Ok((read, true)),
        }
        if read > part.max_read {
            return Ok((read, false));
        }
    }
}

fn request(after: Option<ScanPosition>) -> PageRequest {
    PageRequest::new(after, Budget::unlimited())
}

fn offer(page: &mut PageBuilder, document: ScannedDocument) -> Result<(), StoreError> {
    let is_admitted = page.admits(&document.id, &document.fields, &Budget::unlimited());
    if is_admitted.map_err(|why| store_error(why.into()))? {
        page.take(document.document()?);
    }
    Ok(())
}

fn visit_all(
    documents: Vec<ScannedDocument>,
    visit: &mut impl FnMut(Document) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, StoreError> {
    for document in documents {
        if visit(document.document()?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Returns the error of a scan whose budget has no limit.
fn store_error(error: ScanError) -> StoreError {
    match error {
        ScanError::Store(error) => error,
        ScanError::Interrupted(why) => io::Error::other(why).into(),
    }
}
