//! The documents of a data directory, for those who only look.

use std::io;
use std::ops::ControlFlow;

use crate::document::{Address, CollectionName, Document, DocumentId, Filter, Finder, Page, Query};
use crate::store::{DocumentSnapshot, OpenStore, StoreError, Stored};

/// How many documents are read at once.
const PART: usize = 1024;

/// The documents of a data directory. Each call sees them as they are when it begins.
#[derive(Clone, Copy)]
pub struct Documents<'a> {
    store: &'a OpenStore,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(store: &'a OpenStore) -> Self {
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
            Ok(found.map(|stored| document(address.id, &stored)))
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
            let after = query.after_id().and_then(|id| id.parse().ok());
            let filter = query.filter().clone();
            let mut finder = Finder::new(query);
            let see = |id: &DocumentId, it: &Stored| finder.see(id, it.revision, &it.body);
            each_of(snapshot, &collection, (&filter, after), see)?;
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
            each_of(snapshot, &collection, (&filter, None), |id, stored| {
                count += u64::from(filter.matches(id, &stored.body));
                ControlFlow::Continue(())
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
            let meant = |id: &DocumentId, stored: &Stored| match filter.matches(id, &stored.body) {
                true => see(document(id.clone(), stored)),
                false => ControlFlow::Continue(()),
            };
            each_of(snapshot, &collection, (&filter, None), meant)
        })
        .await
    }

    /// Reads off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn DocumentSnapshot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.store();
        let read = tokio::task::spawn_blocking(move || read(&*store.documents()?)).await;
        read.map_err(|error| StoreError::from(io::Error::other(error)))?
    }
}

fn document(id: DocumentId, stored: &Stored) -> Document {
    Document { id, revision: stored.revision, body: stored.body.text() }
}

/// Shows the documents that a filter may mean, those of its ids or all, in the order of their
/// ids, from after the given one, until `see` says that it is enough.
fn each_of(
    snapshot: &dyn DocumentSnapshot,
    collection: &CollectionName,
    (filter, after): (&Filter, Option<DocumentId>),
    mut see: impl FnMut(&DocumentId, &Stored) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let Some(ids) = filter.ids() else { return each(snapshot, collection, after, see) };
    for id in ids.into_iter().filter(|id| after.as_ref().is_none_or(|after| after < id)) {
        let address = Address { collection: collection.clone(), id };
        let found = snapshot.get(&address)?;
        if found.is_some_and(|stored| see(&address.id, &stored).is_break()) {
            break;
        }
    }
    Ok(())
}

fn each(
    snapshot: &dyn DocumentSnapshot,
    collection: &CollectionName,
    mut after: Option<DocumentId>,
    mut see: impl FnMut(&DocumentId, &Stored) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    loop {
        let part = snapshot.after(collection, after.as_ref(), PART)?;
        if part.iter().try_for_each(|(id, stored)| see(id, stored)).is_break() {
            return Ok(());
        }
        match part.into_iter().next_back() {
            Some((last, _)) => after = Some(last),
            None => return Ok(()),
        }
    }
}
