//! The store as it is: one file of redb, which any number of processes read and write.

pub(super) mod codec;
#[cfg(test)]
mod crash_tests;
pub(super) mod document_check;
pub(super) mod documents;
pub(super) mod file;
pub(super) mod id_packing;
pub(super) mod keys;
pub(super) mod ops;
pub(super) mod overlay;
pub(super) mod pages;
pub(super) mod repair;
pub(super) mod row;
pub(super) mod salvage;
pub(super) mod tables;
pub(super) mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::documents::RedbDocuments;
use self::file::{ShutdownMode, StoreFile, off_thread};
use self::keys::{Index, TableId};
use self::ops::Added;
use self::row::Row;
use self::tables::Snapshot;
use self::writer::Writer;
use crate::model::document::{ChangeSet, CommitRequest};
use crate::model::operation::OperationName;
use crate::model::outcome::{FailureKind, LogEntry};
use crate::model::run_record::{OwnerId, RunId, RunRecord, RunSummary, Status};
use crate::store::{
    AppendLogOutcome, Bucket, Claim, CommitMetadata, CommitOutcome, DocumentSnapshot, EraseOutcome,
    FinishOutcome, InsertOutcome, NewRun, Percentiles, RunCompletion, RunCursor, RunFilter,
    RunPage, Stats, StatsReport, Store, StoreError,
};
use crate::util::private_dir::DataDir;

/// The most rows that are looked at in one snapshot: a snapshot that lives long makes the file
/// grow.
const ROWS: usize = 1024;

/// The bounds of the buckets that durations are counted in, in milliseconds: up to three hours.
const BOUNDS: [u64; 15] = [
    1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000,
    10_000_000,
];

/// The records of runs in a data directory.
///
/// Nothing is opened or made before the first call; calls that only read make nothing. One
/// process may have any number of them, but one is enough.
pub(crate) struct RedbStore {
    file: Arc<StoreFile>,
    writer: Writer,
}

impl RedbStore {
    /// Returns the store of a data directory.
    pub(crate) fn new(data: DataDir, at_end: ShutdownMode) -> Self {
        let file = Arc::new(StoreFile::new(data, at_end));
        Self { writer: Writer::new(Arc::clone(&file)), file }
    }

    /// Opens the store, if there is one, for whoever is about to write to it.
    pub(crate) fn prepare(&self) {
        self.writer.prepare();
    }

    /// Says whether this user may write to the store, without trying.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] of opening it for writing.
    pub(crate) async fn is_writable(&self) -> Result<(), StoreError> {
        let file = Arc::clone(&self.file);
        off_thread(move || file.is_writable()).await
    }

    /// Tries what a record needs, by a commit that leaves nothing.
    ///
    /// # Errors
    ///
    /// Returns the [`StoreError`] that a record would meet.
    pub(crate) async fn probe_write(&self) -> Result<(), StoreError> {
        self.writer.submit(RunId::new(), ops::probe_write).await.map(drop)
    }

    /// Reads off the async threads; `None` if there is no store yet.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnMut(&Snapshot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let file = Arc::clone(&self.file);
        off_thread(move || file.read(read)).await
    }

    /// Returns what a run changed of documents; nothing if it changed none.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if that cannot be read.
    pub(crate) async fn changes(&self, run: RunId) -> Result<ChangeSet, StoreError> {
        Ok(self.read(move |store| store.changes_of(run)).await?.unwrap_or_default())
    }

    /// Looks at every run that fits, the newest first, until `see` says that it is enough:
    /// most likely after so many.
    async fn each(
        &self,
        filter: &RunFilter,
        (mut range, likely): (KeyRange, usize),
        mut see: impl FnMut(Result<Row, StoreError>) -> bool,
    ) -> Result<(), StoreError> {
        loop {
            let asked = (filter.clone(), range.clone());
            let part = self.read(move |store| part(store, &asked.0, &asked.1, likely)).await?;
            let Some(Part { rows, rest }) = part else { return Ok(()) };
            if !rows.into_iter().all(&mut see) {
                return Ok(());
            }
            let Some(rest) = rest else { return Ok(()) };
            range.end = rest;
        }
    }
}

/// Keys of an index, or of the rows themselves, from the first to before the end.
#[derive(Clone)]
struct KeyRange {
    first: Vec<u8>,
    end: Vec<u8>,
}

impl KeyRange {
    /// Returns the keys of what is narrow enough for a filter, in the order of the sequence,
    /// before that of the cursor.
    fn listing(filter: &RunFilter, after: Option<RunCursor>) -> Self {
        let first = match filter {
            RunFilter { prefect_flow_run_id: Some(flow), .. } => Index::FlowRun(flow).prefix(),
            RunFilter { user_id: Some(user), .. } => Index::User(user).prefix(),
            RunFilter { operation: Some(operation), .. } => Index::Operation(operation).prefix(),
            RunFilter { status: Some(Status::Success), .. } => TableId::Run.prefix(),
            RunFilter { status: Some(status), .. } => Index::Status(*status).prefix(),
            RunFilter { failure_kind: Some(_), .. } | RunFilter { error_contains: Some(_), .. } => {
                Index::Status(Status::Failed).prefix()
            }
            _ => TableId::Run.prefix(),
        };
        let end = match after {
            Some(RunCursor(sequence)) => [&first[..], &sequence.to_be_bytes()].concat(),
            None => keys::after(&first),
        };
        Self { first, end }
    }

    /// Returns the keys of what is narrow enough for a filter, in any order.
    fn counting(filter: &RunFilter) -> Self {
        let Some(operation) = &filter.operation else { return Self::listing(filter, None) };
        let prefix = Index::OperationTime(operation).prefix();
        let at = |time| [&prefix[..], &keys::time(time)].concat();
        // The keys know microseconds; the filter itself is asked for the rest.
        let end = filter.until.map(|until| keys::after(&at(until)));
        Self {
            first: filter.since.map_or(prefix.clone(), at),
            end: end.unwrap_or_else(|| keys::after(&prefix)),
        }
    }
}

/// Some rows of an index, and where the rest of it ends.
struct Part {
    rows: Vec<Result<Row, StoreError>>,
    rest: Option<Vec<u8>>,
}

/// Returns at most so many rows that fit.
fn part(
    store: &Snapshot,
    filter: &RunFilter,
    range: &KeyRange,
    most: usize,
) -> Result<Part, StoreError> {
    let mut rows = Vec::new();
    for (count, entry) in store.range(&range.first, &range.end)?.rev().enumerate() {
        let (key, value) = entry?;
        match found(store, &key, &value) {
            Ok(row) if !filter.matches(&row.run) => {}
            Err(error @ StoreError::Corrupted { .. }) => rows.push(Err(error)),
            row => rows.push(Ok(row?)),
        }
        if count + 1 == ROWS || rows.len() == most {
            return Ok(Part { rows, rest: Some(key) });
        }
    }
    Ok(Part { rows, rest: None })
}

fn found(store: &Snapshot, key: &[u8], value: &[u8]) -> Result<Row, StoreError> {
    match keys::parse(key) {
        Some((TableId::Run, _)) => tables::open_row(key, value),
        _ => store.resolve_index(key),
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn insert(&self, new: NewRun) -> Result<InsertOutcome, StoreError> {
        self.writer.submit(new.run.id, move |tx| ops::insert(tx, &new)).await
    }

    async fn log(
        &self,
        claim: &Claim,
        entries: Vec<LogEntry>,
    ) -> Result<AppendLogOutcome, StoreError> {
        let claim = *claim;
        let added = self.writer.submit(claim.id, move |tx| ops::log(tx, claim, &entries)).await?;
        Ok(match added {
            Added::Part(_) => AppendLogOutcome::Done,
            Added::Lost => AppendLogOutcome::Lost,
        })
    }

    async fn finish(
        &self,
        claim: Claim,
        ending: RunCompletion,
    ) -> Result<FinishOutcome, StoreError> {
        let finish = self.writer.submit(claim.id, move |tx| ops::finish(tx, claim, &ending));
        Ok(finish.await?.into())
    }

    async fn commit_changes(
        &self,
        author: CommitMetadata,
        effects: Arc<CommitRequest>,
    ) -> Result<CommitOutcome, StoreError> {
        self.writer
            .submit(author.run_id, move |tx| ops::commit_changes(tx, &author, &effects))
            .await
    }

    fn documents(&self) -> Result<Box<dyn DocumentSnapshot>, StoreError> {
        Ok(Box::new(RedbDocuments::open(&self.file)?))
    }

    async fn get(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.read(move |store| store.run(id)).await?.flatten())
    }

    async fn ids_by_prefix(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let prefix = prefix.to_ascii_lowercase();
        let ids = self.read(move |store| ids_by_prefix(store, &prefix, limit)).await?;
        Ok(ids.unwrap_or_default())
    }

    async fn latest(&self) -> Result<Option<RunRecord>, StoreError> {
        let latest = |store: &Snapshot| {
            let last = store.prefix(&TableId::Run.prefix())?.next_back().transpose()?;
            let row = last.map(|(key, value)| tables::open_row(&key, &value)).transpose()?;
            row.map(|row| store.load_full(row)).transpose()
        };
        Ok(self.read(latest).await?.flatten())
    }

    async fn list(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: usize,
    ) -> Result<RunPage, StoreError> {
        let mut runs: Vec<RunSummary> = Vec::new();
        let (mut damaged, mut more) = (Vec::new(), false);
        let see = |row: Result<Row, StoreError>| {
            match row {
                Ok(_) if runs.len() == limit => more = true,
                Ok(row) => runs.push(row.run.into()),
                Err(error) => damaged.push(error),
            }
            !more
        };
        let one_more = limit.saturating_add(1);
        self.each(filter, (KeyRange::listing(filter, after), one_more), see).await?;
        let last = runs.last().map(|run| RunCursor(run.sequence));
        // A page of no runs ends where it began.
        let next = if more { last.or(after) } else { None };
        Ok(RunPage { runs, next, damaged })
    }

    async fn running(&self) -> Result<Vec<(RunId, OwnerId)>, StoreError> {
        let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
        let mut runs = Vec::new();
        let see = |row: Result<Row, StoreError>| {
            // What is damaged cannot be marked; `check` tells of it.
            runs.extend(row.ok().map(|row| (row.run.id, row.run.owner)));
            true
        };
        self.each(&running, (KeyRange::listing(&running, None), usize::MAX), see).await?;
        Ok(runs)
    }

    async fn crash(
        &self,
        runs: &[(RunId, OwnerId)],
        reason: &str,
    ) -> Result<Vec<RunId>, StoreError> {
        let Some((id, _)) = runs.first().cloned() else { return Ok(Vec::new()) };
        let (runs, reason) = (runs.to_vec(), reason.to_owned());
        self.writer.submit(id, move |tx| ops::crash(tx, &runs, &reason)).await
    }

    async fn erase(&self, id: RunId) -> Result<EraseOutcome, StoreError> {
        self.writer.submit(id, move |tx| ops::erase(tx, id)).await
    }

    async fn stats(&self, filter: &RunFilter) -> Result<StatsReport, StoreError> {
        let (mut counting, mut damaged) = (Counting::default(), Vec::new());
        let see = |row: Result<Row, StoreError>| {
            match row {
                Ok(row) => counting.add(&row.run),
                Err(error) => damaged.push(error),
            }
            true
        };
        self.each(filter, (KeyRange::counting(filter), usize::MAX), see).await?;
        Ok(StatsReport { operations: counting.stats(), damaged })
    }
}

fn ids_by_prefix(store: &Snapshot, prefix: &str, limit: usize) -> Result<Vec<RunId>, StoreError> {
    let all = TableId::RunIdIndex.prefix();
    // The whole bytes that the text begins with narrow the keys down; the text does the rest.
    let digits: String = prefix.chars().filter(|c| *c != '-').collect();
    let bytes: Vec<_> = digits
        .as_bytes()
        .chunks_exact(2)
        .map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let mut ids = Vec::new();
    for entry in store.prefix(&[&all[..], &bytes].concat())? {
        let (key, _) = entry?;
        ids.extend(keys::run_of_id(&key).filter(|id| id.to_string().starts_with(prefix)));
        if ids.len() >= limit {
            ids.truncate(limit);
            break;
        }
    }
    Ok(ids)
}

/// Returns how many of these sorted times, in microseconds, are in which bucket.
fn histogram(durations: &[u64]) -> Vec<Bucket> {
    let bounds = BOUNDS.iter().copied().map(Some).chain([None]);
    let mut from = 0;
    let mut buckets = Vec::new();
    for below_ms in bounds {
        let to = below_ms.map_or(durations.len(), |bound| {
            durations.partition_point(|duration| *duration < bound * 1_000)
        });
        buckets.push(Bucket { below_ms, count: (to - from) as u64 });
        from = to;
    }
    let is_used = |bucket: &Bucket| bucket.count > 0;
    let first = buckets.iter().position(is_used).unwrap_or(buckets.len());
    let last = buckets.iter().rposition(is_used).map_or(first, |last| last + 1);
    buckets[first..last].to_vec()
}

/// Statistics that are being made, in microseconds: eight bytes for each run that ended.
#[derive(Default)]
pub(super) struct Counting {
    stats: Stats,
    durations: BTreeMap<OperationName, Vec<u64>>,
}

impl Counting {
    /// Counts a run. How long one took whose process died is not known.
    pub(super) fn add(&mut self, run: &RunRecord) {
        let name = &run.operation_name;
        let count = &mut self.stats.entry(name.clone()).or_default().count;
        *count.entry(run.state.status()).or_default() += 1;
        let crashed =
            run.state.failure().is_some_and(|failure| failure.kind == FailureKind::Crashed);
        if let Some(took) = run.duration().filter(|_| !crashed) {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.durations.entry(name.clone()).or_default().push(micros);
        }
    }

    /// Returns what was counted.
    pub(super) fn stats(mut self) -> Stats {
        for (name, mut durations) in self.durations {
            durations.sort_unstable();
            // The least that so many of a hundred do not exceed.
            let at = |percent: usize| {
                let micros = durations[(durations.len() * percent).div_ceil(100) - 1];
                Duration::from_micros(micros).as_secs_f64() * 1_000.0
            };
            let percentiles = Percentiles { p50: at(50), p95: at(95), p99: at(99) };
            let stats = self.stats.entry(name).or_default();
            stats.durations = Some(percentiles);
            stats.histogram = histogram(&durations);
        }
        self.stats
    }
}
