//! The interface `documents` of the contract, in memory.

pub use ophost_document::Condition;
use ophost_document::{
    self as document, Body, CollectionName, DocumentId, Filter, Path, Sort, SortBy, edit,
};

use super::memory::Store;

/// A stored document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Id of the document.
    pub id: String,
    /// Revision of the document.
    pub revision: u64,
    /// Body of the document, a JSON object.
    pub body: String,
}

/// One key of a sort order.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// Path of the field.
    pub path: String,
    /// Whether the order is descending.
    pub descending: bool,
}

/// A query of a collection.
#[derive(Clone, Debug)]
pub struct Query {
    /// Filter of the documents.
    pub filter: String,
    /// Sort order of the documents.
    pub sort: Vec<SortKey>,
    /// Maximum number of documents of a page.
    pub limit: Option<u32>,
    /// Cursor of the page.
    pub cursor: Option<String>,
}

/// A page of the result of a query.
#[derive(Clone, Debug)]
pub struct Page {
    /// Documents of the page, in order.
    pub documents: Vec<Document>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

/// Error of a call. The call has written nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Error {
    /// The operation does not declare the collection's model, or declares it for reading only.
    Denied(String),
    /// The document does not exist.
    NotFound,
    /// The document already exists.
    Exists,
    /// The document has another revision; the value is the current one.
    Stale(Option<u64>),
    /// An argument of the call is invalid.
    Invalid(String),
    /// The document is larger than the limit.
    TooLarge(String),
    /// Any other error: a code and a message. The in-memory documents never return it.
    Other((String, String)),
}

// As in the host, arguments are validated before access is checked.

/// Implements the function of the contract.
pub fn get(collection: &str, id: &str) -> Result<Option<Document>, Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    Store::with_read_access(&collection, |store| Ok(store.get(&collection, &id)))
}

/// Implements the function of the contract.
pub fn put(
    collection: &str,
    id: Option<&str>,
    body: &str,
    condition: Condition,
) -> Result<String, Error> {
    let collection = CollectionName::new(collection)?;
    let id = id.map(DocumentId::new).transpose()?;
    let body = Body::parse(body)?;
    Store::with_write_access(&collection, |store| {
        let id = id.map_or_else(|| store.new_id(&collection, condition), Ok)?;
        store.put(&collection, id.clone(), body, condition)?;
        Ok(id.into())
    })
}

/// Implements the function of the contract.
pub fn set(collection: &str, id: &str, fields: &[(String, String)]) -> Result<(), Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    let fields = edit::read_fields(fields)?;
    Store::with_write_access(&collection, |store| {
        Ok(store.current(&collection).set(&id, &fields)?)
    })
}

/// Implements the function of the contract.
pub fn merge(collection: &str, id: &str, patch: &str) -> Result<(), Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    let patch = edit::read_patch(patch)?;
    Store::with_write_access(&collection, |store| {
        Ok(store.current(&collection).merge(&id, &patch)?)
    })
}

/// Implements the function of the contract.
pub fn delete(collection: &str, id: &str) -> Result<bool, Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    Store::with_write_access(&collection, |store| Ok(store.current(&collection).delete(&id)))
}

/// Implements the function of the contract.
pub fn find(collection: &str, query: &Query) -> Result<Page, Error> {
    let collection = CollectionName::new(collection)?;
    let query = parse_query(&collection, query)?;
    Store::with_read_access(&collection, |store| Ok(store.find(&collection, query)))
}

/// Implements the function of the contract.
pub fn count(collection: &str, filter: &str) -> Result<u64, Error> {
    let collection = CollectionName::new(collection)?;
    let filter = Filter::parse_text(filter)?;
    Store::with_read_access(&collection, |store| Ok(store.current(&collection).count(&filter)))
}

/// Implements the function of the contract.
pub fn discard() {
    Store::with(Store::discard);
}

fn parse_query(collection: &CollectionName, query: &Query) -> Result<document::Query, Error> {
    let filter = Filter::parse_text(&query.filter)?;
    let keys = query.sort.iter().map(|key| {
        let path = Path::parse(&key.path)?;
        Ok(SortBy { path, descending: key.descending })
    });
    let sort = Sort::new(keys.collect::<Result<_, Error>>()?)?;
    let cursor = query.cursor.as_deref();
    Ok(document::Query::new(collection, filter, sort, query.limit, cursor)?)
}

impl<E: Into<document::DocumentError>> From<E> for Error {
    fn from(error: E) -> Self {
        match error.into() {
            document::DocumentError::NotFound => Self::NotFound,
            document::DocumentError::Exists => Self::Exists,
            document::DocumentError::Stale(revision) => Self::Stale(revision),
            document::DocumentError::Invalid(why) => Self::Invalid(why),
            document::DocumentError::TooLarge(why) => Self::TooLarge(why),
        }
    }
}
