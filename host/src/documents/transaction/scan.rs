//! Merges stored documents with the documents that the run wrote, in the order of their ids.

use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};
use std::time::Instant;
use std::vec;

use ophost_document::Budget;

use super::state::State;
use crate::model::document::{Address, Body, Document, DocumentChange, DocumentId, Fields};
use crate::sandbox::DocumentCallError;
use crate::store::{PAGE_TIME, ScanPage, ScanPosition, ScanQuery, ScannedDocument, StoreError};

/// Revision of a document that the run wrote.
pub(super) const UNCOMMITTED_REVISION: u64 = 0;

/// Whether the scan continues.
pub(super) type VisitResult = Result<ControlFlow<()>, DocumentCallError>;

/// A matching document as the run sees it.
pub(super) enum VisibleDocument<'a> {
    /// A document of the snapshot.
    Stored(ScannedDocument),
    /// A document that the run wrote.
    Own(&'a DocumentId, &'a Body),
}

impl VisibleDocument<'_> {
    pub(super) fn id(&self) -> &DocumentId {
        match self {
            Self::Stored(stored) => &stored.id,
            Self::Own(id, _) => id,
        }
    }

    pub(super) fn fields(&self) -> &dyn Fields {
        match self {
            Self::Stored(stored) => &stored.fields,
            Self::Own(_, body) => *body,
        }
    }

    /// Converts the body to text and returns the whole document.
    pub(super) fn document(self) -> Result<Document, StoreError> {
        match self {
            Self::Stored(stored) => stored.document(),
            Self::Own(id, body) => {
                Ok(Document { id: id.clone(), revision: UNCOMMITTED_REVISION, body: body.text() })
            }
        }
    }
}

/// A scan of stored documents and of documents that the run wrote.
pub(super) struct MergeScan {
    /// The last document that the run wrote and the scan passed, or the start of the scan.
    after: Option<DocumentId>,
    /// The stored documents of the current page.
    stored: Peekable<vec::IntoIter<ScannedDocument>>,
    /// The end of the current page; `None` for the last page.
    end: Option<DocumentId>,
}

/// End of a time slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// The page is complete, or the visitor ended the scan.
    Done,
    /// The time is used up. The page continues in another slice.
    Yield,
}

impl MergeScan {
    /// Returns a scan without stored documents.
    pub(super) fn new(start: Option<&ScanPosition>) -> Self {
        let after = start.map(|position| position.id().clone());
        Self { after, stored: Vec::new().into_iter().peekable(), end: None }
    }

    /// Sets the next page of stored documents. Returns the position of the page after it.
    pub(super) fn set_page(&mut self, page: ScanPage<ScannedDocument>) -> Option<ScanPosition> {
        self.stored = page.documents.into_iter().peekable();
        self.end = page.next.as_ref().map(|next| next.id().clone());
        page.next
    }
}

impl State {
    /// Visits the matching documents of the current page for one time slice.
    pub(super) fn visit_slice(
        &self,
        query: &ScanQuery,
        scan: &mut MergeScan,
        visit: &mut impl FnMut(VisibleDocument<'_>, &Budget) -> VisitResult,
    ) -> Result<Slice, DocumentCallError> {
        let until = Instant::now() + PAGE_TIME;
        let mut own = self.own_between(query, scan.after.as_ref(), scan.end.as_ref()).peekable();
        loop {
            let is_own = match (own.peek(), scan.stored.peek()) {
                (Some((address, _)), Some(stored)) => address.id <= stored.id,
                (own, _) => own.is_some(),
            };
            let flow = match if is_own { own.next() } else { None } {
                Some((address, change)) => {
                    // The change replaces the stored document.
                    scan.stored.next_if(|stored| stored.id == address.id);
                    scan.after = Some(address.id.clone());
                    self.visit_own(query, address, change, visit)?
                }
                None => match scan.stored.next() {
                    Some(stored) => visit(VisibleDocument::Stored(stored), &self.budget)?,
                    None => return Ok(Slice::Done),
                },
            };
            if flow.is_break() {
                return Ok(Slice::Done);
            }
            // Checked after each document, because one document can take long.
            if Instant::now() >= until {
                return Ok(Slice::Yield);
            }
        }
    }

    fn visit_own(
        &self,
        query: &ScanQuery,
        address: &Address,
        change: &DocumentChange,
        visit: &mut impl FnMut(VisibleDocument<'_>, &Budget) -> VisitResult,
    ) -> VisitResult {
        match &change.after {
            Some(body) if query.filter.matches_within(&address.id, body, &self.budget)? => {
                visit(VisibleDocument::Own(&address.id, body), &self.budget)
            }
            Some(_) | None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Returns the changes of the run in the collection after `after`, up to and including `end`.
    fn own_between<'s>(
        &'s self,
        query: &'s ScanQuery,
        after: Option<&DocumentId>,
        end: Option<&'s DocumentId>,
    ) -> impl Iterator<Item = (&'s Address, &'s DocumentChange)> + use<'s> {
        let collection = &query.collection;
        let start = after.map_or(Bound::Unbounded, |id| {
            Bound::Excluded(Address { collection: collection.clone(), id: id.clone() })
        });
        let changes = self.effects.changes.range((start, Bound::Unbounded));
        changes.skip_while(|(address, _)| address.collection < *collection).take_while(
            move |(address, _)| {
                address.collection == *collection && end.is_none_or(|end| address.id <= *end)
            },
        )
    }

    /// Returns how many of these stored documents the run has not changed.
    pub(super) fn count_unchanged(&self, query: &ScanQuery, ids: Vec<DocumentId>) -> u64 {
        let changes = &self.effects.changes;
        if changes.is_empty() {
            return ids.len() as u64;
        }
        let address = |id| Address { collection: query.collection.clone(), id };
        let is_unchanged = |id| !changes.contains_key(&address(id));
        ids.into_iter().map(is_unchanged).map(u64::from).sum()
    }
}
