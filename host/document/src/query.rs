//! A question to a collection, and the cursor that goes on where a page ended.

use std::fmt;

use crate::filter::Filter;
use crate::name::{CollectionName, DocumentId};
use crate::sort::{Sort, SortKey};

/// The most documents of a page where nobody says how many.
pub const DEFAULT_LIMIT: u32 = 100;
/// The most documents of a page.
pub const MAX_LIMIT: u32 = 1_000;

/// A question to a collection, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    pub(crate) limit: usize,
    /// Which query this is.
    pub(crate) fingerprint: u64,
    /// The last document of the page before.
    pub(crate) after: Option<SortKey>,
}

impl Query {
    /// Returns the question: which documents of a collection, in which order, how many on a
    /// page (1 to 1,000; 100 for `None`), and `next` of the page before, of the same
    /// collection, filter and order.
    ///
    /// # Errors
    ///
    /// Returns [`QueryError`] if the limit is out of bounds or the cursor is not one of this
    /// query.
    pub fn new(
        collection: &CollectionName,
        filter: Filter,
        sort: Sort,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Self, QueryError> {
        let _ = (collection, filter, sort, limit, cursor);
        todo!()
    }

    /// Returns which documents are meant.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Returns in which order.
    pub fn sort(&self) -> &Sort {
        &self.sort
    }

    /// Returns the id behind which this page begins, where documents come in the order of
    /// their ids: no document up to it, and not itself, is on the page. `None` where any may be.
    pub fn after_id(&self) -> Option<&str> {
        todo!()
    }
}

/// Where a page ended, as opaque text of at most 16 KiB: it goes on with the query that it came
/// from, and with no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) fingerprint: u64,
    pub(crate) last: SortKey,
}

impl Cursor {
    /// Reads a cursor.
    ///
    /// # Errors
    ///
    /// Returns [`CursorError::Garbage`] if it is none.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let _ = text;
        todo!()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}

/// Why something is not a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A page cannot hold so many documents.
    #[error("a page holds 1 to {MAX_LIMIT} documents, not {0}")]
    Limit(u32),
    /// The cursor does not go on with this.
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// Why a text does not go on with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// No page said it.
    #[error("the cursor is not one: it has to be `next` of a page, as it stands")]
    Garbage,
    /// A page of another query said it.
    #[error(
        "the cursor is that of another query: collection, filter and order have to be the same"
    )]
    OtherQuery,
}

/// An id never comes alone; see [`Query::after_id`].
#[expect(dead_code, reason = "skeleton")]
type Id = DocumentId;
