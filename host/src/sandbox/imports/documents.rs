//! `documents`: what a guest reads and changes.
//!
//! Here texts become what they stand for. What a call then does is up to [`DocumentHost`].

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

/// The documents that a run reaches, as they were when it began, with what it did to them.
#[async_trait]
pub(crate) trait DocumentHost: Send + Sync {
    /// Returns a document; `None` if there is none of that id.
    async fn get(&self, address: &Address) -> Result<Option<Document>, DocumentCallError>;

    /// Puts a document in place of what is there, if the condition holds, and returns its id.
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

    /// Removes a document, and returns whether there was one.
    async fn delete(&self, address: &Address) -> Result<bool, DocumentCallError>;

    /// Returns a page of the documents that a query means.
    async fn find(
        &self,
        collection: &CollectionName,
        query: Query,
    ) -> Result<Page, DocumentCallError>;

    /// Returns how many documents a filter means.
    async fn count(
        &self,
        collection: &CollectionName,
        filter: Filter,
    ) -> Result<u64, DocumentCallError>;

    /// Drops everything that the run wrote so far.
    fn discard(&self);
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum DocumentCallError {
    /// The operation does not reach the collection; says which.
    Denied(String),
    /// What is asked for cannot be.
    Error(DocumentError),
    /// The store failed; says how.
    Store(String),
    /// What the run read is no longer so: it ends here.
    Stale,
    /// The run wrote more than it may: it ends here.
    Effects,
    /// There is no time left: it ends here.
    Interrupted(Interruption),
}

impl From<Interruption> for DocumentCallError {
    fn from(why: Interruption) -> Self {
        Self::Interrupted(why)
    }
}

impl From<DocumentError> for DocumentCallError {
    fn from(error: DocumentError) -> Self {
        Self::Error(error)
    }
}

/// What a guest is told, within what stops it.
type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

fn answer<T, U>(result: Result<T, DocumentCallError>, shown: impl FnOnce(T) -> U) -> Answer<U> {
    let error = match result {
        Ok(value) => return Ok(Ok(shown(value))),
        Err(DocumentCallError::Stale) => return Err(Interrupt::Stale.into()),
        Err(DocumentCallError::Effects) => return Err(Interrupt::Effects.into()),
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

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes it so")]
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

/// What a run reaches. Nothing of a run's state can be held while it waits.
#[derive(Clone)]
struct Reached(Option<Arc<dyn DocumentHost>>);

impl Reached {
    fn documents(&self) -> Result<&dyn DocumentHost, DocumentCallError> {
        let denied = || DocumentCallError::Denied("no documents are reached here".to_owned());
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
        self.documents()?.put(&collection, id, body, condition).await
    }

    async fn find(&self, name: String, asked: wit::Query) -> Result<Page, DocumentCallError> {
        let collection = collection(name)?;
        self.documents()?.find(&collection, query(&collection, asked)?).await
    }

    async fn count(&self, name: String, asked: &str) -> Result<u64, DocumentCallError> {
        let collection = collection(name)?;
        self.documents()?.count(&collection, filter(asked)?).await
    }
}

impl GuestState {
    fn reached(&self) -> Reached {
        Reached(self.documents.clone())
    }
}

impl Host for GuestState {
    async fn get(&mut self, collection: String, id: String) -> Answer<Option<wit::Document>> {
        let reached = self.reached();
        let found = async { reached.documents()?.get(&address(collection, id)?).await };
        answer(found.await, |found| found.map(Into::into))
    }

    async fn put(
        &mut self,
        collection: String,
        id: Option<String>,
        body: String,
        condition: wit::Condition,
    ) -> Answer<String> {
        let reached = self.reached();
        answer(reached.put(collection, id, &body, condition.into()).await, String::from)
    }

    async fn set(
        &mut self,
        collection: String,
        id: String,
        given: Vec<(String, String)>,
    ) -> Answer<()> {
        let reached = self.reached();
        let set = async {
            reached
                .documents()?
                .set(&address(collection, id)?, &edit::read_fields(&given).map_err(invalid)?)
                .await
        };
        answer(set.await, |()| ())
    }

    async fn merge(&mut self, collection: String, id: String, patch: String) -> Answer<()> {
        let reached = self.reached();
        let merged = async {
            reached
                .documents()?
                .merge(&address(collection, id)?, &edit::read_patch(&patch).map_err(invalid)?)
                .await
        };
        answer(merged.await, |()| ())
    }

    async fn delete(&mut self, collection: String, id: String) -> Answer<bool> {
        let reached = self.reached();
        let deleted = async { reached.documents()?.delete(&address(collection, id)?).await };
        answer(deleted.await, |was_there| was_there)
    }

    async fn find(&mut self, collection: String, query: wit::Query) -> Answer<wit::Page> {
        let reached = self.reached();
        answer(reached.find(collection, query).await, |page| wit::Page {
            documents: page.documents.into_iter().map(Into::into).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        })
    }

    async fn count(&mut self, collection: String, filter: String) -> Answer<u64> {
        let reached = self.reached();
        answer(reached.count(collection, &filter).await, |count| count)
    }

    async fn discard(&mut self) -> wasmtime::Result<()> {
        if let Some(documents) = &self.documents {
            documents.discard();
        }
        Ok(())
    }
}
