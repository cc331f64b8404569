//! Looks a store over, and copies it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableTable};

use super::RedbStore;
use super::codec;
use super::document_check::DocumentFindings;
use super::file::{builder, catch_corruption_panic};
use super::keys::{self, TableId};
use super::tables::{self, Bytes, Entry, IdempotencyEntry, Snapshot, Tx, View};
use crate::model::digest::Digest;
use crate::model::outcome::LogEntry;
use crate::model::run_record::RunId;
use crate::store::{Store as _, StoreError};

/// The most values that are copied in one transaction.
const VALUES: usize = 4096;
/// How many bytes end a transaction: until it is written, they are in memory.
const BYTES: usize = 16 << 20;

impl RedbStore {
    /// Reads every value, and compares what belongs together. Returns what is wrong, as text.
    ///
    /// It sees the store as it is when it begins, and until it ends the file grows with what
    /// others write.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the file cannot be read at all.
    pub(crate) async fn check(&self) -> Result<Vec<String>, StoreError> {
        let (mut list, logged) = self.read(check_all).await?.unwrap_or_default();
        for id in logged {
            if self.file.has_log(id)? {
                continue;
            }
            // It may have been erased since. What else is wrong with it is in the list.
            let Ok(Some(run)) = self.get(id).await else { continue };
            if run.logs_ref.is_some() {
                list.push(format!("the log file of run {id} is gone"));
            }
        }
        Ok(list)
    }

    /// Copies the store, as it is when this begins, to a new file, in one step. Others may go on
    /// writing.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`], also if a value is damaged or there is a file of that name: then
    /// `to` is as it was.
    pub(crate) async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let to = to.to_owned();
        let copied = self.read(move |store| write_file(&to, |copy| copy_all(store, copy))).await?;
        copied.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
    }
}

/// Writes a file of the same kind under another name and gives it its own when it is whole.
pub(super) fn write_file(
    to: &Path,
    fill: impl FnOnce(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let temporary = PathBuf::from(format!("{}.{}.part", to.display(), std::process::id()));
    let written = catch_corruption_panic(|| {
        let file = create_private(&temporary)?;
        let database = builder().create_file(file.try_clone()?)?;
        fill(&database)?;
        drop(database);
        file.sync_all()?;
        // In one step, and never in place of another file: it could be the store itself.
        fs::hard_link(&temporary, to)?;
        fs::remove_file(&temporary)?;
        let directory = to.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    });
    if written.is_err() {
        // The first error says more.
        fs::remove_file(&temporary).ok();
    }
    written
}

fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    File::options().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Writes in one transaction.
pub(super) fn write_all<T>(
    copy: &Database,
    values: &[T],
    mut write: impl FnMut(&mut Tx<'_>, &T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let transaction = copy.begin_write()?;
    let mut tx = Tx::open(&transaction)?;
    values.iter().try_for_each(|value| write(&mut tx, value))?;
    drop(tx);
    Ok(transaction.commit()?)
}

/// Writes in transactions of a bounded size: of at most one value beyond [`BYTES`].
pub(super) struct BatchWriter<'c, T, W> {
    copy: &'c Database,
    write: W,
    waiting: Vec<T>,
    /// How large these are together.
    bytes: usize,
}

impl<'c, T, W: FnMut(&mut Tx<'_>, &T) -> Result<(), StoreError>> BatchWriter<'c, T, W> {
    pub(super) fn new(copy: &'c Database, write: W) -> Self {
        Self { copy, write, waiting: Vec::new(), bytes: 0 }
    }

    /// Writes a value of so many bytes, now or later.
    pub(super) fn add(&mut self, value: T, bytes: usize) -> Result<(), StoreError> {
        self.waiting.push(value);
        self.bytes += bytes;
        let is_full = self.waiting.len() >= VALUES || self.bytes >= BYTES;
        if is_full { self.flush() } else { Ok(()) }
    }

    /// Writes what was not written yet.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        write_all(self.copy, &self.waiting, &mut self.write)?;
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }
}

fn copy_all(store: &Snapshot, copy: &Database) -> Result<(), StoreError> {
    let mut values = BatchWriter::new(copy, |tx, (key, value): &Entry| tx.put_bytes(key, value));
    for kind in TableId::ALL {
        for entry in store.prefix(&kind.prefix())? {
            let (key, value) = entry?;
            intact(store, kind, (&key, &value))?;
            let bytes = key.len() + value.len();
            values.add((key, value), bytes)?;
        }
    }
    values.flush()
}

/// Makes sure that a value is what was written under its key.
fn intact(store: &Snapshot, kind: TableId, (key, value): (&[u8], &[u8])) -> Result<(), StoreError> {
    match kind {
        TableId::RunIdIndex => store.resolve_id(key, value).map(drop),
        TableId::Index => store.resolve_index(key).map(drop),
        TableId::Meta
        | TableId::Run
        | TableId::Log
        | TableId::Payload
        | TableId::PayloadRefcount
        | TableId::Idempotency
        | TableId::Document
        | TableId::Change
        | TableId::Commit
        | TableId::RunCommit
        | TableId::Collection => codec::verify(key, value).map(drop),
    }
}

/// Shows all keys of a kind that can be reached, from either end. Returns what stopped it.
fn walk(
    store: &Snapshot,
    kind: TableId,
    mut see: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<Option<String>, StoreError> {
    let prefix = kind.prefix();
    let (mut low, mut high) = (None::<Vec<u8>>, None::<Vec<u8>>);
    let mut failed = None;
    let mut go = |backwards: bool| {
        catch_corruption_panic(|| {
            let mut entries = store.prefix(&prefix)?;
            while let Some(entry) = if backwards { entries.next_back() } else { entries.next() } {
                let (key, value) = entry?;
                // A damaged page may lead anywhere, and around.
                let above = low.as_ref().is_none_or(|low| *low < key);
                let below = high.as_ref().is_none_or(|high| key < *high);
                if backwards && !above {
                    return Ok(());
                }
                if !key.starts_with(&prefix) || !above || !below {
                    return Err(codec::corrupted(&key, "it is not in its place"));
                }
                failed = see(&key, &value).err();
                if failed.is_some() {
                    return Ok(());
                }
                *(if backwards { &mut high } else { &mut low }) = Some(key);
            }
            Ok(())
        })
    };
    let stopped = go(false).err();
    if stopped.is_some() {
        // What stops it from the other end is the same damage.
        go(true).ok();
    }
    failed.map_or(Ok(stopped.map(|error| format!("{kind:?}: {error}"))), Err)
}

/// What is wrong with a store.
#[derive(Default)]
struct IntegrityReport {
    list: Vec<String>,
    /// How many rows name each large value, by the key of that number.
    payloads: BTreeMap<Vec<u8>, (Digest, i64)>,
    newest: u64,
    documents: DocumentFindings,
    /// The runs of whose log a part is in a file.
    logged: Vec<RunId>,
}

/// Returns what is wrong, and the runs of whose log a part should be in a file.
fn check_all(store: &Snapshot) -> Result<(Vec<String>, Vec<RunId>), StoreError> {
    let mut findings = IntegrityReport::default();
    for kind in TableId::ALL {
        let stopped = walk(store, kind, |key, value| {
            // What is found is noted; looking goes on.
            if let Err(error) =
                catch_corruption_panic(|| findings.check_entry(store, kind, (key, value)))
            {
                findings.list.push(error.to_string());
            }
            Ok(())
        });
        findings.list.extend(stopped?);
    }
    // After the rows: those that are named and not there.
    for (key, (digest, count)) in &findings.payloads {
        match catch_corruption_panic(|| store.value::<i64>(key)) {
            Ok(Some(known)) if known == *count => {}
            Err(error) => findings.list.push(error.to_string()),
            Ok(known) => findings
                .list
                .push(format!("`{}` is {known:?}, {count} rows name it", keys::name(key))),
        }
        if !catch_corruption_panic(|| store.has(&keys::payload(digest))).unwrap_or(true) {
            findings.list.push(format!("payload {digest} is gone"));
        }
    }
    findings.list.extend(findings.documents.without_size());
    let sequence = catch_corruption_panic(|| store.sequence());
    if sequence.is_ok_and(|sequence| sequence < findings.newest) {
        findings.list.push("the sequence is behind the newest run".to_owned());
    }
    Ok((distinct(findings.list), findings.logged))
}

/// Leaves each finding once: a damaged row is met by itself and by all that lead to it.
fn distinct(mut findings: Vec<String>) -> Vec<String> {
    let mut known = HashSet::new();
    findings.retain(|finding| known.insert(finding.clone()));
    findings
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
                intact(store, kind, (key, value))
            }
            TableId::Run => self.look_at_row(store, key, value),
            TableId::Log => {
                codec::decode::<Vec<LogEntry>>(key, value)?;
                ensure(run_of_log(store, key)?, key, "no run has this log")
            }
            TableId::Payload => {
                let digest = Digest::sha256(&codec::verify(key, value)?);
                ensure(keys::payload(&digest) == key, key, "another value")?;
                ensure(self.payloads.contains_key(&keys::count(&digest)), key, "no run names it")
            }
            TableId::PayloadRefcount => {
                codec::decode::<i64>(key, value)?;
                ensure(self.payloads.contains_key(key), key, "no run names it")
            }
            TableId::Idempotency => {
                let holder: IdempotencyEntry = codec::decode(key, value)?;
                ensure(store.has(&keys::run(holder.run))?, key, "its run is gone")
            }
            TableId::Document
            | TableId::Change
            | TableId::Commit
            | TableId::RunCommit
            | TableId::Collection => self.documents.check_entry(store, kind, (key, value)),
        }
    }

    fn look_at_row(
        &mut self,
        store: &Snapshot,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        let row = tables::open_row(key, value)?;
        let led = store.bytes(&keys::id(row.run.id))?;
        ensure(led == Some(row.run.sequence.to_be_bytes().to_vec()), key, "no id leads to it")?;
        self.newest = self.newest.max(row.run.sequence);
        self.logged.extend(row.run.logs_ref.as_ref().map(|_| row.run.id));
        for digest in row.payloads() {
            self.payloads.entry(keys::count(&digest)).or_insert((digest, 0)).1 += 1;
        }
        for index in keys::indexes(&row.run) {
            ensure(store.has(&index)?, key, format!("it is not in `{}`", keys::name(&index)))?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, key: &[u8], what: impl Into<String>) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(codec::corrupted(key, what)) }
}

fn run_of_log<T: ReadableTable<Bytes, Bytes>>(
    store: &View<T>,
    key: &[u8],
) -> Result<bool, StoreError> {
    keys::run_of_log(key).map_or(Ok(false), |run| store.has(&keys::run(run)))
}

#[cfg(test)]
pub(in crate::store) mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use redb::ReadableDatabase as _;
    use serde_json::json;

    use super::*;
    use crate::model::document::{Address, CommitRequest, DocumentChange, Scan};
    use crate::model::outcome::{LogLevel, LogSource, Outcome};
    use crate::model::run_record::RunRecord;
    use crate::model::run_record::tests::running;
    use crate::store::conformance::{ending, insert};
    use crate::store::redb::file::{DIRECTORY, FILE, ShutdownMode};
    use crate::store::tests::author;
    use crate::store::{OverflowWriter, ScannedDocument, log_overflow};
    use crate::util::private_dir::{DataDir, PrivateDir};

    pub(in crate::store) struct Scratch(pub(in crate::store) tempfile::TempDir);

    impl Scratch {
        pub(in crate::store) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        /// Returns a store of its own in here.
        pub(in crate::store) fn store(&self, name: &str) -> RedbStore {
            RedbStore::new(DataDir::new(self.0.path().join(name)), ShutdownMode::Clean)
        }

        /// Returns a store of its own with this content.
        pub(in crate::store) fn store_of(&self, name: &str, content: &[u8]) -> RedbStore {
            let directory = self.0.path().join(name).join(DIRECTORY);
            let directory = PrivateDir::create(&directory).unwrap();
            directory.replace(FILE, &[content]).unwrap();
            self.store(name)
        }
    }

    pub(in crate::store) async fn filled(store: &RedbStore, count: u64) -> Vec<RunRecord> {
        let mut runs = Vec::new();
        for n in 0..count {
            let mut run = running(["a", "b"][(n % 2) as usize]);
            run.actor.user_id = Some(format!("user{}", n % 3));
            run.input_dump = json!("x".repeat((n % 5) as usize * 1500));
            let claim = insert(store, &run).await;
            store.finish(claim, ending(Outcome::Success(json!({"n": n})))).await.unwrap();
            runs.push(store.get(run.id).await.unwrap().unwrap());
        }
        runs
    }

    #[tokio::test]
    async fn a_backup_of_a_live_store_is_a_store_and_replaces_nothing() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        assert!(store.backup(&scratch.0.path().join("none")).await.is_err());
        let runs = filled(&store, 20).await;
        let to = scratch.0.path().join("copy.redb");
        std::fs::write(&to, "older").unwrap();
        assert!(store.backup(&to).await.is_err());
        assert_eq!(std::fs::read(&to).unwrap(), b"older");
        std::fs::remove_file(&to).unwrap();
        store.backup(&to).await.unwrap();
        filled(&store, 1).await;
        let copy = scratch.store_of("copy", &std::fs::read(&to).unwrap());
        assert_eq!(copy.check().await.unwrap(), [""; 0]);
        for run in &runs {
            assert_eq!(copy.get(run.id).await.unwrap().as_ref(), Some(run));
        }
        assert_eq!(copy.latest().await.unwrap().as_ref(), runs.last());
        let names = std::fs::read_dir(scratch.0.path()).unwrap();
        assert_eq!(names.count(), 3, "nothing is left behind");
    }

    #[tokio::test]
    async fn f5_whatever_byte_is_flipped_nothing_wrong_is_read_and_check_tells() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let runs = filled(&store, 40).await;
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let whole = std::fs::read(&copy).unwrap();
        // Most of a small file is room for more.
        let used: Vec<_> = (0..whole.len()).filter(|place| whole[*place] != 0).collect();
        let mut random = fastrand::Rng::with_seed(7);
        let (mut told, mut saved) = (0, 0);
        for round in 0..150 {
            let mut bytes = whole.clone();
            let place = used[random.u64(..used.len() as u64) as usize];
            bytes[place] ^= 1 << random.u64(..8);
            let damaged = scratch.store_of(&format!("d{round}"), &bytes);
            let mut missing = 0;
            for run in &runs {
                match damaged.get(run.id).await {
                    Ok(Some(read)) => assert_eq!(&read, run, "byte {place}"),
                    Ok(None) | Err(_) => missing += 1,
                }
            }
            let check = damaged.check().await;
            let silent = check.is_ok_and(|problems| problems.is_empty());
            assert!(!silent || missing == 0, "{missing} are missing, byte {place}");
            told += u64::from(!silent);
            if missing > 0 {
                let to = scratch.0.path().join(format!("saved{place}.redb"));
                saved += damaged.salvage(&to).await.map_or(0, |saved| saved.runs + missing);
            }
        }
        assert!(told > 50, "{told}");
        assert!(saved > 0);
    }

    #[tokio::test]
    async fn f5_a_table_that_is_gone_is_told_and_not_made_anew() {
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
        let damaged = scratch.store_of("damaged", &std::fs::read(&copy).unwrap());
        let error = damaged.get(runs[0].id).await.unwrap_err().to_string();
        assert_eq!(error, "the store is damaged at `table ids`: it is gone");
        let new = crate::store::NewRun { run: running("a"), key: None };
        assert_eq!(damaged.insert(new).await.unwrap_err().to_string(), error);
        assert_eq!(damaged.probe_write().await.unwrap_err().to_string(), error);
        store.probe_write().await.unwrap();
        assert_eq!(store.check().await.unwrap(), [""; 0]);
        assert_eq!(store.list(&Default::default(), None, 9).await.unwrap().runs, page.runs);
        assert!(!damaged.check().await.unwrap().is_empty());
        assert_eq!(damaged.list(&Default::default(), None, 9).await.unwrap().runs.len(), 3);
        std::fs::remove_file(&copy).unwrap();
        assert_eq!(damaged.salvage(&copy).await.unwrap().runs, 3);
        let clean = scratch.store_of("clean", &std::fs::read(&copy).unwrap());
        assert_eq!(clean.get(runs[0].id).await.unwrap().as_ref(), Some(&runs[0]));
        assert_eq!(clean.check().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn f5_what_is_salvaged_is_a_clean_store_without_what_was_damaged() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let runs = filled(&store, 40).await;
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let mut bytes = std::fs::read(&copy).unwrap();
        let row = store.read(|store| store.bytes(&keys::run(18))).await.unwrap().flatten().unwrap();
        for place in 0..bytes.len() - row.len() {
            if bytes[place..].starts_with(&row) {
                bytes[place + row.len() - 1] ^= 1;
            }
        }
        let damaged = scratch.store_of("damaged", &bytes);
        let (bad, page) = (runs[17].id, damaged.list(&Default::default(), None, 99).await.unwrap());
        assert_eq!((page.runs.len(), page.damaged.len()), (39, 1));
        let error = damaged.get(bad).await.unwrap_err().to_string();
        assert_eq!(error, "the store is damaged at `run number 18`: the check does not fit");
        assert!(!damaged.check().await.unwrap().is_empty());
        assert!(damaged.backup(&copy).await.is_err());
        std::fs::remove_file(&copy).unwrap();
        let saved = damaged.salvage(&copy).await.unwrap();
        assert_eq!((saved.runs, saved.lost.len()), (39, 1));
        let clean = scratch.store_of("clean", &std::fs::read(&copy).unwrap());
        assert_eq!(clean.check().await.unwrap(), [""; 0]);
        for run in runs.iter().filter(|run| run.id != bad) {
            assert_eq!(clean.get(run.id).await.unwrap().as_ref(), Some(run));
        }
        insert(&clean, &running("a")).await;
        assert_eq!(clean.latest().await.unwrap().unwrap().sequence, 41);
    }

    #[tokio::test]
    async fn f9_a_store_of_a_newer_format_is_read_and_not_touched() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let runs = filled(&store, 3).await;
        let copy = scratch.0.path().join("copy.redb");
        store.backup(&copy).await.unwrap();
        let database = builder().open(&copy).unwrap();
        write_all(&database, &[()], |tx, ()| tx.put(&keys::meta("format"), &2)).unwrap();
        drop(database);
        let bytes = std::fs::read(&copy).unwrap();
        let newer = scratch.store_of("newer", &bytes);
        assert_eq!(newer.get(runs[0].id).await.unwrap().as_ref(), Some(&runs[0]));
        let new = crate::store::NewRun { run: running("a"), key: None };
        let error = newer.insert(new).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the store has format 2, this version writes 1: it is open for reading only"
        );
        let path = scratch.0.path().join("newer").join(DIRECTORY).join(FILE);
        assert!(std::fs::read(path).unwrap() == bytes);
    }

    #[test]
    fn a_copy_holds_at_most_16_mib_at_a_time() {
        let scratch = Scratch::new();
        let copy = builder().create(scratch.0.path().join("copy.redb")).unwrap();
        let mut values =
            BatchWriter::new(&copy, |tx, (key, value): &Entry| tx.put_bytes(key, value));
        let mut waiting = Vec::new();
        for n in 0..5_u8 {
            let entry = (keys::run(n.into()), vec![n; 6 << 20]);
            values.add(entry, 6 << 20).unwrap();
            waiting.push(values.waiting.len());
        }
        assert_eq!(waiting, [1, 2, 0, 1, 2]);
        values.flush().unwrap();
        let written = Snapshot::open(&copy.begin_read().unwrap()).unwrap().unwrap();
        assert_eq!(written.prefix(&TableId::Run.prefix()).unwrap().count(), 5);
    }

    #[tokio::test]
    async fn f5_a_log_file_that_is_gone_is_told() {
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
        let told = format!("the log file of run {} is gone", run.id);
        assert_eq!(store.check().await.unwrap(), [told]);
        store.erase(run.id).await.unwrap();
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn f5_to_try_a_store_out_takes_nothing_from_it() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        let mut run = running("a");
        run.input_dump = json!({"large": "x".repeat(100_000)});
        insert(&store, &run).await;
        let file = scratch.0.path().join("live").join(DIRECTORY).join(FILE);
        let database = builder().open(file).unwrap();
        // Damage hides how often the input is named.
        write_all(&database, &[()], |tx, ()| {
            let row = tx.row_at(1)?.unwrap();
            row.payloads().try_for_each(|digest| tx.remove(&keys::count(&digest)))
        })
        .unwrap();
        drop(database);
        let before = store.check().await.unwrap();
        store.probe_write().await.unwrap();
        assert_eq!(store.check().await.unwrap(), before);
        let kept = store.get(run.id).await.unwrap().unwrap();
        assert_eq!(kept.input_dump, run.input_dump);
    }

    #[tokio::test]
    async fn f5_a_scan_in_parts_misses_what_is_hidden_if_it_knows_what_came_before() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 3)).await.unwrap();
        let documents = store.documents().unwrap();
        let look = |before| {
            let scan = Scan { after: Some("0".parse().unwrap()), before, ..Scan::default() };
            let see = &mut |_: &ScannedDocument<'_>| Ok(ControlFlow::Continue(()));
            documents.scan(&"jobs".parse().unwrap(), &scan, see)
        };
        look(Some(1)).unwrap();
        look(None).unwrap();
        let told =
            "the store is damaged at `collection jobs`: it has 3 documents, of which 2 are found";
        assert_eq!(look(Some(0)).unwrap_err().to_string(), told);
    }

    #[tokio::test]
    async fn f5_a_collection_that_has_another_size_is_told() {
        let scratch = Scratch::new();
        let store = scratch.store("live");
        store.commit_changes(author(), creating("jobs", 3)).await.unwrap();
        let database = builder().open(scratch.0.path().join("live").join(DIRECTORY).join(FILE));
        let database = database.unwrap();
        let first = Address { collection: "jobs".parse().unwrap(), id: "0".parse().unwrap() };
        write_all(&database, &[()], |tx, ()| tx.remove(&keys::document(&first))).unwrap();
        drop(database);
        let told =
            "the store is damaged at `collection jobs`: its size is 3, there are 2 documents";
        assert!(store.check().await.unwrap().iter().any(|line| line == told));
    }

    #[tokio::test]
    async fn f5_a_collection_whose_size_is_gone_is_told() {
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
        let damaged = scratch.store_of("damaged", &std::fs::read(&copy).unwrap());
        let told = damaged.check().await.unwrap();
        assert_eq!(told, ["collection `jobs` has 2 documents and no size"]);
        std::fs::remove_file(&copy).unwrap();
        assert_eq!(damaged.salvage(&copy).await.unwrap().documents, 5);
        let clean = scratch.store_of("clean", &std::fs::read(&copy).unwrap());
        assert_eq!(clean.check().await.unwrap(), [""; 0]);
    }

    /// Returns what a run did that put so many documents into a collection.
    pub(in crate::store) fn creating(collection: &str, count: usize) -> Arc<CommitRequest> {
        let create = |n: usize| {
            let (collection, id) = (collection.parse().unwrap(), n.to_string().parse().unwrap());
            let after = Some(json!({"n": n}).try_into().unwrap());
            (Address { collection, id }, DocumentChange { before: None, after })
        };
        CommitRequest { changes: (0..count).map(create).collect(), ..CommitRequest::default() }
            .into()
    }
}
