//! Queries of a collection.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::vec;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{DocumentError, Stored};
use crate::Model;
use crate::host::documents as host;

/// Maximum number of documents of a page.
const MAX_PAGE: usize = 1_000;

/// A query of a collection.
///
/// [`all`](Self::all), [`first`](Self::first) or a `for` loop executes the query.
///
/// # Example
///
/// ```
/// use ophost_sdk::serde_json::json;
/// use ophost_sdk::{Collection, model};
///
/// #[model]
/// struct Job {
///     title: String,
///     days: u32,
/// }
///
/// let jobs = Collection::new();
/// for (title, days) in [("Baker", 3), ("Smith", 40), ("Miller", 400)] {
///     jobs.insert(&Job { title: title.into(), days }).unwrap();
/// }
/// let old = jobs.find(json!({"days": {"$gte": 30}})).sort("-days").limit(50).all().unwrap();
/// let titles: Vec<_> = old.iter().map(|job| job.value.title.as_str()).collect();
/// assert_eq!(titles, ["Miller", "Smith"]);
/// ```
#[must_use = "a query is executed by `all`, `first` or a loop"]
pub struct Query<T> {
    collection: String,
    filter: Value,
    sort: Vec<host::SortKey>,
    limit: usize,
    model: PhantomData<fn() -> T>,
}

impl<T> Query<T> {
    pub(super) fn new(collection: String, filter: Value) -> Self {
        Self { collection, filter, sort: Vec::new(), limit: usize::MAX, model: PhantomData }
    }

    /// Sorts by the field at `path`, in ascending order.
    ///
    /// A leading `-` sorts in descending order, as in `-created`. The path `_id` is the document's
    /// id. Each further call adds a key for documents that are equal in the previous keys. The last
    /// key is always the id. A query has at most 8 keys.
    pub fn sort(mut self, path: &str) -> Self {
        let (path, descending) = match path.strip_prefix('-') {
            Some(path) => (path, true),
            None => (path, false),
        };
        self.sort.push(host::SortKey { path: path.to_owned(), descending });
        self
    }

    /// Limits the number of documents. By default there is no limit.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl<T: Model + DeserializeOwned> Query<T> {
    /// Returns the first document, or `None` if no document matches.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model.
    /// - Returns [`DocumentError::Invalid`] if the filter or a sort key is invalid.
    /// - Returns [`DocumentError::ModelMismatch`] if the document does not match the model.
    pub fn first(self) -> Result<Option<Stored<T>>, DocumentError> {
        let limit = self.limit.min(1);
        self.limit(limit).into_iter().next().transpose()
    }

    /// Returns all documents of the query.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model.
    /// - Returns [`DocumentError::Invalid`] if the filter or a sort key is invalid.
    /// - Returns [`DocumentError::ModelMismatch`] for the first document that does not match the
    ///   model.
    pub fn all(self) -> Result<Vec<Stored<T>>, DocumentError> {
        self.into_iter().collect()
    }
}

impl<T: Model + DeserializeOwned> IntoIterator for Query<T> {
    type Item = Result<Stored<T>, DocumentError>;
    type IntoIter = Documents<T>;

    fn into_iter(self) -> Documents<T> {
        let page_limit = self.limit.clamp(1, MAX_PAGE);
        let query = host::Query {
            filter: self.filter.to_string(),
            sort: self.sort,
            limit: u32::try_from(page_limit).ok(),
            cursor: None,
        };
        Documents {
            collection: self.collection,
            query,
            page: Vec::new().into_iter(),
            has_more: true,
            remaining: self.limit,
            model: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Query<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Query").field(&self.collection).field(&self.filter).finish()
    }
}

/// Iterator over the documents of a [`Query`]. Fetches them from the host page by page.
///
/// Writes of the run are visible in pages that are fetched later. If the host returns an error,
/// the iterator ends after the error. If a document does not match the model, the iterator returns
/// an error at its position and continues.
///
/// # Example
///
/// ```
/// use ophost_sdk::serde_json::json;
/// use ophost_sdk::{Collection, DocumentError, model};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// fn titles(jobs: &Collection<Job>) -> Result<Vec<String>, DocumentError> {
///     jobs.find(json!({})).into_iter().map(|job| Ok(job?.value.title)).collect()
/// }
///
/// let jobs = Collection::new();
/// jobs.insert(&Job { title: "Baker".into() }).unwrap();
/// assert_eq!(titles(&jobs).unwrap(), ["Baker"]);
/// ```
pub struct Documents<T> {
    collection: String,
    /// The query with the cursor of the next page.
    query: host::Query,
    page: vec::IntoIter<host::Document>,
    has_more: bool,
    remaining: usize,
    model: PhantomData<fn() -> T>,
}

impl<T> Documents<T> {
    /// Returns the next document of the host.
    fn fetch(&mut self) -> Result<Option<host::Document>, host::Error> {
        if self.remaining == 0 {
            return Ok(None);
        }
        while self.page.len() == 0 && self.has_more {
            // After an error, no further page is fetched.
            self.has_more = false;
            let page = host::find(&self.collection, &self.query)?;
            self.has_more = page.next.is_some();
            self.query.cursor = page.next;
            self.page = page.documents.into_iter();
        }
        self.remaining -= 1;
        Ok(self.page.next())
    }
}

impl<T: Model + DeserializeOwned> Iterator for Documents<T> {
    type Item = Result<Stored<T>, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let fetched =
            self.fetch().map_err(|error| DocumentError::from_host(error, &self.collection, ""));
        let document = fetched.transpose()?;
        Some(document.and_then(|document| Stored::from_host(&document, &self.collection)))
    }
}

impl<T: Model + DeserializeOwned> FusedIterator for Documents<T> {}

impl<T> fmt::Debug for Documents<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Documents").field(&self.collection).field(&self.query.filter).finish()
    }
}
