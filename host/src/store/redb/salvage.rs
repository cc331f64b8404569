//! Saves what can be read of a damaged store.
//!
//! What is saved is what [`RawPages`] finds and what its own check calls whole. Indexes, counts and
//! the like are made anew from that. What is lost is told: by its key where that can be read, else
//! by how much less there is than the store says of itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase as _};

use super::RedbStore;
use super::codec;
use super::document_check;
use super::documents::{CollectionStats, StoredDocument};
use super::file::{OpenDatabase, StoreFile, catch_corruption_panic, off_thread};
use super::keys::{self, TableId};
use super::pages::{self, RawPages};
use super::repair::{BatchWriter, write_all, write_file};
use super::tables::{self, Entry, IdempotencyEntry, Snapshot, Tx};
use crate::model::document::CollectionName;
use crate::store::StoreError;
use ophost_document::text;

/// What was saved of a damaged store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalvageReport {
    /// How many runs there are in the copy.
    pub runs: u64,
    /// How many documents there are in the copy.
    pub documents: u64,
    /// What could not be read, and so is not there.
    pub lost: Vec<String>,
}

impl RedbStore {
    /// Copies what can be read to a new store, in one step. What can be made anew from that is.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if nothing can be read or the new file cannot be written: then
    /// there is none.
    pub(crate) async fn salvage(&self, to: &Path) -> Result<SalvageReport, StoreError> {
        let (file, to) = (Arc::clone(&self.file), to.to_owned());
        let work = move || catch_corruption_panic(|| salvage(&file, &to));
        off_thread(work).await
    }
}

fn salvage(file: &StoreFile, to: &Path) -> Result<SalvageReport, StoreError> {
    let bare = file.raw_file()?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    // Others may write meanwhile.
    let held = pin_snapshot(file, &bare);
    let pages = RawPages::open(bare).map_err(|error| match &held {
        // What is no store at all is called so by all commands in the same words.
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

/// Keeps the pages of the newest commit from being used again, as long as the returned value
/// lives. Where the file's reader cannot do that nobody can write to it either.
fn pin_snapshot(
    file: &StoreFile,
    bare: &File,
) -> Result<Option<(Snapshot, Arc<OpenDatabase>)>, StoreError> {
    loop {
        let before = pages::header(bare).ok();
        let held = file.snapshot();
        if held.is_err() || pages::header(bare).ok() == before {
            return held;
        }
    }
}

/// How many entries that are not whole are told, of each kind.
const MAX_REPORTED: usize = 1_000;
/// The most bytes of the key of one, which is longer than any of ours.
const LONGEST: usize = 1 << 10;

/// A store that is being saved.
struct Salvager<'s> {
    pages: &'s RawPages,
    copy: &'s Database,
    lost: Vec<String>,
}

/// What became of the entries of a kind.
struct Seen {
    /// How many are in the copy.
    kept: u64,
    /// The keys of those that are not whole.
    damaged: Vec<Vec<u8>>,
    /// How many were not found.
    missing: u64,
}

impl Salvager<'_> {
    fn all(mut self) -> Result<SalvageReport, StoreError> {
        if self.pages.has_no_table_roots() {
            let told =
                "the way to its tables: what is found may be older than it was, or incomplete";
            self.lost.push(told.to_owned());
        } else if !self.pages.is_newest() {
            self.lost.push("perhaps what the last commit wrote".to_owned());
        }
        let runs = self.save_counted(TableId::Run)?;
        for kind in [TableId::Meta, TableId::Log, TableId::Payload, TableId::Idempotency] {
            self.save_counted(kind)?;
        }
        let documents = self.save(TableId::Document)?;
        for kind in [TableId::Change, TableId::Commit, TableId::RunCommit] {
            self.save_counted(kind)?;
        }
        if self.pages.has_no_table_roots() {
            write_all(self.copy, &[()], |tx, ()| document_check::replay(tx))?;
        }
        self.tell_of_documents(&documents)?;
        self.set_numbers()?;
        let documents = self.documents()?;
        Ok(SalvageReport { runs, documents, lost: self.lost })
    }

    /// Saves a kind, and tells how many are missing. Returns how many there are.
    fn save_counted(&mut self, kind: TableId) -> Result<u64, StoreError> {
        let Seen { kept, missing, .. } = self.save(kind)?;
        self.report(missing, noun(kind), "");
        Ok(kept)
    }

    /// Saves what is whole of a kind, and tells what is not.
    fn save(&mut self, kind: TableId) -> Result<Seen, StoreError> {
        let prefix = kind.prefix();
        let (mut kept, mut found, mut damaged) = (0, 0, Vec::new());
        let mut entries = BatchWriter::new(self.copy, |tx, entry| {
            kept += u64::from(copy_entry(tx, kind, entry)?);
            Ok(())
        });
        let unreadable = self.pages.each(kind, |key, value| {
            if !key.starts_with(&prefix) {
                return Ok(());
            }
            found += 1;
            let Err(error) = is_whole(kind, key, value) else {
                return entries.add((key.to_vec(), value.to_vec()), key.len() + value.len());
            };
            // It may be what is left of something that was long removed.
            if !self.pages.has_no_table_roots() && damaged.len() < MAX_REPORTED {
                self.lost.push(text::single_line(&error.to_string()));
                damaged.push(key[..key.len().min(LONGEST)].to_vec());
            }
            Ok(())
        })?;
        entries.flush()?;
        drop(entries);
        let known = self.pages.count(kind);
        let missing = known.unwrap_or(0).saturating_sub(found);
        if known.is_none() && !self.pages.has_no_table_roots() {
            self.lost.push(format!("table {}: it cannot be found", kind.table()));
        } else if unreadable > 0 && missing == 0 {
            self.lost.push(format!("table {}: not all of it can be read", kind.table()));
        } else if known.is_some_and(|known| known < found) {
            // A page that was not written when it should have been has what was there before.
            self.lost.push(format!("table {}: a part of it is older than the rest", kind.table()));
        }
        Ok(Seen { kept, damaged, missing })
    }

    fn report(&mut self, count: u64, noun: &str, of: &str) {
        match count {
            0 => {}
            1 => self.lost.push(format!("about 1 {noun}{of}")),
            count => self.lost.push(format!("about {count} {noun}s{of}")),
        }
    }

    /// Tells how many documents of which collection are missing.
    fn tell_of_documents(&mut self, seen: &Seen) -> Result<(), StoreError> {
        let is_known = self.pages.count(TableId::Document).is_some();
        // Without tables it is not known either which size is the newest.
        if self.pages.has_no_table_roots() || is_known && seen.missing == 0 {
            return Ok(());
        }
        let mut rest = seen.missing;
        for (collection, missing) in self.missing_documents(&seen.damaged)? {
            self.report(missing, noun(TableId::Document), &format!(" of `{collection}`"));
            rest = rest.saturating_sub(missing);
        }
        self.report(rest, noun(TableId::Document), "");
        Ok(())
    }

    /// Returns how many documents fewer there are, as far as the sizes of collections can be
    /// read; but for those that were told by their keys.
    fn missing_documents(
        &self,
        damaged: &[Vec<u8>],
    ) -> Result<BTreeMap<CollectionName, u64>, StoreError> {
        let mut missing = BTreeMap::new();
        self.pages.each(TableId::Collection, |key, value| {
            if let (Some(name), Ok(size)) =
                (keys::name_of_collection(key), codec::decode::<CollectionStats>(key, value))
            {
                missing.insert(name, size.documents);
            }
            Ok(())
        })?;
        for address in damaged.iter().filter_map(|key| keys::address_of_document(key)) {
            missing.entry(address.collection).and_modify(|count| *count = count.saturating_sub(1));
        }
        let transaction = self.copy.begin_write()?;
        let tx = Tx::open(&transaction)?;
        for (collection, count) in &mut missing {
            *count = count.saturating_sub(tx.size(collection)?.documents);
        }
        Ok(missing)
    }

    /// Returns how many documents there are in the copy.
    fn documents(&self) -> Result<u64, StoreError> {
        let transaction = self.copy.begin_read()?;
        let copy = Snapshot::open(&transaction)?;
        let copy = copy.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let sizes = copy.prefix(&TableId::Collection.prefix())?.map(|entry| {
            let (key, value) = entry?;
            Ok(codec::decode::<CollectionStats>(&key, &value)?.documents)
        });
        sizes.sum()
    }

    /// Makes sure that no number that was given away comes again.
    fn set_numbers(&self) -> Result<(), StoreError> {
        write_all(self.copy, &[()], |tx, ()| {
            if !self.lost.is_empty() {
                tx.set_salvaged_revision(tx.documents_revision()?)?;
            }
            let newest = tx.prefix(&TableId::Run.prefix())?.next_back().transpose()?;
            let newest = newest.and_then(|(key, _)| keys::sequence(&key)).unwrap_or(0);
            tx.set_sequence(newest.max(tx.sequence()?))
        })
    }
}

fn noun(kind: TableId) -> &'static str {
    match kind {
        TableId::Run | TableId::RunIdIndex | TableId::Index => "run",
        TableId::Log => "log segment",
        TableId::Payload | TableId::PayloadRefcount => "large value",
        TableId::Idempotency => "idempotency key",
        TableId::Document | TableId::Collection => "document",
        TableId::Change => "change",
        TableId::Commit => "commit",
        TableId::RunCommit => "link",
        TableId::Meta => "number",
    }
}

fn is_whole(kind: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    match kind {
        TableId::Run => tables::open_row(key, value).map(drop),
        _ => codec::verify(key, value).map(drop),
    }
}

/// Writes an entry that is not there yet, if it belongs to a run that is there. Returns whether
/// it did. Of two that have the same key, as on a page that was left behind, the newer is kept.
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
        TableId::Document | TableId::Change | TableId::Commit | TableId::RunCommit => {
            document_check::salvage(tx, kind, (key, value))?;
            return Ok(true);
        }
        TableId::Log => has_log(tx, key)?,
        TableId::Payload => tx.has(&keys::count_of_payload(key))?,
        TableId::Idempotency => {
            tx.has(&keys::run(codec::decode::<IdempotencyEntry>(key, value)?.run))?
        }
        TableId::Meta => true,
        TableId::RunIdIndex | TableId::PayloadRefcount | TableId::Collection | TableId::Index => {
            false
        }
    };
    if is_owned {
        tx.put_bytes(key, value)?;
    }
    Ok(is_owned)
}

/// Returns whether the run of a log is there and was not erased.
fn has_log(tx: &Tx<'_>, key: &[u8]) -> Result<bool, StoreError> {
    let row = keys::run_of_log(key).map(|run| tx.row_at(run)).transpose()?.flatten();
    Ok(row.is_some_and(|row| row.run.erased_at.is_none()))
}

/// Puts an entry in the place of an older one.
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
            // Numbers that only grow: what was given away does not come again.
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
    use crate::store::redb::file::FILE;
    use crate::store::redb::repair::tests::{Scratch, creating, filled};
    use crate::store::tests::author;
    use crate::store::{RunFilter, Store as _};

    /// A store's file, and whatever is done to it.
    struct Damage {
        scratch: Scratch,
        whole: Vec<u8>,
    }

    impl Damage {
        /// Returns a file of so many runs and documents, in one page each or in many.
        async fn of(runs: u64, documents: usize) -> Self {
            let scratch = Scratch::new();
            let store = scratch.store("live");
            filled(&store, runs).await;
            store.commit_changes(author(), creating("jobs", documents)).await.unwrap();
            let copy = scratch.0.path().join("copy.redb");
            store.backup(&copy).await.unwrap();
            Self { whole: fs::read(copy).unwrap(), scratch }
        }

        /// Returns the places of a text.
        fn places(&self, text: &[u8]) -> Vec<usize> {
            let places = self.whole.windows(text.len()).enumerate();
            places.filter(|(_, found)| *found == text).map(|(place, _)| place).collect()
        }

        /// Returns the store of a file, and what is salvaged of it; its copy is sound.
        async fn salvage(&self, name: &str, content: &[u8]) -> Result<SalvageReport, StoreError> {
            let damaged = self.scratch.store_of(name, content);
            let to = self.scratch.0.path().join(format!("{name}.redb"));
            let saved = damaged.salvage(&to).await?;
            let copy = self.scratch.store_of(&format!("{name}-saved"), &fs::read(&to).unwrap());
            let told = copy.check().await.unwrap();
            let is_lost =
                |line: &String| line.starts_with("payload ") && line.ends_with(" is gone");
            assert!(told.iter().all(is_lost), "{told:?} {saved:?}");
            let runs = copy.list(&RunFilter::default(), None, 10_000).await.unwrap().runs.len();
            assert_eq!(runs as u64, saved.runs);
            Ok(saved)
        }
    }

    #[tokio::test]
    async fn f5_a_bad_key_hides_no_other() {
        let damage = Damage::of(300, 1000).await;
        let document = keys::document(&crate::model::document::Address {
            collection: "jobs".parse().unwrap(),
            id: "500".parse().unwrap(),
        });
        let mut hit = (0, 0);
        for (kind, key) in [(TableId::Document, document), (TableId::Run, keys::run(150))] {
            for (number, place) in damage.places(&key).into_iter().enumerate() {
                for byte in [2, key.len() - 1] {
                    let mut bytes = damage.whole.clone();
                    bytes[place + byte] ^= 0x80;
                    let name = format!("{kind:?}{number}-{byte}");
                    let saved = damage.salvage(&name, &bytes).await.unwrap();
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
    async fn f5_a_file_that_was_cut_is_salvaged_as_far_as_it_is_there() {
        let damage = Damage::of(300, 1000).await;
        let length = damage.whole.len();
        let mut kept = Vec::new();
        for cut in [1, 4096, 100_000, length / 2] {
            let name = format!("cut{cut}");
            let saved = damage.salvage(&name, &damage.whole[..length - cut]).await;
            kept.push((cut, saved.map_or(0, |saved| saved.runs + saved.documents)));
        }
        assert!(kept[..3].iter().all(|(_, count)| *count > 1200), "{kept:?}");
        let header = damage.salvage("header", &damage.whole[..300]).await.unwrap_err();
        assert!(matches!(header, StoreError::Corrupted { key, .. } if key == FILE), "{kept:?}");
    }

    #[tokio::test]
    async fn f5_a_page_that_is_gone_takes_no_more_with_it_and_is_counted() {
        let damage = Damage::of(300, 1000).await;
        let mut lost = 0;
        let is_used = |page: &usize| damage.whole[page * 4096] != 0;
        for page in (1..damage.whole.len() / 4096).filter(is_used).step_by(9) {
            let mut bytes = damage.whole.clone();
            bytes[page * 4096..][..4096].fill(0);
            let Ok(saved) = damage.salvage(&format!("page{page}"), &bytes).await else { continue };
            let missing = (300 - saved.runs, 1000 - saved.documents);
            lost += u64::from(missing != (0, 0));
            assert!(missing == (0, 0) || !saved.lost.is_empty(), "{saved:?}");
            let of_documents = format!("about {} documents of `jobs`", missing.1);
            assert!(missing.1 < 2 || saved.lost.contains(&of_documents), "{saved:?}");
            let of_runs = format!("about {} runs", missing.0);
            assert!(missing.0 < 2 || saved.lost.contains(&of_runs), "{saved:?}");
        }
        assert!(lost > 2, "{lost}");
    }

    #[tokio::test]
    async fn f5_a_commit_that_is_being_made_is_not_believed() {
        let damage = Damage::of(30, 10).await;
        let mut bytes = damage.whole.clone();
        let slots = [64, 192];
        let committed = usize::from(bytes[9] & 1);
        let mut slot = bytes[slots[committed]..][..128].to_vec();
        // It is the newer one and whole, but what it leads to is not written yet.
        slot[8] ^= 0xff;
        slot[111] = 1;
        let check = twox_hash::XxHash3_128::oneshot(&slot[..112]).to_le_bytes();
        slot[112..].copy_from_slice(&check);
        bytes[slots[1 - committed]..][..128].copy_from_slice(&slot);
        let saved = damage.salvage("half", &bytes).await.unwrap();
        assert_eq!(saved, SalvageReport { runs: 30, documents: 10, lost: Vec::new() });
    }

    #[test]
    fn several_of_what_is_lost_are_told_in_the_plural() {
        let plural = |kind| format!("{}s", noun(kind));
        assert_eq!(plural(TableId::Log), "log segments");
        assert!(TableId::ALL.into_iter().all(|kind| !plural(kind).ends_with("ss")));
    }
}
