//! Copies the intact data of a corrupted store to a new store.
//!
//! Salvage copies the entries that [`RawPages`] finds and whose checksum matches. Indexes, counts
//! and other derived entries are rebuilt. Lost entries are reported by key if the key is readable,
//! else by the difference to the recorded number of entries.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase as _};

use super::backup::{BatchWriter, no_file, write_all, write_file};
use super::codec;
use super::document_check;
use super::documents::CollectionStats;
use super::file::{StoreFile, catch_corruption_panic};
use super::index_check;
use super::keys::{self, TableId};
use super::pages::{self, RawPages};
use super::tables::{self, Entry, IdempotencyEntry, Snapshot, Tx};
use crate::model::document::CollectionName;
use crate::store::{SalvageReport, StoreError, StoredDocument, off_thread};
use ophost_document::text;

/// See [`StoreMaintenance::salvage`](crate::store::StoreMaintenance::salvage).
pub(super) async fn salvage(file: &Arc<StoreFile>, to: &Path) -> Result<SalvageReport, StoreError> {
    let (file, to) = (Arc::clone(file), to.to_owned());
    off_thread(move || catch_corruption_panic(|| copy_intact(&file, &to))).await
}

fn copy_intact(file: &StoreFile, to: &Path) -> Result<SalvageReport, StoreError> {
    let raw_file = file.raw_file()?.ok_or_else(no_file)?;
    // Other processes may write during the salvage.
    let (pages, pinned) = pages::open(raw_file, || file.snapshot());
    if let Err(error @ StoreError::Older { .. }) = pinned {
        return Err(error);
    }
    let pages = pages.map_err(|error| match &pinned {
        // Report a file that is no store with the same message as all other commands.
        Err(known @ StoreError::Corrupted { .. }) => known.clone(),
        _ => error,
    })?;
    let mut saved = SalvageReport::default();
    write_file(to, |copy| {
        saved = Salvager { pages: &pages, copy, lost: Vec::new() }.all()?;
        Ok(())
    })?;
    Ok(saved)
}

/// Maximum corrupted entries that are reported per table.
const MAX_REPORTED: usize = 1_000;
/// Maximum bytes of a reported key. Intact keys are shorter.
const MAX_KEY_BYTES: usize = 1 << 10;

/// A running salvage.
struct Salvager<'s> {
    pages: &'s RawPages,
    copy: &'s Database,
    lost: Vec<String>,
}

/// Result of the salvage of a table.
struct TableResult {
    /// The number of copied entries.
    copied: u64,
    /// The keys of corrupted entries.
    corrupted: Vec<Vec<u8>>,
    /// The number of entries that were not found.
    missing: u64,
}

impl Salvager<'_> {
    fn all(mut self) -> Result<SalvageReport, StoreError> {
        if self.pages.has_no_table_roots() {
            let message = "table roots unreadable: recovered data may be outdated or incomplete";
            self.lost.push(message.to_owned());
        } else if !self.pages.is_newest() {
            self.lost.push("the last commit may be lost".to_owned());
        }
        let runs = self.copy_counted(TableId::Run)?;
        for kind in [TableId::Meta, TableId::Log, TableId::Payload, TableId::Idempotency] {
            self.copy_counted(kind)?;
        }
        let documents = self.copy_table(TableId::Document)?;
        for kind in [
            TableId::Change,
            TableId::History,
            TableId::Commit,
            TableId::RunCommit,
            TableId::IndexDefinition,
        ] {
            self.copy_counted(kind)?;
        }
        if self.pages.has_no_table_roots() {
            write_all(self.copy, &[()], |tx, ()| document_check::replay(tx))?;
        }
        index_check::rebuild(self.copy)?;
        self.report_documents(&documents)?;
        self.restore_counters()?;
        let documents = self.count_documents()?;
        Ok(SalvageReport { runs, documents, lost: self.lost })
    }

    /// Copies a table, reports the number of missing entries, and returns that of copied ones.
    fn copy_counted(&mut self, kind: TableId) -> Result<u64, StoreError> {
        let TableResult { copied, missing, .. } = self.copy_table(kind)?;
        self.report(missing, noun(kind), "");
        Ok(copied)
    }

    /// Copies the intact entries of a table and reports the corrupted ones.
    fn copy_table(&mut self, kind: TableId) -> Result<TableResult, StoreError> {
        let prefix = kind.prefix();
        let (mut copied, mut found, mut corrupted) = (0, 0, Vec::new());
        let mut entries = BatchWriter::new(self.copy, |tx, entry| {
            copied += u64::from(copy_entry(tx, kind, entry)?);
            Ok(())
        });
        let unreadable = self.pages.each(kind, |key, value| {
            if !key.starts_with(&prefix) {
                return Ok(());
            }
            found += 1;
            let Err(error) = verify_entry(kind, key, value) else {
                return entries.add((key.to_vec(), value.to_vec()), key.len() + value.len());
            };
            // Without table roots the entry may be a remnant of a removed one.
            if !self.pages.has_no_table_roots() && corrupted.len() < MAX_REPORTED {
                self.lost.push(text::single_line(&error.to_string()));
                corrupted.push(key[..key.len().min(MAX_KEY_BYTES)].to_vec());
            }
            Ok(())
        })?;
        entries.flush()?;
        drop(entries);
        let known = self.pages.count(kind);
        let missing = known.unwrap_or(0).saturating_sub(found);
        if known.is_none() && !self.pages.has_no_table_roots() {
            self.lost.push(format!("table {}: not found", kind.table()));
        } else if unreadable > 0 && missing == 0 {
            self.lost.push(format!("table {}: partly unreadable", kind.table()));
        } else if known.is_some_and(|known| known < found) {
            // A lost page write leaves the older content of the page in place.
            self.lost.push(format!("table {}: partly outdated", kind.table()));
        }
        Ok(TableResult { copied, corrupted, missing })
    }

    fn report(&mut self, count: u64, noun: &str, of: &str) {
        match count {
            0 => {}
            1 => self.lost.push(format!("about 1 {noun}{of} lost")),
            count => self.lost.push(format!("about {count} {noun}s{of} lost")),
        }
    }

    /// Reports the number of missing documents by collection.
    fn report_documents(&mut self, result: &TableResult) -> Result<(), StoreError> {
        let is_known = self.pages.count(TableId::Document).is_some();
        // Without table roots the newest statistics of a collection are unknown too.
        if self.pages.has_no_table_roots() || is_known && result.missing == 0 {
            return Ok(());
        }
        let mut rest = result.missing;
        for (collection, missing) in self.missing_documents(&result.corrupted)? {
            self.report(missing, noun(TableId::Document), &format!(" of `{collection}`"));
            rest = rest.saturating_sub(missing);
        }
        self.report(rest, noun(TableId::Document), "");
        Ok(())
    }

    /// Returns the number of missing documents of each collection with readable statistics.
    ///
    /// Excludes the corrupted documents that were already reported by key.
    fn missing_documents(
        &self,
        corrupted: &[Vec<u8>],
    ) -> Result<BTreeMap<CollectionName, u64>, StoreError> {
        let mut missing = BTreeMap::new();
        self.pages.each(TableId::Collection, |key, value| {
            if let (Some(name), Ok(stats)) =
                (keys::name_of_collection(key), codec::decode::<CollectionStats>(key, value))
            {
                missing.insert(name, stats.documents);
            }
            Ok(())
        })?;
        for address in corrupted.iter().filter_map(|key| keys::address_of_document(key)) {
            missing.entry(address.collection).and_modify(|count| *count = count.saturating_sub(1));
        }
        let transaction = self.copy.begin_write()?;
        let tx = Tx::open(&transaction, None)?;
        for (collection, count) in &mut missing {
            *count = count.saturating_sub(tx.collection_stats(collection)?.documents);
        }
        Ok(missing)
    }

    /// Returns the number of documents in the copy.
    fn count_documents(&self) -> Result<u64, StoreError> {
        let transaction = self.copy.begin_read()?;
        let copy = Snapshot::open(transaction)?;
        let copy = copy.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let counts = copy.prefix(&TableId::Collection.prefix())?.map(|entry| {
            let (key, value) = entry?;
            Ok(codec::decode::<CollectionStats>(&key, &value)?.documents)
        });
        counts.sum()
    }

    /// Restores the counters, so that no sequence or revision is reused.
    fn restore_counters(&self) -> Result<(), StoreError> {
        write_all(self.copy, &[()], |tx, ()| {
            if !self.lost.is_empty() {
                tx.set_salvaged_revision(tx.documents_revision()?)?;
            }
            let newest = tx.sequence()?;
            tx.set_sequence_floor(newest)
        })
    }
}

fn noun(kind: TableId) -> &'static str {
    match kind {
        TableId::Run | TableId::RunIdIndex | TableId::Index | TableId::Summary => "run",
        TableId::Log => "log segment",
        TableId::Payload | TableId::PayloadRefcount => "large value",
        TableId::Idempotency => "idempotency key",
        TableId::Document | TableId::Collection => "document",
        TableId::Change => "change",
        TableId::History => "history item",
        TableId::Commit => "commit",
        TableId::RunCommit => "commit link",
        TableId::Meta => "counter",
        TableId::IndexDefinition => "index definition",
        TableId::FieldIndex => "index entry",
    }
}

fn verify_entry(kind: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    match kind {
        TableId::Run => tables::open_row(key, value).map(drop),
        _ => codec::verify(key, value).map(drop),
    }
}

/// Copies an entry unless it belongs to a missing run. Returns whether the entry is new.
///
/// If two entries have the same key, for example from an outdated page, the newer one wins.
fn copy_entry(tx: &mut Tx<'_>, kind: TableId, entry: &Entry) -> Result<bool, StoreError> {
    let (key, value) = entry;
    if tx.has(key)? {
        return replace_if_newer(tx, kind, entry).map(|()| false);
    }
    let is_owned = match kind {
        TableId::Run => {
            tx.replace(None, &tables::open_row(key, value)?, &[])?;
            return Ok(true);
        }
        TableId::Document
        | TableId::Change
        | TableId::History
        | TableId::Commit
        | TableId::RunCommit => {
            document_check::salvage(tx, kind, (key, value))?;
            return Ok(true);
        }
        TableId::Log => has_log(tx, key)?,
        TableId::Payload => tx.has(&keys::refcount_of_payload(key))?,
        TableId::Idempotency => {
            tx.has(&keys::run(codec::decode::<IdempotencyEntry>(key, value)?.run))?
        }
        TableId::Meta | TableId::IndexDefinition => true,
        TableId::RunIdIndex
        | TableId::PayloadRefcount
        | TableId::Collection
        | TableId::Index
        | TableId::Summary
        | TableId::FieldIndex => false,
    };
    if is_owned {
        tx.put_bytes(key, value)?;
    }
    Ok(is_owned)
}

/// Returns whether the run of a log entry exists and was not erased.
fn has_log(tx: &Tx<'_>, key: &[u8]) -> Result<bool, StoreError> {
    let row = keys::run_of_log(key).map(|run| tx.row_at(run)).transpose()?.flatten();
    Ok(row.is_some_and(|row| row.run.erased_at.is_none()))
}

/// Replaces the stored entry of a key if the given one is newer.
fn replace_if_newer(
    tx: &mut Tx<'_>,
    kind: TableId,
    (key, value): &Entry,
) -> Result<(), StoreError> {
    let Some(known) = tx.bytes(key)? else { return Ok(()) };
    match kind {
        TableId::Run => {
            let (old, new) = (tables::open_row(key, &known)?, tables::open_row(key, value)?);
            if new.run.revision > old.run.revision {
                tx.replace(Some(&old), &new, &[])?;
            }
            return Ok(());
        }
        TableId::Document => {
            let revision =
                |bytes| Ok::<_, StoreError>(codec::decode::<StoredDocument>(key, bytes)?.revision);
            if revision(value)? <= revision(&known)? {
                return Ok(());
            }
        }
        TableId::Idempotency => {
            let run =
                |bytes| Ok::<_, StoreError>(codec::decode::<IdempotencyEntry>(key, bytes)?.run);
            if run(value)? <= run(&known)? {
                return Ok(());
            }
        }
        TableId::Meta => {
            // Counters only increase, so the larger one is newer.
            let number = |bytes| codec::decode::<u64>(key, bytes).ok();
            if number(value) <= number(&known) {
                return Ok(());
            }
        }
        _ => return Ok(()),
    }
    tx.put_bytes(key, value)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::run_record::tests::running;
    use crate::store::conformance::insert;
    use crate::store::redb::file::FILE;
    use crate::store::redb::test_store::{Scratch, creating, filled};
    use crate::store::tests::author;
    use crate::store::{RunFilter, Store as _, StoreMaintenance as _};

    /// An intact store file, copies of which are corrupted.
    struct IntactFile {
        scratch: Scratch,
        bytes: Vec<u8>,
    }

    impl IntactFile {
        /// Returns the file of a store with this many runs and documents.
        async fn of(runs: u64, documents: usize) -> Self {
            let scratch = Scratch::new();
            let store = scratch.store("live");
            filled(&store, runs).await;
            store.commit_changes(author(), creating("jobs", documents)).await.unwrap();
            let copy = scratch.0.path().join("copy.redb");
            store.backup(&copy).await.unwrap();
            Self { bytes: fs::read(copy).unwrap(), scratch }
        }

        /// Returns the offsets of a byte string.
        fn offsets(&self, text: &[u8]) -> Vec<usize> {
            let windows = self.bytes.windows(text.len()).enumerate();
            windows.filter(|(_, found)| *found == text).map(|(offset, _)| offset).collect()
        }

        /// Salvages a store with this content and checks that the copy is consistent.
        async fn salvage(&self, name: &str, content: &[u8]) -> Result<SalvageReport, StoreError> {
            let corrupted = self.scratch.store_of(name, content);
            let to = self.scratch.0.path().join(format!("{name}.redb"));
            let saved = corrupted.salvage(&to).await?;
            let copy = self.scratch.store_of(&format!("{name}-saved"), &fs::read(&to).unwrap());
            let problems = copy.check().await.unwrap();
            let is_lost = |line: &String| line.starts_with("missing payload ");
            assert!(problems.iter().all(is_lost), "{problems:?} {saved:?}");
            let runs = copy.list(&RunFilter::default(), None, 10_000).await.unwrap().runs.len();
            assert_eq!(runs as u64, saved.runs);
            Ok(saved)
        }
    }

    #[tokio::test]
    async fn corrupted_key_hides_no_other_entry() {
        let file = IntactFile::of(300, 1000).await;
        let document = keys::document(&crate::model::document::Address {
            collection: "jobs".parse().unwrap(),
            id: "500".parse().unwrap(),
        });
        let mut hit = (0, 0);
        for (kind, key) in [(TableId::Document, document), (TableId::Run, keys::run(150))] {
            for (number, offset) in file.offsets(&key).into_iter().enumerate() {
                for byte in [2, key.len() - 1] {
                    let mut bytes = file.bytes.clone();
                    bytes[offset + byte] ^= 0x80;
                    let name = format!("{kind:?}{number}-{byte}");
                    let saved = file.salvage(&name, &bytes).await.unwrap();
                    assert!(saved.runs >= 299 && saved.documents >= 999, "{saved:?}");
                    hit.0 += 300 - saved.runs;
                    hit.1 += 1000 - saved.documents;
                    assert_eq!(saved.lost.is_empty(), (saved.runs, saved.documents) == (300, 1000));
                }
            }
        }
        assert!(hit.0 > 0 && hit.1 > 0, "{hit:?}");
    }

    #[tokio::test]
    async fn truncated_file_is_salvaged_up_to_its_end() {
        let file = IntactFile::of(300, 1000).await;
        let length = file.bytes.len();
        let mut counts = Vec::new();
        for cut in [1, 4096, 100_000, length / 2] {
            let name = format!("cut{cut}");
            let saved = file.salvage(&name, &file.bytes[..length - cut]).await;
            counts.push((cut, saved.map_or(0, |saved| saved.runs + saved.documents)));
        }
        assert!(counts[..3].iter().all(|(_, count)| *count > 1200), "{counts:?}");
        let header = file.salvage("header", &file.bytes[..300]).await.unwrap_err();
        assert!(matches!(header, StoreError::Corrupted { key, .. } if key == FILE), "{counts:?}");
    }

    #[tokio::test]
    async fn entries_of_a_zeroed_page_are_counted_as_lost() {
        let file = IntactFile::of(300, 1000).await;
        let mut lost = 0;
        let is_used = |page: &usize| file.bytes[page * 4096] != 0;
        for page in (1..file.bytes.len() / 4096).filter(is_used).step_by(9) {
            let mut bytes = file.bytes.clone();
            bytes[page * 4096..][..4096].fill(0);
            let Ok(saved) = file.salvage(&format!("page{page}"), &bytes).await else { continue };
            let missing = (300 - saved.runs, 1000 - saved.documents);
            lost += u64::from(missing != (0, 0));
            assert!(missing == (0, 0) || !saved.lost.is_empty(), "{saved:?}");
            let of_documents = format!("about {} documents of `jobs` lost", missing.1);
            assert!(missing.1 < 2 || saved.lost.contains(&of_documents), "{saved:?}");
            let of_runs = format!("about {} runs lost", missing.0);
            assert!(missing.0 < 2 || saved.lost.contains(&of_runs), "{saved:?}");
        }
        assert!(lost > 2, "{lost}");
    }

    #[tokio::test]
    async fn unfinished_commit_is_ignored() {
        let file = IntactFile::of(30, 10).await;
        let mut bytes = file.bytes.clone();
        let slots = [64, 192];
        let committed = usize::from(bytes[9] & 1);
        let mut slot = bytes[slots[committed]..][..128].to_vec();
        // The slot is newer and intact, but its pages are not written yet.
        slot[8] ^= 0xff;
        slot[111] = 1;
        let check = twox_hash::XxHash3_128::oneshot(&slot[..112]).to_le_bytes();
        slot[112..].copy_from_slice(&check);
        bytes[slots[1 - committed]..][..128].copy_from_slice(&slot);
        let saved = file.salvage("half", &bytes).await.unwrap();
        assert_eq!(saved, SalvageReport { runs: 30, documents: 10, lost: Vec::new() });
    }

    #[test]
    fn nouns_have_a_regular_plural() {
        let plural = |kind| format!("{}s", noun(kind));
        assert_eq!(plural(TableId::Log), "log segments");
        assert!(TableId::ALL.into_iter().all(|kind| !plural(kind).ends_with("ss")));
    }

    #[tokio::test]
    async fn salvaged_store_is_consistent_and_misses_only_the_corrupted_run() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let runs = filled(&store, 40).await;
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let mut bytes = std::fs::read(&copy).unwrap();
        let row = store.read(|store| store.bytes(&keys::run(18))).await.unwrap().flatten().unwrap();
        for offset in 0..bytes.len() - row.len() {
            if bytes[offset..].starts_with(&row) {
                bytes[offset + row.len() - 1] ^= 1;
            }
        }
        let corrupted = scratch.store_of("corrupted", &bytes);
        let (bad, page) =
            (runs[17].id, corrupted.list(&Default::default(), None, 99).await.unwrap());
        assert_eq!((page.runs.len(), page.corrupted.len()), (39, 1));
        let error = corrupted.get(bad).await.unwrap_err().to_string();
        assert_eq!(error, "the store is corrupted at `run number 18`: checksum mismatch");
        assert!(!corrupted.check().await.unwrap().is_empty());
        assert!(corrupted.backup(&copy).await.is_err());
        std::fs::remove_file(&copy).unwrap();
        let saved = corrupted.salvage(&copy).await.unwrap();
        assert_eq!((saved.runs, saved.lost.len()), (39, 1));
        let clean = scratch.store_of("clean", &std::fs::read(&copy).unwrap());
        assert_eq!(clean.check().await.unwrap(), [""; 0]);
        for run in runs.iter().filter(|run| run.id != bad) {
            assert_eq!(clean.get(run.id).await.unwrap().as_ref(), Some(run));
        }
        insert(&clean, &running("a")).await;
        assert_eq!(clean.latest().await.unwrap().unwrap().sequence, 41);
    }
}
