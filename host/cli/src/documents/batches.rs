//! Reads the documents of a file in a thread, a batch at a time.

use std::io;
use std::sync::mpsc;

use tokio::sync::oneshot;

use super::read::{Documents, Place, Read, ReadError};
use ophost::document::{Body, DocumentId};
use ophost::os_error;

/// What each document counts for beside its id and its JSON text, in bytes: an estimate of the
/// memory that a small one needs until it is stored.
pub(super) const DOCUMENT: u64 = 2 << 10;

/// Documents that are imported by one run.
#[derive(Debug)]
pub(super) struct Batch {
    /// The number of the first document in the file, from 1.
    pub(super) first: u64,
    /// Where the first and the last document are.
    pub(super) places: Option<(Place, Place)>,
    pub(super) documents: Vec<(Option<DocumentId>, Body)>,
}

/// How large a batch is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// How many documents; `None` for all of the file.
    pub(super) documents: Option<u64>,
    /// The most that they may count for, in bytes.
    pub(super) most: u64,
}

type Answer = Result<Option<Batch>, ReadError>;

/// A thread that reads: input that does not come must not keep a signal from being heard.
pub(super) struct Reading {
    requests: mpsc::Sender<oneshot::Sender<Answer>>,
}

impl Reading {
    /// Begins the thread, which opens the file when the first batch is asked for. `skipped` is the
    /// number of documents that are passed over.
    ///
    /// # Errors
    ///
    /// Returns the system's error if there is no thread.
    pub(super) fn begin(
        open: impl FnOnce() -> Result<Documents, ReadError> + Send + 'static,
        skipped: u64,
        size: Size,
    ) -> io::Result<Self> {
        let (requests, received) = mpsc::channel::<oneshot::Sender<Answer>>();
        os_error::spawn("import", move || {
            let Ok(first) = received.recv() else { return };
            let documents = match open() {
                Ok(documents) => documents,
                // The receiver may have been dropped.
                Err(error) => return drop(first.send(Err(error))),
            };
            let mut batches = Batches { documents, next: skipped.saturating_add(1), size };
            first.send(batches.next()).ok();
            while let Ok(reply) = received.recv() {
                reply.send(batches.next()).ok();
            }
        })?;
        Ok(Self { requests })
    }

    /// Returns the next batch; `None` if the file has ended.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`] if the next documents cannot be read, or are too many.
    pub(super) async fn next(&self) -> Answer {
        let gone = || ReadError::from(io::Error::other("the thread that reads is gone"));
        let (reply, answer) = oneshot::channel();
        self.requests.send(reply).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Batches {
    documents: Documents,
    /// The number of the next document.
    next: u64,
    size: Size,
}

impl Batches {
    fn next(&mut self) -> Answer {
        let (first, mut held) = (self.next, 0);
        let mut batch = Batch { first, places: None, documents: Vec::new() };
        while self.size.documents.is_none_or(|size| (batch.documents.len() as u64) < size) {
            let Some(document) = self.documents.next() else { break };
            let Read { place, id, body } = document?;
            held += DOCUMENT + (id.as_ref().map_or(0, |id| id.as_str().len()) + body.size()) as u64;
            if held > self.size.most {
                let is_batch = self.size.documents.is_some();
                return Err(ReadError::TooMany { place, most: self.size.most, is_batch });
            }
            let first = batch.places.map_or(place, |(first, _)| first);
            batch.places = Some((first, place));
            batch.documents.push((id, body));
        }
        self.next += batch.documents.len() as u64;
        Ok((!batch.documents.is_empty()).then_some(batch))
    }
}
