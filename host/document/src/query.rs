//! Queries of a collection, and the cursors of their pages.

use std::fmt;

use data_encoding::HEXLOWER;
use serde_json::json;

use crate::filter::Filter;
use crate::index::IndexOrder;
use crate::json;
use crate::name::{CollectionName, DocumentId};
use crate::projection::Projection;
use crate::scan::Scan;
use crate::sort::{MAX_KEY, Sort, SortKey};

/// Default number of documents of a page.
pub const DEFAULT_LIMIT: u32 = 100;
/// Maximum number of documents of a page.
pub const MAX_LIMIT: u32 = 1_000;

/// A validated query of one page of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    pub(crate) limit: usize,
    /// Hash of the collection, filter and sort order. All pages of a query have the same one.
    pub(crate) fingerprint: u64,
    /// The sort key of the last document of the previous page.
    pub(crate) after: Option<SortKey>,
}

impl Query {
    /// Returns a query of the documents that match a filter, in a sort order.
    ///
    /// A page has at most `limit` documents: 1 to 1,000, or 100 for `None`. `cursor` is `next` of
    /// the previous page, which must have the same collection, filter and sort order; `None`
    /// returns the first page.
    ///
    /// # Errors
    ///
    /// Returns [`QueryError`] if the limit is out of range, the cursor is malformed or the cursor
    /// belongs to another query.
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

    /// Returns the filter that the documents of the page match.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Returns the documents and fields that [`PageBuilder`](crate::find::PageBuilder) needs.
    pub fn scan(&self) -> Scan {
        let mut names = self.filter.names();
        names.extend(self.sort.names());
        let projection = Projection::new(names);
        Scan { projection, ids: self.filter.ids(), after: self.after_id() }
    }

    /// Returns the sort order as an order of index entries; `None` if no index can have it.
    pub fn index_order(&self) -> Option<IndexOrder> {
        IndexOrder::of(&self.sort, self.limit, self.after.as_ref())
    }

    /// Returns the id after which this page begins, if documents are sorted by id. `None` for the
    /// first page or another sort order.
    fn after_id(&self) -> Option<DocumentId> {
        self.after.as_ref().filter(|_| self.sort.is_by_id())?.as_id()?.parse().ok()
    }
}

/// Returns a hash that identifies a query: equal queries have equal hashes.
///
/// The hash only detects mistakes and need not be cryptographic: a forged cursor can only skip
/// documents that its caller can query anyway.
fn fingerprint(collection: &CollectionName, filter: &Filter, sort: &Sort) -> u64 {
    let query = json::canonical(&json!([collection, filter.source(), sort]));
    // FNV-1a, because the result must be the same in all versions of Rust.
    query.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The end of a page, from which the query continues with the next page.
///
/// A cursor is displayed as opaque text of at most 9 KiB. It is valid only for the query that
/// returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) fingerprint: u64,
    pub(crate) last: SortKey,
}

impl Cursor {
    /// Format version, the first byte of a cursor.
    const FORMAT: u8 = 1;
    /// Number of bytes before the sort key: the format version and the fingerprint.
    const HEAD: usize = 1 + size_of::<u64>();

    /// Parses the text of a cursor.
    ///
    /// # Errors
    ///
    /// Returns [`CursorError::Garbage`] if the text is not a cursor.
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
        let is_valid = *format == Self::FORMAT && !key.is_empty();
        is_valid.then(|| Self { fingerprint, last: SortKey::from_bytes(key.to_vec()) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = self.fingerprint.to_be_bytes();
        let bytes = [&[Self::FORMAT], &fingerprint[..], self.last.as_bytes()].concat();
        f.write_str(&HEXLOWER.encode(&bytes))
    }
}

/// The reason why a query is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A limit out of range.
    #[error("the limit of a page must be 1 to {MAX_LIMIT} documents, not {0}")]
    Limit(u32),
    /// An invalid cursor.
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// The reason why a cursor is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// A text that is not a cursor.
    #[error("invalid cursor; pass `next` of the previous page unchanged")]
    Garbage,
    /// A cursor of another query.
    #[error("the cursor belongs to another query; collection, filter and order must be the same")]
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

    /// Returns the cursor of a page that ends with the document `x`.
    fn cursor(collection: &str, filter: &Value, sort: &[&str]) -> String {
        let query = query(collection, filter, sort, None, None).unwrap();
        let id = DocumentId::new("x").unwrap();
        let last = query.sort.key_of(&id, &serde_json::Map::new());
        Cursor { fingerprint: query.fingerprint, last }.to_string()
    }

    #[test]
    fn limit_is_1_to_1000_documents_and_100_by_default() {
        let limit = |limit| query("jobs", &json!({}), &[], limit, None).map(|query| query.limit);
        assert_eq!(limit(None), Ok(100));
        assert_eq!((limit(Some(1)), limit(Some(1000))), (Ok(1), Ok(1000)));
        assert_eq!(limit(Some(0)), Err(QueryError::Limit(0)));
        let message = limit(Some(1001)).unwrap_err().to_string();
        assert_eq!(message, "the limit of a page must be 1 to 1000 documents, not 1001");
    }

    #[test]
    fn cursor_is_valid_only_for_its_own_query() {
        let filter = json!({"a": 1, "b": {"$gt": 2}});
        let text = cursor("jobs", &filter, &["a"]);
        let with = |collection, filter: &Value, sort: &[&str]| {
            query(collection, filter, sort, Some(7), Some(&text)).map(|query| query.after.is_some())
        };
        assert_eq!(with("jobs", &filter, &["a"]), Ok(true), "the limit is not part of the query");
        let other_order = json!({"b": {"$gt": 2}, "a": 1});
        assert_eq!(with("jobs", &other_order, &["a"]), Ok(true), "the order of fields is not");
        let other = Err(QueryError::Cursor(CursorError::OtherQuery));
        assert_eq!(with("leads", &filter, &["a"]), other);
        assert_eq!(with("jobs", &json!({"a": 1}), &["a"]), other);
        assert_eq!(with("jobs", &filter, &["a", "b"]), other);
        assert_eq!(with("jobs", &filter, &[]), other);
    }

    #[test]
    fn page_sorted_by_id_begins_after_an_id() {
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
    fn cursor_text_is_stable() {
        let text = cursor("jobs", &json!({}), &["a", "b"]);
        assert_eq!(Cursor::parse(&text).unwrap().to_string(), text);
        let written = "01f10de31f43ee009978";
        assert_eq!(cursor("jobs", &json!({}), &[]), written, "older versions wrote this text");
    }

    #[test]
    fn malformed_cursor_is_rejected() {
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
