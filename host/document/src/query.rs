//! A question to a collection, and the cursor that goes on where a page ended.

use std::fmt;

use data_encoding::HEXLOWER;
use serde_json::json;

use crate::filter::Filter;
use crate::json;
use crate::name::{CollectionName, DocumentId};
use crate::projection::Projection;
use crate::scan::Scan;
use crate::sort::{MAX_KEY, Sort, SortKey};

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
    /// Which query this is, whatever page of it.
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
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(QueryError::Limit(limit));
        }
        let fingerprint = fingerprint(collection, &filter, &sort);
        let after = match cursor.map(Cursor::parse).transpose()? {
            Some(cursor) if cursor.fingerprint != fingerprint => {
                return Err(CursorError::OtherQuery.into());
            }
            Some(cursor) if sort.is_by_id() && cursor.last.as_id().is_none() => {
                return Err(CursorError::Garbage.into());
            }
            cursor => cursor.map(|cursor| cursor.last),
        };
        Ok(Self { filter, sort, limit: limit as usize, fingerprint, after })
    }

    /// Returns which documents are meant.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Returns what [`PageBuilder::offer`](crate::find::PageBuilder::see) has to be shown.
    pub fn scan(&self) -> Scan {
        let mut names = self.filter.names();
        names.extend(self.sort.names());
        let wanted = Projection::new(names);
        Scan { wanted, ids: self.filter.ids(), after: self.after_id(), before: None }
    }

    /// Returns the id behind which this page begins: it holds no document up to that one.
    /// `None` if it may hold any, since it is the first page or documents come in another
    /// order.
    fn after_id(&self) -> Option<DocumentId> {
        self.after.as_ref().filter(|_| self.sort.is_by_id())?.as_id()?.parse().ok()
    }
}

/// Returns a number that says which query this is: equal ones have the same, and others hardly
/// ever. It guards against mistakes alone: whoever makes a cursor up only skips documents that
/// they could ask for.
fn fingerprint(collection: &CollectionName, filter: &Filter, sort: &Sort) -> u64 {
    let query = json::canonical(&json!([collection, filter.source(), sort]));
    // FNV-1a: other versions of Rust have to come to the same.
    query.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Where a page ended, as opaque text of at most 9 KiB: it goes on with the query that it came
/// from, and with no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) fingerprint: u64,
    pub(crate) last: SortKey,
}

impl Cursor {
    /// What cursors begin with: how they are to be read.
    const FORMAT: u8 = 1;
    /// Before the key stand the format and the fingerprint.
    const HEAD: usize = 1 + size_of::<u64>();

    /// Reads a cursor.
    ///
    /// # Errors
    ///
    /// Returns [`CursorError::Garbage`] if it is none.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        Self::read(text).ok_or(CursorError::Garbage)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > 2 * (Self::HEAD + MAX_KEY) {
            return None;
        }
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        let (head, key) = bytes.split_at_checked(Self::HEAD)?;
        let (format, fingerprint) = head.split_first()?;
        let fingerprint = u64::from_be_bytes(fingerprint.try_into().ok()?);
        let is_one = *format == Self::FORMAT && !key.is_empty();
        is_one.then(|| Self { fingerprint, last: SortKey::from_bytes(key.to_vec()) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = self.fingerprint.to_be_bytes();
        let bytes = [&[Self::FORMAT], &fingerprint[..], self.last.as_bytes()].concat();
        f.write_str(&HEXLOWER.encode(&bytes))
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
    #[error("this is no cursor: one is `next` of a page, as it stands")]
    Garbage,
    /// A page of another query said it.
    #[error("the cursor is another query's: collection, filter and order have to be the same")]
    OtherQuery,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::path::Path;
    use crate::sort::SortBy;

    fn query(
        collection: &str,
        filter: &Value,
        sort: &[&str],
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Query, QueryError> {
        let by = |path: &&str| SortBy { path: Path::parse(path).unwrap(), descending: false };
        let sort = Sort::new(sort.iter().map(by).collect()).unwrap();
        let collection = CollectionName::new(collection).unwrap();
        Query::new(&collection, Filter::parse(filter).unwrap(), sort, limit, cursor)
    }

    /// Returns the cursor of a page of a query that ended with the document `x`.
    fn cursor(collection: &str, filter: &Value, sort: &[&str]) -> String {
        let query = query(collection, filter, sort, None, None).unwrap();
        let id = DocumentId::new("x").unwrap();
        let last = query.sort.key_of(&id, &serde_json::Map::new());
        Cursor { fingerprint: query.fingerprint, last }.to_string()
    }

    #[test]
    fn a_page_holds_1_to_1000_documents_and_100_if_nobody_says() {
        let limit = |limit| query("jobs", &json!({}), &[], limit, None).map(|query| query.limit);
        assert_eq!(limit(None), Ok(100));
        assert_eq!((limit(Some(1)), limit(Some(1000))), (Ok(1), Ok(1000)));
        assert_eq!(limit(Some(0)), Err(QueryError::Limit(0)));
        let told = limit(Some(1001)).unwrap_err().to_string();
        assert_eq!(told, "a page holds 1 to 1000 documents, not 1001");
    }

    #[test]
    fn a_cursor_goes_on_with_its_own_query_alone() {
        let filter = json!({"a": 1, "b": {"$gt": 2}});
        let text = cursor("jobs", &filter, &["a"]);
        let with = |collection, filter: &Value, sort: &[&str]| {
            query(collection, filter, sort, Some(7), Some(&text)).map(|query| query.after.is_some())
        };
        assert_eq!(with("jobs", &filter, &["a"]), Ok(true), "another limit is no other query");
        let other_order = json!({"b": {"$gt": 2}, "a": 1});
        assert_eq!(with("jobs", &other_order, &["a"]), Ok(true), "nor is another order of fields");
        let other = Err(QueryError::Cursor(CursorError::OtherQuery));
        assert_eq!(with("leads", &filter, &["a"]), other);
        assert_eq!(with("jobs", &json!({"a": 1}), &["a"]), other);
        assert_eq!(with("jobs", &filter, &["a", "b"]), other);
        assert_eq!(with("jobs", &filter, &[]), other);
    }

    #[test]
    fn a_page_of_the_order_of_ids_begins_behind_one() {
        for sort in [&[][..], &["_id"], &["_id", "a"]] {
            let text = cursor("jobs", &json!({}), sort);
            let query = query("jobs", &json!({}), sort, None, Some(&text)).unwrap();
            assert_eq!(query.after_id(), DocumentId::new("x").ok());
        }
        let text = cursor("jobs", &json!({}), &["a"]);
        assert_eq!(query("jobs", &json!({}), &["a"], None, Some(&text)).unwrap().after_id(), None);
        assert_eq!(query("jobs", &json!({}), &[], None, None).unwrap().after_id(), None);
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let text = cursor("jobs", &json!({}), &["a", "b"]);
        assert_eq!(Cursor::parse(&text).unwrap().to_string(), text);
        let written = "01f10de31f43ee009978";
        assert_eq!(cursor("jobs", &json!({}), &[]), written, "this text lives between versions");
    }

    #[test]
    fn what_no_page_said_is_no_cursor() {
        let good = cursor("jobs", &json!({}), &[]);
        let with = |text: &str| query("jobs", &json!({}), &[], None, Some(text)).unwrap_err();
        let broken = format!("{}ff", &good[..18]);
        let other_format = format!("02{}", &good[2..]);
        let texts = ["", "0", "zz", "ä", "01", &good[..18], &good[..19], &broken, &other_format];
        for text in texts {
            assert_eq!(with(text), QueryError::Cursor(CursorError::Garbage), "{text}");
        }
        let long = format!("{good}{}", "61".repeat(5_000));
        assert_eq!(with(&long), QueryError::Cursor(CursorError::Garbage));
    }
}
