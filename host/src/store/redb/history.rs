//! The history of a document.
//!
//! The kind of each change is stored by document, so that the history of a document is one key
//! range. It remains when retention removes the content of the change.

use super::documents::Commit;
use super::tables::{Entry, Source, View};
use super::{codec, keys};
use crate::model::document::{Address, ChangeKind, DocumentChange};
use crate::model::history::{ChangeAuthor, HistoryEntry, HistoryPage, PastDocument, PointInTime};
use crate::store::{MAX_HISTORY_BYTES, StoreError};

impl<S: Source> View<S> {
    /// See [`Store::history`](crate::store::Store::history).
    pub(super) fn history(
        &self,
        address: &Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        let mut page = HistoryPage::default();
        let mut bytes = 0;
        for entry in self.history_keys(address, before)? {
            let (revision, change) = entry?;
            if page.entries.len() == limit || bytes >= MAX_HISTORY_BYTES {
                page.next = page.entries.last().map(|last| last.revision);
                break;
            }
            let content: Option<DocumentChange> = self.value(&keys::change(address, revision))?;
            bytes += content.as_ref().map_or(0, DocumentChange::size);
            let author = self.commit(revision)?.map(author);
            page.entries.push(HistoryEntry { revision, change, author, content });
        }
        Ok(page)
    }

    /// Returns the revision and the kind of each change of a document before a revision, newest
    /// first.
    fn history_keys<'s>(
        &'s self,
        address: &Address,
        before: Option<u64>,
    ) -> Result<impl Iterator<Item = Result<(u64, ChangeKind), StoreError>> + use<'s, S>, StoreError>
    {
        let first = keys::history_of(address);
        let end = before.map_or_else(|| keys::after(&first), |it| keys::history(address, it));
        Ok(self.range(&first, &end)?.rev().map(|entry| parsed(entry?)))
    }

    /// See [`Store::document_at`](crate::store::Store::document_at).
    pub(super) fn document_at(
        &self,
        address: &Address,
        moment: PointInTime,
    ) -> Result<PastDocument, StoreError> {
        let mut newer = None;
        for entry in self.history_keys(address, None)? {
            let (revision, change) = entry?;
            if !self.is_after(revision, moment)? {
                return self.document_after((address, revision), change, newer);
            }
            newer = Some((revision, change));
        }
        match newer {
            Some((_, ChangeKind::Created)) => Ok(PastDocument::Absent),
            None if self.document(address)?.is_none() => Ok(PastDocument::Absent),
            // A salvage lost the older changes.
            Some(_) | None => Ok(PastDocument::Removed),
        }
    }

    /// Returns whether a commit is later than a moment.
    fn is_after(&self, revision: u64, moment: PointInTime) -> Result<bool, StoreError> {
        match moment {
            PointInTime::Revision(at) => Ok(revision > at),
            // A commit whose time was lost counts as earlier, like the oldest commits.
            PointInTime::Time(at) => {
                Ok(self.commit(revision)?.is_some_and(|commit| commit.author.at > at))
            }
        }
    }

    /// Returns a document after a change of this kind. `newer` is the next change of the document.
    fn document_after(
        &self,
        (address, revision): (&Address, u64),
        change: ChangeKind,
        newer: Option<(u64, ChangeKind)>,
    ) -> Result<PastDocument, StoreError> {
        if change == ChangeKind::Deleted {
            return Ok(PastDocument::Absent);
        }
        let content = |revision| self.value::<DocumentChange>(&keys::change(address, revision));
        let body = match (content(revision)?, newer) {
            (Some(change), _) => change.after,
            (None, Some((newer, _))) => content(newer)?.and_then(|change| change.before),
            (None, None) => self.document(address)?.map(|stored| stored.body),
        };
        Ok(body.map_or(PastDocument::Removed, |body| PastDocument::Existed(revision, body)))
    }
}

fn parsed((key, value): Entry) -> Result<(u64, ChangeKind), StoreError> {
    let of = keys::address_of_history(&key);
    let (_, revision) = of.ok_or_else(|| codec::corrupted(&key, "malformed history key"))?;
    Ok((revision, codec::decode(&key, &value)?))
}

fn author(Commit { author, .. }: Commit) -> ChangeAuthor {
    author.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::document::{Body, ChangeSet, CommitRequest};
    use crate::store::Store as _;
    use crate::store::redb::backup::write_all;
    use crate::store::redb::file::{DIRECTORY, FILE, builder};
    use crate::store::redb::test_store::Scratch;
    use crate::store::tests::author;

    #[tokio::test]
    async fn content_that_was_removed_is_read_from_the_next_change_or_the_document() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let job = Address { collection: "jobs".parse().unwrap(), id: "1".parse().unwrap() };
        let body = |n: u64| Body::try_from(json!({"n": n})).unwrap();
        for n in 1..=4 {
            let before = (n > 1).then(|| body(n - 1));
            let change = DocumentChange { before, after: Some(body(n)) };
            let changes = ChangeSet::from([(job.clone(), change)]);
            let effects = CommitRequest { changes, ..CommitRequest::default() };
            store.commit_changes(author(), effects.into()).await.unwrap();
        }
        let file = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let database = builder().open(file).unwrap();
        let removed = [1, 2, 4].map(|revision| keys::change(&job, revision));
        write_all(&database, &removed, |tx, key| tx.remove(key)).unwrap();
        drop(database);
        let at = async |revision| {
            store.document_at(&job, PointInTime::Revision(revision)).await.unwrap()
        };
        assert_eq!(at(1).await, PastDocument::Removed);
        for revision in 2..=4 {
            assert_eq!(at(revision).await, PastDocument::Existed(revision, body(revision)));
        }
        let page = store.history(&job, None, 9).await.unwrap();
        let known: Vec<_> = page.entries.iter().map(|entry| entry.content.is_some()).collect();
        assert_eq!(known, [false, true, false, false]);
    }
}
