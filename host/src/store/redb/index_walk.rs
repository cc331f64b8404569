//! Reads the documents of a query in the order of an index.

use ophost_document::IndexPosition;

use super::documents::PageScan;
use super::index::document_of_entry;
use super::tables::{Source, View};
use super::{codec, keys};
use crate::model::document::Address;
use crate::store::{IndexWalk, ScanError, ScanQuery, ScannedDocument, StoreError, WalkPage};

/// Number of documents that a walk reads at least before a scan of the collection replaces it.
const MIN_READ: u64 = 1_000;
/// A walk reads at most one of this number of documents, because a scan reads each in less time.
const MIN_SELECTIVITY: u64 = 8;

impl<S: Source> View<S> {
    /// Reads a page of a walk along an index. Returns `None` if the index cannot be used, or if
    /// another plan is probably faster.
    pub(super) fn walk(
        &self,
        query: &ScanQuery,
        IndexWalk { order, position }: &IndexWalk,
        mut page: PageScan<'_, ScannedDocument>,
    ) -> Result<Option<WalkPage>, ScanError> {
        let index = match self.ready_index(&query.collection, order.field())? {
            Some(index) if position.is_some() || self.is_worth_a_walk(query, order.limit())? => {
                index
            }
            Some(_) | None => return Ok(None),
        };
        let documents = self.collection_stats(&query.collection)?.documents;
        let max_read = MIN_READ.max(documents / MIN_SELECTIVITY);
        let mut next = match position.as_ref().or(order.start()) {
            Some(start) => Some(start.clone()),
            None => self.next_value(index, None, order.is_descending())?,
        };
        while let Some(position) = next.take() {
            next = self.walk_value(query, (index, &position), &mut page)?;
            if next.is_some() {
                break;
            }
            next = self.next_value(index, Some(&position.value), order.is_descending())?;
        }
        let page = page.buffer.page(None);
        Ok(Some(WalkPage { documents: page.documents, next, read: page.read, max_read }))
    }

    /// Returns whether the documents of a page are probably among fewer documents in the order of an
    /// index than in the documents that another index yields.
    fn is_worth_a_walk(&self, query: &ScanQuery, limit: usize) -> Result<bool, StoreError> {
        if query.ids.is_some() {
            return Ok(false);
        }
        let documents = self.collection_stats(&query.collection)?.documents;
        let documents = usize::try_from(documents).unwrap_or(usize::MAX);
        // If `n` documents match, the walk reads about `limit * documents / n` of them.
        let balance = limit.saturating_mul(documents).isqrt();
        Ok(!self.has_few_candidates(query, balance)?)
    }

    /// Reads the documents of one value. Returns the position at which the page ended.
    fn walk_value(
        &self,
        query: &ScanQuery,
        (index, position): (u32, &IndexPosition),
        page: &mut PageScan<'_, ScannedDocument>,
    ) -> Result<Option<IndexPosition>, ScanError> {
        let value = &position.value;
        let all = keys::index_entries(index, value);
        let first = position
            .after
            .as_ref()
            .map_or_else(|| all.clone(), |id| keys::index_entry_after(index, value, id));
        for entry in self.range(&first, &keys::after(&all))? {
            let id = document_of_entry(&entry?.0)?;
            let address = Address { collection: query.collection.clone(), id };
            let key = keys::document(&address);
            let Some(document) = self.bytes(&key)? else { continue };
            if page.visit(query, &address.id, (&key, &document))? {
                let (value, after) = (value.clone(), Some(address.id));
                return Ok(Some(IndexPosition { value, after }));
            }
        }
        Ok(None)
    }

    /// Returns the start of the value that follows another one, or of the first value.
    fn next_value(
        &self,
        index: u32,
        value: Option<&[u8]>,
        is_descending: bool,
    ) -> Result<Option<IndexPosition>, StoreError> {
        let all = keys::index_entries(index, &[]);
        let of_value = value.map(|value| keys::index_entries(index, value));
        let entry = match is_descending {
            true => {
                let end = of_value.unwrap_or_else(|| keys::after(&all));
                self.range(&all, &end)?.next_back()
            }
            false => {
                let first = of_value.map_or_else(|| all.clone(), |prefix| keys::after(&prefix));
                self.range(&first, &keys::after(&all))?.next()
            }
        };
        let Some((key, _)) = entry.transpose()? else { return Ok(None) };
        let entry = keys::parse_index_entry(&key);
        let entry = entry.ok_or_else(|| codec::corrupted(&key, "malformed key"))?;
        Ok(Some(IndexPosition { value: entry.value.to_vec(), after: None }))
    }
}
