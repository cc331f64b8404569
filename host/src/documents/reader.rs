//! The documents of a data directory, for those who only look.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::model::document::{Address, CollectionName, Document, Filter, Page, PageBuilder, Query};
use crate::store::{DocumentSnapshot, Store, StoreError, StoreHandle, StoredDocument, off_thread};

/// The documents of a data directory. Each call sees them as they are when it begins.
#[derive(Clone, Copy)]
pub struct DocumentReader<'a> {
    store: &'a StoreHandle,
}

impl<'a> DocumentReader<'a> {
    pub(crate) fn new(store: &'a StoreHandle) -> Self {
        Self { store }
    }

    /// Returns the collections that hold documents, in the order of their names, and how many
    /// each of them holds.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if they cannot be read.
    pub async fn collections(&self) -> Result<Vec<(CollectionName, u64)>, StoreError> {
        self.read(|snapshot| snapshot.collections()).await
    }

    /// Returns a document; `None` if there is none of that id.
    ///
    /// # Errors
    ///
    /// As [`Self::collections`].
    pub async fn get(&self, address: Address) -> Result<Option<Document>, StoreError> {
        self.read(move |snapshot| {
            let found = snapshot.get(&address)?;
            Ok(found.map(|stored| document(address, &stored)))
        })
        .await
    }

    /// Returns a page of the documents that a query means.
    ///
    /// # Errors
    ///
    /// As [`Self::collections`].
    pub async fn find(&self, collection: CollectionName, query: Query) -> Result<Page, StoreError> {
        self.read(move |snapshot| {
            let scan = query.scan();
            let mut finder = PageBuilder::new(query);
            snapshot.scan(&collection, &scan, &mut |it| {
                finder.offer(it.id, it.fields, || it.document())
            })?;
            Ok(finder.page())
        })
        .await
    }

    /// Returns how many documents a filter means.
    ///
    /// # Errors
    ///
    /// As [`Self::collections`].
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

    /// Shows every document that a filter means, in the order of their ids, until `see` says
    /// that it is enough; all of them as they were at one moment. Meanwhile the store's file
    /// grows with what others write.
    ///
    /// # Errors
    ///
    /// As [`Self::collections`]; some of them may have been shown by then.
    pub async fn each(
        &self,
        collection: CollectionName,
        filter: Filter,
        mut see: impl FnMut(Document) -> ControlFlow<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.read(move |snapshot| {
            snapshot.scan(&collection, &filter.scan(), &mut |it| match filter
                .matches(it.id, it.fields)
            {
                true => Ok(see(it.document()?)),
                false => Ok(ControlFlow::Continue(())),
            })
        })
        .await
    }

    /// Reads off the async threads.
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
