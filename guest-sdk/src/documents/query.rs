//! Questions to a collection.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::vec;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{DocumentError, Stored};
use crate::Model;
use crate::host::documents as host;

/// The most documents that a page may hold.
const MAX_PAGE: usize = 1_000;

/// A question to a collection, not asked yet: [`all`](Self::all), [`first`](Self::first) or
/// a `for` loop asks it.
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
#[must_use = "nothing is asked before `all`, `first` or a loop"]
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

    /// Sorts by the field at `path`, or after `-` with the greatest first (`-created`);
    /// `_id` is the document's id. Where documents are equal in that, the next call of this
    /// counts, at last the id. At most 8 times.
    pub fn sort(mut self, path: &str) -> Self {
        let (path, descending) = match path.strip_prefix('-') {
            Some(path) => (path, true),
            None => (path, false),
        };
        self.sort.push(host::SortKey { path: path.to_owned(), descending });
        self
    }

    /// Ends after this many documents. There is no limit without it.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl<T: Model + DeserializeOwned> Query<T> {
    /// Returns the first document; none if there is none.
    ///
    /// # Errors
    ///
    /// Returns `denied`, `invalid` where filter or order is not what it has to be, or
    /// `does-not-fit`.
    pub fn first(self) -> Result<Option<Stored<T>>, DocumentError> {
        let limit = self.limit.min(1);
        self.limit(limit).into_iter().next().transpose()
    }

    /// Returns all of them.
    ///
    /// # Errors
    ///
    /// Returns `denied`, `invalid` where filter or order is not what it has to be, or
    /// `does-not-fit` for the first document that is not of the model.
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

/// The documents that a [`Query`] means, fetched from the host page by page.
///
/// What the run writes meanwhile counts for the pages that are not fetched yet. After an
/// error of the host nothing comes any more; a document that is not of the model is an
/// error in its place.
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
    /// With the cursor of the page that comes next.
    query: host::Query,
    page: vec::IntoIter<host::Document>,
    has_more: bool,
    remaining: usize,
    model: PhantomData<fn() -> T>,
}

impl<T> Documents<T> {
    /// Returns the next document as the host has it.
    fn fetch(&mut self) -> Result<Option<host::Document>, host::Error> {
        if self.remaining == 0 {
            return Ok(None);
        }
        while self.page.len() == 0 && self.has_more {
            // Should this fail, it is not asked again.
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
