//! The documents of a native build, per thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use ophost_document::{
    Body, Collection, CollectionName, Condition, DocumentError, DocumentId, Query,
};
use serde::Serialize;
use serde_json::Value;

use super::{documents as contract, schemas};
use crate::{Model, Operation, Result, model};

thread_local! {
    static STORE: RefCell<Store> = RefCell::default();
}

/// All collections: the committed documents, and the current ones with the writes of the run.
#[derive(Default)]
pub(super) struct Store {
    committed: BTreeMap<CollectionName, Collection>,
    current: BTreeMap<CollectionName, Collection>,
    /// Access of the invoked operation. `None` if a test calls functions: all access is granted.
    grants: Option<Grants>,
    ids_created: u32,
}

/// The collections that an operation has access to.
struct Grants {
    read: Vec<String>,
    write: Vec<String>,
}

impl Store {
    /// Calls `f` with the store of this thread.
    pub(super) fn with<T>(f: impl FnOnce(&mut Self) -> T) -> T {
        STORE.with_borrow_mut(f)
    }

    /// Calls `f` with the store of this thread if the operation may read the collection.
    pub(super) fn with_read_access<T>(
        collection: &CollectionName,
        f: impl FnOnce(&mut Self) -> Result<T, contract::Error>,
    ) -> Result<T, contract::Error> {
        Self::with(|store| {
            store.grants.as_ref().map_or(Ok(()), |grants| grants.check_read(collection))?;
            f(store)
        })
    }

    /// Calls `f` with the store of this thread if the operation may write the collection.
    pub(super) fn with_write_access<T>(
        collection: &CollectionName,
        f: impl FnOnce(&mut Self) -> Result<T, contract::Error>,
    ) -> Result<T, contract::Error> {
        Self::with(|store| {
            store.grants.as_ref().map_or(Ok(()), |grants| grants.check_write(collection))?;
            f(store)
        })
    }

    /// Returns a collection with the writes of the run.
    pub(super) fn current(&mut self, collection: &CollectionName) -> &mut Collection {
        self.current.entry(collection.clone()).or_default()
    }

    pub(super) fn get(
        &mut self,
        collection: &CollectionName,
        id: &DocumentId,
    ) -> Option<contract::Document> {
        let document = self.current(collection).get(id)?;
        Some(self.to_contract(collection, document))
    }

    pub(super) fn find(&mut self, collection: &CollectionName, query: Query) -> contract::Page {
        let page = self.current(collection).find(query);
        let documents = page.documents.into_iter();
        contract::Page {
            documents: documents.map(|document| self.to_contract(collection, document)).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }

    pub(super) fn put(
        &mut self,
        collection: &CollectionName,
        id: DocumentId,
        body: Body,
        condition: Condition,
    ) -> Result<(), DocumentError> {
        // The run sees revision 0 for its own writes, unlike the collection.
        condition.check(self.revision(collection, &id))?;
        self.current(collection).put(id, body, Condition::Always)
    }

    /// Returns an unused id. Later ids are greater.
    pub(super) fn new_id(
        &mut self,
        collection: &CollectionName,
        condition: Condition,
    ) -> Result<DocumentId, contract::Error> {
        condition.check_new()?;
        loop {
            self.ids_created += 1;
            let id = DocumentId::new(format!("new-{:06}", self.ids_created))?;
            if self.current(collection).revision(&id).is_none() {
                return Ok(id);
            }
        }
    }

    pub(super) fn discard(&mut self) {
        self.current.clone_from(&self.committed);
    }

    fn commit(&mut self) {
        self.committed.clone_from(&self.current);
    }

    fn to_contract(
        &self,
        collection: &CollectionName,
        document: ophost_document::Document,
    ) -> contract::Document {
        let ophost_document::Document { id, body, .. } = document;
        let revision = self.revision(collection, &id).unwrap_or(0);
        contract::Document { id: id.into(), revision, body }
    }

    /// Returns the revision of a document as the run sees it.
    ///
    /// Returns 0 if the run has written the document, or `None` if the document does not exist.
    fn revision(&self, collection: &CollectionName, id: &DocumentId) -> Option<u64> {
        let of = |documents: &BTreeMap<_, Collection>| documents.get(collection)?.revision(id);
        let current = of(&self.current)?;
        Some(if of(&self.committed) == Some(current) { current } else { 0 })
    }
}

impl Grants {
    fn from_operation(operation: &Operation) -> Self {
        let explicit = operation.annotations.iter().find(|it| it.key == model::COLLECTIONS_KEY);
        let explicit = explicit.map(|annotation| (annotation.value)()).unwrap_or_default();
        let collections = |models: &[&str]| {
            let collection =
                |model: &&str| model::collection_name(model, explicit[*model].as_str());
            models.iter().map(collection).collect()
        };
        Self { read: collections(operation.models_in), write: collections(operation.models_out) }
    }

    fn check_read(&self, collection: &CollectionName) -> Result<(), contract::Error> {
        let mut names = self.read.iter().chain(&self.write);
        if names.any(|name| name == collection.as_str()) {
            return Ok(());
        }
        let why = format!("the operation's models do not name the collection `{collection}`");
        Err(contract::Error::Denied(why))
    }

    fn check_write(&self, collection: &CollectionName) -> Result<(), contract::Error> {
        self.check_read(collection)?;
        if self.write.iter().any(|name| name == collection.as_str()) {
            return Ok(());
        }
        let why =
            format!("the operation's models name the collection `{collection}` for reading only");
        Err(contract::Error::Denied(why))
    }
}

/// Runs an operation.
///
/// As in the host, the input and the output are validated, and the operation has access to its
/// declared collections only. Its writes are committed if it succeeds, and discarded otherwise.
pub(crate) fn invoke(operation: &Operation, input: &str) -> Result<String> {
    let Some(run) = RunGuard::begin(operation) else {
        // An operation that calls another one is part of the outer run, as in the host.
        return (operation.handler)(input);
    };
    let input = schemas::valid_input(operation, input)?;
    let output = (operation.handler)(&input)?;
    schemas::check_output(operation, &output)?;
    run.commit();
    Ok(output)
}

/// A run in progress. Dropping the guard discards the writes that are not committed.
struct RunGuard(());

impl RunGuard {
    fn begin(operation: &Operation) -> Option<Self> {
        Store::with(|store| {
            if store.grants.is_some() {
                return None;
            }
            store.commit();
            store.grants = Some(Grants::from_operation(operation));
            Some(Self(()))
        })
    }

    fn commit(self) {
        Store::with(Store::commit);
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        Store::with(|store| {
            store.grants = None;
            store.discard();
        });
    }
}

/// The documents of a native build, see [`memory`](crate::documents::memory).
#[derive(Debug)]
pub struct Memory {
    /// Makes the type `!Send`, because each thread has its own documents.
    thread: PhantomData<*const ()>,
}

impl Memory {
    pub(crate) fn current_thread() -> Self {
        Self { thread: PhantomData }
    }

    /// Deletes all documents.
    pub fn reset(&self) {
        Store::with(|store| *store = Store::default());
    }

    /// Adds or replaces a document and commits all writes, as [`commit`](Self::commit) does.
    ///
    /// # Panics
    ///
    /// Panics if the id or the value is not valid for a document.
    pub fn seed<T: Model + Serialize>(&self, id: &str, value: &T) {
        let value = serde_json::to_value(value).expect("the model serialises to JSON");
        self.seed_json(&model::collection_name(T::NAME, T::COLLECTION), id, value);
    }

    /// Adds or replaces a document of any JSON, otherwise as [`seed`](Self::seed).
    ///
    /// # Panics
    ///
    /// Panics if the name of the collection, the id or the body is not valid.
    pub fn seed_json(&self, collection: &str, id: &str, body: Value) {
        let collection =
            CollectionName::new(collection).expect("the name of the collection is valid");
        let id = DocumentId::new(id).expect("the id of the document is valid");
        let body = Body::try_from(body).expect("the body of the document is valid");
        Store::with(|store| {
            let put = store.current(&collection).put(id, body, Condition::Always);
            put.expect("a put without a condition succeeds");
            store.commit();
        });
    }

    /// Commits all writes. The written documents get a new revision.
    ///
    /// If a test calls the functions of operations, their writes belong to one run until this call.
    pub fn commit(&self) {
        Store::with(Store::commit);
    }

    /// Returns the documents of a collection by id.
    ///
    /// # Panics
    ///
    /// Panics if the name of the collection is not valid.
    pub fn documents(&self, collection: &str) -> BTreeMap<String, Value> {
        let mut query = contract::Query {
            filter: "{}".to_owned(),
            sort: Vec::new(),
            limit: None,
            cursor: None,
        };
        let mut documents = BTreeMap::new();
        loop {
            let page =
                contract::find(collection, &query).expect("the name of the collection is valid");
            documents.extend(page.documents.into_iter().map(|document| {
                (
                    document.id,
                    serde_json::from_str(&document.body).expect("the body of a document is JSON"),
                )
            }));
            query.cursor = page.next;
            if query.cursor.is_none() {
                return documents;
            }
        }
    }
}
