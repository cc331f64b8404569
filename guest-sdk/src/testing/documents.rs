//! The contract's interface `documents`, from memory.

pub use ophost_document::Condition;
use ophost_document::{
    self as document, Body, CollectionName, DocumentId, Filter, Path, Sort, SortBy, edit,
};

use super::memory::Store;

/// A document as it is.
#[derive(Clone, Debug)]
pub struct Document {
    /// What names it.
    pub id: String,
    /// Which change it is of.
    pub revision: u64,
    /// What it holds.
    pub body: String,
}

/// One field that documents are sorted by.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// Which.
    pub path: String,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// A question to a collection.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which documents are meant.
    pub filter: String,
    /// In which order.
    pub sort: Vec<SortKey>,
    /// The most documents of a page.
    pub limit: Option<u32>,
    /// Where the page begins.
    pub cursor: Option<String>,
}

/// A part of an answer.
#[derive(Clone, Debug)]
pub struct Page {
    /// The documents, in order.
    pub documents: Vec<Document>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// Why a call did nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Error {
    /// The operation's models do not name the collection, or only for reading.
    Denied(String),
    /// There is no such document.
    NotFound,
    /// There is such a document already.
    Exists,
    /// The document has another revision, this one.
    Stale(Option<u64>),
    /// Something in the call is not what it has to be.
    Invalid(String),
    /// The document is larger than allowed.
    TooLarge(String),
    /// Something else: a code and a message. Memory has nothing else.
    Other((String, String)),
}

// What is asked for is read before it is looked at whether the operation may: as in the host.

/// See the contract.
pub fn get(collection: &str, id: &str) -> Result<Option<Document>, Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    Store::with_read_access(&collection, |store| Ok(store.get(&collection, &id)))
}

/// See the contract.
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

/// See the contract.
pub fn set(collection: &str, id: &str, fields: &[(String, String)]) -> Result<(), Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    let fields = edit::read_fields(fields)?;
    Store::with_write_access(&collection, |store| {
        Ok(store.current(&collection).set(&id, &fields)?)
    })
}

/// See the contract.
pub fn merge(collection: &str, id: &str, patch: &str) -> Result<(), Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    let patch = edit::read_patch(patch)?;
    Store::with_write_access(&collection, |store| {
        Ok(store.current(&collection).merge(&id, &patch)?)
    })
}

/// See the contract.
pub fn delete(collection: &str, id: &str) -> Result<bool, Error> {
    let (collection, id) = (CollectionName::new(collection)?, DocumentId::new(id)?);
    Store::with_write_access(&collection, |store| Ok(store.current(&collection).delete(&id)))
}

/// See the contract.
pub fn find(collection: &str, query: &Query) -> Result<Page, Error> {
    let collection = CollectionName::new(collection)?;
    let query = parse_query(&collection, query)?;
    Store::with_read_access(&collection, |store| Ok(store.find(&collection, query)))
}

/// See the contract.
pub fn count(collection: &str, filter: &str) -> Result<u64, Error> {
    let collection = CollectionName::new(collection)?;
    let filter = Filter::parse_text(filter)?;
    Store::with_read_access(&collection, |store| Ok(store.current(&collection).count(&filter)))
}

/// See the contract.
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
