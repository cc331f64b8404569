//! Reads the documents of a file in batches, on a thread of its own.

use std::io;
use std::sync::mpsc;

use tokio::sync::oneshot;

use ophost::document::{Body, DocumentId};
use ophost::os_error;

use super::read::{Documents, Location, Read, ReadError};

/// The size of a document in addition to its id and its JSON text, in bytes. This estimates the
/// memory that a small document needs until it is stored.
pub(super) const DOCUMENT_OVERHEAD: u64 = 2 << 10;

/// Documents that are imported by one run.
#[derive(Debug)]
pub(super) struct Batch {
    /// The number of the first document in the file, from 1.
    pub(super) first: u64,
    /// The locations of the first and the last document.
    pub(super) locations: Option<(Location, Location)>,
    pub(super) documents: Vec<(Option<DocumentId>, Body)>,
}

/// The maximum size of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchSize {
    /// The maximum number of documents; `None` for all documents of the file.
    pub(super) documents: Option<u64>,
    /// The maximum size of the documents, in bytes.
    pub(super) max_bytes: u64,
}

type NextBatch = Result<Option<Batch>, ReadError>;

/// A thread that reads batches, so that blocked input does not delay the handling of signals.
pub(super) struct BatchReader {
    requests: mpsc::Sender<oneshot::Sender<NextBatch>>,
}

impl BatchReader {
    /// Starts the thread, which opens the file when the first batch is requested. `skipped` is the
    /// number of skipped documents.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the thread cannot be started.
    pub(super) fn start(
        open: impl FnOnce() -> Result<Documents, ReadError> + Send + 'static,
        skipped: u64,
        size: BatchSize,
    ) -> io::Result<Self> {
        let (requests, received) = mpsc::channel::<oneshot::Sender<NextBatch>>();
        os_error::spawn("import", move || {
            let Ok(first_reply) = received.recv() else { return };
            let documents = match open() {
                Ok(documents) => documents,
                // The receiver may have been dropped.
                Err(error) => return drop(first_reply.send(Err(error))),
            };
            let mut batches = Batches { documents, next: skipped.saturating_add(1), size };
            first_reply.send(batches.next()).ok();
            while let Ok(reply) = received.recv() {
                reply.send(batches.next()).ok();
            }
        })?;
        Ok(Self { requests })
    }

    /// Returns the next batch, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`] if the next documents cannot be read, or exceed the size.
    pub(super) async fn next(&self) -> NextBatch {
        let stopped = || ReadError::from(io::Error::other("the reader thread has stopped"));
        let (reply, answer) = oneshot::channel();
        self.requests.send(reply).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

struct Batches {
    documents: Documents,
    /// The number of the next document.
    next: u64,
    size: BatchSize,
}

impl Batches {
    fn next(&mut self) -> NextBatch {
        let (first, mut bytes) = (self.next, 0);
        let mut batch = Batch { first, locations: None, documents: Vec::new() };
        while self.size.documents.is_none_or(|size| (batch.documents.len() as u64) < size) {
            let Some(document) = self.documents.next() else { break };
            let Read { location, id, body } = document?;
            bytes += DOCUMENT_OVERHEAD
                + (id.as_ref().map_or(0, |id| id.as_str().len()) + body.size()) as u64;
            if bytes > self.size.max_bytes {
                let is_batch = self.size.documents.is_some();
                return Err(ReadError::TooMany {
                    location,
                    max_bytes: self.size.max_bytes,
                    is_batch,
                });
            }
            let first = batch.locations.map_or(location, |(first, _)| first);
            batch.locations = Some((first, location));
            batch.documents.push((id, body));
        }
        self.next += batch.documents.len() as u64;
        Ok((!batch.documents.is_empty()).then_some(batch))
    }
}
