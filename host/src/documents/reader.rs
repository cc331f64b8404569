//! Read API of documents.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::model::document::{Address, CollectionName, Document, Filter, Page, PageBuilder, Query};
use crate::store::{DocumentSnapshot, Store, StoreError, StoreHandle, StoredDocument, off_thread};

/// Read API of the documents in a data directory. Each call reads a snapshot.
#[derive(Clone, Copy)]
pub struct DocumentReader<'a> {
    store: &'a StoreHandle,
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
        self.read(|snapshot| snapshot.collections()).await
    }

    /// Returns a document; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn get(&self, address: Address) -> Result<Option<Document>, StoreError> {
        self.read(move |snapshot| {
            let found = snapshot.get(&address)?;
            Ok(found.map(|stored| document(address, &stored)))
        })
        .await
    }

    /// Returns a page of the documents that match a query.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`].
    pub async fn find(&self, collection: CollectionName, query: Query) -> Result<Page, StoreError> {
        self.read(move |snapshot| {
            let scan = query.scan();
            let mut page = PageBuilder::new(query);
            snapshot.scan(&collection, &scan, &mut |it| {
                page.offer(it.id, it.fields, || it.document())
            })?;
            Ok(page.page())
        })
        .await
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
        self.read(move |snapshot| {
            let mut count = 0;
            snapshot.scan(&collection, &filter.scan(), &mut |it| {
                count += u64::from(filter.matches(it.id, it.fields));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(count)
        })
        .await
    }

    /// Visits the documents of a snapshot that match a filter, in the order of their ids, until
    /// `visit` returns a break. While the snapshot is open, the store file grows with every commit.
    ///
    /// # Errors
    ///
    /// Like [`Self::collections`]. Some documents may have been visited before the error.
    pub async fn each(
        &self,
        collection: CollectionName,
        filter: Filter,
        mut visit: impl FnMut(Document) -> ControlFlow<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.read(move |snapshot| {
            snapshot.scan(&collection, &filter.scan(), &mut |it| match filter
                .matches(it.id, it.fields)
            {
                true => Ok(visit(it.document()?)),
                false => Ok(ControlFlow::Continue(())),
            })
        })
        .await
    }

    /// Reads on a thread of the blocking pool.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn DocumentSnapshot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store: Arc<dyn Store> = self.store.store().clone();
        off_thread(move || read(&*store.documents()?)).await
    }
}

fn document(address: Address, stored: &StoredDocument) -> Document {
    Document { id: address.id, revision: stored.revision, body: stored.body.text() }
}
