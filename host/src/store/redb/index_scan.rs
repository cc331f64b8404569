//! Plans the scan of a query: by an index, or of the whole collection.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use ophost_document::index::bounds_of;
use ophost_document::{Bounds, IndexField, KeyRange};

use super::documents::PageScan;
use super::index::{Definition, IndexDefinition, StoredState, document_of_entry};
use super::keys;
use super::tables::{Source, View};
use crate::model::document::{Address, CollectionName};
use crate::store::documents::{Access, ScanPlan};
use crate::store::{
    FullScanReason, QueryPlan, ScanError, ScanPage, ScanPosition, ScanQuery, StoreError,
};

/// Number of entries up to which indexes are compared. Counting them takes microseconds.
pub(super) const MAX_COMPARED: usize = 256;
/// Maximum number of documents that a plan holds in memory.
const MAX_CANDIDATES: usize = 100_000;
/// Number of candidates that are always read.
const MIN_CANDIDATES: usize = 64;
/// A range of an index is used for at most one of this number of documents, because reading all
/// documents in order takes less time for each of them.
const MIN_SELECTIVITY: usize = 4;

/// An index that can find the documents of a query.
struct Candidate {
    field: IndexField,
    index: u32,
    bounds: Bounds,
    /// The number of entries, up to [`MAX_COMPARED`].
    entries: usize,
}

impl Candidate {
    /// Returns the only key; `None` if the bounds have more keys.
    fn point(&self) -> Option<&KeyRange> {
        match self.bounds.ranges() {
            [range] if range.is_point() => Some(range),
            _ => None,
        }
    }

    fn plan(self, access: Access, candidates: usize, has_more: bool) -> ScanPlan {
        let conditions = self.bounds.conditions().to_vec();
        let (index, candidates) = (self.field, candidates as u64);
        let summary = QueryPlan::Index { index, conditions, candidates, has_more };
        ScanPlan { access, summary }
    }
}

fn full_scan(reason: FullScanReason) -> ScanPlan {
    ScanPlan { access: Access::Query, summary: QueryPlan::FullScan { reason } }
}

impl<S: Source> View<S> {
    /// Returns the plan of a scan, if its candidates need not be collected. Takes microseconds.
    pub(super) fn plan_quickly(&self, query: &ScanQuery) -> Result<Option<ScanPlan>, StoreError> {
        if let Some(ids) = &query.ids {
            let summary = QueryPlan::Ids { candidates: ids.len() as u64 };
            return Ok(Some(ScanPlan { access: Access::Query, summary }));
        }
        let best = match self.best_index(query)? {
            Ok(best) => best,
            Err(reason) => return Ok(Some(full_scan(reason))),
        };
        if let Some(point) = best.point() {
            let (field, index) = (best.field.clone(), best.index);
            let access = Access::Point { field, index, key: point.from().to_vec() };
            let (entries, has_more) = (best.entries, best.entries == MAX_COMPARED);
            return Ok(Some(best.plan(access, entries, has_more)));
        }
        match best.entries < MAX_COMPARED {
            true => self.collect(best, MAX_COMPARED).map(Some),
            false => Ok(None),
        }
    }

    /// Returns the plan of a scan. `max_documents` is the number of matching documents after which
    /// the scan probably ends.
    pub(super) fn plan(
        &self,
        query: &ScanQuery,
        max_documents: usize,
    ) -> Result<ScanPlan, StoreError> {
        if let Some(plan) = self.plan_quickly(query)? {
            return Ok(plan);
        }
        let documents = self.collection_stats(&query.collection)?.documents;
        let max = max_candidates(usize::try_from(documents).unwrap_or(usize::MAX), max_documents);
        match self.best_index(query)? {
            Ok(best) => self.collect(best, max),
            Err(reason) => Ok(full_scan(reason)),
        }
    }

    /// Returns whether an index yields at most `max` documents of a query.
    pub(super) fn has_few_candidates(
        &self,
        query: &ScanQuery,
        max: usize,
    ) -> Result<bool, StoreError> {
        let Ok(best) = self.best_index(query)? else { return Ok(false) };
        let mut entries = 0;
        self.each_entry(best.index, &best.bounds, |_| {
            entries += 1;
            Ok(entries <= max)
        })?;
        Ok(entries <= max)
    }

    /// Returns the index with the fewest entries for a query, or why there is none.
    fn best_index(
        &self,
        query: &ScanQuery,
    ) -> Result<Result<Candidate, FullScanReason>, StoreError> {
        let definitions = self.indexes_of(&query.collection)?;
        if definitions.is_empty() {
            return Ok(Err(FullScanReason::NoIndex));
        }
        let (mut best, mut has_ready) = (None::<Candidate>, false);
        for definition in definitions.into_iter().filter(|(_, it)| it.state == StoredState::Ready) {
            has_ready = true;
            for candidate in self.candidates(query, definition)? {
                let rank = |it: &Candidate| (it.entries, it.point().is_none());
                if best.as_ref().is_none_or(|best| rank(&candidate) < rank(best)) {
                    best = Some(candidate);
                }
            }
        }
        let reason = if has_ready { FullScanReason::NoCondition } else { FullScanReason::NotReady };
        Ok(best.ok_or(reason))
    }

    fn candidates(
        &self,
        query: &ScanQuery,
        (field, IndexDefinition { id, has_lists, .. }): Definition,
    ) -> Result<Vec<Candidate>, StoreError> {
        let bounds = bounds_of(&query.filter, &field, has_lists);
        let candidate = |bounds: Bounds| {
            let mut entries = 0;
            self.each_entry(id, &bounds, |_| {
                entries += 1;
                Ok(entries < MAX_COMPARED)
            })?;
            Ok(Candidate { field: field.clone(), index: id, bounds, entries })
        };
        bounds.into_iter().map(candidate).collect()
    }

    /// Returns the plan that reads the documents in the bounds of an index, or a full scan if there
    /// are more than `max`.
    fn collect(&self, best: Candidate, max: usize) -> Result<ScanPlan, StoreError> {
        let mut ids = BTreeSet::new();
        self.each_entry(best.index, &best.bounds, |key| {
            ids.insert(document_of_entry(key)?);
            Ok(ids.len() <= max)
        })?;
        if ids.len() > max {
            return Ok(full_scan(FullScanReason::TooManyCandidates));
        }
        let count = ids.len();
        Ok(best.plan(Access::Ids(ids), count, false))
    }

    /// Passes the keys of the entries in the bounds to `visit`, until `visit` returns `false`.
    fn each_entry(
        &self,
        index: u32,
        bounds: &Bounds,
        mut visit: impl FnMut(&[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        for range in bounds.ranges() {
            let (first, end) =
                (keys::index_entries(index, range.from()), keys::index_entries(index, range.end()));
            let flow = self.each_between(&first, &end, |key, _| {
                Ok::<_, StoreError>(match visit(key)? {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                })
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Scans the documents that have a key in an index.
    pub(super) fn scan_point<D>(
        &self,
        query: &ScanQuery,
        (index, value): (u32, &[u8]),
        mut page: PageScan<'_, D>,
    ) -> Result<ScanPage<D>, ScanError> {
        let all = keys::index_entries(index, value);
        let first = page
            .after
            .map_or_else(|| all.clone(), |it| keys::index_entry_after(index, value, it.id()));
        let mut last = None;
        self.each_between(&first, &keys::after(&all), |key, _| {
            let id = document_of_entry(key)?;
            let address = Address { collection: query.collection.clone(), id };
            let document = keys::document(&address);
            let Some(value) = self.bytes(&document)? else { return Ok(ControlFlow::Continue(())) };
            if !page.visit(query, &address.id, (&document, &value))? {
                return Ok(ControlFlow::Continue(()));
            }
            last = Some(address.id);
            Ok::<_, ScanError>(ControlFlow::Break(()))
        })
        .map(drop)?;
        Ok(page.buffer.page(last.map(ScanPosition::after)))
    }

    /// Returns the number of an index that can be used.
    pub(super) fn ready_index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<Option<u32>, StoreError> {
        let definition = self.index(collection, field)?;
        Ok(definition.filter(|it| it.state == StoredState::Ready).map(|it| it.id))
    }
}

/// Returns the number of candidates above which a scan of the whole collection is faster.
///
/// A scan that ends after a few matching documents reads only a part of the collection, which is
/// smaller the more documents match.
fn max_candidates(documents: usize, max_documents: usize) -> usize {
    let all = (documents / MIN_SELECTIVITY).min(MAX_CANDIDATES);
    let few = max_documents.saturating_mul(documents).isqrt().saturating_mul(MIN_SELECTIVITY);
    all.min(few).max(MIN_CANDIDATES)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ophost_document::Budget;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::document::{CommitRequest, DocumentChange, DocumentId, Filter};
    use crate::store::redb::RedbStore;
    use crate::store::redb::test_store::{Scratch, creating};
    use crate::store::tests::author;
    use crate::store::{BuildIndexOutcome, NewIndex, PageRequest, Store as _};

    #[test]
    fn maximum_of_candidates_depends_on_the_collection_and_the_page() {
        assert_eq!(max_candidates(10, usize::MAX), 64);
        assert_eq!(max_candidates(100_000, usize::MAX), 25_000);
        assert_eq!(max_candidates(10_000_000, usize::MAX), 100_000);
        assert_eq!(max_candidates(100_000, 10), 4_000);
    }

    /// Returns the plan of a filter over 1,000 documents, and the number of documents read.
    async fn plan(store: &RedbStore, filter: Value, max: Option<usize>) -> (String, u64) {
        let filter = Filter::parse(&filter).unwrap();
        let query = Arc::new(ScanQuery::of_filter("jobs".parse().unwrap(), filter));
        let request = PageRequest::new(None, Budget::unlimited()).with_documents(max);
        let request = PageRequest { max_time: Duration::from_secs(60), ..request };
        let page = store.snapshot().await.unwrap().scan_ids(&query, request).await.unwrap();
        let plan = match query.plan().unwrap() {
            QueryPlan::Index { index, candidates, .. } => format!("{index} {candidates}"),
            other => format!("{other:?}"),
        };
        (plan, page.read)
    }

    #[tokio::test]
    async fn plan_uses_the_index_with_the_fewest_candidates() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let create = |n: u64| {
            let (collection, id) = ("jobs".parse().unwrap(), format!("{n:04}").parse().unwrap());
            let after = Some(json!({"n": n, "third": n % 3}).try_into().unwrap());
            (Address { collection, id }, DocumentChange { before: None, after })
        };
        let changes = (0..1_000).map(create).collect();
        let request = CommitRequest { changes, ..CommitRequest::default() };
        store.commit_changes(author(), request.into()).await.unwrap();
        let scan = |reason: FullScanReason| format!("{:?}", QueryPlan::FullScan { reason });
        let none = plan(&store, json!({"n": 1}), None).await;
        assert_eq!(none, (scan(FullScanReason::NoIndex), 1_000));
        for path in ["n", "third"] {
            let (collection, field) = ("jobs".parse().unwrap(), path.parse().unwrap());
            let index = NewIndex { collection, field, unique: false };
            store.create_index(&index).await.unwrap();
            if path == "n" {
                let unready = plan(&store, json!({"n": 1}), None).await;
                assert_eq!(unready, (scan(FullScanReason::NotReady), 1_000));
            }
            let build = async || store.build_index(&index.collection, &index.field).await.unwrap();
            while build().await != BuildIndexOutcome::Ready {}
        }
        for (filter, max, (index, read)) in [
            (json!({"n": 7, "third": 1}), None, ("n 1", 1)),
            (json!({"n": {"$gte": 10, "$lt": 20}, "third": 1}), None, ("n 10", 10)),
            (json!({"n": {"$in": [5, 6, 5_000]}}), None, ("n 2", 2)),
            (json!({"n": {"$gte": 10}, "third": 1}), Some(5), ("third 256", 8)),
            (json!({"n": 5_000}), None, ("n 0", 0)),
        ] {
            let found = plan(&store, filter.clone(), max).await;
            assert_eq!(found, (index.to_owned(), read), "{filter}");
        }
        for (filter, reason) in [
            (json!({"x": 1}), FullScanReason::NoCondition),
            (json!({"n": {"$ne": 1}}), FullScanReason::NoCondition),
            (json!({"n": {"$gte": 10}}), FullScanReason::TooManyCandidates),
        ] {
            let found = plan(&store, filter.clone(), None).await;
            assert_eq!(found, (scan(reason), 1_000), "{filter}");
        }
    }

    #[tokio::test]
    async fn scan_continues_without_an_index_that_was_removed() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 9)).await.unwrap();
        let (collection, field) = ("jobs".parse().unwrap(), "m".parse().unwrap());
        let index = NewIndex { collection, field, unique: false };
        store.create_index(&index).await.unwrap();
        let build = async || store.build_index(&index.collection, &index.field).await.unwrap();
        while build().await != BuildIndexOutcome::Ready {}
        let filter = Filter::parse(&json!({"m": null})).unwrap();
        let query = Arc::new(ScanQuery::of_filter(index.collection.clone(), filter));
        let page = async |after| {
            let request = PageRequest::new(after, Budget::unlimited()).with_documents(Some(4));
            let request = PageRequest { max_time: Duration::from_secs(60), ..request };
            store.snapshot().await.unwrap().scan_ids(&query, request).await.unwrap()
        };
        let first = page(None).await;
        assert!(matches!(query.plan(), Some(QueryPlan::Index { .. })));
        store.remove_index(&index.collection, &index.field).await.unwrap();
        let second = page(first.next).await;
        let ids = [first.documents, second.documents].concat();
        assert_eq!(ids.iter().map(DocumentId::as_str).collect::<String>(), "01234567");
    }
}
