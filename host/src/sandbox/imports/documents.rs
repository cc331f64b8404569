//! Interface `documents`: reads and writes of documents.
//!
//! This module parses the arguments and converts the results. [`DocumentHost`] executes the calls.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::GuestState;
use ophost_document::{Interruption, edit};

use crate::model::document::{
    Address, Body, CollectionName, Condition, Document, DocumentError, DocumentId, Filter, Page,
    Path, Query, Sort, SortBy,
};
use crate::sandbox::bindings::ophost::plugin::documents::{self as wit, Host};
use crate::sandbox::invoke::Interrupt;

/// Documents of a run: a snapshot from the start of the run, with the run's own writes.
#[async_trait]
pub(crate) trait DocumentHost: Send + Sync {
    /// Returns a document, or `None` if no document has this id.
    async fn get(&self, address: &Address) -> Result<Option<Document>, DocumentCallError>;

    /// Creates or replaces a document if the condition holds, and returns its id.
    async fn put(
        &self,
        collection: &CollectionName,
        id: Option<DocumentId>,
        body: Body,
        condition: Condition,
    ) -> Result<DocumentId, DocumentCallError>;

    /// Sets fields of a document.
    async fn set(
        &self,
        address: &Address,
        fields: &[(Path, Value)],
    ) -> Result<(), DocumentCallError>;

    /// Merges a patch into a document.
    async fn merge(&self, address: &Address, patch: &Value) -> Result<(), DocumentCallError>;

    /// Deletes a document, and returns whether it existed.
    async fn delete(&self, address: &Address) -> Result<bool, DocumentCallError>;

    /// Returns a page of the documents that match a query.
    async fn find(
        &self,
        collection: &CollectionName,
        query: Query,
    ) -> Result<Page, DocumentCallError>;

    /// Returns the number of documents that match a filter.
    async fn count(
        &self,
        collection: &CollectionName,
        filter: Filter,
    ) -> Result<u64, DocumentCallError>;

    /// Discards all writes of the run so far.
    fn discard(&self);
}

/// Error of a document call.
#[derive(Debug)]
pub(crate) enum DocumentCallError {
    /// The operation has no access to the collection. The message names the collection.
    Denied(String),
    /// The stored document or the arguments do not allow the call.
    Error(DocumentError),
    /// The store failed. The message names the cause.
    Store(String),
    /// A document that the run has read was changed. Ends the execution.
    Conflict,
    /// The run's document changes exceed their size limit. Ends the execution.
    ChangesTooLarge,
    /// The run was cancelled or its deadline has passed. Ends the execution.
    Interrupted(Interruption),
}

impl From<Interruption> for DocumentCallError {
    fn from(interruption: Interruption) -> Self {
        Self::Interrupted(interruption)
    }
}

impl From<DocumentError> for DocumentCallError {
    fn from(error: DocumentError) -> Self {
        Self::Error(error)
    }
}

/// Result of a host call. The outer error ends the execution, the inner error goes to the guest.
type CallResult<T> = wasmtime::Result<Result<T, wit::Error>>;

fn call_result<T, U>(
    result: Result<T, DocumentCallError>,
    convert: impl FnOnce(T) -> U,
) -> CallResult<U> {
    let error = match result {
        Ok(value) => return Ok(Ok(convert(value))),
        Err(DocumentCallError::Conflict) => return Err(Interrupt::Conflict.into()),
        Err(DocumentCallError::ChangesTooLarge) => return Err(Interrupt::ChangesTooLarge.into()),
        Err(DocumentCallError::Interrupted(Interruption::Cancelled)) => {
            return Err(Interrupt::Cancel.into());
        }
        Err(DocumentCallError::Interrupted(Interruption::Deadline | Interruption::Steps)) => {
            return Err(Interrupt::Deadline.into());
        }
        Err(DocumentCallError::Denied(text)) => wit::Error::Denied(text),
        Err(DocumentCallError::Store(text)) => wit::Error::Other(("store".to_owned(), text)),
        Err(DocumentCallError::Error(error)) => error.into(),
    };
    Ok(Err(error))
}

impl From<DocumentError> for wit::Error {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::NotFound => Self::NotFound,
            DocumentError::Exists => Self::Exists,
            DocumentError::Stale(revision) => Self::Stale(revision),
            DocumentError::Invalid(text) => Self::Invalid(text),
            DocumentError::TooLarge(text) => Self::TooLarge(text),
        }
    }
}

impl From<Document> for wit::Document {
    fn from(document: Document) -> Self {
        let Document { id, revision, body } = document;
        Self { id: id.into(), revision, body }
    }
}

impl From<wit::Condition> for Condition {
    fn from(condition: wit::Condition) -> Self {
        match condition {
            wit::Condition::Always => Self::Always,
            wit::Condition::Absent => Self::Absent,
            wit::Condition::Present => Self::Present,
            wit::Condition::At(revision) => Self::At(revision),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error by value")]
fn invalid(error: impl ToString) -> DocumentCallError {
    DocumentCallError::Error(DocumentError::Invalid(error.to_string()))
}

fn address(collection: String, id: String) -> Result<Address, DocumentCallError> {
    let collection = CollectionName::new(collection).map_err(invalid)?;
    Ok(Address { collection, id: DocumentId::new(id).map_err(invalid)? })
}

fn filter(text: &str) -> Result<Filter, DocumentCallError> {
    Filter::parse_text(text).map_err(invalid)
}

fn query(collection: &CollectionName, query: wit::Query) -> Result<Query, DocumentCallError> {
    let key = |key: wit::SortKey| {
        Ok::<_, DocumentCallError>(SortBy {
            path: Path::parse(&key.path).map_err(invalid)?,
            descending: key.descending,
        })
    };
    let sort = query.sort.into_iter().map(key).collect::<Result<_, _>>()?;
    let sort = Sort::new(sort).map_err(invalid)?;
    let filter = filter(&query.filter)?;
    Query::new(collection, filter, sort, query.limit, query.cursor.as_deref()).map_err(invalid)
}

fn collection(name: String) -> Result<CollectionName, DocumentCallError> {
    CollectionName::new(name).map_err(invalid)
}

/// The documents of a run, if it has any. A clone, because a call cannot borrow the state of the
/// store while it waits.
#[derive(Clone)]
struct DocumentAccess(Option<Arc<dyn DocumentHost>>);

impl DocumentAccess {
    fn host(&self) -> Result<&dyn DocumentHost, DocumentCallError> {
        let denied = || DocumentCallError::Denied("no documents are available".to_owned());
        self.0.as_deref().ok_or_else(denied)
    }

    async fn put(
        &self,
        name: String,
        id: Option<String>,
        body: &str,
        condition: Condition,
    ) -> Result<DocumentId, DocumentCallError> {
        let collection = collection(name)?;
        let id = id.map(DocumentId::new).transpose().map_err(invalid)?;
        let body = Body::parse(body).map_err(DocumentError::from)?;
        self.host()?.put(&collection, id, body, condition).await
    }

    async fn find(&self, name: String, arguments: wit::Query) -> Result<Page, DocumentCallError> {
        let collection = collection(name)?;
        self.host()?.find(&collection, query(&collection, arguments)?).await
    }

    async fn count(&self, name: String, filter_text: &str) -> Result<u64, DocumentCallError> {
        let collection = collection(name)?;
        self.host()?.count(&collection, filter(filter_text)?).await
    }
}

impl GuestState {
    fn document_access(&self) -> DocumentAccess {
        DocumentAccess(self.documents.clone())
    }
}

impl Host for GuestState {
    async fn get(&mut self, collection: String, id: String) -> CallResult<Option<wit::Document>> {
        let access = self.document_access();
        let get = async { access.host()?.get(&address(collection, id)?).await };
        call_result(get.await, |document| document.map(Into::into))
    }

    async fn put(
        &mut self,
        collection: String,
        id: Option<String>,
        body: String,
        condition: wit::Condition,
    ) -> CallResult<String> {
        let access = self.document_access();
        call_result(access.put(collection, id, &body, condition.into()).await, String::from)
    }

    async fn set(
        &mut self,
        collection: String,
        id: String,
        fields: Vec<(String, String)>,
    ) -> CallResult<()> {
        let access = self.document_access();
        let set = async {
            access
                .host()?
                .set(&address(collection, id)?, &edit::read_fields(&fields).map_err(invalid)?)
                .await
        };
        call_result(set.await, |()| ())
    }

    async fn merge(&mut self, collection: String, id: String, patch: String) -> CallResult<()> {
        let access = self.document_access();
        let merge = async {
            access
                .host()?
                .merge(&address(collection, id)?, &edit::read_patch(&patch).map_err(invalid)?)
                .await
        };
        call_result(merge.await, |()| ())
    }

    async fn delete(&mut self, collection: String, id: String) -> CallResult<bool> {
        let access = self.document_access();
        let delete = async { access.host()?.delete(&address(collection, id)?).await };
        call_result(delete.await, |existed| existed)
    }

    async fn find(&mut self, collection: String, query: wit::Query) -> CallResult<wit::Page> {
        let access = self.document_access();
        call_result(access.find(collection, query).await, |page| wit::Page {
            documents: page.documents.into_iter().map(Into::into).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        })
    }

    async fn count(&mut self, collection: String, filter: String) -> CallResult<u64> {
        let access = self.document_access();
        call_result(access.count(collection, &filter).await, |count| count)
    }

    async fn discard(&mut self) -> wasmtime::Result<()> {
        if let Some(documents) = &self.documents {
            documents.discard();
        }
        Ok(())
    }
}
