//! Builds the page of a query from the documents of a collection.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::budget::{Budget, Interruption};
use crate::index::{IndexOrder, IndexPosition};
use crate::name::DocumentId;
use crate::projection::Fields;
use crate::query::{Cursor, Query};
use crate::sort::SortKey;

/// Maximum size of the ids and bodies of a page, in bytes. The first document can be larger.
pub const MAX_PAGE: usize = 1 << 20;

/// A document at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The id of the document in its collection.
    pub id: DocumentId,
    /// The revision, which increases with every change.
    pub revision: u64,
    /// The content, as compact JSON text.
    pub body: String,
}

impl Document {
    fn size(&self) -> usize {
        self.id.as_str().len() + self.body.len()
    }
}

/// One page of the result of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The documents, in the order of the query.
    pub documents: Vec<Document>,
    /// The cursor of the next page; `None` if this is the last page.
    pub next: Option<Cursor>,
}

/// Builds the page of a query from the documents that are offered.
///
/// The builder holds at most a page and one more document in memory.
#[derive(Debug)]
pub struct PageBuilder {
    query: Query,
    /// The documents that are on the page so far.
    documents: BTreeMap<SortKey, Document>,
    /// The size of their ids and bodies, in bytes.
    size: usize,
    /// The end of the page, if known. Documents with this key or a greater one are not on the page.
    end: Option<SortKey>,
    /// The key of the document that was offered last.
    key: SortKey,
}

impl PageBuilder {
    /// Begins a page.
    pub fn new(query: Query) -> Self {
        Self { query, documents: BTreeMap::new(), size: 0, end: None, key: SortKey::default() }
    }

    /// Offers a document to the page, and calls `whole` to get it if it can be on the page.
    ///
    /// For the order by id, each document must be offered once, in this order. For other orders, a
    /// document can be offered again. Documents that are not in
    /// [`Query::scan`] can be left out, and `fields` needs only the fields of the scan. `Break`
    /// means that the page is complete and further documents do not change it.
    ///
    /// # Errors
    ///
    /// Returns the error of `whole`.
    pub fn offer<E>(
        &mut self,
        id: &DocumentId,
        fields: &dyn Fields,
        whole: impl FnOnce() -> Result<Document, E>,
    ) -> Result<ControlFlow<()>, E> {
        // A budget without a limit is never used up.
        if self.query.filter.matches(id, fields)
            && self.admits(id, fields, &Budget::unlimited()).unwrap_or(false)
        {
            self.take(whole()?);
        }
        Ok(if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Returns whether a document that matches the filter can be on the page, within a budget.
    ///
    /// If it can, the caller must call [`PageBuilder::take`] with the document. The rules of
    /// [`PageBuilder::offer`] apply.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up. The document then does not count as
    /// offered.
    pub fn admits(
        &mut self,
        id: &DocumentId,
        fields: &dyn Fields,
        budget: &Budget,
    ) -> Result<bool, Interruption> {
        self.query.sort.write_key(&mut self.key, id, fields, budget)?;
        Ok(self.is_on_page())
    }

    /// Returns whether the page is complete, so that further documents do not change it.
    pub fn is_full(&self) -> bool {
        self.end.is_some() && self.query.sort.is_by_id()
    }

    /// Returns whether documents that have no entry before a position of an index do not change the
    /// page.
    pub fn is_complete_before(&self, order: &IndexOrder, position: &IndexPosition) -> bool {
        let bound = order.lower_bound(position);
        self.end.as_ref().is_some_and(|end| *end.as_bytes() <= bound[..])
    }

    /// Returns how many further matching documents at most can change the page; `None` if any
    /// number can.
    pub fn max_remaining(&self) -> Option<usize> {
        // The document after the last one decides whether the page has a successor.
        let more = (self.query.limit + 1).saturating_sub(self.documents.len());
        self.query.sort.is_by_id().then(|| if self.end.is_some() { 0 } else { more })
    }

    /// Returns whether the document that was offered last can be on this page.
    fn is_on_page(&mut self) -> bool {
        let is_before = self.query.after.as_ref().is_some_and(|after| self.key <= *after);
        let is_after = self.end.as_ref().is_some_and(|end| self.key >= *end);
        if is_before || is_after {
            return false;
        }
        let is_last = || self.documents.last_key_value().is_some_and(|(last, _)| *last < self.key);
        if self.documents.len() == self.query.limit && is_last() {
            self.end = Some(self.key.clone());
            return false;
        }
        true
    }

    /// Adds the document that was offered last, and drops documents that no longer fit.
    pub fn take(&mut self, document: Document) {
        self.size += document.size();
        if let Some(same) = self.documents.insert(self.key.clone(), document) {
            self.size -= same.size();
        }
        while self.documents.len() > self.query.limit
            || (self.size > MAX_PAGE && self.documents.len() > 1)
        {
            let Some((key, dropped)) = self.documents.pop_last() else { return };
            self.size -= dropped.size();
            self.end = Some(key);
        }
    }

    /// Returns the page.
    pub fn page(self) -> Page {
        let Self { query, documents, end, .. } = self;
        let last = documents.last_key_value().filter(|_| end.is_some()).map(|(key, _)| key.clone());
        let next = last.map(|last| Cursor { fingerprint: query.fingerprint, last });
        Page { documents: documents.into_values().collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::{Value, json};

    use super::*;
    use crate::filter::Filter;
    use crate::name::CollectionName;
    use crate::path::Path;
    use crate::sort::{Sort, SortBy};

    fn query(sort: &[&str], limit: u32, cursor: Option<&Cursor>) -> Query {
        let by = |path: &&str| SortBy { path: Path::parse(path).unwrap(), descending: false };
        let sort = Sort::new(sort.iter().map(by).collect()).unwrap();
        let filter = Filter::parse(&json!({"no": {"$exists": false}})).unwrap();
        let cursor = cursor.map(ToString::to_string);
        let collection = CollectionName::new("jobs").unwrap();
        Query::new(&collection, filter, sort, Some(limit), cursor.as_deref()).unwrap()
    }

    /// Offers documents with letters as ids until the page is complete. Returns the page and the
    /// number of offered documents.
    fn find(query: Query, documents: &[Value]) -> (Page, usize) {
        let mut builder = PageBuilder::new(query);
        let mut offered = 0;
        for (number, body) in documents.iter().enumerate() {
            offered += 1;
            let id = DocumentId::new(char::from(b'a' + number as u8).to_string()).unwrap();
            let whole = Document { id, revision: number as u64 + 1, body: body.to_string() };
            let id = whole.id.clone();
            let Ok(flow) =
                builder.offer(&id, body.as_object().unwrap(), || Ok::<_, Infallible>(whole));
            if flow.is_break() {
                break;
            }
        }
        (builder.page(), offered)
    }

    fn ids(page: &Page) -> String {
        page.documents.iter().map(|document| document.id.as_str()).collect()
    }

    #[test]
    fn page_has_matching_documents_in_order_up_to_its_limit() {
        let documents: Vec<_> =
            [3, 1, 2, 0, 1].map(|n| if n == 0 { json!({"no": 1}) } else { json!({"n": n}) }).into();
        let (page, offered) = find(query(&[], 2, None), &documents);
        assert_eq!(
            (ids(&page).as_str(), offered),
            ("ab", 3),
            "the scan stops when the page is complete"
        );
        let (page, offered) = find(query(&[], 2, page.next.as_ref()), &documents);
        assert_eq!((ids(&page).as_str(), offered), ("ce", 5));
        assert_eq!(page.next, None, "no document follows");
        let (page, offered) = find(query(&["n"], 3, None), &documents);
        assert_eq!((ids(&page).as_str(), offered), ("bec", 5), "every document must be offered");
        let (page, _) = find(query(&["n"], 3, page.next.as_ref()), &documents);
        assert_eq!((ids(&page).as_str(), page.next), ("a", None));
    }

    #[test]
    fn page_sorted_by_id_needs_one_document_more_than_its_limit() {
        let mut builder = PageBuilder::new(query(&[], 2, None));
        for (id, remaining) in [("a", 3), ("b", 2), ("c", 1)] {
            assert_eq!(builder.max_remaining(), Some(remaining));
            let whole = Document { id: id.parse().unwrap(), revision: 1, body: "{}".to_owned() };
            let id = whole.id.clone();
            let Ok(_) = builder.offer(&id, &serde_json::Map::new(), || Ok::<_, Infallible>(whole));
        }
        assert_eq!(builder.max_remaining(), Some(0));
        let sorted = PageBuilder::new(query(&["n"], 2, None));
        assert_eq!(sorted.max_remaining(), None, "any document can be the first");
    }

    #[test]
    fn page_contains_whole_documents() {
        let (page, _) = find(query(&[], 1, None), &[json!({"b": 1, "a": [null]})]);
        let id = DocumentId::new("a").unwrap();
        let body = r#"{"b":1,"a":[null]}"#.to_owned();
        assert_eq!(page.documents, [Document { id, revision: 1, body }]);
        assert_eq!(find(query(&[], 1, None), &[]).0, Page::default());
    }

    #[test]
    fn page_has_at_most_1_mib_or_one_document() {
        let of = |size: usize, n: u32| json!({"n": n, "t": "x".repeat(size)});
        let (half, full) = ((MAX_PAGE - 100) / 2, MAX_PAGE - 50);
        let documents = [of(half, 2), of(half, 4), of(10, 5), of(full, 1), of(full, 3)];
        let pages = |sort: &[&str]| {
            let (mut pages, mut cursor) = (Vec::new(), None);
            loop {
                let (page, _) = find(query(sort, 1000, cursor.as_ref()), &documents);
                pages.push(ids(&page));
                cursor = page.next;
                if cursor.is_none() {
                    return pages.join(" ");
                }
            }
        };
        assert_eq!(pages(&[]), "abc d e");
        assert_eq!(pages(&["n"]), "d a e bc");
    }

    #[test]
    fn document_after_the_end_of_a_page_is_not_on_it() {
        let of = |size: usize, n: u32| json!({"n": n, "t": "x".repeat(size)});
        let documents = [of(10, 1), of(MAX_PAGE - 30, 2), of(10, 3)];
        let (page, _) = find(query(&["n"], 1000, None), &documents);
        assert_eq!(ids(&page), "a", "c would fit, but b comes before it");
    }
}
