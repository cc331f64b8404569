//! The one thread of a process that writes to the store.
//!
//! What waits while a transaction is written goes into the next one together: many callers
//! pay for one commit. Each is answered when its own part is on the disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;

use super::file::{StoreFile, catch_corruption_panic};
use super::ops::CommitCheck;
use super::tables::{Snapshot, Tx};
use crate::model::run_record::RunId;
use crate::store::StoreError;
use crate::util::os_error;

/// The most steps of one transaction.
const MAX_BATCH: usize = 256;
/// How long a step waits for its turn. Other processes take milliseconds for theirs: one that
/// takes this long was stopped in the middle of it.
const WRITE_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// From this many bytes on there must be room for a transaction on the disk. What is written
/// before a disk is known to be full stays in the file, which never gives room back. Smaller ones
/// find room that became free in the file.
const FREE_SPACE_CHECK_BYTES: u64 = 1 << 20;
/// What a large transaction leaves for those that say how runs ended, in bytes.
const RESERVED_BYTES: u64 = 1 << 20;

type BoxedWrite = Box<dyn QueuedWrite>;

/// Writes to the store. The thread begins with the first step and ends with this.
///
/// Nobody waits for its end: what was answered is on the disk, and what is cut short by the end
/// of the process is as if it had been killed.
pub(super) struct Writer {
    file: Arc<StoreFile>,
    jobs: OnceLock<Sender<BoxedWrite>>,
    pub(super) timeout: Duration,
}

impl Writer {
    /// Returns the writer of a file.
    pub(super) fn new(file: Arc<StoreFile>) -> Self {
        Self { file, jobs: OnceLock::new(), timeout: WRITE_LOCK_TIMEOUT }
    }

    /// Does one step, and answers when it is on the disk. `id` is the run that it is about.
    ///
    /// A caller that goes away does not stop it.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`]; the step was not done, but for [`StoreError::OutcomeUnknown`].
    pub(super) async fn submit<T, A>(&self, id: RunId, apply: A) -> Result<T, StoreError>
    where
        T: CommitCheck + Send + 'static,
        A: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, mut answer) = oneshot::channel();
        let turn = StartToken::default();
        let job =
            WriteRequest { id, apply, result: None, sender, turn: turn.clone(), has_begun: false };
        let gone = |_| StoreError::from(io::Error::other("the thread that writes is gone"));
        self.jobs()?.send(Box::new(job)).map_err(|_| gone(()))?;
        match tokio::time::timeout(self.timeout, &mut answer).await {
            Ok(answer) => answer.map_err(|_| gone(()))?,
            Err(_) if turn.take() => Err(StoreError::Busy),
            // It is being done.
            Err(_) => answer.await.map_err(|_| gone(()))?,
        }
    }

    /// Begins the thread, which opens the file if there is one: whoever knows that a step is
    /// coming can do something else meanwhile.
    pub(super) fn prepare(&self) {
        // What fails will fail again when there is somebody to tell.
        self.jobs().ok();
    }

    fn jobs(&self) -> Result<&Sender<BoxedWrite>, StoreError> {
        if let Some(jobs) = self.jobs.get() {
            return Ok(jobs);
        }
        let (sender, jobs) = mpsc::channel();
        let file = Arc::clone(&self.file);
        os_error::spawn("store", move || serve(&file, &jobs))?;
        // Where two began, the thread of the one that is not kept ends at once.
        Ok(self.jobs.get_or_init(|| sender))
    }
}

/// A step's turn: the thread takes it when it begins with the step, or the caller who does not
/// want it done any more.
#[derive(Clone, Default)]
struct StartToken(Arc<AtomicBool>);

impl StartToken {
    /// Returns whether nobody took it before.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

fn serve(file: &StoreFile, jobs: &Receiver<BoxedWrite>) {
    catch_corruption_panic(|| file.open_existing()).ok();
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(MAX_BATCH - 1));
        write(file, batch);
    }
}

/// How a transaction failed.
enum TxError {
    /// Before its commit: nothing was done.
    Aborted(StoreError),
    /// In its commit: it was done or not.
    CommitUnknown(StoreError),
}

fn write(file: &StoreFile, mut batch: Vec<BoxedWrite>) {
    match attempt(file, &mut batch) {
        Ok(()) => batch.into_iter().for_each(|job| job.answer(None)),
        // One of them may be at fault, or too large: the others are not to suffer.
        Err(TxError::Aborted(_)) if batch.len() > 1 => {
            batch.into_iter().for_each(|job| write(file, vec![job]));
        }
        Err(TxError::Aborted(error)) => {
            batch.into_iter().for_each(|job| job.answer(Some(error.clone())));
        }
        Err(TxError::CommitUnknown(error)) => resolve_unknown_commit(file, batch, &error),
    }
}

fn attempt(file: &StoreFile, batch: &mut Vec<BoxedWrite>) -> Result<(), TxError> {
    let begun = catch_corruption_panic(|| {
        let handle = file.for_writing()?;
        let transaction = handle.begin_write()?;
        batch.retain_mut(|job| job.begins());
        let mut tx = Tx::open(&transaction)?;
        // Of a large one a part may be written before its commit.
        let room = file.free_space();
        batch.iter_mut().try_for_each(|job| job.apply(&mut tx))?;
        let written = tx.written();
        drop(tx);
        if written >= FREE_SPACE_CHECK_BYTES
            && room.is_some_and(|room| room < written + RESERVED_BYTES)
        {
            return Err(StoreError::Full);
        }
        if written > 0 {
            file.is_in_place()?;
        }
        // One that is dropped is undone, which reads and may stop as all else.
        Ok((written > 0).then_some(transaction))
    });
    let begun = begun.map_err(|error| {
        // After a failure of the disk the file takes no more until it is opened again.
        if error.is_of_disk() {
            file.close();
        }
        TxError::Aborted(error)
    })?;
    let Some(transaction) = begun else { return Ok(()) };
    catch_corruption_panic(|| Ok(transaction.commit()?)).map_err(TxError::CommitUnknown)
}

/// Finds out what became of steps whose commit failed, and answers them.
fn resolve_unknown_commit(file: &StoreFile, batch: Vec<BoxedWrite>, error: &StoreError) {
    file.close();
    // Opening it for writing puts it in order; where that fails, reading may still do.
    catch_corruption_panic(|| file.for_writing().map(drop)).ok();
    for job in batch {
        match file.read(|store| job.is_committed(store)) {
            Ok(Some(true)) => job.answer(None),
            Ok(Some(false) | None) => job.answer(Some(error.clone())),
            Err(_) => {
                let unknown = StoreError::OutcomeUnknown(job.id());
                job.answer(Some(unknown));
            }
        }
    }
}

/// A step, whatever its answer is.
trait QueuedWrite: Send {
    /// The run that it is about.
    fn id(&self) -> RunId;
    /// Returns whether it is still to be done; from now on it is.
    fn begins(&mut self) -> bool;
    /// Does it within a transaction; may be called again, within another.
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    /// Returns whether what it did is in the store.
    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError>;
    /// Answers with the error, or else with what it did.
    fn answer(self: Box<Self>, error: Option<StoreError>);
}

struct WriteRequest<T, A> {
    id: RunId,
    apply: A,
    result: Option<T>,
    sender: oneshot::Sender<Result<T, StoreError>>,
    turn: StartToken,
    /// The turn was taken for it.
    has_begun: bool,
}

impl<T, A> QueuedWrite for WriteRequest<T, A>
where
    T: CommitCheck + Send,
    A: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send,
{
    fn id(&self) -> RunId {
        self.id
    }

    fn begins(&mut self) -> bool {
        self.has_begun = self.has_begun || self.turn.take();
        self.has_begun
    }

    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.result = Some((self.apply)(tx)?);
        Ok(())
    }

    fn is_committed(&self, store: &Snapshot) -> Result<bool, StoreError> {
        self.result.as_ref().map_or(Ok(false), |result| result.is_committed(store))
    }

    fn answer(self: Box<Self>, error: Option<StoreError>) {
        let answer = match (error, self.result) {
            (None, Some(result)) => Ok(result),
            (Some(error), _) => Err(error),
            (None, None) => Err(StoreError::OutcomeUnknown(self.id)),
        };
        // Whoever asked may be gone.
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
    use crate::store::redb::file::{DIRECTORY, FILE, ShutdownMode};
    use crate::store::tests::author;
    use crate::store::{Claim, InsertOutcome, NewRun, RunFilter, Store as _};
    use crate::util::private_dir::{DataDir, PrivateDir};

    /// Returns a step that was done in a transaction whose commit failed.
    fn committing(id: RunId) -> (BoxedWrite, oneshot::Receiver<Result<InsertOutcome, StoreError>>) {
        let (sender, answer) = oneshot::channel();
        let apply = |_: &mut Tx<'_>| Err(StoreError::Full);
        let result = Some(InsertOutcome::Created(Claim { id, revision: 1 }));
        let job = WriteRequest {
            id,
            apply,
            result,
            sender,
            turn: StartToken::default(),
            has_begun: true,
        };
        (Box::new(job), answer)
    }

    #[tokio::test]
    async fn r3_after_a_failed_commit_the_answer_is_what_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let store = RedbStore::new(DataDir::new(scratch.path()), ShutdownMode::Clean);
        let there = insert(&store, &running("a")).await.id;
        let ((first, there), (second, missing)) = (committing(there), committing(RunId::new()));
        resolve_unknown_commit(&store.file, vec![first, second], &StoreError::Full);
        assert!(matches!(there.await.unwrap(), Ok(InsertOutcome::Created(_))));
        assert!(matches!(missing.await.unwrap(), Err(StoreError::Full)));
        insert(&store, &running("a")).await;
    }

    #[tokio::test]
    async fn r3_where_nothing_can_be_read_the_outcome_is_unknown() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = PrivateDir::create(&scratch.path().join(DIRECTORY)).unwrap();
        directory.replace(FILE, &[&[7; 10_000]]).unwrap();
        let id = RunId::new();
        let (job, answer) = committing(id);
        resolve_unknown_commit(
            &StoreFile::new(DataDir::new(scratch.path()), ShutdownMode::Clean),
            vec![job],
            &StoreError::Full,
        );
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Err(StoreError::OutcomeUnknown(run)) if run == id));
    }

    #[tokio::test]
    async fn nothing_is_written_to_a_store_that_was_removed_or_to_one_in_its_place() {
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
            // Each of them twice: an error must not make the next one write elsewhere.
            for _ in 0..2 {
                let ended = store.finish(claim, ending(Outcome::Cancelled)).await;
                assert!(is_replaced_error(ended.unwrap_err()));
                let begun = store.insert(NewRun { run: running("a"), key: None }).await;
                assert!(is_replaced_error(begun.unwrap_err()));
                let kept = store.commit_changes(author(), Arc::clone(&effects)).await;
                assert!(is_replaced_error(kept.unwrap_err()));
            }
            assert_eq!(removed.metadata().unwrap().modified().unwrap(), written);
            assert_eq!(directory.exists(), is_replaced, "no other store is begun");
            let runs = other.list(&RunFilter::default(), None, 10).await.unwrap().runs;
            assert_eq!(runs.len(), usize::from(is_replaced));
        }
    }

    #[tokio::test]
    async fn a_step_that_fails_takes_no_other_with_it() {
        let scratch = tempfile::tempdir().unwrap();
        let store = RedbStore::new(DataDir::new(scratch.path()), ShutdownMode::Clean);
        let nobody = Claim { id: RunId::new(), revision: 1 };
        let runs = [running("a"), running("b")];
        let new =
            |run: &crate::model::run_record::RunRecord| NewRun { run: run.clone(), key: None };
        let (first, failed, second) = tokio::join!(
            store.insert(new(&runs[0])),
            store.finish(nobody, ending(Outcome::Cancelled)),
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
