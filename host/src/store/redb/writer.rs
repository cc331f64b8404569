//! The writer thread of the store, with group commit.
//!
//! Requests that arrive while a transaction is being committed are batched into the next one.
//! Each request is answered after its transaction has been synced to disk.
//!
//! The insertion of a RUNNING record is delayed for a short time, because most runs finish within
//! it and then need one commit instead of two.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::file::{StoreFile, catch_corruption_panic};
use super::ops::CommitCheck;
use super::tables::{Snapshot, Tx};
use crate::model::run_record::RunId;
use crate::store::StoreError;
use crate::util::os_error;

/// Maximum requests per transaction.
const MAX_BATCH: usize = 256;
/// Maximum time that a request waits for the write lock. A healthy process holds the lock for
/// milliseconds, so a longer wait means that the holder is suspended.
const WRITE_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

type BoxedWrite = Box<dyn QueuedWrite>;

/// Handle of the writer thread.
///
/// The thread starts with the first request and stops when the handle is dropped. The process
/// does not join the thread at exit: answered requests are durable, and an interrupted
/// transaction is rolled back.
pub(super) struct Writer {
    file: Arc<StoreFile>,
    requests: OnceLock<Sender<BoxedWrite>>,
    has_committed: Arc<AtomicBool>,
    pub(super) timeout: Duration,
}

impl Writer {
    /// Returns the writer of a file.
    pub(super) fn new(file: Arc<StoreFile>) -> Self {
        let (requests, has_committed) = (OnceLock::new(), Arc::default());
        Self { file, requests, has_committed, timeout: WRITE_LOCK_TIMEOUT }
    }

    /// Returns whether a transaction with changes was committed.
    pub(super) fn has_committed(&self) -> bool {
        self.has_committed.load(Ordering::Relaxed)
    }

    /// Applies a write and returns when it has been synced to disk. `id` is the run it concerns.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the write.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`]. Then nothing was written, except after
    /// [`StoreError::OutcomeUnknown`].
    pub(super) async fn submit<T, A>(&self, id: RunId, apply: A) -> Result<T, StoreError>
    where
        T: CommitCheck + Send + 'static,
        A: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.enqueue(id, WriteKind::Prompt, apply)?.answer().await
    }

    /// Like [`Self::submit`], but does not end the delay of insertions.
    pub(super) async fn submit_background<T, A>(&self, apply: A) -> Result<T, StoreError>
    where
        T: CommitCheck + Send + 'static,
        A: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.enqueue(RunId::new(), WriteKind::Background, apply)?.answer().await
    }

    /// Adds a write to the queue. The answer is available when the write has been synced to disk.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the thread cannot be started.
    pub(super) fn enqueue<T, A>(
        &self,
        id: RunId,
        kind: WriteKind,
        apply: A,
    ) -> Result<PendingWrite<T>, StoreError>
    where
        T: CommitCheck + Send + 'static,
        A: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let token = StartToken::default();
        let request = WriteRequest {
            id,
            kind,
            apply,
            result: None,
            sender,
            token: token.clone(),
            has_started: false,
        };
        self.requests()?.send(Box::new(request)).map_err(|_| stopped())?;
        Ok(PendingWrite { answer, token, deadline: Instant::now() + self.timeout })
    }

    /// Starts the thread, which opens an existing file in the background.
    pub(super) fn prepare(&self) {
        // The first request starts the thread again and reports the error.
        self.requests().ok();
    }

    fn requests(&self) -> Result<&Sender<BoxedWrite>, StoreError> {
        if let Some(requests) = self.requests.get() {
            return Ok(requests);
        }
        let (sender, requests) = mpsc::channel();
        let file = Arc::clone(&self.file);
        let has_committed = Arc::clone(&self.has_committed);
        os_error::spawn("store", move || serve(&file, &requests, &has_committed))?;
        // If two callers race, the losing sender is dropped and its thread stops.
        Ok(self.requests.get_or_init(|| sender))
    }
}

fn stopped() -> StoreError {
    io::Error::other("the writer thread has stopped").into()
}

/// When a write is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteKind {
    /// With the next transaction, and with all delayed insertions.
    Prompt,
    /// Inserts the RUNNING record of a run, at this time or with an earlier transaction.
    Begin(Instant),
    /// Finishes a run with the next transaction. Replaces its delayed insertion.
    Finish,
    /// With the next transaction, without delayed insertions that are not due.
    Background,
}

/// A write in the queue.
pub(super) struct PendingWrite<T> {
    answer: oneshot::Receiver<Result<T, StoreError>>,
    token: StartToken,
    deadline: Instant,
}

impl<T> PendingWrite<T> {
    /// Waits for the answer. After the deadline, withdraws the write if it has not started.
    ///
    /// # Errors
    ///
    /// As [`Writer::submit`].
    pub(super) async fn answer(mut self) -> Result<T, StoreError> {
        match tokio::time::timeout_at(self.deadline.into(), &mut self.answer).await {
            Ok(answer) => answer.map_err(|_| stopped())?,
            Err(_) if self.token.take() => Err(StoreError::Busy),
            // The writer thread has already started the request.
            Err(_) => self.answer.await.map_err(|_| stopped())?,
        }
    }
}

/// A token that either the writer thread or the timed-out caller takes.
///
/// The thread takes the token when it starts the request. The caller takes it to withdraw the
/// request.
#[derive(Clone, Default)]
struct StartToken(Arc<AtomicBool>);

impl StartToken {
    /// Takes the token. Returns `false` if it was already taken.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

fn serve(file: &StoreFile, requests: &Receiver<BoxedWrite>, has_committed: &AtomicBool) {
    catch_corruption_panic(|| file.open_existing()).ok();
    let mut queue = Queue { requests, delayed: VecDeque::new() };
    while let Some(batch) = queue.next_batch() {
        write((file, has_committed), batch);
    }
}

/// The queue of the writer thread.
struct Queue<'r> {
    requests: &'r Receiver<BoxedWrite>,
    /// The delayed insertions, in the order in which they are due.
    delayed: VecDeque<(Instant, BoxedWrite)>,
}

impl Queue<'_> {
    /// Waits for the writes of the next transaction; `None` if the handle was dropped.
    fn next_batch(&mut self) -> Option<Vec<BoxedWrite>> {
        let mut batch = Vec::new();
        while batch.is_empty() {
            match self.receive() {
                Ok(first) => {
                    self.add(first, &mut batch);
                    for request in self.requests.try_iter().take(MAX_BATCH - 1) {
                        self.add(request, &mut batch);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            let now = Instant::now();
            while let Some((_, insertion)) = self.delayed.pop_front_if(|(due, _)| *due <= now) {
                batch.push(insertion);
            }
        }
        Some(batch)
    }

    /// Waits for a request until the first delayed insertion is due.
    fn receive(&self) -> Result<BoxedWrite, RecvTimeoutError> {
        match self.delayed.front() {
            Some((due, _)) => {
                self.requests.recv_timeout(due.saturating_duration_since(Instant::now()))
            }
            None => self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn add(&mut self, request: BoxedWrite, batch: &mut Vec<BoxedWrite>) {
        match request.kind() {
            WriteKind::Begin(due) => return self.delayed.push_back((due, request)),
            WriteKind::Background => {}
            WriteKind::Finish => self.delayed.retain(|(_, delayed)| delayed.id() != request.id()),
            // The write may concern a run whose insertion is delayed.
            WriteKind::Prompt => batch.extend(self.delayed.drain(..).map(|(_, delayed)| delayed)),
        }
        batch.push(request);
    }
}

/// The error of a transaction.
enum TxError {
    /// The transaction failed before its commit. Nothing was written.
    Aborted(StoreError),
    /// The commit failed. The transaction may or may not be committed.
    CommitUnknown(StoreError),
}

fn write((file, has_committed): (&StoreFile, &AtomicBool), mut batch: Vec<BoxedWrite>) {
    match attempt(file, &mut batch) {
        Ok(is_written) => {
            has_committed.fetch_or(is_written, Ordering::Relaxed);
            batch.into_iter().for_each(|request| request.respond(None));
        }
        // A single request may be invalid or too large, so each is tried on its own.
        Err(TxError::Aborted(_)) if batch.len() > 1 => {
            let each = batch.into_iter();
            each.for_each(|request| write((file, has_committed), vec![request]));
        }
        Err(TxError::Aborted(error)) => {
            batch.into_iter().for_each(|request| request.respond(Some(error.clone())));
        }
        Err(TxError::CommitUnknown(error)) => resolve_unknown_commit(file, batch, &error),
    }
}

/// Applies the writes in one transaction. Returns whether the transaction had changes.
fn attempt(file: &StoreFile, batch: &mut Vec<BoxedWrite>) -> Result<bool, TxError> {
    let applied = catch_corruption_panic(|| {
        let handle = file.for_writing()?;
        let transaction = handle.begin_write()?;
        batch.retain_mut(|request| request.start());
        let mut tx = Tx::open(&transaction, Some(file))?;
        batch.iter_mut().try_for_each(|request| request.apply(&mut tx))?;
        let written = tx.written();
        tx.ensure_fits()?;
        drop(tx);
        if written > 0 {
            file.ensure_in_place()?;
        }
        // Dropping the transaction rolls it back, which also reads pages and may panic.
        Ok((written > 0).then_some(transaction))
    });
    let applied = applied.map_err(|error| {
        // After a disk error redb rejects writes until the file is reopened.
        if error.is_of_disk() {
            file.close();
        }
        TxError::Aborted(error)
    })?;
    let Some(transaction) = applied else { return Ok(false) };
    catch_corruption_panic(|| Ok(transaction.commit()?)).map_err(TxError::CommitUnknown)?;
    Ok(true)
}

/// Reopens the file, checks which writes are committed, and answers the requests.
fn resolve_unknown_commit(file: &StoreFile, batch: Vec<BoxedWrite>, error: &StoreError) {
    file.close();
    // Opening for writing runs recovery. If that fails, reading may still succeed.
    catch_corruption_panic(|| file.for_writing().map(drop)).ok();
    for request in batch {
        match file.read(|store| request.is_committed(store)) {
            Ok(Some(true)) => request.respond(None),
            Ok(Some(false) | None) => request.respond(Some(error.clone())),
            Err(_) => {
                let unknown = StoreError::OutcomeUnknown(request.id());
                request.respond(Some(unknown));
            }
        }
    }
}

/// An entry of the write queue, independent of its result type.
trait QueuedWrite: Send {
    /// Returns the run that the write concerns.
    fn id(&self) -> RunId;
    /// Returns when the write is committed.
    fn kind(&self) -> WriteKind;
    /// Marks the request as started. Returns `false` if the caller has withdrawn it.
    fn start(&mut self) -> bool;
    /// Applies the write within a transaction. May be called again in another transaction.
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    /// Returns whether the write is committed.
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError>;
    /// Sends the error, or the result if `error` is `None`.
    fn respond(self: Box<Self>, error: Option<StoreError>);
}

struct WriteRequest<T, A> {
    id: RunId,
    kind: WriteKind,
    apply: A,
    result: Option<T>,
    sender: oneshot::Sender<Result<T, StoreError>>,
    token: StartToken,
    has_started: bool,
}

impl<T, A> QueuedWrite for WriteRequest<T, A>
where
    T: CommitCheck + Send,
    A: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send,
{
    fn id(&self) -> RunId {
        self.id
    }

    fn kind(&self) -> WriteKind {
        self.kind
    }

    fn start(&mut self) -> bool {
        self.has_started = self.has_started || self.token.take();
        self.has_started
    }

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.result = Some((self.apply)(tx)?);
        Ok(())
    }

    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        self.result.as_ref().map_or(Ok(false), |result| result.is_committed(store))
    }

    fn respond(self: Box<Self>, error: Option<StoreError>) {
        let answer = match (error, self.result) {
            (None, Some(result)) => Ok(result),
            (Some(error), _) => Err(error),
            (None, None) => Err(StoreError::OutcomeUnknown(self.id)),
        };
        // The caller may have dropped the receiver.
        self.sender.send(answer).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::{Address, Body, CommitRequest, DocumentChange};
    use crate::model::outcome::Outcome;
    use crate::model::run_record::tests::running;
    use crate::store::conformance::{ending, insert};
    use crate::store::redb::RedbStore;
    use crate::store::redb::file::{DIRECTORY, FILE};
    use crate::store::tests::author;
    use crate::store::{
        Claim, InsertOutcome, NewRun, RunFilter, ShutdownMode, Store as _, StoreMaintenance as _,
    };
    use crate::util::private_dir::{DataDir, PrivateDir};

    /// Returns a request that was applied in a transaction whose commit failed.
    fn with_failed_commit(
        id: RunId,
    ) -> (BoxedWrite, oneshot::Receiver<Result<InsertOutcome, StoreError>>) {
        let (sender, answer) = oneshot::channel();
        let apply = |_: &mut Tx<'_>| Err(StoreError::Full);
        let result = Some(InsertOutcome::Created(Claim { id, revision: 1 }));
        let request = WriteRequest {
            id,
            kind: WriteKind::Prompt,
            apply,
            result,
            sender,
            token: StartToken::default(),
            has_started: true,
        };
        (Box::new(request), answer)
    }

    #[tokio::test]
    async fn failed_commit_is_answered_with_the_stored_state() {
        let scratch = tempfile::tempdir().unwrap();
        let store = RedbStore::new(DataDir::new(scratch.path()), ShutdownMode::Clean);
        let stored = insert(&store, &running("a")).await.id;
        let (first, stored) = with_failed_commit(stored);
        let (second, missing) = with_failed_commit(RunId::new());
        resolve_unknown_commit(&store.file, vec![first, second], &StoreError::Full);
        assert!(matches!(stored.await.unwrap(), Ok(InsertOutcome::Created(_))));
        assert!(matches!(missing.await.unwrap(), Err(StoreError::Full)));
        insert(&store, &running("a")).await;
    }

    #[tokio::test]
    async fn outcome_is_unknown_if_the_store_cannot_be_read_after_a_failed_commit() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = PrivateDir::create(&scratch.path().join(DIRECTORY)).unwrap();
        directory.replace(FILE, &[&[7; 10_000]]).unwrap();
        let id = RunId::new();
        let (request, answer) = with_failed_commit(id);
        resolve_unknown_commit(
            &StoreFile::new(DataDir::new(scratch.path()), ShutdownMode::Clean),
            vec![request],
            &StoreError::Full,
        );
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Err(StoreError::OutcomeUnknown(run)) if run == id));
    }

    #[tokio::test]
    async fn removed_or_replaced_store_is_not_written() {
        for is_replaced in [false, true] {
            let scratch = tempfile::tempdir().unwrap();
            let data = DataDir::new(scratch.path());
            let store = RedbStore::new(data.clone(), ShutdownMode::Skip);
            let claim = insert(&store, &running("a")).await;
            let directory = scratch.path().join(DIRECTORY);
            let removed = std::fs::File::open(directory.join(FILE)).unwrap();
            let written = removed.metadata().unwrap().modified().unwrap();
            std::fs::remove_dir_all(&directory).unwrap();
            let other = RedbStore::new(data, ShutdownMode::Clean);
            if is_replaced {
                insert(&other, &running("b")).await;
            }
            let address = Address { collection: "a".parse().unwrap(), id: "b".parse().unwrap() };
            let after = Some(Body::try_from(serde_json::json!({"n": 1})).unwrap());
            let changes = [(address, DocumentChange { before: None, after })].into();
            let effects = Arc::new(CommitRequest { changes, ..CommitRequest::default() });
            let is_replaced_error = |error: StoreError| matches!(error, StoreError::Replaced);
            // Each write runs twice, because an error must not make the next one reopen the path.
            for _ in 0..2 {
                let ended = store.finish(claim, ending(Outcome::Cancelled)).await;
                assert!(is_replaced_error(ended.unwrap_err()));
                let inserted = store.insert(NewRun { run: running("a"), key: None }).await;
                assert!(is_replaced_error(inserted.unwrap_err()));
                let committed = store.commit_changes(author(), Arc::clone(&effects)).await;
                assert!(is_replaced_error(committed.unwrap_err()));
            }
            assert_eq!(removed.metadata().unwrap().modified().unwrap(), written);
            assert_eq!(directory.exists(), is_replaced, "no new store is created");
            let runs = other.list(&RunFilter::default(), None, 10).await.unwrap().runs;
            assert_eq!(runs.len(), usize::from(is_replaced));
        }
    }

    #[tokio::test]
    async fn failed_request_does_not_fail_the_rest_of_its_batch() {
        let scratch = tempfile::tempdir().unwrap();
        let store = RedbStore::new(DataDir::new(scratch.path()), ShutdownMode::Clean);
        let unknown = Claim { id: RunId::new(), revision: 1 };
        let runs = [running("a"), running("b")];
        let new =
            |run: &crate::model::run_record::RunRecord| NewRun { run: run.clone(), key: None };
        let (first, failed, second) = tokio::join!(
            store.insert(new(&runs[0])),
            store.finish(unknown, ending(Outcome::Cancelled)),
            store.insert(new(&runs[1])),
        );
        assert!(matches!(
            (first, second),
            (Ok(InsertOutcome::Created(_)), Ok(InsertOutcome::Created(_)))
        ));
        assert!(matches!(failed, Err(StoreError::Corrupted { .. })));
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }
}
