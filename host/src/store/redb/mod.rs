//! The store in one redb file, shared by any number of processes.

pub(super) mod backup;
pub(super) mod check;
pub(super) mod codec;
mod compact;
#[cfg(test)]
mod crash_tests;
pub(super) mod document_check;
pub(super) mod documents;
pub(super) mod file;
mod history;
mod history_retention;
pub(super) mod id_packing;
pub(super) mod index;
pub(super) mod index_build;
mod index_check;
pub(super) mod index_scan;
mod index_walk;
pub(super) mod keys;
mod maintenance;
pub(super) mod ops;
pub(super) mod overlay;
pub(super) mod pages;
#[cfg(test)]
mod prune_crash_tests;
mod retention;
pub(super) mod row;
pub(super) mod salvage;
mod statistics;
mod summary;
pub(super) mod tables;
#[cfg(test)]
pub(super) mod test_store;
pub(super) mod writer;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ophost_document::IndexField;

use self::documents::RedbDocuments;
use self::file::StoreFile;
use self::keys::{Index, TableId};
use self::ops::Added;
use self::row::Row;
use self::statistics::StatsReader;
use self::summary::Coverage;
use self::tables::{Snapshot, Tx};
use self::writer::{WriteKind, Writer};
use crate::model::document::{Address, ChangeSet, CollectionName, CommitRequest};
use crate::model::history::{HistoryPage, PastDocument, PointInTime};
use crate::model::outcome::LogEntry;
use crate::model::run_record::{OwnerId, RunId, RunRecord, RunSummary, Status};
use crate::store::index::SLICE_TIME;
use crate::store::{
    AppendLogOutcome, BuildIndexOutcome, CancelOutcome, Claim, CommitMetadata, CommitOutcome,
    CreateIndexOutcome, DocumentSnapshot, EraseOutcome, FinishOutcome, InsertOutcome,
    MAX_INSERT_DELAY, NewIndex, NewRun, PendingInsert, RemoveIndexOutcome, RunCompletion,
    RunCursor, RunFilter, RunPage, ShutdownMode, StatsReport, Store, StoreError, off_thread,
};
use crate::util::private_dir::DataDir;

/// Maximum rows that a scan reads from one snapshot. A long-lived snapshot makes the file grow.
const MAX_ROWS_PER_SNAPSHOT: usize = 1024;

/// The store of a data directory.
///
/// Opens the file on the first call. Only writes create the file. A process may use several
/// instances for the same directory, but one is enough.
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

    /// Reads a snapshot on a blocking thread; `None` if no store exists.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnMut(&Snapshot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let file = Arc::clone(&self.file);
        off_thread(move || file.read(read)).await
    }

    /// Passes the matching runs to `visit`, newest first, until `visit` returns `false`.
    ///
    /// `expected` is the number of runs after which `visit` probably stops.
    async fn each(
        &self,
        filter: &RunFilter,
        (mut range, expected): (KeyRange, usize),
        mut visit: impl FnMut(Result<Row, StoreError>) -> bool,
    ) -> Result<(), StoreError> {
        loop {
            let selection = (filter.clone(), range.clone());
            let part = self
                .read(move |store| {
                    let (filter, range) = &selection;
                    read_part(store, filter, &skip_blocks(store, filter, range)?, expected)
                })
                .await?;
            let Some(Part { rows, rest }) = part else { return Ok(()) };
            if !rows.into_iter().all(&mut visit) {
                return Ok(());
            }
            let Some(rest) = rest else { return Ok(()) };
            range.end = rest;
        }
    }
}

/// A half-open range of keys, of an index or of the rows.
#[derive(Clone)]
struct KeyRange {
    first: Vec<u8>,
    end: Vec<u8>,
}

impl KeyRange {
    /// Returns the smallest key range that covers a filter, in sequence order, up to the cursor.
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
}

/// Returns the rest of a range of rows without the blocks at its end that are outside of the time
/// range of the filter.
fn skip_blocks(
    store: &Snapshot,
    filter: &RunFilter,
    range: &KeyRange,
) -> Result<KeyRange, StoreError> {
    let mut range = range.clone();
    if filter.since.is_none() && filter.until.is_none() || range.first != TableId::Run.prefix() {
        return Ok(range);
    }
    let end = keys::sequence_of_run(&range.end).map_or_else(|| store.sequence(), Ok)?;
    let mut block = end / summary::BLOCK_SIZE;
    while store.summary(block)?.is_some_and(|it| it.coverage(filter) == Coverage::Outside) {
        range.end = keys::run(summary::sequences(block).start);
        let Some(before) = block.checked_sub(1) else { break };
        block = before;
    }
    Ok(range)
}

/// Some rows of a key range, and the end of the unread rest.
struct Part {
    rows: Vec<Result<Row, StoreError>>,
    rest: Option<Vec<u8>>,
}

/// Returns at most `limit` matching or corrupted rows, from at most [`MAX_ROWS_PER_SNAPSHOT`]
/// entries.
fn read_part(
    store: &Snapshot,
    filter: &RunFilter,
    range: &KeyRange,
    limit: usize,
) -> Result<Part, StoreError> {
    let mut rows = Vec::new();
    for (count, entry) in store.range(&range.first, &range.end)?.rev().enumerate() {
        let (key, value) = entry?;
        if may_match(filter, &value) {
            match load_row(store, &key, &value) {
                Ok(row) if !filter.matches(&row.run) => {}
                Err(error @ StoreError::Corrupted { .. }) => rows.push(Err(error)),
                row => rows.push(Ok(row?)),
            }
        }
        if count + 1 == MAX_ROWS_PER_SNAPSHOT || rows.len() == limit {
            return Ok(Part { rows, rest: Some(key) });
        }
    }
    Ok(Part { rows, rest: None })
}

/// Returns whether the run of an entry can match a filter: `false` if the entry has the time of
/// the run and the time is outside of the filter's range.
fn may_match(filter: &RunFilter, value: &[u8]) -> bool {
    let Some(time) = keys::time_of_index(value) else { return true };
    // Entries have a resolution of microseconds. The filter itself compares exactly.
    let micros = |time: DateTime<Utc>| time.timestamp_micros();
    filter.since.is_none_or(|since| micros(since) <= micros(time))
        && filter.until.is_none_or(|until| micros(time) <= micros(until))
}

fn load_row(store: &Snapshot, key: &[u8], value: &[u8]) -> Result<Row, StoreError> {
    match keys::parse(key) {
        Some((TableId::Run, _)) => tables::open_row(key, value),
        _ => store.resolve_index(key, value),
    }
}

#[async_trait]
impl Store for RedbStore {
    fn prepare(&self) {
        self.writer.prepare();
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        let file = Arc::clone(&self.file);
        off_thread(move || file.check_writable()).await
    }

    async fn insert(&self, new: NewRun) -> Result<InsertOutcome, StoreError> {
        let id = new.run.id;
        let apply = move |tx: &mut Tx<'_>| ops::insert(tx, &new.run, new.key.as_ref());
        self.writer.submit(id, apply).await
    }

    fn begin(&self, run: Arc<RunRecord>) -> PendingInsert {
        let id = run.id;
        let due = WriteKind::Begin(Instant::now() + MAX_INSERT_DELAY);
        let pending = self.writer.enqueue(id, due, move |tx| ops::insert(tx, &run, None));
        Box::pin(async move { pending?.answer().await.map(drop) })
    }

    async fn append_log(
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
        let kind = if ending.running.is_some() { WriteKind::Finish } else { WriteKind::Prompt };
        let finish = self.writer.enqueue(claim.id, kind, move |tx| ops::finish(tx, claim, &ending));
        Ok(finish?.answer().await?.into())
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

    async fn create_index(&self, index: &NewIndex) -> Result<CreateIndexOutcome, StoreError> {
        let index = index.clone();
        self.writer.submit(RunId::new(), move |tx| index_build::create(tx, &index)).await
    }

    async fn build_index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<BuildIndexOutcome, StoreError> {
        let (collection, field) = (collection.clone(), field.clone());
        let build =
            move |tx: &mut Tx<'_>| index_build::build(tx, (&collection, &field), SLICE_TIME);
        self.writer.submit(RunId::new(), build).await
    }

    async fn remove_index(
        &self,
        collection: &CollectionName,
        field: &IndexField,
    ) -> Result<RemoveIndexOutcome, StoreError> {
        let (collection, field) = (collection.clone(), field.clone());
        let remove = move |tx: &mut Tx<'_>| index_build::remove(tx, (&collection, &field));
        self.writer.submit(RunId::new(), remove).await
    }

    async fn snapshot(&self) -> Result<Arc<dyn DocumentSnapshot>, StoreError> {
        let file = Arc::clone(&self.file);
        let documents = match file.is_open() {
            true => RedbDocuments::open(&file)?,
            false => off_thread(move || RedbDocuments::open(&file)).await?,
        };
        Ok(Arc::new(documents))
    }

    async fn get(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.read(move |store| store.run(id)).await?.flatten())
    }

    async fn changes(&self, id: RunId) -> Result<ChangeSet, StoreError> {
        Ok(self.read(move |store| store.changes_of(id)).await?.unwrap_or_default())
    }

    async fn history(
        &self,
        address: &Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        let address = address.clone();
        let page = self.read(move |store| store.history(&address, before, limit)).await?;
        Ok(page.unwrap_or_default())
    }

    async fn document_at(
        &self,
        address: &Address,
        moment: PointInTime,
    ) -> Result<PastDocument, StoreError> {
        let address = address.clone();
        let document = self.read(move |store| store.document_at(&address, moment)).await?;
        Ok(document.unwrap_or(PastDocument::Absent))
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
        let (mut corrupted, mut more) = (Vec::new(), false);
        let visit = |row: Result<Row, StoreError>| {
            match row {
                Ok(_) if runs.len() == limit => more = true,
                Ok(row) => runs.push(row.run.into()),
                Err(error) => corrupted.push(error),
            }
            !more
        };
        let one_more = limit.saturating_add(1);
        self.each(filter, (KeyRange::listing(filter, after), one_more), visit).await?;
        let last = runs.last().map(|run| RunCursor(run.sequence));
        // An empty page ends at its own start.
        let next = if more { last.or(after) } else { None };
        Ok(RunPage { runs, next, corrupted })
    }

    async fn running(&self) -> Result<Vec<(RunId, OwnerId)>, StoreError> {
        let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
        let mut runs = Vec::new();
        let visit = |row: Result<Row, StoreError>| {
            // Corrupted rows cannot be marked. `check` reports them.
            runs.extend(row.ok().map(|row| (row.run.id, row.run.owner)));
            true
        };
        self.each(&running, (KeyRange::listing(&running, None), usize::MAX), visit).await?;
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

    async fn request_cancel(&self, id: RunId) -> Result<CancelOutcome, StoreError> {
        let request = self.writer.submit(id, move |tx| ops::request_cancel(tx, id));
        Ok(request.await?.outcome)
    }

    async fn cancel_requested_at(&self, id: RunId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row = self.read(move |store| store.row(id)).await?.flatten();
        Ok(row.and_then(|row| row.run.cancel_requested_at))
    }

    async fn erase(&self, id: RunId) -> Result<EraseOutcome, StoreError> {
        self.writer.submit(id, move |tx| ops::erase(tx, id)).await
    }

    async fn stats(&self, filter: &RunFilter) -> Result<StatsReport, StoreError> {
        StatsReader::new(self, filter).read().await
    }
}

fn ids_by_prefix(store: &Snapshot, prefix: &str, limit: usize) -> Result<Vec<RunId>, StoreError> {
    let all = TableId::RunIdIndex.prefix();
    // Keys hold bytes, so only whole bytes of the prefix narrow the scan. The text comparison
    // below handles an odd last digit.
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
