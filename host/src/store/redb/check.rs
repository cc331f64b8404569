//! Integrity check of a store.

use std::collections::{BTreeMap, HashSet};

use super::RedbStore;
use super::backup::ensure_intact;
use super::codec;
use super::document_check::DocumentFindings;
use super::file::catch_corruption_panic;
use super::index_check::IndexFindings;
use super::keys::{self, TableId};
use super::tables::{self, IdempotencyEntry, Snapshot};
use crate::model::digest::Digest;
use crate::model::outcome::LogEntry;
use crate::model::run_record::RunId;
use crate::store::{Store as _, StoreError};

/// See [`StoreMaintenance::check`](crate::store::StoreMaintenance::check).
pub(super) async fn check(store: &RedbStore) -> Result<Vec<String>, StoreError> {
    let (mut problems, logged) = store.read(check_all).await?.unwrap_or_default();
    for id in logged {
        if store.file.has_log(id)? {
            continue;
        }
        // The run may have been erased since. Other problems of it are already listed.
        let Ok(Some(run)) = store.get(id).await else { continue };
        if run.logs_ref.is_some() {
            problems.push(format!("missing log file of run {id}"));
        }
    }
    Ok(problems)
}

/// Passes all reachable entries of a table to `visit`, from both ends. Returns the error that
/// ended the scan early.
fn walk(
    store: &Snapshot,
    kind: TableId,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<Option<String>, StoreError> {
    let prefix = kind.prefix();
    let (mut low, mut high) = (None::<Vec<u8>>, None::<Vec<u8>>);
    let mut failed = None;
    let mut scan = |backwards: bool| {
        catch_corruption_panic(|| {
            let mut entries = store.prefix(&prefix)?;
            while let Some(entry) = if backwards { entries.next_back() } else { entries.next() } {
                let (key, value) = entry?;
                // A corrupted page may refer to any page and form a cycle.
                let above = low.as_ref().is_none_or(|low| *low < key);
                let below = high.as_ref().is_none_or(|high| key < *high);
                if backwards && !above {
                    return Ok(());
                }
                if !key.starts_with(&prefix) || !above || !below {
                    return Err(codec::corrupted(&key, "key out of order"));
                }
                failed = visit(&key, &value).err();
                if failed.is_some() {
                    return Ok(());
                }
                *(if backwards { &mut high } else { &mut low }) = Some(key);
            }
            Ok(())
        })
    };
    let error = scan(false).err();
    if error.is_some() {
        // The scan from the other end stops at the same corruption.
        scan(true).ok();
    }
    failed.map_or(Ok(error.map(|error| format!("table {}: {error}", kind.table()))), Err)
}

/// The state of an integrity check.
#[derive(Default)]
struct IntegrityReport {
    problems: Vec<String>,
    /// The number of rows that refer to each large value, by the key of its reference count.
    payloads: BTreeMap<Vec<u8>, (Digest, i64)>,
    documents: DocumentFindings,
    /// The runs whose record names a log overflow file.
    logged: Vec<RunId>,
}

/// Returns the problems of a store, and the runs that should have a log overflow file.
fn check_all(store: &Snapshot) -> Result<(Vec<String>, Vec<RunId>), StoreError> {
    let indexes = catch_corruption_panic(|| Ok(IndexFindings::new(store))).unwrap_or_default();
    let documents = DocumentFindings::new(indexes);
    let mut report = IntegrityReport { documents, ..IntegrityReport::default() };
    for kind in TableId::ALL {
        let stopped = walk(store, kind, |key, value| {
            // Record the problem and continue with the next entry.
            if let Err(error) =
                catch_corruption_panic(|| report.check_entry(store, kind, (key, value)))
            {
                report.problems.push(error.to_string());
            }
            Ok(())
        });
        report.problems.extend(stopped?);
    }
    // After all rows were read, check the large values that they refer to.
    for (key, (digest, count)) in &report.payloads {
        match catch_corruption_panic(|| store.value::<i64>(key)) {
            Ok(Some(known)) if known == *count => {}
            Err(error) => report.problems.push(error.to_string()),
            Ok(known) => report.problems.push(reference_mismatch(key, known, *count)),
        }
        if !catch_corruption_panic(|| store.has(&keys::payload(digest))).unwrap_or(true) {
            report.problems.push(format!("missing payload {digest}"));
        }
    }
    report.problems.extend(report.documents.without_stats());
    report.problems.extend(report.documents.indexes.with_stale_entries());
    Ok((distinct(report.problems), report.logged))
}

fn reference_mismatch(key: &[u8], known: Option<i64>, count: i64) -> String {
    let known = known.map_or_else(|| "missing".to_owned(), |known| known.to_string());
    format!("`{}` is {known}, but {count} rows refer to the value", keys::name(key))
}

/// Removes duplicates. A corrupted row is found by itself and through every entry that refers to
/// it.
fn distinct(mut problems: Vec<String>) -> Vec<String> {
    let mut known = HashSet::new();
    problems.retain(|problem| known.insert(problem.clone()));
    problems
}

impl IntegrityReport {
    fn check_entry(
        &mut self,
        store: &Snapshot,
        kind: TableId,
        (key, value): (&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        match kind {
            TableId::Meta | TableId::RunIdIndex | TableId::Index => {
                ensure_intact(store, kind, (key, value))
            }
            TableId::Run => self.check_row(store, key, value),
            TableId::Summary => {
                let block = keys::block_of_summary(key);
                let block = block.ok_or_else(|| codec::corrupted(key, "malformed key"))?;
                let is_current = store.is_block_of_runs(block, &codec::decode(key, value)?)?;
                ensure(is_current, key, "the statistics do not match the runs")
            }
            TableId::Log => {
                codec::decode::<Vec<LogEntry>>(key, value)?;
                ensure(has_run_of_log(store, key)?, key, "log without a run")
            }
            TableId::Payload => {
                let digest = Digest::sha256(&codec::verify(key, value)?);
                ensure(keys::payload(&digest) == key, key, "digest mismatch")?;
                let is_used = self.payloads.contains_key(&keys::refcount(&digest));
                ensure(is_used, key, "no run refers to the value")
            }
            TableId::PayloadRefcount => {
                codec::decode::<i64>(key, value)?;
                ensure(self.payloads.contains_key(key), key, "no run refers to the value")
            }
            TableId::Idempotency => {
                let holder: IdempotencyEntry = codec::decode(key, value)?;
                ensure(store.has(&keys::run(holder.run))?, key, "missing run")
            }
            TableId::Document
            | TableId::Change
            | TableId::History
            | TableId::Commit
            | TableId::RunCommit
            | TableId::Collection
            | TableId::IndexDefinition
            | TableId::FieldIndex => self.documents.check_entry(store, kind, (key, value)),
        }
    }

    fn check_row(&mut self, store: &Snapshot, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let row = tables::open_row(key, value)?;
        let by_id = store.bytes(&keys::id(row.run.id))?;
        ensure(by_id == Some(row.run.sequence.to_be_bytes().to_vec()), key, "missing id entry")?;
        self.logged.extend(row.run.logs_ref.as_ref().map(|_| row.run.id));
        for digest in row.payloads() {
            self.payloads.entry(keys::refcount(&digest)).or_insert((digest, 0)).1 += 1;
        }
        for index in keys::indexes(&row.run) {
            let is_same = store.bytes(&index.key)?.as_ref() == Some(&index.value);
            ensure(is_same, key, format!("missing entry `{}`", keys::name(&index.key)))?;
        }
        Ok(())
    }
}

pub(super) fn ensure(holds: bool, key: &[u8], what: impl Into<String>) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(codec::corrupted(key, what)) }
}

fn has_run_of_log(store: &Snapshot, key: &[u8]) -> Result<bool, StoreError> {
    keys::run_of_log(key).map_or(Ok(false), |run| store.has(&keys::run(run)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::document::Address;
    use crate::model::outcome::{LogLevel, LogSource, Outcome};
    use crate::model::run_record::tests::running;
    use crate::store::conformance::{ending, insert};
    use crate::store::redb::backup::write_all;
    use crate::store::redb::file::{DIRECTORY, FILE, builder};
    use crate::store::redb::test_store::{Scratch, creating, filled};
    use crate::store::tests::author;
    use crate::store::{OverflowWriter, StoreMaintenance as _, log_overflow};
    use crate::util::private_dir::DataDir;

    #[tokio::test]
    async fn flipped_byte_is_never_read_as_data_and_is_reported() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let runs = filled(&store, 40).await;
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let whole = std::fs::read(&copy).unwrap();
        // Most bytes of a small file are unused.
        let used: Vec<_> = (0..whole.len()).filter(|offset| whole[*offset] != 0).collect();
        let mut random = fastrand::Rng::with_seed(7);
        let (mut reported, mut saved) = (0, 0);
        for round in 0..150 {
            let mut bytes = whole.clone();
            let offset = used[random.u64(..used.len() as u64) as usize];
            bytes[offset] ^= 1 << random.u64(..8);
            let corrupted = scratch.store_of(&format!("d{round}"), &bytes);
            let mut missing = 0;
            for run in &runs {
                match corrupted.get(run.id).await {
                    Ok(Some(read)) => assert_eq!(&read, run, "byte {offset}"),
                    Ok(None) | Err(_) => missing += 1,
                }
            }
            let check = corrupted.check().await;
            let silent = check.is_ok_and(|problems| problems.is_empty());
            assert!(!silent || missing == 0, "{missing} are missing, byte {offset}");
            reported += u64::from(!silent);
            if missing > 0 {
                let to = scratch.0.path().join(format!("saved{offset}.redb"));
                saved += corrupted.salvage(&to).await.map_or(0, |saved| saved.runs + missing);
            }
        }
        assert!(reported > 50, "{reported}");
        assert!(saved > 0);
    }

    #[tokio::test]
    async fn missing_table_is_reported_and_not_created_again() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let runs = filled(&store, 3).await;
        let page = store.list(&Default::default(), None, 9).await.unwrap();
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let database = builder().open(&copy).unwrap();
        let transaction = database.begin_write().unwrap();
        let ids = redb::TableDefinition::<&[u8], &[u8]>::new(TableId::RunIdIndex.table());
        assert!(transaction.delete_table(ids).unwrap());
        transaction.commit().unwrap();
        drop(database);
        let corrupted = scratch.store_of("corrupted", &std::fs::read(&copy).unwrap());
        let error = corrupted.get(runs[0].id).await.unwrap_err().to_string();
        assert_eq!(error, "the store is corrupted at `table run_ids`: missing table");
        let new = crate::store::NewRun { run: running("a"), key: None };
        assert_eq!(corrupted.insert(new).await.unwrap_err().to_string(), error);
        assert_eq!(corrupted.probe_write().await.unwrap_err().to_string(), error);
        store.probe_write().await.unwrap();
        assert_eq!(store.check().await.unwrap(), [""; 0]);
        assert_eq!(store.list(&Default::default(), None, 9).await.unwrap().runs, page.runs);
        assert!(!corrupted.check().await.unwrap().is_empty());
        assert_eq!(corrupted.list(&Default::default(), None, 9).await.unwrap().runs.len(), 3);
        std::fs::remove_file(&copy).unwrap();
        assert_eq!(corrupted.salvage(&copy).await.unwrap().runs, 3);
        let clean = scratch.store_of("clean", &std::fs::read(&copy).unwrap());
        assert_eq!(clean.get(runs[0].id).await.unwrap().as_ref(), Some(&runs[0]));
        assert_eq!(clean.check().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn missing_log_file_is_reported() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let (run, data) = (running("a"), DataDir::new(scratch.0.path().join("live")));
        let claim = insert(&store, &run).await;
        let log = OverflowWriter::new(&data, run.id);
        assert!(log.add(&LogEntry {
            timestamp: chrono::Utc::now(),
            level: LogLevel::Info,
            message: "more".to_owned(),
            data: None,
            source: LogSource::Guest,
        }));
        let mut ending = ending(Outcome::Success(json!({})));
        ending.logs_ref = log.finish().reference;
        store.finish(claim, ending).await.unwrap();
        assert_eq!(store.check().await.unwrap(), [""; 0]);
        log_overflow::remove(&data, run.id).unwrap();
        let problem = format!("missing log file of run {}", run.id);
        assert_eq!(store.check().await.unwrap(), [problem]);
        store.erase(run.id).await.unwrap();
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn wrong_document_count_is_reported() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 3)).await.unwrap();
        let database = builder().open(scratch.0.path().join("live").join(DIRECTORY).join(FILE));
        let database = database.unwrap();
        let first = Address { collection: "jobs".parse().unwrap(), id: "0".parse().unwrap() };
        write_all(&database, &[()], |tx, ()| tx.remove(&keys::document(&first))).unwrap();
        drop(database);
        let problem = "the store is corrupted at `collection jobs`: recorded 3 documents, found 2";
        assert!(store.check().await.unwrap().iter().any(|line| line == problem));
    }

    #[tokio::test]
    async fn missing_collection_statistics_are_reported() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        for (collection, count) in [("jobs", 2), ("people", 3)] {
            store.commit_changes(author(), creating(collection, count)).await.unwrap();
        }
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let database = builder().open(&copy).unwrap();
        let jobs = keys::collection(&"jobs".parse().unwrap());
        write_all(&database, &[()], |tx, ()| tx.remove(&jobs)).unwrap();
        drop(database);
        let corrupted = scratch.store_of("corrupted", &std::fs::read(&copy).unwrap());
        let problems = corrupted.check().await.unwrap();
        assert_eq!(problems, ["collection `jobs` has 2 documents but no statistics"]);
        std::fs::remove_file(&copy).unwrap();
        assert_eq!(corrupted.salvage(&copy).await.unwrap().documents, 5);
        let clean = scratch.store_of("clean", &std::fs::read(&copy).unwrap());
        assert_eq!(clean.check().await.unwrap(), [""; 0]);
    }
}
