//! Merges stored documents with the documents that the run wrote, in the order of their ids.

use std::iter::Peekable;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::failed;
use crate::model::document::{Address, DocumentChange, DocumentId};
use crate::sandbox::DocumentCallError;
use crate::store::{ScannedDocument, StoreError};

/// Revision of a document that the run wrote.
pub(super) const UNCOMMITTED_REVISION: u64 = 0;
/// Time after which a scan yields to other tasks.
pub(super) const SCAN_TIME_SLICE: Duration = Duration::from_millis(2);

/// Whether the scan continues.
pub(super) type ScanResult = Result<ControlFlow<()>, DocumentCallError>;

/// Visits stored documents, replaced by those that the run wrote.
pub(super) struct MergeScan<'t, O: Iterator<Item = (&'t Address, &'t DocumentChange)>> {
    pub(super) own: Peekable<O>,
    pub(super) see: &'t mut dyn FnMut(&ScannedDocument<'_>) -> ScanResult,
    pub(super) until: Instant,
    /// Number of passed stored documents.
    pub(super) passed: u64,
    pub(super) stopped: Option<ScanStop>,
}

/// Reason for the end of a scan slice.
pub(super) enum ScanStop {
    Enough,
    /// The time slice ended after this document.
    Yield(DocumentId),
    /// The visitor failed.
    Failed(DocumentCallError),
}

impl<'t, O: Iterator<Item = (&'t Address, &'t DocumentChange)>> MergeScan<'t, O> {
    /// Visits own documents up to a stored document, then the stored one unless it was replaced.
    pub(super) fn stored(
        &mut self,
        stored: &ScannedDocument<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        while let Some((address, change)) = self.own.next_if(|(own, _)| own.id <= *stored.id) {
            let is_same = address.id == *stored.id;
            self.passed += u64::from(is_same);
            if self.own(&address.id, change)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if is_same {
                return Ok(ControlFlow::Continue(()));
            }
        }
        self.passed += 1;
        self.show(stored)
    }

    pub(super) fn own(
        &mut self,
        id: &DocumentId,
        change: &DocumentChange,
    ) -> Result<ControlFlow<()>, StoreError> {
        let Some(body) = &change.after else { return Ok(ControlFlow::Continue(())) };
        let text = || Ok(body.text());
        self.show(&ScannedDocument {
            id,
            revision: UNCOMMITTED_REVISION,
            fields: body,
            text: &text,
        })
    }

    pub(super) fn show(
        &mut self,
        seen: &ScannedDocument<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        self.stopped = match (self.see)(seen) {
            Ok(ControlFlow::Break(())) => Some(ScanStop::Enough),
            Err(error) => Some(ScanStop::Failed(error)),
            // Checked after each document, because one document can take long.
            Ok(ControlFlow::Continue(())) if Instant::now() >= self.until => {
                Some(ScanStop::Yield(seen.id.clone()))
            }
            Ok(ControlFlow::Continue(())) => None,
        };
        Ok(if self.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Visits the remaining own documents. Returns the last visited document and the number of
    /// passed stored documents if the time slice ended.
    pub(super) fn remaining(mut self) -> Result<Option<(DocumentId, u64)>, DocumentCallError> {
        let mut is_over = self.stopped.is_some();
        while !is_over && let Some((address, change)) = self.own.next() {
            is_over = self.own(&address.id, change).map_err(|error| failed(&error))?.is_break();
        }
        match self.stopped {
            Some(ScanStop::Yield(last)) => Ok(Some((last, self.passed))),
            Some(ScanStop::Failed(error)) => Err(error),
            Some(ScanStop::Enough) | None => Ok(None),
        }
    }
}
