//! Picks the documents of a page.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::budget::{Budget, Interruption};
use crate::name::DocumentId;
use crate::projection::Fields;
use crate::query::{Cursor, Query};
use crate::sort::SortKey;

/// The most text of a page, ids and bodies, in bytes; its first document may have more.
pub const MAX_PAGE: usize = 1 << 20;

/// A document as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What names it.
    pub id: DocumentId,
    /// Which change it is of.
    pub revision: u64,
    /// What it holds, as compact JSON text.
    pub body: String,
}

impl Document {
    fn size(&self) -> usize {
        self.id.as_str().len() + self.body.len()
    }
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The documents, in order.
    pub documents: Vec<Document>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

/// Picks the documents of a page from all that are shown to it. It holds no more than a page
/// and one document.
#[derive(Debug)]
pub struct PageBuilder {
    query: Query,
    /// What is on the page so far.
    kept: BTreeMap<SortKey, Document>,
    /// How much text that is.
    size: usize,
    /// The first document that fits but is not on the page any more: neither is any behind it.
    end: Option<SortKey>,
    /// The key of the document that is looked at.
    key: SortKey,
}

impl PageBuilder {
    /// Begins a page.
    pub fn new(query: Query) -> Self {
        Self { query, kept: BTreeMap::new(), size: 0, end: None, key: SortKey::default() }
    }

    /// Looks at a document, of which no other fields are needed than [`Query::scan`] says,
    /// and takes it from `whole` if it may be on the page. Each is shown once, in the order of
    /// the ids; those that [`Query::scan`] does not mean need not be shown. `Break` says that
    /// the page is full: documents that follow change nothing.
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
        if self.wants(id, fields, &Budget::unlimited()).unwrap_or(false) {
            self.take(whole()?);
        }
        Ok(if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Looks at a document as [`PageBuilder::offer`] does, within a budget, and returns whether it may be
    /// on the page: then [`PageBuilder::take`] has to be called with it.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up; the document was not looked at then.
    pub fn wants(
        &mut self,
        id: &DocumentId,
        fields: &dyn Fields,
        budget: &Budget,
    ) -> Result<bool, Interruption> {
        if !self.query.filter.matches_within(id, fields, budget)? {
            return Ok(false);
        }
        self.query.sort.write_key(&mut self.key, id, fields, budget)?;
        Ok(self.is_on_page())
    }

    /// Returns whether documents that follow change nothing.
    pub fn is_full(&self) -> bool {
        self.end.is_some() && self.query.sort.is_by_id()
    }

    /// Returns whether the document that is looked at may be on this page.
    fn is_on_page(&mut self) -> bool {
        let is_before = self.query.after.as_ref().is_some_and(|after| self.key <= *after);
        let is_behind = self.end.as_ref().is_some_and(|end| self.key >= *end);
        if is_before || is_behind {
            return false;
        }
        let is_last = || self.kept.last_key_value().is_some_and(|(last, _)| *last < self.key);
        if self.kept.len() == self.query.limit && is_last() {
            self.end = Some(self.key.clone());
            return false;
        }
        true
    }

    /// Takes the document that was looked at last.
    pub fn take(&mut self, document: Document) {
        self.size += document.size();
        if let Some(same) = self.kept.insert(self.key.clone(), document) {
            self.size -= same.size();
        }
        while self.kept.len() > self.query.limit || (self.size > MAX_PAGE && self.kept.len() > 1) {
            let Some((key, dropped)) = self.kept.pop_last() else { return };
            self.size -= dropped.size();
            self.end = Some(key);
        }
    }

    /// Returns the page.
    pub fn page(self) -> Page {
        let Self { query, kept, end, .. } = self;
        let last = kept.last_key_value().filter(|_| end.is_some()).map(|(key, _)| key.clone());
        let next = last.map(|last| Cursor { fingerprint: query.fingerprint, last });
        Page { documents: kept.into_values().collect(), next }
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

    /// Shows documents, whose ids are the letters, until there are enough; says how many were
    /// shown.
    fn find(query: Query, documents: &[Value]) -> (Page, usize) {
        let mut finder = PageBuilder::new(query);
        let mut shown = 0;
        for (number, body) in documents.iter().enumerate() {
            shown += 1;
            let id = DocumentId::new(char::from(b'a' + number as u8).to_string()).unwrap();
            let whole = Document { id, revision: number as u64 + 1, body: body.to_string() };
            let id = whole.id.clone();
            let Ok(seen) =
                finder.offer(&id, body.as_object().unwrap(), || Ok::<_, Infallible>(whole));
            if seen.is_break() {
                break;
            }
        }
        (finder.page(), shown)
    }

    fn ids(page: &Page) -> String {
        page.documents.iter().map(|document| document.id.as_str()).collect()
    }

    #[test]
    fn a_page_has_what_fits_in_order_up_to_its_limit() {
        let documents: Vec<_> =
            [3, 1, 2, 0, 1].map(|n| if n == 0 { json!({"no": 1}) } else { json!({"n": n}) }).into();
        let (page, shown) = find(query(&[], 2, None), &documents);
        assert_eq!((ids(&page).as_str(), shown), ("ab", 3), "it ends where it is known to");
        let (page, shown) = find(query(&[], 2, page.next.as_ref()), &documents);
        assert_eq!((ids(&page).as_str(), shown), ("ce", 5));
        assert_eq!(page.next, None, "nothing follows");
        let (page, shown) = find(query(&["n"], 3, None), &documents);
        assert_eq!((ids(&page).as_str(), shown), ("bec", 5), "all have to be seen");
        let (page, _) = find(query(&["n"], 3, page.next.as_ref()), &documents);
        assert_eq!((ids(&page).as_str(), page.next), ("a", None));
    }

    #[test]
    fn a_document_is_shown_whole() {
        let (page, _) = find(query(&[], 1, None), &[json!({"b": 1, "a": [null]})]);
        let id = DocumentId::new("a").unwrap();
        let body = r#"{"b":1,"a":[null]}"#.to_owned();
        assert_eq!(page.documents, [Document { id, revision: 1, body }]);
        assert_eq!(find(query(&[], 1, None), &[]).0, Page::default());
    }

    #[test]
    fn a_page_ends_at_1_mib_with_one_document_at_least() {
        let of = |size: usize, n: u32| json!({"n": n, "t": "x".repeat(size)});
        let (half, most) = ((MAX_PAGE - 100) / 2, MAX_PAGE - 50);
        let documents = [of(half, 2), of(half, 4), of(10, 5), of(most, 1), of(most, 3)];
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
    fn what_follows_the_end_of_a_page_does_not_come_back_on_it() {
        let of = |size: usize, n: u32| json!({"n": n, "t": "x".repeat(size)});
        let documents = [of(10, 1), of(MAX_PAGE - 30, 2), of(10, 3)];
        let (page, _) = find(query(&["n"], 1000, None), &documents);
        assert_eq!(ids(&page), "a", "c would fit, but b comes before it");
    }
}
